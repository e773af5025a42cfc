"""Faults of the network and of the server, with an oracle that knows every mail."""
