"""Saved searches and filters with the real engine on Dovecot."""

import asyncio
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from imaplib import IMAP4_SSL
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import (
    CONF_FOLDER,
    CONF_SECURITY,
    DOMAIN,
    SUBENTRY_TYPE_FOLDER,
    SUBENTRY_TYPE_SEARCH,
)
from homeassistant.config_entries import SOURCE_USER, ConfigSubentryDataWithId
from homeassistant.const import (
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .. import with_sections
from ..automations import automate, device_id

from tests.required import require
from tests.rig.certificate import Certificate, make_certificate
from tests.rig.dovecot import PASSWORD, USER, Dovecot
from tests.rig.lmtp import LmtpSender
from tests.rig.mails import plain
from tests.rig.ports import LOOPBACK

pytestmark = [pytest.mark.dovecot, pytest.mark.usefixtures("socket_enabled")]

TRIGGER = "imap_push.new_mail"
DEADLINE = 15.0  # seconds
FOLDERS = ("INBOX", "Lists")
SEARCHES: dict[str, dict[str, Any]] = {
    "Bills": {"folders": list(FOLDERS), "subject": "bill"},
    "People": {"folders": ["INBOX"], "sender": "Bob; Ada <ada@example.com>"},
    "Alias": {"folders": ["INBOX"], "recipient": USER},
}


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    """Return the certificate of the server."""
    return make_certificate(tmp_path / "certificate")


@pytest.fixture
async def server(
    certificate: Certificate, socket_enabled: None
) -> AsyncIterator[Dovecot]:
    """Run Dovecot with one old mail in each folder."""
    require(Dovecot.available(), "Dovecot 2.3")
    with Dovecot(certificate) as dovecot:
        await _send(dovecot, plain("Old bill"))
        await _send(dovecot, plain("Old list"), USER.replace("@", "+Lists@"))
        yield dovecot


@pytest.fixture
async def entry(hass: HomeAssistant, server: Dovecot) -> AsyncIterator[MockConfigEntry]:
    """Watch two folders, with three searches."""
    subentries = [
        (SUBENTRY_TYPE_FOLDER, name, {CONF_FOLDER: name}) for name in FOLDERS
    ] + [(SUBENTRY_TYPE_SEARCH, name, data) for name, data in SEARCHES.items()]
    entry = MockConfigEntry(
        domain=DOMAIN,
        title=USER,
        entry_id="work",
        data={
            CONF_USERNAME: USER,
            CONF_PASSWORD: PASSWORD,
            CONF_HOST: LOOPBACK,
            CONF_PORT: server.imaps_port,
            CONF_SECURITY: "tls",
            CONF_VERIFY_SSL: False,
        },
        subentries_data=[
            ConfigSubentryDataWithId(
                data=MappingProxyType(data),
                subentry_id=f"work_{name}",
                subentry_type=kind,
                title=name,
                unique_id=name if kind == SUBENTRY_TYPE_FOLDER else None,
            )
            for kind, name, data in subentries
        ],
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    searches = entry.runtime_data.searches
    await _until(
        lambda: all(
            entry.runtime_data.data.folders.get(name, None)
            and entry.runtime_data.data.folders[name].available
            for name in FOLDERS
        )
    )
    await _until(lambda: searches.count("work_Bills") == 1)
    yield entry
    assert await hass.config_entries.async_unload(entry.entry_id)


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.01)


async def _send(server: Dovecot, mail: EmailMessage, to: str = USER) -> None:
    async with LmtpSender(server.lmtp_port) as sender:
        await sender.send_all(to, [mail])


def _mail(subject: str, text: str = "Hello", **header: str) -> EmailMessage:
    mail = plain(subject)
    mail.set_content(text)
    for name, value in header.items():
        del mail[name.replace("_", "-")]
        mail[name.replace("_", "-")] = value
    return mail


def _move_newest(server: Dovecot, certificate: Certificate) -> None:
    """Move the newest mail of INBOX as another client."""
    context = certificate.client_context()
    with IMAP4_SSL("localhost", server.imaps_port, ssl_context=context) as client:
        client.login(USER, PASSWORD)
        client.select()
        client._simple_command("MOVE", "*", "Lists")


def _subjects(done: list[Any]) -> list[str]:
    return [event.data["mail"]["subject"] for event in done]


async def test_saved_search_triggers(
    hass: HomeAssistant,
    server: Dovecot,
    certificate: Certificate,
    entry: MockConfigEntry,
) -> None:
    """For each new mail that matches, and not again after a move."""
    target = {"device_id": [device_id(hass, "work", name) for name in SEARCHES][:2]}
    done = await automate(hass, {"trigger": TRIGGER, "target": target})
    await _send(server, _mail("Your bill", Message_ID="<bill@example.com>"))
    await _until(lambda: len(done) == 1)
    await _send(server, _mail("Nothing", From="Carol <carol@example.com>"))
    await _send(server, _mail("From a name", From="Bob Miller <b@example.org>"))
    await _send(server, _mail("From an address", From="ada@example.com"))
    await _until(lambda: len(done) == 3)
    assert _subjects(done) == ["Your bill", "From a name", "From an address"]

    await _send(server, _mail("Last bill", Message_ID="<last@example.com>"))
    await _until(lambda: len(done) == 4)
    new_in_lists = entry.runtime_data.data.folders["Lists"].messages
    assert new_in_lists == 1
    await asyncio.to_thread(_move_newest, server, certificate)
    await _until(lambda: entry.runtime_data.data.folders["Lists"].messages == 2)
    await _send(server, _mail("New bill"), USER.replace("@", "+Lists@"))
    await _until(lambda: len(done) == 5)
    assert _subjects(done)[3:] == ["Last bill", "New bill"]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"text": "code is 12345"}, id="text"),
        pytest.param({"header": "X-Alarm: Zone"}, id="header"),
        pytest.param({"recipient": USER}, id="alias"),
        pytest.param({"smaller_than": 100, "larger_than": 10}, id="size"),
        pytest.param({"sender": "Ada Lovelace, x@example.net"}, id="name"),
    ],
)
async def test_filter_triggers(
    hass: HomeAssistant,
    server: Dovecot,
    entry: MockConfigEntry,
    options: dict[str, Any],
) -> None:
    """Only for the mail that matches, which is the first of two."""
    target = {"device_id": device_id(hass, "work", "INBOX")}
    done = await automate(
        hass, {"trigger": TRIGGER, "target": target, "options": options}
    )
    text = "Your code\nis 12345.\n" + "x" * 70 + "\n"
    await _send(
        server,
        _mail(
            "First",
            text + ("y" * 70 + "\n") * 300,
            From='"Lovelace, Ada" <a@example.org>',
            To="list@example.net",
            X_Alarm="Zone 1",
        ),
    )
    await _until(lambda: done)
    assert _subjects(done) == ["First"]


