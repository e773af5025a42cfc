"""Saved searches are counted when their folders change, and report new mail that matches.

The tests run in virtual time: hours pass at once.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import suppress
import itertools
from typing import Any
from unittest.mock import Mock

import pytest

from custom_components.imap_push.account import saved_searches
from custom_components.imap_push.account.saved_searches import (
    CHANGE_DELAY_SECONDS,
    MAX_MAILS_PER_REQUEST,
    MAX_PENDING_MAILS,
    MAX_RETRY_SECONDS,
    MIN_COUNT_INTERVAL_SECONDS,
    RETRY_SECONDS,
    TIME_DEPENDENT_COUNT_SECONDS,
    SavedSearch,
    SavedSearches,
)
from custom_components.imap_push.imap import (
    Attachment,
    Client,
    CommandRefused,
    ConnectionLost,
    Criteria,
    CriteriaRefused,
    FolderNotFound,
    FolderState,
    ImapError,
    LoginRefused,
    SearchCount,
    Throttled,
)
from custom_components.imap_push.mail.event_data import (
    Delivery,
    NewMail,
    new_mail_from_arrival,
)
from homeassistant.core import Context

from .. import make_arrival

from tests.engine.virtual import VirtualLoop, run

INVOICES = Criteria(subject="invoice")
UNREAD = Criteria(unread=True)
OLD = Criteria(newer_than=7)
BAD = Criteria(raw="NONSENSE")

POLL_INTERVAL = 60.0
A_FILE = Attachment(part="2", filename="a.pdf", content_type="application/pdf", size=4)
A_LOGO = Attachment(
    part="3", filename="a.png", content_type="image/png", size=4, inline=True
)


class Account(Client):
    """A client with counts and matching UIDs that a test sets."""

    def __init__(self) -> None:
        """Start with empty folders."""
        self.totals: dict[tuple[str, Criteria], int] = {}
        self.matching: dict[Criteria, set[int]] = {}
        self.errors: list[Exception | None] = []
        self.broken: dict[str, Exception] = {}
        self.requests: list[tuple[float, str, list[Criteria], list[int]]] = []
        self.seconds = 0.0  # duration of a request
        self.running = self.max_running = 0

    async def count(
        self, folder: str, searches: Sequence[Criteria], among: Sequence[int] = ()
    ) -> list[SearchCount | CriteriaRefused]:
        """Return the counts, or raise an error that the test has set."""
        now = asyncio.get_running_loop().time()
        self.requests.append((now, folder, list(searches), list(among)))
        self.running += 1
        self.max_running = max(self.max_running, self.running)
        await asyncio.sleep(self.seconds)
        self.running -= 1
        if self.errors and (error := self.errors.pop(0)):
            raise error
        if folder in self.broken:
            raise self.broken[folder]
        return [
            CriteriaRefused("no such search key")
            if criteria == BAD
            else SearchCount(
                total=self.totals.get((folder, criteria), 0),
                matching=frozenset(self.matching.get(criteria, set()) & {*among}),
            )
            for criteria in searches
        ]


class Rig:
    """The searches of an account, with a fake client and recorded callbacks."""

    def __init__(self) -> None:
        """Mark INBOX and Lists as watched."""
        self.account = Account()
        self.async_update_listeners = Mock()
        self.login_refused = Mock()
        self.matches: list[tuple[str, int]] = []
        self.searches = SavedSearches(
            self.account,
            poll_interval=POLL_INTERVAL,
            watched={"INBOX", "Lists"},
            listener=self,
        )
        self._changes = 0

    def searches_matched(self, search_ids: Collection[str], delivery: Delivery) -> None:
        """Record the matches."""
        self.matches += ((search_id, delivery.mail["uid"]) for search_id in search_ids)

    def put(self, search_id: str, criteria: Criteria, *folders: str) -> None:
        """Add or replace a search."""
        self.searches.put(
            search_id,
            SavedSearch(
                name=search_id, folders=folders or ("INBOX",), criteria=criteria
            ),
        )

    def arrive(self, uid: int, **fields: Any) -> None:
        """Deliver a new mail."""
        self.searches.add_mail(Delivery(mail(uid, **fields), Context(), Mock()))

    def connect(self, *, is_online: bool = True) -> None:
        """Report the account as connected or not connected."""
        self.searches.update_state({}, is_online=is_online)

    def change(self, folder: str = "INBOX") -> None:
        """Report a change in a folder."""
        self._changes += 1
        state = FolderState(changes=self._changes)
        self.searches.update_state({folder: state}, is_online=True)

    @property
    def folders_counted(self) -> list[str]:
        """Return the folder of each request, in order."""
        return [folder for _, folder, _, _ in self.account.requests]


def mail(uid: int, **fields: Any) -> NewMail:
    """Return the event data of a new mail."""
    return new_mail_from_arrival(
        make_arrival(uid, **fields), entry_id="", device_id="", account=""
    )


def play(script: Callable[[Rig], Coroutine[Any, Any, None]]) -> None:
    """Run a script in virtual time while the searches run."""

    async def main(_loop: VirtualLoop) -> None:
        rig = Rig()
        task = asyncio.create_task(rig.searches.run())
        await script(rig)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    run(main)


def test_first_count_waits_for_the_connection() -> None:
    """Before that, there is no request and the count is unknown."""

    async def script(rig: Rig) -> None:
        rig.account.totals = {("INBOX", INVOICES): 3, ("Lists", INVOICES): 4}
        rig.put("invoices", INVOICES, "INBOX", "Lists")
        await asyncio.sleep(3600)
        assert not rig.folders_counted
        assert rig.searches.count("invoices") is None
        rig.connect()
        await asyncio.sleep(0.01)
        assert sorted(rig.folders_counted) == ["INBOX", "Lists"]
        assert rig.searches.count("invoices") == 7
        await asyncio.sleep(10 * 3600)
        assert len(rig.folders_counted) == 2

    play(script)


@pytest.mark.parametrize(
    ("criteria", "folder", "seconds"),
    [
        pytest.param(INVOICES, "INBOX", None, id="watched: only when it changes"),
        pytest.param(
            OLD, "INBOX", TIME_DEPENDENT_COUNT_SECONDS, id="watched, depends on time"
        ),
        pytest.param(
            Criteria(raw="X"),
            "INBOX",
            TIME_DEPENDENT_COUNT_SECONDS,
            id="watched, may depend on time",
        ),
        pytest.param(INVOICES, "Archive", POLL_INTERVAL, id="not watched"),
    ],
)
def test_interval_of_counts_without_a_change(
    criteria: Criteria, folder: str, seconds: float | None
) -> None:
    """It depends on whether the result can change without a report of the watcher."""

    async def script(rig: Rig) -> None:
        rig.put("search", criteria, folder)
        rig.connect()
        await asyncio.sleep(3 * TIME_DEPENDENT_COUNT_SECONDS + 1)
        times = [time for time, *_ in rig.account.requests]
        pauses = {round(b - a) for a, b in itertools.pairwise(times)}
        assert pauses == (set() if seconds is None else {seconds})

    play(script)


def test_changed_folder_is_counted_again() -> None:
    """Only the folder that changed is counted, for all its searches at once."""

    async def script(rig: Rig) -> None:
        rig.put("invoices", INVOICES, "INBOX", "Lists")
        rig.put("unread", UNREAD)
        rig.put("again", UNREAD)
        rig.connect()
        await asyncio.sleep(10)
        rig.account.requests.clear()
        rig.async_update_listeners.reset_mock()
        rig.change()
        await asyncio.sleep(10)
        [(_, folder, searches, among)] = rig.account.requests
        assert (folder, searches, among) == ("INBOX", [INVOICES, UNREAD], [])
        rig.async_update_listeners.assert_not_called()

        rig.account.totals["INBOX", UNREAD] = 5
        rig.change()
        await asyncio.sleep(10)
        assert rig.searches.count("unread") == rig.searches.count("again") == 5
        rig.async_update_listeners.assert_called_once_with()

    play(script)


def test_many_changes_do_not_cause_as_many_counts() -> None:
    """There is a pause between two counts, and only one request at a time."""

    async def script(rig: Rig) -> None:
        for number in range(40):
            rig.put(f"search {number}", INVOICES, "INBOX", "Lists")
        rig.connect()
        await asyncio.sleep(10)
        rig.account.requests.clear()
        rig.account.seconds = 0.05
        for uid in range(1, 201):
            rig.arrive(uid)
            rig.change()
            rig.change("Lists")
            await asyncio.sleep(0.01)
        await asyncio.sleep(10)
        assert len(rig.folders_counted) <= 2 * (2 / MIN_COUNT_INTERVAL_SECONDS + 2)
        assert rig.account.max_running == 1
        uids = [uid for *_, among in rig.account.requests for uid in among]
        assert uids == list(range(1, 201))

    play(script)


def test_matching_mail_is_reported_in_order_without_duplicates() -> None:
    """Other changes and slow responses make no difference."""

    async def script(rig: Rig) -> None:
        rig.put("invoices", INVOICES)
        rig.put("unread", UNREAD)
        rig.put("elsewhere", UNREAD, "Lists")
        rig.connect()
        await asyncio.sleep(10)
        rig.account.matching = {INVOICES: {1, 3}, UNREAD: {2, 3}}
        rig.account.seconds = 1
        for uid in (1, 2, 3):
            rig.arrive(uid)
            await asyncio.sleep(0.4)
            rig.change()
        await asyncio.sleep(60)
        rig.change()
        await asyncio.sleep(60)
        assert rig.matches == [
            *(("invoices", 1), ("unread", 2)),
            *(("invoices", 3), ("unread", 3)),
        ]

    play(script)


@pytest.mark.parametrize(
    ("arrivals", "reported"),
    [
        pytest.param(
            [("INBOX", {}), ("Lists", {}), ("INBOX", {})], [1], id="moved, moved back"
        ),
        pytest.param([("INBOX", {}), ("INBOX", {})], [1, 2], id="two copies"),
        pytest.param(
            [("INBOX", {}), ("Lists", {"subject": "Other"})],
            [1, 2],
            id="another mail with this Message-ID",
        ),
        pytest.param(
            [("INBOX", {"message_id": None}), ("Lists", {"message_id": None})],
            [1, 2],
            id="no Message-ID",
        ),
    ],
)
def test_moved_mail_is_reported_one_time(
    arrivals: list[tuple[str, dict[str, Any]]], reported: list[int]
) -> None:
    """It is new in the other watched folder, but not for the search."""

    async def script(rig: Rig) -> None:
        rig.put("invoices", INVOICES, "INBOX", "Lists")
        rig.connect()
        rig.account.matching = {INVOICES: {1, 2, 3}}
        for uid, (folder, fields) in enumerate(arrivals, 1):
            rig.arrive(uid, **{"folder": folder, "message_id": "<a@b>"} | fields)
            await asyncio.sleep(10)
        assert rig.matches == [("invoices", uid) for uid in reported]

    play(script)


def test_number_of_remembered_mails_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The oldest is forgotten, and is new in another folder."""
    monkeypatch.setattr(saved_searches, "MAX_REPORTED_MAILS", 2)

    async def script(rig: Rig) -> None:
        rig.put("invoices", INVOICES, "INBOX", "Lists")
        rig.connect()
        rig.account.matching = {INVOICES: {1, 2, 3, 11, 13}}
        for uid in (1, 2, 3):
            rig.arrive(uid, message_id=f"<{uid}>")
        await asyncio.sleep(10)
        for uid in (1, 3):
            rig.arrive(uid + 10, message_id=f"<{uid}>", folder="Lists")
        await asyncio.sleep(10)
        assert [uid for _, uid in rig.matches] == [1, 2, 3, 11]

    play(script)


