"""An automation made from the blueprint."""

from typing import Any

from .home import FLASH_SUBJECT, LAMP, Account
from .mailbox import Mailbox
from .waiting import until_equal

type Json = dict[str, Any]


async def test_a_mail_flashes_the_lamp_and_leaves_it_as_it_was(
    account: Account, mailbox: Mailbox
) -> None:
    """Other mail leaves it alone."""
    client = account.home.client
    await client.call_service(
        "light",
        "turn_on",
        {"brightness": 100, "rgb_color": [0, 255, 0]},
        target={"entity_id": LAMP},
    )
    before = await _look(account)
    changes = await client.subscribe(
        "subscribe_trigger", trigger={"trigger": "state", "entity_id": LAMP}
    )
    await mailbox.deliver("Not for the light")
    await mailbox.deliver(FLASH_SUBJECT)

    flashes = [(await changes.get())["variables"]["trigger"] for _ in range(5)]
    looks = [_appearance(flash["to_state"]) for flash in flashes]
    red = ("on", 255, [255, 0, 0])
    assert [look for look in looks if look[0] == "on"][:2] == [red, red]
    assert [look[0] for look in looks].count("off") == 2
    await until_equal(lambda: _look(account), before)


async def _look(account: Account) -> tuple[Any, ...]:
    """Return what one sees of the lamp."""
    state = await account.home.client.get_state(LAMP)
    assert state is not None
    return _appearance(state)


def _appearance(state: Json) -> tuple[Any, ...]:
    """Return what one sees of a light in this state."""
    attributes = state["attributes"]
    return state["state"], attributes["brightness"], attributes["rgb_color"]
