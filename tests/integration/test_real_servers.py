"""The main job inside Home Assistant, with the real engine, on each real server over TLS."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from imaplib import IMAP4_SSL
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.imap_push.const import (
    CONF_POLL_INTERVAL,
    CONF_PUSH,
    CONF_SECURITY,
    DOMAIN,
    EVENT_NEW_MAIL,
)
from homeassistant.config_entries import SOURCE_USER, ConfigEntry
from homeassistant.const import (
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
)
from homeassistant.core import Event, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from . import get_state

from tests.required import require
from tests.rig import dovecot, pymap_server
from tests.rig.certificate import Certificate, make_certificate
from tests.rig.lmtp import LmtpSender
from tests.rig.mails import plain, with_attachment
from tests.rig.ports import LOOPBACK
from tests.rig.proxy import Proxy

pytestmark = pytest.mark.usefixtures("socket_enabled")

DEADLINE = 15.0  # seconds


@dataclass(frozen=True)
class Mailbox:
    """A mailbox on a real server, behind a proxy that counts and breaks."""

    user: str
    password: str
    port: int
    proxy: Proxy
    certificate: Certificate
    deliver: Callable[[Sequence[EmailMessage]], Awaitable[None]]

    async def delete_newest(self) -> None:
        """Delete the newest mail as another client does."""
        await asyncio.to_thread(self._with_client, self._delete_newest)

    async def uids(self) -> list[int]:
        """Return the UIDs that another client sees."""
        uids: list[int] = await asyncio.to_thread(self._with_client, self._uids)
        return uids

    def _with_client(self, use: Callable[[IMAP4_SSL], Any]) -> Any:
        context = self.certificate.client_context()
        with IMAP4_SSL("localhost", self.port, ssl_context=context) as client:
            client.login(self.user, self.password)
            client.select()
            return use(client)

    def _delete_newest(self, client: IMAP4_SSL) -> None:
        client.store("*", "+FLAGS", r"(\Deleted)")
        client.expunge()

    def _uids(self, client: IMAP4_SSL) -> list[int]:
        _, [found] = client.uid("SEARCH", "ALL")
        return [int(uid) for uid in found.split()]


@asynccontextmanager
async def on_dovecot(certificate: Certificate) -> AsyncIterator[Mailbox]:
    """Run Dovecot, which gets its mail by LMTP."""
    require(dovecot.Dovecot.available(), "Dovecot 2.3")

    async def deliver(mails: Sequence[EmailMessage]) -> None:
        async with LmtpSender(server.lmtp_port) as sender:
            await sender.send_all(dovecot.USER, list(mails))

    with dovecot.Dovecot(certificate) as server:
        async with Proxy(server.imaps_port) as proxy:
            yield Mailbox(
                dovecot.USER,
                dovecot.PASSWORD,
                server.imaps_port,
                proxy,
                certificate,
                deliver,
            )


@asynccontextmanager
async def on_pymap(certificate: Certificate) -> AsyncIterator[Mailbox]:
    """Run pymap, which gets its mail by APPEND."""

    async def deliver(mails: Sequence[EmailMessage]) -> None:
        for mail in mails:
            await server.append(mail)

    async with (
        pymap_server.PymapServer(certificate) as server,
        Proxy(server.tls_port) as proxy,
    ):
        yield Mailbox(
            pymap_server.USER,
            pymap_server.PASSWORD,
            server.tls_port,
            proxy,
            certificate,
            deliver,
        )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return a certificate that holds for localhost."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(
    params=[
        pytest.param(on_dovecot, id="Dovecot", marks=pytest.mark.dovecot),
        pytest.param(on_pymap, id="pymap", marks=pytest.mark.pymap),
    ]
)
async def mailbox(
    request: pytest.FixtureRequest, certificate: Certificate, socket_enabled: None
) -> AsyncIterator[Mailbox]:
    """Return an empty mailbox on each real server."""
    async with request.param(certificate) as mailbox:
        yield mailbox


@dataclass(frozen=True)
class Watched:
    """The mailbox's account in Home Assistant, set up through the config flow."""

    hass: HomeAssistant
    entry: ConfigEntry
    events: list[Event[Any]]

    @property
    def subjects(self) -> list[str]:
        """Return the subjects of all new_mail events so far."""
        return [event.data["subject"] for event in self.events]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(DEADLINE):
            while not condition():
                await asyncio.sleep(0.005)

    async def until_unread(self, count: int) -> None:
        """Wait until the unread sensor shows this number."""
        await self.until(lambda: self.state("sensor", "inbox_unread") == str(count))

    def state(self, platform: str, key: str) -> str:
        """Return the state of one of the account's entities."""
        name = self.entry.title.replace("@", "_").replace(".", "_")
        return get_state(self.hass, f"{platform}.{name}_{key}").state


