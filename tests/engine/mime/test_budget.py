"""The work for one message is limited, whatever its content is."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
import encodings
from itertools import count
from types import SimpleNamespace
from typing import Any, Final

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.imap_push.imap.mime import charset
from custom_components.imap_push.imap.mime.body_structure import (
    find_part,
    parse_structure,
)
from custom_components.imap_push.imap.mime.body_text import preferred_parts, text_parts
from custom_components.imap_push.imap.mime.budget import (
    MAX_CHARSETS,
    MAX_DECODED,
    MAX_TAGS,
    Budget,
)
from custom_components.imap_push.imap.mime.characters import visible
from custom_components.imap_push.imap.mime.header import (
    HEADER_FIELDS,
    parse_headers,
    parse_mail,
)
from custom_components.imap_push.imap.mime.html import text_of_html
from custom_components.imap_push.imap.mime.html_tokenizer import tokens
from custom_components.imap_push.imap.mime.preview import TextRequest
from custom_components.imap_push.imap.session.message_reader import read_message
from custom_components.imap_push.imap.wire.parser import Value

from ..calls import observed
from .test_body_text import readable, text_of
from .test_characters import CONTEXTUAL, HIDDEN

NUMBERS: Final = count()


def unknown(count: int) -> bytes:
    """Return blank encoded-words, each with a different unknown charset."""
    return b" ".join(b"=?x%d?q?_?=" % next(NUMBERS) for _ in range(count))


def known(count: int) -> bytes:
    """Return encoded-words with all known charsets."""
    labels = [label.encode() for label in charset._CODECS]
    return b" ".join(b"=?%b?q?=81?=" % labels[n % len(labels)] for n in range(count))


def with_names(parts: int, name: Callable[[], bytes], key: bytes = b"name") -> Value:
    """Return a BODYSTRUCTURE of text parts with these names."""
    part = (b"text", b"plain")
    rest = (None, None, b"7bit", b"3", b"1")
    return (*((*part, (key, name()), *rest) for _ in range(parts)), b"mixed")


@pytest.fixture
def work() -> Iterator[SimpleNamespace]:
    """Return counters of the work: decoded octets, charsets, tags."""
    counted = SimpleNamespace(octets=0, codecs=set(), tags=0)

    def count_octets(given: Mapping[str, Any]) -> None:
        counted.octets += len(given["octets"])

    def count_tag(_given: object) -> None:
        counted.tags += 1

    with observed(
        {
            Budget.decode_counted: count_octets,
            Budget.line_counted: count_octets,
            charset.decode: lambda given: counted.codecs.add(given["codec"]),
            Budget.spend_tag: count_tag,
        }
    ):
        yield counted


HEADER: Final = b"From: Ada <ada@example.com>\r\nSubject: Hello\r\n\r\n"
NAMES: Final = {
    "unknown charsets": lambda: unknown(400),
    "known charsets": lambda: known(400),
    "one long encoded-word": lambda: b"=?utf-8?q?" + b"_" * 5_980 + b"?=",
    "unclosed encoded-words": lambda: b"=?a?q?" * 990,
    "few encoded-words": lambda: unknown(3),
    "UTF-7": lambda: b"=?utf-7?q?+AA-?= " * 350,
    "plain": lambda: b"a" * 6_000,
}  # fmt: skip


@pytest.mark.parametrize("key", [b"name", b"name*", b"name*0*"], ids=bytes.decode)
@pytest.mark.parametrize("parts", [10, 200, 1_001])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_of_many_parts(
    name: Callable[[], bytes], parts: int, key: bytes, work: SimpleNamespace
) -> None:
    """A limited part of the names is decoded, after the header."""
    before = set(encodings._cache)
    structure = with_names(parts, name, key)
    found = parse_mail("INBOX", 1, 1, {"BODY": HEADER, "BODYSTRUCTURE": structure})
    assert (found.sender, found.sender_name) == ("ada@example.com", "Ada")
    assert found.subject == "Hello"
    assert 0 < work.octets <= MAX_DECODED
    assert len(work.codecs - {None}) <= MAX_CHARSETS
    new = {name for name in set(encodings._cache) - before if name.startswith("x")}
    assert not new
    assert found.truncated or (parts <= 1_000 and work.octets < MAX_DECODED)


def test_names_of_an_ordinary_message() -> None:
    """All names are decoded if there are not too many, in any charset."""
    names = iter([b"=?iso-8859-%d?q?a=41?=" % number for number in range(1, 9)])
    structure = with_names(8, lambda: next(names))
    found = parse_mail("INBOX", 1, 1, {"BODYSTRUCTURE": structure})
    assert [file.filename for file in found.attachments] == ["aA"] * 8
    assert not found.truncated


def test_too_many_charsets() -> None:
    """Text in further charsets is decoded as UTF-8, and `truncated` is set."""
    words = b" ".join(b"=?iso-8859-%d?q?=C3=A4?=" % n for n in range(2, 17))
    found = parse_mail("INBOX", 1, 1, {"BODY": b"Subject: %b\r\n" % words})
    assert found.subject.endswith("ä" * 3)
    assert found.truncated


HOSTILE: Final = [
    b"(", b",", b"a@b,", b"=?a?q?x?= ", b"=?a?q?", b"=?utf-7?q?+AA-?= ", b'"', b'\\"', b"<", b":", b"\n ", b"\n",
    b"a:\n", b"[", b"\xe2\x80\x8b", b"\xff", b"%41", b";", b"'",
]  # fmt: skip


@pytest.mark.parametrize("pattern", HOSTILE, ids=ascii)
def test_header_of_any_size(pattern: bytes, work: SimpleNamespace) -> None:
    """A limited part of each field is decoded."""
    text = pattern * (100_000 // len(pattern))
    fields = HEADER_FIELDS.encode().split()
    header = b"".join(b"%b: %b\r\n" % (name, text[:6_400]) for name in fields)
    parse_mail("INBOX", 1, 1, {"BODY": header})
    assert work.octets <= MAX_DECODED
    work.octets = 0
    parse_mail("INBOX", 1, 1, {"BODY": b"From: " + text})
    assert work.octets <= MAX_DECODED
    work.octets = 0
    parse_headers(header)
    parse_headers(b"A: " + text)
    assert work.octets <= 2 * 131_072


def test_text_among_many_parts(work: SimpleNamespace) -> None:
    """A text is found among many parts, without decoding their names."""
    structure = with_names(998, lambda: unknown(400))
    assert isinstance(structure, tuple)
    html = (b"text", b"html", (b"charset", b"utf-8"), None, None, b"7bit", b"3")
    budget = Budget()
    message = parse_structure((html, *structure), budget)
    assert message is not None
    assert [part.number for part in text_parts(message, budget)] == ["1"]
    assert [part.number for part in preferred_parts(message, budget)] == ["1"]
    assert work.octets == 0
    part = find_part(structure, "998")
    assert part is not None
    assert part.number == "998"
    assert find_part(structure, "999") is None


FLOODS: Final = [
    "<", "<b>", "<a ", "<a x>", "</b>", "<!--", "<!---->", "<!x>", "<?x>", "<![CDATA[]]>", "&", "&amp", "x", "-", ">",
    "<li>", "<p>", "<style>", "</style", "<textarea>", "<script><!--", '<a x=">', "<a x='", "x=1 ", "\u200b", "<svg/",
]  # fmt: skip


@pytest.mark.parametrize(
    "start", ["", "<a ", "<!--", "<style>", "<textarea>", '<a x="']
)
@pytest.mark.parametrize("flood", FLOODS)
def test_work_for_html_is_limited(
    start: str, flood: str, work: SimpleNamespace
) -> None:
    """The number of tags is limited, and each piece is small."""
    html = start + flood * (400_000 // len(flood))
    text_of_html(html, 100_000)
    assert work.tags <= MAX_TAGS + 1
    pieces = tokens(html)
    assert max(len(content) for _, content in pieces) <= 16_384


def test_rest_of_the_html_is_not_parsed(work: SimpleNamespace) -> None:
    """Parsing stops when the requested size is reached."""
    text, is_cut = text_of_html("<p>word</p>" * 50_000, 60)
    assert (len(text), is_cut) == (60, True)
    assert 0 < work.tags < 50


def test_html_with_too_many_tags(work: SimpleNamespace) -> None:
    """The text before the limit is returned; the limit is for all parts of a message."""
    html = "first" + "<b>" * 60_000
    body = f"--b\r\nContent-Type: text/html\r\n\r\n{html}\r\n".replace("first", "")
    assert text_of_html("first" + "<b>" * 200_000 + "last", 100) == ("first", True)
    work.tags = 0
    header = b"Content-Type: multipart/mixed; boundary=b\r\n"
    assert text_of(header, body.encode() * 5, 100) == ("", True)
    assert work.tags <= MAX_TAGS + 5


def test_decoding_in_pieces() -> None:
    """No call processes all of a large text, as it would block other threads."""
    pieces: list[int] = []
    with observed({visible: lambda given: pieces.append(len(given["text"]))}):
        for octets in (b"x" * 1_000_000, b"x y\n" * 250_000, b"\r\n" * 500_000 + b"x"):
            readable(octets, 1_000_000)
            readable(octets, 1_000_000, kind="html")
    assert max(pieces) <= 16_384


@pytest.mark.parametrize(
    ("items", "is_large"),
    [
        pytest.param({}, False, id="empty"),
        pytest.param({"BODY": HEADER, "FLAGS": (b"\\Seen",)}, False, id="ordinary"),
        pytest.param({"BODY": b"Subject: " + b"x" * 9_000}, True, id="header"),
        pytest.param(
            {"BODYSTRUCTURE": with_names(100, lambda: b"=?x?q??=")}, True, id="parts"
        ),
        pytest.param({"BODYSTRUCTURE": (b"x" * 9_000, b"y")}, True, id="type"),
        pytest.param({"BODY[TEXT]": b"x" * 9_000}, True, id="text"),
    ],
)
async def test_large_messages_do_not_block_the_event_loop(
    items: dict[str, Value], is_large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large messages, and only these, are parsed in a thread."""
    threads = 0

    async def to_thread[T](read: Callable[[], T]) -> T:
        nonlocal threads
        threads += 1
        return read()

    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    mail = await read_message("INBOX", 1, 7, items, TextRequest(100))
    assert mail.uid == 7
    assert threads == is_large


