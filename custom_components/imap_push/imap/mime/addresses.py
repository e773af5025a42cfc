"""Parse address fields (RFC 5322 3.4, 4.4), also those that do not follow the RFC."""

from collections.abc import Iterator
from itertools import chain
import re
from typing import Final, NamedTuple

from .characters import visible
from .charset import decode
from .lexemes import content, lexemes

type _Lexeme = tuple[str, bytes]

# What mail programs accept. Dots at odd places and a second @ are invalid, but in use.
_ADDRESS: Final = re.compile(
    rb'(?:"(?:[^"\\]|\\.)*+"|[^\s"@<>()]++)++(?:@[^\s"@<>()]++)++', re.DOTALL
)
# A local part without a domain, as cron, a NAS or an alarm panel writes it.
_LOCAL_PART: Final = re.compile(rb"[\w!#$%&'*+/=?^`{|}~.-]++", re.ASCII)
# The source route of `<@a.example,@b.example:ada@example.com>` (RFC 5322 4.4).
_ROUTE: Final = re.compile(rb"(?:[, ]*+@[^\s@,:]++)++[, ]*+: ?")
# An address within a text. Each word is matched once.
_IN_TEXT: Final = re.compile(
    rb"(?<![^ \[\]])[^ @\[\]]++(?:@(?:\[[^ @\[\]]*+\]|[^ @\[\]]++))++"
)
# The form of nearly all fields. It needs none of the other rules.
_ORDINARY: Final = re.compile(
    rb"""[ ]*+
    (?:(?:"(?P<quoted>[^"\\]*+)"|(?P<name>[^"()<>,:;@\\\[\]\0-\x1f\x7f]*+))[ ]*+
       <(?P<address>[\w.+-]++@[\w.-]++)>
    | (?P<bare>[\w.+-]++@[\w.-]++))
    [ ]*+(?:,|\Z)""",
    re.VERBOSE | re.ASCII,
)
# White space that is not ASCII, and controls that Python counts as white space.
_ODD_SPACE: Final = re.compile(r"[^\S ]")


class Mailbox(NamedTuple):
    """One mailbox: its display name with encoded words, and its address.

    `address` has no domain if the field has none (`root`).
    """

    name: bytes
    address: str


def mailboxes(field: bytes) -> Iterator[Mailbox]:
    """Yield the mailboxes of an address field in order, also those of groups; total on any bytes.

    Encoded words are not decoded before: their content is never structure. An address with an
    invisible character is left out: without the character, it would be another address.
    """
    position = 0
    while position < len(field) and (match := _ORDINARY.match(field, position)):
        quoted, name, address, bare = match.groups()
        yield Mailbox((quoted or name or b"").strip(), (address or bare).decode())
        position = match.end()
    if position < len(field):
        yield from _unusual(field[position:])


def complete_entries(field: bytes) -> bytes:
    """Return the beginning of a field that was cut, without the entry in which it was cut.

    A comma that is quoted ends no entry: what is before it would be read as an address, and be
    another one than that of the whole field.
    """
    end = position = 0
    for kind, octets in lexemes(field):
        if kind in {'"', "("}:
            break
        if kind in {",", ";"}:
            end = position
        position += len(octets)
    return field[:end]


def _unusual(field: bytes) -> Iterator[Mailbox]:
    """Yield the mailboxes of a field, or of the rest of one, in any form."""
    # `held` are entries without an address. They may be the first part of a name with an unquoted
    # comma: `Lovelace, Ada <ada@example.com>`.
    held: list[list[_Lexeme]] = []
    outside: list[_Lexeme] = []
    brackets: list[bytes] = []
    inside: list[_Lexeme] | None = None
    is_group = False
    for kind, octets in chain(lexemes(field), [("", b"")]):
        if inside is not None:
            if kind not in {"", "<", ">", ",", ";"} or _is_route(kind, inside):
                inside.append((kind, octets))
                continue
            brackets.append(_specification(_joined(inside)))
            inside = None
            if kind == ">":
                continue
        if kind == "<":
            inside = []
        elif kind == ":":
            # What came before is the name of a group.
            yield from _alone(held)
            held, outside, is_group = [], [], True
        elif kind in {",", ";", ""}:
            if brackets:
                found = _bracketed([*chain(*held), *outside], brackets)
                # `ada@example.com <>`: the address is before the null path.
                yield from found or _bare(outside) or _alone(held)
                held = []
            elif found := _bare(outside):
                yield from _alone(held)
                held = []
                yield from found
            elif outside:
                held.append([*outside, ("text", octets)])
            if not kind or (kind == ";" and is_group):
                yield from _alone(held)
                held, is_group = [], False
            outside, brackets = [], []
        else:
            outside.append((kind, octets))


