"""Mailbox names in modified UTF-7 (RFC 3501 5.1.3) and quoted strings (4.3)."""

from base64 import b64decode, b64encode
import binascii
import re

from ..errors import ImapError

_SHIFTED = re.compile(rb"&([^&-]*)-")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")


def encode_folder(name: str) -> str:
    """Return a folder name in modified UTF-7 (RFC 3501 5.1.3)."""

    def shift(match: re.Match[str]) -> str:
        encoded = b64encode(match[0].encode("utf-16-be", "surrogatepass")).decode()
        return f"&{encoded.rstrip('=').replace('/', ',')}-"

    return _UNPRINTABLE.sub(shift, name.replace("&", "&-"))


def decode_folder(name: bytes) -> str:
    """Decode a folder name from modified UTF-7; never raises.

    A name that is not valid modified UTF-7 is decoded as UTF-8, which some servers send.
    """

    def unshift(match: re.Match[bytes]) -> bytes:
        encoded = match[1].replace(b",", b"/")
        if not encoded:
            return b"&"
        utf16 = b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
        return utf16.decode("utf-16-be").encode()

    try:
        return _SHIFTED.sub(unshift, name).decode("utf-8", "replace")
    except binascii.Error, UnicodeError:
        return name.decode("utf-8", "replace")


def quote(text: str) -> str:
    """Return a quoted string (RFC 3501 4.3); raise ImapError for NUL, CR and LF."""
    if any(character in text for character in "\0\r\n"):
        raise ImapError("NUL, CR and LF cannot be sent in a string")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def is_folder(encoded: bytes, name: str) -> bool:
    """Return True if an encoded name is this folder; INBOX ignores case (RFC 3501 5.1)."""
    decoded = decode_folder(encoded)
    return decoded == name or decoded.upper() == name.upper() == "INBOX"
