"""Parse address fields (RFC 5322 3.4, 4.4), including malformed ones."""

from collections.abc import Iterable, Iterator
from itertools import chain
import re
from typing import Final, NamedTuple

from .characters import visible
from .charset import decode
from .lexemes import lexemes, unquoted

type _Lexeme = tuple[str, bytes]

# The addresses that mail programs accept. Misplaced dots and a second @ are invalid, but common.
_ADDRESS: Final = re.compile(
    rb'(?:"(?:[^"\\]|\\.)*+"|[^\s"@<>()]++)++(?:@[^\s"@<>()]++)++', re.DOTALL
)
# A local part without a domain, as sent by cron, a NAS or an alarm panel.
_LOCAL_PART: Final = re.compile(rb"[\w!#$%&'*+/=?^`{|}~.-]++", re.ASCII)
# The source route of `<@a.example,@b.example:ada@example.com>` (RFC 5322 4.4).
_ROUTE: Final = re.compile(rb"(?:[, ]*+@[^\s@,:]++)++[, ]*+: ?")
# An address within a text. A match starts only after a space or bracket, for linear time.
_IN_TEXT: Final = re.compile(
    rb"(?<![^ \[\]])[^ @\[\]]++(?:@(?:\[[^ @\[\]]*+\]|[^ @\[\]]++))++"
)
# The form of most mailboxes, and of most fields, which are parsed without the general rules.
_COMMON: Final = rb"""[ ]*+
    (?:(?:"([^"\\]*+)"|([^"()<>,:;@\\\[\]\0-\x1f\x7f]*+))[ ]*+<([\w.+-]++@[\w.-]++)>
    | ([\w.+-]++@[\w.-]++))
    [ ]*+(?:,|\Z)"""
_COMMON_FORM: Final = re.compile(_COMMON, re.VERBOSE | re.ASCII)
_COMMON_FIELD: Final = re.compile(rb"(?:%b)++" % _COMMON, re.VERBOSE | re.ASCII)
# White space that is not ASCII, and control characters that Python considers white space.
_ODD_SPACE: Final = re.compile(r"[^\S ]")


class Mailbox(NamedTuple):
    """A mailbox: its display name, not yet decoded (RFC 2047), and its address.

    `address` has no domain if the field has none (`root`).
    """

    name: bytes
    address: str


def mailboxes(field: bytes) -> Iterable[Mailbox]:
    """Return the mailboxes of an address field in order, including those of groups.

    Accepts any octets. The field must not be decoded before: the content of an encoded-word is
    never structure (RFC 2047 6.2). An address with an invisible character is left out: without the
    character, it would be a different address.
    """
    if not _COMMON_FIELD.fullmatch(field):
        return _mailboxes(field)
    return map(_mailbox_of, _COMMON_FORM.finditer(field))


def _mailbox_of(match: re.Match[bytes]) -> Mailbox:
    quoted, name, address, bare = match.groups(b"")
    return Mailbox((quoted or name).strip(), (address or bare).decode())


def _mailboxes(field: bytes) -> Iterator[Mailbox]:
    position = 0
    while match := _COMMON_FORM.match(field, position):
        yield _mailbox_of(match)
        position = match.end()
    yield from _mailboxes_of_any_form(field[position:])


def complete_entries(field: bytes) -> bytes:
    """Return the beginning of a truncated field without its incomplete last entry.

    A comma in a quoted string or a comment does not end an entry: the text before it could be
    read as an address that the complete field does not contain.
    """
    end = position = 0
    for kind, octets in lexemes(field):
        if kind in {'"', "("}:
            break
        if kind in {",", ";"}:
            end = position
        position += len(octets)
    return field[:end]


