"""Responses of real servers, as inputs for the scripted server."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final, override

from custom_components.imap_push.imap import Mark, WatchOptions

from ..server import TAG, write_script
from .samples import HEADER, STRUCTURE, TEXT

from tests.engine.light import IDLE, NOTIFY, POLL, served
from tests.engine.recorded import PROVIDERS, CapabilityMode, Provider, Refusal
from tests.engine.virtual import VirtualLoop, run, watched
from tests.rig.light_client import LightClient
from tests.rig.light_folder import UID_VALIDITY
from tests.rig.light_server import LightServer

_DONE: Final = b"<tag> OK done\r\n"

# Tokens that have a meaning for the parsers of the engine.
WORDS: Final = (
    *(b"(", b")", b'"', b"\\", b"[", b"]", b"<", b">", b"*", b"+ ", b"* ", b" NIL "),
    *(b"\r\n", b"\r", b"\n", b"\0", b"\xff", b"\xc3\xa9", b"\x1e", b"\x1f", b"&AOk-"),
    *(b"{0}\r\n", b"{5}\r\n", b"{1+}\r\n", b"{16777216}\r\n", b"{99999999999}\r\n"),
    *(b"<tag> OK x\r\n", b"<tag> NO x\r\n", b"<tag> BAD x\r\n", b"* BYE x\r\n", TAG),
    *(b"* 9 EXISTS\r\n", b"* 1 EXPUNGE\r\n", b"* VANISHED 1:9\r\n", b"* OK [ALERT] x\r\n"),
    *(b"* 1 FETCH (UID 5 FLAGS (\\Seen))\r\n", b"* SEARCH 1 2 5\r\n", b"UID 4294967295"),
    *(b'* STATUS "B" (UIDNEXT 9 UNSEEN 1)\r\n', b"* OK [NOTIFICATIONOVERFLOW] x\r\n"),
    *(b"[UIDVALIDITY 2]", b"[UIDNEXT 9]", b"[CAPABILITY IMAP4rev1]", b"[COPYUID 1 2 3]"),
    *(b"[SERVERBUG]", b"[UNAVAILABLE]", b"[NONEXISTENT]", b"[EXPUNGEISSUED]", b"[LIMIT]"),
    *(b"[BADCHARSET (US-ASCII ISO-8859-1)]", b"[AUTHENTICATIONFAILED]", b"[TRYCREATE]"),
    *(b"LOGINDISABLED", b"AUTH=PLAIN", b"AUTH=SCRAM-SHA-256", b"STARTTLS", b"IDLE", b"NOTIFY", b"ESEARCH", b"PREAUTH"),
    *(b"\x1eOPTIONS\n", b"starttls ", b"token ", b"poll ", b"idle ", b"serial ", b"debug ", b"new "),
    *(b"\x1e*\n", b"\x1eUID FETCH\n", b"\x1eEXAMINE\n", b"\x1eIDLE\n", b"\x1eDONE\n"),
    *(b"\x1eUID SEARCH\n", b"\x1eLIST\n", b"\x1eSTATUS\n", b"\x1eGREETING\n", b"\x1eMORE\n"),
    *(b"BODY[", b"BODY[TEXT]", b"]<0>", b"BODYSTRUCTURE", b"RFC822.SIZE", b"=?utf-8?q?"),
    *(b"<base64:", b"[nonce]", b",i=1000000", b",i=99999999", b",s=", b"r=", b"v="),
)  # fmt: skip


def scripts() -> list[bytes]:
    """Return the responses of the recorded providers and of LightServer."""
    return [
        *(_provider(provider) for provider in PROVIDERS),
        *(_refusal(each, refusal) for each in PROVIDERS for refusal in each.refusals),
        *_CONVERSATIONS,
        *_requests(),
        *_costly(),
    ]


def _lines(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\r\n" for line in lines)


def _fetch(uid: int) -> bytes:
    """Return a FETCH response with all items that the engine requests."""
    return (
        b'* 1 FETCH (UID %d FLAGS (\\Seen $x) INTERNALDATE " 3-Nov-2026 12:30:00 +0100"'
        b" RFC822.SIZE 100 BODY[HEADER.FIELDS (FROM)]<0> {%d}\r\n%b BODY[TEXT]<0> {%d}\r\n"
        b"%b BODYSTRUCTURE %b)\r\n"
    ) % (uid, len(HEADER), HEADER, len(TEXT), TEXT, STRUCTURE)


def _blocks(provider: Provider) -> Iterator[tuple[bytes, bytes]]:
    """Yield the responses of a provider."""
    # The account does not use TLS, so STARTTLS must not be offered.
    offers, capabilities = (
        b"CAPABILITY %b" % words.replace(b" STARTTLS", b"")
        for words in (provider.offers, provider.capabilities)
    )
    code = b"[%b] " % offers if provider.greets_with_offers else b""
    yield b"GREETING", b"* OK %b%b\r\n" % (code, provider.greeting)
    if not provider.greets_with_offers:
        yield b"CAPABILITY", b"* %b\r\n%b" % (offers, _DONE)
    yield b"CAPABILITY", b"* %b\r\n%b" % (capabilities, _DONE)
    welcome = provider.welcome.removeprefix(b"OK ")
    match provider.capability_mode:
        case CapabilityMode.UNTAGGED:
            login = b"* %b\r\n<tag> OK %b\r\n" % (capabilities, welcome)
        case CapabilityMode.TAGGED:
            login = b"<tag> OK [%b] %b\r\n" % (capabilities, welcome)
        case CapabilityMode.ON_REQUEST:
            login = b"<tag> OK %b\r\n" % welcome
    yield (b"AUTHENTICATE" if provider.takes_tokens_only else b"LOGIN"), login
    if provider.identity:
        yield b"ID", b"%b\r\n%b" % (provider.identity, _DONE)
    yield b"EXAMINE", _lines(provider.examined) + b"<tag> OK [READ-ONLY] done\r\n"
    yield b"UID FETCH", _fetch(provider.newest) + _DONE
    yield b"UID SEARCH", b'* ESEARCH (TAG "<tag>") UID COUNT 1 ALL 2:5\r\n' + _DONE
    if provider.arrival:
        yield b"IDLE", _lines(provider.arrival)
        yield b"IDLE", b"+ idling\r\n"
        yield b"*", _lines(provider.arrival[1:])
    if provider.takes_tokens_only:
        yield b"OPTIONS", b"token"


def _provider(provider: Provider) -> bytes:
    return write_script(*_blocks(provider))


def _refusal(provider: Provider, refusal: Refusal) -> bytes:
    name = refusal.to.encode()
    if provider.takes_tokens_only and refusal.to == "LOGIN":
        name = b"AUTHENTICATE"
    said = b"<tag> %b\r\n" % refusal.said + (refusal.bye and refusal.bye + b"\r\n")
    blocks = [block for block in _blocks(provider) if block[0] != name]
    return write_script((b"OPTIONS", b"debug"), *blocks, (name, said))


def _requests() -> Iterator[bytes]:
    """Yield servers that respond to each request, some in an unusual form."""
    blocks = (
        (
            b"LIST",
            b'* LIST (\\HasNoChildren \\Trash) "/" "Deleted &AOk-"\r\n'
            b'* LIST (\\Noselect) NIL {3}\r\na(b\r\n* LIST () "." INBOX\r\n' + _DONE,
        ),
        (b"STATUS", b'* STATUS "B" (UIDNEXT 4 UIDVALIDITY 1 UNSEEN 2)\r\n' + _DONE),
        (b"UID FETCH", _fetch(2) + _fetch(5) + _DONE),
        (b"UID SEARCH", b'* ESEARCH (TAG "<tag>") UID COUNT 2 ALL 2,5\r\n' + _DONE),
        (b"UID MOVE", b"* OK [COPYUID 1 2,5 7:8] moved\r\n* 1 EXPUNGE\r\n" + _DONE),
        (b"UID STORE", b"* 1 FETCH (FLAGS (\\Seen x))\r\n" + _DONE),
        (b"UID EXPUNGE", b"* 1 EXPUNGE\r\n* VANISHED 5\r\n" + _DONE),
        (b"*", _fetch(6) + b'* STATUS "B" (UIDNEXT 9 MESSAGES 3 UNSEEN 1)\r\n'),
        (b"*", b"* OK [ALERT] full\r\n* OK [NOTIFICATIONOVERFLOW] \x1ftoo much\r\n"),
    )
    yield write_script(*blocks)
    bare = b"* OK [CAPABILITY IMAP4rev1] hello\r\n", b"<tag> OK in\r\n"
    yield write_script(
        *blocks[:3],
        (b"GREETING", bare[0]),
        (b"LOGIN", bare[1]),
        (b"CAPABILITY", b"* CAPABILITY IMAP4rev1\r\n" + _DONE),
        (b"UID SEARCH", b"* SEARCH 2 5\r\n" + _DONE),
        (b"UID COPY", b"<tag> OK [COPYUID 1 2,5 7:8] copied\r\n"),
    )
    yield write_script(
        *blocks, (b"UID SEARCH", b'<tag> NO [BADCHARSET (UTF-8 "ISO-8859-1")] x\r\n')
    )
    greeting = b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n"
    yield write_script((b"OPTIONS", b"starttls"), (b"GREETING", greeting), *blocks)
    for option in (b"poll new", b"idle", b"serial idle", b"token", b"debug"):
        yield write_script((b"OPTIONS", option), *blocks)
    yield write_script(
        (b"GREETING", b"* PREAUTH [CAPABILITY IMAP4rev1 IDLE] known\r\n"), *blocks
    )
    offers = b"* OK [CAPABILITY IMAP4rev1 AUTH=SCRAM-SHA-256] hello\r\n"
    yield write_script(
        (b"GREETING", offers),
        (b"AUTHENTICATE", b"+ \r\n"),
        (b"MORE", b"+ <base64:r=[nonce]x,s=QSXCR+Q6sek8bf92,i=4096>\r\n"),
        (b"MORE", b"+ <base64:v=rmF9pqV8S7suAoZWja4dJRkFsKQ=>\r\n"),
        (b"MORE", b"<tag> OK in\r\n"),
    )
    yield write_script(
        (b"OPTIONS", b"token"),
        (b"AUTHENTICATE", b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n"),
        (b"MORE", b"<tag> NO [AUTHENTICATIONFAILED] expired\r\n"),
        (b"AUTHENTICATE", b"<tag> OK in\r\n"),
    )


def _costly() -> Iterator[bytes]:
    """Yield servers whose responses are slow to parse."""
    count = 12_000
    lists, words = b"(" * 2 * count, b"a " * 2 * count
    numbers = b" ".join(b"%d" % number for number in range(2, count))
    ranges = numbers.replace(b" ", b",")
    for name, said in (
        (b"STATUS", b"* STATUS %b\r\n" % lists),
        (b"STATUS", b"* STATUS B (%b)\r\n" % words),
        (b"LIST", b'* LIST () "/" %b\r\n* LIST %b\r\n' % (words, lists)),
        (b"LIST", b'* LIST () "/" f\r\n' * 2000),
        (
            b"SELECT",
            b"* OK [PERMANENTFLAGS (%b)] x\r\n* FLAGS (%b)\r\n" % (words, words),
        ),
        (b"EXAMINE", b"* OK [%b\r\n* OK [X %b] x\r\n" % (b"A" * count, words)),
        (b"UID SEARCH", b"* SEARCH %b\r\n" % numbers),
        (b"UID SEARCH", b"* ESEARCH (TAG <tag>) UID ALL %b\r\n" % ranges),
        (b"UID MOVE", b"* OK [COPYUID 1 %b %b] x\r\n" % (ranges, ranges)),
        (b"UID FETCH", b"* 1 FETCH (UID 5 FLAGS (%b))\r\n" % words),
        (b"UID FETCH", b"* 1 FETCH (UID 5 BODYSTRUCTURE %b)\r\n" % lists),
        (b"UID FETCH", b"* 1 FETCH (UID 5)\r\n" * 2000),
        (b"IDLE", b"+ idling\r\n" + b"* 1 EXISTS\r\n* 1 EXPUNGE\r\n" * 1000),
        (b"CAPABILITY", b"* CAPABILITY IMAP4rev1 %b\r\n" % words),
        (b"LOGIN", b"* OK [ALERT] x\r\n" * 2000),
        (b"LOGIN", b"<tag> NO [%b] x\r\n" % (b"A" * 2 * count)),
    ):
        yield write_script((name, said if b"<tag> N" in said else said + _DONE))


class _RecordedClient(LightClient):
    """Records its responses, by what they respond to."""

    blocks: list[tuple[bytes, bytes]]
    _is_responding = False

    @override
    def data_received(self, data: bytes) -> None:
        self._is_responding = True
        super().data_received(data)
        self._is_responding = False

    @override
    def say(self, *lines: bytes) -> None:
        if not self._is_responding:
            name = b"GREETING" if not self.blocks else b"*"
            self.blocks.append((name, _lines(lines)))
        super().say(*lines)

    @override
    def _answer(self, line: bytes) -> Iterator[bytes]:
        lines = list(super()._answer(line))
        tag, _, rest = line.partition(b" ")
        words = rest.split(b" ")
        name = b" ".join(words[: 2 if words[0] == b"UID" else 1]) or b"DONE"
        said = _lines(lines)
        for known in (tag, self._tag_of_idle):
            said = said.replace(known, TAG) if known else said
        self.blocks.append((name, said))
        yield from lines


def _conversation(capabilities: bytes) -> bytes:
    """Return the responses of LightServer while mail arrives in two folders."""
    blocks: list[tuple[bytes, bytes]] = []

    def accept(server: LightServer) -> LightClient:
        client = _RecordedClient(server._store)
        client.blocks = blocks
        return client

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", "B", capabilities=capabilities)
        loop.accept = lambda: accept(server)
        server.slip_in(3)
        marks = {"INBOX": Mark(UID_VALIDITY, 2), "B": None}
        async with watched(marks, WatchOptions(poll_interval=5)):
            for name in ("INBOX", "B"):
                await asyncio.sleep(10)
                server.deliver(1, name)
            server.expunge(2)
            await asyncio.sleep(10)

    run(main)
    return write_script(*blocks)


_CONVERSATIONS: Final = tuple(map(_conversation, (NOTIFY, IDLE, POLL)))
