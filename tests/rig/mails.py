"""Messages to deliver."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
import os
from typing import Final

SENDER: Final = "Ada Lovelace <ada@example.com>"
RECIPIENT: Final = "user@example.org"
# One pixel.
PNG: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc000000301010018dd8db00000000049454e44ae426082"
)


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


def camera() -> EmailMessage:
    """Return the mail of a camera, whose text tries to load an image."""
    mail = plain("Motion", text="![x](https://tracker.example/1.gif) Somebody came!\n")
    mail.add_attachment(PNG, maintype="image", subtype="png", filename="cam.png")
    return mail
