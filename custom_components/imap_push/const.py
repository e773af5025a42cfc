"""Constants of IMAP Push."""

from typing import Final

DOMAIN: Final = "imap_push"

DOCS_URL: Final = "https://github.com/imap-push/imap_push/blob/main/docs"
BLUEPRINTS_URL: Final = (
    "https://github.com/imap-push/imap_push/tree/main/blueprints/automation/imap_push"
)

EVENT_NEW_MAIL: Final = "new_mail"

# Entry data and options of an account
CONF_ACCESS: Final = "access"
CONF_ASSISTANT: Final = "assistant"
CONF_CA: Final = "ca"  # PEM
CONF_CATCH_UP: Final = "catch_up"
CONF_FINGERPRINT: Final = "fingerprint"  # SHA-256 in hex
CONF_MAILBOX: Final = "mailbox"
CONF_NOTIFY: Final = "notify"
CONF_OAUTH_DEVICE: Final = "oauth_device"
CONF_OAUTH_ENDPOINTS: Final = "oauth_endpoints"
CONF_OAUTH_PROVIDER: Final = "oauth_provider"
CONF_OAUTH_SIGNED_IN: Final = "oauth_signed_in"
CONF_POLL_INTERVAL: Final = "poll_interval"
CONF_PUSH: Final = "push"
CONF_READ_ONLY: Final = "read_only"
CONF_RECORD_MAIL: Final = "record_mail"
CONF_SECURITY: Final = "security"

# Subentry data of a folder
CONF_FILTER: Final = "filter"
CONF_FOLDER: Final = "folder"
CONF_LINKS: Final = "links"
CONF_TEXT_SIZE: Final = "text_size"

# Subentry data of a folder or a search
CONF_PICTURE: Final = "picture"
CONF_TODO: Final = "todo"

# Fields of a filter
CONF_ATTACHMENT_TYPE: Final = "attachment_type"
CONF_AUTHENTICATED_BY: Final = "authenticated_by"
CONF_HAS_ATTACHMENT: Final = "has_attachment"
CONF_HEADER: Final = "header"
CONF_IGNORE_BULK: Final = "ignore_bulk"
CONF_IGNORE_CATCH_UP: Final = "ignore_catch_up"
CONF_INLINE_IMAGES: Final = "inline_images"
CONF_RECIPIENT: Final = "recipient"
CONF_SENDER: Final = "sender"
CONF_SMALLER_THAN: Final = "smaller_than"
CONF_SUBJECT: Final = "subject"

# Subentry data of a search, some of them also fields of a filter
CONF_FLAGGED: Final = "flagged"
CONF_FOLDERS: Final = "folders"
CONF_LARGER_THAN: Final = "larger_than"
CONF_NEWER_THAN: Final = "newer_than"
CONF_RAW: Final = "raw"
CONF_TEXT: Final = "text"
CONF_UNREAD: Final = "unread"

# The value of a search, and its fields in addition to those of Home Assistant
CONF_VALUE: Final = "value"
CONF_CLEAR_AFTER: Final = "clear_after"  # minutes
CONF_STATE_CLASS: Final = "state_class"

SUBENTRY_TYPE_FOLDER: Final = "folder"
SUBENTRY_TYPE_SEARCH: Final = "search"

DEFAULT_ASSISTANT: Final = False
DEFAULT_FOLDER: Final = "INBOX"
DEFAULT_NOTIFY: Final = True
DEFAULT_PORT: Final = 993
DEFAULT_PUSH: Final = True
DEFAULT_READ_ONLY: Final = False
DEFAULT_RECORD_MAIL: Final = False

# The ports of one server (RFC 9051 1.2); other ports may belong to other servers at this host.
STANDARD_PORTS: Final = frozenset({143, 993})

# Characters; 0 means that mail text is not fetched.
DEFAULT_TEXT_SIZE: Final = 0
MAX_TEXT_SIZE: Final = 10_000

# Seconds
DEFAULT_POLL_INTERVAL: Final = 60
MIN_POLL_INTERVAL: Final = 10
MAX_POLL_INTERVAL: Final = 3600
