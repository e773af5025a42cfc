"""The text of messages with all kinds of parts, charsets and encodings, also malformed ones."""

from base64 import b64encode
from email.message import EmailMessage
import random

import pytest

from custom_components.imap_push.imap.mime import body_text
from custom_components.imap_push.imap.mime.body_text import MAX_TEXT_OCTETS
from custom_components.imap_push.imap.mime.budget import Budget
from custom_components.imap_push.imap.mime.multipart import parse_message
from custom_components.imap_push.imap.mime.part import Part

from tests.rig.mails import plain, with_attachment


def text_of(
    header: bytes, body: bytes, size: int, *, is_whole: bool = True
) -> tuple[str, bool]:
    """Return the text of a message, and whether it was shortened."""
    budget = Budget()
    message = parse_message(header, body, budget, is_whole=is_whole)
    found = body_text.text_of(message, size, budget)
    return found.text, found.is_cut


def readable(
    octets: bytes,
    size: int,
    *,
    charset: str = "",
    encoding: str = "",
    kind: str = "plain",
) -> tuple[str, bool]:
    """Return the text of a part, and whether it was shortened."""
    parameters = (b"charset", charset.encode())
    part = Part(
        number="1",
        content_type=f"text/{kind}",
        parameters=parameters,
        encoding=encoding,
        octets=octets,
        is_whole=True,
    )
    found = body_text.text_of_part(part, size, Budget(), links=False)
    return found.text, found.is_cut


def split(mail: EmailMessage) -> tuple[bytes, bytes]:
    """Return header and body as a server sends them."""
    header, _, body = mail.as_bytes().replace(b"\n", b"\r\n").partition(b"\r\n\r\n")
    return header + b"\r\n\r\n", body


def alternative(text: str, html: str) -> EmailMessage:
    """Return a mail with text and HTML."""
    mail = plain("both", text=text)
    mail.add_alternative(html, subtype="html")
    return mail


def html_only(html: str) -> EmailMessage:
    """Return a message in HTML."""
    mail = plain("html")
    mail.set_content(html, subtype="html")
    return mail


def with_attached_text() -> EmailMessage:
    """Return a mail whose first part is a text file."""
    mail = EmailMessage()
    mail.make_mixed()
    mail.add_attachment("not this", filename="note.txt")
    inner = EmailMessage()
    inner.set_content("this")
    mail.attach(inner)
    return mail


def forwarded() -> EmailMessage:
    """Return a message that has only an embedded message."""
    mail = EmailMessage()
    mail.make_mixed()
    mail.add_attachment(plain("inner"))
    return mail


@pytest.mark.parametrize(
    ("mail", "text"),
    [
        pytest.param(plain("a", text="Hello.\n"), "Hello.", id="plain"),
        pytest.param(plain("a", text="Grüße\n"), "Grüße", id="UTF-8"),
        pytest.param(alternative("text", "<p>html"), "text", id="both: text"),
        pytest.param(alternative(" ", "<p>html"), "html", id="both, no text: HTML"),
        pytest.param(html_only("<p>one<p>two"), "one\n\ntwo", id="HTML"),
        pytest.param(with_attachment("a", 9), "Hello.", id="with a file"),
        pytest.param(with_attached_text(), "this", id="text file first"),
        pytest.param(forwarded(), "", id="forwarded as a file"),
    ],
)
def test_text_of_a_mail(mail: EmailMessage, text: str) -> None:
    """The text that a mail program displays is returned."""
    assert text_of(*split(mail), 1000) == (text, False)


@pytest.mark.parametrize(
    ("charset", "octets", "text"),
    [
        ("utf-8", b"\xc3\xa9", "é"),
        ("", b"\xc3\xa9", "é"),
        ("", b"\xe9 \x80", "é €"),
        ("us-ascii", b"\xc3\xa9", "é"),
        ("iso-8859-1", b"\xe9", "é"),
        ("no-such-charset", b"\xc3\xa9", "é"),
        ("shift_jis", "日本".encode("shift_jis"), "日本"),
        ("utf-8", "ä".encode() + b"\xff", "ä\ufffd"),
        ("base64", b"YQ==", "YQ=="),
        ("punycode", b"abc-", "abc-"),
        ("utf-7", b"+2AA-", "?"),
        ("x\0y", b"a\0b\x1b[0m", "ab[0m"),
    ],
)
def test_charsets(charset: str, octets: bytes, text: str) -> None:
    """The declared charset is used, or a better one if it is wrong."""
    assert readable(octets, 100, charset=charset) == (text, False)


