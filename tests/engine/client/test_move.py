"""Moves on servers that answer MOVE and COPY without COPYUID, or with one that is odd."""

import contextlib

import pytest

from custom_components.imap_push.imap import (
    CommandRefused,
    ConnectionLost,
    FolderNotFound,
    ImapError,
    MailNotFound,
    NotMoved,
    StoreResult,
)

from .folders import Answer, FolderServer, without_code
from .test_client import serving

BOTH = pytest.mark.parametrize(
    "capabilities", [b"MOVE UIDPLUS", b"UIDPLUS"], ids=["MOVE", "COPY"]
)

# Sources: RFC 4315 3 and MailCore/mailcore2#899 (no COPYUID), ruby/net-imap#250 and
# jstedfast/MailKit#115, #240; the others are variants of these.
ANSWERS: dict[str, Answer] = {
    "no COPYUID": without_code,
    "untagged": lambda tag, source, copies: (
        b"* OK [COPYUID 9 %b %b] x\r\n%b OK done\r\n" % (source, copies, tag)
    ),
    "tagged": lambda tag, source, copies: (
        b"%b OK [COPYUID 9 %b %b] done\r\n" % (tag, source, copies)
    ),
    "untagged and tagged": lambda tag, source, copies: (
        b"* OK [COPYUID 9 %b %b] x\r\n%b OK [COPYUID 9 %b %b] done\r\n"
        % (source, copies, tag, source, copies)
    ),
    "one for each message": lambda tag, _source, _copies: (
        b"* OK [COPYUID 9 2 11] x\r\n* OK [COPYUID 9 3 12] x\r\n"
        + tag
        + b" OK done\r\n"
    ),
    "spaces, UIDVALIDITY 0": lambda tag, source, copies: (
        b"* OK [COPYUID  0 %b %b ] x\r\n%b OK done\r\n" % (source, copies, tag)
    ),
    "without OK": lambda tag, source, copies: (
        b"* [COPYUID 9 %b %b]\r\n%b OK done\r\n" % (source, copies, tag)
    ),
    "without UIDVALIDITY": lambda tag, source, copies: (
        b"%b OK [COPYUID %b %b] done\r\n" % (tag, source, copies)
    ),
    "empty": lambda tag, _source, _copies: tag + b" OK [COPYUID] done\r\n",
    "sets of different size": lambda tag, source, _copies: (
        b"%b OK [COPYUID 9 %b 11] done\r\n" % (tag, source)
    ),
    "source and copies exchanged": lambda tag, source, copies: (
        b"%b OK [COPYUID 9 %b %b] done\r\n" % (tag, copies, source)
    ),
    "one piece is broken": lambda tag, _source, _copies: (
        b"* OK [COPYUID 9 2 11] x\r\n* OK [COPYUID 3] x\r\n" + tag + b" OK done\r\n"
    ),
    "another code": lambda tag, _source, _copies: (
        tag + b" OK [HIGHESTMODSEQ 9] done\r\n"
    ),
    "EXPUNGE and VANISHED": lambda tag, _source, _copies: (
        b"* 2 EXPUNGE\r\n* VANISHED 2:3\r\n" + tag + b" OK done\r\n"
    ),
    "refused after all": lambda tag, source, copies: (
        b"* OK [COPYUID 9 %b %b] x\r\n%b NO [EXPUNGEISSUED] x\r\n"
        % (source, copies, tag)
    ),
}


@BOTH
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_move_that_is_done(capabilities: bytes, answer: Answer) -> None:
    """It is reported as done, one copy is made of each message, and no other one is moved."""
    server = FolderServer(capabilities, answer)
    async with serving(server) as client:
        assert await client.move("INBOX", 1, [2, 3, 9], "To") == StoreResult(
            uids=(2, 3), missing=(9,)
        )
    assert server.folders == {"INBOX": {1: 1}, "To": {10: 10, 11: 2, 12: 3}}
    sent = [
        line for line in server.received if line.startswith(("UID MOVE", "UID COPY"))
    ]
    assert len(sent) == 1


@BOTH
async def test_delete_without_copyuid(capabilities: bytes) -> None:
    """The messages are moved to Trash."""
    server = FolderServer(capabilities)
    async with serving(server) as client:
        assert (await client.delete("INBOX", 1, [2, 3])).uids == (2, 3)
    assert server.folders == {"INBOX": {1: 1}, "To": {10: 10, 11: 2, 12: 3}}


async def test_move_without_uidplus() -> None:
    """What is not in the folder anymore was moved."""
    server = FolderServer(b"MOVE")
    async with serving(server) as client:
        assert (await client.move("INBOX", 1, [2, 3], "To")).uids == (2, 3)


