"""Find the settings of the IMAP server for a mail address.

Only the config flow needs `sources.discover`. So nothing else imports that module, which takes
1 ms of each start of Home Assistant.
"""
