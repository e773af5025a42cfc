"""A folder that stores no mail: the content of a mail is computed from its UID."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import re
from typing import Final

UID_VALIDITY: Final = 7

_SECTION: Final = re.compile(rb"BODY\.PEEK(\[[^\]]*\])(?:<(\d+)\.(\d+)>)?")
_STRUCTURE: Final = b'BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 10 1)'
_MIXED: Final = (
    b'BODYSTRUCTURE (("text" "plain" NIL NIL NIL "7bit" 10 1)("%b" "%b" NIL %b NIL "base64"'
    b' %d NIL ("%b" ("filename" "%b"))) "mixed")'
)
_FIRST_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
# The n-th mail arrives n minutes after the first day, modulo this: years have four digits.
_MINUTES: Final = 10**9


@dataclass(kw_only=True)
class LightFile:
    """An attachment: its declared type, its name, and its content.

    `size` is the declared size of the encoded content; by default the true one. With `inline`,
    it has a Content-ID and the disposition inline.
    """

    content: bytes
    content_type: bytes = b"image/jpeg"
    name: bytes = b"photo.jpg"
    size: int | None = None
    inline: bool = False

    @property
    def encoded(self) -> bytes:
        """Return the content in base64."""
        return base64.encodebytes(self.content).replace(b"\n", b"\r\n")

    @property
    def structure(self) -> bytes:
        """Return the BODYSTRUCTURE of a mail with this attachment."""
        kind, _, subtype = self.content_type.partition(b"/")
        content_id = b'"<photo@example.org>"' if self.inline else b"NIL"
        disposition = b"inline" if self.inline else b"attachment"
        size = len(self.encoded) if self.size is None else self.size
        return _MIXED % (kind, subtype, content_id, size, disposition, self.name)


class LightFolder:
    """A folder; the content of a mail depends only on the number with which it arrived.

    The number is the UID, until the folder is renumbered; `numbers` are other numbers by UID.
    `gone`, `seen`: UIDs of expunged or read mails. `hidden`: UIDs that are announced, but for
    which FETCH returns only UID and FLAGS. `unshowable`: UIDs for which the server rejects a
    FETCH with BODY. `text`: the text of each mail. `files`: attachments by UID.
    """

    def __init__(self, name: bytes, *, after: int = 0) -> None:
        """Start empty; the first mail gets the number that follows `after`."""
        self.name = name
        self.uid_validity = UID_VALIDITY
        self.last = 0  # the highest UID
        self.gone: set[int] = set()
        self.seen: set[int] = set()
        self.hidden: set[int] = set()
        self.unshowable: set[int] = set()
        self.flagged: set[int] = set()
        self.text = b"Hello\r\n"
        self.files: dict[int, LightFile] = {}
        self.numbers: dict[int, int] = {}
        self._renumbered_by = after

    @property
    def exists(self) -> int:
        """Return the number of mails."""
        return self.last - len(self.gone)

    @property
    def unseen(self) -> int:
        """Return the number of unread mails."""
        return self.exists - len(self.seen - self.gone)

    @property
    def modseq(self) -> int:
        """Return a number that grows with each change (RFC 7162)."""
        return 1 + sum(map(len, (self.gone, self.seen, self.flagged))) + self.last

    def status(self, names: bytes = b"MESSAGES UIDNEXT UIDVALIDITY UNSEEN") -> bytes:
        """Return a STATUS response with these items."""
        numbers = {
            b"HIGHESTMODSEQ": self.modseq,
            b"MESSAGES": self.exists,
            b"UIDNEXT": self.last + 1,
            b"UIDVALIDITY": self.uid_validity,
            b"UNSEEN": self.unseen,
        }
        items = b" ".join(b"%b %d" % (name, numbers[name]) for name in names.split())
        return b'* STATUS "%b" (%b)' % (self.name, items)

    def renumber(self, kept: int, *, validity: int | None = None) -> None:
        """Keep the last mails, which get UIDs from 1; the next UIDVALIDITY is one higher."""
        self._renumbered_by += self.last - kept
        self.last = kept
        self.uid_validity = validity or self.uid_validity + 1
        for uids in (self.gone, self.seen, self.hidden, self.unshowable):
            uids.clear()

    def number(self, uid: int) -> int:
        """Return the number with which a mail arrived."""
        return self.numbers.get(uid, uid + self._renumbered_by)

    def sequence_number(self, uid: int) -> int:
        """Return the message sequence number of a mail."""
        return uid - sum(map(uid.__gt__, self.gone))

    def uids(self, numbers: bytes) -> list[int]:
        """Return the existing UIDs in a sequence set, ascending (RFC 3501 9)."""
        last = self.last
        while last in self.gone:
            last -= 1
        uids: set[int] = set()
        for part in numbers.split(b","):
            ends = [last if end == b"*" else int(end) for end in part.split(b":")]
            uids.update(range(max(1, min(ends)), min(last, max(ends)) + 1))
        return sorted(uids - self.gone)

    def fetched(self, uid: int, items: bytes) -> bytes:
        """Return a FETCH response with these items of a mail."""
        if uid in self.hidden:
            items = b"UID FLAGS"
        number = self.sequence_number(uid)
        return b"* %d FETCH (%b)" % (number, b" ".join(self._items(uid, items)))

    def _items(self, uid: int, items: bytes) -> list[bytes]:
        number = self.number(uid)
        found = [b"UID %d" % uid]
        if b"FLAGS" in items:
            found.append(b"FLAGS (%b)" % (b"\\Seen" if uid in self.seen else b""))
        if b"INTERNALDATE" in items:
            received = _FIRST_DAY + timedelta(minutes=number % _MINUTES)
            text = f'INTERNALDATE "{received:%d-%b-%Y %H:%M:%S} +0000"'
            found.append(text.encode())
        if b"RFC822.SIZE" in items:
            found.append(b"RFC822.SIZE %d" % (1000 + number))
        for section, offset, length in _SECTION.findall(items):
            content = self._section(uid, section)
            if length:
                content = content[int(offset) : int(offset) + int(length)]
            origin = b"<%b>" % offset if offset else b""
            start = b"BODY%b%b {%d}\r\n" % (section, origin, len(content))
            found.append(start + content)
        if b"BODYSTRUCTURE" in items:
            file = self.files.get(uid)
            found.append(file.structure if file else _STRUCTURE)
        return found

    def _section(self, uid: int, section: bytes) -> bytes:
        if section == b"[2]":
            return self.files[uid].encoded
        return self.text if section == b"[TEXT]" else _header(self.number(uid))


def _header(number: int) -> bytes:
    """Return the header fields of a mail."""
    return (
        b"From: Ann <ann%d@example.org>\r\n"
        b"Subject: =?utf-8?q?Mail_n=C2=BA_%d?=\r\n"
        b"Message-ID: <%d@example.org>\r\n\r\n" % (number % 100, number, number)
    )
