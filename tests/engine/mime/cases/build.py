"""Build messages for the cases, with the expected values."""

from base64 import encodebytes
from dataclasses import dataclass
from typing import Final

ADA: Final = "ada@example.com"
BOB: Final = "bob@example.org"
DATE: Final = "2026-11-30T10:00:00+00:00"

# It begins like a JPEG file.
PICTURE: Final = b"\xff\xd8\xff\xe0" + bytes(range(200))
PDF: Final = b"%PDF-1.4\n" + bytes(range(0xFF, 0, -1)) + b"\n%%EOF\n"

_ADA: Final = b"From: Ada <ada@example.com>"
_BOB: Final = b"To: bob@example.org"
_TEST: Final = b"Subject: test"
_DATE: Final = b"Date: Mon, 30 Nov 2026 10:00:00 +0000"


@dataclass(frozen=True, kw_only=True)
class File:
    """An attachment with its decoded content."""

    name: str
    type: str
    content: bytes
    inline: bool = False


@dataclass(frozen=True, kw_only=True)
class Case:
    """A message with the values that a mail program displays.

    `text` is the whole text. `is_cut`: a field is too long for an event. `on_pymap`: the response of
    pymap has all necessary values.
    """

    id: str
    octets: bytes
    sender: str = ADA
    name: str = "Ada"
    to: tuple[str, ...] = (BOB,)
    cc: tuple[str, ...] = ()
    subject: str = "test"
    date: str | None = DATE
    text: str = "x"
    files: tuple[File, ...] = ()
    is_cut: bool = False
    on_pymap: bool = True


def mail(
    content: bytes = b"\r\nx\r\n",
    *,
    sender: bytes = _ADA,
    to: bytes = _BOB,
    subject: bytes = _TEST,
    date: bytes = _DATE,
) -> bytes:
    """Return a message. `content` is MIME fields, a blank line and the body."""
    return b"\r\n".join((sender, to, subject, date, content))


def mime(content: bytes, **fields: bytes) -> bytes:
    """Return a message with the field MIME-Version."""
    return mail(b"MIME-Version: 1.0\r\n" + content, **fields)


def part(content_type: bytes, body: bytes, *fields: bytes) -> bytes:
    """Return a part, or the MIME fields and the body of a message."""
    lines = (b"Content-Type: " + content_type, *fields)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def plain(body: bytes, *fields: bytes) -> bytes:
    """Return a part that is plain text in UTF-8."""
    return part(b"text/plain; charset=utf-8", body, *fields)


def html(body: bytes, *fields: bytes) -> bytes:
    """Return a part that is HTML in UTF-8."""
    return part(b"text/html; charset=utf-8", body, *fields)


def in_base64(content_type: bytes, content: bytes, *fields: bytes) -> bytes:
    """Return a part that is encoded in base64."""
    lines = encodebytes(content).replace(b"\n", b"\r\n")
    return part(content_type, lines, *fields, b"Content-Transfer-Encoding: base64")


def multipart(
    subtype: bytes, *parts: bytes, boundary: bytes = b"bb", more: bytes = b""
) -> bytes:
    """Return a multipart; `more` is parameters of its Content-Type."""
    content_type = b'multipart/%b; boundary="%b"%b' % (subtype, boundary, more)
    return part(content_type, delimited(boundary, *parts))


def delimited(boundary: bytes, *parts: bytes) -> bytes:
    """Return parts with delimiters."""
    pieces = [b"--%b\r\n%b\r\n" % (boundary, piece) for piece in parts]
    return b"".join(pieces) + b"--%b--\r\n" % boundary


def picture(content_type: bytes = b"image/jpeg", *fields: bytes) -> bytes:
    """Return a part that is a picture."""
    return in_base64(content_type, PICTURE, *fields)


def style(size: int) -> bytes:
    """Return a style sheet of about this size."""
    rule = b".a{color:red;font-family:Arial;margin:0 0 0 0}\r\n"
    return b"<style>" + rule * (size // len(rule)) + b"</style>"
