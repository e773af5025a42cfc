"""Tests of `imap/client/`."""
