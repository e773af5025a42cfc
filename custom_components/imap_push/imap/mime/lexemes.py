"""Lexemes of structured header fields: quoted strings, comments, text (RFC 5322 3.2)."""

from collections.abc import Iterator
import re
from typing import Final

# No other control character is white space: each makes an address invalid.
# An encoded word is text, whatever characters a mailer left in it.
_LEXEME: Final = re.compile(
    rb"""
      (?P<quoted>"(?:[^"\\]|\\.)*+")
    | (?P<space>[ \t\r\n]++)
    | (?P<text>=\?[^?\s]++\?[bq]\?[^?\s]*+\?= | \[[^]["<>,;]*+\] | \\. | [^]["()<>,:;=\\ \t\r\n]++ | [][=\\])
    | (?P<special>.)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_PARENTHESIS: Final = re.compile(rb"\\.|[()]", re.DOTALL)
_QUOTED_PAIR: Final = re.compile(rb"\\(.)", re.DOTALL)


def lexemes(field: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield kind and octets of each lexeme of a header field; total on any bytes.

    Kinds: "quoted" with its quotes, "comment" with its outer parentheses (comments nest), "space",
    "text", and each special as a kind of its own. A quote or parenthesis that is not closed is a
    special.
    """
    position = 0
    # For an open parenthesis, the whole rest is searched. This may happen only once.
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
    """Return the position after the comment that is open at a position, 0 if it has no end."""
    depth = 1
    for match in _PARENTHESIS.finditer(field, position):
        depth += {b"(": 1, b")": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return 0


def without_comments(field: bytes) -> bytes:
    """Return a field with a space in place of each comment."""
    if b"(" not in field:
        return field
    return b"".join(
        b" " if kind == "comment" else octets for kind, octets in lexemes(field)
    )


def content(octets: bytes) -> bytes:
    """Return what is in a quoted string or comment: without delimiters and backslashes."""
    return _QUOTED_PAIR.sub(rb"\1", octets[1:-1])
