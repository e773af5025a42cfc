"""Power cuts: Home Assistant is killed with SIGKILL while mail arrives."""

import asyncio
from collections.abc import AsyncIterator, Callable
import contextlib
from dataclasses import dataclass, field
import itertools
import os
from random import Random
import time
from typing import Final

import pytest

from custom_components.imap_push.const import DOMAIN

from .home import Account
from .mailbox import Mailbox
from .waiting import until

from tests.rig.lmtp import LmtpSender
from tests.rig.mails import plain

# Only events of the last second before a power cut may be repeated.
LAST_SECOND: Final = 1.0
# A mark is on disk within a second; a busy machine gets twice as long.
MARK_SECONDS: Final = 2.0
# Twenty starts take minutes, so only the newest Home Assistant is tested, and two tests with ten
# starts each can run in parallel.
KILLS: Final = 10
MAX_RUN_SECONDS: Final = 2.0
STREAM_SECONDS: Final = 0.05


async def test_a_power_cut_neither_repeats_nor_loses_mail(
    account: Account, mailbox: Mailbox
) -> None:
    """The mark is on disk shortly after an event."""
    home = account.home
    await mailbox.deliver("Before")
    await until(lambda: account.fired_uids() == [(1, False)])
    await _until_all_is_on_disk(account, next_uid=2)

    await home.kill()
    await mailbox.deliver("Meanwhile")
    await home.start()
    await until(lambda: len(account.fired_uids()) > 1)
    await mailbox.deliver("Afterwards")
    await until(lambda: account.fired_uids()[-1] == (3, False))
    assert account.fired_uids() == [(1, False), (2, True), (3, False)]


@pytest.mark.newest
@pytest.mark.parametrize("_half", ["first ten", "second ten"])
async def test_twenty_power_cuts_lose_nothing_and_repeat_the_last_second_at_most(
    _half: str,
    account: Account,
    mailbox: Mailbox,
    record_property: Callable[[str, object], None],
) -> None:
    """Home Assistant is killed at random moments while mail arrives; KILL_SEED repeats them."""
    seed = int(os.environ.get("KILL_SEED") or time.time_ns() % 1_000_000)
    rng = Random(seed)
    record_property("KILL_SEED", seed)
    await _until_all_is_on_disk(account, next_uid=1)

    kill_log = _KillLog(account)
    async with _stream_of_mail(mailbox):
        for _ in range(KILLS):
            await asyncio.sleep(rng.uniform(0, MAX_RUN_SECONDS))
            await kill_log.kill()
            await account.home.start()
    # It comes after all repeated mails.
    await mailbox.deliver("The last one")
    expected = [uid for uid, _ in await mailbox.listing()]
    await until(lambda: expected[-1] in kill_log.current_run())

    repeated = kill_log.ages_of_repeated_events()
    record_property("mails", len(expected))
    record_property("kills within a second of an event", kill_log.close_kills)
    record_property("repeated", len(repeated))
    record_property("the oldest, seconds before its kill", max(repeated, default=0))
    fired = itertools.chain(*kill_log.runs, kill_log.current_run())
    assert list(dict.fromkeys(fired)) == expected
    assert max(repeated, default=0) < LAST_SECOND


@dataclass
class _KillLog:
    """Records the time of each UID's event, in each run of Home Assistant up to its kill."""

    account: Account
    runs: list[dict[int, float]] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)

    async def kill(self) -> None:
        """Kill Home Assistant and record the run."""
        self.kills.append(time.time())
        await self.account.home.kill()
        self.runs.append(self.current_run())

    def current_run(self) -> dict[int, float]:
        """Return UIDs and times of the events since the last kill; check their order."""
        events = self.account.events()[sum(map(len, self.runs)) :]
        current_run = {event["uid"]: event["fired"] for event in events}
        assert [event["uid"] for event in events] == sorted(current_run)
        return current_run

    def ages_of_repeated_events(self) -> list[float]:
        """Return the age in seconds at the kill of each event that was repeated after it."""
        runs = [*self.runs, self.current_run()]
        return [
            killed - runs[number][uid]
            for number, killed in enumerate(self.kills)
            for uid in runs[number].keys() & set(itertools.chain(*runs[number + 1 :]))
        ]

    @property
    def close_kills(self) -> int:
        """Return the number of kills within a second after an event."""
        ends = (max(current_run.values(), default=0) for current_run in self.runs)
        pairs = zip(self.kills, ends, strict=True)
        return sum(killed - end < LAST_SECOND for killed, end in pairs)


@contextlib.asynccontextmanager
async def _stream_of_mail(mailbox: Mailbox) -> AsyncIterator[None]:
    """Deliver mail continuously."""
    ended = asyncio.Event()

    async def deliver() -> None:
        async with LmtpSender(mailbox.server.lmtp_port) as sender:
            for number in itertools.count(1):
                await sender.send(mailbox.user, plain(f"Stream {number}"))
                await asyncio.sleep(STREAM_SECONDS)
                if ended.is_set():
                    return

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(deliver())
        yield
        ended.set()


async def _until_all_is_on_disk(account: Account, *, next_uid: int) -> None:
    """Wait until the account and its mark are on disk."""
    await until(lambda: _stored_next_uid(account) == next_uid, seconds=MARK_SECONDS)
    stored = account.home.stored
    await until(lambda: account.entry_id in str(stored("core.config_entries")))


def _stored_next_uid(account: Account) -> int | None:
    """Return the next UID of the mark on disk."""
    marks = account.home.stored(f"{DOMAIN}.{account.entry_id}")
    return marks["folders"]["INBOX"]["next_uid"] if marks else None
