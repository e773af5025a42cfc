"""The parts of the benchmark: each measures one thing and knows how to show it."""
