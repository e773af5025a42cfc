"""Saved searches are counted as their folders change, and tell of new mail that matches.

The server is played in virtual time: what takes an hour takes no time.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
import itertools
from typing import Any
from unittest.mock import Mock

import pytest

from custom_components.imap_push.account.saved_search import Search
from custom_components.imap_push.account.saved_searches import (
    AGING,
    MAX_ASKED,
    MAX_RETRY,
    MAX_WAITING,
    REST,
    RETRY,
    SETTLE,
    Searches,
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
from custom_components.imap_push.mail.event_data import NewMail, new_mail_from_arrival

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
    """An account whose folders hold as many mails of each search as a test says."""

    def __init__(self) -> None:
        """Have empty folders."""
        self.totals: dict[tuple[str, Criteria], int] = {}
        self.matching: dict[Criteria, set[int]] = {}
        self.errors: list[Exception | None] = []
        self.broken: dict[str, Exception] = {}
        self.asked: list[tuple[float, str, list[Criteria], list[int]]] = []
        self.seconds = 0.0  # that an answer takes
        self.under_way = self.most_under_way = 0

    async def count(
        self, folder: str, searches: Sequence[Criteria], among: Sequence[int] = ()
    ) -> list[SearchCount | CriteriaRefused]:
        """Answer, or fail."""
        now = asyncio.get_running_loop().time()
        self.asked.append((now, folder, list(searches), list(among)))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(self.seconds)
        self.under_way -= 1
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


class Home:
    """What Home Assistant does with the searches of an account."""

    def __init__(self) -> None:
        """Watch INBOX and Lists."""
        self.account = Account()
        self.on_count = Mock()
        self.on_login_refused = Mock()
        self.matches: list[tuple[str, int]] = []
        self.searches = Searches(
            self.account,
            poll_interval=POLL_INTERVAL,
            watched={"INBOX", "Lists"},
            on_count=self.on_count,
            on_match=lambda it, mail: self.matches.append((it, mail["uid"])),
            on_login_refused=self.on_login_refused,
        )
        self._changes = 0

    def put(self, search_id: str, criteria: Criteria, *folders: str) -> None:
        """Save a search."""
        self.searches.put(
            search_id,
            Search(name=search_id, folders=folders or ("INBOX",), criteria=criteria),
        )

    def arrive(self, uid: int, **fields: Any) -> None:
        """Let a mail arrive."""
        self.searches.mail_arrived(mail(uid, **fields))

    def connect(self, *, is_online: bool = True) -> None:
        """Connect the account, or lose the connection."""
        self.searches.state_changed({}, is_online=is_online)

    def change(self, folder: str = "INBOX") -> None:
        """Let something change in a folder."""
        self._changes += 1
        state = FolderState(changes=self._changes)
        self.searches.state_changed({folder: state}, is_online=True)

    @property
    def asked(self) -> list[str]:
        """Return the folders that were asked, in order."""
        return [folder for _, folder, _, _ in self.account.asked]


def mail(uid: int, **fields: Any) -> NewMail:
    """Return a new mail as it is sent to everybody."""
    return new_mail_from_arrival(
        make_arrival(uid, **fields), entry_id="", device_id="", account=""
    )


def play(script: Callable[[Home], Coroutine[Any, Any, None]]) -> None:
    """Play a script in virtual time, while the searches run."""

    async def main(_loop: VirtualLoop) -> None:
        home = Home()
        task = asyncio.create_task(home.searches.run())
        await script(home)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    run(main)


def test_first_count_waits_for_the_connection() -> None:
    """Until then nothing is asked, and the count is not known."""

    async def script(home: Home) -> None:
        home.account.totals = {("INBOX", INVOICES): 3, ("Lists", INVOICES): 4}
        home.put("invoices", INVOICES, "INBOX", "Lists")
        await asyncio.sleep(3600)
        assert not home.asked
        assert home.searches.count("invoices") is None
        home.connect()
        await asyncio.sleep(0.01)
        assert sorted(home.asked) == ["INBOX", "Lists"]
        assert home.searches.count("invoices") == 7
        await asyncio.sleep(10 * 3600)
        assert len(home.asked) == 2

    play(script)


@pytest.mark.parametrize(
    ("criteria", "folder", "seconds"),
    [
        pytest.param(INVOICES, "INBOX", None, id="watched: only when it changes"),
        pytest.param(OLD, "INBOX", AGING, id="watched, and time matters"),
        pytest.param(Criteria(raw="X"), "INBOX", AGING, id="watched, time may matter"),
        pytest.param(INVOICES, "Archive", POLL_INTERVAL, id="not watched"),
    ],
)
def test_how_often_a_folder_is_counted_by_itself(
    criteria: Criteria, folder: str, seconds: float | None
) -> None:
    """As often as it can change without a word."""

    async def script(home: Home) -> None:
        home.put("search", criteria, folder)
        home.connect()
        await asyncio.sleep(3 * AGING + 1)
        times = [time for time, *_ in home.account.asked]
        pauses = {round(b - a) for a, b in itertools.pairwise(times)}
        assert pauses == (set() if seconds is None else {seconds})

    play(script)


def test_count_follows_what_push_tells() -> None:
    """Only the folder that changed is counted, for all its searches at once."""

    async def script(home: Home) -> None:
        home.put("invoices", INVOICES, "INBOX", "Lists")
        home.put("unread", UNREAD)
        home.put("again", UNREAD)
        home.connect()
        await asyncio.sleep(10)
        home.account.asked.clear()
        home.on_count.reset_mock()
        home.change()
        await asyncio.sleep(10)
        [(_, folder, searches, among)] = home.account.asked
        assert (folder, searches, among) == ("INBOX", [INVOICES, UNREAD], [])
        home.on_count.assert_not_called()

        home.account.totals["INBOX", UNREAD] = 5
        home.change()
        await asyncio.sleep(10)
        assert home.searches.count("unread") == home.searches.count("again") == 5
        home.on_count.assert_called_once_with()

    play(script)


def test_a_burst_is_no_storm() -> None:
    """A folder is counted at once and then after a rest; one request is under way at a time."""

    async def script(home: Home) -> None:
        for number in range(40):
            home.put(f"search {number}", INVOICES, "INBOX", "Lists")
        home.connect()
        await asyncio.sleep(10)
        home.account.asked.clear()
        home.account.seconds = 0.05
        for uid in range(1, 201):
            home.arrive(uid)
            home.change()
            home.change("Lists")
            await asyncio.sleep(0.01)
        await asyncio.sleep(10)
        assert len(home.asked) <= 2 * (2 / REST + 2)
        assert home.account.most_under_way == 1
        asked = [uid for *_, among in home.account.asked for uid in among]
        assert asked == list(range(1, 201))

    play(script)


def test_new_mail_that_matches_is_told_once_and_in_order() -> None:
    """Whatever else changes meanwhile, and however late the answer comes."""

    async def script(home: Home) -> None:
        home.put("invoices", INVOICES)
        home.put("unread", UNREAD)
        home.put("elsewhere", UNREAD, "Lists")
        home.connect()
        await asyncio.sleep(10)
        home.account.matching = {INVOICES: {1, 3}, UNREAD: {2, 3}}
        home.account.seconds = 1
        for uid in (1, 2, 3):
            home.arrive(uid)
            await asyncio.sleep(0.4)
            home.change()
        await asyncio.sleep(60)
        home.change()
        await asyncio.sleep(60)
        assert home.matches == [
            *(("invoices", 1), ("unread", 2)),
            *(("invoices", 3), ("unread", 3)),
        ]

    play(script)


def test_a_mail_that_is_announced_before_it_is_there_is_told_at_once() -> None:
    """The change is not counted before the mail that it is about can be asked about."""

    async def script(home: Home) -> None:
        home.account.matching = {INVOICES: {1}}
        home.put("invoices", INVOICES)
        home.connect()
        await asyncio.sleep(10)
        home.change()
        await asyncio.sleep(SETTLE / 2)
        home.arrive(1)
        await asyncio.sleep(0.001)
        assert home.matches == [("invoices", 1)]
        await asyncio.sleep(10)
        assert len(home.asked) == 2

    play(script)


@pytest.mark.parametrize(
    ("criteria", "attachments", "matches"),
    [
        pytest.param(True, (A_FILE,), True, id="wanted and there"),
        pytest.param(True, (), False, id="wanted and not there"),
        pytest.param(False, (A_FILE,), False, id="not wanted and there"),
        pytest.param(False, (), True, id="not wanted and not there"),
        pytest.param(None, (A_FILE,), True, id="no matter"),
        pytest.param(True, (A_LOGO,), False, id="wanted and only an inline image"),
        pytest.param(False, (A_LOGO,), True, id="not wanted and only an inline image"),
        pytest.param(True, (A_LOGO, A_FILE), True, id="wanted and both"),
    ],
)
def test_attachments_of_a_new_mail_are_known(
    criteria: bool | None, attachments: tuple[Attachment, ...], matches: bool
) -> None:
    """The server, which has only the Content-Type to go by, is not asked about them."""

    async def script(home: Home) -> None:
        home.put("files", Criteria(subject="invoice", has_attachment=criteria))
        home.account.matching = {INVOICES: {1}}
        home.connect()
        home.arrive(1, attachments=attachments)
        await asyncio.sleep(10)
        assert home.matches == ([("files", 1)] if matches else [])

    play(script)


@pytest.mark.parametrize(
    ("error", "retries"),
    [
        pytest.param(ConnectionLost(), [RETRY, 2 * RETRY], id="connection lost"),
        pytest.param(RuntimeError("bug"), [RETRY, 2 * RETRY], id="a bug"),
        pytest.param(LoginRefused(), [MAX_RETRY, MAX_RETRY], id="login refused"),
        pytest.param(Throttled(), [RETRY, 2 * RETRY], id="throttled"),
    ],
)
def test_a_failed_count_is_tried_again(error: Exception, retries: list[float]) -> None:
    """Meanwhile the count is not known, and no mail is forgotten."""

    async def script(home: Home) -> None:
        home.account.totals["INBOX", INVOICES] = 3
        home.account.matching = {INVOICES: {1, 2}}
        home.put("invoices", INVOICES)
        home.connect()
        await asyncio.sleep(10)
        assert home.searches.count("invoices") == 3
        home.account.asked.clear()
        home.on_count.reset_mock()
        home.account.errors = [error, error]
        home.arrive(1)
        await asyncio.sleep(1)
        assert home.searches.count("invoices") is None
        home.on_count.assert_called_once_with()
        home.arrive(2)
        home.change()
        await asyncio.sleep(3 * MAX_RETRY)
        times = [time for time, *_ in home.account.asked]
        assert [b - a for a, b in itertools.pairwise(times)] == pytest.approx(retries)
        assert home.searches.count("invoices") == 3
        assert home.matches == [("invoices", 1), ("invoices", 2)]
        is_refused = isinstance(error, LoginRefused)
        assert home.on_login_refused.call_count == (2 if is_refused else 0)

    play(script)


def test_a_login_that_is_refused_again_and_again_is_given_up() -> None:
    """Until the account is loaded anew: servers lock out who goes on."""

    async def script(home: Home) -> None:
        home.account.errors = [LoginRefused() for _ in range(100)]
        home.put("invoices", INVOICES)
        home.connect()
        await asyncio.sleep(100 * MAX_RETRY)
        home.change()
        await asyncio.sleep(100 * MAX_RETRY)
        assert len(home.account.asked) == home.on_login_refused.call_count == 3

    play(script)


def test_a_server_is_left_alone_as_long_as_it_asks() -> None:
    """Whatever changes meanwhile, and in whatever folder."""

    async def script(home: Home) -> None:
        throttled = Throttled()
        throttled.retry_after = 900
        home.put("invoices", INVOICES, "INBOX", "Lists")
        home.account.errors = [throttled]
        home.connect()
        await asyncio.sleep(1)
        home.change()
        home.arrive(1)
        await asyncio.sleep(890)
        assert len(home.asked) == 1
        await asyncio.sleep(10)
        assert len(home.asked) == 3

    play(script)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(FolderNotFound(), id="folder not found"),
        pytest.param(CommandRefused("SEARCH", "NO", None, ""), id="refused"),
    ],
)
def test_a_folder_that_cannot_be_counted_does_not_hold_up_others(
    error: ImapError,
) -> None:
    """Its searches are not known; all others are."""

    async def script(home: Home) -> None:
        home.put("lists", INVOICES, "Lists")
        home.put("both", INVOICES, "INBOX", "Lists")
        home.put("inbox", INVOICES)
        home.account.broken = {"Lists": error}
        home.connect()
        await asyncio.sleep(100)
        known = {it: home.searches.count(it) for it in ("lists", "both", "inbox")}
        assert known == {"lists": None, "both": None, "inbox": 0}
        home.account.broken = {}
        await asyncio.sleep(MAX_RETRY)
        assert home.searches.count("both") == 0
        assert home.asked.count("INBOX") == 1

    play(script)


def test_an_outage_ends_with_a_new_count() -> None:
    """It is known again at once, however long the pauses had become."""

    async def script(home: Home) -> None:
        home.put("invoices", INVOICES)
        home.connect()
        await asyncio.sleep(10)
        home.account.errors = [ConnectionLost()] * 5
        home.change()
        await asyncio.sleep(30)
        home.connect(is_online=False)
        assert home.searches.count("invoices") is None
        asked = len(home.asked)
        await asyncio.sleep(3600)
        assert len(home.asked) == asked
        home.account.errors = []
        home.connect()
        assert home.searches.count("invoices") is None
        await asyncio.sleep(0.1)
        assert home.searches.count("invoices") == 0

    play(script)


def test_a_search_that_the_server_does_not_understand(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It costs one line in the log, and the other searches nothing."""

    async def script(home: Home) -> None:
        home.put("invoices", INVOICES, "INBOX", "Lists")
        home.put("bad", BAD, "INBOX", "Lists", "Archive")
        home.account.matching = {INVOICES: {1}}
        home.connect()
        home.arrive(1)
        await asyncio.sleep(10)
        home.change()
        await asyncio.sleep(10)
        assert home.searches.count("invoices") == 0
        assert home.searches.count("bad") is None
        assert home.matches == [("invoices", 1)]
        assert caplog.text.count("does not understand") == 1
        assert home.account.asked[-1][2] == [INVOICES]
        await asyncio.sleep(10 * POLL_INTERVAL)
        assert home.asked.count("Archive") == 1

        home.put("bad", UNREAD)
        await asyncio.sleep(10)
        assert home.searches.count("bad") == 0

    play(script)


