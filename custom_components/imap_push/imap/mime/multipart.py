"""Parse the octets of a message into a tree of parts (RFC 2046 5.1). Accepts any octets."""

from dataclasses import dataclass, field
import re
from typing import Final, NamedTuple

from .budget import Budget
from .parameters import mime_fields, parameter_octets, parse_field
from .part import Part, type_of_part
from .transfer_encoding import encoding_name

# Octets of the header of a part that are parsed.
_MAX_HEADER: Final = 65_536
# Limits for parts, for nested multiparts, and for lines that are compared with delimiters.
_MAX_PARTS: Final = 200
_MAX_DEPTH: Final = 50
_MAX_LINES: Final = 4_000
# Octets of a line that are compared; a boundary has up to 70 characters (RFC 2046 5.1.1).
_MAX_LINE: Final = 1_000

_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_MESSAGE: Final = "message/rfc822"


def parse_message(
    header: bytes, body: bytes, budget: Budget, *, is_whole: bool
) -> Part:
    """Return the root part of the message with this header and body.

    `header` has the MIME fields. `body` is BODY[TEXT], or its beginning unless `is_whole`. Only
    the first _MAX_PARTS parts are parsed.
    """
    root, boundary = _part(header[:_MAX_HEADER], "", budget)
    if not root.content_type.startswith("multipart/"):
        return root._replace(number="1", octets=body, is_whole=is_whole)
    if boundary is None:
        return root._replace(is_whole=is_whole)
    return _Parser(body, budget, is_whole=is_whole).parse(root, boundary)


class _Delimiter(NamedTuple):
    """A delimiter line of an open multipart (RFC 2046 5.1.1)."""

    start: int  # of the line end before the delimiter
    end: int  # of the line
    level: int  # of the multipart
    is_last: bool  # the close-delimiter


@dataclass(slots=True)
class _Open:
    """A multipart, or an embedded message, that is not closed yet."""

    part: Part
    delimiter: bytes
    children: list[Part] = field(default_factory=list)


