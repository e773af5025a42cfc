"""What once went wrong, and what the user sees now that it is mended."""

import asyncio
from collections.abc import Iterator
import re

import pytest

from custom_components.imap_push.imap import Mark, PushMode, WatchOptions
from custom_components.imap_push.imap.wire import framing, protocol, unsolicited as news

from ..light import HOUR, IDLE, MINUTE, NOTIFY, POLL, each, served
from ..virtual import VirtualLoop, run, watched

from tests.rig.light_folder import UID_VALIDITY

PUSHING = pytest.mark.parametrize(
    "capabilities", [NOTIFY, IDLE], ids=["notify", "idle"]
)
EVERY_WAY = pytest.mark.parametrize(
    "capabilities", [NOTIFY, IDLE, POLL], ids=["notify", "idle", "poll"]
)
TWO = ("INBOX", "Work")
THREE = (*TWO, "News")
# A folder beside the inbox may be looked at again when it might get its own connection.
MOST_OF_AN_HOUR = 50 * MINUTE
# Until a folder that is asked for each minute was asked for, and visited.
ASKED = MINUTE + 1
MAX_UID = 2**32 - 1


def lines(loop: VirtualLoop) -> Iterator[bytes]:
    """Yield what clients sent, without tags."""
    for line in b"".join(loop.written).split(b"\r\n"):
        yield line.partition(b" ")[2]


def visits(loop: VirtualLoop, name: str) -> int:
    """Return how often a folder was opened."""
    return sum(line == b'EXAMINE "%b"' % name.encode() for line in lines(loop))


@EVERY_WAY
def test_mail_that_was_gone_before_we_looked(capabilities: bytes) -> None:
    """See the account connected, the folder visited once, and what comes then told."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, limit=1)
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(MINUTE)
            before = visits(loop, "Work")
            server.deliver(2, "Work")
            server.expunge(1, "Work")
            server.expunge(2, "Work")
            await asyncio.sleep(MOST_OF_AN_HOUR)
            assert visits(loop, "Work") == before + 1
            assert recorder.state.connected
            server.deliver(1, "Work")
            await asyncio.sleep(0.1 if capabilities is NOTIFY else ASKED)
            assert recorder.told == {"Work": [3]}

    run(main)


@EVERY_WAY
def test_mail_that_was_gone_before_we_came(capabilities: bytes) -> None:
    """See the account connected with a mark below a UIDNEXT of mail that is not there."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, limit=1)
        server.slip_in(5, "Work")
        server.folder("Work").gone.update(range(1, 6))
        mark = Mark(UID_VALIDITY, 3)
        async with watched({"INBOX": None, "Work": mark}) as recorder:
            await asyncio.sleep(1)
            assert recorder.state.connected
            before = visits(loop, "Work")
            assert before <= 2
            await asyncio.sleep(MOST_OF_AN_HOUR)
            assert visits(loop, "Work") == before
            server.deliver(1, "Work")
            await asyncio.sleep(0.1 if capabilities is NOTIFY else ASKED)
            assert recorder.told == {"Work": [6]}

    run(main)


@pytest.mark.parametrize("is_serial", [False, True], ids=["at once", "one by one"])
@pytest.mark.parametrize("name", ["EXAMINE", "UID FETCH", "UID SEARCH", "IDLE"])
def test_stopped_in_the_middle_of_a_round(name: str, is_serial: bool) -> None:
    """See no connection left open, whatever the server has not answered."""

    async def main(loop: VirtualLoop) -> None:
        silent = b" " + name.encode()
        server = served(
            loop,
            capabilities=IDLE,
            twist=lambda line: () if silent in line else None,
        )
        mark = Mark(UID_VALIDITY, 1)
        options = WatchOptions(pipeline=not is_serial)
        async with watched({"INBOX": mark}, options):
            await asyncio.sleep(1)
            # The last message is asked for in the same write.
            at_once = 2 if name == "UID FETCH" and not is_serial else 1
            assert server.asked[name.encode()] == at_once
            assert server.connections == 1
        await asyncio.sleep(1)
        assert server.connections == 0
        assert server.logins == server.asked[b"LOGOUT"] + (name == "IDLE")

    run(main)


