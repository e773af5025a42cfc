"""Split structured header fields into lexical tokens (RFC 5322 3.2)."""

from collections.abc import Iterator
import re
from typing import Final

# No other control characters are white space: they make an address invalid.
# An encoded-word is one lexeme, even if it contains specials.
_LEXEME: Final = re.compile(
    rb"""
      (?P<quoted>"(?:[^"\\]|\\.)*+")
    | (?P<space>[ \t\r\n]++)
    | (?P<text>=\?[^?\s]++\?[bq]\?[^?\s]*+\?= | \[[^]["<>,;]*+\] | \\. | [^]["()<>,:;=\\ \t\r\n]++ | [][=\\])
    | (?P<special>.)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
# The form of most comments, and what makes a field different from most.
_COMMON_COMMENT: Final = re.compile(rb"\([^()]*+\)")
_UNCOMMON: Final = re.compile(rb'["\\[]|=\?')
_PARENTHESIS: Final = re.compile(rb"\\.|[()]", re.DOTALL)
_QUOTED_PAIR: Final = re.compile(rb"\\(.)", re.DOTALL)


def lexemes(field: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield kind and octets of each lexeme of a header field. Accepts any octets.

    The kinds are "quoted" (with the quotes), "comment" (with the outer parentheses; comments can
    be nested), "space", "text", and for each special the character itself. A quote or parenthesis
    that is not closed is a special.
    """
    position = 0
    # The search for the end of an unclosed comment reads the whole field: do it only one time.
    has_open_comment = False
    while match := _LEXEME.match(field, position):
        kind = match.lastgroup or ""
        octets = match[0]
        position = match.end()
        if kind == "special":
            kind = octets.decode("latin-1")
            if kind == "(" and not has_open_comment:
                if end := _end_of_comment(field, position):
                    kind, octets = "comment", field[position - 1 : end]
                    position = end
                else:
                    has_open_comment = True
        yield kind, octets


def _end_of_comment(field: bytes, position: int) -> int:
    """Return the end of the comment whose text starts at a position, 0 if it is not closed."""
    depth = 1
    for match in _PARENTHESIS.finditer(field, position):
        depth += {b"(": 1, b")": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return 0


def without_comments(field: bytes) -> bytes:
    """Replace each comment in a field with a space."""
    if b"(" not in field:
        return field
    if (found := without_common_comments(field)) is not None:
        return found
    return b"".join(
        b" " if kind == "comment" else octets for kind, octets in lexemes(field)
    )


def without_common_comments(field: bytes) -> bytes | None:
    """Replace each comment with a space; None if the field needs the rules of `lexemes`."""
    if _UNCOMMON.search(field):
        return None
    found = _COMMON_COMMENT.sub(b" ", field)
    return None if b"(" in found else found


def unquoted(octets: bytes) -> bytes:
    """Return the content of a quoted string or comment, without the delimiters and backslashes."""
    return _QUOTED_PAIR.sub(rb"\1", octets[1:-1])
