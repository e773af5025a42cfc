"""Unsolicited responses are queued, within a limit, until they are read."""

import asyncio

from hypothesis import given, strategies as st
import pytest

from custom_components.imap_push.imap.wire import unsolicited
from custom_components.imap_push.imap.wire.parser import Data
from custom_components.imap_push.imap.wire.receiver import (
    Change,
    FolderStatus,
    SelectedFolder,
)
from custom_components.imap_push.imap.wire.unsolicited import UnsolicitedQueue

INBOX = SelectedFolder("INBOX", 5)
MAIL = Data("FETCH", 1, [b"(UID 1 BODY[HEADER] {0}\r\n)"])
STATUS = Data("STATUS", None, [b'"A" (UNSEEN 1)'])

EVENTS = st.sampled_from(
    [
        Change(INBOX),
        Change(INBOX, newest_removed=True),
        Change(INBOX, shrunk=True),
        Change(INBOX, mail=MAIL),
        FolderStatus(STATUS),
    ]
)


@pytest.mark.parametrize(
    ("events", "changed", "newest_removed", "shrunk"),
    [
        ([Change(INBOX)], True, False, False),
        ([Change(INBOX, newest_removed=True), Change(INBOX)], True, True, False),
        ([Change(INBOX, shrunk=True), Change(INBOX)], True, False, True),
        ([FolderStatus(STATUS)], False, False, False),
    ],
    ids=["change", "the last message was removed", "fewer messages", "another folder"],
)
def test_changes_of_a_folder(
    events: list[Change | FolderStatus],
    changed: bool,
    newest_removed: bool,
    shrunk: bool,
) -> None:
    """Several changes are returned as one."""
    queue = UnsolicitedQueue()
    for event in events:
        queue.put(event)
    taken = queue.take()
    assert taken
    assert (taken.changed, taken.folder is INBOX) == (changed, changed)
    assert (taken.newest_removed, taken.shrunk) == (newest_removed, shrunk)


@pytest.mark.parametrize(
    ("selected", "kept"),
    [(INBOX, True), (SelectedFolder("Work"), False), (SelectedFolder("INBOX"), False)],
    ids=["the same", "another", "selected again"],
)
def test_changes_of_a_folder_that_is_no_longer_selected(
    selected: SelectedFolder, kept: bool
) -> None:
    """FETCH responses do not name their folder: these must not count as mails of the next one."""
    queue = UnsolicitedQueue()
    queue.put(Change(INBOX, newest_removed=True, mail=MAIL))
    queue.select(selected)
    taken = queue.take()
    assert taken.changed
    assert taken.folder is (INBOX if kept else None)
    assert (taken.newest_removed, taken.mails) == (kept, [MAIL] if kept else [])


@given(st.lists(EVENTS))
def test_each_response_is_returned_one_time(
    events: list[Change | FolderStatus],
) -> None:
    """All mails and statuses are returned in order, and only one time."""
    queue = UnsolicitedQueue()
    for event in events:
        queue.put(event)
    taken = queue.take()
    mails = [event for event in events if isinstance(event, Change) and event.mail]
    statuses = [event for event in events if isinstance(event, FolderStatus)]
    assert taken.mails == [MAIL] * len(mails)
    assert taken.statuses == [STATUS] * len(statuses)
    assert not taken.overflowed
    assert not queue.take()


@given(st.lists(EVENTS), st.integers(0, 2000))
def test_limit_is_reported(events: list[Change | FolderStatus], limit: int) -> None:
    """Either all responses are returned, or `dropped` is set; the limit is never exceeded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unsolicited, "MAX_WAITING", limit)
        queue = UnsolicitedQueue()
        for event in events:
            queue.put(event)
        taken = queue.take()
    kept = [
        event.data if isinstance(event, FolderStatus) else event.mail
        for event in events
    ]
    found = taken.mails + taken.statuses
    assert sum(data.memory for data in found) <= limit
    assert taken.dropped == (sum(data.memory for data in kept if data) > limit)
    if not taken.dropped:
        assert len(found) == len([data for data in kept if data])


async def test_wait() -> None:
    """`wait` ends with a response, `wake`, a response that is already queued, or the timeout."""
    queue = UnsolicitedQueue()
    async with asyncio.timeout(5):
        for happen in (lambda: queue.put(Change(INBOX)), queue.wake):
            asyncio.get_running_loop().call_soon(happen)
            await queue.wait(100)
        await queue.wait(100)
        queue.take()
        await queue.wait(0.001)