@BOTH
@pytest.mark.parametrize(
    "header",
    [
        b"Message-ID: <%d@example.org>\r\n\r\n",
        b"Date: Mon, 30 Nov 2026 10:00:%02d +0000\r\n\r\n",
    ],
)
@pytest.mark.parametrize("target", [{}, {10: 10}, {10: 10, 900: 11}], ids=len)
async def test_nothing_was_moved(
    capabilities: bytes, header: bytes, target: dict[int, int]
) -> None:
    """A tagged OK of a server that did nothing: no message is lost, and NotMoved is raised."""
    server = FolderServer(capabilities, moves=False, header=header)
    server.folders["To"] = dict(target)
    async with serving(server) as client:
        with pytest.raises(NotMoved) as raised:
            await client.move("INBOX", 1, [2, 3], "To")
    assert raised.value.folder == "INBOX"
    assert server.folders == {"INBOX": {1: 1, 2: 2, 3: 3}, "To": target}


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(FolderServer(b"UIDPLUS", header=b""), id="no header fields"),
        pytest.param(
            FolderServer(b"UIDPLUS", refuses={"EXAMINE": b"NO [NOPERM] no"}),
            id="the target cannot be read (RFC 4315 3)",
        ),
        pytest.param(FolderServer(b"UIDPLUS", has_uid_next=False), id="no UIDNEXT"),
        pytest.param(
            FolderServer(b"UIDPLUS", refuses={"UID FETCH .*HEADER": b"NO no"}),
            id="the header cannot be shown",
        ),
        pytest.param(FolderServer(b"MOVE", header=b""), id="MOVE"),
        pytest.param(
            FolderServer(b"MOVE", refuses={"UID EXPUNGE": b"BAD no"}), id="no UIDPLUS"
        ),
    ],
)
async def test_move_that_cannot_be_checked(server: FolderServer) -> None:
    """The tagged OK counts (RFC 3501 6.4.7)."""
    async with serving(server) as client:
        assert (await client.move("INBOX", 1, [2, 3], "To")).uids == (2, 3)
    assert server.folders["To"] == {10: 10, 11: 2, 12: 3}
    assert server.folders["INBOX"] == {1: 1}


async def test_source_that_is_gone_after_a_move() -> None:
    """The server answered OK, so it is done."""
    server = FolderServer(b"MOVE")

    def answer(tag: bytes, source: bytes, copies: bytes) -> bytes:
        server.refuses["SELECT"] = b"NO [UNAVAILABLE] later"
        return without_code(tag, source, copies)

    server.answer = answer
    async with serving(server) as client:
        assert (await client.move("INBOX", 1, [2, 3], "To")).uids == (2, 3)


@pytest.mark.parametrize(
    ("refuses", "answer"),
    [
        ({"UID STORE": b"NO [NOPERM] no"}, "tagged"),
        ({"UID EXPUNGE": b"NO [NOPERM] no"}, "tagged"),
        ({"UID EXPUNGE": b"BAD no"}, "no COPYUID"),
        ({"UID STORE": b"NO [EXPUNGEISSUED] gone"}, "tagged"),
    ],
)
async def test_copy_that_cannot_be_removed(
    refuses: dict[str, bytes], answer: str
) -> None:
    """NotMoved says what it is, and the copy is not repeated."""
    server = FolderServer(b"UIDPLUS", ANSWERS[answer], refuses=refuses)
    async with serving(server) as client:
        with pytest.raises(NotMoved, match="copied, but not removed"):
            await client.move("INBOX", 1, [2, 3], "To")
    assert server.folders["To"] == {10: 10, 11: 2, 12: 3}


async def test_expunge_while_copies_are_removed() -> None:
    """STORE is repeated, COPY is not."""
    refusals = iter([b"NO [EXPUNGEISSUED] gone", b"NO [EXPUNGEISSUED] gone"])

    class Expunging(FolderServer):
        def _answer(self, tag: bytes, line: str) -> bytes:
            if line.startswith("UID STORE") and (refusal := next(refusals, b"")):
                return tag + b" " + refusal + b"\r\n"
            return super()._answer(tag, line)

    server = Expunging(b"UIDPLUS", ANSWERS["tagged"])
    async with serving(server) as client:
        assert (await client.move("INBOX", 1, [2, 3], "To")).uids == (2, 3)
    assert server.folders == {"INBOX": {1: 1}, "To": {10: 10, 11: 2, 12: 3}}


