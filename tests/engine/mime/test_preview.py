"""The FETCH items for the text: few octets of most messages, more if the text starts late."""

from collections.abc import AsyncIterator, Callable
import contextlib
from email import message_from_bytes
from email.message import Message
from email.policy import default
import re
from typing import Final

import pytest

from custom_components.imap_push.imap import Client, MessageContent, PartNotFound
from custom_components.imap_push.imap.mime.preview import (
    ACTION_OCTETS,
    EVENT_OCTETS,
    NO_TEXT,
    TextRequest,
    batch_size,
    fetch_items,
    preview_of,
    reduced_fetch_items,
)
from custom_components.imap_push.imap.wire.parser import Value

from ..conftest import account
from ..scripted import Peer, ScriptedServer
from .cases.build import (
    html,
    in_base64,
    mail,
    mime,
    multipart,
    part,
    picture,
    plain,
    style,
)
from .trees import structure_of

SECTION: Final = re.compile(r"BODY\.PEEK\[([^]]*)\](?:<0\.(\d+)>)?")
LONG: Final = b",\r\n ".join(b"Person <person%d@example.org>" % n for n in range(5_000))
CODE: Final = b"<p>Your code is 123456</p>"
# A part that is longer than the octets of the first FETCH.
PHOTO: Final = in_base64(b"image/jpeg; name=a.jpg", bytes(60_000))

HTML_PART: Final = (b"text", b"html", None, None, None, b"7bit", b"30000", b"1")
PLAIN_PART: Final = (b"text", b"plain", None, None, None, b"7bit", b"300", b"1")


def value(item: object) -> bytes:
    """Return a value in the syntax of IMAP."""
    if isinstance(item, tuple):
        return b"(%b)" % b" ".join(map(value, item))
    if item is None:
        return b"NIL"
    assert isinstance(item, bytes)
    return b'"%b"' % item


class Mailbox:
    """A server with one message, UID 7; it answers NO for sections for which `refused` is true."""

    def __init__(self, octets: bytes, refused: Callable[[str], bool]) -> None:
        """Serve this message and record the requested sections."""
        self._octets = octets
        self._message = message_from_bytes(octets, policy=default)
        self._refused = refused
        self.fetches: list[list[str]] = []

    async def __call__(self, peer: Peer) -> None:
        """Answer the commands of one connection."""
        with contextlib.suppress(EOFError, ConnectionError):
            await peer.log_in(b"IMAP4rev1 ESEARCH")
            while True:
                tag, _, command = (await peer.line()).decode().partition(" ")
                peer.say(
                    *self._answer(command), f"{tag} {self._status(command)}".encode()
                )

    def _status(self, command: str) -> str:
        sections = SECTION.findall(command)
        is_refused = any(self._refused(section) for section, _ in sections)
        return "NO not now" if is_refused else "OK done"

    def _answer(self, command: str) -> list[bytes]:
        if command.startswith("EXAMINE"):
            return [
                b"* 1 EXISTS",
                b"* OK [UIDVALIDITY 3] valid",
                b"* OK [UIDNEXT 8] next",
            ]
        if "FETCH" not in command:
            return []
        found = [b"UID 7", b"FLAGS ()", b"RFC822.SIZE %d" % len(self._octets)]
        sections = SECTION.findall(command)
        if sections:
            self.fetches.append([section for section, _ in sections])
        if self._status(command) != "OK done":
            return []
        for section, limit in sections:
            content = self._section(section)[: int(limit or len(self._octets))]
            found.append(
                b"BODY[%b]<0> {%d}\r\n%b" % (section.encode(), len(content), content)
            )
        if "BODYSTRUCTURE" in command:
            found.append(b"BODYSTRUCTURE " + value(structure_of(self._message)))
        return [b"* 1 FETCH (%b)" % b" ".join(found)]

    def _section(self, section: str) -> bytes:
        header, _, body = self._octets.partition(b"\r\n\r\n")
        if section == "HEADER":
            return header + b"\r\n\r\n"
        if section == "TEXT":
            return body
        if section.startswith("HEADER.FIELDS"):
            names = section.partition("(")[2].strip(")").split()
            unfolded = re.findall(rb"[^\r\n]+(?:\r\n[ \t][^\r\n]*)*", header)
            kept = [
                line
                for line in unfolded
                if line.split(b":")[0].decode().upper() in names
            ]
            return b"".join(line + b"\r\n" for line in kept) + b"\r\n"
        found: Message = self._message
        for number in section.removesuffix(".MIME").split("."):
            if found.is_multipart():
                found = found.get_payload(int(number) - 1)  # type: ignore[assignment]
        if section.endswith(".MIME"):
            return found.as_bytes().partition(b"\r\n\r\n")[0]
        payload = found.get_payload()
        assert isinstance(payload, str)
        return payload.encode()


