"""What helps when something is wrong: repairs, diagnostics, texts."""
