"""What a user asks for: one command connection, one request at a time.

`client.Client` is what the integration uses.
"""
