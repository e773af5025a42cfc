"""An account of Home Assistant's own IMAP integration is understood as that integration means it."""

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.account.core_imap import (
    async_core_imap_entries,
    entry_data_from_core_imap,
    folder_from_core_imap,
    same_account,
)
from homeassistant.core import HomeAssistant

from .. import CORE_IMAP_DATA, ENTRY_DATA


def _core_entry(**changes: Any) -> MockConfigEntry:
    """Return an entry of the core integration."""
    return MockConfigEntry(domain="imap", data=CORE_IMAP_DATA | changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, {}, id="the usual one"),
        pytest.param({"port": 143}, {"port": 143}, id="TLS at any port"),
        pytest.param({"verify_ssl": False}, {"verify_ssl": False}, id="not verified"),
        pytest.param(
            {"ssl_cipher_list": "modern"}, {}, id="its ciphers are not taken over"
        ),
    ],
)
def test_login_and_server_are_read(
    changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    """The core integration knows neither STARTTLS nor a connection without encryption."""
    data = entry_data_from_core_imap(_core_entry(**changes))
    assert data == ENTRY_DATA | expected


def test_an_entry_of_old_lacks_what_came_later() -> None:
    """The certificate was always verified then."""
    data = dict(CORE_IMAP_DATA)
    del data["verify_ssl"]
    assert (
        entry_data_from_core_imap(MockConfigEntry(domain="imap", data=data))
        == ENTRY_DATA
    )


@pytest.mark.parametrize(
    ("written", "folder"),
    [
        pytest.param("INBOX", "INBOX", id="inbox"),
        pytest.param("inbox", "INBOX", id="inbox has no case"),
        pytest.param("", "INBOX", id="none"),
        pytest.param("Work/Projects", "Work/Projects", id="nested"),
        pytest.param('"Sent Items"', "Sent Items", id="quoted for its blank"),
        pytest.param(r'"a \"b\" \\ c"', r'a "b" \ c', id="quoted for its quotes"),
        pytest.param('"', '"', id="a lone quote"),
        pytest.param("Entw&APw-rfe", "Entwürfe", id="modified UTF-7"),
        pytest.param("Entwürfe", "Entwürfe", id="UTF-8"),
    ],
)
def test_folder_is_decoded(written: str, folder: str) -> None:
    """The core integration sends the folder's name as it was typed."""
    assert folder_from_core_imap(_core_entry(folder=written)) == folder


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        pytest.param({}, True, id="same"),
        pytest.param({"username": "Jane@Example.com"}, True, id="other case"),
        pytest.param({"folder": "Sent"}, True, id="another folder"),
        pytest.param({"username": "joe@example.com"}, False, id="another login"),
        pytest.param({"server": "imap.example.org"}, False, id="another server"),
    ],
)
def test_account_is_known_again(
    entry: MockConfigEntry, changes: dict[str, Any], same: bool
) -> None:
    """An account is a login at a host."""
    assert same_account(entry, _core_entry(**changes)) is same


async def test_entries_are_found(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """One that says nothing of a server is none."""
    core_entry = _core_entry()
    core_entry.add_to_hass(hass)
    MockConfigEntry(domain="imap", data={}).add_to_hass(hass)
    assert async_core_imap_entries(hass) == [core_entry]
