"""Fixtures for the integration inside Home Assistant."""

import asyncio
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from unittest.mock import AsyncMock, Mock, patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import CONF_FOLDER, DOMAIN, SUBENTRY_TYPE_FOLDER
from custom_components.imap_push.imap import Account, Listener, Mark, WatchOptions
from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant

from . import ENTRY_DATA, USERNAME


@pytest.fixture(autouse=True)
def _custom_integrations(enable_custom_integrations: None) -> None:
    """Let Home Assistant find the integration."""


class FakeWatcher:
    """Stands in for the engine's watcher: a test plays what the server does."""

    def __init__(
        self,
        account: Account,
        folders: Mapping[str, Mark | None],
        options: WatchOptions,
        listener: Listener,
    ) -> None:
        """Keep what the coordinator says."""
        self.account = account
        self.folders = folders
        self.options = options
        self.listener = listener
        self.running = False
        self.last_words: Mark | None = None
        self.bug = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled, and move a mark even then if the test wants it."""
        self.running = True
        try:
            await self.bug.wait()
            raise RuntimeError("bug")
        finally:
            self.running = False
            if self.last_words is not None:
                self.listener.mark_moved("INBOX", self.last_words)


@pytest.fixture
def watchers() -> Iterator[list[FakeWatcher]]:
    """Replace the engine's watcher; return those made so far."""
    made: list[FakeWatcher] = []

    def make(*args: object) -> FakeWatcher:
        made.append(FakeWatcher(*args))  # type: ignore[arg-type]
        return made[-1]

    with patch("custom_components.imap_push.coordinator.Watcher", side_effect=make):
        yield made


@pytest.fixture
def client() -> Iterator[Mock]:
    """Replace the command connection of every account that is set up; return it."""
    with patch(
        "custom_components.imap_push.coordinator.Client", autospec=True
    ) as client_class:
        yield client_class.return_value


@pytest.fixture
def check_account() -> Iterator[AsyncMock]:
    """Replace the try-out of an account; it succeeds unless told otherwise."""
    with patch(
        "custom_components.imap_push.config_flow.check_account",
        return_value=frozenset({"IMAP4REV1"}),
    ) as mock:
        yield mock


@pytest.fixture
def entry(hass: HomeAssistant) -> MockConfigEntry:
    """Add the entry of an account whose INBOX is watched; it is not set up."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        title=USERNAME,
        data=ENTRY_DATA,
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
    """Set the entry up; return its watcher."""
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return watchers[-1]
