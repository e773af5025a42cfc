"""Keeps an account in sync: assigns folders to connections, syncs, waits, delivers, reconnects.

`account_watcher.AccountWatcher` is the entry point; it reports to a `context.Listener`.
"""
