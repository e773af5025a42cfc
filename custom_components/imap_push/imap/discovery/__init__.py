"""Find the settings of the IMAP server for a mail address.

Only the config flow imports `sources`. At each start of Home Assistant, that would take 1 ms.
"""
