"""What the coordinator of an account consists of, apart from the watcher of the IMAP engine.

Start with: `subentries`, which applies the configured folders and searches. It uses `devices`,
`mark_store` (delivered mail, on disk) and `saved_searches`. `connection_log` is for diagnostics;
`core_imap` reads the entries of Home Assistant's own IMAP integration.
"""
