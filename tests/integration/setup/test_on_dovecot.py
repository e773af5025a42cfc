"""Setup from a mail address with real TLS, DNS responses and Dovecot."""

import asyncio
from collections.abc import AsyncIterator, Callable
import contextlib
from pathlib import Path
import socket
import time
from typing import Any
from unittest.mock import patch

import pytest

from custom_components.imap_push.const import DOMAIN
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .. import suggested

from tests.engine.discovery.internet import Internet
from tests.required import require
from tests.rig.certificate import make_certificate
from tests.rig.dovecot import PASSWORD, USER, Dovecot
from tests.rig.ports import LOOPBACK

pytestmark = [pytest.mark.dovecot, pytest.mark.usefixtures("socket_enabled")]

HOST = "mail.example.org"
SECONDS = 10.0


@pytest.fixture
async def dovecot(
    hass: HomeAssistant,
    tmp_path: Path,
    socket_enabled: None,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Dovecot]:
    """Run Dovecot; only the SRV records of its domain lead to it."""
    require(Dovecot.available(), "Dovecot 2.3")
    certificate = make_certificate(tmp_path / "certificate", host=HOST)
    internet = Internet(certificate)
    with Dovecot(certificate) as server:
        internet.srv("_imaps._tcp.example.org", (0, 1, server.imaps_port, HOST))
        monkeypatch.setattr(hass.loop, "getaddrinfo", _resolve_only_the_server(hass))
        context = certificate.client_context()
        integration = "custom_components.imap_push"
        async with internet.run() as session:
            with (
                patch(
                    f"{integration}.flows.setup_steps.client_context",
                    return_value=context,
                ),
                patch(f"{integration}.helpers.client_context", return_value=context),
                patch(
                    f"{integration}.flows.setup_steps.async_get_clientsession",
                    return_value=session,
                ),
                patch(
                    f"{integration}.flows.setup_steps.aiodns.DNSResolver",
                    return_value=contextlib.nullcontext(internet),
                ),
            ):
                yield server


def _resolve_only_the_server(hass: HomeAssistant) -> Callable[..., Any]:
    """Return a getaddrinfo that resolves only the server and the loopback address."""
    resolve = hass.loop.getaddrinfo

    async def getaddrinfo(host: str, port: int, **options: Any) -> Any:
        if host not in (HOST, LOOPBACK):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return await resolve(LOOPBACK, port, **options)

    return getaddrinfo


async def test_address_and_password_are_enough(
    hass: HomeAssistant,
    dovecot: Dovecot,
    record_property: Callable[[str, object], None],
) -> None:
    """The account is connected within SECONDS."""
    begun = time.perf_counter()
    flow = hass.config_entries.flow
    form = await flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    form = await flow.async_configure(form["flow_id"], {"address": USER})
    assert form["step_id"] == "password"
    assert form["description_placeholders"] == {"host": HOST}
    result = await flow.async_configure(
        form["flow_id"],
        {"password": PASSWORD, **suggested(form)},
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["description"] == "push"
    name = USER.partition("@")[0]
    async with asyncio.timeout(SECONDS):
        while (it := hass.states.get(f"binary_sensor.{name}_connectivity")) is None or (
            it.state != "on"
        ):
            await asyncio.sleep(0.01)
    seconds = time.perf_counter() - begun
    record_property("seconds from address to connected", round(seconds, 2))
    assert seconds < SECONDS
    assert result["data"] == {
        "username": USER,
        "password": PASSWORD,
        "host": HOST,
        "port": dovecot.imaps_port,
        "security": "tls",
        "verify_ssl": True,
    }
    assert await hass.config_entries.async_unload(result["result"].entry_id)