@pytest.mark.parametrize(
    ("encoding", "octets", "text"),
    [
        ("7bit", b"a=20b", "a=20b"),
        ("quoted-printable", b"a=20b=\r\nc=C3=A9", "a bcé"),
        ("quoted-printable", b"a=zz=", "a=zz"),
        ("base64", b"aGVs\r\nbG8=", "hello"),
        ("base64", b"aGVsbG8", "hello"),
        ("base64", b"aGVsb", "hel"),
        ("base64", b"===", ""),
        ("", b"a\r\nb\rc", "a\nb\nc"),
    ],
)
def test_encodings(encoding: str, octets: bytes, text: str) -> None:
    """Transfer encodings are decoded, also malformed ones."""
    assert readable(octets, 100, encoding=encoding)[0].startswith(text)


def test_long_text_is_shortened() -> None:
    """The requested number of characters is returned, and `is_cut` is set."""
    assert text_of(*split(plain("a", text="x" * 50)), 10) == ("x" * 10, True)


def test_beginning_of_a_mail() -> None:
    """A text that ends within the fetched octets is complete; others end with a whole character."""
    header, body = split(with_attachment("a", 5000))
    assert text_of(header, body[:2000], 1000, is_whole=False) == ("Hello.", False)
    header = b"Content-Type: text/plain; charset=utf-8\r\n"
    assert text_of(header, "ééé".encode()[:5], 1000, is_whole=False) == ("éé", True)
    assert text_of(header, b"", 1000, is_whole=False) == ("", True)
    whole = b"x" * (MAX_TEXT_OCTETS + 1)
    assert readable(whole, 10**9) == ("x" * MAX_TEXT_OCTETS, True)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("a\u200bb\u202e c\U000e0041\x9b", "ab c"),
        ("\ufeff \u200b\n a", "a"),
        ("a\r\nb\rc\u2028d\x85e", "a\nb\nc\nd\ne"),
        ("می\u200cخواهم 👩\u200d💻", "می\u200cخواهم 👩\u200d💻"),
        ("\u3164\u115f", ""),
        ("x" * 20_000 + "\u200b\n" + "y" * 20_000, "x" * 20_000 + "\n" + "y" * 20_000),
        ("👩\u200d💻\n" * 9_000, "\n".join(["👩\u200d💻"] * 9_000)),
        ("a\r\n" * 20_000, "\n".join("a" * 20_000)),
    ],
    ids=ascii,
)
def test_invisible_characters_are_removed(octets: str, text: str) -> None:
    """Plain text of any length has no invisible characters."""
    assert readable(octets.encode(), 100_000, charset="utf-8") == (text, False)


def test_invisible_characters_do_not_count() -> None:
    """The size limits visible characters, and `is_cut` is set only if visible text is missing."""
    octets = ("a" + "\u200b" * 9).encode() * 5_000
    assert readable(octets, 5_000) == ("a" * 5_000, False)
    assert readable(octets, 4_999) == ("a" * 4_999, True)
    assert readable(octets, 5_000, kind="html") == ("a" * 5_000, False)
    assert readable(octets, 4_999, kind="html") == ("a" * 4_999, True)


MIXED = b"Content-Type: multipart/mixed; boundary=%b\r\n"


