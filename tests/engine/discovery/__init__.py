"""Tests of what is found out about a mail address."""
