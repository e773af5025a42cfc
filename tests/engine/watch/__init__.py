"""Tests of `imap/watch/`."""