@contextlib.asynccontextmanager
async def opened(
    octets: bytes, refused: Callable[[str], bool] = lambda _: False
) -> AsyncIterator[tuple[Client, Mailbox]]:
    """Yield a client that is connected to a server with one message."""
    mailbox = Mailbox(octets, refused)
    async with ScriptedServer(mailbox) as server:
        client = Client(account(server.port))
        yield client, mailbox
        await client.close()


async def fetched(octets: bytes, size: int) -> tuple[MessageContent, list[list[str]]]:
    """Return a message, and the requested sections of each FETCH."""
    async with opened(octets) as (client, mailbox):
        content = await client.content("INBOX", 3, 7, text_size=size)
    return content, mailbox.fetches


def test_first_fetch() -> None:
    """The first FETCH requests fields, structure and the beginning of the text."""
    assert fetch_items(NO_TEXT).count("BODY.PEEK") == 1
    items = fetch_items(TextRequest(200))
    assert "BODY.PEEK[TEXT]<0.8992>" in items
    assert "CONTENT-TRANSFER-ENCODING" in items
    assert items.startswith("(UID ")
    assert items.endswith(" BODYSTRUCTURE)")
    assert f"[TEXT]<0.{EVENT_OCTETS}>" in fetch_items(TextRequest(999_999))
    assert f"[TEXT]<0.{ACTION_OCTETS}>" in fetch_items(
        TextRequest(999_999, limit=ACTION_OCTETS)
    )


def test_reduced_items_for_large_messages() -> None:
    """The second attempt has no structure, and the third only flags, date and size."""
    whole, without_structure, bare = reduced_fetch_items(TextRequest(200))
    assert whole.replace(" BODYSTRUCTURE", "") == without_structure
    assert "BODY" not in bare


@pytest.mark.parametrize(
    ("size", "messages"), [(0, 500), (200, 466), (10_000, 87), (999_999, 16)]
)
def test_batch_size(size: int, messages: int) -> None:
    """The texts of one batch have at most 4 MiB."""
    assert batch_size(TextRequest(size), 500) == messages


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(plain(b"Hello"), "Hello", id="text"),
        pytest.param(html(style(2_000) + CODE), "Your code is 123456", id="HTML"),
        pytest.param(multipart(b"alternative", plain(b"Hello"), html(style(99_000) + CODE)), "Hello", id="text and long HTML"),
        pytest.param(multipart(b"mixed", plain(b"Hello"), PHOTO), "Hello", id="text and a picture"),
        pytest.param(plain(b"x" * 50_000), "x" * 200, id="long text"),
        pytest.param(html(b"<p>" + b"x" * 50_000), "x" * 200, id="long HTML"),
        pytest.param(multipart(b"mixed", plain(b"x" * 300), PHOTO, plain(b"y")), "x" * 200, id="enough before a picture"),
        pytest.param(in_base64(b"image/jpeg", bytes(400_000)), "", id="a picture only"),
        pytest.param(multipart(b"mixed", PHOTO, PHOTO), "", id="two pictures only"),
    ],
)  # fmt: skip
async def test_one_fetch(content: bytes, text: str) -> None:
    """One FETCH is sufficient for ordinary messages, and for texts of the requested size."""
    found, fetches = await fetched(mime(content), 200)
    assert found.text == text
    assert found.truncated is (len(text) == 200)
    assert len(fetches) == 1


