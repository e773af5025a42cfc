"""Messages to deliver."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
import os
from typing import Final

SENDER: Final = "Ada Lovelace <ada@example.com>"
RECIPIENT: Final = "user@example.org"


def plain(
    subject: str,
    *,
    sender: str = SENDER,
    recipient: str = RECIPIENT,
    text: str = "Hello.\n",
    headers: dict[str, str] | None = None,
) -> EmailMessage:
    """Return a text message with additional header fields."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain="example.com")
    for name, value in (headers or {}).items():
        message[name] = value
    message.set_content(text)
    return message


def with_attachment(
    subject: str, size: int, *, filename: str = "report.pdf", sender: str = SENDER
) -> EmailMessage:
    """Return a message with one PDF-typed attachment of `size` random octets."""
    message = plain(subject, sender=sender)
    message.add_attachment(
        os.urandom(size), maintype="application", subtype="pdf", filename=filename
    )
    return message
