"""The parts of a mail as BODYSTRUCTURE tells them: which is the text, and which one is asked for."""

from dataclasses import dataclass

from .message import describe_part, parts_of
from .models import Attachment
from .responses import Value
from .text import Kind


@dataclass(frozen=True, slots=True)
class Part:
    """A part that holds something: its number, what it is as a file, and how to read it."""

    number: str
    attachment: Attachment
    kind: Kind
    is_text: bool


def text_parts(structure: Value) -> list[Part]:
    """Return the first plain text of a mail and then its first HTML, as far as there are any."""
    parts = (_part(number, part) for number, part in parts_of(structure))
    texts = [part for part in parts if part.is_text]
    firsts = {part.kind.is_html: part for part in reversed(texts)}
    return [firsts[is_html] for is_html in sorted(firsts)]


def find_part(structure: Value, number: str) -> Part | None:
    """Return the part with this number."""
    parts = parts_of(structure)
    found = next((part for name, part in parts if name == number), None)
    return None if found is None else _part(number, found)


def _part(number: str, part: tuple[Value, ...]) -> Part:
    attachment, is_file = describe_part(number, part)
    parameters, encoding = (*part, *(None,) * 6)[2:6:3]
    media_type = attachment.content_type
    return Part(
        number=number,
        attachment=attachment,
        kind=Kind(
            is_html=media_type == "text/html",
            charset=_charset(parameters),
            encoding=_word(encoding),
        ),
        is_text=not is_file and media_type in {"text/plain", "text/html"},
    )


def _charset(parameters: Value) -> str:
    pairs = parameters if isinstance(parameters, tuple) else ()
    for name, value in zip(pairs[::2], pairs[1::2], strict=False):
        if _word(name).lower() == "charset":
            return _word(value)
    return ""


def _word(value: Value) -> str:
    return value[:100].decode("ascii", "replace") if isinstance(value, bytes) else ""
