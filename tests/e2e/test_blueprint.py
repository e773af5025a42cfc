"""An automation that uses a blueprint."""

from typing import Any

from .home import FLASH_SUBJECT, LAMP, Account
from .mailbox import Mailbox
from .waiting import until_equal

type Json = dict[str, Any]


async def test_a_mail_flashes_the_lamp_and_restores_it(
    account: Account, mailbox: Mailbox
) -> None:
    """Other mail does not change it."""
    client = account.home.client
    await client.call_service(
        "light",
        "turn_on",
        {"brightness": 100, "rgb_color": [0, 255, 0]},
        target={"entity_id": LAMP},
    )
    before = await _lamp(account)
    changes = await client.subscribe(
        "subscribe_trigger", trigger={"trigger": "state", "entity_id": LAMP}
    )
    await mailbox.deliver("Not for the light")
    await mailbox.deliver(FLASH_SUBJECT)

    flashes = [(await changes.get())["variables"]["trigger"] for _ in range(5)]
    appearances = [_appearance(flash["to_state"]) for flash in flashes]
    red = ("on", 255, [255, 0, 0])
    assert [appearance for appearance in appearances if appearance[0] == "on"][:2] == [
        red,
        red,
    ]
    assert [appearance[0] for appearance in appearances].count("off") == 2
    await until_equal(lambda: _lamp(account), before)


async def _lamp(account: Account) -> tuple[Any, ...]:
    """Return state, brightness and color of the lamp."""
    state = await account.home.client.get_state(LAMP)
    assert state is not None
    return _appearance(state)


def _appearance(state: Json) -> tuple[Any, ...]:
    """Return state, brightness and color in a state."""
    attributes = state["attributes"]
    return state["state"], attributes["brightness"], attributes["rgb_color"]