def test_mail_that_is_announced_early_is_reported_without_delay() -> None:
    """The count after a change waits for the mail, so that one request covers both."""

    async def script(rig: Rig) -> None:
        rig.account.matching = {INVOICES: {1}}
        rig.put("invoices", INVOICES)
        rig.connect()
        await asyncio.sleep(10)
        rig.change()
        await asyncio.sleep(CHANGE_DELAY_SECONDS / 2)
        rig.arrive(1)
        await asyncio.sleep(0.001)
        assert rig.matches == [("invoices", 1)]
        await asyncio.sleep(10)
        assert len(rig.folders_counted) == 2

    play(script)


@pytest.mark.parametrize(
    ("criteria", "attachments", "matches"),
    [
        pytest.param(True, (A_FILE,), True, id="required, present"),
        pytest.param(True, (), False, id="required, absent"),
        pytest.param(False, (A_FILE,), False, id="excluded, present"),
        pytest.param(False, (), True, id="excluded, absent"),
        pytest.param(None, (A_FILE,), True, id="no criterion"),
        pytest.param(True, (A_LOGO,), False, id="required, only an inline image"),
        pytest.param(False, (A_LOGO,), True, id="excluded, only an inline image"),
        pytest.param(True, (A_LOGO, A_FILE), True, id="required, both"),
    ],
)
def test_attachments_of_new_mail_are_checked_without_the_server(
    criteria: bool | None, attachments: tuple[Attachment, ...], matches: bool
) -> None:
    """The criterion is not sent: the server could only check the Content-Type."""

    async def script(rig: Rig) -> None:
        rig.put("files", Criteria(subject="invoice", has_attachment=criteria))
        rig.account.matching = {INVOICES: {1}}
        rig.connect()
        rig.arrive(1, attachments=attachments)
        await asyncio.sleep(10)
        assert rig.matches == ([("files", 1)] if matches else [])

    play(script)


