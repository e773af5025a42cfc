"""Find messages in a folder (single files, maildirs and mbox files), and HTML pages."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
import re
from typing import Final

# Octets of a file in which its header is looked for.
_MAX_HEADER: Final = 262_144
# The line that begins a message in an mbox file (RFC 4155); its time tells it from text.
_MBOX_LINE: Final = re.compile(
    rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\r\n]{0,200}\d:\d\d[^\r\n]{0,100}\r?\n"
)
_FIELD: Final = re.compile(rb"([!-9;-~]{1,80})[ \t]{0,20}:")
# A file with one of these fields at its beginning is a message.
_NAMES: Final = frozenset(
    b"bcc cc content-type date delivered-to from message-id mime-version received reply-to"
    b" return-path sender subject to x-original-to".split()
)


@dataclass(frozen=True, slots=True)
class Message:
    """A message or page; `name` is its path in the folder, with `#N` for the Nth of an mbox file."""

    name: str
    data: bytes


def messages_in(folder: Path) -> Iterator[Message]:
    """Yield each different message below a folder once, by SHA-1 without CR."""
    known: set[bytes] = set()
    for path in sorted(it for it in folder.rglob("*") if it.is_file()):
        for message in _messages_of(path.relative_to(folder), path.read_bytes()):
            digest = sha1(message.data.replace(b"\r", b"")).digest()
            if digest not in known:
                known.add(digest)
                yield message


def pages_in(folder: Path) -> Iterator[Message]:
    """Yield the HTML files below a folder."""
    for path in sorted(folder.rglob("*.htm*")):
        if path.is_file():
            yield Message(str(path.relative_to(folder)), path.read_bytes())


def _messages_of(path: Path, data: bytes) -> Iterator[Message]:
    starts = list(_MBOX_LINE.finditer(data))
    if not starts or starts[0].start():
        if is_message(data):
            yield Message(str(path), data)
        return
    ends = [*(start.start() for start in starts[1:]), len(data)]
    for number, (start, end) in enumerate(zip(starts, ends, strict=True), 1):
        if is_message(part := data[start.end() : end]):
            name = f"{path}#{number}" if len(starts) > 1 else str(path)
            yield Message(name, part)


def is_message(data: bytes) -> bool:
    """Return True if the first line is a header field and the header has a common field."""
    start = data[:_MAX_HEADER].removeprefix(b"\xef\xbb\xbf").lstrip()
    header = re.split(rb"\n\r?\n", start, maxsplit=1)[0]
    lines = header.split(b"\n")
    if not _FIELD.match(lines[0]):
        return False
    names = {match[1].lower() for match in map(_FIELD.match, lines) if match}
    return not names.isdisjoint(_NAMES)
