"""The client on servers with few capabilities, wrong responses, or connections that fail."""

import asyncio
from collections.abc import Awaitable, Callable
import contextlib
import re
from typing import Any

import pytest

from custom_components.imap_push.imap import (
    AppPasswordNeeded,
    Client,
    ConnectionLost,
    Criteria,
    CriteriaRefused,
    FlagRefused,
    FolderInfo,
    FolderNotFound,
    FolderRenumbered,
    FolderRole,
    ImapError,
    LoginRefused,
    MailNotFound,
    NotMoved,
    OAuthNeeded,
    PartNotFound,
    ProtocolError,
    SearchCount,
    SearchResult,
    ServerSilent,
    StoreResult,
    Throttled,
    TooManyConnections,
    Unavailable,
    Unsupported,
)
from custom_components.imap_push.imap.client import persistent_session

from ..conftest import account
from ..light import served
from ..scripted import Peer, Script, ScriptedServer, mail
from ..virtual import VirtualLoop, run

from tests.rig.light_client import Pipelining

MANY_CAPABILITIES = b"IMAP4rev1 ESEARCH LITERAL+ MOVE UIDPLUS SPECIAL-USE LIST-EXTENDED"
FEW_CAPABILITIES = b"IMAP4rev1"
INBOX = FolderInfo(name="INBOX", role=FolderRole.INBOX)


