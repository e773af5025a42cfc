"""Tests of `imap/session/`."""
