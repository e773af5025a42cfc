"""Content-Transfer-Encoding undone piece by piece (RFC 2045 6); total on any bytes."""

import binascii
import string
from typing import Final, override

_BASE64: Final = f"{string.ascii_letters}{string.digits}+/=".encode()
_NOT_BASE64: Final = bytes(set(range(256)) - set(_BASE64))


class Decoder:
    """Takes octets as they are; what is encoded has a subclass."""

    def decode(self, octets: bytes) -> bytes:
        """Return what is decoded so far, and keep what the next piece completes."""
        return octets

    def end(self) -> bytes:
        """Return what was kept."""
        return b""


class _Base64(Decoder):
    def __init__(self) -> None:
        self._kept = b""
        self._is_over = False

    @override
    def decode(self, octets: bytes) -> bytes:
        if self._is_over:
            return b""
        digits, padding, _ = octets.translate(None, _NOT_BASE64).partition(b"=")
        self._is_over = bool(padding)
        digits = self._kept + digits
        usable = len(digits) - len(digits) % 4
        self._kept = digits[usable:]
        return binascii.a2b_base64(digits[:usable])

    @override
    def end(self) -> bytes:
        kept, self._kept = self._kept, b""
        # A lone digit is less than an octet.
        return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4)) if kept[1:] else b""


class _QuotedPrintable(Decoder):
    def __init__(self) -> None:
        self._kept = b""

    @override
    def decode(self, octets: bytes) -> bytes:
        octets = self._kept + octets
        usable = octets.rfind(b"\n") + 1
        if not usable:
            # A line without an end; "=" and its digits stay together.
            escape = octets.find(b"=", max(0, len(octets) - 2))
            usable = escape if escape >= 0 else len(octets)
        self._kept = octets[usable:]
        return binascii.a2b_qp(octets[:usable])

    @override
    def end(self) -> bytes:
        kept, self._kept = self._kept, b""
        return binascii.a2b_qp(kept)


def decoder_for(encoding: str) -> Decoder:
    """Return what undoes an encoding; one that is not known is taken as none."""
    match encoding.strip().lower():
        case "base64":
            return _Base64()
        case "quoted-printable":
            return _QuotedPrintable()
        case _:
            return Decoder()
