r"""Mailbox names in modified UTF-7 (RFC 3501 5.1.3) and quoted strings (4.3).

    Entw&APw-rfe     Entwürfe
    R&-D             R&D
    R&D              raw:R&D           not modified UTF-7: must be sent as it was listed
    Entw\xfcrfe       raw:Entw%FCrfe    neither modified UTF-7 nor UTF-8

A server knows a folder only by the octets in LIST, so `encode_folder` always returns these octets.
"""

from base64 import b64decode, b64encode
import binascii
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from ..errors import ImapError

# The prefix of a name whose octets are not what modified UTF-7 has for the decoded text: servers
# send "&" or UTF-8 as it is, or shift printable ASCII (Yandex: modern-email/defects#46).
RAW: Final = "raw:"

_SHIFTED = re.compile(rb"&([^&-]*)-")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
# Written as %XX in a raw name: octets that are not UTF-8, control characters, "%" itself.
_ESCAPED = re.compile(r"[%\x00-\x1f\x7f\udc80-\udcff]")


def encode_folder(name: str) -> str:
    """Return a folder name as it is sent, by default in modified UTF-7 (RFC 3501 5.1.3).

    Octets of a raw name that are not UTF-8 become surrogates, as with "surrogateescape".
    """
    if name.startswith(RAW):
        octets = unquote_to_bytes(name[len(RAW) :].encode("utf-8", "surrogatepass"))
        return octets.decode("utf-8", "surrogateescape")

    def shift(match: re.Match[str]) -> str:
        encoded = b64encode(match[0].encode("utf-16-be", "surrogatepass")).decode()
        return f"&{encoded.rstrip('=').replace('/', ',')}-"

    return _UNPRINTABLE.sub(shift, name.replace("&", "&-"))


def decode_folder(name: bytes) -> str:
    """Decode a folder name from modified UTF-7; never raises.

    If `encode_folder` would not return the same octets, the name is RAW and the octets as UTF-8.
    """
    sent = name.decode("utf-8", "surrogateescape")
    decoded = _readable(name)
    if encode_folder(decoded) == sent:
        return decoded
    return RAW + _ESCAPED.sub(lambda match: f"%{ord(match[0]) & 0xFF:02X}", sent)


def _readable(name: bytes) -> str:
    """Return a name as text, also if it mixes modified UTF-7, lone ampersands and UTF-8."""

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
    """Return True if an encoded name is this folder; INBOX ignores case (RFC 3501 5.1).

    The server may send the name in another form than in LIST: Dovecot answers NOTIFY in UTF-8.
    """
    decoded = _readable(encoded)
    known = encode_folder(name).encode("utf-8", "surrogateescape")
    return decoded == _readable(known) or decoded.upper() == name.upper() == "INBOX"


def is_same_folder(one: str, other: str) -> bool:
    """Return True if two names are those of one folder."""
    if one.upper() == other.upper() == "INBOX":
        return True
    return encode_folder(one) == encode_folder(other)
