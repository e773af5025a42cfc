"""Parse the MIME fields of a header and their parameters (RFC 2045 5.1, RFC 2231)."""

from collections.abc import Iterator
from itertools import islice
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from ..wire.parser import Value
from .budget import Budget
from .characters import one_line
from .encoded_words import decode_encoded_words

# Alternating names and values, as in BODYSTRUCTURE (RFC 3501 7.4.2).
type Parameters = tuple[Value, ...]

# Octets of one field or parameter that are parsed.
MAX_FIELD: Final = 6_000
# Parameters that are parsed, and octets of the longest name that is recognized.
_MAX_PARAMETERS: Final = 250
_MAX_KEY: Final = 100

_FOLD: Final = re.compile(rb"\r?\n[ \t]+")
_MIME_FIELD: Final = re.compile(
    rb"^content-(type|disposition|transfer-encoding|id)[ \t]*:([^\n]*)",
    re.MULTILINE | re.IGNORECASE,
)
_ASSIGNMENT: Final = re.compile(
    rb';\s*+([^\s=;"]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)|([^;]*+))', re.DOTALL
)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
# The suffix of a parameter name (RFC 2231): the number of a section, and "*" if it is encoded.
_KEY: Final = re.compile(rb"(?:\*(\d{1,3}))?(\*)?")


def unfold(header: bytes) -> bytes:
    """Return a header with each field on one line (RFC 5322 2.2.3)."""
    is_folded = b"\n " in header or b"\n\t" in header
    return _FOLD.sub(b" ", header) if is_folded else header


def mime_fields(header: bytes) -> dict[bytes, bytes]:
    """Return the topmost Content-* fields; keys are the rest of the name in lower case."""
    fields: dict[bytes, bytes] = {}
    for name, value in _MIME_FIELD.findall(unfold(header)):
        fields.setdefault(name.lower(), value[:MAX_FIELD].strip())
    return fields


def parse_field(field: bytes) -> tuple[str, Parameters]:
    """Return the value of a field in lower case, and its parameters."""
    if b";" not in field:
        return field.strip().lower().decode("ascii", "replace"), ()
    parameters: list[bytes] = []
    for key, quoted, plain in _ASSIGNMENT.findall(field):
        if b"\\" in quoted:
            quoted = _ESCAPED.sub(rb"\1", quoted)
        parameters += (key, quoted or plain.strip())
    value = field.partition(b";")[0].strip().lower()
    return value.decode("ascii", "replace"), tuple(parameters)


def has_parameter(parameters: Parameters, name: bytes) -> bool:
    """Return True if a parameter has a value in any form (RFC 2231); `name` is in lower case."""
    return any(
        isinstance(key, bytes) and key.lower().partition(b"*")[0] == name and value
        for key, value in _pairs(parameters)
    )


def parameter(parameters: Parameters, name: bytes, budget: Budget) -> str:
    """Return a parameter decoded as one line, "" if it is missing.

    Some mailers use RFC 2047 encoding in a parameter, even in one with a charset (RFC 2231 7).
    """
    octets, charset = parameter_octets(parameters, name, budget)
    if not (octets or charset):
        return ""
    if charset and b"=?" not in octets:
        return one_line(budget.decode(octets, charset))
    return decode_encoded_words(octets, budget)


def parameter_octets(
    parameters: Parameters, name: bytes, budget: Budget
) -> tuple[bytes, str]:
    """Return the octets of a parameter and its charset label, "" if it has none.

    Some mailers send several forms for old clients. The form with a charset has priority over
    continuations (RFC 2231 3), and these over the plain form. Empty values are ignored.
    """
    found = [
        (key, octets)
        for key, octets in islice(_pairs(parameters), _MAX_PARAMETERS)
        if isinstance(key, bytes)
        and key[: len(name)].lower() == name
        and isinstance(octets, bytes)
        and octets
        and len(key) <= _MAX_KEY
    ]
    if not found:
        return b"", ""
    if len(found) == 1 and len(found[0][0]) == len(name):
        return budget.cut(found[0][1], MAX_FIELD, b" "), ""
    forms: tuple[dict[int, tuple[bool, bytes]], ...] = ({}, {}, {})
    for key, octets in found:
        if (match := _KEY.fullmatch(key, len(name))) is not None:
            order, encoded = match.groups()
            form = forms[1 if order else 0 if encoded else 2]
            form.setdefault(int(order or 0), (bool(encoded), octets))
    pieces: dict[int, tuple[bool, bytes]] = next(filter(None, forms), {})
    return _join([pieces[order] for order in sorted(pieces)], budget)


def _pairs(parameters: Parameters) -> Iterator[tuple[Value, Value]]:
    return zip(parameters[::2], parameters[1::2], strict=False)


def _join(pieces: list[tuple[bool, bytes]], budget: Budget) -> tuple[bytes, str]:
    """Join sections (is_encoded, octets); the first may begin with `charset'language'`."""
    charset, joined = "", b""
    for index, (encoded, octets) in enumerate(pieces):
        octets = budget.cut(octets, MAX_FIELD, b" ")
        if encoded and index == 0 and octets.count(b"'") >= 2:
            label, _, octets = octets.split(b"'", 2)
            charset = label.decode("ascii", "replace")
        joined += unquote_to_bytes(octets) if encoded else octets
        if len(joined) > MAX_FIELD:
            break
    return budget.cut(joined, MAX_FIELD, b" "), charset
