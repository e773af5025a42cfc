"""Power cuts: Home Assistant is killed without a word, and mail keeps coming."""

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

# What was told of so long before a power cut may be repeated, and nothing older.
LAST_SECOND: Final = 1.0
# A mark is on disk within a second, and has as much again on a busy machine.
MARK_SECONDS: Final = 2.0
# Twenty starts take some minutes: the newest Home Assistant alone gets them, and half of them
# each of two that run side by side.
KILLS: Final = 10
LONGEST_LIFE_SECONDS: Final = 2.0
STREAM_SECONDS: Final = 0.05


async def test_a_power_cut_neither_repeats_nor_loses_mail(
    account: Account, mailbox: Mailbox
) -> None:
    """What was told of is on disk a moment later."""
    home = account.home
    await mailbox.deliver("Before")
    await until(lambda: account.told() == [(1, False)])
    await _until_all_is_on_disk(account, next_uid=2)

    await home.kill()
    await mailbox.deliver("Meanwhile")
    await home.start()
    await until(lambda: len(account.told()) > 1)
    await mailbox.deliver("Afterwards")
    await until(lambda: account.told()[-1] == (3, False))
    assert account.told() == [(1, False), (2, True), (3, False)]


@pytest.mark.newest
@pytest.mark.parametrize("_half", ["first ten", "second ten"])
async def test_twenty_power_cuts_lose_nothing_and_repeat_the_last_second_at_most(
    _half: str,
    account: Account,
    mailbox: Mailbox,
    record_property: Callable[[str, object], None],
) -> None:
    """Killed at random moments while mail keeps coming; KILL_SEED repeats the moments."""
    seed = int(os.environ.get("KILL_SEED") or time.time_ns() % 1_000_000)
    dice = Random(seed)
    record_property("KILL_SEED", seed)
    await _until_all_is_on_disk(account, next_uid=1)

    witness = _Witness(account)
    async with _stream_of_mail(mailbox):
        for _ in range(KILLS):
            await asyncio.sleep(dice.uniform(0, LONGEST_LIFE_SECONDS))
            await witness.kill()
            await account.home.start()
    # It comes after all that is repeated.
    await mailbox.deliver("The last one")
    wanted = [uid for uid, _ in await mailbox.listing()]
    await until(lambda: wanted[-1] in witness.life())

    repeated = witness.seconds_before_a_kill_of_repeated()
    record_property("mails", len(wanted))
    record_property("kills within a second of an event", witness.close_kills)
    record_property("repeated", len(repeated))
    record_property("the oldest, seconds before its kill", max(repeated, default=0))
    told = itertools.chain(*witness.lives, witness.life())
    assert list(dict.fromkeys(told)) == wanted
    assert max(repeated, default=0) < LAST_SECOND


@dataclass
class _Witness:
    """Who knows when each UID was told of, in each life of Home Assistant up to its kill."""

    account: Account
    lives: list[dict[int, float]] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)

    async def kill(self) -> None:
        """End a life."""
        self.kills.append(time.time())
        await self.account.home.kill()
        self.lives.append(self.life())

    def life(self) -> dict[int, float]:
        """Return what was told of since the last kill: in order, and nothing twice."""
        events = self.account.events()[sum(map(len, self.lives)) :]
        life = {event["uid"]: event["fired"] for event in events}
        assert [event["uid"] for event in events] == sorted(life)
        return life

    def seconds_before_a_kill_of_repeated(self) -> list[float]:
        """Return how old was what was told of again, when Home Assistant was killed."""
        lives = [*self.lives, self.life()]
        return [
            killed - lives[number][uid]
            for number, killed in enumerate(self.kills)
            for uid in lives[number].keys() & set(itertools.chain(*lives[number + 1 :]))
        ]

    @property
    def close_kills(self) -> int:
        """Return how many kills came within a second of an event."""
        ends = (max(life.values(), default=0) for life in self.lives)
        pairs = zip(self.kills, ends, strict=True)
        return sum(killed - end < LAST_SECOND for killed, end in pairs)


@contextlib.asynccontextmanager
async def _stream_of_mail(mailbox: Mailbox) -> AsyncIterator[None]:
    """Let mail come all the time."""
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
    """Wait until a power cut can take away neither the account nor its mark."""
    await until(lambda: _stored_next_uid(account) == next_uid, seconds=MARK_SECONDS)
    stored = account.home.stored
    await until(lambda: account.entry_id in str(stored("core.config_entries")))


def _stored_next_uid(account: Account) -> int | None:
    """Return the UID that the next new mail has, as the disk knows it."""
    marks = account.home.stored(f"{DOMAIN}.{account.entry_id}")
    return marks["folders"]["INBOX"]["next_uid"] if marks else None