@EVERY_WAY
def test_unread_mail_where_it_is_counted_by_status(capabilities: bytes) -> None:
    """See both numbers right, the account connected, and no visit without a reason."""

    async def main(loop: VirtualLoop) -> None:
        without = capabilities.replace(b" ESEARCH", b"")
        server = served(loop, *TWO, capabilities=without, limit=1)
        server.slip_in(5)
        server.slip_in(3, "Work")
        server.read(1, "Work")
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(1)
            assert recorder.state.connected
            unread = [it.unread for it in recorder.state.folders.values()]
            assert unread == [5, 2]
            before = visits(loop, "Work")
            assert before <= 3
            await asyncio.sleep(MOST_OF_AN_HOUR)
            assert visits(loop, "Work") == before
            server.deliver(1)
            server.deliver(1, "Work")
            await asyncio.sleep(ASKED)
            assert recorder.told == {"INBOX": [6], "Work": [4]}
            unread = [it.unread for it in recorder.state.folders.values()]
            assert unread == [6, 3]

    run(main)


@PUSHING
def test_push_goes_on_after_mail_far_above_the_last(capabilities: bytes) -> None:
    """See the inbox open and waited for once a folder beside it took a search."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, limit=1)
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(MINUTE)
            server.slip_in(5000, "Work")
            server.folder("Work").gone.update(range(1, 5001))
            server.deliver(1, "Work")
            await asyncio.sleep(0.1 if capabilities is NOTIFY else ASKED)
            assert recorder.told == {"Work": [5001]}
            assert server.is_watched
            server.deliver(1)
            await asyncio.sleep(0.1)
            assert recorder.told == {"Work": [5001], "INBOX": [1]}
            server.deliver(1, "Work")
            await asyncio.sleep(0.1 if capabilities is NOTIFY else ASKED)
            assert recorder.told == {"Work": [5001, 5002], "INBOX": [1]}
            server.deliver(1)
            await asyncio.sleep(0.1)
            assert recorder.told["INBOX"] == [1, 2]
            assert recorder.arrivals[-1].push.value in capabilities.decode().lower()

    run(main)


@PUSHING
def test_push_goes_on_behind_mail_that_cannot_be_shown(capabilities: bytes) -> None:
    """See the inbox waited for all the time, and each mail told of at once."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        server.slip_in(1)
        server.folder().unshowable.add(1)
        async with watched({"INBOX": None}) as recorder:
            for uid in range(2, 8):
                for _ in range(30):
                    await asyncio.sleep(MINUTE + 0.1)
                    assert server.is_watched
                server.deliver(1)
                await asyncio.sleep(0.1)
                assert recorder.uids == list(range(2, uid + 1))
                # From now on it is one that cannot be shown, and so may be the next.
                server.folder().unshowable.add(uid)
                server.folder().unshowable.add(uid + 1)
                if uid % 2:
                    server.reset_all()

    run(main)