@pytest.mark.parametrize(
    ("header", "body", "text"),
    [
        pytest.param(MIXED % b"b", b"not this\r\n--b\r\n\r\nthis\r\n--b--\r\nnor this", "this", id="preamble"),
        pytest.param(MIXED % b"b", b"--b\n\nthis", "this", id="LF, no end"),
        pytest.param(MIXED % b"b", b"--b\r\n--b\r\n\r\nthis\r\n--b--", "this", id="empty part first"),
        pytest.param(MIXED % b"b", b"--b \t\r\n\r\nthis\r\n--b b\r\n--b", "this", id="text after a delimiter"),
        pytest.param(MIXED % b"b", b"--b\r\n\r\na --b\r\n -- b\r\n--b--", "a --b\n -- b", id="not at the start of a line"),
        pytest.param(MIXED % b'"b;=c"', b"--b;=c\r\n\r\nthis", "this", id="quoted boundary"),
        pytest.param(MIXED % b'"b\\"c"', b'--b"c\r\n\r\nthis', "this", id="escaped quote"),
        pytest.param(MIXED % b"b ; charset=x", b"--b\r\n\r\nthis", "this", id="space after the boundary"),
        pytest.param(
            MIXED.replace(b"boundary=%b", b"boundary*0=b; boundary*1=c"), b"--bc\r\n\r\nthis", "this", id="RFC 2231"
        ),
        pytest.param(b"Content-Type: nonsense\r\n", b"this", "this", id="broken type"),
        pytest.param(b"Content-Type: text/plain;\r\n charset=latin1\r\n", b"\xe9", "é", id="folded"),
        pytest.param(b"Content-type : TEXT/HTML ; charset = \"utf-8\"\r\n", b"<p>\xc3\xa9", "é", id="spaces"),
        pytest.param(b"Content-Type: text/html\r\nContent-Type: text/plain\r\n", b"<p>a", "a", id="two types"),
        pytest.param(
            MIXED % b"b",
            b"--b\r\nContent-Disposition: ATTACHMENT; filename=x\r\n\r\nno\r\n--b\r\n\r\nthis",
            "this",
            id="attachment",
        ),
        pytest.param(b"Subject: x\r\n" * 2_000 + b"Content-Type: text/html\r\n", b"<p>a", "a", id="long header"),
    ],
)  # fmt: skip
def test_mime_fields(header: bytes, body: bytes, text: str) -> None:
    """Parts are found and decoded according to their MIME fields."""
    assert text_of(header, body, 1000) == (text, False)


def test_text_after_too_many_parts() -> None:
    """The text is not found, and `is_cut` is set."""
    body = b"--b\r\nContent-Type: a/b\r\n\r\nno\r\n" * 300 + b"--b\r\n\r\ntext"
    assert text_of(MIXED % b"b", body, 1000) == ("", True)


HOSTILE = {
    "nested multiparts": (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
        b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" * 10_000,
    ),
    "many parts": (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
        b"--b\r\n\r\n" * 50_000,
    ),
    "a megabyte of parts": (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
        b"\n--b\n" * 200_000,
    ),
    "a megabyte of multiparts": (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
        b"\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n" * 18_000,
    ),
    "boundary that is a lone surrogate": (
        b"Content-Type: multipart/mixed; boundary*=utf-7''%2B2AA-\r\n\r\n",
        b"x",
    ),
    "no boundary": (b"Content-Type: multipart/mixed\r\n\r\n", b"x"),
    "parameters": (b'Content-Type: text/plain; charset="' + b'\\";' * 9000, b"x"),
    "RFC 2231": (b"Content-Type: text/plain; charset*0*=a'b'%ff; charset*x=", b"x"),
    "tags": (b"Content-Type: text/html\r\n\r\n", b"<" * 300_000),
    "comments": (b"Content-Type: text/html\r\n\r\n", b"<!--" * 100_000),
    "attributes": (b"Content-Type: text/html\r\n\r\n", b"<a " + b'a="' * 100_000),
    "declarations": (b"Content-Type: text/html\r\n\r\n", b"<![" * 100_000),
    "entities": (b"Content-Type: text/html\r\n\r\n", b"&#x" * 100_000),
    "unclosed scripts": (b"Content-Type: text/html\r\n\r\n", b"<script></scrip" * 9999),
    "spaces": (b"Content-Type: text/html\r\n\r\n", b" \n\t" * 100_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail(name: str) -> None:
    """A malicious message is processed quickly, with limited text."""
    text, _ = text_of(*HOSTILE[name], 1000)
    assert len(text) <= 1000


def test_any_octets() -> None:
    """No octets raise."""
    source = random.Random(1)
    header, body = split(alternative("text é", "<p>html"))
    for _ in range(300):
        mixed = bytearray(header + body)
        for _ in range(source.randrange(1, 20)):
            mixed[source.randrange(len(mixed))] = source.randrange(256)
        cut = source.randrange(len(mixed))
        text_of(bytes(mixed[: len(header)]), bytes(mixed[len(header) : cut]), 100)
    noise = source.randbytes(3000)
    for encoding in ("base64", "quoted-printable", "8bit"):
        for charset in ("utf-16", "hz", "iso2022_kr", "gb18030", "unicode_escape"):
            readable(noise, 100, charset=charset, encoding=encoding)
        readable(noise, 9, encoding=encoding, charset=b64encode(noise).decode())
