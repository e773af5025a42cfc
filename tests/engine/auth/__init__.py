"""Tests of `imap/auth/`."""
