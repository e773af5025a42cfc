"""Folder names and strings as IMAP writes them."""

from base64 import b64decode, b64encode
import binascii
import re

from ..errors import ImapError

_SHIFTED = re.compile(rb"&([^&-]*)-")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")


def encode_folder(name: str) -> str:
    """Return a folder's name in modified UTF-7 (RFC 3501 5.1.3)."""

    def shift(match: re.Match[str]) -> str:
        encoded = b64encode(match[0].encode("utf-16-be", "surrogatepass")).decode()
        return f"&{encoded.rstrip('=').replace('/', ',')}-"

    return _UNPRINTABLE.sub(shift, name.replace("&", "&-"))


def decode_folder(name: bytes) -> str:
    """Return the name that modified UTF-7 stands for.

    What is not modified UTF-7 is read as UTF-8, which some servers send.
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
    """Return a quoted string (RFC 3501 4.3); raise ImapError for what cannot stand in one."""
    if any(character in text for character in "\0\r\n"):
        raise ImapError("NUL, CR and LF cannot be sent in a string")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def is_folder(written: bytes, name: str) -> bool:
    """Return if a server writes of this folder; INBOX has no case (RFC 3501 5.1)."""
    decoded = decode_folder(written)
    return decoded == name or decoded.upper() == name.upper() == "INBOX"