@EVERY_WAY
@pytest.mark.parametrize("missing", THREE)
@pytest.mark.parametrize("mark", [None, Mark(UID_VALIDITY, 1)], ids=["new", "known"])
def test_missing_folder_where_commands_go_one_by_one(
    capabilities: bytes, missing: str, mark: Mark | None
) -> None:
    """See only that one missing, and the others told of as the server can."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=capabilities, limit=1)
        server.remove(missing)
        others = [name for name in THREE if name != missing]
        options = WatchOptions(pipeline=False)
        async with watched(dict.fromkeys(THREE, mark), options) as recorder:
            await asyncio.sleep(10 * MINUTE)
            for name, state in recorder.state.folders.items():
                assert state.missing == (name == missing)
                assert state.available == (name != missing)
                assert not state.push_is_silent
            modes = [recorder.state.folders[name].push_mode for name in others]
            guest = PushMode.NOTIFY if capabilities is NOTIFY else PushMode.POLL
            assert guest in modes
            assert (capabilities is IDLE) == (PushMode.IDLE in modes)
            for name in others:
                server.deliver(1, name)
            await asyncio.sleep(0.1 if capabilities is NOTIFY else ASKED)
            assert recorder.told == each(others, [1])
            assert recorder.serial == 0

    run(main)


@EVERY_WAY
def test_folders_numbered_anew_each_time_they_are_opened(capabilities: bytes) -> None:
    """See no storm meanwhile, and everything well when it is over."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, limit=1)
        server.slip_in(3)
        server.slip_in(3, "Work")

        def renumber(line: bytes) -> None:
            if b" EXAMINE " in line:
                for name in TWO:
                    server.folder(name).uid_validity += 1

        server.habits.twist = renumber
        mark = Mark(UID_VALIDITY, 4)
        async with watched(dict.fromkeys(TWO, mark)) as recorder:
            await asyncio.sleep(HOUR)
            assert server.asked[b"EXAMINE"] < 500
            assert server.logins < 60
            server.habits.twist = None
            await asyncio.sleep(10 * MINUTE)
            assert recorder.state.connected
            assert recorder.state.error is None
            for name in TWO:
                server.deliver(1, name)
            await asyncio.sleep(ASKED)
            assert recorder.told == each(TWO, [4])

    run(main)


@EVERY_WAY
def test_mails_that_are_too_much_at_once(
    monkeypatch: pytest.MonkeyPatch, capabilities: bytes
) -> None:
    """See all of them told in order, fewer at a time."""
    monkeypatch.setattr(protocol, "MAX_COLLECTED", 2000)

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        server.slip_in(30)
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}) as recorder:
            await asyncio.sleep(HOUR)
            assert recorder.uids == list(range(1, 31))
            assert all(arrival.mail.subject for arrival in recorder.arrivals)
            assert recorder.state.connected
            server.deliver(1)
            await asyncio.sleep(ASKED)
            assert recorder.uids == list(range(1, 32))

    run(main)


@EVERY_WAY
@pytest.mark.parametrize("name", TWO)
def test_mail_that_is_too_much_alone(
    monkeypatch: pytest.MonkeyPatch, capabilities: bytes, name: str
) -> None:
    """See it delivered without its fields, and those behind it whole, in one session."""
    monkeypatch.setattr(framing, "MAX_OTHER", 2000)
    monkeypatch.setattr(framing, "_LIMITS", {b"FETCH": 2000})

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, limit=1)
        server.slip_in(5, name)
        opened = [b""]

        def blow_up(line: bytes) -> list[bytes] | None:
            tag, _, command = line.partition(b" ")
            if command.startswith(b"EXAMINE"):
                opened.append(command.split(b'"')[1])
            if b"UID FETCH" not in command or b"BODY" not in command:
                return None
            uids = server.folder(name).uids(command.split(b" ")[2])
            if opened[-1] != name.encode() or 3 not in uids:
                return None
            return [
                *(
                    server.folder(name).fetched(uid, b"UID BODY.PEEK[]")
                    for uid in uids
                    if uid < 3
                ),
                b"* 3 FETCH (UID 3 BODY[HEADER] {3000}\r\n" + b"x" * 3000 + b")",
                *(
                    server.folder(name).fetched(uid, b"UID BODY.PEEK[]")
                    for uid in uids
                    if uid > 3
                ),
                tag + b" OK FETCH",
            ]

        server.habits.twist = blow_up
        mark = Mark(UID_VALIDITY, 1)
        async with watched(dict.fromkeys(TWO, mark)) as recorder:
            await asyncio.sleep(HOUR)
            assert recorder.told == {name: [1, 2, 3, 4, 5]}
            subjects = [bool(arrival.mail.subject) for arrival in recorder.arrivals]
            assert subjects == [True, True, False, True, True]
            assert recorder.state.connected
            assert recorder.watcher.statistics.sessions == 1

    run(main)


