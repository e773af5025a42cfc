"""An account over time: which connection has which folder, sync, wait, deliver, reconnect.

`account_watcher.AccountWatcher` starts it; `listener.Listener` gets what happens.
"""
