"""A coverage-guided fuzzer and its targets. scripts/fuzz runs it."""
