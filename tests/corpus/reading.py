"""What a parser reads in a message, in a form that can be compared.

Normalized is only what the engine documents as its own choice: white space and invisible
characters of lines (`one_line`), the form of internationalized domains, the time zone of a date,
list markers in the text of HTML. As some parsers lose the CR and the last line end of text files,
ASCII content and content of type text and message is compared without them.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
import re
from typing import Final, override

from custom_components.imap_push.imap import one_line

# innerText has no markers of lists, and our text has.
_LIST_MARKER: Final = re.compile(r"[-*•◦▪]|\d{1,4}[.)]")
# In a text, unlike in a field, these separate no words.
_CONTROLS: Final = re.compile("[\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_TEXT_TYPES: Final = ("text/", "message/")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """An attachment of `size` octets. Two are equal if their decoded content is."""

    digest: str
    name: str = field(compare=False)
    content_type: str = field(compare=False)
    size: int = field(compare=False)

    @override
    def __str__(self) -> str:
        """Return what is shown of it."""
        return f"{self.content_type} {self.name!r} {self.size} {self.digest[:6]}"


type Value = str | tuple[str, ...] | tuple[File, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one parser reads.

    `values` lacks the fields that it could not read. `cut` holds the fields that were cut to
    their bounds. `files` is None if it could not read the parts.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    files: tuple[File, ...] | None = None
    cut: frozenset[str] = frozenset()


def line(text: str | None) -> str:
    """Return a text as one line of visible characters."""
    return one_line(text or "")


def text_line(text: str | None) -> str:
    """Return a text as one line of visible characters; controls are none."""
    return one_line(_CONTROLS.sub("", text or ""))


def html_line(text: str) -> str:
    """Return the text of HTML as one line; words that may be list markers are left out."""
    words = text_line(text).split()
    return " ".join(it for it in words if not _LIST_MARKER.fullmatch(it))


def address(text: str | None) -> str:
    """Return an address whose domain has its ASCII form, in lower case (RFC 5890)."""
    local, at, domain = line(text).rpartition("@")
    with suppress(UnicodeError):
        domain = domain.encode("idna").decode()
    return local + at + domain.lower() if at else line(text)


def addresses(texts: Iterable[str | None]) -> tuple[str, ...]:
    """Return addresses; an entry without one is left out."""
    return tuple(it for it in map(address, texts) if it)


def date(moment: datetime | None) -> str:
    """Return a date in UTC to the second, "" for none."""
    if moment is None:
        return ""
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def file(name: str | None, content_type: str, content: bytes) -> File:
    """Return an attachment of which the decoded content is known."""
    content_type = line(content_type).lower()
    if content_type.startswith(_TEXT_TYPES) or content.isascii():
        content = content.replace(b"\r", b"").strip(b"\n")
    return File(
        digest=sha256(content).hexdigest(),
        name=line(name),
        content_type=content_type,
        size=len(content),
    )