def test_name_server_that_is_a_black_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    """See one question under way however long it takes, and the way back short."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(MINUTE)
            asked, light = 0, asyncio.Event()
            usual = loop.getaddrinfo

            async def ask(*args: object, **options: object) -> list[object]:
                nonlocal asked
                asked += 1
                await light.wait()
                return await usual(*args, **options)

            monkeypatch.setattr(loop, "getaddrinfo", ask)
            server.reset_all()
            await asyncio.sleep(HOUR)
            assert asked == 1
            assert recorder.state.error is not None
            server.slip_in(1)
            light.set()
            await asyncio.sleep(5)
            assert recorder.state.connected
            assert recorder.uids == [1]

    run(main)


@pytest.mark.parametrize("dismissal", [b"NO [AUTHENTICATIONFAILED] no", b"* BYE away"])
@pytest.mark.parametrize("has_watched", [False, True])
def test_one_more_connection_that_is_refused(
    dismissal: bytes, has_watched: bool
) -> None:
    """See the folder asked for on the other connection, and nobody asked for a password."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=IDLE)

        def refuse(line: bytes) -> list[bytes] | None:
            tag, _, command = line.partition(b" ")
            if not command.startswith(b"LOGIN") or server.connections < 2:
                return None
            return [dismissal if dismissal.startswith(b"*") else tag + b" " + dismissal]

        if not has_watched:
            server.habits.twist = refuse
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(10 * MINUTE)
            if has_watched:
                assert server.connections == 2
                server.habits.twist = refuse
                server.reset_all()
                await asyncio.sleep(10 * MINUTE)
            assert server.connections == 1
            assert all(it.available for it in recorder.state.folders.values())
            assert recorder.state.push_mode is PushMode.POLL
            for name in TWO:
                server.deliver(1, name)
            await asyncio.sleep(ASKED)
            assert recorder.told == each(TWO, [1])
            # Now and then it is tried again; that must not add up.
            await asyncio.sleep(5 * HOUR)
            for name in TWO:
                server.deliver(1, name)
            await asyncio.sleep(ASKED)
            assert recorder.told == each(TWO, [1, 2])
            assert recorder.refused == 0
            assert recorder.state.connected
            assert server.logins < 20

    run(main)


@EVERY_WAY
def test_folder_numbered_anew_with_mail_that_cannot_be_shown(
    capabilities: bytes,
) -> None:
    """See that mail told of without its fields, the others whole, and all that comes then."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(MINUTE)
            server.deliver(5)
            await asyncio.sleep(ASKED)
            server.slip_in(3)
            server.folder().renumber(kept=4)
            server.folder().unshowable.add(3)
            server.reset_all()
            await asyncio.sleep(ASKED)
            server.deliver(1)
            await asyncio.sleep(ASKED)
            told = [arrival.mail.subject for arrival in recorder.arrivals]
            new = ["Mail nº 6", "", "Mail nº 8", "Mail nº 9"]
            assert told == [*(f"Mail nº {number}" for number in range(1, 6)), *new]
            assert len(loop.connected_at) == 2

    run(main)


@EVERY_WAY
def test_server_that_lags_behind_itself(capabilities: bytes) -> None:
    """See nothing told twice when it catches up, and nothing left out."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(MINUTE)
            server.deliver(5)
            await asyncio.sleep(ASKED)
            server.folder().last = 2
            server.reset_all()
            for _ in range(5):
                await asyncio.sleep(ASKED)
                server.deliver(1)
            await asyncio.sleep(ASKED)
            assert recorder.uids == [1, 2, 3, 4, 5, 6, 7]

    run(main)


