"""Actions: one connection for requests of the user, one request at a time.

`client.Client` is what the integration uses.
"""
