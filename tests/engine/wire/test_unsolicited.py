"""Unsolicited responses are queued, within a limit, until they are read."""

import asyncio

from hypothesis import given, strategies as st
import pytest

from custom_components.imap_push.imap.wire import unsolicited
from custom_components.imap_push.imap.wire.parser import Data
from custom_components.imap_push.imap.wire.unsolicited import UnsolicitedQueue

MAIL = b"(UID 1 BODY[HEADER] {0}\r\n)"
FLAGS = b"(UID 1 FLAGS (\\Seen))"


def untagged(name: str, number: int | None = None, text: bytes = b"") -> Data:
    """Return an untagged response."""
    return Data(name, number, [text])


UNTAGGED = st.one_of(
    st.builds(untagged, st.just("EXISTS"), st.integers(0, 9)),
    st.builds(untagged, st.just("EXPUNGE"), st.integers(1, 9)),
    st.builds(
        untagged, st.just("FETCH"), st.integers(1, 9), st.sampled_from([MAIL, FLAGS])
    ),
    st.builds(untagged, st.just("STATUS"), st.none(), st.just(b'"A" (UNSEEN 1)')),
    st.builds(untagged, st.sampled_from(["VANISHED", "RECENT", "FLAGS"])),
)


@pytest.mark.parametrize(
    ("response", "changed", "exists", "growth"),
    [
        (untagged("EXISTS", 5), True, 5, 2),
        (untagged("EXISTS", 3), False, 3, 0),
        (untagged("EXISTS", 2), True, 2, 0),
        (untagged("EXPUNGE", 1), True, 2, 0),
        (untagged("VANISHED", text=b"1:3"), True, 3, 0),
        (untagged("FETCH", 1, FLAGS), True, 3, 0),
        (untagged("FETCH", 3, MAIL), True, 3, 0),
        (untagged("STATUS", text=b'"A" (UNSEEN 1)'), False, 3, 0),
        (untagged("RECENT", 1), False, 3, 0),
        (untagged("FLAGS", text=b"()"), False, 3, 0),
    ],
    ids=lambda value: f"{value.name} {value.number}" if isinstance(value, Data) else "",
)
def test_response_that_reports_a_change(
    response: Data, changed: bool, exists: int, growth: int
) -> None:
    """Which responses report a change, and which of them new messages."""
    queue = UnsolicitedQueue()
    queue.set_exists(3)
    queue.put(response)
    assert (queue.exists, queue.growth) == (exists, growth)
    taken = queue.take()
    assert taken.changed is changed
    assert bool(taken) is (changed or response.name == "STATUS")


@pytest.mark.parametrize(
    ("responses", "exists", "synced", "newest_removed", "shrunk"),
    [
        ([("EXISTS", 6)], 6, 4, False, False),
        ([("EXPUNGE", 2)], 4, 3, False, False),
        ([("EXPUNGE", 5)], 4, 4, True, False),
        ([("EXPUNGE", 5), ("EXPUNGE", 4)], 3, 3, True, False),
        ([("EXPUNGE", 9)], 4, 4, True, False),
        ([("EXPUNGE", 0)], 4, 3, False, False),
        ([("EXPUNGE", 1)] * 7, 0, 0, True, False),
        ([("EXPUNGE", 1), ("EXISTS", 5)], 5, 3, False, False),
        ([("EXISTS", 3)], 3, 3, False, True),
        ([("EXISTS", 0), ("EXISTS", 5)], 5, 0, False, True),
        ([("VANISHED", None)], 5, 4, True, False),
    ],
    ids=[
        "new",
        "below the mark",
        "the last, not synced",
        "the last two",
        "no such message",
        "number 0",
        "more than there are",
        "one removed, one new",
        "fewer without EXPUNGE",
        "replaced",
        "VANISHED",
    ],
)
def test_synced_messages(
    responses: list[tuple[str, int | None]],
    exists: int,
    synced: int,
    newest_removed: bool,
    shrunk: bool,
) -> None:
    """How many of the messages are below the mark, and whether the last one was removed."""
    queue = UnsolicitedQueue()
    queue.set_exists(5)
    queue.set_synced(4)
    for name, number in responses:
        queue.put(untagged(name, number))
    assert (queue.exists, queue.synced) == (exists, synced)
    assert queue.growth == exists - synced
    taken = queue.take()
    assert (taken.newest_removed, taken.shrunk) == (newest_removed, shrunk)


@pytest.mark.parametrize(("count", "synced"), [(None, 5), (3, 3), (7, 5)])
def test_set_synced(count: int | None, synced: int) -> None:
    """It is never more than there are; None means all."""
    queue = UnsolicitedQueue()
    queue.set_exists(5)
    queue.set_synced(count)
    assert queue.synced == synced


@given(st.lists(UNTAGGED))
def test_each_response_is_returned_one_time(responses: list[Data]) -> None:
    """All mails and statuses are returned in order, and only one time."""
    queue = UnsolicitedQueue()
    for response in responses:
        queue.put(response)
    taken = queue.take()
    assert taken.mails == [data for data in responses if data.parts == [MAIL]]
    assert taken.statuses == [data for data in responses if data.name == "STATUS"]
    assert not taken.overflowed
    assert not queue.take()


@given(st.lists(UNTAGGED), st.integers(0, 2000))
def test_limit_is_reported(responses: list[Data], limit: int) -> None:
    """Either all responses are returned, or `dropped` is set; the limit is never exceeded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unsolicited, "MAX_WAITING", limit)
        queue = UnsolicitedQueue()
        for response in responses:
            queue.put(response)
        taken = queue.take()
    kept = [data for data in responses if data.parts == [MAIL] or data.name == "STATUS"]
    found = taken.mails + taken.statuses
    assert sum(data.memory for data in found) <= limit
    assert taken.dropped == (sum(data.memory for data in kept) > limit)
    if not taken.dropped:
        assert len(found) == len(kept)


async def test_wait() -> None:
    """`wait` ends with a response, `wake`, a response that is already queued, or the timeout."""
    queue = UnsolicitedQueue()
    async with asyncio.timeout(5):
        for happen in (lambda: queue.put(untagged("EXISTS", 1)), queue.wake):
            asyncio.get_running_loop().call_soon(happen)
            await queue.wait(100)
        await queue.wait(100)
        queue.take()
        await queue.wait(0.001)
