"""Read FETCH and SEARCH responses; a failed FETCH affects only the messages that cause it."""

from collections.abc import Sequence

import pytest

from custom_components.imap_push.imap import (
    CommandRefused,
    ResponseTooLarge,
    Throttled,
    Unavailable,
)
from custom_components.imap_push.imap.session.fetch_items import (
    Fetched,
    by_uid,
    fetch_with_fallback,
    read_search,
)
from custom_components.imap_push.imap.wire.parser import Cut, Data, Value

FULL, LESS, BARE = "full", "less", "bare"


def response(uid: int, cut: Cut | None = None, items: bytes = b"") -> Data:
    """Return a FETCH response."""
    return Data("FETCH", uid, [b"(UID %d %b)" % (uid, items)], cut)


@pytest.mark.parametrize(
    ("responses", "messages", "too_large", "left_out", "has_unknown"),
    [
        pytest.param([], [], [], [], False, id="nothing"),
        pytest.param([response(7), response(5)], [5, 7], [], [], False, id="two"),
        pytest.param([response(0), response(2**32)], [], [], [], False, id="no UIDs"),
        pytest.param(
            [response(5), response(6, Cut.TOO_LARGE, b"X Y"), response(7, Cut.NO_ROOM, b"X Y")],
            [5], [6], [7], False, id="cut",
        ),
        pytest.param(
            [response(5), response(6, Cut.TOO_LARGE)], [5], [], [], True, id="UID may be cut"
        ),
        pytest.param(
            [response(5, None, b"X (" + b"a " * 60_000 + b")")],
            [], [5], [], False, id="many values",
        ),
        pytest.param(
            [response(uid, None, b"X (" + b"a " * 30_000 + b")") for uid in range(5, 9)],
            [5, 6, 7], [], [8], False, id="many values together",
        ),
    ],
)  # fmt: skip
async def test_fetch_responses_by_uid(
    responses: list[Data],
    messages: list[int],
    too_large: list[int],
    left_out: list[int],
    has_unknown: bool,
) -> None:
    """Messages are returned by UID; UIDs of cut or too long responses are returned separately."""
    found = await by_uid(responses)
    assert list(found.messages) == messages
    assert found.too_large == set(too_large)
    assert found.left_out == set(left_out)
    assert found.has_unknown is has_unknown


class Server:
    """A server that can return only some items; `shows` has the levels that work, by UID."""

    def __init__(self, shows: dict[int, list[str]], fault: str) -> None:
        """Set how a FETCH fails: with a refusal, or with a result that `by_uid` returns."""
        self._shows = shows
        self._fault = fault
        self.requested: list[tuple[int, ...]] = []

    async def fetch(self, uids: Sequence[int], items: str) -> Fetched:
        """Return the result of a FETCH, or raise CommandRefused."""
        self.requested.append(tuple(uids))
        there = [uid for uid in uids if uid in self._shows]
        bad = frozenset(uid for uid in there if items not in self._shows[uid])
        messages: dict[int, dict[str, Value]] = {
            uid: {items: b""} for uid in there if uid not in bad
        }
        match self._fault if bad else "none":
            case "NO" | "BAD":
                raise CommandRefused("UID FETCH", self._fault, None, "cannot")
            case "too large":
                return Fetched(messages, too_large=bad)
            case "no room":
                # The memory limit always leaves room for one message.
                if len(uids) == 1:
                    return Fetched(messages, too_large=bad)
                return Fetched(messages, left_out=bad)
            case "unknown":
                return Fetched(messages, has_unknown=True)
        return Fetched(messages)


@pytest.mark.parametrize("fault", ["NO", "BAD", "too large", "no room", "unknown"])
async def test_messages_that_the_server_cannot_return_completely(fault: str) -> None:
    """Each message has all items that the server can return; an expunged one is left out."""
    server = Server(
        {
            1: [FULL, LESS, BARE],
            2: [LESS, BARE],
            3: [FULL, LESS, BARE],
            4: [BARE],
            5: [],
            **{uid: [FULL, LESS, BARE] for uid in range(7, 20)},
        },
        fault,
    )
    found = await fetch_with_fallback(server.fetch, range(1, 20), (FULL, LESS, BARE))
    shown = {uid: next(iter(items), None) for uid, items in found.items()}
    assert shown == {
        1: FULL, 2: LESS, 3: FULL, 4: BARE, 5: None, **dict.fromkeys(range(7, 20), FULL)
    }  # fmt: skip
    assert list(shown) == sorted(shown)
    assert len(server.requested) < 40


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (CommandRefused("UID FETCH", "NO", "UNAVAILABLE", "later"), Unavailable),
        (CommandRefused("UID FETCH", "NO", "THROTTLED", "slow down"), Throttled),
        (
            CommandRefused("UID FETCH", "NO", "SERVERBUG", "try again later"),
            Unavailable,
        ),
        (CommandRefused("UID FETCH", "BAD", None, "throttled"), Throttled),
    ],
    ids=lambda value: str(value) if isinstance(value, CommandRefused) else "",
)
async def test_temporary_refusal(
    refusal: CommandRefused, error: type[Unavailable]
) -> None:
    """It is raised, and nothing is requested again."""
    commands: list[Sequence[int]] = []

    async def fetch(uids: Sequence[int], _items: str) -> Fetched:
        commands.append(uids)
        raise refusal

    with pytest.raises(error):
        await fetch_with_fallback(fetch, [1, 2], (FULL, BARE))
    assert commands == [[1, 2]]


async def test_temporary_refusal_that_is_not_waited_for() -> None:
    """The messages are requested one by one, and those that fail have no items."""

    async def fetch(uids: Sequence[int], _items: str) -> Fetched:
        if 1 in uids:
            raise CommandRefused("UID FETCH", "NO", "UNAVAILABLE", "later")
        return Fetched({uid: {FULL: b""} for uid in uids})

    found = await fetch_with_fallback(fetch, [1, 2], (FULL, BARE), waits=False)
    assert found == {1: {}, 2: {FULL: b""}}


@pytest.mark.parametrize(
    ("lines", "first", "most", "uids"),
    [
        ([], 1, 5, []),
        ([b""], 1, 5, []),
        ([b"3 1 2"], 1, 5, [1, 2, 3]),
        ([b"3 1", b"2 3"], 2, 5, [2, 3]),
        ([b"5 5 5 6 7"], 1, 2, [5, 6]),
        ([b"0 x 18446744073709551616 4"], 1, 5, [4]),
        ([b" ".join(b"%d" % uid for uid in range(9_000, 0, -1))], 10, 3, [10, 11, 12]),
    ],
)
async def test_search_responses(
    lines: list[bytes], first: int, most: int, uids: list[int]
) -> None:
    """The lowest UIDs are returned in ascending order, without duplicates."""
    responses = [Data("SEARCH", None, [line]) for line in lines]
    assert await read_search(responses, first, most) == uids


@pytest.mark.parametrize(
    "responses",
    [
        pytest.param([Data("SEARCH", None, [b"1 2"], Cut.TOO_LARGE)], id="too large"),
        pytest.param(
            [
                Data(
                    "SEARCH",
                    None,
                    [b" ".join(b"%d" % uid for uid in range(1, 400_003))],
                )
            ],
            id="too many",
        ),
    ],
)
async def test_search_with_too_many_results(responses: list[Data]) -> None:
    """ResponseTooLarge is raised; a part of the result is not returned as all of it."""
    with pytest.raises(ResponseTooLarge):
        await read_search(responses, 1, 5)