async def test_move_that_is_refused_in_the_middle() -> None:
    """What was moved before the refusal is reported when the rest is moved (RFC 6851 3.3)."""
    refused = iter([True])

    class Partial(FolderServer):
        def _transfer(self, tag: bytes, verb: str, uids: list[int], to: str) -> bytes:
            if not next(refused, False):
                return super()._transfer(tag, verb, uids, to)
            self.folders[to][20] = self.here.pop(uids[0])
            code = b"* OK [COPYUID 9 %d 20] x\r\n" % uids[0]
            return code + tag + b" NO [EXPUNGEISSUED] gone\r\n"

    server = Partial(b"MOVE UIDPLUS", ANSWERS["tagged"])
    async with serving(server) as client:
        assert (await client.move("INBOX", 1, [2, 3], "To")).uids == (2, 3)
    assert server.folders == {"INBOX": {1: 1}, "To": {10: 10, 20: 2, 11: 3}}


@BOTH
@pytest.mark.parametrize(
    ("refusal", "error", "folder"),
    [
        (b"NO [TRYCREATE] x", FolderNotFound, "To"),
        (b"NO Mailbox doesn't exist: To", FolderNotFound, "To"),
        (b"NO [OVERQUOTA] full", CommandRefused, "INBOX"),
        (b"BAD unknown command", CommandRefused, "INBOX"),
    ],
)
async def test_move_that_is_refused(
    capabilities: bytes, refusal: bytes, error: type[ImapError], folder: str
) -> None:
    """The error names the folder that is the reason."""
    server = FolderServer(capabilities, refuses={"UID (MOVE|COPY)": refusal})
    async with serving(server) as client:
        with pytest.raises(error) as raised:
            await client.move("INBOX", 1, [2, 3], "To")
    assert raised.value.folder == folder


async def test_connection_lost_after_a_copy() -> None:
    """It is not repeated, and it is not reported as moved."""
    server = FolderServer(b"UIDPLUS", ANSWERS["tagged"])
    server.refuses["UID STORE"] = b"BYE"  # not an answer: the connection ends
    async with serving(server, server) as client:
        with contextlib.suppress(NotMoved), pytest.raises(ConnectionLost):
            await client.move("INBOX", 1, [2, 3], "To")
    assert server.folders["To"] == {10: 10, 11: 2, 12: 3}


@pytest.mark.parametrize(
    ("refuses", "is_done"),
    [
        ({"UID FETCH": b"BAD no"}, True),
        ({"UID FETCH": b"NO [SERVERBUG] no"}, True),
        ({"UID STORE": b"NO no", "UID FETCH": b"NO no"}, False),
        ({"UID STORE": b"NO [NOPERM] no"}, False),
    ],
)
async def test_flags_that_cannot_be_checked(
    refuses: dict[str, bytes], is_done: bool
) -> None:
    """A STORE that was done is not reported as failed because FETCH is refused."""
    server = FolderServer(b"", refuses=refuses)
    expected = contextlib.nullcontext() if is_done else pytest.raises(ImapError)
    async with serving(server) as client:
        with expected:
            done = await client.set_flags("INBOX", 1, [2, 3], add=["\\Seen"])
            assert done == StoreResult(uids=(2, 3))


@pytest.mark.parametrize("refusal", [b"OK done", b"BAD no"])
async def test_folder_is_left_after_flags_are_set(refusal: bytes) -> None:
    """GNU mailutils 3.15 writes flags of an mbox file at UNSELECT; it costs no round trip."""
    server = FolderServer(b"UNSELECT", refuses={"UNSELECT": refusal})
    async with serving(server) as client:
        for _ in range(2):
            done = await client.set_flags("INBOX", 1, [2, 9], add=["\\Seen"])
            assert done == StoreResult(uids=(2,), missing=(9,))
    assert server.received[:-1] == 2 * [
        'SELECT "INBOX"',
        "UID STORE 2,9 +FLAGS.SILENT (\\Seen)",
        "UID FETCH 2,9 (UID)",
        "UNSELECT",
    ]


@BOTH
async def test_other_client_was_faster(capabilities: bytes) -> None:
    """Where a server sends COPYUID, messages without it were not moved (seen with pymap)."""

    class Expunged(FolderServer):
        def _transfer(self, tag: bytes, verb: str, uids: list[int], to: str) -> bytes:
            if uids == [1]:
                return super()._transfer(tag, verb, uids, to)
            del self.here[2], self.here[3]
            return tag + b" OK no messages\r\n"

    server = Expunged(capabilities, ANSWERS["tagged"])
    async with serving(server) as client:
        await client.move("INBOX", 1, [1], "To")
        with pytest.raises(MailNotFound):
            await client.move("INBOX", 1, [2, 3], "To")
    assert server.folders == {"INBOX": {}, "To": {10: 10, 11: 1}}