def test_mail_of_another_numbering_is_not_asked_about() -> None:
    """Its UID is that of another mail by now."""

    async def script(home: Home) -> None:
        home.put("invoices", INVOICES)
        home.arrive(7)
        home.arrive(8)
        home.arrive(1, uid_validity=4)
        home.connect()
        await asyncio.sleep(10)
        assert home.account.asked[0][3] == [1]

    play(script)


def test_memory_of_what_waits_is_bounded() -> None:
    """Of too many mails the newest are asked about, not too many at a time."""

    async def script(home: Home) -> None:
        home.put("invoices", INVOICES)
        for uid in range(1, MAX_WAITING + 101):
            home.arrive(uid)
        home.connect()
        await asyncio.sleep(10)
        asked = [among for *_, among in home.account.asked]
        assert [len(uids) for uids in asked] == [MAX_ASKED] * 2
        assert [*asked[0], *asked[1]] == list(range(101, MAX_WAITING + 101))

    play(script)


def test_what_is_changed_or_removed_while_the_server_counts() -> None:
    """Is counted anew, or no more."""

    async def script(home: Home) -> None:
        home.account.totals = {("INBOX", INVOICES): 3, ("INBOX", UNREAD): 5}
        home.account.matching = {INVOICES: {1}, UNREAD: {1}}
        home.account.seconds = 1
        home.put("changed", INVOICES)
        home.put("removed", INVOICES, "INBOX", "Lists")
        home.arrive(1)
        home.connect()
        await asyncio.sleep(0.5)
        home.put("changed", UNREAD)
        home.searches.remove("removed")
        await asyncio.sleep(10)
        assert home.searches.count("changed") == 5
        assert home.searches.count("removed") is None
        assert "Lists" not in home.asked
        assert not home.matches

    play(script)


def test_mail_of_a_folder_without_a_search_is_nobodys_business() -> None:
    """Nothing is asked."""

    async def script(home: Home) -> None:
        home.connect()
        home.arrive(1)
        home.change()
        await asyncio.sleep(10)
        assert not home.asked

    play(script)