def _mailboxes_of_any_form(field: bytes) -> Iterator[Mailbox]:
    """Yield the mailboxes of a field, or of the rest of a field, by the general rules."""
    # `pending` are entries without an address. They may be the first part of a display name with
    # an unquoted comma: `Lovelace, Ada <ada@example.com>`.
    pending: list[list[_Lexeme]] = []
    outside: list[_Lexeme] = []
    brackets: list[bytes] = []
    inside: list[_Lexeme] | None = None
    is_group = False
    for kind, octets in chain(lexemes(field), [("", b"")]):
        if inside is not None:
            # A comma in a source route does not end the address.
            is_route = kind == "," and _joined(inside[:4]).startswith(b"@")
            if kind not in {"", "<", ">", ",", ";"} or is_route:
                inside.append((kind, octets))
                continue
            brackets.append(_addr_spec(_joined(inside)))
            inside = None
            if kind == ">":
                continue
        if kind == "<":
            inside = []
        elif kind == ":":
            # The text before the colon is the name of a group.
            yield from _local_parts(pending)
            pending, outside, is_group = [], [], True
        elif kind in {",", ";", ""}:
            if brackets:
                found = _name_addr([*chain(*pending), *outside], brackets)
                # `ada@example.com <>`: the address is before the null path.
                yield from found or _addr_specs(outside) or _local_parts(pending)
                pending = []
            elif found := _addr_specs(outside):
                yield from _local_parts(pending)
                pending = []
                yield from found
            elif outside:
                pending.append([*outside, ("text", octets)])
            if not kind or (kind == ";" and is_group):
                yield from _local_parts(pending)
                pending, is_group = [], False
            outside, brackets = [], []
        else:
            outside.append((kind, octets))


def _name_addr(outside: list[_Lexeme], brackets: list[bytes]) -> list[Mailbox]:
    """Return the mailbox of `name <address>`; of several addresses, the first one counts."""
    with_domain = (address for address in brackets if b"@" in address)
    address = next(with_domain, next(filter(None, brackets), b""))
    return [*_mailbox(_name(outside), address)]


def _addr_specs(outside: list[_Lexeme]) -> list[Mailbox]:
    """Return the mailboxes of an entry without brackets; [] if it has no address with a domain."""
    joined = _joined(outside)
    if b"@" not in joined:
        return []
    if _ADDRESS.fullmatch(joined):
        return [*_mailbox(_comment(outside), _addr_spec(joined))]
    # `Ada ada@example.com`: only unquoted text counts. A display name may quote the address of
    # another person.
    text = b"".join(octets if kind == "text" else b" " for kind, octets in outside)
    if match := _IN_TEXT.search(text):
        name = _name(outside).replace(match[0], b"", 1)
        return [*_mailbox(name, _addr_spec(match[0]))]
    quoted = [octets for kind, octets in outside if kind not in {"space", "comment"}]
    if len(quoted) == 1 and quoted[0].startswith(b'"'):
        return [*mailboxes(unquoted(quoted[0]))]
    return []


def _local_parts(pending: list[list[_Lexeme]]) -> Iterator[Mailbox]:
    """Yield the mailboxes of entries that consist of a local part only."""
    for lexeme_list in pending:
        local_part = _joined(lexeme_list[:-1])
        if _LOCAL_PART.fullmatch(local_part) and b"=?" not in local_part:
            yield from _mailbox(_comment(lexeme_list), local_part)


def _mailbox(name: bytes, address: bytes) -> Iterator[Mailbox]:
    text = decode(address, None)
    if text and visible(text) == text and not _ODD_SPACE.search(text):
        yield Mailbox(name.strip(b" \t\r\n"), text)


def _joined(lexeme_list: list[_Lexeme]) -> bytes:
    """Join the lexemes of an address without comments, and without spaces around "." and "@"."""
    parts: list[bytes] = []
    has_space = False
    for kind, octets in lexeme_list:
        if kind in {"space", "comment"}:
            has_space = True
            continue
        if has_space and parts:
            if not (
                parts[-1].endswith((b".", b"@")) or octets.startswith((b".", b"@"))
            ):
                parts.append(b" ")
        parts.append(octets)
        has_space = False
    return b"".join(parts)


def _addr_spec(joined: bytes) -> bytes:
    """Return an address without source route and enclosing apostrophes, b"" if it is invalid."""
    if route := _ROUTE.match(joined):
        joined = joined[route.end() :]
    if joined.startswith(b"'") and joined.endswith(b"'"):
        joined = joined[1:-1]
    is_valid = _ADDRESS.fullmatch(joined) or _LOCAL_PART.fullmatch(joined)
    return joined if is_valid else b""


def _name(outside: list[_Lexeme]) -> bytes:
    """Return the display name, or the last comment, which old mailers use as the name."""
    name = b"".join(
        unquoted(octets) if kind == "quoted" else b" " if kind == "comment" else octets
        for kind, octets in outside
        if kind not in {'"', ">"}
    )
    return name if name.strip() else _comment(outside)


def _comment(outside: list[_Lexeme]) -> bytes:
    comments = [octets for kind, octets in outside if kind == "comment"]
    return unquoted(comments[-1]) if comments else b""