class _Parser:
    """Parses a multipart from delimiter to delimiter.

    A delimiter of an outer multipart also closes the inner ones, as their close-delimiter may be
    missing.
    """

    def __init__(self, body: bytes, budget: Budget, *, is_whole: bool) -> None:
        self._body = body
        self._budget = budget
        self._is_whole = is_whole
        self._open: list[_Open] = []
        # The part that is not closed yet, and the position of its body.
        self._current: tuple[Part, int] | None = None
        self._parts = 0
        self._lines = 0

    def parse(self, root: Part, boundary: bytes) -> Part:
        """Return the root multipart with its parts."""
        self._open.append(_Open(root, b"--" + boundary))
        found = self._find(0, len(self._body))
        while found:
            self._close_part(found.start, is_whole=True)
            self._close_multiparts(found.level + 1)
            if found.is_last and found.level == 0:
                break
            if found.is_last:
                self._close_multiparts(found.level)
            elif self._parts == _MAX_PARTS:
                self._budget.truncated = True
                break
            else:
                self._open_part(found.end)
            found = self._find(found.end, len(self._body))
        self._close_part(len(self._body), is_whole=self._is_whole)
        self._close_multiparts(1)
        children = tuple(self._open[0].children)
        return root._replace(children=children, is_whole=self._is_whole)

    def _open_part(self, start: int) -> None:
        self._parts += 1
        # The header may be empty, so the search includes the line end of the delimiter.
        match = _BLANK_LINE.search(self._body, start - 1, start + _MAX_HEADER)
        header_end, body_start = match.span() if match else (len(self._body),) * 2
        if delimiter := self._find(start, header_end):
            header_end = body_start = delimiter.start
        parent = self._open[-1]
        number = ".".join(
            filter(None, (parent.part.number, str(len(parent.children) + 1)))
        )
        header = self._body[start:header_end][:_MAX_HEADER]
        part, boundary = _part(header, number, self._budget)
        is_digest = parent.part.content_type == "multipart/digest"
        if is_digest and b"content-type" not in header.lower():
            part = part._replace(content_type=_MESSAGE)  # RFC 2046 5.1.5
        if part.content_type == _MESSAGE:
            # Track the delimiters of the embedded message: they may begin with an outer delimiter.
            match = _BLANK_LINE.search(self._body, body_start, body_start + _MAX_HEADER)
            end = match.start() if match else body_start
            _, boundary = _part(self._body[body_start:end], "", self._budget)
        if boundary is not None and len(self._open) < _MAX_DEPTH:
            self._open.append(_Open(part, b"--" + boundary))
        else:
            self._current = part, body_start

    def _close_part(self, end: int, *, is_whole: bool) -> None:
        """Add the current part, if there is one, to its multipart."""
        if self._current is None:
            return
        part, start = self._current
        self._current = None
        octets = self._body[start:end] if end > start else b""
        part = part._replace(octets=octets, is_whole=is_whole)
        self._open[-1].children.append(part)

    def _close_multiparts(self, level: int) -> None:
        """Close the multiparts at this level and below; the root, at level 0, stays open."""
        while len(self._open) > max(level, 1):
            closed = self._open.pop()
            is_message = closed.part.content_type == _MESSAGE
            children = () if is_message else tuple(closed.children)
            self._open[-1].children.append(closed.part._replace(children=children))

    def _find(self, position: int, stop: int) -> _Delimiter | None:
        """Return the next delimiter of an open multipart."""
        body = self._body
        while self._lines < _MAX_LINES:
            if position == 0 and body.startswith(b"--"):
                line_start = 0
            else:
                line_start = body.find(b"\n--", max(position - 1, 0), stop) + 1
                if not line_start:
                    return None
            self._lines += 1
            line_end = body.find(b"\n", line_start) + 1 or len(body)
            line = body[line_start : min(line_end, line_start + _MAX_LINE)]
            if found := self._delimited(line.rstrip()):
                # The line end before a delimiter belongs to it (RFC 2046 5.1.1).
                is_crlf = body[line_start - 2 : line_start] == b"\r\n"
                start = max(line_start - (2 if is_crlf else 1), 0)
                return _Delimiter(start, line_end, *found)
            position = line_end
        self._budget.truncated = True
        return None

    def _delimited(self, line: bytes) -> tuple[int, bool] | None:
        """Return the level of the multipart of a delimiter, and whether it is the last one.

        A line only has to begin with the delimiter (RFC 2046 5.1.1). As an inner delimiter may
        begin with an outer one, an exact match has priority.
        """
        levels = [(level, entry.delimiter) for level, entry in enumerate(self._open)]
        levels.reverse()
        for level, delimiter in levels:
            if line in {delimiter, delimiter + b"--"}:
                return level, line != delimiter
        for level, delimiter in levels:
            if len(delimiter) > 2 and line.startswith(delimiter):
                return level, line.startswith(b"--", len(delimiter))
        return None


def _part(header: bytes, number: str, budget: Budget) -> tuple[Part, bytes | None]:
    """Return a part without content, and its boundary; None if it is not a multipart with one."""
    found = {name: budget.spend(value) for name, value in mime_fields(header).items()}
    kind, parameters = parse_field(found.get(b"type", b""))
    disposition, disposition_parameters = parse_field(found.get(b"disposition", b""))
    main_type, _, subtype = kind.partition("/")
    part = Part(
        number=number,
        content_type=type_of_part(
            main_type, subtype, parameters, disposition_parameters
        ),
        parameters=parameters,
        disposition=disposition,
        disposition_parameters=disposition_parameters,
        content_id=found.get(b"id", b"").strip(b"<> "),
        encoding=encoding_name(found.get(b"transfer-encoding", b"")),
    )
    if main_type != "multipart" or b"boundary" not in header.lower():
        return part, None
    return part, parameter_octets(parameters, b"boundary", budget)[0].rstrip()