def texts_of(value: object) -> Iterator[str]:
    """Yield each text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from texts_of(item)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from texts_of(getattr(value, name))


ODD: Final = st.text(
    st.sampled_from([*map(chr, range(0xE0020, 0xE0030)), *CONTEXTUAL, *"\u202e\u200b\x9b\x1b\r\n\0\u3164@<>,a😀م=?"])
).map(str.encode)  # fmt: skip
VALUE: Final = (
    st.binary(max_size=20)
    | ODD
    | ODD.map(lambda octets: b"=?utf-8?b?" + octets.hex().encode() + b"?=")
)


@settings(max_examples=250, deadline=None, database=None)
@given(
    fields=st.lists(VALUE, min_size=13, max_size=13),
    flags=st.lists(VALUE).map(tuple),
    types=st.lists(VALUE, min_size=5, max_size=5),
    text=VALUE,
    is_html=st.booleans(),
)
def test_no_field_has_invisible_characters(
    fields: list[bytes],
    flags: tuple[bytes, ...],
    types: list[bytes],
    text: bytes,
    is_html: bool,
) -> None:
    """No text of a message has invisible characters."""
    names = HEADER_FIELDS.encode().split()
    header = b"\r\n".join(map(b": ".join, zip(names, fields, strict=True)))
    kind, subtype, name, other, disposition = types
    structure: Value = (
        (kind, subtype, (b"name", name), None, None, b"7bit", b"3", None, (disposition, None)),
        (b"a", b"b", (b"x", other, b"name*", other), None, None, b"7bit", b"3"),
        b"mixed",
    )  # fmt: skip
    items: dict[str, Value] = {
        "BODY": header,
        "FLAGS": flags,
        "BODYSTRUCTURE": structure,
    }
    mail = parse_mail("INBOX", 1, 1, items)
    lines = [*texts_of(mail), *texts_of(parse_headers(header))]
    for line in lines:
        assert not (HIDDEN - CONTEXTUAL | {"\t", "\n"}).intersection(line)
    for file in mail.attachments:
        assert file.content_type.isascii()
        assert file.content_type.isprintable()
    found, _ = readable(text, 100, kind="html" if is_html else "plain")
    assert not (HIDDEN - CONTEXTUAL).intersection(found)
