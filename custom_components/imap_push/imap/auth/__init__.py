"""Login: password, token, SASL, and the rate limit of attempts.

`login.open_logged_in` returns a connection that is logged in.
"""
