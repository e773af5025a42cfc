"""Bytes of a connection <-> responses: dialing, TLS, framing, parsing, tags, deadlines.

Nothing here decides what to ask a server. `connection.Connection` is what other packages use.
"""