def _is_route(kind: str, inside: list[_Lexeme]) -> bool:
    """Return whether a comma within brackets belongs to a source route."""
    return kind == "," and _joined(inside[:4]).startswith(b"@")


def _bracketed(outside: list[_Lexeme], brackets: list[bytes]) -> list[Mailbox]:
    """Return the mailbox of `name <address>`; of several pairs of brackets, the first counts."""
    with_domain = (address for address in brackets if b"@" in address)
    address = next(with_domain, next(filter(None, brackets), b""))
    return [*_mailbox(_name(outside), address)]


def _bare(outside: list[_Lexeme]) -> list[Mailbox]:
    """Return the mailboxes of an entry without brackets that has an address with a domain."""
    joined = _joined(outside)
    if b"@" not in joined:
        return []
    if _ADDRESS.fullmatch(joined):
        return [*_mailbox(_comment(outside), _specification(joined))]
    # `Ada ada@example.com`: only unquoted text counts, as anyone can quote another's address.
    text = b"".join(octets if kind == "text" else b" " for kind, octets in outside)
    if match := _IN_TEXT.search(text):
        name = _name(outside).replace(match[0], b"", 1)
        return [*_mailbox(name, _specification(match[0]))]
    quoted = [octets for kind, octets in outside if kind not in {"space", "comment"}]
    if len(quoted) == 1 and quoted[0].startswith(b'"'):
        return [*mailboxes(content(quoted[0]))]
    return []


def _alone(held: list[list[_Lexeme]]) -> Iterator[Mailbox]:
    """Yield the mailboxes of entries that are a local part alone."""
    for lexeme_list in held:
        local_part = _joined(lexeme_list[:-1])
        if _LOCAL_PART.fullmatch(local_part) and b"=?" not in local_part:
            yield from _mailbox(_comment(lexeme_list), local_part)


def _mailbox(name: bytes, address: bytes) -> Iterator[Mailbox]:
    text = decode(address, None)
    if text and visible(text) == text and not _ODD_SPACE.search(text):
        yield Mailbox(name.strip(b" \t\r\n"), text)


def _joined(lexeme_list: list[_Lexeme]) -> bytes:
    """Return lexemes as an address: without comments, and without spaces around "." and "@"."""
    parts: list[bytes] = []
    is_apart = False
    for kind, octets in lexeme_list:
        if kind in {"space", "comment"}:
            is_apart = True
            continue
        if is_apart and parts:
            if not (
                parts[-1].endswith((b".", b"@")) or octets.startswith((b".", b"@"))
            ):
                parts.append(b" ")
        parts.append(octets)
        is_apart = False
    return b"".join(parts)


def _specification(joined: bytes) -> bytes:
    """Return the address without source route and apostrophes around it, b"" if it is invalid."""
    if route := _ROUTE.match(joined):
        joined = joined[route.end() :]
    if joined.startswith(b"'") and joined.endswith(b"'"):
        joined = joined[1:-1]
    is_valid = _ADDRESS.fullmatch(joined) or _LOCAL_PART.fullmatch(joined)
    return joined if is_valid else b""


def _name(outside: list[_Lexeme]) -> bytes:
    """Return the display name, or the last comment, which old mailers use as one."""
    name = b"".join(
        content(octets) if kind == "quoted" else b" " if kind == "comment" else octets
        for kind, octets in outside
        if kind not in {'"', ">"}
    )
    return name if name.strip() else _comment(outside)


def _comment(outside: list[_Lexeme]) -> bytes:
    comments = [octets for kind, octets in outside if kind == "comment"]
    return content(comments[-1]) if comments else b""
