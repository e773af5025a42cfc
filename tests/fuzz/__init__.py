"""A coverage-guided fuzzer, and what it tries: scripts/fuzz runs it."""