@pytest.mark.parametrize(
    ("content", "sections", "text"),
    [
        pytest.param(html(style(60_000) + CODE), ["1"], "Your code is 123456", id="HTML after CSS"),
        pytest.param(
            multipart(b"alternative", plain(b"\r\n"), html(style(60_000) + CODE)),
            ["2"],
            "Your code is 123456",
            id="blank text and CSS",
        ),
        pytest.param(multipart(b"mixed", PHOTO, plain(b"Hello")), ["2"], "Hello", id="text after an image"),
        pytest.param(
            multipart(b"mixed", plain(b"One"), PHOTO, plain(b"Two"), PHOTO, plain(b"Three")),
            ["3", "5"],
            "One\n\nTwo\n\nThree",
            id="text, pictures, text",
        ),
        pytest.param(
            multipart(b"mixed", PHOTO, multipart(b"alternative", plain(b"Hello"), html(b"<p>H"), boundary=b"in")),
            ["2.1"],
            "Hello",
            id="of an alternative the text only",
        ),
        pytest.param(
            multipart(b"mixed", PHOTO, *(plain(b"%d" % n) for n in range(20))),
            ["2", "3", "4", "5", "6", "7", "8", "9"],
            "\n\n".join("01234567"),
            id="eight parts at a time",
        ),
        pytest.param(
            multipart(b"mixed", PHOTO, part(b"text/plain; name=a.log", b"Log")),
            ["2"],
            "Log",
            id="log file, if there is no other text",
        ),
    ],
)  # fmt: skip
async def test_text_that_starts_late(
    content: bytes, sections: list[str] | None, text: str
) -> None:
    """Only the text parts are fetched, individually."""
    found, fetches = await fetched(mime(content), 200)
    assert found.text.startswith(text)
    requested = [
        [name for name in names if not name.endswith(".MIME")] for names in fetches[1:2]
    ]
    assert requested == ([sections] if sections else [])
    assert len(fetches) <= 3


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param(lambda section: section == "3", id="text"),
        pytest.param(lambda section: section == "HEADER.FIELDS (TO)", id="fields"),
    ],
)
async def test_second_fetch_is_refused(refused: Callable[[str], bool]) -> None:
    """The fetched text is returned; without Content-Type it is empty."""
    content = multipart(b"mixed", plain(b"One"), PHOTO, plain(b"Two"))
    octets = (
        mime(content, to=b"To: " + LONG)
        if refused("HEADER.FIELDS (TO)")
        else mime(content)
    )
    async with opened(octets, refused) as (client, _):
        found = await client.content("INBOX", 3, 7, text_size=200)
    assert found.mail.sender == "ada@example.com"
    assert found.text == ("" if refused("HEADER.FIELDS (TO)") else "One")
    assert found.truncated


@pytest.mark.parametrize(
    "structure",
    [
        pytest.param((HTML_PART, b"mixed"), id="without the image"),
        pytest.param((PLAIN_PART, HTML_PART, b"mixed"), id="image that is text"),
        pytest.param(((HTML_PART, b"related"), b"mixed"), id="one level more"),
    ],
)
def test_structure_of_another_message(structure: Value) -> None:
    """An image is not decoded as text, and the text part of the structure is fetched."""
    body = b"--x\r\nContent-Type: image/jpeg\r\n\r\nJPEG\r\n--x\r\nContent-Type: text/html\r\n\r\n"
    request = TextRequest(100)
    items: dict[str, Value] = {
        "BODY": b"Content-Type: multipart/mixed; boundary=x\r\n",
        "BODY[TEXT]": (body + style(30_000))[: request.octets],
        "BODYSTRUCTURE": structure,
    }
    more = preview_of(items, request).more
    assert more
    for section, _ in SECTION.findall(more):
        items[f"BODY[{section}]"] = b"" if "MIME" in section else b"Hello"
    assert "Hello" in (text := preview_of(items, request).text.text)
    assert "JPEG" not in text


