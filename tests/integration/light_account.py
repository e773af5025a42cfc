"""An account at a server on loopback, watched by the real engine in Home Assistant."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import (
    CONF_FOLDER,
    CONF_SECURITY,
    DOMAIN,
    SUBENTRY_TYPE_FOLDER,
)
from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.const import (
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
)

from . import PASSWORD, USERNAME

from tests.rig.light_folder import UID_VALIDITY
from tests.rig.ports import LOOPBACK

DEADLINE: Final = 5.0  # seconds
ENTRY_ID: Final = "01LIGHT"


def make_light_entry(
    port: int, *folders: str, options: Mapping[str, Any] | None = None, **data: object
) -> MockConfigEntry:
    """Return an entry that watches these folders of a server; `data` replaces entry data."""
    return MockConfigEntry(
        domain=DOMAIN,
        title=USERNAME,
        entry_id=ENTRY_ID,
        options=options or {},
        data={
            CONF_USERNAME: USERNAME,
            CONF_PASSWORD: PASSWORD,
            CONF_HOST: LOOPBACK,
            CONF_PORT: port,
            CONF_SECURITY: "none",
            CONF_VERIFY_SSL: True,
            **data,
        },
        subentries_data=[
            ConfigSubentryDataWithId(
                data=MappingProxyType({CONF_FOLDER: name}),
                subentry_id=f"{ENTRY_ID}_{name}",
                subentry_type=SUBENTRY_TYPE_FOLDER,
                title=name,
                unique_id=name,
            )
            for name in folders
        ],
    )


def stored_marks(next_uid: int, *folders: str) -> dict[str, Any]:
    """Return the content of the storage of the entry: mail from this UID on is new."""
    mark = {"uid_validity": UID_VALIDITY, "next_uid": next_uid}
    data = {"username": USERNAME, "folders": dict.fromkeys(folders, mark)}
    return {f"{DOMAIN}.{ENTRY_ID}": {"version": 1, "data": data}}


async def wait_until(condition: Callable[[], object]) -> None:
    """Wait until a condition is true."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.01)


async def check_until(entry: MockConfigEntry, condition: Callable[[], object]) -> None:
    """Check for new mail until a condition is true.

    A check that begins during a sync does not always find the mail (issue 14).
    """

    def check() -> object:
        entry.runtime_data.async_check_now()
        return condition()

    await wait_until(check)
