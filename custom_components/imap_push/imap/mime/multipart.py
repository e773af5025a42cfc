"""Parse the octets of a message into a tree of parts (RFC 2046 5.1); total on any octets."""

from dataclasses import dataclass, field
import re
from typing import Final, NamedTuple

from .budget import Budget
from .parameters import mime_fields, parameter_octets, parse_field
from .part import Part, type_of_part
from .transfer_encoding import encoding_name

# Octets of the header of a part that are read.
_MAX_HEADER: Final = 65_536
# Parts, multiparts in one another, and lines that are compared with delimiters.
_MAX_PARTS: Final = 200
_MAX_DEPTH: Final = 50
_MAX_LINES: Final = 4_000
# Octets of a line that are compared; a boundary has up to 70 characters (RFC 2046 5.1.1).
_MAX_LINE: Final = 1_000

_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_MESSAGE: Final = "message/rfc822"


def parse_message(header: bytes, body: bytes, budget: Budget, *, whole: bool) -> Part:
    """Return the message with this header and body.

    `header` has the MIME fields. `body` is BODY[TEXT], or its beginning if it is not `whole`.
    Only the first _MAX_PARTS parts are read.
    """
    root, boundary = _part(header[:_MAX_HEADER], "", budget)
    if not root.content_type.startswith("multipart/"):
        return root._replace(number="1", octets=body, is_whole=whole)
    if boundary is None:
        return root._replace(is_whole=whole)
    return _Reader(body, budget, whole=whole).read(root, boundary)


class _Delimiter(NamedTuple):
    """A line that delimits parts: its position, that of the next line, and what it ends."""

    start: int
    end: int
    level: int
    is_last: bool


@dataclass(slots=True)
class _Open:
    """A multipart, or a message within the message, the end of which was not read yet."""

    part: Part
    delimiter: bytes
    children: list[Part] = field(default_factory=list)


class _Reader:
    """Reads a multipart from line to line.

    A delimiter of an outer multipart ends the inner ones: their own last one may be missing.
    """

    def __init__(self, body: bytes, budget: Budget, *, whole: bool) -> None:
        self._body = body
        self._budget = budget
        self._whole = whole
        self._open: list[_Open] = []
        self._current: tuple[Part, int] | None = (
            None  # a part and where its body starts
        )
        self._parts = 0
        self._lines = 0

    def read(self, root: Part, boundary: bytes) -> Part:
        """Return a multipart with its parts."""
        self._open.append(_Open(root, b"--" + boundary))
        found = self._find(0, len(self._body))
        while found:
            self._finish(found.start, whole=True)
            self._close(found.level + 1)
            if found.is_last and found.level == 0:
                break
            if found.is_last:
                self._close(found.level)
            elif self._parts == _MAX_PARTS:
                self._budget.truncated = True
                break
            else:
                self._begin(found.end)
            found = self._find(found.end, len(self._body))
        self._finish(len(self._body), whole=self._whole)
        self._close(1)
        children = tuple(self._open[0].children)
        return root._replace(children=children, is_whole=self._whole)

    def _begin(self, start: int) -> None:
        """Read the header of a part."""
        self._parts += 1
        # A header may be empty: the line end of the delimiter counts.
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
            # Its delimiters are not ours, though ours may be the beginning of them.
            match = _BLANK_LINE.search(self._body, body_start, body_start + _MAX_HEADER)
            end = match.start() if match else body_start
            _, boundary = _part(self._body[body_start:end], "", self._budget)
        if boundary is not None and len(self._open) < _MAX_DEPTH:
            self._open.append(_Open(part, b"--" + boundary))
        else:
            self._current = part, body_start

    def _finish(self, end: int, *, whole: bool) -> None:
        """Keep the part that ends here, if one was begun."""
        if self._current is None:
            return
        part, start = self._current
        self._current = None
        octets = self._body[start:end] if end > start else b""
        self._open[-1].children.append(part._replace(octets=octets, is_whole=whole))

    def _close(self, level: int) -> None:
        """Keep the multiparts from a level on, the outermost of which is 0."""
        while len(self._open) > max(level, 1):
            closed = self._open.pop()
            is_message = closed.part.content_type == _MESSAGE
            children = () if is_message else tuple(closed.children)
            self._open[-1].children.append(closed.part._replace(children=children))

    def _find(self, position: int, stop: int) -> _Delimiter | None:
        """Return the next line that is a delimiter of an open multipart."""
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
                # The line end before a delimiter is part of it.
                is_crlf = body[line_start - 2 : line_start] == b"\r\n"
                start = max(line_start - (2 if is_crlf else 1), 0)
                return _Delimiter(start, line_end, *found)
            position = line_end
        self._budget.truncated = True
        return None

    def _delimited(self, line: bytes) -> tuple[int, bool] | None:
        """Return which open multipart a line delimits, and if it is the last delimiter.

        It is enough that a line begins with the delimiter (RFC 2046 5.1.1), but an inner
        delimiter may begin with an outer one.
        """
        levels = [*enumerate(self._open)][::-1]
        for level, it in levels:
            if line in {it.delimiter, it.delimiter + b"--"}:
                return level, line != it.delimiter
        for level, it in levels:
            if len(it.delimiter) > 2 and line.startswith(it.delimiter):
                return level, line.startswith(b"--", len(it.delimiter))
        return None


def _part(header: bytes, number: str, budget: Budget) -> tuple[Part, bytes | None]:
    """Return a part without its content, and its boundary if it is a multipart with one."""
    found = {name: budget.take(value) for name, value in mime_fields(header).items()}
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
