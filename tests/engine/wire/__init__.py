"""Tests of `imap/wire/`."""
