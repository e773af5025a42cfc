"""Fixtures for the tests of the integration."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from unittest.mock import AsyncMock, Mock, PropertyMock, create_autospec, patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import CONF_FOLDER, DOMAIN, SUBENTRY_TYPE_FOLDER
from custom_components.imap_push.imap import (
    Account,
    Client,
    Criteria,
    FolderInfo,
    Listener,
    Mark,
    SearchCount,
    Statistics,
    WatchedFolder,
    WatchOptions,
)
from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant

from . import ENTRY_DATA, USERNAME
from .flow_forms import make_discovery


@pytest.fixture(autouse=True)
def _custom_integrations(enable_custom_integrations: None) -> None:
    """Enable custom integrations in Home Assistant."""


@pytest.fixture
def entity_registry_enabled_by_default() -> Iterator[None]:
    """Enable all entities."""
    enabled = "homeassistant.helpers.entity.Entity.entity_registry_enabled_default"
    with patch(enabled, new_callable=PropertyMock, return_value=True):
        yield


class FakeWatcher:
    """Replaces the watcher of the engine; the test calls its listener."""

    def __init__(
        self,
        account: Account,
        folders: Mapping[str, WatchedFolder],
        options: WatchOptions,
        listener: Listener,
    ) -> None:
        """Store the arguments."""
        self.account = account
        self.folders = dict(folders)
        self.calls: list[tuple[str, ...]] = []
        self.options = options
        self.listener = listener
        self.running = False
        self.statistics = Statistics()
        self.last_words: Mark | None = None
        self.bug = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled; then move the mark if the test has set `last_words`."""
        self.running = True
        try:
            await self.bug.wait()
            raise RuntimeError("bug")
        finally:
            self.running = False
            if self.last_words is not None:
                self.listener.mark_moved("INBOX", self.last_words)

    def add(self, name: str, folder: WatchedFolder) -> None:
        """Add a folder."""
        assert name not in self.folders
        self.folders[name] = folder
        self.calls.append(("add", name))

    def remove(self, name: str) -> None:
        """Remove a folder."""
        del self.folders[name]
        self.calls.append(("remove", name))

    def set_text(self, name: str, size: int, *, links: bool = False) -> None:
        """Change text size and links of a folder."""
        self.folders[name] = self.folders[name]._replace(text_size=size, links=links)
        self.calls.append(("set_text", name))

    def check_now(self) -> None:
        """Record the call."""
        self.calls.append(("check_now",))


@pytest.fixture
def imap_client() -> Iterator[Mock]:
    """Replace the client of the engine; by default searches find nothing."""

    def count(
        _folder: str, searches: Sequence[Criteria], *_: object
    ) -> list[SearchCount]:
        return [SearchCount(total=0) for _ in searches]

    client = create_autospec(Client, instance=True)
    client.count.side_effect = count
    client.folders.return_value = [FolderInfo(name="Archive")]
    with patch("custom_components.imap_push.coordinator.Client", return_value=client):
        yield client


@pytest.fixture
def watchers(imap_client: Mock) -> Iterator[list[FakeWatcher]]:
    """Replace the watcher of the engine; return the watchers that were created."""
    made: list[FakeWatcher] = []

    def make(*args: object) -> FakeWatcher:
        made.append(FakeWatcher(*args))  # type: ignore[arg-type]
        return made[-1]

    with patch(
        "custom_components.imap_push.coordinator.AccountWatcher", side_effect=make
    ):
        yield made


@pytest.fixture
def check_account() -> Iterator[AsyncMock]:
    """Replace the login of the config flow; it succeeds by default."""
    with patch(
        "custom_components.imap_push.flows.account_steps.check_account",
        return_value=frozenset({"IMAP4REV1"}),
    ) as mock:
        yield mock


@pytest.fixture
def entry_options() -> dict[str, Any]:
    """Return the options of the account; tests can parametrize them."""
    return {}


@pytest.fixture
def entry(hass: HomeAssistant, entry_options: dict[str, Any]) -> MockConfigEntry:
    """Return an added entry that watches INBOX; it is not set up."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        title=USERNAME,
        data=ENTRY_DATA,
        options=entry_options,
        unique_id="jane@example.com@imap.example.com",
        entry_id="01IMAPPUSH",
        subentries_data=[
            ConfigSubentryDataWithId(
                data=MappingProxyType({CONF_FOLDER: "INBOX"}),
                subentry_id="01INBOX",
                subentry_type=SUBENTRY_TYPE_FOLDER,
                title="INBOX",
                unique_id="INBOX",
            )
        ],
    )
    entry.add_to_hass(hass)
    return entry


@pytest.fixture
async def watcher(
    hass: HomeAssistant, entry: MockConfigEntry, watchers: list[FakeWatcher]
) -> FakeWatcher:
    """Set up the entry; return its watcher."""
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return watchers[-1]


@pytest.fixture
def discover() -> Iterator[AsyncMock]:
    """Replace the discovery; it finds the server of the test account."""
    with patch(
        "custom_components.imap_push.flows.setup_steps.discover",
        return_value=[make_discovery()],
    ) as mock:
        yield mock