@pytest.mark.parametrize("name", [b"To: ", b"Cc: ", b"Reply-To: "])
async def test_long_field(name: bytes) -> None:
    """If one field is too long, all fields are fetched individually."""
    octets = mail(to=name + LONG)
    async with opened(octets) as (client, mailbox):
        [found] = await client.mails("INBOX", 3, [7])
    assert (found.sender, found.subject) == ("ada@example.com", "test")
    assert found.date is not None
    assert found.truncated
    addresses = found.to + found.cc + found.reply_to
    assert addresses == tuple(f"person{n}@example.org" for n in range(len(addresses)))
    assert len(addresses) > 100
    first, *more = mailbox.fetches
    assert len(first) == 1
    assert len(more) == 1
    assert {"HEADER.FIELDS (SUBJECT)", "HEADER.FIELDS (TO)"} <= set(more[0])


@pytest.mark.parametrize(
    ("content", "source"),
    [
        pytest.param(html(CODE), CODE, id="HTML"),
        pytest.param(plain(b"Hello"), None, id="no HTML"),
        pytest.param(multipart(b"alternative", plain(b"Hello"), html(CODE)), CODE, id="after the text"),
        pytest.param(multipart(b"mixed", PHOTO, html(CODE)), CODE, id="after an image"),
        pytest.param(multipart(b"mixed", plain(b"x"), PHOTO, html(CODE)), CODE, id="second part"),
        pytest.param(
            multipart(b"alternative", plain(b"Hello"), html(style(60_000) + CODE)),
            style(60_000) + CODE,
            id="longer than the text",
        ),
        pytest.param(html(style(250_000)), style(250_000)[:200_000], id="too long"),
        pytest.param(
            multipart(b"mixed", plain(b"x"), part(b"text/html; name=a.html", CODE)), None, id="attached HTML"
        ),
    ],
)  # fmt: skip
async def test_source_of_the_html(content: bytes, source: bytes | None) -> None:
    """The source of the HTML text is returned, with at most 200,000 characters."""
    async with opened(mime(content)) as (client, _):
        found = await client.content("INBOX", 3, 7, text_size=200, html=True)
    assert found.html == (source and source.decode())
    assert found.truncated is (source is not None and len(source) == 200_000)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        pytest.param("1", "Hello", id="text"),
        pytest.param("2.1", "a,b\nc,d", id="CSV"),
        pytest.param("2.2", '{"a": "ü"}', id="JSON in base64"),
        pytest.param("2.3", "Your code is 123456", id="HTML"),
    ],
)
async def test_text_of_a_part(number: str, text: str) -> None:
    """Any part can be decoded as text, and HTML also as source."""
    files = multipart(
        b"mixed",
        part(b"text/csv; name=a.csv", b"a,b\r\nc,d\r\n"),
        in_base64(b"application/json", '{"a": "ü"}'.encode()),
        part(b"text/html; name=a.html", CODE),
        boundary=b"in",
    )
    async with opened(mime(multipart(b"mixed", plain(b"Hello"), files))) as (client, _):
        found = await client.content(
            "INBOX", 3, 7, text_size=200, html=True, part=number
        )
    assert found.text == text
    assert not found.truncated
    assert found.html == (CODE.decode() if number == "2.3" else None)


@pytest.mark.parametrize("number", ["3", "1.1", "2", "0", "x"])
async def test_no_such_part(number: str) -> None:
    """An unknown number, and that of a multipart, raise PartNotFound."""
    files = multipart(b"mixed", PHOTO, boundary=b"in")
    async with opened(mime(multipart(b"mixed", plain(b"x"), files))) as (client, _):
        with pytest.raises(PartNotFound):
            await client.content("INBOX", 3, 7, text_size=200, part=number)


@pytest.mark.parametrize("limit", [5, 200, 4_000])
async def test_length_of_the_text(limit: int) -> None:
    """The text has the requested length, and `truncated` is set if it is longer."""
    content = multipart(b"mixed", plain(b"x" * 100), picture(), plain(b"y" * 100))
    found, _ = await fetched(mime(content), limit)
    assert found.text == ("x" * 100 + "\n\n" + "y" * 100)[:limit]
    assert found.truncated is (limit < 202)
