"""The benchmark: IMAP Push against the other clients, in one run."""
