"""Login with a password or a token (LOGIN, SASL), and the rate limit of logins.

`login.open_logged_in` returns a connection in the authenticated state.
"""
