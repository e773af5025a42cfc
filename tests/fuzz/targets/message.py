r"""Any message of a sender, on a server that works correctly.

An input has four pieces, separated by `\x1e`: header, BODYSTRUCTURE, text, and the content of
each part. Every message has to arrive as one event and has to be readable in all ways.
"""

import asyncio
from collections import Counter, defaultdict
import contextlib
from dataclasses import replace
from functools import partial
import re
from typing import Final, override

from custom_components.imap_push.imap import (
    Account,
    AccountWatcher,
    Arrival,
    Client,
    ImapError,
    Mail,
    Mark,
    MessageContent,
    Security,
    WatchedFolder,
    WatchOptions,
)
from custom_components.imap_push.imap.session.fetch import MAX_HTML
from custom_components.imap_push.mail.event_data import NewMail, new_mail_from_arrival
from custom_components.imap_push.mail.file_names import safe_filename
from custom_components.imap_push.mail.filter import MailFilter
from homeassistant.helpers.json import json_bytes

from ..loop import MeasuredLoop
from ..promises import check_filename, check_text
from ..server import BLOCK, Script, ScriptServer, ServerState
from ..target import Target, Violation
from ..virtual_run import SECRET, Listener, run_in_virtual_time
from . import samples

_MAX_EVENT: Final = 32_768  # octets: the limit of Home Assistant's recorder
_UID: Final = 5
# Characters; small, so that the text of many inputs is longer than the first FETCH.
_TEXT_SIZE: Final = 100
# Seconds until the message has to arrive, and to wait for a second arrival.
_ARRIVAL_SECONDS: Final = 300
_REPETITION_SECONDS: Final = 5
# Number of attachments that are read.
_MAX_READ: Final = 3

_SECTION: Final = re.compile(rb"BODY\.PEEK(\[([^\]]*)\])(?:<(\d+)\.(\d+)>)?")
# A header field with its continuation lines (RFC 5322 2.2.3).
_FIELD: Final = re.compile(rb"[^\n]*(?:\n|\Z)(?:[ \t][^\n]*(?:\n|\Z))*")
_ACCOUNT: Final = Account(
    host="imap.example.org",
    port=993,
    username="user",
    password=SECRET,
    security=Security.NONE,
)

# It compares all fields, as their values match any mail.
_FILTER: Final = MailFilter.from_config(
    {
        "sender": ["*", "Ada Lovelace"],
        "recipient": ["*"],
        "subject": ["*"],
        "text": ["* *", "code"],
        "header": ["Subject: *a*b", "X-A"],
        "larger_than": -1,
    }
)


class _Server(ScriptServer):
    """A correct server with one message in its only folder."""

    def __init__(
        self, state: ServerState, message: bytes, fields: dict[bytes, bytes]
    ) -> None:
        super().__init__(state)
        self._fields = fields
        pieces = (*message.split(BLOCK), b"", b"", b"")
        self._header, structure, self._text, self._part = pieces[:4]
        self._structure = re.sub(rb"[\r\n]", b"", structure) or b"NIL"

    @override
    def reply(self, name: bytes, tag: bytes, arguments: bytes) -> list[bytes]:
        done = tag + b" OK done\r\n"
        match name:
            case b"UID FETCH":
                items = b" ".join(self._items(arguments))
                return [b"* 1 FETCH (%b)\r\n" % items, done]
            case b"UID SEARCH" if b"RETURN" in arguments:
                found = b'* ESEARCH (TAG "%b") UID COUNT 1 ALL %d\r\n' % (tag, _UID)
                return [found, done]
            case b"UID SEARCH":
                return [b"* SEARCH %d\r\n" % _UID, done]
            case _:
                return super().reply(name, tag, arguments)

    def _items(self, requested: bytes) -> list[bytes]:
        items = [b"UID %d" % _UID]
        if b"FLAGS" in requested:
            items.append(b"FLAGS (\\Seen $Label1)")
        if b"INTERNALDATE" in requested:
            items.append(b'INTERNALDATE " 3-Nov-2026 12:30:00 +0100"')
        if b"RFC822.SIZE" in requested:
            items.append(b"RFC822.SIZE %d" % len(self._header + self._text))
        for section, name, start, length in _SECTION.findall(requested):
            octets = self._part if name[:1].isdigit() else self._text
            if name.startswith(b"HEADER"):
                octets = self._header_section(name)
            origin = b"<%b>" % start if start else b""
            if start:
                octets = octets[int(start) :][: int(length)]
            label = b"BODY%b%b {%d}\r\n" % (section, origin, len(octets))
            items.append(label + octets)
        if b"BODYSTRUCTURE" in requested:
            # It comes last, because an unclosed parenthesis in it includes all that follows.
            items.append(b"BODYSTRUCTURE " + self._structure)
        return items

    def _header_section(self, section: bytes) -> bytes:
        """Return the header fields that a section names, all for HEADER (RFC 3501 6.4.5)."""
        _, is_named, fields = section.partition(b" ")
        if not is_named:
            return self._header
        names = fields.strip(b"()").lower().split()
        return b"".join(self._fields.get(name, b"") for name in names)


