"""Parse a FETCH response into items by name (RFC 3501 7.4.2)."""

import re
from typing import Final, NamedTuple

from .framing import Parts
from .parser import Atom, Cut, Data, Value, read_values

# Tokens that are read of one response. A value takes up to 25 times the memory of its octets.
# BODYSTRUCTURE of 1,000 parts has about 20,000.
MAX_FETCH_TOKENS: Final = 50_000
_MIN_TOKENS: Final = 20  # enough for UID

_ITEM_NAME: Final = re.compile(
    rb"(?:UID|FLAGS|INTERNALDATE|RFC822(?:\.[A-Z]+)?|ENVELOPE|BODY(?:STRUCTURE)?|MODSEQ|PREVIEW"
    rb"|(?:BODY|BINARY)(?:\.[A-Z]+)?\[.*)\Z",
    re.IGNORECASE | re.DOTALL,
)
_SECTION: Final = re.compile(
    rb'BODY(?:\.PEEK)?\[[^]["]*+\]|RFC822\.HEADER', re.IGNORECASE
)
# Names of RFC 2060 and the sections that they mean.
_OLD_NAMES: Final = {"RFC822.HEADER": "BODY[HEADER]", "RFC822.TEXT": "BODY[TEXT]"}
_FLOAT: Final = re.compile(
    rb"\d{1,18}\.\d{0,18}(?:[Ee]\+?\d{1,2})?|\d{1,18}[Ee]\+?\d{1,2}"
)
# UID, other short items, and the end of a response or of the line before a literal.
_LAST_UID: Final = re.compile(
    rb"""[ )] UID\ (\d{1,10})
    (?:\ (?:(?:FLAGS|MODSEQ)\ \([^()"]*+\) | RFC822\.SIZE\ \d++ | INTERNALDATE\ "[^"]*+"))*+
    \ ?(?:\) | BODY(?:\.PEEK)?\[[^]"]*+\](?:<[\d.]+>)?\ ?~?\{\d+\+?\}) \s*\Z""",
    re.VERBOSE | re.IGNORECASE,
)
_MAX_ENDING: Final = 1_000  # octets at the end of a line in which UID is searched


class FetchItems(NamedTuple):
    """The items of a FETCH response by name, upper case; only UID if it is cut.

    `BODY` contains the header fields; those of several sections are joined. Other sections keep
    their names, for example `BODY[TEXT]` and `BODY[1.2]`. `tokens` is the number of tokens read.
    """

    items: dict[str, Value]
    tokens: int
    cut: Cut | None = None


def parse_fetch(data: Data, limit: int = MAX_FETCH_TOKENS) -> FetchItems:
    """Return the items of a FETCH response (RFC 3501 7.4.2), reading at most `limit` tokens.

    If a structure hides the items after it, because its quotes or parentheses do not balance, the
    response counts as too large: the message can be requested without its structure.
    """
    limit = min(max(limit, _MIN_TOKENS), MAX_FETCH_TOKENS)
    values, tokens, is_unclosed = read_values(data.parts, limit)
    items = values[0] if values and isinstance(values[0], tuple) else ()
    cut = data.cut
    if tokens > MAX_FETCH_TOKENS:
        cut = Cut.TOO_LARGE
    elif tokens > limit:
        cut = Cut.NO_ROOM
    # Without the last value if it may be cut itself.
    named = _named(items if cut is None else items[:-1])
    if cut is None:
        if "UID" not in named and (uid := _last_uid(data.parts)):
            named["UID"] = uid
        elif not (is_unclosed and _hides_section(data.parts, named)):
            return FetchItems(named, tokens)
        cut = Cut.TOO_LARGE
    return FetchItems({"UID": named["UID"]} if "UID" in named else {}, 0, cut)


def _hides_section(parts: Parts, named: dict[str, Value]) -> bool:
    """Return whether the lines have a section that is not among the items."""
    return any(
        _item_name(section[0]) not in named
        for line in parts[::2]
        for section in _SECTION.finditer(line)
    )


def _last_uid(parts: Parts) -> bytes | None:
    """Return UID at the end of a response, or before its last literal.

    Text of the message cannot be there: a quote and parentheses of the server follow it.
    """
    for line in (parts[-1], *parts[-3:-2]):
        if match := _LAST_UID.search(line, max(0, len(line) - _MAX_ENDING)):
            return match[1]
    return None


def _named(items: tuple[Value, ...]) -> dict[str, Value]:
    named: dict[str, Value] = {}
    headers: list[bytes] = []
    index = 0
    while index < len(items):
        name = items[index]
        index += 1
        if not isinstance(name, Atom):
            continue
        if items[index + 1 : index + 2] and _ends_section(name, items[index + 1]):
            index += 2  # the names of header fields are literals
        if index == len(items) or _is_item_name(items[index]):
            continue  # Yandex leaves a value out (MailKit#1708).
        value, item = items[index], _item_name(name)
        index += 1
        if item == "BODY" and isinstance(value, bytes):
            headers.append(value)
        if item != "UID" or item not in named:
            named[item] = value
    if headers:
        # A server may send NIL for a section without fields.
        named["BODY"] = b"\r\n".join(headers)
    elif "BODY[HEADER]" in named:
        named.setdefault("BODY", named["BODY[HEADER]"])
    if "RFC822.SIZE" in named:
        named["RFC822.SIZE"] = _size(named["RFC822.SIZE"])
    return named


def _ends_section(name: Atom, value: Value) -> bool:
    """Return whether a value closes the bracket in the name of an item."""
    is_open = name.count(b"[") > name.count(b"]")
    return is_open and isinstance(value, Atom) and value.startswith(b"]")


def _is_item_name(value: Value) -> bool:
    return (
        isinstance(value, Atom)
        and not value.isdigit()
        and _ITEM_NAME.match(value) is not None
    )


def _item_name(name: bytes) -> str:
    item, _, section = name.decode("ascii", "replace").upper().partition("[")
    section = section.partition("]")[0]
    item = item.removesuffix(".PEEK")
    is_fields = not section or section.startswith("HEADER.FIELDS")
    return _OLD_NAMES.get(item, item) if is_fields else f"{item}[{section}]"


def _size(value: Value) -> Value:
    """Return a size without an exponent: mail.ru sends 9.3736e+06 (MailKit#1838)."""
    if isinstance(value, bytes) and _FLOAT.fullmatch(value):
        return b"%d" % float(value)
    return value
