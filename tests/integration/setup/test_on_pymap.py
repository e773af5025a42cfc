"""The config flow and the engine with a real server, pymap."""

import asyncio
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
import socket
from typing import Any
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.imap_push.const import CONF_SECURITY, EVENT_NEW_MAIL
from homeassistant.const import (
    CONF_BASE,
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .. import get_state, open_form
from ..flow_forms import choose
from ..light_account import wait_until

from tests.rig.certificate import Certificate, make_certificate
from tests.rig.pymap_server import PASSWORD, USER, PymapServer

pytestmark = [pytest.mark.pymap, pytest.mark.usefixtures("socket_enabled")]

UNREAD = "sensor.demo_inbox_unread"
PUSH_MODE = "sensor.demo_push_mode"
CONNECTIVITY = "binary_sensor.demo_connectivity"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return a certificate for localhost."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
async def server(
    certificate: Certificate, socket_enabled: None
) -> AsyncIterator[PymapServer]:
    """Run a server with and without TLS."""
    async with PymapServer(certificate) as server:
        yield server


@pytest.fixture(autouse=True)
def _short_greeting_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report a server without a greeting as silent sooner."""
    monkeypatch.setattr(
        "custom_components.imap_push.imap.wire.connection.GREETING_DEADLINE_SECONDS",
        0.5,
    )


@pytest.fixture(autouse=True)
def _ignore_failed_handshakes(hass: HomeAssistant) -> None:
    """Ignore errors of the server side when the client refuses its certificate."""
    handle = hass.loop.get_exception_handler()
    assert handle is not None

    def handle_others(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not context["message"].startswith("Error on transport creation"):
            handle(loop, context)

    hass.loop.set_exception_handler(handle_others)


def _form_values(server: PymapServer, **changes: Any) -> dict[str, Any]:
    """Return the form values for this server."""
    return {
        CONF_USERNAME: USER,
        CONF_PASSWORD: PASSWORD,
        CONF_HOST: "127.0.0.1",
        CONF_PORT: server.tls_port,
        CONF_SECURITY: "tls",
        CONF_VERIFY_SSL: False,
    } | changes


async def _add_account(hass: HomeAssistant, values: dict[str, Any]) -> Any:
    """Submit the server form and confirm warnings."""
    flow_id = await open_form(hass)
    result = await hass.config_entries.flow.async_configure(flow_id, values)
    if result.get("step_id") == "not_encrypted":
        return await choose(hass, result, "allow_not_encrypted")
    return result


def _numbered_mail(number: int) -> EmailMessage:
    """Return a mail with a number in its subject."""
    mail = EmailMessage()
    mail["From"] = "The Shop <shop@example.org>"
    mail["To"] = USER
    mail["Subject"] = f"Order {number}"
    mail.set_content("Thanks.")
    return mail


async def _wait_for_state(hass: HomeAssistant, entity_id: str, state: str) -> None:
    """Wait until an entity has a state."""
    async with asyncio.timeout(10):
        while get_state(hass, entity_id).state != state:
            await asyncio.sleep(0.01)


async def test_every_new_mail_is_one_event_in_order(
    hass: HomeAssistant, server: PymapServer
) -> None:
    """Mail that was there before has no event."""
    await server.append(_numbered_mail(0))
    result = await _add_account(hass, _form_values(server))
    assert result["type"] is FlowResultType.CREATE_ENTRY, result
    await _wait_for_state(hass, PUSH_MODE, "idle")
    await _wait_for_state(hass, UNREAD, "1")
    assert get_state(hass, CONNECTIVITY).state == "on"

    events = async_capture_events(hass, EVENT_NEW_MAIL)
    for number in range(1, 51):
        await server.append(_numbered_mail(number))
    await _wait_for_state(hass, UNREAD, "51")
    await wait_until(lambda: len(events) >= 50)
    assert [event.data["subject"] for event in events] == [
        f"Order {number}" for number in range(1, 51)
    ]
    assert [event.data["uid"] for event in events] == sorted(
        {event.data["uid"] for event in events}
    )

    entry = result["result"]
    assert await hass.config_entries.async_unload(entry.entry_id)
    await asyncio.sleep(0.1)
    assert server.connections == 0

    await server.append(_numbered_mail(51))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await _wait_for_state(hass, UNREAD, "52")
    assert [event.data["subject"] for event in events[50:]] == ["Order 51"]
    assert events[50].data["catch_up"] is True
    assert await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        pytest.param(
            {CONF_PASSWORD: "wrong"},
            {CONF_BASE: "login_refused_because"},
            id="wrong password",
        ),
        pytest.param(
            {CONF_SECURITY: "none"}, {CONF_SECURITY: "tls_expected"}, id="TLS port"
        ),
        pytest.param(
            {CONF_SECURITY: "starttls"},
            {CONF_SECURITY: "tls_expected"},
            id="TLS port with STARTTLS",
        ),
    ],
)
async def test_errors_at_the_tls_port(
    hass: HomeAssistant,
    server: PymapServer,
    changes: dict[str, Any],
    errors: dict[str, str],
) -> None:
    """Each error is shown at its field, and the flow continues."""
    result = await _add_account(hass, _form_values(server, **changes))
    assert result["errors"] == errors
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], _form_values(server)
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await _wait_for_state(hass, CONNECTIVITY, "on")
    assert await hass.config_entries.async_unload(result["result"].entry_id)


async def test_self_signed_certificate_is_trusted(
    hass: HomeAssistant, server: PymapServer, certificate: Certificate
) -> None:
    """The fingerprint is that of the server certificate."""
    menu = await _add_account(hass, _form_values(server, verify_ssl=True))
    assert menu["step_id"] == "certificate"
    placeholders = menu["description_placeholders"]
    shown = placeholders["fingerprint"].replace(" ", "").lower()
    assert shown == certificate.fingerprint
    assert (placeholders["subject"], placeholders["issuer"]) == (
        "localhost",
        "IMAP Push test CA",
    )

    result = await choose(hass, menu, "trust")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"]["fingerprint"] == certificate.fingerprint
    await _wait_for_state(hass, CONNECTIVITY, "on")
    assert await hass.config_entries.async_unload(result["result"].entry_id)


async def test_custom_ca_is_trusted(
    hass: HomeAssistant, server: PymapServer, certificate: Certificate
) -> None:
    """The user pastes the CA certificate."""
    menu = await _add_account(hass, _form_values(server, verify_ssl=True))
    form = await choose(hass, menu, "own_ca")
    pem = await asyncio.to_thread(certificate.ca.read_text)
    result = await hass.config_entries.flow.async_configure(
        form["flow_id"], {"ca": pem}
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await _wait_for_state(hass, CONNECTIVITY, "on")
    assert await hass.config_entries.async_unload(result["result"].entry_id)


@pytest.mark.parametrize(
    ("security", "errors"),
    [
        pytest.param("tls", {CONF_SECURITY: "tls_not_spoken"}, id="TLS"),
        pytest.param("starttls", {CONF_SECURITY: "starttls_missing"}, id="STARTTLS"),
    ],
)
async def test_errors_at_the_plain_port(
    hass: HomeAssistant, server: PymapServer, security: str, errors: dict[str, str]
) -> None:
    """The error says which security to choose."""
    values = _form_values(server, port=server.port, security=security)
    assert (await _add_account(hass, values))["errors"] == errors


@pytest.mark.parametrize(
    ("made_for", "expired", "errors"),
    [
        pytest.param("localhost", False, None, id="good"),
        pytest.param(
            "localhost", True, {CONF_VERIFY_SSL: "certificate_expired"}, id="expired"
        ),
        pytest.param(
            "mail.example.org",
            False,
            {CONF_HOST: "certificate_wrong_host"},
            id="wrong host",
        ),
    ],
)
async def test_certificate_is_verified(
    hass: HomeAssistant,
    tmp_path: Path,
    made_for: str,
    expired: bool,
    errors: dict[str, str] | None,
) -> None:
    """Expiry and host name are verified, even if the CA is trusted."""
    certificate = make_certificate(tmp_path / "cert", host=made_for, expired=expired)
    with patch(
        "custom_components.imap_push.helpers.client_context",
        return_value=certificate.client_context(),
    ):
        async with PymapServer(certificate) as server:
            result = await _add_account(hass, _form_values(server, verify_ssl=True))
            assert result.get("errors") == errors
            if errors is None:
                await _wait_for_state(hass, CONNECTIVITY, "on")
                assert await hass.config_entries.async_unload(result["result"].entry_id)


@pytest.mark.parametrize(
    ("greeting", "errors", "placeholders"),
    [
        pytest.param(
            b"+OK POP3 ready\r\n",
            {CONF_PORT: "other_protocol"},
            {"protocol": "POP3"},
            id="POP3",
        ),
        pytest.param(
            b"220 mail.example.org ESMTP\r\n",
            {CONF_PORT: "other_protocol"},
            {"protocol": "SMTP"},
            id="SMTP",
        ),
        pytest.param(b"hello\r\n", {CONF_PORT: "not_imap"}, None, id="anything"),
    ],
)
async def test_another_protocol_is_named(
    hass: HomeAssistant,
    greeting: bytes,
    errors: dict[str, str],
    placeholders: dict[str, str] | None,
) -> None:
    """The port of another protocol was entered."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with listener:
        values = {
            CONF_USERNAME: USER,
            CONF_PASSWORD: PASSWORD,
            CONF_HOST: "127.0.0.1",
            CONF_PORT: listener.sockets[0].getsockname()[1],
            CONF_SECURITY: "none",
            CONF_VERIFY_SSL: True,
        }
        result = await _add_account(hass, values)
        assert result["errors"] == errors
        assert (result["description_placeholders"] or None) == placeholders


async def test_closed_port(hass: HomeAssistant) -> None:
    """The error is shown at the port."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        values = {
            CONF_USERNAME: USER,
            CONF_PASSWORD: PASSWORD,
            CONF_HOST: "127.0.0.1",
            CONF_PORT: unused.getsockname()[1],
        }
        assert (await _add_account(hass, values))["errors"] == {
            CONF_PORT: "port_refused"
        }


async def test_server_without_idle_is_polled(hass: HomeAssistant) -> None:
    """The sensor for the push mode shows it."""
    async with PymapServer(idle=False) as server:
        result = await _add_account(
            hass, _form_values(server, port=server.port, security="none")
        )
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await _wait_for_state(hass, PUSH_MODE, "poll")
        assert await hass.config_entries.async_unload(result["result"].entry_id)
