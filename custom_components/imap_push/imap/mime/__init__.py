"""What a message says: bytes of a server's answers -> `Mail`, its text, its attachments.

Header fields, addresses, charsets, structure, text, HTML and transfer encodings are read here,
and nowhere else: the event, the actions, filters and media all go by the same definitions.
Everything here is total on any bytes and bounded by a `Budget`.
"""
