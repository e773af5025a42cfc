"""Servers that deviate from the RFC, as people report them: what they do, and what has to happen."""
