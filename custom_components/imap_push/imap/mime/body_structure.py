"""Parse BODYSTRUCTURE (RFC 3501 7.4.2) into a tree of parts."""

from itertools import takewhile
import re
from typing import Final

from ..wire.parser import Value, parse_number
from .budget import Budget
from .media_type import media_type
from .parameters import MAX_FIELD, Parameters, mime_fields, parse_field
from .part import Part, type_of_part
from .transfer_encoding import encoding_name

# Parts that are read; multiparts count, too.
MAX_PARTS: Final = 1_000
_DISPOSITION: Final = re.compile(rb"(?:attachment|inline)[ \t]*(?:;|$)", re.IGNORECASE)


def parse_structure(structure: Value, budget: Budget) -> Part | None:
    """Return the parts of a message, None if there is no structure; total on any value.

    A message/rfc822 has no parts here: its parts belong to another message. Only the first
    MAX_PARTS parts are read.
    """
    if not isinstance(structure, tuple) or not structure:
        return None
    reader = _Reader()
    root = reader.read("", structure)
    budget.truncated |= reader.is_cut
    return root


def find_part(structure: Value, number: str) -> Part | None:
    """Return the part with this section number if it holds no parts."""
    part = parse_structure(structure, Budget())
    if part is None or part.number == number:
        return part if part and not part.children else None
    prefix = ""
    for digits in number.split("."):
        prefix = f"{prefix}.{digits}" if prefix else digits
        found = (child for child in part.children if child.number == prefix)
        if (part := next(found, None)) is None:
            return None
    return None if part.children else part


def is_encoding_in_doubt(part: Part) -> bool:
    """Return if the header of a part may name another encoding than the structure.

    Dovecot takes an encoding in quotes, or with a semicolon behind it, for "7bit".
    """
    return part.encoding in {"", "7bit"}


def with_encoding(part: Part, header: Value) -> Part:
    """Return a part with the transfer encoding that its header names, if it names one."""
    if not isinstance(header, bytes):
        return part
    field = mime_fields(header).get(b"transfer-encoding", b"")
    return part._replace(encoding=encoding_name(field) or part.encoding)


class _Reader:
    """Counts the parts that it reads."""

    def __init__(self) -> None:
        self._left = MAX_PARTS
        self.is_cut = False

    def read(self, number: str, values: tuple[Value, ...]) -> Part:
        """Return a part and those in it."""
        self._left -= 1
        if not isinstance(values[0], tuple):
            return _single(number or "1", values)
        prefix = f"{number}." if number else ""
        children = list(takewhile(lambda value: isinstance(value, tuple), values))
        subtype, parameters = (*values[len(children) :][:2], None, None)[:2]
        parts: list[Part] = []
        for index, child in enumerate(children, 1):
            if self._left <= 0:
                self.is_cut = True
                break
            # An empty one has a number, too.
            if isinstance(child, tuple) and child:
                parts.append(self.read(f"{prefix}{index}", child))
        return Part(
            number=number,
            content_type=media_type("multipart", _word(subtype)),
            parameters=_parameters(parameters),
            children=tuple(parts),
        )


def _single(number: str, values: tuple[Value, ...]) -> Part:
    fields = (*values[:7], *(None,) * 7)[:7]
    kind, subtype, field_parameters, content_id, _, encoding, size = fields
    parameters = _parameters(field_parameters)
    disposition, disposition_parameters = _disposition(values)
    return Part(
        number=number,
        content_type=type_of_part(
            _word(kind), _word(subtype), parameters, disposition_parameters
        ),
        parameters=parameters,
        disposition=disposition,
        disposition_parameters=disposition_parameters,
        content_id=content_id.strip(b"<> ") if isinstance(content_id, bytes) else b"",
        encoding=encoding_name(encoding) if isinstance(encoding, bytes) else "",
        size=parse_number(size),
    )


def _disposition(values: tuple[Value, ...]) -> tuple[str, Parameters]:
    """Return type and parameters of Content-Disposition (RFC 2183).

    Its position depends on the content type, and servers get that wrong: it is searched for.
    """
    for value in values[7:]:
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], bytes):
            kind, parameters = value
            if isinstance(parameters, tuple) or parameters is None:
                return _word(kind).lower(), _parameters(parameters)
        # pymap sends the field as one string.
        if isinstance(value, bytes) and _DISPOSITION.match(value):
            return parse_field(value[:MAX_FIELD])
    return "", ()


def _parameters(value: Value) -> Parameters:
    return value if isinstance(value, tuple) else ()


def _word(value: Value) -> str:
    return value[:128].decode("ascii", "replace") if isinstance(value, bytes) else ""
