"""Signing in with OAuth2."""
