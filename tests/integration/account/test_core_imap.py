"""Entries of Home Assistant's own IMAP integration are converted correctly."""

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
    """Return an entry of the IMAP integration."""
    return MockConfigEntry(domain="imap", data=CORE_IMAP_DATA | changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, {}, id="default port"),
        pytest.param({"port": 143}, {"port": 143}, id="TLS on any port"),
        pytest.param({"verify_ssl": False}, {"verify_ssl": False}, id="not verified"),
        pytest.param({"ssl_cipher_list": "modern"}, {}, id="cipher list is ignored"),
    ],
)
def test_credentials_and_server_are_converted(
    changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    """The IMAP integration supports neither STARTTLS nor unencrypted connections."""
    data = entry_data_from_core_imap(_core_entry(**changes))
    assert data == ENTRY_DATA | expected


def test_old_entry_without_verify_ssl_means_verification() -> None:
    """Old versions always verified the certificate."""
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
        pytest.param("inbox", "INBOX", id="inbox in lower case"),
        pytest.param("", "INBOX", id="none"),
        pytest.param("Work/Projects", "Work/Projects", id="nested"),
        pytest.param('"Sent Items"', "Sent Items", id="quoted because of a space"),
        pytest.param(r'"a \"b\" \\ c"', r'a "b" \ c', id="quoted because of quotes"),
        pytest.param('"', '"', id="a lone quote"),
        pytest.param("Entw&APw-rfe", "Entwürfe", id="modified UTF-7"),
        pytest.param("Entwürfe", "Entwürfe", id="UTF-8"),
        pytest.param("R&-D", "R&D", id="ampersand"),
        pytest.param("R&D", "raw:R&D", id="not modified UTF-7"),
    ],
)
def test_folder_is_decoded(written: str, folder: str) -> None:
    """The IMAP integration stores the name as sent to the server."""
    assert folder_from_core_imap(_core_entry(folder=written)) == folder


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        pytest.param({}, True, id="same"),
        pytest.param({"username": "Jane@Example.com"}, True, id="other case"),
        pytest.param({"folder": "Sent"}, True, id="another folder"),
        pytest.param({"username": "joe@example.com"}, False, id="another login"),
        pytest.param({"server": "imap.example.org"}, False, id="another host"),
        pytest.param({"port": 143}, True, id="another port of the same server"),
        pytest.param({"port": 1993}, False, id="another server at the same host"),
    ],
)
def test_same_account_is_recognized(
    entry: MockConfigEntry, changes: dict[str, Any], same: bool
) -> None:
    """Username and server decide."""
    assert same_account(entry, _core_entry(**changes)) is same


async def test_only_entries_with_a_server_are_returned(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """An entry without a server is ignored."""
    core_entry = _core_entry()
    core_entry.add_to_hass(hass)
    MockConfigEntry(domain="imap", data={}).add_to_hass(hass)
    assert async_core_imap_entries(hass) == [core_entry]
