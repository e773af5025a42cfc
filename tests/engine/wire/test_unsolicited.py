"""What a server tells unasked is kept, in bounds, until somebody takes it."""

import asyncio

from hypothesis import given, strategies as st
import pytest

from custom_components.imap_push.imap.wire import unsolicited as news
from custom_components.imap_push.imap.wire.parser import Data
from custom_components.imap_push.imap.wire.unsolicited import UnsolicitedQueue

MAIL = b"(UID 1 BODY[HEADER] {0}\r\n)"
FLAGS = b"(UID 1 FLAGS (\\Seen))"


def told(name: str, number: int | None = None, text: bytes = b"") -> Data:
    """Return an untagged response."""
    return Data(name, number, [text])


TOLD = st.one_of(
    st.builds(told, st.just("EXISTS"), st.integers(0, 9)),
    st.builds(told, st.just("EXPUNGE"), st.integers(1, 9)),
    st.builds(
        told, st.just("FETCH"), st.integers(1, 9), st.sampled_from([MAIL, FLAGS])
    ),
    st.builds(told, st.just("STATUS"), st.none(), st.just(b'"A" (UNSEEN 1)')),
    st.builds(told, st.sampled_from(["VANISHED", "RECENT", "FLAGS"])),
)


@pytest.mark.parametrize(
    ("response", "changed", "grown"),
    [
        (told("EXISTS", 3), True, True),
        (told("EXISTS", 2), True, False),
        (told("EXPUNGE", 1), True, False),
        (told("VANISHED", text=b"1:3"), True, False),
        (told("FETCH", 1, FLAGS), True, False),
        (told("FETCH", 3, MAIL), True, False),
        (told("STATUS", text=b'"A" (UNSEEN 1)'), False, False),
        (told("RECENT", 1), False, False),
        (told("FLAGS", text=b"()"), False, False),
    ],
    ids=lambda it: f"{it.name} {it.number}" if isinstance(it, Data) else "",
)
def test_what_is_a_change(response: Data, changed: bool, grown: bool) -> None:
    """See which responses ask for a look, and which of them for one at once."""
    queue = UnsolicitedQueue()
    queue.set_exists(2)
    queue.put(response)
    taken = queue.take()
    assert (taken.changed, taken.grown) == (changed, grown)


@given(st.lists(TOLD))
def test_nothing_is_lost_or_told_twice(responses: list[Data]) -> None:
    """See all mails and statuses in the order in which they came, and then none."""
    queue = UnsolicitedQueue()
    for response in responses:
        queue.put(response)
    taken = queue.take()
    assert taken.mails == [it for it in responses if it.parts == [MAIL]]
    assert taken.statuses == [it for it in responses if it.name == "STATUS"]
    assert not taken.overflowed
    assert not queue.take()


@given(st.lists(TOLD), st.integers(0, 2000))
def test_what_is_too_much_is_said_to_be(responses: list[Data], most: int) -> None:
    """See all of it, or that there was more; and never more than is allowed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(news, "MAX_WAITING", most)
        queue = UnsolicitedQueue()
        for response in responses:
            queue.put(response)
        taken = queue.take()
    kept = [it for it in responses if it.parts == [MAIL] or it.name == "STATUS"]
    found = taken.mails + taken.statuses
    assert sum(it.memory for it in found) <= most
    assert taken.dropped == (sum(it.memory for it in kept) > most)
    if not taken.dropped:
        assert len(found) == len(kept)


async def test_wait_ends_with_news() -> None:
    """See a wait end by news, by what was there before it, by a call, and by time."""
    queue = UnsolicitedQueue()
    async with asyncio.timeout(5):
        for happen in (lambda: queue.put(told("EXISTS", 1)), queue.wake):
            asyncio.get_running_loop().call_soon(happen)
            await queue.wait(100)
        await queue.wait(100)
        queue.take()
        await queue.wait(0.001)
