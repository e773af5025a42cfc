"""A server with two folders, whose answers to MOVE and COPY can be made odd."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
import re

from custom_components.imap_push.imap.session.fetch_items import uid_set

from ..scripted import Peer

# The answer to MOVE or COPY from the tag, and the UIDs of the source and of the copies as sets.
type Answer = Callable[[bytes, bytes, bytes], bytes]


def without_code(tag: bytes, _source: bytes, _copies: bytes) -> bytes:
    """Return an answer without COPYUID."""
    return tag + b" OK done\r\n"


@dataclass
class FolderServer:
    """Three messages with the UIDs 1 to 3 in INBOX; the copies in "To" get UIDs from 11 on.

    `answer` is that to MOVE and COPY. `moves` is False if MOVE and COPY do nothing. `refuses` are
    answers to other commands, by pattern. `is_gone`: the source cannot be selected after MOVE.
    """

    capabilities: bytes
    answer: Answer = without_code
    moves: bool = True
    refuses: dict[str, bytes] = field(default_factory=dict)
    has_uid_next: bool = True
    header: bytes = b"Message-ID: <%d@example.org>\r\n\r\n"
    folders: dict[str, dict[int, int]] = field(
        default_factory=lambda: {"INBOX": {1: 1, 2: 2, 3: 3}, "To": {10: 10}}
    )
    deleted: set[int] = field(default_factory=set)
    received: list[str] = field(default_factory=list)
    selected: str = ""

    async def __call__(self, peer: Peer) -> None:
        """Answer the commands of one connection."""
        await peer.log_in(b"IMAP4rev1 " + self.capabilities)
        while True:
            try:
                line = await peer.line()
            except asyncio.IncompleteReadError:
                return
            tag, _, rest = line.partition(b" ")
            self.received.append(rest.decode())
            peer.say_raw(self._answer(tag, rest.decode()))

    @property
    def here(self) -> dict[int, int]:
        """Return the messages of the selected folder: the number of each by its UID."""
        return self.folders[self.selected]

    def _answer(self, tag: bytes, line: str) -> bytes:
        for pattern, refusal in self.refuses.items():
            if re.match(pattern, line):
                return tag + b" " + refusal + b"\r\n"
        untagged = b""
        match line.split():
            case "SELECT" | "EXAMINE", name:
                if name.strip('"') not in self.folders:
                    return tag + b" NO [NONEXISTENT] no such folder\r\n"
                self.selected = name.strip('"')
                untagged = b"* OK [UIDVALIDITY 1] v\r\n* %d EXISTS\r\n" % len(self.here)
                if self.has_uid_next:
                    after = max(self.here, default=0) + 1
                    untagged += b"* OK [UIDNEXT %d] v\r\n" % after
            case "UID", "FETCH", uids, *items:
                untagged = self._fetch(self._uids(uids), " ".join(items))
            case "UID", "MOVE" | "COPY" as verb, uids, name:
                return self._transfer(tag, verb, self._uids(uids), name.strip('"'))
            case "UID", "STORE", uids, *_:
                self.deleted |= set(self._uids(uids))
            case "UID", "EXPUNGE", uids:
                for uid in self._uids(uids):
                    if uid in self.deleted:
                        del self.here[uid]
            case "LIST", *_:
                untagged = b"* LIST () NIL INBOX\r\n* LIST (\\Trash) NIL To\r\n"
        return untagged + tag + b" OK done\r\n"

    def _uids(self, uids: str) -> list[int]:
        ends = [map(int, part.split(":")) for part in uids.split(",")]
        return [
            uid
            for first, *last in ends
            for uid in range(first, (last or [first])[0] + 1)
            if uid in self.here
        ]

    def _fetch(self, uids: list[int], items: str) -> bytes:
        lines: list[bytes] = []
        for number, uid in enumerate(uids, 1):
            field = b""
            if "HEADER" in items:
                header = self.header % self.here[uid] if self.header else b""
                field = b" BODY[HEADER.FIELDS (X)] {%d}\r\n%b" % (len(header), header)
            lines.append(b"* %d FETCH (UID %d%b)\r\n" % (number, uid, field))
        return b"".join(lines)

    def _transfer(self, tag: bytes, verb: str, uids: list[int], to: str) -> bytes:
        if to not in self.folders:
            return tag + b" NO [TRYCREATE] no such folder\r\n"
        copies = range(11, 11 + len(uids))
        if self.moves:
            found = dict(zip(copies, (self.here[uid] for uid in uids), strict=True))
            self.folders[to] |= found
        if self.moves and verb == "MOVE":
            for uid in uids:
                del self.here[uid]
        return self.answer(tag, uid_set(uids).encode(), uid_set(copies).encode())
