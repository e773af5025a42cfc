"""Tests of IMAP Push."""
