"""The system information of all accounts."""

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.imap import AccountState, FolderState, PushMode
from homeassistant.components.system_health import get_info
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .. import make_state
from ..conftest import FakeWatcher

IDLE = FolderState(available=True, push_mode=PushMode.IDLE)
POLL = FolderState(available=True, push_mode=PushMode.POLL)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(
            AccountState(),
            {"connected": 0, "folders": 1, "push_modes": "-"},
            id="nothing known",
        ),
        pytest.param(
            AccountState(folders={"INBOX": FolderState()}),
            {"connected": 0, "folders": 1, "push_modes": "off: 1"},
            id="not connected",
        ),
        pytest.param(
            make_state({"INBOX": IDLE}),
            {"connected": 1, "folders": 1, "push_modes": "idle: 1"},
            id="connected",
        ),
        pytest.param(
            make_state({"INBOX": IDLE, "Work": POLL, "Shop": IDLE}),
            {"connected": 1, "folders": 1, "push_modes": "idle: 2, poll: 1"},
            id="folders that are watched in several ways",
        ),
    ],
)
async def test_system_information(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    state: AccountState,
    expected: dict[str, object],
) -> None:
    """An account that is not loaded is counted, too."""
    MockConfigEntry(domain=DOMAIN).add_to_hass(hass)
    watcher.listener.state_changed(state)
    assert await async_setup_component(hass, "system_health", {})
    assert (await get_info(hass))[DOMAIN] == {"accounts": 2} | expected
