"""Forty folders and forty saved searches of one account on a real server."""

import asyncio
from collections.abc import AsyncIterator, Callable
import time
from types import MappingProxyType
from typing import Any, Final

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.imap_push.const import (
    CONF_FOLDER,
    CONF_FOLDERS,
    CONF_SECURITY,
    CONF_UNREAD,
    CONF_VALUE,
    DOMAIN,
    EVENT_NEW_MAIL,
    SUBENTRY_TYPE_FOLDER,
    SUBENTRY_TYPE_SEARCH,
)
from homeassistant.config_entries import ConfigSubentry, ConfigSubentryDataWithId
from homeassistant.const import (
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_USERNAME,
    CONF_VALUE_TEMPLATE,
    CONF_VERIFY_SSL,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from tests.required import require
from tests.rig.certificate import make_certificate
from tests.rig.dovecot import PASSWORD, USER, Dovecot
from tests.rig.lmtp import LmtpSender
from tests.rig.mails import plain
from tests.rig.ports import LOOPBACK
from tests.rig.proxy import Proxy

pytestmark = [pytest.mark.dovecot, pytest.mark.usefixtures("socket_enabled")]

DEADLINE: Final = 30.0  # seconds
FOLDERS: Final = ["INBOX", *(f"List{number}" for number in range(1, 40))]
NEW_FOLDER: Final = "List40"
DETAILED_USER: Final = USER.replace("@", "+{}@")


def address_of(folder: str) -> str:
    """Return the address for a folder at Dovecot's LMTP server."""
    return USER if folder == "INBOX" else DETAILED_USER.format(folder)


def make_entry(port: int, template: str = "") -> MockConfigEntry:
    """Return an entry with a saved search for each of its folders, with or without a value."""
    value = {CONF_VALUE: {CONF_VALUE_TEMPLATE: template}} if template else {}
    return MockConfigEntry(
        domain=DOMAIN,
        title=USER,
        entry_id="01FORTY",
        data={
            CONF_USERNAME: USER,
            CONF_PASSWORD: PASSWORD,
            CONF_HOST: LOOPBACK,
            CONF_PORT: port,
            CONF_SECURITY: "tls",
            CONF_VERIFY_SSL: False,
        },
        subentries_data=[
            *(
                ConfigSubentryDataWithId(
                    data=MappingProxyType({CONF_FOLDER: name}),
                    subentry_id=f"01FOLDER{name}",
                    subentry_type=SUBENTRY_TYPE_FOLDER,
                    title=name,
                    unique_id=name,
                )
                for name in FOLDERS
            ),
            *(
                ConfigSubentryDataWithId(
                    data=MappingProxyType(
                        {CONF_FOLDERS: [name], CONF_UNREAD: True, **value}
                    ),
                    subentry_id=f"01SEARCH{name}",
                    subentry_type=SUBENTRY_TYPE_SEARCH,
                    title=f"Unread in {name}",
                    unique_id=None,
                )
                for name in FOLDERS
            ),
        ],
    )


@pytest.fixture(params=[(), ("NOTIFY",)], ids=["NOTIFY", "IDLE"])
async def server(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    socket_enabled: None,
) -> AsyncIterator[Dovecot]:
    """Return a Dovecot server with one mail in each folder."""
    require(Dovecot.available(), "Dovecot 2.3")
    certificate = make_certificate(tmp_path_factory.mktemp("certificate"))
    with Dovecot(certificate, without=request.param) as dovecot:
        await deliver(dovecot, "Old", *FOLDERS, NEW_FOLDER)
        yield dovecot


async def deliver(server: Dovecot, subject: str, *folders: str) -> None:
    """Deliver a mail to each folder."""
    async with LmtpSender(server.lmtp_port) as sender:
        for folder in folders:
            await sender.send_all(address_of(folder), [plain(subject)])


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture(params=[False, True], ids=["default", "everything enabled"])
def entry_enabled(request: pytest.FixtureRequest) -> bool:
    """Return whether there are to-do lists, pictures and values."""
    enabled: bool = request.param
    return enabled


def enable_lists(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Enable the to-do list and the picture of every folder and every search."""
    hass.config_entries.async_update_entry(entry, options={"access": "read"})
    registry = er.async_get(hass)
    for subentry_id in entry.subentries:
        for platform, key in (("todo", "todo"), ("image", "picture")):
            unique_id = f"{entry.entry_id}_{subentry_id}_{key}"
            registry.async_get_or_create(
                platform, DOMAIN, unique_id, config_entry=entry
            )


def list_states(hass: HomeAssistant) -> set[str]:
    """Return the different states of all to-do lists."""
    return {state.state for state in hass.states.async_all("todo")}


async def complete(hass: HomeAssistant, entity_id: str) -> list[str]:
    """Complete all items of a to-do list at the same time; return their summaries."""
    target = {"entity_id": entity_id}
    found: Any = await hass.services.async_call(
        "todo", "get_items", target, blocking=True, return_response=True
    )
    items = found[entity_id]["items"]
    await asyncio.gather(
        *(
            hass.services.async_call(
                "todo",
                "update_item",
                target | {"item": item["uid"], "status": "completed"},
                blocking=True,
            )
            for item in items
        )
    )
    return [item["summary"] for item in items]


async def complete_while_mail_arrives(
    hass: HomeAssistant, entry: MockConfigEntry, server: Dovecot
) -> None:
    """Complete the items of all folders while two more arrive in each: none twice."""
    registry = er.async_get(hass)
    done: dict[str, list[str]] = {folder: [] for folder in FOLDERS}
    arriving = asyncio.gather(*(deliver(server, name, *FOLDERS) for name in "AB"))
    async with asyncio.timeout(2 * DEADLINE):
        while any(len(summaries) < 5 for summaries in done.values()):
            # Without NOTIFY, most folders are polled rarely.
            entry.runtime_data.async_check_now()
            for folder, summaries in done.items():
                unique_id = f"{entry.entry_id}_01FOLDER{folder}_todo"
                entity_id = registry.async_get_entity_id("todo", DOMAIN, unique_id)
                summaries += await complete(hass, entity_id or "")
            await asyncio.sleep(0.1)
    await arriving
    entry.runtime_data.async_check_now()
    expected = [f"Ada Lovelace: {name}" for name in ("A", "B", "New", "Newer", "Old")]
    assert all(sorted(summaries) == expected for summaries in done.values())


async def test_forty_folders_and_forty_searches(
    hass: HomeAssistant,
    server: Dovecot,
    entry_enabled: bool,
    record_property: Callable[[str, object], None],
) -> None:
    """All are watched and counted; adding a folder does not disturb the others."""
    registry = er.async_get(hass)
    events = async_capture_events(hass, EVENT_NEW_MAIL)
    entry = make_entry(0)

    def values(key: str, subentry_type: str) -> list[str]:
        found = []
        for subentry in entry.get_subentries_of_type(subentry_type):
            unique_id = f"{entry.entry_id}_{subentry.subentry_id}_{key}"
            entity_id = registry.async_get_entity_id("sensor", DOMAIN, unique_id)
            state = hass.states.get(entity_id or "")
            found.append(state.state if state else "")
        return found

    async with Proxy(server.imaps_port) as proxy:
        template = "{{ mail.subject }}" if entry_enabled else ""
        entry = make_entry(proxy.port, template)
        entry.add_to_hass(hass)
        if entry_enabled:
            enable_lists(hass, entry)
        began = time.monotonic()
        assert await hass.config_entries.async_setup(entry.entry_id)
        record_property("seconds until set up", time.monotonic() - began)
        coordinator = entry.runtime_data
        await until(lambda: values("unread", SUBENTRY_TYPE_FOLDER) == ["1"] * 40)
        record_property("seconds until watched", time.monotonic() - began)
        await until(lambda: values("matches", SUBENTRY_TYPE_SEARCH) == ["1"] * 40)
        record_property("seconds until counted", time.monotonic() - began)
        if entry_enabled:
            assert len(hass.states.async_all("todo")) == 80
            await until(lambda: list_states(hass) == {"1"})
            await until(
                lambda: {s.state for s in hass.states.async_all("image")} == {"unknown"}
            )
            await until(lambda: values("value", SUBENTRY_TYPE_SEARCH) == ["Old"] * 40)
            record_property("seconds until listed", time.monotonic() - began)
        push_mode = coordinator.data.push_mode
        most = 1 if push_mode == "notify" else 5
        await until(lambda: coordinator.data.connections == most)
        connections = proxy.connections
        assert connections == most + 1  # One more for the searches.

        hass.config_entries.async_add_subentry(
            entry,
            ConfigSubentry(
                data=MappingProxyType({CONF_FOLDER: NEW_FOLDER}),
                subentry_type=SUBENTRY_TYPE_FOLDER,
                title=NEW_FOLDER,
                unique_id=NEW_FOLDER,
            ),
        )
        await deliver(server, "New", *FOLDERS)
        await until(lambda: values("unread", SUBENTRY_TYPE_FOLDER)[-1] == "1")
        await deliver(server, "Newer", *FOLDERS, NEW_FOLDER)
        if push_mode != "notify":
            coordinator.async_check_now()  # Most folders are polled rarely.
        await until(lambda: len(events) >= 81)
        mails = [(event.data["folder"], event.data["subject"]) for event in events]
        assert sorted(mails) == sorted(
            [
                *((folder, "New") for folder in FOLDERS),
                *((folder, "Newer") for folder in [*FOLDERS, NEW_FOLDER]),
            ]
        )
        await until(lambda: values("matches", SUBENTRY_TYPE_SEARCH) == ["3"] * 40)
        if entry_enabled:
            await until(lambda: list_states(hass) == {"3"})
            await until(lambda: values("value", SUBENTRY_TYPE_SEARCH) == ["Newer"] * 40)
            await complete_while_mail_arrives(hass, entry, server)
            await until(lambda: list_states(hass) == {"0"})
            await until(lambda: values("matches", SUBENTRY_TYPE_SEARCH) == ["0"] * 40)
            await until(
                lambda: values("value", SUBENTRY_TYPE_SEARCH) == ["unknown"] * 40
            )
            assert len(events) == 81 + 80
        assert entry.runtime_data is coordinator, "reloaded"
        assert coordinator.data.push_mode == push_mode
        assert proxy.connections == connections, "connected again"
        assert await hass.config_entries.async_unload(entry.entry_id)
