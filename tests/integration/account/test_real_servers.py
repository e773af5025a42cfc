"""Watching with the real engine in Home Assistant, on each real server over TLS."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from imaplib import IMAP4_SSL, ParseFlags
import json
import logging
from types import MappingProxyType
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.imap_push import helpers
from custom_components.imap_push.const import (
    CONF_FOLDER,
    CONF_POLL_INTERVAL,
    CONF_PUSH,
    CONF_SECURITY,
    DOMAIN,
    EVENT_NEW_MAIL,
    SUBENTRY_TYPE_FOLDER,
)
from custom_components.imap_push.diagnostics import async_get_config_entry_diagnostics
from custom_components.imap_push.server_text import without_links
from homeassistant.config_entries import ConfigEntry, ConfigEntryState, ConfigSubentry
from homeassistant.const import (
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
)
from homeassistant.core import Event, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.issue_registry import IssueRegistry

from .. import get_state, open_form

from tests.required import require
from tests.rig import dovecot, pymap_server
from tests.rig.certificate import Certificate, make_certificate
from tests.rig.inbox import list_inbox
from tests.rig.lmtp import LmtpSender
from tests.rig.mails import plain, with_attachment
from tests.rig.ports import LOOPBACK
from tests.rig.proxy import Proxy

pytestmark = pytest.mark.usefixtures("socket_enabled")

DEADLINE = 15.0  # seconds


@dataclass(frozen=True)
class Contents:
    """Content of a mailbox: the response to STATUS, and the flags of each mail."""

    status: str
    flags: list[set[bytes]]


@dataclass(frozen=True)
class Mailbox:
    """A mailbox on a real server, connected through a proxy that counts and breaks connections."""

    user: str
    password: str
    port: int
    proxy: Proxy
    certificate: Certificate
    deliver: Callable[[Sequence[EmailMessage]], Awaitable[None]]
    push: str = "idle"

    async def delete_newest(self) -> None:
        """Delete the newest mail as another client."""
        await asyncio.to_thread(self._with_client, self._delete_newest)

    async def append(self, mails: Mapping[str, str]) -> None:
        """Append mails, by subject and flags, and fetch them, as another client."""
        await asyncio.to_thread(self._with_client, lambda c: self._append(c, mails))

    async def contents(self) -> Contents:
        """Return the content that another client sees with EXAMINE."""
        contents: Contents = await asyncio.to_thread(self._with_client, self._contents)
        return contents

    async def listing(self) -> list[tuple[int, str]]:
        """Return UID and subject of every mail that another client sees."""
        listing: list[tuple[int, str]] = await asyncio.to_thread(
            self._with_client, list_inbox
        )
        return listing

    def _with_client(self, use: Callable[[IMAP4_SSL], Any]) -> Any:
        context = self.certificate.client_context()
        with IMAP4_SSL("localhost", self.port, ssl_context=context) as client:
            client.login(self.user, self.password)
            return use(client)

    def _append(self, client: IMAP4_SSL, mails: Mapping[str, str]) -> None:
        for subject, flags in mails.items():
            client.append("INBOX", flags, "", bytes(plain(subject)))
        client.select()

    def _contents(self, client: IMAP4_SSL) -> Contents:
        _, [*_, capabilities] = client.capability()
        items = "MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN"
        if b"CONDSTORE" in capabilities:
            items += " HIGHESTMODSEQ"  # Every change increases it.
        _, [status] = client.status("INBOX", f"({items})")
        client.select(readonly=True)
        _, found = client.fetch("1:*", "(FLAGS)")
        lines = [line for line in found if isinstance(line, bytes)]
        flags = [{*ParseFlags(line)} - {rb"\Recent"} for line in lines]
        return Contents(status.decode(), flags)

    def _delete_newest(self, client: IMAP4_SSL) -> None:
        client.select()
        client.store("*", "+FLAGS", r"(\Deleted)")
        client.expunge()


@asynccontextmanager
async def on_dovecot(
    certificate: Certificate, *, without: tuple[str, ...] = ()
) -> AsyncIterator[Mailbox]:
    """Run Dovecot, with delivery by LMTP."""
    require(dovecot.Dovecot.available(), "Dovecot 2.3")

    async def deliver(mails: Sequence[EmailMessage]) -> None:
        async with LmtpSender(server.lmtp_port) as sender:
            await sender.send_all(dovecot.USER, list(mails))

    with dovecot.Dovecot(certificate, without=without) as server:
        async with Proxy(server.imaps_port) as proxy:
            yield Mailbox(
                dovecot.USER,
                dovecot.PASSWORD,
                server.imaps_port,
                proxy,
                certificate,
                deliver,
                push="idle" if without else "notify",
            )


def on_dovecot_without_notify(
    certificate: Certificate,
) -> AbstractAsyncContextManager[Mailbox]:
    """Run Dovecot without NOTIFY, which can push only the selected folder."""
    return on_dovecot(certificate, without=("NOTIFY",))


@asynccontextmanager
async def on_pymap(certificate: Certificate) -> AsyncIterator[Mailbox]:
    """Run pymap, with delivery by APPEND."""

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
    """Return a certificate for localhost."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(
    params=[
        pytest.param(on_dovecot, id="Dovecot", marks=pytest.mark.dovecot),
        pytest.param(
            on_dovecot_without_notify,
            id="Dovecot without NOTIFY",
            marks=pytest.mark.dovecot,
        ),
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
    """The mailbox's account in Home Assistant, set up with the config flow."""

    hass: HomeAssistant
    mailbox: Mailbox
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

    async def stop(self) -> None:
        """Unload the account, and wait until it is disconnected."""
        assert await self.hass.config_entries.async_unload(self.entry.entry_id)
        await self.until(lambda: self.mailbox.proxy.open_connections == 0)

    async def start(self) -> None:
        """Set up the account again."""
        assert await self.hass.config_entries.async_setup(self.entry.entry_id)

    def state(self, platform: str, key: str) -> str:
        """Return the state of one of the account's entities."""
        name = self.entry.title.replace("@", "_").replace(".", "_")
        return get_state(self.hass, f"{platform}.{name}_{key}").state


@pytest.fixture
async def watched(hass: HomeAssistant, mailbox: Mailbox) -> AsyncIterator[Watched]:
    """Add the account with the config flow, and wait until it is watched."""
    events = async_capture_events(hass, EVENT_NEW_MAIL)
    result = await hass.config_entries.flow.async_configure(
        await open_form(hass),
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
    watched = Watched(hass, mailbox, result["result"], events)
    await watched.until_unread(0)
    assert watched.state("sensor", "push_mode") == watched.mailbox.push
    yield watched
    if watched.entry.state is ConfigEntryState.LOADED:
        await watched.stop()


async def test_burst(watched: Watched, mailbox: Mailbox) -> None:
    """Fifty mails, delivered as fast as possible, give fifty events in the order of their UIDs.

    That is not always the order of delivery: while the mailbox is read, Dovecot's LMTP does not
    wait for its UID list, and two mails of the same second can get their UIDs in reverse order.
    """
    subjects = [f"Order {number}" for number in range(50)]
    await mailbox.deliver([plain(subject) for subject in subjects])
    await watched.until_unread(50)
    await watched.until(lambda: len(watched.events) >= 50)
    mails = [(event.data["uid"], event.data["subject"]) for event in watched.events]
    assert mails == await mailbox.listing()
    assert {*watched.subjects} == {*subjects}
    assert {event.data["push"] for event in watched.events} == {watched.mailbox.push}


async def test_reset_during_idle(watched: Watched, mailbox: Mailbox) -> None:
    """It reconnects within a second, and reports mail from the meantime exactly one time."""
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
    """There is no event, the number falls, and the next mail gives one event."""
    await mailbox.deliver([plain("first")])
    await watched.until_unread(1)
    await mailbox.deliver([plain("second")])
    await watched.until_unread(2)
    await mailbox.delete_newest()
    await watched.until_unread(1)
    await mailbox.deliver([plain("third")])
    await watched.until_unread(2)
    assert watched.subjects == ["first", "second", "third"]


async def test_reload(watched: Watched, mailbox: Mailbox) -> None:
    """A reload repeats no event, and mail from the meantime is caught up."""
    await mailbox.deliver([plain("before")])
    await watched.until_unread(1)
    await watched.stop()
    await mailbox.deliver([plain("meanwhile")])
    await watched.start()
    await watched.until_unread(2)
    assert [(e.data["subject"], e.data["catch_up"]) for e in watched.events] == [
        ("before", False),
        ("meanwhile", True),
    ]


async def test_big_attachment_costs_nothing(watched: Watched, mailbox: Mailbox) -> None:
    """Of a mail with an 18 MB attachment, less than 20 KB are fetched."""
    before = mailbox.proxy.bytes_down
    await mailbox.deliver([with_attachment("big", 18_000_000, filename="report.pdf")])
    await watched.until_unread(1)
    assert mailbox.proxy.bytes_down - before < 20_000
    # pymap sends the disposition as one string, which RFC 3501 does not allow.
    if mailbox.user == dovecot.USER:
        [attachment] = watched.events[0].data["attachments"]
        assert attachment["filename"] == "report.pdf"
        assert attachment["size"] > 18_000_000
    assert watched.events[0].data["size"] > 18_000_000


async def test_log_and_diagnostics_contain_no_private_data(
    watched: Watched, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    """This includes the debug level, a refused password and a search."""
    caplog.set_level(logging.DEBUG, "custom_components.imap_push")
    hass, entry = watched.hass, watched.entry
    await watched.stop()
    await watched.start()
    await mailbox.deliver([plain("private")])
    await watched.until_unread(1)
    event = watched.events[0].data
    assert event["sender"]
    found = await hass.services.async_call(
        DOMAIN,
        "search",
        {"entry_id": entry.entry_id, "folder": "INBOX", "sender": event["sender"]},
        blocking=True,
        return_response=True,
    )
    assert found is not None
    assert found["total"] == 1
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    refused = await hass.config_entries.flow.async_configure(
        await open_form(hass),
        {
            CONF_USERNAME: "somebody@example.org",
            CONF_PASSWORD: "not the secret",
            CONF_HOST: LOOPBACK,
            CONF_PORT: mailbox.proxy.port,
            CONF_SECURITY: "tls",
            CONF_VERIFY_SSL: False,
        },
    )
    assert refused["type"] is FlowResultType.FORM
    # At debug level Home Assistant itself logs every event, and pymap every command.
    ours = [
        caplog.handler.format(record)
        for record in caplog.records
        if record.name.startswith("custom_components.imap_push")
    ]
    written = "".join(ours) + json.dumps(diagnostics)
    assert "UID SEARCH" in written
    secrets = {
        mailbox.password,
        "not the secret",
        b64encode(f"\0{mailbox.user}\0{mailbox.password}".encode()).decode(),
        b64encode(b"\0somebody@example.org\0not the secret").decode(),
        mailbox.user.partition("@")[0] + "@",
        "somebody@",
        event["sender"],
        event["message_id"].strip("<>"),
    }
    assert [secret for secret in secrets if secret in written] == []


async def test_push_is_disabled(
    watched: Watched, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mail is found within the polling interval, and the push mode is polling."""
    # Allow an interval below the minimum of ten seconds.
    monkeypatch.setattr(helpers, "MIN_POLL_INTERVAL", 0.1, raising=False)
    watched.hass.config_entries.async_update_entry(
        watched.entry, options={CONF_PUSH: False, CONF_POLL_INTERVAL: 0.2}
    )
    await watched.until(lambda: watched.state("sensor", "push_mode") == "poll")
    await mailbox.deliver([plain("polled")])
    await watched.until_unread(1)
    assert [(e.data["subject"], e.data["push"]) for e in watched.events] == [
        ("polled", "poll")
    ]


async def _nothing(_watched: Watched) -> None:
    """Do nothing."""


async def _lose_the_connection(watched: Watched) -> None:
    proxy = watched.mailbox.proxy
    connections = proxy.connections
    proxy.reset_all()
    await watched.until(lambda: proxy.connections > connections)


async def _reload(watched: Watched) -> None:
    await watched.stop()
    await watched.start()


async def _poll(watched: Watched) -> None:
    """Check the folder repeatedly."""
    watched.hass.config_entries.async_update_entry(
        watched.entry, options={CONF_PUSH: False, CONF_POLL_INTERVAL: 0.2}
    )
    await watched.until(lambda: watched.state("sensor", "push_mode") == "poll")
    octets = watched.mailbox.proxy.bytes_up
    await watched.until(lambda: watched.mailbox.proxy.bytes_up > octets + 1000)


@pytest.mark.parametrize(
    "happen",
    [
        pytest.param(_nothing, id="caught up"),
        pytest.param(_lose_the_connection, id="connection lost"),
        pytest.param(_reload, id="stopped and started"),
        pytest.param(_poll, id="polled"),
    ],
)
async def test_watching_changes_nothing_in_the_mailbox(
    watched: Watched,
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
    happen: Callable[[Watched], Awaitable[None]],
) -> None:
    r"""No flag changes, mail marked as \Deleted is kept, and new mail stays \Recent."""
    monkeypatch.setattr(helpers, "MIN_POLL_INTERVAL", 0.1, raising=False)
    await watched.stop()
    flags = {"seen": r"\Seen", "loved": r"\Flagged $Loved", "gone": r"\Deleted"}
    await mailbox.append(flags)
    await mailbox.deliver([plain("recent")])
    before = await mailbox.contents()
    assert "MESSAGES 4 RECENT 1 " in before.status
    expected = [set(words.encode().split()) for words in (*flags.values(), "")]
    assert before.flags == expected

    await watched.start()
    await watched.until(lambda: watched.subjects == [*flags, "recent"])
    await happen(watched)
    assert await mailbox.contents() == before

    await mailbox.deliver([plain("more recent")])
    await watched.until(lambda: watched.subjects[4:] == ["more recent"])
    await watched.until_unread(4)
    after = await mailbox.contents()
    assert "MESSAGES 5 RECENT 2 " in after.status
    assert after.flags == [*expected, set()]
    await watched.stop()
    assert await mailbox.contents() == after


async def test_folder_that_does_not_exist(
    watched: Watched, mailbox: Mailbox, issue_registry: IssueRegistry
) -> None:
    """A repair issue names it, and the inbox is still watched."""
    watched.hass.config_entries.async_add_subentry(
        watched.entry,
        ConfigSubentry(
            data=MappingProxyType({CONF_FOLDER: "Nowhere"}),
            subentry_type=SUBENTRY_TYPE_FOLDER,
            title="Nowhere",
            unique_id="Nowhere",
        ),
    )
    await watched.until(lambda: issue_registry.issues)
    [issue] = issue_registry.issues.values()
    assert issue.translation_key == "folder_missing"
    assert issue.translation_placeholders == {
        "account": without_links(watched.entry.title),
        "folder": "Nowhere",
    }
    assert watched.state("sensor", "nowhere_unread") == "unavailable"
    await watched.until_unread(0)
    await mailbox.deliver([plain("first")])
    await watched.until_unread(1)
    assert watched.subjects == ["first"]
    assert len(issue_registry.issues) == 1
