"""The parts of a mail as BODYSTRUCTURE tells them: files, the text, and the one that is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
import re
from typing import Final

from ..models import Attachment
from ..responses import Value, parse_number
from .body_text import Kind
from .budget import Budget, json_size
from .parameters import parameter, parameter_octets

# Parts of a mail that are looked at.
_MAX_PARTS: Final = 1_000
# Octets of JSON that all attachments and one file name may take.
_MAX_ATTACHMENTS: Final = 6_000
_MAX_NAME: Final = 500
# Octets of parameters that are decoded to find a text, on the event loop.
_MAX_DECODED: Final = 16_384

# RFC 2045 5.1 and, for the length, RFC 6838 4.2.
_TOKEN: Final = r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]{1,127}"
_MEDIA_TYPE: Final = re.compile(f"{_TOKEN}/{_TOKEN}")


@dataclass(frozen=True, slots=True)
class Part:
    """A part that holds something: its number, what it is as a file, and how to read it."""

    number: str
    attachment: Attachment
    kind: Kind
    is_text: bool


def attachments_of(structure: Value, budget: Budget) -> tuple[Attachment, ...]:
    """Return the files among the parts of a BODYSTRUCTURE (RFC 3501 7.4.2)."""
    attachments: list[Attachment] = []
    limit = _MAX_ATTACHMENTS
    for number, part in parts_of(structure, budget):
        attachment, is_file = _describe(number, part, budget)
        if is_file:
            described = f"{attachment.filename}{attachment.content_type}{number}"
            limit -= 80 + json_size(described)
        if limit < 0 or budget.is_spent:
            budget.truncated = True
            break
        if is_file:
            attachments.append(attachment)
    return tuple(attachments)


def text_parts(structure: Value) -> list[Part]:
    """Return the first plain text of a mail and then its first HTML, as far as there are any."""
    budget = Budget(_MAX_DECODED)
    firsts: dict[bool, Part] = {}
    for number, values in parts_of(structure, budget):
        part = _part(number, values, budget)
        if part.is_text:
            firsts.setdefault(part.kind.is_html, part)
        if len(firsts) == 2 or budget.is_spent:
            break
    return [firsts[is_html] for is_html in sorted(firsts)]


def find_part(structure: Value, number: str) -> Part | None:
    """Return the part with this number."""
    budget = Budget()
    parts = (part for name, part in parts_of(structure, budget) if name == number)
    found = next(parts, None)
    return None if found is None else _part(number, found, budget)


def parts_of(
    structure: Value, budget: Budget
) -> Iterator[tuple[str, tuple[Value, ...]]]:
    """Yield number and structure of each part that is no multipart, in order, up to _MAX_PARTS.

    A message/rfc822 is one part: those inside it belong to another mail.
    """
    pending: list[tuple[str, Value]] = [("", structure)]
    left = _MAX_PARTS
    while pending and left:
        number, part = pending.pop()
        if not isinstance(part, tuple) or not part:
            continue
        if not isinstance(part[0], tuple):
            left -= 1
            yield number or "1", part
            continue
        prefix = f"{number}." if number else ""
        children = takewhile(lambda value: isinstance(value, tuple), part)
        numbered = [
            (f"{prefix}{index}", child)
            for index, child in enumerate(islice(children, left + 1), 1)
        ]
        pending.extend(reversed(numbered))
    budget.truncated |= bool(pending)


def _part(number: str, part: tuple[Value, ...], budget: Budget) -> Part:
    attachment, is_file = _describe(number, part, budget)
    parameters, encoding = (*part[:6], *(None,) * 6)[2:6:3]
    media_type = attachment.content_type
    is_text = not is_file and media_type in {"text/plain", "text/html"}
    charset = parameter_octets(parameters, b"charset", budget)[0] if is_text else b""
    return Part(
        number=number,
        attachment=attachment,
        kind=Kind(
            is_html=media_type == "text/html",
            charset=_word(charset),
            encoding=_word(encoding),
        ),
        is_text=is_text,
    )


def _describe(
    number: str, part: tuple[Value, ...], budget: Budget
) -> tuple[Attachment, bool]:
    """Return the part as an attachment, and if it is one: it says so, or it has a file name."""
    fields = (*part[:7], *(None,) * 7)
    media_type = _media_type(fields[0], fields[1])
    kind, disposition = _disposition(part)
    filename = parameter(disposition, b"filename", budget)
    filename = filename or parameter(fields[2], b"name", budget)
    attachment = Attachment(
        part=number,
        filename=budget.text(filename, _MAX_NAME) if filename else None,
        content_type=media_type,
        size=parse_number(fields[6]),
    )
    is_named = bool(filename) or media_type == "message/rfc822"
    return attachment, kind == "attachment" or is_named


def _media_type(kind: Value, subtype: Value) -> str:
    """Return a content type; an invalid one means unknown data (RFC 2046 4.5.1)."""
    media_type = f"{_word(kind)}/{_word(subtype)}".lower()
    is_one = _MEDIA_TYPE.fullmatch(media_type)
    return media_type if is_one else "application/octet-stream"


def _disposition(part: tuple[Value, ...]) -> tuple[str, Value]:
    """Return kind and parameters of a part's Content-Disposition (RFC 2183)."""
    for value in part[7:]:
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], bytes):
            kind, parameters = value
            if isinstance(parameters, tuple) or parameters is None:
                return _word(kind).lower(), parameters
    return "", None


def _word(value: Value) -> str:
    return value[:128].decode("ascii", "replace") if isinstance(value, bytes) else ""