def execute(data: bytes) -> float:
    """Deliver a message and read it in all ways."""
    # The steps of the event loop are measured: the server must not do this in them.
    fields: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for field in _FIELD.findall(data.partition(BLOCK)[0]):
        fields[field.partition(b":")[0].strip().lower()].append(field)
    joined = {name: b"".join(found) for name, found in fields.items()}
    return run_in_virtual_time(partial(_run, data, joined))


async def _run(data: bytes, fields: dict[bytes, bytes], loop: MeasuredLoop) -> None:
    state = ServerState(Script({}), Counter())
    loop.accept = lambda: _Server(state, data, fields)
    listener = Listener()
    folders = {"INBOX": WatchedFolder(mark=Mark(1, _UID), text_size=_TEXT_SIZE)}
    watcher = AccountWatcher(_ACCOUNT, folders, WatchOptions(), listener)
    watching = asyncio.create_task(watcher.run())
    client = Client(_ACCOUNT)
    try:
        arrival = await _arrival(listener)
        _check_event(arrival)
        await _read(client, arrival.mail)
    finally:
        await client.close()
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def _arrival(listener: Listener) -> Arrival:
    """Return the message when it arrives; raise Violation if it does not, or arrives again."""
    for _ in range(_ARRIVAL_SECONDS):
        await asyncio.sleep(1)
        if listener.arrivals:
            break
    else:
        raise Violation("the message does not arrive")
    await asyncio.sleep(_REPETITION_SECONDS)
    if [arrival.mail.uid for arrival in listener.arrivals] != [_UID]:
        raise Violation("the message arrives more than once")
    return listener.arrivals[0]


def _check_event(arrival: Arrival) -> None:
    event = new_mail_from_arrival(
        arrival, entry_id="e" * 26, device_id="d" * 32, account="user@example.org"
    )
    if len(json_bytes(event)) >= _MAX_EVENT:
        raise Violation("an event of more than 32 KB")
    _check_mail(arrival.mail)
    _check_kinds(event)
    _FILTER.matches(event, arrival.mail.recipients)


def _check_mail(mail: Mail) -> None:
    """Raise Violation if a field of a message has hidden characters."""
    for name in ("subject", "sender", "sender_name", "message_id"):
        check_text(name, getattr(mail, name) or "")
    for name in ("to", "cc", "reply_to", "flags"):
        for text in getattr(mail, name):
            check_text(name, text)
    for attachment in mail.attachments:
        check_text("filename", attachment.filename or "")
        for name in ("content_type", "content_id", "disposition", "encoding"):
            check_text(name, getattr(attachment, name) or "")
        check_filename(safe_filename(attachment.filename, attachment.content_type))
    if mail.authentication:
        for name in ("server", "spf", "dkim", "dmarc", "domain"):
            check_text(name, getattr(mail.authentication, name) or "")
    check_text("text", mail.text or "", is_one_line=False)


def _check_kinds(event: NewMail) -> None:
    """Raise Violation unless the event data has the documented types."""
    for name in ("sender", "sender_name", "subject", "text", "folder"):
        if not isinstance(event[name], str):
            raise Violation(f"{name} is not a string")
    for name in ("to", "cc", "reply_to", "flags", "attachments"):
        if not isinstance(event[name], list):
            raise Violation(f"{name} is not a list")


