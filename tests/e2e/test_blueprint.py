"""Automations that use blueprints."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from .home import LAMP, Account
from .mailbox import Mailbox
from .waiting import until_equal

type Json = dict[str, Any]

FLASH_SUBJECT = "For the lamp"
RED = ("on", 255, [255, 0, 0])
GREEN = ("on", 255, [0, 255, 0])
BEFORE = ("on", 100, [0, 0, 255])


@pytest_asyncio.fixture(loop_scope="session")
async def inbox(account: Account) -> AsyncIterator[Json]:
    """Turn the lamp on; return the target that stands for the account's inbox."""
    await account.home.client.call_service(
        "light",
        "turn_on",
        {"brightness": BEFORE[1], "rgb_color": BEFORE[2]},
        target={"entity_id": LAMP},
    )
    yield {"entity_id": account.entities["new_mail"]}
    await account.home.remove_automations()


async def test_a_mail_flashes_the_lamp_and_restores_it(
    account: Account, mailbox: Mailbox, inbox: Json
) -> None:
    """Other mail does not change it. Two automations flash it one after the other."""
    for name, color in (("red", RED[2]), ("green", GREEN[2])):
        await _flash(account, name, inbox, color=color, subject=[FLASH_SUBJECT])
    changes = await account.home.client.subscribe(
        "subscribe_trigger", trigger={"trigger": "state", "entity_id": LAMP}
    )
    await mailbox.deliver("Not for the light")
    await mailbox.deliver(FLASH_SUBJECT)
    flashes = [(await changes.get())["variables"]["trigger"] for _ in range(10)]
    seen = [_appearance(flash["to_state"]) for flash in flashes]
    assert [appearance for appearance in seen if appearance[0] == "on"] in (
        [RED, RED, BEFORE, GREEN, GREEN, BEFORE],
        [GREEN, GREEN, BEFORE, RED, RED, BEFORE],
    )
    assert await _lamp(account) == BEFORE


@pytest.mark.parametrize("how", ["turned off", "edited", "restarted"])
async def test_the_lamp_is_restored_if_the_flash_is_interrupted(
    account: Account, mailbox: Mailbox, inbox: Json, how: str
) -> None:
    """Home Assistant restores it before it stops."""
    home = account.home
    await _flash(account, "red", inbox, color=RED[2], times=5)
    changes = await home.client.subscribe(
        "subscribe_trigger", trigger={"trigger": "state", "entity_id": LAMP}
    )
    await mailbox.deliver(FLASH_SUBJECT)
    assert _appearance((await changes.get())["variables"]["trigger"]["to_state"]) == RED
    if how == "turned off":
        target = {"entity_id": "automation.red"}
        await home.client.call_service("automation", "turn_off", target=target)
    elif how == "edited":
        await _flash(account, "red", inbox, color=RED[2], times=6)
    else:
        stopping = asyncio.create_task(
            home.client.call_service("homeassistant", "stop")
        )
        seen = RED
        while seen != BEFORE:
            seen = _appearance(
                (await changes.get())["variables"]["trigger"]["to_state"]
            )
        await asyncio.gather(stopping, return_exceptions=True)
        await home.stop()
        return
    await until_equal(lambda: _lamp(account), BEFORE)
    await asyncio.sleep(1)
    assert await _lamp(account) == BEFORE
    assert not [
        entity for entity in await home.client.states() if entity[:6] == "scene."
    ]


async def _flash(account: Account, name: str, mailboxes: Json, **inputs: Any) -> None:
    """Create or change an automation that flashes the lamp."""
    await account.home.automate(
        name,
        "flash_light",
        {"mailboxes": mailboxes, "lights": LAMP, "times": 2, **inputs},
    )


async def _lamp(account: Account) -> tuple[Any, ...]:
    """Return state, brightness and color of the lamp."""
    state = await account.home.client.get_state(LAMP)
    assert state is not None
    return _appearance(state)


def _appearance(state: Json) -> tuple[Any, ...]:
    """Return state, brightness and color in a state."""
    attributes = state["attributes"]
    return state["state"], attributes["brightness"], attributes["rgb_color"]
