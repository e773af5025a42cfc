"""Search criteria as SEARCH keys (RFC 3501 6.4.4), and as tests on fetched header fields."""

from collections.abc import Iterable, Iterator
import dataclasses
from datetime import UTC, date, datetime, timedelta
import re
from typing import Final, NamedTuple

from ..errors import CriteriaRefused, ImapError
from ..models import Criteria, Mail
from ..wire.command import Command
from ..wire.mailbox_name import quote
from ..wire.parser import MONTHS

# Characters of one text, which takes up to four times as many octets.
MAX_TEXT: Final = 1_000
_MAX_RAW: Final = 4_000
# Longer texts are sent as literals, which do not count as a part of the line (RFC 2683 3.2.1.5).
_MAX_QUOTED: Final = 100
# With one of these, a literal is sent without waiting for `+`. LITERAL- allows 4,096 octets, and
# a text has fewer (RFC 7888).
_UNASKED: Final = frozenset({"LITERAL+", "LITERAL-", "IMAP4REV2"})

_WORD: Final = re.compile(
    r'"(?P<quoted>(?:[^"\\]|\\["\\])*+)"(?=[ )]|\Z)|(?P<mark>[()])|(?P<atom>[^\s"(){}]+)'
)
_ESCAPED: Final = re.compile(r"\\(.)")
# The criteria that `matches` can test on header fields.
_FIELDS: Final = ("sender", "recipient", "subject")
# Where to find a recipient: also where servers write an alias or a recipient in Bcc.
_RECIPIENT_KEYS: Final = ("TO", "CC", "HEADER Delivered-To", "HEADER X-Original-To")
# Arguments of SEARCH that are not search keys.
_NO_KEYS: Final = frozenset({"CHARSET", "RETURN"})


class Text(NamedTuple):
    """A string among search keys."""

    text: str


type Words = tuple[str | Text, ...]

# What Content-Type contains in a message with attachments, or in one that consists of a file:
# scanners, cameras, telephone systems and calendars send these.
_ATTACHED_TYPES: Final = (
    "multipart/mixed",
    "application/",
    "image/",
    "audio/",
    "video/",
    "text/calendar",
)
_ATTACHED: Final[Words] = (
    *("OR",) * (len(_ATTACHED_TYPES) - 1),
    *(
        word
        for content_type in _ATTACHED_TYPES
        for word in ("HEADER Content-Type", Text(content_type))
    ),
)


def words_of(criteria: Criteria) -> Words:
    """Return the search keys for messages that match all criteria; raise CriteriaRefused."""
    words = (*_text_words(criteria), *_other_words(criteria))
    if criteria.raw is not None:
        # Raw keys come last: an incomplete OR must not use the next key as its operand.
        words += tuple(_raw_words(criteria.raw))
    return words or ("ALL",)


def is_ascii(words: Words) -> bool:
    """Return True if the search needs no charset."""
    return all(isinstance(word, str) or word.text.isascii() for word in words)


def fits(words: Words, charset: str) -> bool:
    """Return True if the search can be encoded in a charset."""
    try:
        _lines(words, charset, b"")
    except LookupError, UnicodeError:
        return False
    return True


def search_command(
    words: Words,
    capabilities: frozenset[str],
    returns: str = "",
    charset: str = "UTF-8",
) -> Command:
    """Return UID SEARCH; `returns` are the result options of ESEARCH (RFC 4731), if any."""
    prefix = f"RETURN ({returns}) " if returns else ""
    if not is_ascii(words):
        prefix += f"CHARSET {charset} "
    asks_nobody = not capabilities.isdisjoint(_UNASKED)
    first, *more = _lines(words, charset, b"+" if asks_nobody else b"")
    # Servers answer with either (MailKit reads both); IMAP4rev2 always with ESEARCH.
    collects = frozenset({"SEARCH", "ESEARCH"})
    command = Command("UID SEARCH", prefix + first.decode(), collects)
    if asks_nobody:
        command.more = b"".join(line + b"\r\n" for line in more)
    elif more:
        lines = iter(more)
        command.continuation = lambda _: next(lines, b"")
    return command


def split(criteria: Criteria, *, ascii_too: bool) -> tuple[Criteria, Criteria]:
    """Return the criteria for the server, and those to test with `matches` instead.

    The latter are the texts for header fields, by default only those that are not ASCII.
    """
    texts = {name: getattr(criteria, name) for name in _FIELDS}
    local = {
        name: text
        for name, text in texts.items()
        if text and (ascii_too or not "".join(text).isascii())
    }
    asked = dataclasses.replace(criteria, **dict.fromkeys(local))
    return asked, Criteria(**local)