async def _read(client: Client, arrived: Mail) -> None:
    """Read the message in all ways."""
    read = partial(client.content, "INBOX", 1, _UID, text_size=_TEXT_SIZE)
    try:
        content = await read()
        [mail] = await client.mails("INBOX", 1, [_UID])
        _check_mail(mail)
        _check_same(arrived, mail)
        _check_same(arrived, content.mail)
        _check_content(content)
        _FILTER.matches_content(content)
        _check_content(await read(links=True, html=True))
        for name, value in content.headers:
            check_text("a header's name", name)
            value.encode()
        for attachment in mail.attachments[:_MAX_READ]:
            found = await client.attachment("INBOX", 1, _UID, attachment.part)
            # The charsets of the message's other parts are not known in this request.
            if found._replace(filename="", inline=False) != attachment._replace(
                filename="", inline=False
            ):
                raise Violation("an attachment differs when it is requested")
            _check_content(await read(part=attachment.part, html=True))
            async for _ in client.read_part("INBOX", 1, _UID, attachment.part):
                pass
    except ImapError as error:
        raise Violation(f"cannot be read: {type(error).__name__}") from error


def _check_same(arrived: Mail, mail: Mail) -> None:
    """Raise Violation if the event differs from the message that is read later."""
    unlike = {"text": None, "recipients": (), "truncated": False}
    if replace(arrived, **unlike) != replace(mail, **unlike):  # type: ignore[arg-type]
        raise Violation("the event differs from the message")


def _check_content(content: MessageContent) -> None:
    """Raise Violation if there is more text than requested, or text that JSON cannot encode."""
    check_text("content", content.text, is_one_line=False)
    (content.html or "").encode()
    if len(content.text) > _TEXT_SIZE or len(content.html or "") > MAX_HTML:
        raise Violation("more text than requested")


def _seeds() -> list[bytes]:
    seeds = [
        (samples.HEADER, samples.STRUCTURE, samples.TEXT),
        *samples.costly(),
        *samples.longer_than_the_first_fetch(),
    ]
    for message in samples.messages():
        octets = message.as_bytes().replace(b"\n", b"\r\n")
        header, _, text = octets.partition(b"\r\n\r\n")
        seeds.append((header + b"\r\n\r\n", samples.structure_of(message), text))
    return [BLOCK.join(seed) for seed in seeds]


_WORDS: Final = (
    *(b"\r\n", b"\n", b"\r\n ", b"\0", b"\x1b", b"\xff", b"\x85", b"\xc2\x85", BLOCK),
    *(b"(", b")", b'"', b"\\", b"NIL", b"<", b">", b",", b";", b":", b"@", b"--b", b"--"),
    *(b"=?utf-8?q?", b"=?utf-8?b?", b"?=", b"=?utf-7?q?+2AA-?=", b"=?punycode?b?", b"=?idna?q?"),
    *(b"=?iso-2022-jp?b?", b"=?hz?q?", b"=?unicode_escape?q?", b"=?utf-16?b?", b"=?x*en?q?"),
    *(b"=0D=0A", b"=E2=80=AE", b"=F3=A0=81=81", b"=E2=80=8B", b"%00", b"%0d", b"''", b"utf-8''"),
    *(b"filename", b"name", b"*0*", b"*1", b"*", b"charset", b"boundary", b"attachment", b"inline"),
    *(b"text", b"plain", b"html", b"multipart", b"message", b"rfc822", b"application", b"mixed"),
    *(b"base64", b"quoted-printable", b"8bit", b"x-uuencode", b"begin 644 x\r\n", b"utf-7", b"cp037"),
    *(b"From: ", b"To: ", b"Subject: ", b"Date: ", b"Message-ID: ", b"Content-Type: "),
    *(b"Content-Transfer-Encoding: ", b"<p>", b"</p>", b"<style>", b"<!--", b"-->", b"&#x110000;"),
    *(b"&nbsp;", b"<br>", b"<![CDATA[", b"<script>", b"<a href=", b"<div hidden>", b"<pre>", b"<td>"),
    *(b"\xe2\x80\xae", b"\xf3\xa0\x81\x81", b"\xf3\xa0\x84\x80", b"\xe2\x80\x8b", b"\xed\xa0\x80", b"\xef\xbb\xbf"),
    *(b"Mon, 31 Feb 9999 99:99:99 +9999", b"(((", b")))", b'""', b"[", b"]", b"{5}", b"{5+}"),
)  # fmt: skip

TARGET: Final = Target(name="message", execute=execute, seeds=_seeds, words=_WORDS)