@pytest.fixture
async def watched(hass: HomeAssistant, mailbox: Mailbox) -> AsyncIterator[Watched]:
    """Add the account as a user does, and wait until it is watched."""
    events = async_capture_events(hass, EVENT_NEW_MAIL)
    flow = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    result = await hass.config_entries.flow.async_configure(
        flow["flow_id"],
        {
            CONF_USERNAME: mailbox.user,
            CONF_PASSWORD: mailbox.password,
            CONF_HOST: LOOPBACK,
            CONF_PORT: mailbox.proxy.port,
            CONF_SECURITY: "tls",
            CONF_VERIFY_SSL: False,
        },
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY, result
    watched = Watched(hass, result["result"], events)
    await watched.until_unread(0)
    assert watched.state("sensor", "push_mode") == "idle"
    yield watched
    assert await hass.config_entries.async_unload(watched.entry.entry_id)
    await watched.until(lambda: mailbox.proxy.open_connections == 0)


async def test_burst(watched: Watched, mailbox: Mailbox) -> None:
    """Fifty mails as fast as they are taken: fifty events, in order, each with its UID."""
    subjects = [f"Order {number}" for number in range(50)]
    await mailbox.deliver([plain(subject) for subject in subjects])
    await watched.until_unread(50)
    assert watched.subjects == subjects
    assert [event.data["uid"] for event in watched.events] == await mailbox.uids()
    assert {event.data["push"] for event in watched.events} == {"idle"}


async def test_reset_during_idle(watched: Watched, mailbox: Mailbox) -> None:
    """The connection is back within a second, and mail that came meanwhile fires once."""
    mailbox.proxy.reset_all()
    lost = watched.hass.loop.time()
    await mailbox.deliver([plain("meanwhile")])
    await watched.until(lambda: mailbox.proxy.open_connections == 1)
    assert watched.hass.loop.time() - lost < 1
    await watched.until_unread(1)
    await mailbox.deliver([plain("afterwards")])
    await watched.until_unread(2)
    assert watched.subjects == ["meanwhile", "afterwards"]


async def test_newest_mail_deleted_by_another_client(
    watched: Watched, mailbox: Mailbox
) -> None:
    """Nothing fires, the number falls, and the next mail fires once."""
    await mailbox.deliver([plain("first"), plain("second")])
    await watched.until_unread(2)
    await mailbox.delete_newest()
    await watched.until_unread(1)
    await mailbox.deliver([plain("third")])
    await watched.until_unread(2)
    assert watched.subjects == ["first", "second", "third"]


async def test_reload(watched: Watched, mailbox: Mailbox) -> None:
    """A reload repeats nothing, and what came meanwhile is caught up."""
    await mailbox.deliver([plain("before")])
    await watched.until_unread(1)
    assert await watched.hass.config_entries.async_unload(watched.entry.entry_id)
    await watched.until(lambda: mailbox.proxy.open_connections == 0)
    await mailbox.deliver([plain("meanwhile")])
    assert await watched.hass.config_entries.async_setup(watched.entry.entry_id)
    await watched.until_unread(2)
    assert [(e.data["subject"], e.data["catch_up"]) for e in watched.events] == [
        ("before", False),
        ("meanwhile", True),
    ]


async def test_big_attachment_costs_nothing(watched: Watched, mailbox: Mailbox) -> None:
    """A mail with an 18 MB attachment: under 20 KB are fetched."""
    before = mailbox.proxy.bytes_down
    await mailbox.deliver([with_attachment("big", 18_000_000, filename="report.pdf")])
    await watched.until_unread(1)
    assert mailbox.proxy.bytes_down - before < 20_000
    # pymap writes the disposition as one string, which RFC 3501 does not know.
    if mailbox.user == dovecot.USER:
        [attachment] = watched.events[0].data["attachments"]
        assert attachment["filename"] == "report.pdf"
        assert attachment["size"] > 18_000_000
    assert watched.events[0].data["size"] > 18_000_000


async def test_push_switched_off(
    watched: Watched, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mail is found within the interval, and the push mode says so."""
    watched.hass.config_entries.async_update_entry(
        watched.entry, options={CONF_PUSH: False, CONF_POLL_INTERVAL: 0.2}
    )
    await watched.until(lambda: watched.state("sensor", "push_mode") == "poll")
    await mailbox.deliver([plain("polled")])
    await watched.until_unread(1)
    assert [(e.data["subject"], e.data["push"]) for e in watched.events] == [
        ("polled", "poll")
    ]
