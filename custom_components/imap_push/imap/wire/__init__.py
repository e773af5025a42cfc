"""IMAP connections: TCP, TLS, framing, parsing, tags, deadlines.

    tcp -> tls -> protocol -> framing -> parser -> command (tagged) or unsolicited

This package contains no commands of its own except CAPABILITY, STARTTLS, IDLE and LOGOUT.
Other packages use `connection.Connection`. `tls` checks the certificate, `response_codes` maps
refusals to errors.
"""
