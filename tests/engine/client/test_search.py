"""Searches on servers that answer SEARCH RETURN in their own way, and long command lines."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
import re

import pytest

from custom_components.imap_push.imap import (
    Criteria,
    CriteriaRefused,
    NotMoved,
    SearchCount,
    Unavailable,
)
from custom_components.imap_push.imap.session.fetch_items import chunks, uid_set

from ..scripted import Peer, mail
from .test_client import serving

# What a server answers to SEARCH RETURN: from the tag, the options, and the UIDs that match.
type Answer = Callable[[bytes, str, list[int]], bytes]


def esearch(tag: bytes, options: str, uids: list[int], *, named: bytes = b"") -> bytes:
    """Return the answer of RFC 4731; `named` is the tag in the response."""
    found = b'* ESEARCH (TAG "%b") UID' % (named or tag)
    if "COUNT" in options:
        found += b" COUNT %d" % len(uids)
    if "ALL" in options and uids:
        found += b" ALL " + uid_set(uids).encode()
    return found + b"\r\n" + tag + b" OK done\r\n"


def plain(tag: bytes, _options: str, uids: list[int]) -> bytes:
    """Return the answer of RFC 3501."""
    return (
        b"* SEARCH"
        + b"".join(b" %d" % uid for uid in uids)
        + b"\r\n"
        + tag
        + b" OK\r\n"
    )


@dataclass
class SearchServer:
    """Messages with the UIDs `unread` and `read`; `answer` is that to SEARCH RETURN.

    `refuses` are answers to commands, by pattern. `max_line` are the octets of a line.
    """

    answer: Answer = esearch
    capabilities: bytes = b"IMAP4rev1 ESEARCH"
    unread: tuple[int, ...] = (2, 3, 9)
    read: tuple[int, ...] = (4,)
    refuses: dict[str, bytes] = field(default_factory=dict)
    max_line: int = 10_000
    received: list[str] = field(default_factory=list)

    async def __call__(self, peer: Peer) -> None:
        """Answer the commands of one connection."""
        await peer.log_in(self.capabilities)
        while True:
            try:
                line = await peer.line()
            except asyncio.IncompleteReadError:
                return
            tag, _, rest = line.partition(b" ")
            self.received.append(rest.decode())
            too_long = len(line) + 2 > self.max_line
            answer = self._answer(tag, rest.decode())
            peer.say_raw(tag + b" BAD line too long\r\n" if too_long else answer)

    def _answer(self, tag: bytes, line: str) -> bytes:
        for pattern, refusal in self.refuses.items():
            if re.match(pattern, line):
                return tag + b" " + refusal + b"\r\n"
        if line.startswith(("SELECT", "EXAMINE")):
            return b"* OK [UIDVALIDITY 1] v\r\n" + tag + b" OK done\r\n"
        if match := re.match(r"UID FETCH ([\d:,]+) ", line):
            uids = self._uids(match[1], [*self.unread, *self.read])
            fetched = (b"* 1 FETCH (UID %d)\r\n" % uid for uid in uids)
            return b"".join(fetched) + tag + b" OK done\r\n"
        if not (match := re.match(r"UID SEARCH (?:RETURN \(([^)]*)\) )?(.*)", line)):
            return tag + b" OK done\r\n"
        options, keys = match[1], match[2]
        uids = [*self.unread] if "UNSEEN" in keys else [*self.unread, *self.read]
        if named := re.search(r"UID ([\d:,]+)", keys):
            uids = self._uids(named[1], uids)
        return (self.answer if options else plain)(tag, options or "", sorted(uids))

    def _uids(self, uids: str, there: list[int]) -> list[int]:
        ends = [[*map(int, part.split(":"))] for part in uids.split(",")]
        return [uid for uid in there if any(e[0] <= uid <= e[-1] for e in ends)]


def without(word: bytes, *, also: bytes = b"") -> Answer:
    """Return the answer of RFC 4731 without a word and the one after it."""

    def answer(tag: bytes, options: str, uids: list[int]) -> bytes:
        pattern = b" " + word + (also or rb" [\d:,]+")
        return re.sub(pattern, b"", esearch(tag, options, uids))

    return answer


# Sources: MailKit's ImapFolderSearch.cs (SEARCH instead of ESEARCH), jstedfast/MailKit#839 and
# kenn-io/msgvault#211 (RETURN is refused), MailKit#1177 (empty); the others are variants.
ANSWERS: dict[str, Answer] = {
    "RFC 4731": esearch,
    "SEARCH": plain,
    "SEARCH and ESEARCH": lambda tag, options, uids: (
        b"".join(plain(tag, options, uids).partition(b"\r\n")[:2])
        + esearch(tag, options, uids)
    ),
    "BAD": lambda tag, _options, _uids: tag + b" BAD unknown search key RETURN\r\n",
    "NO": lambda tag, _options, _uids: tag + b" NO not now\r\n",
    "SERVERBUG": lambda tag, _options, _uids: tag + b" NO [SERVERBUG] oops\r\n",
    "ALL without COUNT": without(b"COUNT"),
    "COUNT without ALL": without(b"ALL"),
    "no UID": without(b"UID", also=b""),
    "no tag": without(rb"\(TAG [^)]*\)", also=b" ?"),
    "another tag": lambda tag, options, uids: esearch(tag, options, uids, named=b"X1"),
    "empty": lambda tag, _options, _uids: b"* ESEARCH\r\n" + tag + b" OK done\r\n",
    "empty, with a tag": lambda tag, _options, _uids: (
        b'* ESEARCH (TAG "%b") UID\r\n%b OK done\r\n' % (tag, tag)
    ),
    "nothing": lambda tag, _options, _uids: tag + b" OK done\r\n",
    "COUNT 0 with ALL": lambda tag, options, uids: re.sub(
        rb"COUNT \d+ ALL", b"COUNT 0 ALL", esearch(tag, options, uids)
    ),
    "lower case": lambda tag, options, uids: (
        esearch(tag, options, uids)
        .replace(b"ESEARCH", b"esearch")
        .replace(b"COUNT", b"count")
        .replace(b"ALL", b"all")
    ),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_answer_to_return(answer: Answer) -> None:
    """The result is right in each form, and is never silently 0."""
    server = SearchServer(answer)
    async with serving(server) as client:
        for _ in range(2):
            found = await client.search("INBOX", Criteria(unread=True), limit=2)
            assert (found.total, found.uids) == (3, (9, 3))
            searches = [Criteria(unread=True), Criteria(), Criteria(raw="UNSEEN")]
            counted = await client.count("INBOX", searches, [1, 3, 4])
            assert counted == [
                SearchCount(total=3, matching=frozenset({3})),
                SearchCount(total=4, matching=frozenset({3, 4})),
                SearchCount(total=3, matching=frozenset({3})),
            ]


@pytest.mark.parametrize("answer", ["BAD", "NO", "SERVERBUG", "empty", "nothing"])
async def test_return_that_does_not_work(answer: str) -> None:
    """It is not sent again in the same session."""
    server = SearchServer(ANSWERS[answer])
    async with serving(server) as client:
        for _ in range(3):
            await client.search("INBOX", Criteria(unread=True), limit=2)
    assert sum("RETURN" in line for line in server.received) == 1


async def test_tags_of_other_searches() -> None:
    """A server that confuses tags is asked again, without RETURN."""
    tags: list[bytes] = []

    def answer(tag: bytes, options: str, uids: list[int]) -> bytes:
        tags.append(tag)
        return esearch(tag, options, uids, named=tags[0])

    async with serving(SearchServer(answer)) as client:
        counted = await client.count("INBOX", [Criteria(unread=True), Criteria()])
    assert [getattr(each, "total", None) for each in counted] == [3, 4]


@pytest.mark.parametrize(
    "refuses",
    [
        {"UID SEARCH (RETURN.*)?UID": b"BAD UID is not a key"},
        {"UID SEARCH (RETURN.*)?UID": b"NO [CANNOT] no"},
        {"UID SEARCH (RETURN|UID)": b"BAD no"},
    ],
)
@pytest.mark.parametrize("capabilities", [b"IMAP4rev1 ESEARCH", b"IMAP4rev1"])
async def test_key_uid_is_refused(
    refuses: dict[str, bytes], capabilities: bytes
) -> None:
    """The UIDs are compared here (grommunio: nextcloud/mail#13117)."""
    server = SearchServer(capabilities=capabilities, refuses=refuses)
    async with serving(server) as client:
        [counted] = await client.count("INBOX", [Criteria(unread=True)], [1, 3, 4])
    assert counted == SearchCount(total=3, matching=frozenset({3}))


async def test_criteria_that_are_refused() -> None:
    """The refusal is that of the criteria; where RETURN is known to work it is not tried twice."""
    server = SearchServer(refuses={".*BOGUS": b"BAD bogus key"})
    async with serving(server) as client:
        for _ in range(2):
            counted = await client.count(
                "INBOX", [Criteria(), Criteria(raw="BOGUS")], [3]
            )
            assert counted[0] == SearchCount(total=4, matching=frozenset({3}))
            assert isinstance(counted[1], CriteriaRefused)
            assert str(counted[1]) == "bogus key"
        with pytest.raises(CriteriaRefused, match="bogus"):
            await client.search("INBOX", Criteria(raw="BOGUS"), limit=1)
    sent = [line for line in server.received if "BOGUS" in line]
    assert len(sent) == 2 + 2 + 1


@pytest.mark.parametrize("refusal", [b"NO [UNAVAILABLE] x", b"NO [SERVERBUG] x"])
async def test_search_that_is_refused_for_now(refusal: bytes) -> None:
    """Unavailable is raised: the criteria may be valid."""
    server = SearchServer(refuses={"UID SEARCH": refusal})
    async with serving(server) as client:
        with pytest.raises(Unavailable):
            await client.search("INBOX", Criteria(), limit=1)
        with pytest.raises(Unavailable):
            await client.count("INBOX", [Criteria()], [3])


SPARSE = tuple(range(4_000_000_000, 4_000_001_000, 2))


@pytest.mark.parametrize(
    "uids",
    [SPARSE, tuple(range(1, 501)), tuple(range(1, 1001, 2))],
    ids=["sparse, ten digits", "one range", "sparse"],
)
@pytest.mark.parametrize("capabilities", [b"IMAP4rev1 ESEARCH", b"IMAP4rev1 MOVE"])
async def test_lines_below_1000_octets(
    uids: tuple[int, ...], capabilities: bytes
) -> None:
    """A server that takes no longer ones (RFC 2683 3.2.1.5) does all requests with 500 UIDs."""
    server = SearchServer(
        capabilities=capabilities, unread=uids, read=(), max_line=1_000
    )
    text = "x" * 900
    async with serving(server) as client:
        [counted] = await client.count("INBOX", [Criteria(unread=True)], uids)
        assert counted == SearchCount(total=500, matching=frozenset(uids))
        done = await client.set_flags("INBOX", 1, uids, add=["\\Seen", "$Work" * 9])
        assert done.uids == uids
        assert len(await client.mails("INBOX", 1, uids)) == 500
        if b"MOVE" in capabilities:
            with pytest.raises(NotMoved):  # this server moves nothing
                await client.move("INBOX", 1, uids, "Name of a folder " * 10)
        else:
            long = Criteria(subject=text, sender=text, text=text)
            await client.search("INBOX", long, limit=1)


@pytest.mark.parametrize(
    ("uids", "groups"),
    [
        ([], []),
        ([0, -1, 2**32], []),
        ([3, 1, 2, 2], [[1, 2, 3]]),
        (range(1, 1001), [[*range(1, 501)], [*range(501, 1001)]]),
    ],
    ids=["nothing", "invalid", "unordered", "500 at most"],
)
def test_chunks(uids: list[int], groups: list[list[int]]) -> None:
    """Valid UIDs are returned in ascending groups."""
    assert [*chunks(uids)] == groups


@pytest.mark.parametrize("step", [1, 2, 3, 7])
@pytest.mark.parametrize("first", [1, 95, 9_990, 4_294_960_000])
@pytest.mark.parametrize("rest", [0, 100, 5_000])
def test_chunks_are_short(step: int, first: int, rest: int) -> None:
    """A group is as long as a line allows, and all groups have all UIDs."""
    uids = [uid for uid in range(first, first + 7 * 990) if uid % 7 % step == 0]
    groups = [*chunks(uids, rest)]
    assert [uid for group in groups for uid in group] == uids
    lengths = [len(uid_set(group)) for group in groups]
    assert max(lengths) <= max(1000 - rest, 200) + 10
    if len(groups) > 1 and len(groups[0]) < 500:
        assert min(lengths[:-1]) > max(1000 - rest, 200) - 30


ENCODED = {
    5: "=?utf-8?q?Rechnung_f=C3=BCr_M=C3=A4rz?=",
    6: "Rechnung",
    7: "=?utf-8?b?UmVjaG51bmc=?=",
}


class GluonServer:
    """A server that compares the octets of the header, like Gluon."""

    def __init__(self, greeting: bytes) -> None:
        """Start with the text of the greeting."""
        self._greeting = greeting
        self.fetches = 0

    async def __call__(self, peer: Peer) -> None:
        """Answer the commands of one connection."""
        peer.say(b"* OK [CAPABILITY IMAP4rev1 LITERAL+] " + self._greeting)
        await peer.answer("LOGIN", ok=b"OK [CAPABILITY IMAP4rev1 LITERAL+] in")
        while True:
            try:
                line = await peer.line()
            except asyncio.IncompleteReadError:
                return
            tag = line.partition(b" ")[0]
            while match := re.search(rb"\{(\d+)\+\}$", line):
                line += await peer._reader.readexactly(int(match[1]))
                line += await peer.line()
            if b"EXAMINE" in line:
                peer.say(b"* OK [UIDVALIDITY 1] v")
            elif b"UID SEARCH" in line:
                found = [uid for uid in ENCODED if self._matches(uid, line)]
                peer.say(b"* SEARCH" + b"".join(b" %d" % uid for uid in found))
            elif b"UID FETCH" in line:
                self.fetches += 1
                for uid, subject in ENCODED.items():
                    peer.say_raw(mail(uid, uid, subject))
            peer.say(tag + b" OK done")

    def _matches(self, uid: int, line: bytes) -> bool:
        text = re.search(rb'SUBJECT (?:"([^"]*)"|\{\d+\+\}(.*))', line)
        word = (text[1] or text[2] or b"").lower() if text else b""
        return word in ENCODED[uid].lower().encode()


BRIDGE = b"Proton Mail Bridge 03.21.02 - gluon session ID 1"


@pytest.mark.parametrize(
    ("greeting", "subject", "uids"),
    [
        (BRIDGE, "rechnung", (7, 6, 5)),
        (BRIDGE, "für", (5,)),
        (BRIDGE, "FÜR MÄRZ", (5,)),
        (BRIDGE, "r M", (5,)),
        (BRIDGE, "nothing", ()),
        (BRIDGE, "utf-8", (7, 5)),
        (b"gluon ready", "für", (5,)),
        (b"Dovecot ready.", "rechnung", (6, 5)),
        (b"Dovecot ready.", "Rechnung für", ()),
    ],
)
async def test_server_that_compares_encoded_headers(
    greeting: bytes, subject: str, uids: tuple[int, ...]
) -> None:
    """The newest messages are compared here, too, where the greeting says that it is needed."""
    server = GluonServer(greeting)
    async with serving(server) as client:
        found = await client.search("INBOX", Criteria(subject=subject), limit=9)
        assert (found.uids, found.total) == (uids, len(uids))
        first = await client.search("INBOX", Criteria(subject=subject), limit=1)
        assert (first.uids, first.total) == (uids[:1], len(uids))
        fetches = server.fetches
        counted = await client.count("INBOX", [Criteria(subject=subject)] * 3, [5, 6])
        assert counted[2] == SearchCount(
            total=len(uids), matching=frozenset(uids) & {5, 6}
        )
        # The messages are fetched once for all searches, and not without a text to compare.
        assert server.fetches - fetches <= 1
        await client.search("INBOX", Criteria(unread=True), limit=9)
        assert server.fetches - fetches <= 1
