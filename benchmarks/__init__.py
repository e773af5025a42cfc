"""The benchmark: IMAP Push and other clients, measured in one run."""
