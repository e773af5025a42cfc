"""The engine works with the recorded dialogs of each provider."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
import contextlib
from dataclasses import replace
from typing import Any

import pytest

from custom_components.imap_push.imap import (
    Account,
    AccountWatcher,
    ImapError,
    LoginDisabled,
    OAuthNeeded,
    PushMode,
    Security,
    WatchedFolder,
    WatchOptions,
    check_account,
    quirks_of,
)
from custom_components.imap_push.imap.watch.wait_strategy import StrategyChooser

from .conftest import account
from .loop import EngineLoop
from .recorded import (
    EXCHANGE,
    GMX,
    ICLOUD,
    NETEASE,
    OUTLOOK,
    PROTON,
    PROVIDERS,
    CapabilityMode,
    Provider,
    Refusal,
)
from .recorder import Recorder
from .scripted import Peer, Script, ScriptedServer, mail
from .tokens import Tokens

from tests.rig.certificate import Certificate, make_certificate

type Serve = Callable[[Peer], Awaitable[None]]

every_provider = pytest.mark.parametrize(
    "provider", PROVIDERS, ids=lambda provider: provider.name
)


@pytest.fixture(name="certificate", scope="module")
def certificate_fixture(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return the certificate of all servers."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(name="tls")
def tls_fixture(certificate: Certificate, to_loopback: EngineLoop) -> Certificate:
    """Connect to loopback instead of the host of the provider."""
    return certificate


def account_at(
    provider: Provider, port: int, certificate: Certificate, **changes: Any
) -> Account:
    """Return an account at a provider, with a password or a token as required."""
    settings: dict[str, Any] = {
        "host": provider.host,
        "security": Security.TLS,
        "fingerprint": certificate.fingerprint,
    }
    if provider.takes_tokens_only:
        settings["token"] = Tokens("token")
    return account(port, **settings | changes)


def greet(provider: Provider, peer: Peer) -> None:
    """Send the greeting."""
    code = b"[CAPABILITY %b] " % provider.offers if provider.greets_with_offers else b""
    peer.say(b"* OK " + code + provider.greeting)


async def offer(provider: Provider, peer: Peer) -> None:
    """Send the greeting and the capabilities before the login."""
    greet(provider, peer)
    if not provider.greets_with_offers:
        await peer.answer("CAPABILITY", b"* CAPABILITY " + provider.offers)


async def expect_login(provider: Provider, peer: Peer) -> bytes:
    """Return the tag of the login."""
    is_oauth = provider.takes_tokens_only
    return await peer.expect("AUTHENTICATE XOAUTH2 " if is_oauth else "LOGIN ")


async def log_in(provider: Provider, peer: Peer) -> None:
    """Send the greeting and accept the login, like the provider."""
    await offer(provider, peer)
    tag = await expect_login(provider, peer)
    capabilities = b"CAPABILITY " + provider.capabilities
    match provider.capability_mode:
        case CapabilityMode.UNTAGGED:
            peer.say(b"* " + capabilities, tag + b" " + provider.welcome)
        case CapabilityMode.TAGGED:
            peer.say(b"%b OK [%b] %b" % (tag, capabilities, provider.welcome))
        case CapabilityMode.ON_REQUEST:
            peer.say(tag + b" " + provider.welcome)
            await peer.answer("CAPABILITY", b"* " + capabilities)
    if provider.identity:
        await peer.answer(r'ID \("name" "IMAP Push"\)$', provider.identity)


async def examine(provider: Provider, peer: Peer, come: int = 0) -> None:
    """Answer EXAMINE INBOX, with so many messages more than recorded."""
    lines = list(provider.examined)
    old, new = b"* %d EX" % provider.exists, b"* %d EX" % (provider.exists + come)
    lines = [line.replace(old, new) for line in lines]
    if uid_next := provider.uid_next:
        old, new = b"[UIDNEXT %d]" % uid_next, b"[UIDNEXT %d]" % (uid_next + come)
        lines = [line.replace(old, new) for line in lines]
    await peer.answer("EXAMINE", *lines, ok=b"OK [READ-ONLY] EXAMINE completed")


async def sync(provider: Provider, peer: Peer, come: int = 0) -> None:
    """Answer a sync: FETCH of the new messages and of the last one, count of unread messages."""
    number, uid = provider.exists + come, provider.newest + come
    fetch = await peer.expect("UID FETCH")
    is_bounded = not peer.received[-1].split(b" ")[3].endswith(b":*")
    if number and (come or not is_bounded):
        peer.say_raw(mail(number, uid))
    peer.say(fetch + b" OK FETCH completed")
    tag, _, command = (await peer.line()).partition(b" ")
    if command.startswith(b"UID FETCH 4294967295:* "):
        peer.say_raw(mail(number, uid) if number else b"")
        peer.say(tag + b" OK FETCH completed")
        tag, _, command = (await peer.line()).partition(b" ")
    if b" ESEARCH " in provider.capabilities:
        assert command == b"UID SEARCH RETURN (COUNT) UNSEEN"
        peer.say(b"* ESEARCH (TAG x) UID COUNT 1", tag + b" OK done")
    else:
        assert command in {b'STATUS "INBOX" (UNSEEN)', b"UID SEARCH UNSEEN"}
        peer.say(b"* STATUS INBOX (UNSEEN 1)", tag + b" OK done")


async def open_folder(provider: Provider, peer: Peer) -> None:
    """Accept the login, answer EXAMINE INBOX and the first sync."""
    await log_in(provider, peer)
    await examine(provider, peer)
    if provider.uid_next is None:
        last = b"* %d FETCH (UID %d)" % (provider.exists, provider.newest)
        await peer.answer(r"UID FETCH \* \(UID\)$", last)
    if provider.push is PushMode.POLL:
        await examine(provider, peer)  # Without push, only EXAMINE shows new mail.
    await sync(provider, peer)


async def stay(provider: Provider, peer: Peer) -> None:
    """Send nothing until the client logs out."""
    if provider.push is PushMode.IDLE:
        await peer.done(await peer.idle())
    await peer.leave()


@contextlib.asynccontextmanager
async def watching(
    provider: Provider, certificate: Certificate, *scripts: Script
) -> AsyncIterator[Recorder]:
    """Watch INBOX at a provider with one script for each connection."""
    recorder = Recorder()
    context = certificate.server_context()
    async with ScriptedServer(*scripts, context=context) as server:
        watcher = AccountWatcher(
            account_at(provider, server.port, certificate),
            {"INBOX": WatchedFolder()},
            WatchOptions(poll_interval=0.05),
            recorder,
        )
        task = asyncio.ensure_future(watcher.run())
        try:
            yield recorder
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def checked(
    provider: Provider, certificate: Certificate, serve: Serve, **changes: Any
) -> tuple[frozenset[str], list[bytes]]:
    """Check an account; return the capabilities and the lines that the server received."""
    context = None if "security" in changes else certificate.server_context()
    async with ScriptedServer(serve, context=context) as server:
        found = await check_account(
            account_at(provider, server.port, certificate, **changes)
        )
        return found, server.peers[0].received


@every_provider
async def test_account_is_checked(provider: Provider, tls: Certificate) -> None:
    """The check returns the capabilities after the login and opens the folder read-only."""

    async def serve(peer: Peer) -> None:
        await log_in(provider, peer)
        await examine(provider, peer)
        await peer.leave()

    found, received = await checked(provider, tls, serve)
    assert found == frozenset(provider.capabilities.decode().upper().split())
    assert not any(b"SELECT" in line for line in received)


async def test_coremail_under_another_name(tls: Certificate) -> None:
    """ID is also sent to a Coremail server of a company, which requires it before EXAMINE."""
    company = replace(NETEASE, host="mail.example.cn")

    async def serve(peer: Peer) -> None:
        await log_in(company, peer)
        await examine(company, peer)
        await peer.leave()

    _, received = await checked(company, tls, serve)
    assert any(b" ID (" in line for line in received)


@every_provider
async def test_push_mode(provider: Provider) -> None:
    """The capabilities determine the push mode; the host determines the IDLE interval."""
    capabilities = frozenset(provider.capabilities.decode().upper().split())
    quirks = quirks_of(provider.host)
    choice = StrategyChooser(WatchOptions(), quirks)
    assert choice.best(capabilities).mode is provider.push
    if provider.push is PushMode.IDLE:
        assert quirks.idle_refresh == provider.refresh


@pytest.mark.parametrize(
    ("provider", "refusal"),
    [(provider, refusal) for provider in PROVIDERS for refusal in provider.refusals],
    ids=lambda value: (
        value.name if isinstance(value, Provider) else value.said[:40].decode()
    ),
)
async def test_refusal(provider: Provider, refusal: Refusal, tls: Certificate) -> None:
    """A failed command raises the right error, with the time until the next attempt."""

    async def serve(peer: Peer) -> None:
        if refusal.to == "LOGIN":
            await offer(provider, peer)
            tag = await expect_login(provider, peer)
        else:
            await log_in(provider, peer)
            tag = await peer.expect(refusal.to)
        peer.say(tag + b" " + refusal.said, *filter(None, [refusal.bye]))
        if refusal.to == "EXAMINE" and not refusal.bye:
            await peer.leave()
        await peer.until_closed()

    with pytest.raises(ImapError) as caught:
        await checked(provider, tls, serve)
    assert type(caught.value) is refusal.means
    assert caught.value.retry_after == refusal.retry_after


@every_provider
async def test_new_mail_is_delivered(provider: Provider, tls: Certificate) -> None:
    """A new message is delivered exactly one time, with or without an announcement."""

    async def serve(peer: Peer) -> None:
        await open_folder(provider, peer)
        if provider.push is PushMode.IDLE:
            idle = await peer.expect("IDLE$")
            peer.say(*provider.arrival)
            await peer.done(idle)
        else:
            await examine(provider, peer, come=1)
        await sync(provider, peer, come=1)
        await stay(provider, peer)

    async with watching(provider, tls, serve) as recorder:
        await recorder.until(lambda: recorder.arrivals)
    assert [
        (arrival.mail.uid, arrival.push, arrival.catch_up)
        for arrival in recorder.arrivals
    ] == [(provider.newest + 1, provider.push, False)]


async def test_bye_in_response_to_idle(tls: Certificate) -> None:
    """When GMX closes the connection at IDLE (aioimaplib#110), another one delivers the mail."""

    async def hang_up(peer: Peer) -> None:
        await open_folder(GMX, peer)
        await peer.expect("IDLE$")
        peer.say(b"* BYE timeout")
        peer.close()

    async def again(peer: Peer) -> None:
        await log_in(GMX, peer)
        await examine(GMX, peer, come=1)
        await sync(GMX, peer, come=1)
        await stay(GMX, peer)

    async with watching(GMX, tls, hang_up, again) as recorder:
        await recorder.until(lambda: recorder.arrivals)
    assert recorder.uids == [40]


async def test_flag_change_during_idle(tls: Certificate) -> None:
    """A FETCH response of iCloud about a read message (acme_email#50) is not new mail."""

    synced = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await open_folder(ICLOUD, peer)
        idle = await peer.expect("IDLE$")
        peer.say(b"+ idling", b"* 5 FETCH (UID 3399 FLAGS (\\Seen))")
        await peer.done(idle)
        await sync(ICLOUD, peer)
        idle = await peer.idle()
        synced.set()
        await peer.done(idle)
        await peer.leave()

    async with watching(ICLOUD, tls, serve) as recorder:
        await recorder.until(synced.is_set)
    assert recorder.arrivals == []


async def test_no_password_is_sent_if_only_tokens_are_accepted(
    tls: Certificate,
) -> None:
    """Outlook has LOGINDISABLED and AUTH=XOAUTH2 (Crimson), so no password is sent."""

    async def serve(peer: Peer) -> None:
        await offer(OUTLOOK, peer)
        assert b"secret" not in await peer.until_closed()

    with pytest.raises(OAuthNeeded):
        await checked(OUTLOOK, tls, serve, token=None)


async def test_no_password_is_sent_without_tls(tls: Certificate) -> None:
    """Exchange at port 143 has LOGINDISABLED (node-imap#685), so no password is sent."""

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK " + EXCHANGE.greeting)
        await peer.answer(
            "CAPABILITY",
            b"* CAPABILITY IMAP4 IMAP4rev1 LOGINDISABLED STARTTLS UIDPLUS MOVE ID CHILDREN IDLE NAMESPACE LITERAL+",
        )
        assert b"secret" not in await peer.until_closed()

    with pytest.raises(LoginDisabled):
        await checked(EXCHANGE, tls, serve, security=Security.NONE)


async def test_starttls_with_proton_bridge(tls: Certificate) -> None:
    """Proton Mail Bridge is used with STARTTLS, as it is configured by default."""

    async def serve(peer: Peer) -> None:
        greet(PROTON, peer)
        await peer.answer("STARTTLS$")
        await peer.start_tls(tls.server_context())
        await peer.answer("CAPABILITY", b"* CAPABILITY " + PROTON.offers)
        await peer.answer("LOGIN ", ok=b"OK [CAPABILITY %b] in" % PROTON.capabilities)
        await examine(PROTON, peer)
        await peer.leave()

    found, _ = await checked(PROTON, tls, serve, security=Security.STARTTLS)
    assert "IDLE" in found
