"""Lists of the newest mails are read again after each change, and each mail is fetched once.

The tests run in virtual time: hours pass at once.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import itertools
from typing import Any

import pytest

from custom_components.imap_push.account.mail_list import (
    CHANGE_DELAY_SECONDS,
    HIDDEN_SECONDS,
    MAX_READ,
    MAX_SEARCHED,
    MailList,
    MailSource,
    SharedLists,
    mail_key,
)
from custom_components.imap_push.account.saved_searches import (
    MAX_RETRY_SECONDS,
    RETRY_SECONDS,
    TIME_DEPENDENT_COUNT_SECONDS,
)
from custom_components.imap_push.imap import (
    Client,
    CommandRefused,
    ConnectionLost,
    Criteria,
    FolderNotFound,
    FolderState,
    LoginRefused,
    Mail,
    MailNotFound,
    MessageContent,
    SearchResult,
    Throttled,
)
from custom_components.imap_push.mail.filter import MailFilter

from .. import make_mail

from tests.engine.virtual import VirtualLoop, run

UNREAD = Criteria(unread=True)
POLL_INTERVAL = 60.0
FIRST = datetime(2026, 11, 1, tzinfo=UTC)


class Server(Client):
    """A client with folders of UIDs that a test sets."""

    def __init__(self) -> None:
        """Start with empty folders."""
        self.uids: dict[str, list[int]] = {}
        self.uid_validity = 3
        self.hidden: set[int] = set()
        self.errors: list[Exception | None] = []
        self.searches: list[tuple[float, str]] = []
        self.fetches: list[list[int]] = []
        self.options: list[dict[str, Any]] = []
        # What is raised instead of the content of a mail, and the UIDs that were read.
        self.unreadable: dict[int, Exception] = {}
        self.contents: list[int] = []
        self.seconds = 0.0  # duration of a request
        self.running = self.max_running = 0
        self.during: Callable[[], None] | None = None

    async def search(
        self, folder: str, criteria: Criteria, *, limit: int
    ) -> SearchResult:
        """Return the UIDs of a folder, newest first."""
        self.searches.append((asyncio.get_running_loop().time(), folder))
        uids = sorted(self.uids.get(folder, ()), reverse=True)
        await self._wait()
        if self.errors and (error := self.errors.pop(0)):
            raise error
        return SearchResult(self.uid_validity, tuple(uids[:limit]), len(uids))

    async def mails(
        self, folder: str, uid_validity: int, uids: Sequence[int], **options: Any
    ) -> list[Mail]:
        """Return mails that arrive one per minute."""
        self.fetches.append(list(uids))
        self.options.append(options)
        await self._wait()
        return [
            make_mail(
                uid,
                folder=folder,
                uid_validity=uid_validity,
                sender=f"ann{uid % 2}@example.org",
                received=FIRST + timedelta(minutes=uid),
                recipients=("jane@example.com",),
            )
            for uid in uids
            if uid not in self.hidden
        ]

    async def content(
        self, folder: str, uid_validity: int, uid: int, **_: Any
    ) -> MessageContent:
        """Return a text that has the UID."""
        self.contents.append(uid)
        if error := self.unreadable.pop(uid, None):
            raise error
        return MessageContent(make_mail(uid), text=f"Your code is {uid}.")

    async def _wait(self) -> None:
        self.running += 1
        self.max_running = max(self.max_running, self.running)
        await asyncio.sleep(self.seconds)
        if self.during:
            self.during()
        self.running -= 1


class Rig:
    """A list with a fake client; the listener counts its calls."""

    def __init__(self) -> None:
        """Mark INBOX and Lists as watched."""
        self.server = Server()
        self.changes = 0
        self.shown: list[list[int] | None] = []
        self.logins_refused = 0
        self.shared = SharedLists()
        self.list = self.make_list()
        self.source = MailSource(("INBOX",), UNREAD)

    def make_list(self) -> MailList:
        """Return another list of the account."""
        return MailList(
            self.server,
            self.shared,
            self,
            watched={"INBOX": None, "Lists": None},
            poll_interval=POLL_INTERVAL,
        )

    def mails_changed(self) -> None:
        """Record the UIDs that are shown."""
        self.shown.append(self.uids)

    def login_refused(self) -> None:
        """Count the calls."""
        self.logins_refused += 1

    @property
    def uids(self) -> list[int] | None:
        """Return the UIDs of the list."""
        mails = self.list.mails
        return None if mails is None else [mail.uid for mail in mails]

    def update(self, *, is_online: bool = True) -> None:
        """Report the state of the account."""
        state = FolderState(available=True, changes=self.changes)
        folders = {"INBOX": state, "Lists": state}
        self.list.update(self.source, folders, is_online=is_online)

    def change(self, *uids: int, folder: str = "INBOX") -> None:
        """Add mails and report the change."""
        self.server.uids.setdefault(folder, []).extend(uids)
        self.changes += 1
        self.update()


def play(script: Callable[[Rig], Coroutine[Any, Any, None]]) -> None:
    """Run a script in virtual time while the list runs."""

    async def main(_loop: VirtualLoop) -> None:
        rig = Rig()
        task = asyncio.create_task(rig.list.run())
        await script(rig)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    run(main)


def test_list_is_read_after_changes_only() -> None:
    """Not before the account is connected; each mail is fetched once."""

    async def script(rig: Rig) -> None:
        rig.server.uids["INBOX"] = [1, 2]
        rig.update(is_online=False)
        await asyncio.sleep(3600)
        assert (rig.server.searches, rig.uids) == ([], None)
        rig.update()
        await asyncio.sleep(1)
        assert rig.uids == [2, 1]
        await asyncio.sleep(24 * 3600)
        rig.update()
        assert len(rig.server.searches) == 1
        rig.change(3)
        await asyncio.sleep(1)
        assert rig.uids == [3, 2, 1]
        assert rig.server.fetches == [[2, 1], [3]]
        rig.server.uids["INBOX"].remove(2)
        rig.change()
        await asyncio.sleep(1)
        assert rig.uids == [3, 1]
        assert len(rig.server.fetches) == 2

    play(script)


@pytest.mark.parametrize("seconds", [0.0, 0.1, 3.0], ids=["fast", "slow", "very slow"])
def test_burst_loses_none(seconds: float) -> None:
    """Many changes cause few requests, and the last one is read in any case."""

    async def script(rig: Rig) -> None:
        rig.server.seconds = seconds
        for uid in range(1, 201):
            rig.change(uid)
            await asyncio.sleep(0.02)
        await asyncio.sleep(30)
        assert rig.uids == list(range(200, 150, -1))
        assert len(rig.server.searches) <= 4 / CHANGE_DELAY_SECONDS + 3

    play(script)


def test_change_during_the_request_is_read() -> None:
    """At any moment of it."""

    async def script(rig: Rig) -> None:
        uids = itertools.count(1)

        def during() -> None:
            if (uid := next(uids)) < 10:
                rig.change(uid)

        rig.server.during = during
        rig.update()
        await asyncio.sleep(60)
        assert rig.uids == list(range(9, 0, -1))

    play(script)


def test_removed_mail_does_not_come_back() -> None:
    """Also if it was removed while the list was being read."""

    async def script(rig: Rig) -> None:
        rig.change(1, 2, 3)
        await asyncio.sleep(1)
        rig.server.seconds = 2
        rig.change(4)
        await asyncio.sleep(1)
        assert rig.list.mails
        rig.server.uids["INBOX"].remove(3)
        rig.list.remove({mail_key(rig.list.mails[0])})
        assert rig.uids == [2, 1]
        await asyncio.sleep(10)
        assert [3 in (uids or ()) for uids in rig.shown] == [True, False, False]
        # As if the mail became unread again.
        rig.server.uids["INBOX"].append(3)
        rig.change()
        await asyncio.sleep(10)
        assert rig.uids == [4, 3, 2, 1]

    play(script)


@pytest.mark.parametrize("late", [0.0, 1.0, 3.0], ids=["at once", "late", "later"])
@pytest.mark.parametrize("seconds", [0.0, 0.1, 2.0], ids=["fast", "slow", "very slow"])
def test_burst_of_removals_on_a_server_whose_search_is_late(
    seconds: float, late: float
) -> None:
    """No mail comes back for a moment, and none is lost, while others arrive."""

    async def script(rig: Rig) -> None:
        rig.server.seconds = seconds
        removed: set[int] = set()

        async def arrive() -> None:
            for uid in range(1, 201):
                rig.change(uid)
                await asyncio.sleep(0.02)

        def forget(uid: int) -> None:
            rig.server.uids["INBOX"].remove(uid)
            rig.change()

        arriving = asyncio.create_task(arrive())
        while len(removed) < 200:
            await asyncio.sleep(0.05)
            for mail in (rig.list.mails or ())[:5]:
                asyncio.get_running_loop().call_later(late, forget, mail.uid)
                removed.add(mail.uid)
                rig.list.remove({mail_key(mail)})
                rig.list.refresh()
                assert removed.isdisjoint(rig.uids or ())
        await arriving
        await asyncio.sleep(60)
        assert rig.uids == []

    play(script)


@pytest.mark.parametrize("seconds", [0.0, 2.0], ids=["fast", "slow"])
def test_removed_mail_that_the_server_still_finds(seconds: float) -> None:
    """It is shown again after some time: another client may have changed it back."""

    async def script(rig: Rig) -> None:
        rig.change(1, 2)
        await asyncio.sleep(1)
        rig.server.seconds = seconds
        assert rig.list.mails
        rig.list.remove({mail_key(rig.list.mails[0])})
        rig.list.refresh()
        await asyncio.sleep(HIDDEN_SECONDS - 0.1)
        assert rig.uids == [1]
        await asyncio.sleep(2 * CHANGE_DELAY_SECONDS + 2 * seconds)
        assert rig.uids == [2, 1]
        searches = len(rig.server.searches)
        await asyncio.sleep(3600)
        assert len(rig.server.searches) == searches

    play(script)


@pytest.mark.parametrize(
    ("folders", "criteria", "seconds"),
    [
        pytest.param(("INBOX",), UNREAD, None, id="watched"),
        pytest.param(("INBOX", "Other"), UNREAD, POLL_INTERVAL, id="one is not"),
        pytest.param(
            ("INBOX",),
            Criteria(newer_than=7),
            TIME_DEPENDENT_COUNT_SECONDS,
            id="depends on time",
        ),
        pytest.param(
            ("INBOX",), Criteria(raw="X"), TIME_DEPENDENT_COUNT_SECONDS, id="may depend"
        ),
    ],
)
def test_interval_without_a_change(
    folders: tuple[str, ...], criteria: Criteria, seconds: float | None
) -> None:
    """It is that of the saved searches."""

    async def script(rig: Rig) -> None:
        rig.source = MailSource(folders, criteria)
        rig.update()
        await asyncio.sleep(3 * TIME_DEPENDENT_COUNT_SECONDS)
        times = [time for time, name in rig.server.searches if name == "INBOX"]
        pauses = {round(b - a) for a, b in itertools.pairwise(times)}
        assert pauses <= ({seconds, (seconds or 0) + 1} if seconds else set())
        assert bool(pauses) is (seconds is not None)

    play(script)


def test_newest_of_several_folders() -> None:
    """By the time of arrival, up to the size of the list."""

    async def script(rig: Rig) -> None:
        rig.source = MailSource(("INBOX", "Lists"), UNREAD, size=3)
        rig.server.uids = {"INBOX": [1, 4, 5], "Lists": [2, 3, 6]}
        rig.update()
        await asyncio.sleep(1)
        assert rig.uids == [6, 5, 4]

    play(script)


def test_filter_decides() -> None:
    """More mail is fetched until there are enough that match; others are not fetched again."""

    async def script(rig: Rig) -> None:
        odd = MailFilter.from_config({"sender": ["ann1@example.org"]})
        rig.source = MailSource(("INBOX",), UNREAD, odd, text_size=500)
        rig.change(*range(1, MAX_SEARCHED + 100))
        await asyncio.sleep(1)
        assert rig.uids == list(range(MAX_SEARCHED + 99, MAX_SEARCHED, -2))
        fetched = len(rig.server.fetches)
        assert fetched == 2
        assert rig.server.options == [{"text_size": 500, "recipients": False}] * 2
        rig.change()
        await asyncio.sleep(1)
        assert len(rig.server.fetches) == fetched

        none = MailFilter.from_config({"recipient": ["ann@example.org"]})
        rig.source = rig.source._replace(mail_filter=none)
        rig.update()
        await asyncio.sleep(1)
        assert rig.uids == []
        assert len(rig.server.fetches) == fetched + MAX_SEARCHED / 50
        assert rig.server.options[-1]["recipients"]
        assert all(not mail.recipients for mail in rig.list.mails or ())

    play(script)


@pytest.mark.parametrize(
    ("error", "uids", "contents"),
    [
        (None, [17, 7], [17, 9, 7, 5]),
        (MailNotFound(), [17], [17, 9, 7, 5]),
        (CommandRefused("FETCH", "NO", None, "no"), [17, 7], [17, 9, 7, 5]),
        (ConnectionLost("reset"), [17, 7], [17, 9, 7, 7, 5]),
    ],
    ids=["", "gone", "refused", "connection lost"],
)
def test_filter_reads_the_content(
    error: Exception | None, uids: list[int], contents: list[int]
) -> None:
    """Only of mail that meets the other conditions, and once. What is refused is in the list."""

    async def script(rig: Rig) -> None:
        if error:
            rig.server.unreadable[7] = error
        code = {"text": ["code is *7."], "sender": ["ann1@example.org"]}
        rig.source = MailSource(("INBOX",), UNREAD, MailFilter.from_config(code))
        rig.change(2, 5, 7, 9, 17)
        await asyncio.sleep(60)
        rig.change()
        await asyncio.sleep(1)
        assert rig.uids == uids
        assert rig.server.contents == contents

    play(script)


def test_content_is_read_of_the_newest_mail_only() -> None:
    """Each content costs a request."""

    async def script(rig: Rig) -> None:
        nothing = MailFilter.from_config({"text": ["invoice"]})
        rig.source = MailSource(("INBOX",), UNREAD, nothing)
        rig.change(*range(1, 2 * MAX_READ))
        await asyncio.sleep(1)
        assert rig.uids == []
        assert len(rig.server.contents) == MAX_READ

    play(script)


def test_source_changes_during_the_request() -> None:
    """What was fetched for the old one is not used for the new one."""

    async def script(rig: Rig) -> None:
        rig.server.seconds = 2
        rig.change(1, 2)
        await asyncio.sleep(3)
        odd = MailFilter.from_config({"sender": ["ann1@example.org"]})
        rig.source = rig.source._replace(mail_filter=odd)
        rig.update()
        await asyncio.sleep(20)
        assert rig.uids == [1]

    play(script)


def test_renumbered_folder_is_fetched_again() -> None:
    """The same UID names another mail."""

    async def script(rig: Rig) -> None:
        rig.change(1)
        await asyncio.sleep(1)
        rig.server.uid_validity = 4
        rig.change()
        await asyncio.sleep(1)
        assert rig.list.mails
        assert rig.list.mails[0].uid_validity == 4
        assert rig.server.fetches == [[1], [1]]

    play(script)


def test_mail_that_the_server_leaves_out_is_fetched_later() -> None:
    """Gmail sometimes does so."""

    async def script(rig: Rig) -> None:
        rig.server.hidden = {2}
        rig.change(1, 2)
        await asyncio.sleep(1)
        assert rig.uids == [1]
        rig.server.hidden = set()
        rig.change()
        await asyncio.sleep(1)
        assert rig.uids == [2, 1]

    play(script)


def test_failures_are_retried_with_growing_pauses() -> None:
    """One failure changes nothing; after the second one, the mails are unknown."""

    async def script(rig: Rig) -> None:
        rig.change(1)
        await asyncio.sleep(1)
        throttled = Throttled()
        throttled.retry_after = 1000
        rig.server.errors = [
            ConnectionLost(),
            FolderNotFound(),
            *[ConnectionLost()] * 6,
            throttled,
            RuntimeError("bug"),
        ]
        rig.server.searches.clear()
        rig.change()
        await asyncio.sleep(1)
        await asyncio.sleep(RETRY_SECONDS + 1)
        assert rig.shown == [[1], None]
        await asyncio.sleep(3600)
        times = [time for time, _ in rig.server.searches]
        pauses = [round(b - a) for a, b in itertools.pairwise(times)]
        expected = [5, 10, 20, 40, 80, 160, 300, 300, 1000, MAX_RETRY_SECONDS]
        assert all(abs(a - b) <= 1 for a, b in zip(pauses, expected, strict=True))
        assert rig.uids == [1]

    play(script)


def test_refused_login_is_not_repeated() -> None:
    """Until the account is connected again: servers lock accounts."""

    async def script(rig: Rig) -> None:
        rig.change(1)
        await asyncio.sleep(1)
        rig.server.errors = [LoginRefused()]
        for _ in range(10):
            rig.change()
            await asyncio.sleep(60)
        assert len(rig.server.searches) == 2
        assert (rig.logins_refused, rig.uids) == (1, None)
        rig.update(is_online=False)
        rig.update()
        await asyncio.sleep(1)
        assert rig.uids == [1]

    play(script)


def test_lists_of_an_account_are_read_one_at_a_time() -> None:
    """Eighty lists at once must not delay an action."""

    async def script(rig: Rig) -> None:
        rig.server.seconds = 0.01
        rig.server.uids["INBOX"] = [1]
        lists = [rig.make_list() for _ in range(80)]
        tasks = [asyncio.create_task(other.run()) for other in lists]
        state = {"INBOX": FolderState(available=True)}
        for other in lists:
            other.update(rig.source, state, is_online=True)
        await asyncio.sleep(10)
        assert all(other.mails for other in lists)
        assert rig.server.max_running == 1
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    play(script)


def test_mail_is_fetched_once_for_all_lists() -> None:
    """Not for a list that needs more text, or fields that are not kept, for its filter."""

    async def script(rig: Rig) -> None:
        odd = MailFilter.from_config({"sender": ["ann1@example.org"]})
        sources = [
            rig.source,
            rig.source._replace(criteria=Criteria()),
            rig.source._replace(accepts=lambda _: None),
            rig.source._replace(text_size=500),
            rig.source._replace(mail_filter=odd),
        ]
        state = {"INBOX": FolderState(available=True)}
        rig.server.uids["INBOX"] = [1, 2, 3]
        lists, fetches = [], []
        tasks = []
        for source in sources:
            lists.append(rig.make_list())
            tasks.append(asyncio.create_task(lists[-1].run()))
            lists[-1].update(source, state, is_online=True)
            await asyncio.sleep(1)
            fetches.append(len(rig.server.fetches))
        assert fetches == [1, 1, 1, 2, 3]
        assert [[mail.uid for mail in other.mails or ()] for other in lists] == [
            *([3, 2, 1], [3, 2, 1], [], [3, 2, 1], [3, 1])
        ]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        # Messages that no list has are not kept.
        del lists, tasks, task
        assert len(rig.shared.mails) == 0

    play(script)


def test_mail_without_a_date_is_last() -> None:
    """Some servers report no INTERNALDATE."""

    async def script(rig: Rig) -> None:
        mails = rig.server.mails

        async def without_date(*args: Any, **options: Any) -> list[Mail]:
            found = await mails(*args, **options)
            return [
                replace(mail, received=None) if mail.uid == 2 else mail
                for mail in found
            ]

        rig.server.mails = without_date  # type: ignore[method-assign]
        rig.change(1, 2, 3)
        await asyncio.sleep(1)
        assert rig.uids == [3, 1, 2]

    play(script)