@pytest.mark.parametrize(
    ("error", "retries"),
    [
        pytest.param(
            ConnectionLost(), [RETRY_SECONDS, 2 * RETRY_SECONDS], id="connection lost"
        ),
        pytest.param(
            RuntimeError("bug"), [RETRY_SECONDS, 2 * RETRY_SECONDS], id="a bug"
        ),
        pytest.param(
            LoginRefused(), [MAX_RETRY_SECONDS, MAX_RETRY_SECONDS], id="login refused"
        ),
        pytest.param(Throttled(), [RETRY_SECONDS, 2 * RETRY_SECONDS], id="throttled"),
    ],
)
def test_failed_count_is_retried(error: Exception, retries: list[float]) -> None:
    """The count is unknown until then, and no pending mail is lost."""

    async def script(rig: Rig) -> None:
        rig.account.totals["INBOX", INVOICES] = 3
        rig.account.matching = {INVOICES: {1, 2}}
        rig.put("invoices", INVOICES)
        rig.connect()
        await asyncio.sleep(10)
        assert rig.searches.count("invoices") == 3
        rig.account.requests.clear()
        rig.async_update_listeners.reset_mock()
        rig.account.errors = [error, error]
        rig.arrive(1)
        await asyncio.sleep(1)
        assert rig.searches.count("invoices") is None
        rig.async_update_listeners.assert_called_once_with()
        rig.arrive(2)
        rig.change()
        await asyncio.sleep(3 * MAX_RETRY_SECONDS)
        times = [time for time, *_ in rig.account.requests]
        assert [b - a for a, b in itertools.pairwise(times)] == pytest.approx(retries)
        assert rig.searches.count("invoices") == 3
        assert rig.matches == [("invoices", 1), ("invoices", 2)]
        is_refused = isinstance(error, LoginRefused)
        assert rig.login_refused.call_count == (2 if is_refused else 0)

    play(script)


