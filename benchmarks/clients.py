"""The clients that are compared."""

from typing import Final

CORE: Final = "core imap"
IDLE: Final = "imap_push IDLE"
NOTIFY: Final = "imap_push NOTIFY"
IMAPFLOW: Final = "ImapFlow"

OURS: Final = (NOTIFY, IDLE)
EVENTS: Final = {CORE: "imap_content", IDLE: "new_mail", NOTIFY: "new_mail"}


def user_of(client: str) -> str:
    """Return the user whose mailbox a client watches."""
    return f"{client.lower().replace(' ', '-').replace('_', '-')}@example.org"