async def test_preview_of_a_search_and_a_filter(
    hass: HomeAssistant, server: Dovecot, entry: MockConfigEntry
) -> None:
    """As the server and the filter see the newest mails."""
    await _send(server, _mail("A | bill", "Your code", To="list@example.net"))
    await _until(lambda: entry.runtime_data.data.folders["INBOX"].messages == 2)
    flows = hass.config_entries.subentries
    form: Any = await flows.async_init(
        (entry.entry_id, "search"), context={"source": SOURCE_USER}
    )
    search = {"name": "X", "folders": ["INBOX"], "more": {"recipient": USER}}
    form_input = with_sections(form, search)
    menu: Any = await flows.async_configure(form["flow_id"], form_input)
    assert menu["type"] is FlowResultType.MENU
    rows = menu["description_placeholders"]["mails"].splitlines()
    assert [row[:3] for row in rows] == ["| ✔", "| ✔"]
    assert r"A \| bill" in rows[0]

    form = await entry.start_subentry_reconfigure_flow(hass, "work_INBOX")
    filter_ = {"text": ["your code"], "recipient": [USER], "header": ["Subject: bill"]}
    form_input = with_sections(form, {"filter": filter_})
    menu = await flows.async_configure(form["flow_id"], form_input)
    rows = menu["description_placeholders"]["mails"].splitlines()
    assert [row[:3] for row in rows] == ["| ✔", "| —"]