def test_counting_stops_after_three_refused_logins() -> None:
    """Servers lock accounts after too many failed logins."""

    async def script(rig: Rig) -> None:
        rig.account.errors = [LoginRefused() for _ in range(100)]
        rig.put("invoices", INVOICES)
        rig.connect()
        await asyncio.sleep(100 * MAX_RETRY_SECONDS)
        rig.change()
        await asyncio.sleep(100 * MAX_RETRY_SECONDS)
        assert len(rig.account.requests) == rig.login_refused.call_count == 3

    play(script)


def test_retry_waits_as_long_as_the_server_requests() -> None:
    """Changes in any folder do not shorten the delay."""

    async def script(rig: Rig) -> None:
        throttled = Throttled()
        throttled.retry_after = 900
        rig.put("invoices", INVOICES, "INBOX", "Lists")
        rig.account.errors = [throttled]
        rig.connect()
        await asyncio.sleep(1)
        rig.change()
        rig.arrive(1)
        await asyncio.sleep(890)
        assert len(rig.folders_counted) == 1
        await asyncio.sleep(10)
        assert len(rig.folders_counted) == 3

    play(script)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(FolderNotFound(), id="folder not found"),
        pytest.param(CommandRefused("SEARCH", "NO", None, ""), id="refused"),
    ],
)
def test_folder_that_cannot_be_counted_does_not_affect_others(
    error: ImapError,
) -> None:
    """Only the counts of its searches are unknown."""

    async def script(rig: Rig) -> None:
        rig.put("lists", INVOICES, "Lists")
        rig.put("both", INVOICES, "INBOX", "Lists")
        rig.put("inbox", INVOICES)
        rig.account.broken = {"Lists": error}
        rig.connect()
        await asyncio.sleep(100)
        known = {key: rig.searches.count(key) for key in ("lists", "both", "inbox")}
        assert known == {"lists": None, "both": None, "inbox": 0}
        rig.account.broken = {}
        await asyncio.sleep(MAX_RETRY_SECONDS)
        assert rig.searches.count("both") == 0
        assert rig.folders_counted.count("INBOX") == 1

    play(script)


