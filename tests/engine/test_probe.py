"""The check of an account fetches mail like the watcher, so that it finds what stops a watcher."""

import asyncio
import re

import pytest

from custom_components.imap_push.imap import (
    CommandRefused,
    ImapError,
    Throttled,
    Unavailable,
    WatchedFolder,
    check_account,
)

from .conftest import account
from .light import MINUTE, served
from .virtual import VirtualLoop, run, watched

from tests.rig.light_server import LightServer

ANY = rb"UID FETCH "
WITH_STRUCTURE = rb"UID FETCH .*BODYSTRUCTURE"
HIGHEST = rb"UID FETCH [\d:,]*\*"  # in an empty folder, `*` has no meaning (RFC 3501 9)
INVALID = b"BAD The specified message set is invalid"
BROKEN = b"NO [SERVERBUG] Internal error"
THROTTLED = b"NO Request is throttled. Suggested Backoff Time: 89117 milliseconds"


def _server(
    loop: VirtualLoop, mails: int, refused: bytes, response: bytes, **habits: object
) -> LightServer:
    """Return a server with mails that gives this response to matching commands, until new mail."""

    def twist(line: bytes) -> list[bytes] | None:
        tag, _, command = line.partition(b" ")
        is_refused = refused and server.exists == mails and re.match(refused, command)
        return [tag + b" " + response] if is_refused else None

    server = served(loop, twist=twist, **habits)
    server.slip_in(mails)
    return server


@pytest.mark.parametrize(
    ("mails", "refused", "response", "error"),
    [
        pytest.param(3, ANY, INVALID, CommandRefused, id="BAD"),
        pytest.param(3, ANY, b"NO FETCH failed", CommandRefused, id="NO"),
        pytest.param(3, ANY, BROKEN, CommandRefused, id="NO SERVERBUG"),
        pytest.param(3, ANY, THROTTLED, Throttled, id="throttled"),
        pytest.param(0, ANY, THROTTLED, Throttled, id="throttled, empty folder"),
        pytest.param(3, ANY, b"NO [INUSE] locked", Unavailable, id="locked"),
    ],
)
def test_server_that_cannot_be_watched_fails_the_check(
    mails: int, refused: bytes, response: bytes, error: type[ImapError]
) -> None:
    """The error has the server's text."""

    async def main(loop: VirtualLoop) -> None:
        server = _server(loop, mails, refused, response)
        with pytest.raises(error) as caught:
            await check_account(account(993))
        assert type(caught.value) is error
        assert response.decode().rpartition("]")[2].split()[-1] in str(caught.value)
        if isinstance(caught.value, CommandRefused):
            assert caught.value.command == "UID FETCH"
        assert server.asked[b"LOGOUT"] == 1

    run(main)


@pytest.mark.parametrize(
    ("mails", "refused", "response", "habits"),
    [
        pytest.param(3, b"", b"", {}, id="usual"),
        pytest.param(0, b"", b"", {}, id="empty folder"),
        pytest.param(3, b"", b"", {"hides_uidnext": True}, id="no UIDNEXT"),
        pytest.param(0, b"", b"", {"hides_uidnext": True}, id="no UIDNEXT, empty"),
        pytest.param(3, WITH_STRUCTURE, BROKEN, {}, id="no BODYSTRUCTURE"),
        pytest.param(0, HIGHEST, b"NO no matching messages", {}, id="NO to *, empty"),
        pytest.param(0, HIGHEST, INVALID, {}, id="BAD to *, empty"),
        pytest.param(0, ANY, b"NO no matching messages", {}, id="NO while empty"),
        pytest.param(0, ANY, INVALID, {}, id="BAD while empty"),
    ],
)
def test_server_that_passes_the_check_can_be_watched(
    mails: int, refused: bytes, response: bytes, habits: dict[str, object]
) -> None:
    """The watcher then delivers new mail with its fields."""

    async def main(loop: VirtualLoop) -> None:
        server = _server(loop, mails, refused, response, **habits)
        assert await check_account(account(993)) >= {"IMAP4REV1"}
        async with watched({"INBOX": WatchedFolder()}) as recorder:
            await asyncio.sleep(MINUTE)
            server.deliver(1)
            await asyncio.sleep(5 * MINUTE)
            assert recorder.uids == [mails + 1]
            assert recorder.arrivals[0].mail.sender
            assert recorder.state.connected

    run(main)


def test_newest_message_that_cannot_be_shown_is_no_reason_to_refuse_an_account() -> (
    None
):
    """The watcher delivers such a message with what the server shows of it."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop)
        server.slip_in(3)
        server.folder().unshowable.add(3)
        await check_account(account(993))

    run(main)


def test_check_fetches_in_the_form_of_the_watcher() -> None:
    """A server that rejects the watcher's first FETCH also rejects that of the check."""
    sent: list[bytes] = []

    def record(line: bytes) -> None:
        sent.append(line.partition(b" ")[2])

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, twist=record)
        server.slip_in(3)
        await check_account(account(993))
        checked = [line for line in sent if line.startswith(b"UID FETCH")]
        sent.clear()
        async with watched({"INBOX": WatchedFolder()}):
            await asyncio.sleep(MINUTE)
        # The first one only asks for the last UID.
        _, *fetched = [line for line in sent if line.startswith(b"UID FETCH")]
        assert [_without_numbers(line) for line in checked] == [
            _without_numbers(fetched[0])
        ]

    run(main)


def _without_numbers(command: bytes) -> bytes:
    """Return a command without the numbers in its UID set."""
    name, uids, items = re.fullmatch(rb"(UID FETCH) (\S+) (.*)", command).groups()  # type: ignore[union-attr]
    return b" ".join((name, re.sub(rb"\d+", b"n", uids), items))
