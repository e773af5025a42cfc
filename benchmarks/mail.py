"""The mails that are delivered."""

from email.message import EmailMessage
from typing import Final

from tests.rig.mails import plain, with_attachment

# Header fields that relays add to an ordinary mail: about 4 KB.
HOPS: Final = 8
HOP: Final = (
    "from mx{0}.example.com (mx{0}.example.com [192.0.2.{0}]) by mx{0}.example.org "
    "(Postfix) with ESMTPS id 4XyZ{0}abcdef for <user@example.org>; "
    "Mon, 2 Nov 2026 10:00:0{0} +0000 (UTC)"
)
SIGNATURE: Final = "v=1; a=rsa-sha256; d=example.com; s=mail; h=from:to:subject; b=" + (
    "dGhpcyBpcyBhIHNpZ25hdHVyZQ " * 12
)
PARAGRAPH: Final = "Your parcel is on its way and will arrive tomorrow.\n"
# Base64 encodes 57 octets as a line of 76 characters and CRLF.
ENCODED: Final = 78 / 57


def ordinary(subject: str) -> EmailMessage:
    """Return a typical mail of a shop or parcel service: text and HTML, 30 KB."""
    headers = {
        "DKIM-Signature": SIGNATURE,
        "ARC-Seal": SIGNATURE,
        "ARC-Message-Signature": SIGNATURE,
        "Return-Path": "<bounce@example.com>",
        "List-Unsubscribe": "<https://example.com/unsubscribe>",
    }
    message = plain(subject, text=PARAGRAPH * 40, headers=headers)
    for number in range(1, HOPS + 1):
        message["Received"] = HOP.format(number)
    html = f"<p style='color: black'>{PARAGRAPH}</p>\n" * 280
    message.add_alternative(f"<html><body>{html}</body></html>", subtype="html")
    return message


def big(subject: str, octets: int) -> EmailMessage:
    """Return a mail of about this size, nearly all of it an attachment."""
    return with_attachment(subject, int(octets / ENCODED))