def test_more_news_than_we_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """See nothing lost, and NOTIFY ended before another folder is opened."""
    monkeypatch.setattr(news, "MAX_WAITING", 2000)

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=NOTIFY)
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(MINUTE)
            for _ in range(3):
                server.deliver(3, "Work")
                server.deliver(20)
                await asyncio.sleep(1)
            server.deliver(1)
            await asyncio.sleep(0.1)
            assert recorder.told == {
                "INBOX": list(range(1, 62)),
                "Work": list(range(1, 10)),
            }
            is_armed = False
            for line in lines(loop):
                if line.startswith(b"NOTIFY"):
                    is_armed = line != b"NOTIFY NONE"
                assert not (is_armed and line.startswith(b"EXAMINE"))
            assert is_armed
            assert recorder.state.push_mode is PushMode.NOTIFY

    run(main)


@PUSHING
def test_server_that_ends_idle_at_once(capabilities: bytes) -> None:
    """See it tried three times an hour, and mail told of by asking."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)

        def end(line: bytes) -> list[bytes] | None:
            tag, _, command = line.partition(b" ")
            return [b"+ idling", tag + b" OK over"] if command == b"IDLE" else None

        server.habits.twist = end
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(10)
            tries = 3 if capabilities is IDLE else 6
            assert server.asked[b"IDLE"] == tries
            assert recorder.state.push_mode is PushMode.POLL
            assert recorder.state.folders["INBOX"].push_is_silent
            server.deliver(1)
            await asyncio.sleep(ASKED)
            assert recorder.uids == [1]
            await asyncio.sleep(HOUR)
            assert server.asked[b"IDLE"] <= 2 * tries
            assert server.asked[b"EXAMINE"] < 70
            server.habits.twist = None
            await asyncio.sleep(HOUR)
            server.deliver(1)
            await asyncio.sleep(0.1)
            assert recorder.uids == [1, 2]

    run(main)


@EVERY_WAY
def test_server_that_knows_us_already(capabilities: bytes) -> None:
    """See no password sent, and all work."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, greeting=b"PREAUTH")
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(MINUTE)
            for name in TWO:
                server.deliver(1, name)
            await asyncio.sleep(ASKED)
            assert recorder.told == each(TWO, [1])
            assert server.logins == 0
            assert b"secret" not in b"".join(loop.written)

    run(main)


def test_error_of_the_one_who_is_asked_for_a_password() -> None:
    """See the watcher go on, and no login tried more often for it."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop)

        def refuse(line: bytes) -> list[bytes] | None:
            tag, _, command = line.partition(b" ")
            refusal = tag + b" NO [AUTHENTICATIONFAILED] no"
            return [refusal] if command.startswith(b"LOGIN") else None

        server.habits.twist = refuse
        async with watched({"INBOX": None}) as recorder:
            recorder.errors = 1000
            await asyncio.sleep(HOUR)
            names = [task.get_name() for task in asyncio.all_tasks()]
            assert "imap_push watcher" in names
            assert recorder.refused == 1
            assert server.logins == 3

    run(main)


@EVERY_WAY
@pytest.mark.parametrize("is_shown", [True, False])
def test_highest_number_that_there_is(capabilities: bytes, is_shown: bool) -> None:
    """See the mail with the last possible UID told once, and nothing broken behind it."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, limit=1)
        for name in TWO:
            server.folder(name).last = MAX_UID - 2
            if not is_shown:
                server.folder(name).unshowable.add(MAX_UID)

        def refuse(line: bytes) -> list[bytes] | None:
            if max(map(int, re.findall(rb"\d+", line))) <= MAX_UID:
                return None
            return [line.partition(b" ")[0] + b" BAD no such number"]

        server.habits.twist = refuse
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(MINUTE)
            for _ in range(2):
                for name in TWO:
                    server.deliver(1, name)
                await asyncio.sleep(ASKED)
            assert recorder.told == each(TWO, [MAX_UID - 1, MAX_UID])
            server.reset_all()
            before = visits(loop, "Work")
            await asyncio.sleep(HOUR)
            assert visits(loop, "Work") <= before + 4
            assert recorder.state.connected
            assert len(recorder.arrivals) == 4
            assert len(loop.connected_at) <= 3 + (capabilities is IDLE)
            assert server.logins < 7

    run(main)
