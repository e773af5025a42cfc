"""Compare how the engine reads messages with independent parsers: scripts/corpus runs it."""