def matches(criteria: Criteria, mail: Mail) -> bool:
    """Return True if the header fields of a message match, by the rules of SEARCH."""
    fields = (
        (criteria.sender, (mail.sender_name, mail.sender)),
        (criteria.recipient, (*mail.to, *mail.cc)),
        (criteria.subject, (mail.subject,)),
    )
    return all(text is None or _contains(text, found) for text, found in fields)


def _alternatives(text: str | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else text


def _contains(text: str | tuple[str, ...], fields: Iterable[str]) -> bool:
    folded = [alternative.casefold() for alternative in _alternatives(text)]
    return any(part in field.casefold() for field in fields for part in folded)


def _text_words(criteria: Criteria) -> Iterator[str | Text]:
    if criteria.sender:
        yield from _one_of(("FROM",), criteria.sender)
    if criteria.recipient:
        yield from _one_of(_RECIPIENT_KEYS, criteria.recipient)
    if criteria.subject:
        yield from ("SUBJECT", _text(criteria.subject))
    if criteria.text:
        yield from ("TEXT", _text(criteria.text))
    if criteria.header:
        name, text = criteria.header
        yield from ("HEADER", _text(name), _text(text))


def _one_of(keys: Iterable[str], texts: str | tuple[str, ...]) -> Iterator[str | Text]:
    """Yield search keys for messages in which one of the fields has one of the texts."""
    words = [(key, _text(text)) for text in _alternatives(texts) for key in keys]
    yield from ("OR",) * (len(words) - 1)
    for key, text in words:
        yield from (key, text)


def _other_words(criteria: Criteria) -> Iterator[str | Text]:
    if criteria.unread is not None:
        yield "UNSEEN" if criteria.unread else "SEEN"
    if criteria.flagged is not None:
        yield "FLAGGED" if criteria.flagged else "UNFLAGGED"
    if criteria.larger_than is not None:
        yield f"LARGER {min(max(criteria.larger_than, 0), 2**32 - 1)}"
    if criteria.smaller_than is not None:
        yield f"SMALLER {min(max(criteria.smaller_than, 0), 2**32 - 1)}"
    if criteria.newer_than is not None:
        yield f"SINCE {_day(criteria.newer_than)}"
    if criteria.has_attachment is not None:
        yield from _ATTACHED if criteria.has_attachment else ("NOT", *_ATTACHED)


def _text(text: str) -> Text:
    if len(text) > MAX_TEXT:
        raise CriteriaRefused(f"more than {MAX_TEXT} characters")
    try:
        quote(text)
        text.encode()
    except (ImapError, UnicodeError) as error:
        raise CriteriaRefused("a text with characters that cannot be sent") from error
    return Text(text)


def _day(days: int) -> str:
    """Return the date `days` days ago; SINCE compares dates without time."""
    today = datetime.now(UTC).date()
    most = (today - date(1970, 1, 1)).days
    day = today - timedelta(days=min(max(days, 0), most))
    return f"{day.day}-{MONTHS[day.month - 1]}-{day.year}"


def _raw_words(raw: str) -> Iterator[str | Text]:
    """Return search keys that a user wrote; raise CriteriaRefused for anything else."""
    if len(raw) > _MAX_RAW:
        raise CriteriaRefused(f"more than {_MAX_RAW} characters")
    position = depth = 0
    raw = raw.strip(" ")
    while position < len(raw):
        match = _WORD.match(raw, position)
        if match is None:
            raise CriteriaRefused(
                "an unclosed quote, or a character that is not allowed here"
            )
        position = match.end()
        word = match["mark"] or match["atom"]
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth < 0:
            break
        yield _raw_word(match)
        while raw[position : position + 1] == " ":
            position += 1
    if depth:
        raise CriteriaRefused("parentheses that do not match")


def _raw_word(match: re.Match[str]) -> str | Text:
    if match["quoted"] is not None:
        return _text(_ESCAPED.sub(r"\1", match["quoted"]))
    word = match["mark"] or match["atom"]
    if not word.isascii() or not word.isprintable():
        raise CriteriaRefused("text that is not ASCII must be in quotes")
    if word.upper() in _NO_KEYS:
        raise CriteriaRefused(f"{word.upper()} is not a search key")
    return word


def _lines(words: Words, charset: str, mark: bytes) -> list[bytes]:
    """Return the keys as lines; each but the last ends with the length of a literal."""
    lines: list[bytes] = []
    line = b""
    before: str | Text = "("
    for word in words:
        if before != "(" and word != ")":
            line += b" "
        before = word
        if isinstance(word, str):
            line += word.encode()
        elif word.text.isascii() and len(word.text) <= _MAX_QUOTED:
            line += quote(word.text).encode()
        else:
            literal = word.text.encode(charset)
            lines.append(line + b"{%d%b}" % (len(literal), mark))
            line = literal
    return [*lines, line]
