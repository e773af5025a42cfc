"""Decode Content-Transfer-Encoding incrementally (RFC 2045 6). Accepts any octets."""

import binascii
from functools import lru_cache
import string
from typing import Final, override

from .lexemes import without_comments

_BASE64: Final = f"{string.ascii_letters}{string.digits}+/=".encode()
# All octets that are ignored in Base64.
NOT_BASE64: Final = bytes(set(range(256)) - set(_BASE64))
# Transfer padding: white space at the end of a line (RFC 2045 6.7, rule 3).
_PADDING: Final = (b" \n", b"\t\n", b" \r\n", b"\t\r\n")
_BLANKS: Final = b" \t\r"
# Octets of padding that are buffered until the end of the line; a valid line has up to 76.
_MAX_PADDING: Final = 1_000
# Maximum length of a line of uuencode in octets. Longer lines are ignored.
_MAX_UU_LINE: Final = 100

# Octets of a field that are parsed.
_MAX_NAME: Final = 200


class Decoder:
    """A decoder that returns octets unchanged; each encoding has a subclass."""

    def decode(self, octets: bytes) -> bytes:
        """Decode the next octets; an incomplete rest is buffered until the next call."""
        return octets

    def end(self) -> bytes:
        """Decode the buffered rest."""
        return b""


class _Base64(Decoder):
    """Padding does not end the data, as some mailers encode each line separately."""

    def __init__(self) -> None:
        self._rest = b""

    @override
    def decode(self, octets: bytes) -> bytes:
        *padded, digits = octets.translate(None, NOT_BASE64).split(b"=")
        decoded: list[bytes] = []
        for piece in padded:
            decoded.append(_decode_unpadded(self._rest + piece))
            self._rest = b""
        digits = self._rest + digits
        usable = len(digits) - len(digits) % 4
        self._rest = digits[usable:]
        return b"".join(decoded) + binascii.a2b_base64(digits[:usable])

    @override
    def end(self) -> bytes:
        rest, self._rest = self._rest, b""
        return _decode_unpadded(rest)


def _decode_unpadded(digits: bytes) -> bytes:
    # A single remaining digit has less than eight bits.
    usable = digits[:-1] if len(digits) % 4 == 1 else digits
    return binascii.a2b_base64(usable + b"=" * (-len(usable) % 4))


class _QuotedPrintable(Decoder):
    def __init__(self) -> None:
        self._rest = b""

    @override
    def decode(self, octets: bytes) -> bytes:
        octets = self._rest + octets
        usable = octets.rfind(b"\n") + 1
        if not usable:
            # The line is not complete: buffer trailing white space and an incomplete escape.
            text = octets.rstrip(_BLANKS)
            escape = text.find(b"=", max(0, len(text) - 2))
            usable = escape if escape >= 0 else len(text)
            if len(octets) - usable > _MAX_PADDING:
                usable = len(octets)
        self._rest = octets[usable:]
        return binascii.a2b_qp(_without_padding(octets[:usable]))

    @override
    def end(self) -> bytes:
        rest, self._rest = self._rest, b""
        return binascii.a2b_qp(rest.rstrip(_BLANKS))


def _without_padding(octets: bytes) -> bytes:
    if not any(padding in octets for padding in _PADDING):
        return octets
    lines = octets.split(b"\n")
    return b"\n".join(
        line[:-1].rstrip(b" \t") + b"\r"
        if line.endswith(b"\r")
        else line.rstrip(b" \t")
        for line in lines
    )


class _Uuencode(Decoder):
    """Decodes the file between `begin` and `end` (POSIX uuencode)."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_open = False

    @override
    def decode(self, octets: bytes) -> bytes:
        *lines, self._rest = (self._rest + octets).split(b"\n")
        self._rest = self._rest[: _MAX_UU_LINE + 1]
        return b"".join(map(self._line, lines))

    @override
    def end(self) -> bytes:
        rest, self._rest = self._rest, b""
        return self._line(rest)

    def _line(self, line: bytes) -> bytes:
        line = line.rstrip(b"\r")
        if not self._is_open:
            self._is_open = line.startswith((b"begin ", b"begin-base64 "))
            return b""
        if line == b"end":
            self._is_open = False
            return b""
        # The first character is the number of octets: a space or "`" is 0, "_" is 63.
        if not line or len(line) > _MAX_UU_LINE or not 32 <= line[0] <= 96:
            return b""
        # Some encoders add a checksum to a line, or strip trailing spaces.
        count = (line[0] - 32) & 63
        digits = line[: 1 + (count * 4 + 5) // 3]
        try:
            return binascii.a2b_uu(digits)
        except binascii.Error:
            return b""


def encoding_name(field: bytes) -> str:
    """Return the name of an encoding in lower case, without comments, quotes and parameters."""
    return _encoding_name(field[:_MAX_NAME])


@lru_cache(maxsize=64)
def _encoding_name(field: bytes) -> str:
    name = without_comments(field).partition(b";")[0]
    return name.strip(b"\" \t\r\n'").decode("ascii", "replace").lower()


def decode_base64(octets: bytes) -> bytes:
    """Decode Base64 with padding anywhere, or without padding; other octets are ignored."""
    decoder = _Base64()
    return decoder.decode(octets) + decoder.end()


def decoder_for(encoding: str) -> Decoder:
    """Return a decoder for the result of `encoding_name`; unknown encodings are not decoded."""
    match encoding:
        case "base64":
            return _Base64()
        case "quoted-printable":
            return _QuotedPrintable()
        case "x-uuencode" | "uuencode" | "x-uue" | "uue":
            return _Uuencode()
        case _:
            return Decoder()
