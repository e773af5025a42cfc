"""Network and server faults, with an oracle that accounts for every mail."""
