"""FETCH, and the items that its responses tell of each message (RFC 3501 6.4.8, 7.4.2)."""

import asyncio
from collections.abc import Iterable
from typing import Final

from .command import Command
from .responses import Data, Value, parse_fetch, parse_number

MAX_UID: Final = 2**32 - 1

# Octets that are parsed in one go, before the event loop gets its turn, and those of one response
# that are too many for that.
SLICE: Final = 8_192
LARGE: Final = 65_536


def fetch_command(uids: str, items: str) -> Command:
    """Return a FETCH of the messages of a set of UIDs."""
    return Command("UID FETCH", f"{uids} {items}", frozenset({"FETCH"}))


async def fetched(command: Command) -> dict[int, dict[str, Value]]:
    """Return the items of each message that a FETCH told of, ascending by UID."""
    return await by_uid((await command.wait()).data)


async def read_fetch(data: Data) -> dict[str, Value]:
    """Return the items of a FETCH response; a large one is read beside the event loop."""
    if sum(map(len, data.parts)) > LARGE:
        return await asyncio.to_thread(parse_fetch, data)
    return parse_fetch(data)


async def by_uid(responses: Iterable[Data]) -> dict[int, dict[str, Value]]:
    """Return the items of each message, ascending; several responses may tell of one."""
    messages: dict[int, dict[str, Value]] = {}
    parsed = 0
    for data in responses:
        items = await read_fetch(data)
        if 0 < (uid := parse_number(items.get("UID"))) <= MAX_UID:
            messages.setdefault(uid, {}).update(items)
        parsed += sum(map(len, data.parts))
        if parsed > SLICE:
            parsed = 0
            await asyncio.sleep(0)
    return dict(sorted(messages.items()))
