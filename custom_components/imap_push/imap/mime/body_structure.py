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

# Maximum number of parts that are parsed, including multiparts.
MAX_PARTS: Final = 1_000
_DISPOSITION: Final = re.compile(rb"(?:attachment|inline)[ \t]*(?:;|$)", re.IGNORECASE)


def parse_structure(structure: Value, budget: Budget) -> Part | None:
    """Return the root of the tree of parts, None if there is no structure. Accepts any value.

    A message/rfc822 part has no children, as its parts belong to another message. Only the first
    MAX_PARTS parts are parsed.
    """
    if not isinstance(structure, tuple) or not structure:
        return None
    if not isinstance(structure[0], tuple):
        return _single("1", structure)
    parser = _Parser()
    root = parser.parse("", structure)
    budget.truncated |= parser.is_cut
    return root


def find_part(structure: Value, number: str) -> Part | None:
    """Return the part with this section number; None if it does not exist or is a multipart."""
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


def is_encoding_unreliable(part: Part) -> bool:
    """Return True if the header of a part may have another encoding than the structure.

    Dovecot reports "7bit" for an encoding that is quoted or has a semicolon after it.
    """
    return part.encoding in {"", "7bit"}


def with_encoding(part: Part, header: Value) -> Part:
    """Return a part with the transfer encoding of its MIME header, if that has one."""
    if not isinstance(header, bytes):
        return part
    field = mime_fields(header).get(b"transfer-encoding", b"")
    return part._replace(encoding=encoding_name(field) or part.encoding)


class _Parser:
    """Parses a tree of at most MAX_PARTS parts."""

    def __init__(self) -> None:
        self._remaining = MAX_PARTS
        self.is_cut = False

    def parse(self, number: str, values: tuple[Value, ...]) -> Part:
        """Return a part with its children."""
        self._remaining -= 1
        if not isinstance(values[0], tuple):
            return _single(number, values)
        prefix = f"{number}." if number else ""
        children = list(takewhile(lambda value: isinstance(value, tuple), values))
        subtype, parameters = (*values[len(children) :][:2], None, None)[:2]
        parts: list[Part] = []
        for index, child in enumerate(children, 1):
            if self._remaining <= 0:
                self.is_cut = True
                break
            # An empty child is left out, but its number is not reused.
            if isinstance(child, tuple) and child:
                parts.append(self.parse(f"{prefix}{index}", child))
        return Part(
            number=number,
            content_type=media_type("multipart", _token(subtype)),
            parameters=parameters if isinstance(parameters, tuple) else (),
            children=tuple(parts),
        )


def _single(number: str, values: tuple[Value, ...]) -> Part:
    fields = values[:7] if len(values) >= 7 else (*values, *(None,) * 7)[:7]
    kind, subtype, found, content_id, _, encoding, size = fields
    parameters = found if isinstance(found, tuple) else ()
    disposition, disposition_parameters = _disposition(values)
    return Part(
        number=number,
        content_type=type_of_part(
            _token(kind), _token(subtype), parameters, disposition_parameters
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

    The position depends on the content type, and some servers use a wrong one, so all values are
    searched.
    """
    for value in values[7:]:
        if value is None:
            continue
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], bytes):
            kind, parameters = value
            if isinstance(parameters, tuple) or parameters is None:
                return _token(kind).lower(), parameters or ()
        # pymap sends the field as one string.
        if isinstance(value, bytes) and _DISPOSITION.match(value):
            return parse_field(value[:MAX_FIELD])
    return "", ()


def _token(value: Value) -> str:
    return value[:128].decode("ascii", "replace") if isinstance(value, bytes) else ""
