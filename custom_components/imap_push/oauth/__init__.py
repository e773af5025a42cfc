"""Tokens instead of passwords: providers, sign-in by browser or device code, renewal."""
