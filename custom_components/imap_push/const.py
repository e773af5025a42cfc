"""Constants of IMAP Push."""

from typing import Final

DOMAIN: Final = "imap_push"

EVENT_NEW_MAIL: Final = "new_mail"

CONF_CATCH_UP: Final = "catch_up"
CONF_FOLDER: Final = "folder"
CONF_NOTIFY: Final = "notify"
CONF_POLL_INTERVAL: Final = "poll_interval"
CONF_PUSH: Final = "push"
CONF_SECURITY: Final = "security"

SUBENTRY_TYPE_FOLDER: Final = "folder"

DEFAULT_FOLDER: Final = "INBOX"
DEFAULT_NOTIFY: Final = True
DEFAULT_PORT: Final = 993
DEFAULT_PUSH: Final = True

# Seconds.
DEFAULT_POLL_INTERVAL: Final = 60
MIN_POLL_INTERVAL: Final = 10
MAX_POLL_INTERVAL: Final = 3600
