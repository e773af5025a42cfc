"""What we do with each provider, over the dialogues that others recorded with it."""

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
from custom_components.imap_push.imap.watch import wait_strategy as push_module
from custom_components.imap_push.imap.wire import connection
from custom_components.imap_push.imap.wire.tcp import connect_tcp

from .conftest import account
from .recorded import (
    EXCHANGE,
    GMX,
    ICLOUD,
    NETEASE,
    OUTLOOK,
    PROTON,
    PROVIDERS,
    Provider,
    Refusal,
    Tells,
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
    """Return the certificate that all of them show."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(name="tls")
def tls_fixture(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> Certificate:
    """Play every provider on loopback, under its own name."""

    async def dial_loopback(_host: str, port: int) -> object:
        return await connect_tcp("127.0.0.1", port)

    # No mail is found by leaving IDLE early: it has to be announced.
    monkeypatch.setattr(push_module, "IDLE_FIRST_SECONDS", 60.0)
    monkeypatch.setattr(connection, "connect_tcp", dial_loopback)
    monkeypatch.setattr(connection, "connect_tcp_retrying", dial_loopback)
    return certificate


def account_at(
    provider: Provider, port: int, certificate: Certificate, **changes: Any
) -> Account:
    """Return an account at a provider, with what it takes: a password or a token."""
    settings: dict[str, Any] = {
        "host": provider.host,
        "security": Security.TLS,
        "fingerprint": certificate.fingerprint,
    }
    if provider.takes_tokens_only:
        settings["token"] = Tokens("token")
    return account(port, **settings | changes)


def greet(provider: Provider, peer: Peer) -> None:
    """Say the greeting."""
    code = b"[CAPABILITY %b] " % provider.offers if provider.greets_with_offers else b""
    peer.say(b"* OK " + code + provider.greeting)


async def offer(provider: Provider, peer: Peer) -> None:
    """Greet and tell what is offered before a login."""
    greet(provider, peer)
    if not provider.greets_with_offers:
        await peer.answer("CAPABILITY", b"* CAPABILITY " + provider.offers)


async def expect_login(provider: Provider, peer: Peer) -> bytes:
    """Return the tag of the login."""
    wanted = "AUTHENTICATE XOAUTH2 " if provider.takes_tokens_only else "LOGIN "
    return await peer.expect(wanted)


async def log_in(provider: Provider, peer: Peer) -> None:
    """Greet and accept the login, as the provider does."""
    await offer(provider, peer)
    tag = await expect_login(provider, peer)
    told = b"CAPABILITY " + provider.capabilities
    match provider.tells:
        case Tells.UNTAGGED:
            peer.say(b"* " + told, tag + b" " + provider.welcome)
        case Tells.TAGGED:
            peer.say(b"%b OK [%b] %b" % (tag, told, provider.welcome))
        case Tells.ASKED:
            peer.say(tag + b" " + provider.welcome)
            await peer.answer("CAPABILITY", b"* " + told)
    if provider.identity:
        await peer.answer(r'ID \("name" "IMAP Push"\)$', provider.identity)


async def examine(provider: Provider, peer: Peer, come: int = 0) -> None:
    """Open INBOX, with so many mails more than were recorded."""
    lines = list(provider.examined)
    was, now = provider.exists, provider.exists + come
    lines = [it.replace(b"* %d EX" % was, b"* %d EX" % now) for it in lines]
    if provider.uid_next:
        was, now = provider.uid_next, provider.uid_next + come
        lines = [
            it.replace(b"[UIDNEXT %d]" % was, b"[UIDNEXT %d]" % now) for it in lines
        ]
    await peer.answer("EXAMINE", *lines, ok=b"OK [READ-ONLY] EXAMINE completed")


async def sweep(provider: Provider, peer: Peer, come: int = 0) -> None:
    """Show the last mail, and count with what the provider has for it."""
    number, uid = provider.exists + come, provider.newest + come
    fetch = await peer.expect("UID FETCH")
    is_bounded = not peer.received[-1].split(b" ")[3].endswith(b":*")
    if number and (come or not is_bounded):
        peer.say_raw(mail(number, uid))
    peer.say(fetch + b" OK FETCH completed")
    if is_bounded:
        newest = await peer.expect(r"UID FETCH 4294967295:\*")
        peer.say_raw(mail(number, uid) if number else b"")
        peer.say(newest + b" OK FETCH completed")
    if b" ESEARCH " in provider.capabilities:
        await peer.answer("UID SEARCH RETURN", b"* ESEARCH (TAG x) UID COUNT 1")
    else:
        await peer.answer("STATUS|UID SEARCH UNSEEN", b"* STATUS INBOX (UNSEEN 1)")


async def open_folder(provider: Provider, peer: Peer) -> None:
    """Log in, open INBOX and show what is there."""
    await log_in(provider, peer)
    await examine(provider, peer)
    if provider.uid_next is None:
        last = b"* %d FETCH (UID %d)" % (provider.exists, provider.newest)
        await peer.answer(r"UID FETCH \* \(UID\)$", last)
    await sweep(provider, peer)


async def stay(provider: Provider, peer: Peer) -> None:
    """Have no more news until the client leaves."""
    if provider.push is PushMode.IDLE:
        await peer.done(await peer.idle())
    await peer.leave()


@contextlib.asynccontextmanager
async def watching(
    provider: Provider, certificate: Certificate, *scripts: Script
) -> AsyncIterator[Recorder]:
    """Watch INBOX at a provider that plays one script for each connection."""
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
async def test_set_up(provider: Provider, tls: Certificate) -> None:
    """See an account checked, what is offered after the login learnt, and no folder changed."""

    async def serve(peer: Peer) -> None:
        await log_in(provider, peer)
        await examine(provider, peer)
        await peer.leave()

    found, received = await checked(provider, tls, serve)
    assert found == frozenset(provider.capabilities.decode().upper().split())
    assert not any(b"SELECT" in line for line in received)


async def test_coremail_under_another_name(tls: Certificate) -> None:
    """See a company's own Coremail told who we are, too: it opens no folder before."""
    company = replace(NETEASE, host="mail.example.cn")

    async def serve(peer: Peer) -> None:
        await log_in(company, peer)
        await examine(company, peer)
        await peer.leave()

    _, received = await checked(company, tls, serve)
    assert any(b" ID (" in line for line in received)


@every_provider
async def test_way_to_wait(provider: Provider) -> None:
    """See how new mail becomes known, and how often IDLE is begun anew."""
    capabilities = frozenset(provider.capabilities.decode().upper().split())
    quirks = quirks_of(provider.host)
    choice = push_module.StrategyChooser(WatchOptions(), quirks)
    assert choice.best(capabilities).mode is provider.push
    if provider.push is PushMode.IDLE:
        assert quirks.idle_refresh == provider.refresh


@pytest.mark.parametrize(
    ("provider", "refusal"),
    [(provider, refusal) for provider in PROVIDERS for refusal in provider.refusals],
    ids=lambda it: it.name if isinstance(it, Provider) else it.said[:40].decode(),
)
async def test_refusal(provider: Provider, refusal: Refusal, tls: Certificate) -> None:
    """See what a refusal means, and how long the provider wants to be left alone."""

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
async def test_mail_arrives(provider: Provider, tls: Certificate) -> None:
    """See the mail that arrives, once, the way the provider announces it or not."""

    async def serve(peer: Peer) -> None:
        await open_folder(provider, peer)
        if provider.push is PushMode.IDLE:
            idle = await peer.expect("IDLE$")
            peer.say(*provider.arrival)
            await peer.done(idle)
        else:
            await examine(provider, peer, come=1)
        await sweep(provider, peer, come=1)
        await stay(provider, peer)

    async with watching(provider, tls, serve) as recorder:
        await recorder.until(lambda: recorder.arrivals)
    assert [(it.mail.uid, it.push, it.catch_up) for it in recorder.arrivals] == [
        (provider.newest + 1, provider.push, False)
    ]


async def test_bye_instead_of_idling(tls: Certificate) -> None:
    """See GMX hang up at IDLE (aioimaplib#110), and its mail come over another connection."""

    async def hang_up(peer: Peer) -> None:
        await open_folder(GMX, peer)
        await peer.expect("IDLE$")
        peer.say(b"* BYE timeout")
        peer.close()

    async def again(peer: Peer) -> None:
        await log_in(GMX, peer)
        await examine(GMX, peer, come=1)
        await sweep(GMX, peer, come=1)
        await stay(GMX, peer)

    async with watching(GMX, tls, hang_up, again) as recorder:
        await recorder.until(lambda: recorder.arrivals)
    assert recorder.uids == [40]


async def test_flags_told_while_idling(tls: Certificate) -> None:
    """See iCloud tell of a read mail by IDLE (acme_email#50), and no mail made of it."""

    async def serve(peer: Peer) -> None:
        await open_folder(ICLOUD, peer)
        idle = await peer.expect("IDLE$")
        peer.say(b"+ idling", b"* 5 FETCH (UID 3399 FLAGS (\\Seen))")
        await peer.done(idle)
        await sweep(ICLOUD, peer)
        await stay(ICLOUD, peer)

    async with watching(ICLOUD, tls, serve) as recorder:
        await recorder.until(lambda: len(recorder.states) == 2)
    assert recorder.arrivals == []


async def test_password_where_only_tokens_are_taken(tls: Certificate) -> None:
    """See no password sent to Outlook, which has LOGINDISABLED and AUTH=XOAUTH2 (Crimson)."""

    async def serve(peer: Peer) -> None:
        await offer(OUTLOOK, peer)
        assert b"secret" not in await peer.until_closed()

    with pytest.raises(OAuthNeeded):
        await checked(OUTLOOK, tls, serve, token=None)


async def test_password_without_tls(tls: Certificate) -> None:
    """See no password sent to an Exchange at port 143 (node-imap#685)."""

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK " + EXCHANGE.greeting)
        await peer.answer(
            "CAPABILITY",
            b"* CAPABILITY IMAP4 IMAP4rev1 LOGINDISABLED STARTTLS UIDPLUS MOVE ID CHILDREN IDLE NAMESPACE LITERAL+",
        )
        assert b"secret" not in await peer.until_closed()

    with pytest.raises(LoginDisabled):
        await checked(EXCHANGE, tls, serve, security=Security.NONE)


async def test_starttls_at_the_bridge(tls: Certificate) -> None:
    """See Proton Bridge used as it is set up: at port 1143, encrypted by STARTTLS."""

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
