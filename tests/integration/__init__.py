"""Tests of the integration in Home Assistant; fakes replace the engine where needed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import voluptuous as vol

from custom_components.imap_push.const import CONF_SECURITY, DOMAIN
from custom_components.imap_push.imap import (
    AccountState,
    Arrival,
    FolderState,
    Mail,
    PushMode,
)
from homeassistant.config_entries import SOURCE_USER
from homeassistant.const import (
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
)
from homeassistant.core import HomeAssistant, State
from homeassistant.data_entry_flow import section

USERNAME = "jane@example.com"
HOST = "imap.example.com"
PASSWORD = "correct horse"

ENTRY_DATA = {
    CONF_USERNAME: USERNAME,
    CONF_PASSWORD: PASSWORD,
    CONF_HOST: HOST,
    CONF_PORT: 993,
    CONF_SECURITY: "tls",
    CONF_VERIFY_SSL: True,
}

# Without credentials.
ACCOUNT_DATA = {key: ENTRY_DATA[key] for key in ENTRY_DATA if key != CONF_PASSWORD}
# The authentication method in a form.
BY_PASSWORD = {"authentication": "password"}
BY_OAUTH = {"authentication": "oauth2"}

# Entry data of core IMAP for the same account.
CORE_IMAP_DATA = {
    "username": USERNAME,
    "password": PASSWORD,
    "server": HOST,
    "port": 993,
    "charset": "utf-8",
    "folder": "INBOX",
    "search": "UnSeen UnDeleted",
    "event_message_data": [],
    "ssl_cipher_list": "python_default",
    "verify_ssl": True,
}

UNREAD = "sensor.jane_example_com_inbox_unread"
LAST_MAIL = "sensor.jane_example_com_inbox_last_mail"
NEW_MAIL = "event.jane_example_com_inbox_new_mail"
MESSAGES = "sensor.jane_example_com_inbox_messages"
CHECK_NOW = "button.jane_example_com_check_now"
LAST_ERROR = "sensor.jane_example_com_last_error"
TOTAL_UNREAD = "sensor.jane_example_com_total_unread"
PUSH_MODE = "sensor.jane_example_com_push_mode"
CONNECTIVITY = "binary_sensor.jane_example_com_connectivity"


# For an account whose mail all users may read.
READABLE = pytest.mark.parametrize(
    "entry_options", [pytest.param({"access": "read"}, id="all may read")]
)


async def open_form(hass: HomeAssistant) -> str:
    """Start the setup of an account and open the server form; return the ID of the flow."""
    form = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    flow_id: str = form["flow_id"]
    form = await hass.config_entries.flow.async_configure(flow_id, {"manual": True})
    assert form["step_id"] == "server"
    return flow_id


def get_state(hass: HomeAssistant, entity_id: str) -> State:
    """Return the state of an existing entity."""
    state = hass.states.get(entity_id)
    assert state is not None
    return state


def suggested(result: Any) -> dict[str, Any]:
    """Return the suggested values of a form, including those of its sections."""
    return _suggested(result["data_schema"])


def _suggested(schema: vol.Schema) -> dict[str, Any]:
    """Return the suggested values of a schema."""
    values = {}
    for marker, field in schema.schema.items():
        if isinstance(field, section):
            values[str(marker)] = _suggested(field.schema)
        elif marker.description:
            values[str(marker)] = marker.description["suggested_value"]
    return values


def with_sections(form: Any, user_input: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a form as the frontend sends them: also sections without values."""
    schema = form.get("data_schema") or vol.Schema({})
    sections = [
        name for name, field in schema.schema.items() if isinstance(field, section)
    ]
    return {str(name): {} for name in sections} | user_input


def make_mail(uid: int = 7, **changes: Any) -> Mail:
    """Return a mail in INBOX."""
    fields: dict[str, Any] = {
        "folder": "INBOX",
        "uid_validity": 3,
        "uid": uid,
        "sender": "shop@example.org",
        "sender_name": "The Shop",
        "subject": "Your order",
        "received": datetime(2026, 11, 3, 12, 30, tzinfo=UTC),
    }
    return Mail(**fields | changes)


def make_arrival(uid: int = 7, **changes: Any) -> Arrival:
    """Return the arrival of a mail in INBOX."""
    return Arrival(mail=make_mail(uid, **changes), push=PushMode.IDLE, catch_up=False)


def make_state(
    folders: Mapping[str, FolderState] | None = None, **changes: Any
) -> AccountState:
    """Return the state of a connected account."""
    fields: dict[str, Any] = {
        "connected": True,
        "push_mode": PushMode.IDLE,
        "capabilities": frozenset({"IMAP4REV1", "IDLE"}),
        "folders": folders
        or {"INBOX": FolderState(available=True, unread=2, last_mail=make_mail())},
    }
    return AccountState(**fields | changes)