class AnswerScript:
    """A server script: the first pattern that matches a command selects the response."""

    def __init__(
        self,
        answers: dict[str, Any] | None = None,
        capabilities: bytes = MANY_CAPABILITIES,
        uid_validity: int = 1,
    ) -> None:
        """Set the responses by pattern.

        The last line gets the tag of the command. If it is empty, the connection is closed.
        LIST lists INBOX, SEARCH RETURN finds nothing, and any other command is answered with OK.
        """
        self._answers = answers or {}
        self._capabilities = capabilities
        self._uid_validity = uid_validity
        self.received: list[str] = []

    async def __call__(self, peer: Peer) -> None:
        """Answer the commands of one connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await peer.log_in(self._capabilities)
            while True:
                await self._answer(peer, await peer.line())

    async def _answer(self, peer: Peer, line: bytes) -> None:
        tag, _, rest = line.partition(b" ")
        command = rest.decode("latin-1")
        while literal := re.search(r"\{(\d+)(\+?)\}$", command):
            if not literal[2]:
                peer.say(b"+ go on")
            octets = await peer._reader.readexactly(int(literal[1]))
            line = await peer.line()
            command += octets.decode("latin-1") + line.decode("latin-1")
        self.received.append(command)
        for pattern, lines in self._answers.items():
            if re.match(pattern, command):
                *untagged, status = [lines] if isinstance(lines, bytes) else lines
                peer.say_raw(b"".join(lines.replace(b"TAG", tag) for lines in untagged))
                if status:
                    peer.say(tag + b" " + status)
                else:
                    peer.close()
                return
        if command.startswith(("EXAMINE", "SELECT")):
            peer.say(b"* OK [UIDVALIDITY %d] valid" % self._uid_validity)
        if command.startswith("LIST"):
            peer.say(b"* LIST () NIL INBOX")
        if command.startswith("UID SEARCH RETURN"):
            peer.say(b'* ESEARCH (TAG "%b") UID COUNT 0' % tag)
        peer.say(tag + b" OK done")


@contextlib.asynccontextmanager
async def serving(*scripts: Script):  # type: ignore[no-untyped-def]
    """Yield a client of a server that runs these scripts, one for each connection."""
    async with ScriptedServer(*scripts) as server:
        client = Client(account(server.port))
        yield client
        await client.close()


FETCHED_5_AND_7 = b"* 1 FETCH (UID 5)\r\n* 2 FETCH (UID 7)\r\n"


@pytest.mark.parametrize(
    ("capabilities", "answers", "sent"),
    [
        pytest.param(
            MANY_CAPABILITIES,
            {"UID SEARCH": [b'* ESEARCH (TAG "TAG") UID COUNT 4 ALL 2,5:7\r\n', b"OK"]},
            ["UID SEARCH RETURN (COUNT ALL) CHARSET UTF-8 FROM {2+}é"],
            id="ESEARCH, LITERAL+",
        ),
        pytest.param(
            b"IMAP4rev1 LITERAL-",
            {"UID SEARCH": [b"* SEARCH 6 2\r\n* SEARCH 5 7 7\r\n", b"OK"]},
            ["UID SEARCH CHARSET UTF-8 FROM {2+}é"],
            id="SEARCH, LITERAL-",
        ),
        pytest.param(
            FEW_CAPABILITIES,
            {"UID SEARCH": [b"* SEARCH 6 2 5 7\r\n", b"OK"]},
            ["UID SEARCH CHARSET UTF-8 FROM {2}é"],
            id="IMAP4rev1 only",
        ),
        pytest.param(
            FEW_CAPABILITIES,
            {
                "UID SEARCH CHARSET UTF-8": b"NO [BADCHARSET (KOI8-R ISO-8859-1)] no",
                "UID SEARCH": [b"* SEARCH 6 2 5 7\r\n", b"OK"],
            },
            [
                "UID SEARCH CHARSET UTF-8 FROM {2}é",
                "UID SEARCH CHARSET ISO-8859-1 FROM {1}\xe9",
            ],
            id="another charset",
        ),
    ],
)
async def test_search_for_text_that_is_not_ascii(
    capabilities: bytes, answers: dict[str, Any], sent: list[str]
) -> None:
    """The command depends on the capabilities, and the result is the same."""
    script = AnswerScript(answers, capabilities)
    async with serving(script) as client:
        found = await client.search("INBOX", Criteria(sender="é"), limit=3)
    assert found == SearchResult(uid_validity=1, uids=(7, 6, 5), total=4)
    searches = [line for line in script.received if line.startswith("UID SEARCH")]
    assert [line.replace("Ã©", "é") for line in searches] == sent


def header(uid: int, subject: str) -> bytes:
    """Return a FETCH response."""
    return mail(uid, uid, subject)


NO_CHARSET: dict[str, Any] = {
    r"UID SEARCH .*CHARSET": b"NO [BADCHARSET (US-ASCII)] only English",
    "UID SEARCH": [b'* ESEARCH (TAG "TAG") UID COUNT 2 ALL 5,7\r\n', b"OK"],
    "UID FETCH": [header(5, "Größe"), header(7, "other"), b"OK"],
}


async def test_server_without_charsets() -> None:
    """The client searches header fields itself; a text search raises the refusal of the server."""
    async with serving(AnswerScript(NO_CHARSET)) as client:
        subject = Criteria(subject="GRÖSSE", unread=True)
        assert (await client.search("INBOX", subject, limit=9)).total == 1
        other = Criteria(subject="groß")
        assert (await client.search("INBOX", other, limit=9)).total == 0
        found = await client.search("INBOX", subject, limit=9)
        assert (found.uids, found.total) == ((5,), 1)
        with pytest.raises(CriteriaRefused, match="only English"):
            await client.search("INBOX", Criteria(text="ö"), limit=9)
        counted = await client.count(
            "INBOX", [subject, Criteria(text="ö"), Criteria()], among=[5, 7]
        )
    assert counted[0] == SearchCount(total=1, matching=frozenset({5}))
    assert isinstance(counted[1], CriteriaRefused)
    assert counted[2] == SearchCount(total=2, matching=frozenset({5, 7}))


MOVE_ANSWERS: dict[str, Any] = {
    "UID FETCH": [FETCHED_5_AND_7, b"OK"],
    "UID (COPY|MOVE)": [b"* OK [COPYUID 9 5,7 1:2] ok\r\n", b"OK"],
}


@pytest.mark.parametrize(
    ("capabilities", "answers", "sent"),
    [
        pytest.param(b"MOVE", MOVE_ANSWERS, ['UID MOVE 5,7 "To"'], id="MOVE"),
        pytest.param(
            b"MOVE UIDPLUS",
            MOVE_ANSWERS | {"UID MOVE": b"OK [COPYUID 9 5,7 1:2] moved"},
            ['UID MOVE 5,7 "To"'],
            id="MOVE, COPYUID in the tagged OK",
        ),
        pytest.param(
            b"UIDPLUS",
            MOVE_ANSWERS,
            [
                'UID COPY 5,7 "To"',
                "UID STORE 5,7 +FLAGS.SILENT (\\Deleted)",
                "UID EXPUNGE 5,7",
            ],
            id="COPY and UID EXPUNGE",
        ),
    ],
)
async def test_move(
    capabilities: bytes, answers: dict[str, Any], sent: list[str]
) -> None:
    """The commands depend on the capabilities, and EXPUNGE without UIDs is never sent."""
    script = AnswerScript(answers, b"IMAP4rev1 " + capabilities)
    async with serving(script) as client:
        done = await client.move("INBOX", 1, [7, 6, 5], "To")
    assert done == StoreResult(uids=(7, 5), missing=(6,))
    assert script.received[2:-1] == sent


@pytest.mark.parametrize(
    ("capabilities", "answers", "error", "never"),
    [
        pytest.param(
            b"", {}, Unsupported, "UID (COPY|STORE)", id="no MOVE, no UIDPLUS"
        ),
        pytest.param(
            b"MOVE UIDPLUS",
            {"UID MOVE": b"OK done"},
            NotMoved,
            "UID EXPUNGE",
            id="nothing was moved",
        ),
        pytest.param(
            b"MOVE",
            {"UID MOVE": b"NO [TRYCREATE] make it first"},
            FolderNotFound,
            "CREATE",
            id="no such folder",
        ),
        pytest.param(
            b"MOVE",
            {"UID MOVE": b"NO [OVERQUOTA] full"},
            ImapError,
            "UID STORE",
            id="full",
        ),
        pytest.param(
            b"MOVE",
            {"UID MOVE": b"NO [EXPUNGEISSUED] gone"},
            ImapError,
            "UID STORE",
            id="expunged each time",
        ),
        pytest.param(
            b"MOVE",
            {"SELECT": [b"* OK [UIDVALIDITY 1] v\r\n", b"OK [READ-ONLY] look"]},
            Unsupported,
            "UID MOVE",
            id="read-only",
        ),
        pytest.param(
            b"MOVE",
            {"SELECT": [b"* OK [UIDVALIDITY 2] v\r\n", b"OK"]},
            FolderRenumbered,
            "UID MOVE",
            id="renumbered",
        ),
        pytest.param(
            b"MOVE",
            {"SELECT": b"NO [UNAVAILABLE] later"},
            Unavailable,
            "UID MOVE",
            id="later",
        ),
    ],
)
async def test_move_that_fails(
    capabilities: bytes, answers: dict[str, Any], error: type[ImapError], never: str
) -> None:
    """The error has the right type, and no message is changed."""
    script = AnswerScript(
        answers | {"UID FETCH": [FETCHED_5_AND_7, b"OK"]}, b"IMAP4rev1 " + capabilities
    )
    async with serving(script) as client:
        with pytest.raises(error):
            await client.move("INBOX", 1, [5, 7], "To")
    assert not [line for line in script.received if re.match(never, line)]


@pytest.mark.parametrize(
    ("folder", "to"), [("INBOX", "Inbox"), ("inbox", "INBOX"), ("Größe", "Größe")]
)
async def test_move_to_the_same_folder(folder: str, to: str) -> None:
    """It is refused: each message would get another UID and count as new mail."""
    script = AnswerScript(MOVE_ANSWERS)
    async with serving(script) as client:
        with pytest.raises(Unsupported):
            await client.move(folder, 1, [5], to)
    assert script.received == ["LOGOUT"]


async def test_delete_without_trash_and_uidplus() -> None:
    """Unsupported is raised, and no message is changed."""
    script = AnswerScript(capabilities=FEW_CAPABILITIES)
    async with serving(script) as client:
        with pytest.raises(Unsupported, match="Trash"):
            await client.delete("INBOX", 1, [5])
        with pytest.raises(Unsupported):
            await client.delete("INBOX", 1, [5], permanently=True)
    assert script.received[:-1] == ['LIST "" "*"']


async def test_several_trash_folders() -> None:
    """Deleted messages are moved to the top-level Trash, not to one in another folder."""
    names = (b"Archive/Trash", b"Other Users/ann/Trash", b"Trash", b"Work/Trash")
    answers = {
        "LIST": [b"".join(b'* LIST () "/" "%b"\r\n' % name for name in names), b"OK"],
        "UID FETCH": [FETCHED_5_AND_7, b"OK"],
        "UID MOVE": b"OK [COPYUID 9 5 1] moved",
    }
    script = AnswerScript(answers)
    async with serving(script) as client:
        await client.delete("INBOX", 1, [5])
    assert 'UID MOVE 5 "Trash"' in script.received


async def test_message_expunged_during_a_move() -> None:
    """The messages that still exist are moved."""
    refusals = iter([b"NO [EXPUNGEISSUED] gone"])

    class Expunging(AnswerScript):
        async def _answer(self, peer: Peer, line: bytes) -> None:
            if b"UID MOVE" in line and (refusal := next(refusals, b"")):
                self._answers["UID FETCH"] = [b"* 1 FETCH (UID 7)\r\n", b"OK"]
                peer.say(line.split()[0] + b" " + refusal)
                return
            await super()._answer(peer, line)

    answers = {
        "UID FETCH": [FETCHED_5_AND_7, b"OK"],
        "UID MOVE": b"OK [COPYUID 9 7 1] moved",
    }
    async with serving(Expunging(answers)) as client:
        done = await client.move("INBOX", 1, [5, 7], "To")
    assert done == StoreResult(uids=(7,), missing=(5,))


@pytest.mark.parametrize(
    ("listed", "folders"),
    [
        pytest.param(
            b'* LIST (\\HasChildren \\Sent) "/" "Gesendet"\r\n'
            b'* LIST (\\Noselect) "/" "Top"\r\n* LIST (\\NonExistent) "/" Gone\r\n'
            b'* LIST () "/" inbox\r\n* LIST (\\Trash) "." {5}\r\nM&-M!\r\n* LIST () NIL Trash\r\n',
            [
                FolderInfo(name="INBOX", delimiter="/", role=FolderRole.INBOX),
                FolderInfo(name="Gesendet", delimiter="/", role=FolderRole.SENT),
                FolderInfo(name="M&M!", delimiter=".", role=FolderRole.TRASH),
                FolderInfo(name="Trash"),
            ],
            id="special use",
        ),
        pytest.param(
            b'* LIST () "." INBOX.Papierkorb\r\n* LIST () "." "INBOX.Entw&APw-rfe"\r\n'
            b'* LIST () "." Other\r\n* LIST () "." Other\r\n',
            [
                INBOX,
                FolderInfo(
                    name="INBOX.Entwürfe", delimiter=".", role=FolderRole.DRAFTS
                ),
                FolderInfo(
                    name="INBOX.Papierkorb", delimiter=".", role=FolderRole.TRASH
                ),
                FolderInfo(name="Other", delimiter="."),
            ],
            id="by usual names",
        ),
        pytest.param(
            b'* LIST (\\Sent) "/" Post\r\n* LIST () "/" Sent\r\n* LIST () "/" Trash\r\n',
            [
                INBOX,
                FolderInfo(name="Post", delimiter="/", role=FolderRole.SENT),
                FolderInfo(name="Sent", delimiter="/"),
                FolderInfo(name="Trash", delimiter="/", role=FolderRole.TRASH),
            ],
            id="special use of some folders",
        ),
        pytest.param(
            b"* LIST\r\n* LIST () () ()\r\n* LIST x\r\n",
            [INBOX],
            id="garbage",
        ),
        pytest.param(
            b'* LIST () "/" NIL\r\n* LIST () "/" ""\r\n* LIST (\\Sent) "/" Sent Items\r\n',
            [
                INBOX,
                FolderInfo(name="NIL", delimiter="/"),
                FolderInfo(name="Sent Items", delimiter="/", role=FolderRole.SENT),
            ],
            id="names without quotes",
        ),
        pytest.param(
            b'* LIST () "/" {8}\r\nEntw\xfcrfe\r\n'
            + '* LIST () "/" "Entwürfe"\r\n* LIST () "/" R&D\r\n'.encode(),
            [
                INBOX,
                FolderInfo(name="raw:Entw%FCrfe", delimiter="/"),
                FolderInfo(name="raw:Entwürfe", delimiter="/", role=FolderRole.DRAFTS),
                FolderInfo(name="raw:R&D", delimiter="/"),
            ],
            id="names that are not modified UTF-7",
        ),
    ],
)
async def test_folders(listed: bytes, folders: list[FolderInfo]) -> None:
    """The role of a folder comes from its SPECIAL-USE attribute, or from a common name."""
    script = AnswerScript({"LIST": [listed, b"OK"]})
    async with serving(script) as client:
        assert await client.folders() == folders
    assert script.received[0] == 'LIST "" "*" RETURN (SPECIAL-USE)'


LISTED: list[Any] = [b'* LIST () "/" INBOX\r\n* LIST () "/" Trash\r\n', b"OK"]


@pytest.mark.parametrize(
    ("returned", "listed", "names", "commands"),
    [
        pytest.param(LISTED, LISTED, ["INBOX", "Trash"], 1, id="as it should be"),
        pytest.param(
            b"OK", LISTED, ["INBOX", "Trash"], 2, id="strato.de, MailKit#1957"
        ),
        pytest.param(b"BAD x", LISTED, ["INBOX", "Trash"], 2, id="MailKit#674"),
        pytest.param(b"NO x", LISTED, ["INBOX", "Trash"], 2, id="NO"),
        pytest.param(
            b"NO [SERVERBUG] x", LISTED, ["INBOX", "Trash"], 2, id="SERVERBUG"
        ),
        pytest.param(
            [b'* LIST (\\Trash) "/" Trash\r\n', b"OK"],
            LISTED,
            ["INBOX", "Trash"],
            2,
            id="only folders with a special use",
        ),
        pytest.param(
            [b'* LIST (\\Noselect) "" ""\r\n', b"OK"],
            LISTED,
            ["INBOX", "Trash"],
            2,
            id="only the root",
        ),
        pytest.param(b"OK", b"OK", ["INBOX"], 2, id="nothing"),
        pytest.param(
            b"OK",
            [b'* LIST () "/" Work\r\n', b"OK"],
            ["INBOX", "Work"],
            2,
            id="no INBOX",
        ),
    ],
)
async def test_list_that_is_incomplete(
    returned: Any, listed: Any, names: list[str], commands: int
) -> None:
    """LIST without RETURN is sent where RETURN lists no INBOX, which always exists."""
    script = AnswerScript({"LIST .*RETURN": returned, "LIST": listed})
    async with serving(script) as client:
        assert [folder.name for folder in await client.folders()] == names
    assert len(script.received) == commands + 1


async def test_list_that_is_refused() -> None:
    """The error is that of LIST without RETURN."""
    async with serving(AnswerScript({"LIST": b"NO [UNAVAILABLE] later"})) as client:
        with pytest.raises(Unavailable):
            await client.folders()


@pytest.mark.parametrize(
    "octets",
    [
        b"R&D",
        b"Foo & Bar",
        "Entwürfe".encode(),
        b"Entw\xfcrfe",
        b"&AGEAYg-c",
        b"a&",
        b"&Jjo",
        b"&BDAAJgQx-",
        b"Entw&APw-rfe",
        b"R&-D",
    ],
    ids=repr,
)
async def test_folder_as_listed(octets: bytes) -> None:
    """A folder is opened, and used as a target, by the octets of LIST (modern-email/defects#46)."""
    listed = [b'* LIST (\\Trash) "/" "%b"\r\n' % octets, b"OK"]
    script = AnswerScript(MOVE_ANSWERS | {"LIST": listed})
    name = octets.decode("latin-1")
    async with serving(script) as client:
        [_, folder] = await client.folders()
        await client.search(folder.name, Criteria(), limit=1)
        await client.set_flags(folder.name, 1, [5], add=["\\Seen"])
        await client.move("INBOX", 1, [5, 7], folder.name)
        await client.delete("INBOX", 1, [5, 7])
    assert f'EXAMINE "{name}"' in script.received
    assert f'SELECT "{name}"' in script.received
    assert script.received.count(f'UID MOVE 5,7 "{name}"') == 2


@pytest.mark.parametrize(
    "again", [False, True], ids=["new connection", "open connection"]
)
async def test_connection_lost_during_a_request(again: bool) -> None:
    """The request is repeated one time on a new connection, unless the lost one was new."""
    closing = {"UID SEARCH .*FLAGGED": b""}
    usable = AnswerScript({"UID SEARCH": [b"* ESEARCH UID COUNT 3\r\n", b"OK"]})
    async with serving(AnswerScript(closing), usable) as client:
        if again:
            await client.search("INBOX", Criteria(), limit=1)
            found = await client.search("INBOX", Criteria(flagged=True), limit=1)
            assert found.total == 3
        else:
            with pytest.raises(ConnectionLost):
                await client.search("INBOX", Criteria(flagged=True), limit=1)


async def test_connection_lost_after_a_copy() -> None:
    """The result of COPY is unknown, so it is not repeated."""
    script = AnswerScript({"UID COPY": b""} | MOVE_ANSWERS, b"IMAP4rev1 UIDPLUS")
    async with serving(script) as client:
        await client.folders()
        with pytest.raises(ConnectionLost):
            await client.move("INBOX", 1, [5, 7], "To")


async def test_login_refused() -> None:
    """The refusal is raised again without another login for one minute."""

    async def refuse(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
        await peer.answer("LOGIN", ok=b"NO [AUTHENTICATIONFAILED] wrong")

    async with serving(refuse) as client:
        for _ in range(3):
            with pytest.raises(LoginRefused, match="wrong"):
                await client.folders()


@pytest.mark.parametrize(
    ("refusal", "error", "seconds"),
    [
        (b"Application-specific password required", AppPasswordNeeded, 60.0),
        (b"BasicAuthBlocked, use OAUTH", OAuthNeeded, 60.0),
        (b"throttled. Suggested Backoff Time: 200000 milliseconds", Throttled, 200.0),
    ],
    ids=["app password", "OAuth", "throttled"],
)
def test_login_refused_for_a_reason(
    refusal: bytes, error: type[ImapError], seconds: float
) -> None:
    """Each request raises the same error, without another login in the time the server names."""

    async def refuse(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
        await peer.answer("LOGIN", ok=b"NO " + refusal)

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [refuse, AnswerScript()]
        client = Client(account(993))
        for pause in (0.0, 1.0, seconds - 2):
            await asyncio.sleep(pause)
            with pytest.raises(error):
                await client.folders()
        await asyncio.sleep(2)
        assert await client.folders() == [INBOX]
        await client.close()

    run(main)


def test_login_after_a_refusal() -> None:
    """The client logs in again after REFUSAL_PAUSE_SECONDS."""

    async def refuse(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
        await peer.answer("LOGIN", ok=b"NO [AUTHENTICATIONFAILED] wrong")

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [refuse, AnswerScript()]
        client = Client(account(993))
        with pytest.raises(LoginRefused):
            await client.folders()
        await asyncio.sleep(persistent_session.REFUSAL_PAUSE_SECONDS)
        assert await client.folders() == [INBOX]
        await client.close()

    run(main)


def test_connection_stays_open_while_it_is_used() -> None:
    """It is closed after five minutes without a request, and the next request opens another."""

    async def main(loop: VirtualLoop) -> None:
        first, second = AnswerScript(), AnswerScript()
        loop.scripts = [first, second]
        client = Client(account(993))
        await client.folders()
        await asyncio.sleep(persistent_session.PROBE_AFTER_SECONDS - 1)
        await client.folders()
        await asyncio.sleep(persistent_session.CLOSE_AFTER_SECONDS - 1)
        await client.folders()
        listing = 'LIST "" "*" RETURN (SPECIAL-USE)'
        assert first.received == [listing, listing, "NOOP", listing]
        await asyncio.sleep(persistent_session.CLOSE_AFTER_SECONDS + 1)
        assert first.received[-1] == "LOGOUT"
        assert len(loop.connected_at) == 1
        await client.folders()
        await client.close()
        assert second.received == [listing, "LOGOUT"]
        with pytest.raises(ConnectionLost):
            await client.folders()

    run(main)


def test_connection_lost_without_a_reset() -> None:
    """NOOP times out after PROBE_TIMEOUT_SECONDS, and the connection is replaced."""

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [AnswerScript(), AnswerScript()]
        client = Client(account(993))
        await client.folders()
        loop.is_blackhole = True
        await asyncio.sleep(persistent_session.PROBE_AFTER_SECONDS)
        requested_at = loop.time()
        loop.call_later(
            persistent_session.PROBE_TIMEOUT_SECONDS - 1,
            setattr,
            loop,
            "_is_blackhole",
            False,
        )
        assert await client.folders() == [INBOX]
        assert loop.time() - requested_at < persistent_session.PROBE_TIMEOUT_SECONDS + 1
        assert len(loop.connected_at) == 2
        await client.close()

    run(main)


async def test_connection_closed_between_requests() -> None:
    """The next request opens a new connection."""
    first = AnswerScript({"LIST": [b"* LIST () NIL INBOX\r\nTAG OK\r\n* BYE\r\n", b""]})
    async with serving(first, AnswerScript()) as client:
        assert await client.folders() == [INBOX]
        await asyncio.sleep(0.01)
        assert await client.folders() == [INBOX]


@pytest.mark.parametrize(
    ("seconds", "connections"), [(1.0, 1), (60.0, 2)], ids=["late", "never"]
)
def test_cancelled_request(seconds: float, connections: int) -> None:
    """The next request gets its own responses; a new connection is opened only on timeout."""

    class Slow(AnswerScript):
        """Waits before it answers LIST."""

        async def _answer(self, peer: Peer, line: bytes) -> None:
            if b"LIST" in line:
                await asyncio.sleep(seconds)
            await super()._answer(peer, line)

    async def main(loop: VirtualLoop) -> None:
        answers = {"UID SEARCH": [b"* ESEARCH UID COUNT 3\r\n", b"OK"]}
        loop.scripts = [Slow(answers), AnswerScript(answers)]
        client = Client(account(993))
        cancelled = asyncio.create_task(client.folders())
        waiting = asyncio.create_task(client.search("INBOX", Criteria(), limit=1))
        await asyncio.sleep(0.5)
        cancelled.cancel()
        assert (await waiting).total == 3
        assert cancelled.cancelled()
        assert len(loop.connected_at) == connections
        await client.close()

    run(main)


async def test_close_during_a_request() -> None:
    """The waiting request raises ConnectionLost."""
    listening = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.log_in(MANY_CAPABILITIES)
        await peer.expect("LIST")
        listening.set()
        await peer.until_closed()

    async with serving(silent) as client:
        request = asyncio.create_task(client.folders())
        await listening.wait()
        await client.close()
        with pytest.raises(ConnectionLost):
            await request


async def test_too_many_connections() -> None:
    """The response code LIMIT raises TooManyConnections."""

    async def refuse(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
        await peer.answer("LOGIN", ok=b"NO [LIMIT] too many")

    async with serving(refuse) as client:
        with pytest.raises(TooManyConnections):
            await client.folders()


@pytest.mark.parametrize(
    ("answer", "total", "uids"),
    [
        (b'* ESEARCH (TAG "TAG") UID COUNT 9 ALL 1:4294967295\r\n', 9, 3),
        (b'* ESEARCH (TAG "TAG") UID\r\n', 0, 0),
        (b"* ESEARCH\r\n", 0, 0),
        (b"* ESEARCH (TAG x) UID ALL 0,x,5:,:7,99999999999999,4:2 COUNT -3\r\n", 4, 3),
        (b"* ESEARCH UID COUNT 7 ALL %b\r\n" % b",".join([b"7"] * 90_000), 7, 1),
    ],
    ids=["billions", "nothing", "less", "garbage", "long"],
)
async def test_invalid_search_responses(answer: bytes, total: int, uids: int) -> None:
    """Memory is limited, and the result has only UIDs and counts from valid numbers."""
    async with serving(AnswerScript({"UID SEARCH": [answer, b"OK"]})) as client:
        found = await client.search("INBOX", Criteria(), limit=3)
    assert (found.total, len(found.uids)) == (total, uids)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"* 1 FETCH (UID 6 FLAGS ())\r\n",
        b"* 1 FETCH (UID 5 FLAGS ())\r\n",
        b"* 1 FETCH (\r\n",
    ],
    ids=["nothing", "another mail", "flags only", "garbage"],
)
async def test_fetch_without_the_message(answer: bytes) -> None:
    """MailNotFound is raised if no FETCH response has the UID and the requested items."""
    async with serving(AnswerScript({"UID FETCH": [answer, b"OK"]})) as client:
        with pytest.raises(MailNotFound):
            await client.content("INBOX", 1, 5, text_size=9)
        with pytest.raises(MailNotFound):
            await client.attachment("INBOX", 1, 5, "1")
        with pytest.raises(MailNotFound):
            await client.content("INBOX", 1, 0, text_size=9)


async def test_refused_fetch() -> None:
    """An expunged message is missing; one that the server cannot return has only its UID."""
    gone = AnswerScript({"UID FETCH": b"NO [EXPUNGEISSUED] gone"})
    async with serving(gone) as client:
        with pytest.raises(MailNotFound):
            await client.content("INBOX", 1, 5, text_size=9)
        assert await client.mails("INBOX", 1, [5, 7]) == []
    broken = AnswerScript(
        {
            "UID FETCH 5 ": b"NO [SERVERBUG] Internal error occurred.",
            "UID FETCH 5,": b"NO [SERVERBUG] Internal error occurred.",
            "UID FETCH": [header(7, "seven"), b"OK"],
        }
    )
    async with serving(broken) as client:
        mails = await client.mails("INBOX", 1, [7, 5, 7])
        assert [(mail.uid, mail.subject) for mail in mails] == [(7, "seven"), (5, "")]
    refused = AnswerScript({"UID FETCH": b"NO [UNAVAILABLE] later"})
    async with serving(refused) as client:
        with pytest.raises(Unavailable):
            await client.mails("INBOX", 1, [5])
        with pytest.raises(Unavailable):
            await client.content("INBOX", 1, 5, text_size=9)


def structure(encoding: str, size: int = 10) -> list[bytes]:
    """Return the responses to a FETCH of a BODYSTRUCTURE with one part."""
    text = f'("application" "pdf" NIL NIL NIL "{encoding}" {size})'
    return [f"* 1 FETCH (UID 5 BODYSTRUCTURE {text})\r\n".encode(), b"OK"]


async def read(client: Client) -> bytes:
    """Return the content of part 1."""
    return b"".join([piece async for piece in client.read_part("INBOX", 1, 5, "1")])


@pytest.mark.parametrize(
    ("encoding", "body", "content"),
    [
        ("base64", b"aGVsbG8=", b"hello"),
        ("quoted-printable", b"h=65llo=\r\n you  \r\n=", b"hello you\r\n"),
        ("8bit", b"\x00\xff", b"\x00\xff"),
        ("x-odd", b"", b""),
    ],
)
async def test_transfer_encoding_of_a_part(
    encoding: str, body: bytes, content: bytes
) -> None:
    """A part is decoded by its transfer encoding; an unknown one is not decoded."""
    piece = b"* 1 FETCH (UID 5 BODY[1]<0> {%d}\r\n%b)\r\n" % (len(body), body)
    answers: dict[str, Any] = {
        ".*BODYSTRUCTURE": structure(encoding),
        "UID FETCH": [piece, b"OK"],
    }
    async with serving(AnswerScript(answers)) as client:
        assert await read(client) == content


async def test_part_that_cannot_be_read() -> None:
    """More octets than requested raise ProtocolError; no BODYSTRUCTURE raises PartNotFound."""
    body = b"x" * 300_000
    piece = b"* 1 FETCH (UID 5 BODY[1] {%d}\r\n%b)\r\n" % (len(body), body)
    answers: dict[str, Any] = {
        ".*BODYSTRUCTURE": structure("7bit"),
        "UID FETCH": [piece, b"OK"],
    }
    async with serving(AnswerScript(answers), AnswerScript(answers)) as client:
        with pytest.raises(ProtocolError):
            await read(client)
    async with serving(
        AnswerScript(
            {".*BODYSTRUCTURE": [b"* 1 FETCH (UID 5 BODYSTRUCTURE NIL)\r\n", b"OK"]}
        )
    ) as client:
        with pytest.raises(PartNotFound):
            await client.attachment("INBOX", 1, 5, "1")


async def test_text_without_a_usable_structure() -> None:
    """The type of the text comes from the header if BODYSTRUCTURE is invalid."""
    head = b"Content-Type: text/html\r\nSubject: =?utf-8?q?=C3=A9?=\r\nX: y\r\n\r\n"
    fields = b"BODY[HEADER.FIELDS (SUBJECT)]<0> {%d}\r\n%b" % (len(head), head)
    whole = b"BODY[HEADER]<0> {%d}\r\n%b" % (len(head), head)
    answers: dict[str, Any] = {
        r".*BODY.PEEK\[TEXT\]": [
            b'* 1 FETCH (UID 5 RFC822.SIZE 9 %b BODY[TEXT]<0> "<p>hello"'
            b" BODYSTRUCTURE x %b)\r\n" % (fields, whole),
            b"OK",
        ],
        ".*HEADER": [
            b"* 1 FETCH (UID 5 RFC822.SIZE 9 %b BODYSTRUCTURE x %b)\r\n"
            % (fields, whole),
            b"OK",
        ],
    }
    async with serving(AnswerScript(answers)) as client:
        content = await client.content("INBOX", 1, 5, text_size=9)
        assert (content.text, content.truncated) == ("hello", False)
        assert content.mail.subject == "é"
        assert content.headers == (
            ("Content-Type", "text/html"),
            ("Subject", "é"),
            ("X", "y"),
        )
        content = await client.content("INBOX", 1, 5, text_size=0)
        assert (content.text, content.truncated) == ("", True)


PERMANENT_FLAGS = b"* OK [UIDVALIDITY 1] v\r\n* OK [PERMANENTFLAGS %b] flags\r\n"


@pytest.mark.parametrize(
    ("permanent_flags", "flag", "is_permanent"),
    [
        (b"(\\Seen \\*)", "Work", True),
        (b"(\\* \\Seen)", "Work", True),
        (b"(\\Seen Work)", "work", True),
        (b"(\\Seen)", "Work", False),
        (b"(\\*)", "\\Flagged", False),
        (b"()", "\\Seen", False),
        (b"(\\seen)", "\\SEEN", True),
        (b"\\Seen \\*", "Work", True),
        (b"\\Seen \\*", "\\Seen", True),
        (b"(\\Seen \\Flagged\\*)", "Work", True),
        (b"(\\Seen \\Flagged\\*)", "\\Flagged", True),
        (b"( \\Seen  \\* )", "Work", True),
        (b"(\\Seen foo(bar \\* \\Flagged)", "Work", True),
        (b"(\\Seen foo(bar \\* \\Flagged)", "\\Flagged", True),
        (b'(\\Seen foo"bar \\*)', "Work", True),
        (b"(\\Seen \xff \\*)", "Work", True),
    ],
    ids=repr,
)
async def test_permanent_flags(
    permanent_flags: bytes, flag: str, is_permanent: bool
) -> None:
    """A flag that is not in PERMANENTFLAGS raises FlagRefused (RFC 3501 7.1)."""
    answers: dict[str, Any] = {
        "SELECT": [PERMANENT_FLAGS % permanent_flags, b"OK"],
        "UID FETCH": [FETCHED_5_AND_7, b"OK"],
    }
    async with serving(AnswerScript(answers)) as client:
        expected = (
            contextlib.nullcontext() if is_permanent else pytest.raises(FlagRefused)
        )
        with expected:
            await client.set_flags("INBOX", 1, [5], add=[flag], remove=["\\Draft"])


@pytest.mark.parametrize(
    "criteria",
    [
        Criteria(subject="a\r\nb"),
        Criteria(subject="a\0"),
        Criteria(sender="\ud800"),
        Criteria(text="x" * 1001),
        Criteria(raw="x" * 4001),
        Criteria(raw="ALL)"),
        Criteria(raw="(ALL"),
        Criteria(raw="ALL\r\nA2 LOGOUT"),
        Criteria(raw="SUBJECT {3}"),
        Criteria(raw='SUBJECT "a'),
        Criteria(raw="SUBJECT ü"),
        Criteria(raw="SUBJECT \x01"),
        Criteria(raw="CHARSET UTF-7 ALL"),
        Criteria(raw="RETURN (SAVE) ALL"),
    ],
    ids=str,
)
async def test_criteria_that_cannot_be_sent(criteria: Criteria) -> None:
    """CriteriaRefused is raised, and nothing is sent."""
    script = AnswerScript()
    async with serving(script) as client:
        await client.folders()
        with pytest.raises(CriteriaRefused):
            await client.search("INBOX", criteria, limit=1)
    assert len(script.received) == 2


@pytest.mark.parametrize(
    ("criteria", "keys"),
    [
        (Criteria(raw=""), "ALL"),
        (
            Criteria(raw=' OR  SUBJECT "a\\"b" (NOT SEEN) '),
            'OR SUBJECT "a\\"b" (NOT SEEN)',
        ),
        (
            Criteria(recipient="a", raw="SEEN"),
            'OR OR OR TO "a" CC "a" HEADER Delivered-To "a" HEADER X-Original-To "a" SEEN',
        ),
        (Criteria(sender=("a", "b", "c")), 'OR OR FROM "a" FROM "b" FROM "c"'),
        (Criteria(header=("X-Spam", "")), 'HEADER "X-Spam" ""'),
        (Criteria(larger_than=-1, flagged=False), "UNFLAGGED LARGER 0"),
        (Criteria(larger_than=5, smaller_than=2**40), "LARGER 5 SMALLER 4294967295"),
        (Criteria(newer_than=10**9), "SINCE 1-Jan-1970"),
    ],
    ids=["nothing", "raw", "both", "one of", "header", "larger", "sizes", "very old"],
)
async def test_search_keys(criteria: Criteria, keys: str) -> None:
    """Each criterion is a search key, and all of them must match."""
    script = AnswerScript(capabilities=FEW_CAPABILITIES)
    async with serving(script) as client:
        await client.search("INBOX", criteria, limit=1)
    assert script.received[1] == f"UID SEARCH {keys}"


REQUESTS: list[tuple[str, Callable[[Client], Awaitable[object]], int]] = [
    ("folders", lambda client: client.folders(), 1),
    ("search", lambda client: client.search("INBOX", Criteria(), limit=1), 1),
    (
        "count",
        lambda client: client.count("INBOX", [Criteria(), Criteria(text="x")], [5]),
        1,
    ),
    ("mails", lambda client: client.mails("INBOX", 1, [5]), 1),
    ("content", lambda client: client.content("INBOX", 1, 5, text_size=9), 1),
    ("attachment", lambda client: client.attachment("INBOX", 1, 5, "1"), 1),
    ("set_flags", lambda client: client.set_flags("INBOX", 1, [5], add=["\\Seen"]), 2),
    ("move", lambda client: client.move("INBOX", 1, [5], "To"), 2),
    ("delete", lambda client: client.delete("INBOX", 1, [5]), 3),
    (
        "delete permanently",
        lambda client: client.delete("INBOX", 1, [5], permanently=True),
        2,
    ),
]


@pytest.mark.parametrize(
    ("request_", "trips"),
    [request[1:] for request in REQUESTS],
    ids=[request[0] for request in REQUESTS],
)
def test_round_trips(
    request_: Callable[[Client], Awaitable[object]], trips: int
) -> None:
    """A request on an open connection has a fixed number of writes."""

    async def main(loop: VirtualLoop) -> None:
        text = b'BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 10 1)'
        answers: dict[str, Any] = {
            "LIST": [b"* LIST () NIL INBOX\r\n* LIST (\\Trash) NIL Trash\r\n", b"OK"],
            "UID FETCH": [b'* 1 FETCH (UID 5 BODY[1] "x" %b)\r\n' % text, b"OK"],
            "UID MOVE": b"OK [COPYUID 1 5 1] moved",
        }
        loop.scripts = [AnswerScript(answers)]
        client = Client(account(993))
        await client.folders()
        writes = len(loop.written)
        await request_(client)
        assert len(loop.written) - writes == trips
        await client.close()

    run(main)


@pytest.mark.parametrize(
    ("habit", "error"),
    [
        (Pipelining.ANSWERS_BAD, None),
        (Pipelining.HANGS_UP, ConnectionLost),
        (Pipelining.FALLS_SILENT, ServerSilent),
    ],
    ids=lambda value: value.name if isinstance(value, Pipelining) else "",
)
def test_server_without_pipelining(
    habit: Pipelining, error: type[ImapError] | None
) -> None:
    """At most one request fails. After a lost connection each write has one command."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, pipelining=habit)
        server.slip_in(3)
        client = Client(account(993))
        if error is not None:
            with pytest.raises(error):
                await client.search("INBOX", Criteria(), limit=1)
            loop.written.clear()
        assert (await client.search("INBOX", Criteria(), limit=1)).uids == (3,)
        counts = await client.count("INBOX", [Criteria()] * 9)
        assert counts == [SearchCount(3, frozenset())] * 9
        is_serial = all(octets.count(b"\r\n") == 1 for octets in loop.written)
        assert is_serial is (error is not None)
        await client.close()

    run(main)


async def test_temporarily_refused_search() -> None:
    """Unavailable is raised, not CriteriaRefused: the criteria may be valid."""
    script = AnswerScript({"UID SEARCH": b"NO [UNAVAILABLE] later"})
    async with serving(script) as client:
        with pytest.raises(Unavailable):
            await client.search("INBOX", Criteria(), limit=1)
        with pytest.raises(Unavailable):
            await client.count("INBOX", [Criteria()])


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        pytest.param(
            {
                "UID SEARCH .*KOI8-R": b"NO cannot",
                "UID SEARCH .*UTF-8": b"NO [BADCHARSET (KOI8-R)] which",
            }
            | {"UID SEARCH": b"BAD nothing"},
            "nothing",
            id="every charset",
        ),
        pytest.param(
            {"UID SEARCH .*UTF-8": b"NO [BADCHARSET (NO-SUCH \xff)] which"}
            | {"UID SEARCH": b"BAD nothing"},
            "nothing",
            id="unknown charset",
        ),
    ],
)
async def test_search_refused_in_every_charset(
    answers: dict[str, Any], text: str
) -> None:
    """CriteriaRefused has the text of the last refusal."""
    async with serving(AnswerScript(answers)) as client:
        with pytest.raises(CriteriaRefused, match=text):
            await client.search("INBOX", Criteria(subject="д"), limit=1)


TEXT_PARTS: dict[str, tuple[bytes, dict[str, bytes], str]] = {
    "plain text, in its charset": (
        b'(("text" "plain" ("charset" "koi8-r") NIL NIL "base64" 9 1)'
        b'("text" "html" NIL NIL NIL "7bit" 9 1) "alternative")',
        {"1": b"xNc="},
        "дв",
    ),
    "HTML where the plain text is blank": (
        b'(("text" "plain" NIL NIL NIL "7bit" 3 1)'
        b'("text" "html" NIL NIL NIL "7bit" 9 1) "alternative")',
        {"1": b" \t", "2": b"<p>hi"},
        "hi",
    ),
    "text on both sides of a picture": (
        b'(("text" "plain" NIL NIL NIL "7bit" 3 1)("image" "png" NIL NIL NIL "base64" 9)'
        b'("text" "plain" NIL NIL NIL "7bit" 9 1) "mixed")',
        {"1": b"one", "3": b"two"},
        "one\n\ntwo",
    ),
    "nothing that can be shown": (
        b'("text" "plain" NIL NIL NIL "7bit" 3 1)',
        {},
        "",
    ),
}


@pytest.mark.parametrize(
    ("parts", "sections", "text"), TEXT_PARTS.values(), ids=TEXT_PARTS
)
async def test_text_after_the_first_octets(
    parts: bytes, sections: dict[str, bytes], text: str
) -> None:
    """If the first FETCH does not contain the text, only the text parts are fetched."""
    header = b"Content-Type: multipart/mixed; boundary=b"
    first = (
        b'* 1 FETCH (UID 5 BODY[HEADER.FIELDS (FROM)]<0> "%b" BODYSTRUCTURE %b'
        b' BODY[TEXT]<0> {8392}\r\n%b BODY[HEADER]<0> "Subject: s")\r\n'
    )
    answers: dict[str, Any] = {
        r".*BODY.PEEK\[TEXT\]": [first % (header, parts, b"x" * 8392), b"OK"]
    }
    for numbers in (("1",), ("2",), ("1", "3")):
        found = b" ".join(
            b'BODY[%b]<0> "%b"' % (number.encode(), sections.get(number, b""))
            for number in numbers
        )
        items = " ".join(
            rf"(?:BODY.PEEK\[{number}.MIME\]<0.8192> )?BODY.PEEK\[{number}\]<0.1048576>"
            for number in numbers
        )
        fetched = [b"* 1 FETCH (UID 5 %b)\r\n" % found, b"OK"]
        answers[rf"UID FETCH 5 \(UID {items}\)"] = fetched if sections else b"NO cannot"
    async with serving(AnswerScript(answers)) as client:
        content = await client.content("INBOX", 1, 5, text_size=50)
    assert content.text == text
    assert content.truncated == (text == "")


async def test_more_uids_than_fit_in_a_command() -> None:
    """They are sent in several commands, and invalid UIDs are missing."""
    uids = [*range(2, 2000, 2), 0, 2**40]
    script = AnswerScript(
        {"UID FETCH 2,": [b"* 1 FETCH (UID 2)\r\n", b"OK"], "UID MOVE": b"OK moved"},
        b"IMAP4rev1 MOVE UIDPLUS",
    )
    async with serving(script) as client:
        done = await client.set_flags("INBOX", 1, uids, add=["\\Seen"])
        assert (done.uids, len(done.missing)) == ((2,), len(uids) - 1)
        done = await client.move("INBOX", 1, uids, "To")
        assert (done.uids, len(done.missing)) == ((2,), len(uids) - 1)
        assert await client.set_flags("INBOX", 1, []) == StoreResult(uids=())
    assert max(map(len, script.received)) < 990


async def test_move_without_copyuid() -> None:
    """The messages that do not exist after MOVE were moved."""
    there = iter([FETCHED_5_AND_7, b"* 1 FETCH (UID 5)\r\n"])

    class WithoutCopyUid(AnswerScript):
        """Has one message less after MOVE."""

        async def _answer(self, peer: Peer, line: bytes) -> None:
            if b"UID FETCH" in line:
                self._answers["UID FETCH"] = [next(there), b"OK"]
            await super()._answer(peer, line)

    async with serving(WithoutCopyUid(capabilities=b"IMAP4rev1 MOVE")) as client:
        done = await client.move("INBOX", 1, [5, 7], "To")
    assert done == StoreResult(uids=(7,), missing=(5,))


async def test_uidvalidity_changed_while_messages_are_read() -> None:
    """The items may belong to other messages, so FolderRenumbered is raised."""
    numbers = iter((1, 2))

    class Renumbering(AnswerScript):
        """Has another UIDVALIDITY at each EXAMINE."""

        async def _answer(self, peer: Peer, line: bytes) -> None:
            if b"EXAMINE" in line:
                self._uid_validity = next(numbers)
            await super()._answer(peer, line)

    script = Renumbering({"UID FETCH": [header(5, "other"), b"OK"]})
    async with serving(script) as client:
        with pytest.raises(FolderRenumbered):
            await client.mails("INBOX", 1, [5])