def test_folders_are_counted_at_once_after_an_outage() -> None:
    """Retry delays from before the outage do not apply."""

    async def script(rig: Rig) -> None:
        rig.put("invoices", INVOICES)
        rig.connect()
        await asyncio.sleep(10)
        rig.account.errors = [ConnectionLost()] * 5
        rig.change()
        await asyncio.sleep(30)
        rig.connect(is_online=False)
        assert rig.searches.count("invoices") is None
        requests = len(rig.folders_counted)
        await asyncio.sleep(3600)
        assert len(rig.folders_counted) == requests
        rig.account.errors = []
        rig.connect()
        assert rig.searches.count("invoices") is None
        await asyncio.sleep(0.1)
        assert rig.searches.count("invoices") == 0

    play(script)


def test_search_that_the_server_does_not_understand_is_not_repeated(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One warning is logged; other searches are not affected."""

    async def script(rig: Rig) -> None:
        rig.put("invoices", INVOICES, "INBOX", "Lists")
        rig.put("bad", BAD, "INBOX", "Lists", "Archive")
        rig.account.matching = {INVOICES: {1}}
        rig.connect()
        rig.arrive(1)
        await asyncio.sleep(10)
        rig.change()
        await asyncio.sleep(10)
        assert rig.searches.count("invoices") == 0
        assert rig.searches.count("bad") is None
        assert rig.matches == [("invoices", 1)]
        assert caplog.text.count("does not understand") == 1
        assert rig.account.requests[-1][2] == [INVOICES]
        await asyncio.sleep(10 * POLL_INTERVAL)
        assert rig.folders_counted.count("Archive") == 1

        rig.put("bad", UNREAD)
        await asyncio.sleep(10)
        assert rig.searches.count("bad") == 0

    play(script)


def test_pending_mail_of_an_old_uidvalidity_is_dropped() -> None:
    """Its UID may now belong to another mail."""

    async def script(rig: Rig) -> None:
        rig.put("invoices", INVOICES)
        rig.arrive(7)
        rig.arrive(8)
        rig.arrive(1, uid_validity=4)
        rig.connect()
        await asyncio.sleep(10)
        assert rig.account.requests[0][3] == [1]

    play(script)


def test_number_of_pending_mails_is_bounded() -> None:
    """Only the newest are kept, and each request has a limited number of them."""

    async def script(rig: Rig) -> None:
        rig.put("invoices", INVOICES)
        for uid in range(1, MAX_PENDING_MAILS + 101):
            rig.arrive(uid)
        rig.connect()
        await asyncio.sleep(10)
        requests = [among for *_, among in rig.account.requests]
        assert [len(uids) for uids in requests] == [MAX_MAILS_PER_REQUEST] * 2
        assert [*requests[0], *requests[1]] == list(range(101, MAX_PENDING_MAILS + 101))

    play(script)


def test_search_that_is_changed_or_removed_during_a_request() -> None:
    """A changed one is counted again, a removed one is not counted."""

    async def script(rig: Rig) -> None:
        rig.account.totals = {("INBOX", INVOICES): 3, ("INBOX", UNREAD): 5}
        rig.account.matching = {INVOICES: {1}, UNREAD: {1}}
        rig.account.seconds = 1
        rig.put("changed", INVOICES)
        rig.put("removed", INVOICES, "INBOX", "Lists")
        rig.arrive(1)
        rig.connect()
        await asyncio.sleep(0.5)
        rig.put("changed", UNREAD)
        rig.searches.remove("removed")
        await asyncio.sleep(10)
        assert rig.searches.count("changed") == 5
        assert rig.searches.count("removed") is None
        assert "Lists" not in rig.folders_counted
        assert not rig.matches

    play(script)


def test_mail_in_a_folder_without_a_search_causes_no_request() -> None:
    """A change there causes none, either."""

    async def script(rig: Rig) -> None:
        rig.connect()
        rig.arrive(1)
        rig.change()
        await asyncio.sleep(10)
        assert not rig.folders_counted

    play(script)
