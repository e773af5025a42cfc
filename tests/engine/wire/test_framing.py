"""The same bytes result in the same responses, however they are split into chunks."""

from collections.abc import Iterable, Iterator
import itertools
from typing import Final, SupportsIndex, override

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.imap_push.imap import ProtocolError, limits
from custom_components.imap_push.imap.wire import framing
from custom_components.imap_push.imap.wire.framing import (
    MAX_BEGINNING,
    Framed,
    Framer,
    Parts,
    literal_size,
)

LIMIT: Final = 2_000
SMALL_LIMITS: Final = {b"": LIMIT, b"FETCH": LIMIT + 1}

# Responses of Dovecot 2.3, and their parts.
CONVERSATION: Final[list[tuple[bytes, Parts]]] = [
    (
        b"* OK [CAPABILITY IMAP4rev1 IDLE LITERAL+ AUTH=PLAIN] Dovecot ready.\r\n",
        [b"* OK [CAPABILITY IMAP4rev1 IDLE LITERAL+ AUTH=PLAIN] Dovecot ready."],
    ),
    (b"A1 OK Logged in\r\n", [b"A1 OK Logged in"]),
    (b"+ idling\r\n", [b"+ idling"]),
    (b"* 7 EXISTS\r\n", [b"* 7 EXISTS"]),
    (
        b"* 7 FETCH (UID 7 BODY[HEADER.FIELDS (FROM)] {23}\r\n"
        b"From: a@example.com\r\n\r\n"
        b' BODYSTRUCTURE ("application" "d" NIL NIL NIL "7bit" 1 NIL'
        b' ("attachment" ("filename" {10}\r\n\xc3\x84rger.pdf)) NIL NIL))\r\n',
        [
            b"* 7 FETCH (UID 7 BODY[HEADER.FIELDS (FROM)] {23}",
            b"From: a@example.com\r\n\r\n",
            b' BODYSTRUCTURE ("application" "d" NIL NIL NIL "7bit" 1 NIL'
            b' ("attachment" ("filename" {10}',
            b"\xc3\x84rger.pdf",
            b")) NIL NIL))",
        ],
    ),
    (
        b"* 8 FETCH (UID 8 BODY[] {47}\r\n"
        b"A2 OK done\r\n* 9 EXISTS\r\nsize {5}\r\n+ \r\nA2 BAD\r\n\r)\r\n",
        [
            b"* 8 FETCH (UID 8 BODY[] {47}",
            b"A2 OK done\r\n* 9 EXISTS\r\nsize {5}\r\n+ \r\nA2 BAD\r\n\r",
            b")",
        ],
    ),
    (
        b"* 9 FETCH (BODY[] {0}\r\n UID 9 X {3+}\r\n{1} Y {2}\r\n\r\n)\r\n",
        [b"* 9 FETCH (BODY[] {0}", b"", b" UID 9 X {3+}", b"{1}", b" Y {2}", b"\r\n", b")"],
    ),
    (b"\r\n", [b""]),
    (b"* OK \rlone\n ends\r\n", [b"* OK \rlone\n ends"]),
    (b"A2 OK Fetch completed\r\n", [b"A2 OK Fetch completed"]),
]  # fmt: skip
WIRE: Final = b"".join(wire for wire, _ in CONVERSATION)
RESPONSES: Final = [parts for _, parts in CONVERSATION]


def feed_framed(framer: Framer, chunks: Iterable[bytes]) -> list[Framed]:
    """Return the responses in these chunks."""
    return [framed for chunk in chunks for framed in framer.feed(chunk)]


def feed(framer: Framer, chunks: Iterable[bytes]) -> list[Parts]:
    """Return the responses in these chunks; none of them may be cut."""
    responses = feed_framed(framer, chunks)
    assert not any(framed.is_cut for framed in responses)
    return [framed.parts for framed in responses]


def cut(wire: bytes, places: Iterable[int]) -> Iterator[bytes]:
    """Split octets at these positions."""
    for start, end in itertools.pairwise([0, *places, len(wire)]):
        yield wire[start:end]


def test_conversation_in_one_chunk() -> None:
    """All responses of a conversation in one chunk are returned."""
    assert feed(Framer(), [WIRE]) == RESPONSES


def test_conversation_in_two_chunks() -> None:
    """A conversation may be split at any position."""
    for place in range(len(WIRE) + 1):
        assert feed(Framer(), cut(WIRE, [place])) == RESPONSES, place


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_conversation_in_small_chunks(size: int) -> None:
    """A conversation may arrive in chunks of a few octets."""
    assert feed(Framer(), cut(WIRE, range(size, len(WIRE), size))) == RESPONSES


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(st.integers(0, len(WIRE))).map(sorted))
def test_conversation_in_random_chunks(places: list[int]) -> None:
    """A conversation may be split at any positions."""
    assert feed(Framer(), cut(WIRE, places)) == RESPONSES


@settings(max_examples=150, deadline=None, database=None)
@given(
    st.lists(st.sampled_from([b"{3}", b"{0}", b"\r", b"\n", b"\r\n", b"a}", b"{9+}"])),
    st.lists(st.integers(0, 100)).map(sorted),
)
def test_garbage_in_random_chunks(words: list[bytes], places: list[int]) -> None:
    """Even the result for invalid input does not depend on the chunks."""
    wire = b"".join(words)
    assert feed(Framer(), cut(wire, places)) == feed(Framer(), [wire])


def test_response_is_returned_with_its_last_octet() -> None:
    """A response is returned as soon as it is complete, and not earlier."""
    framer = Framer()
    for wire, parts in CONVERSATION:
        assert feed(framer, [wire[:-1]]) == []
        assert framer._buffer or framer._parts
        assert feed(framer, [wire[-1:]]) == [parts]
        assert not framer._buffer and not framer._parts


def test_iteration_that_stops_early_loses_nothing() -> None:
    """Responses after the one at which the caller stops iterating are kept."""
    framer = Framer()
    responses = framer.feed(b"* 1 EXISTS\r\n* 2 EXISTS\r\n* 3 EX")
    assert next(responses) == ([b"* 1 EXISTS"], False)
    del responses
    assert feed(framer, [b"ISTS\r\n"]) == [[b"* 2 EXISTS"], [b"* 3 EXISTS"]]


@pytest.mark.parametrize(
    ("line", "size"),
    [
        pytest.param(b"* 1 FETCH (BODY[] {12}", 12, id="literal"),
        pytest.param(b"x {0}", 0, id="empty"),
        pytest.param(b"x {12+}", 12, id="literal+"),
        pytest.param(b"BINARY[1] ~{12}", 12, id="literal8"),
        pytest.param(b"x {9999999999}", 9_999_999_999, id="huge"),
        pytest.param(b"x {12} ", None, id="not at the end"),
        pytest.param(b'x "{12}"', None, id="quoted"),
        pytest.param(b"x {12}\n", None, id="before a lone LF"),
        pytest.param(b"x {}", None, id="no number"),
        pytest.param(b"x {-1}", None, id="negative"),
        pytest.param(b"x {1 2}", None, id="two numbers"),
        pytest.param(b"x {12345678901}", None, id="absurd"),
        pytest.param("x {٣}".encode(), None, id="other digits"),
        pytest.param(b"}", None, id="brace alone"),
        pytest.param(b"", None, id="nothing"),
    ],
)
def test_announced_literal(line: bytes, size: int | None) -> None:
    """Only a size at the end of a line announces a literal."""
    assert literal_size(line) == size


HUGE: Final = b"x" * 3 * LIMIT


@pytest.mark.parametrize(
    ("wire", "beginning"),
    [
        pytest.param(b"* OK " + HUGE + b"\r\n", b"* OK " + HUGE, id="line"),
        pytest.param(b"A1 NO [" + HUGE + b"] no\r\n", b"A1 NO [" + HUGE, id="tagged"),
        pytest.param(
            b"* STATUS a {3000}\r\n" + HUGE + b" ()\r\n", b"* STATUS a {3000}", id="literal"
        ),
        pytest.param(
            b"* 5 FETCH (UID 7 X {9000}\r\n" + b"\r\n" * 4500 + b" Y {3}\r\nabc)\r\n",
            b"* 5 FETCH (UID 7 X {9000}",
            id="FETCH with a huge literal and a small one",
        ),
        pytest.param(
            b"* 5 FETCH (UID 7 X " + HUGE + b" Y {%d}\r\n" % len(HUGE) + HUGE + b")\r\n",
            b"* 5 FETCH (UID 7 X " + HUGE,
            id="FETCH with a huge line before a literal",
        ),
        pytest.param(
            b"* X" + b" {1}\r\nx" * 1_000 + b"\r\n", b"* X {1}", id="many literals"
        ),
        pytest.param(
            b"* X" + b" {0}\r\n" * 1_000 + b"\r\n", b"* X {0}", id="many empty literals"
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 5, 100_000], ids=lambda size: f"by {size}")
def test_response_beyond_its_limit(wire: bytes, beginning: bytes, size: int) -> None:
    """A response that is too large is cut and marked, others are whole, and memory is bounded."""
    framer = Framer(SMALL_LIMITS)
    stream = b"* 1 EXISTS\r\n" + wire + b"* 2 EXISTS\r\n"
    seen: list[Framed] = []
    for chunk in cut(stream, range(size, len(stream), size)):
        seen += framer.feed(chunk)
        assert len(framer._buffer) <= max(size, 4 * LIMIT)
    first, response, last = seen
    assert (first, last) == (([b"* 1 EXISTS"], False), ([b"* 2 EXISTS"], False))
    assert response == ([beginning[:MAX_BEGINNING]], True)
    assert not framer.holds_more


@pytest.mark.parametrize(
    ("beginning", "limit"),
    [
        pytest.param(b"* 1 FETCH (X {%d}", limits.MAX_FETCH, id="FETCH"),
        pytest.param(b"* 1 fetch (X {%d}", limits.MAX_FETCH, id="fetch"),
        pytest.param(b"* SEARCH {%d}", framing.MAX_SEARCH, id="SEARCH"),
        pytest.param(b"* ESEARCH {%d}", framing.MAX_SEARCH, id="ESEARCH"),
        pytest.param(b"* STATUS {%d}", framing.MAX_OTHER, id="STATUS"),
        pytest.param(b"* LIST {%d}", framing.MAX_OTHER, id="LIST"),
        pytest.param(b"* OK [PERMANENTFLAGS {%d}", framing.MAX_OTHER, id="OK"),
        pytest.param(b"* FLAGS {%d}", framing.MAX_OTHER, id="FLAGS"),
        pytest.param(b"* CAPABILITY {%d}", framing.MAX_OTHER, id="CAPABILITY"),
        pytest.param(b"* FETCHES {%d}", framing.MAX_OTHER, id="not FETCH"),
        pytest.param(b"A1 OK [COPYUID {%d}", framing.MAX_OTHER, id="tagged"),
        pytest.param(b"FETCH {%d}", framing.MAX_OTHER, id="not a response"),
    ],
)
def test_each_response_has_a_limit(beginning: bytes, limit: int) -> None:
    """A response of the maximum size is whole; with one more octet it is cut."""
    room = limit - len(beginning % limit) - 2 * framing.PART_OVERHEAD
    for size, is_cut in ((room - 1, False), (room, True)):
        wire = beginning % size + b"\r\n" + b"x" * size + b")\r\n"
        [response] = feed_framed(Framer(), cut(wire, range(16_384, len(wire), 16_384)))
        assert response.is_cut is is_cut


def test_response_that_never_ends() -> None:
    """A response of more than MAX_SKIPPED octets raises an error."""
    most = framing.MAX_SKIPPED
    chunk = b"x" * (most // 1_000)
    framer = Framer()
    feed(framer, [chunk] * 1_000)
    with pytest.raises(ProtocolError, match=f"more than {most} octets"):
        feed(framer, [chunk])
    with pytest.raises(ProtocolError, match=f"more than {most} octets"):
        feed(Framer(), [b"* 1 FETCH (X {%d}\r\n" % (most + 1)])


def test_line_at_the_limit_in_two_chunks() -> None:
    """A line of the maximum size is accepted, even if a chunk ends after its CR."""
    line = b"x" * LIMIT
    for place in range(LIMIT + 3):
        chunks = cut(line + b"\r\n", [place])
        assert feed(Framer(SMALL_LIMITS), chunks) == [[line]], place


def test_limit_applies_to_one_response() -> None:
    """Any number of responses within the limit is accepted."""
    wire = b"* X {400}\r\n" + b"x" * 400 + b"\r\n"
    assert len(feed(Framer(SMALL_LIMITS), [wire] * 100)) == 100


class CountingBuffer(bytearray):
    """A buffer that counts searched octets and deletions."""

    searched = 0
    cuts = 0

    @override
    def find(self, sub, start=None, end=None, /) -> int:  # type: ignore[no-untyped-def]
        """Search, and count the searched octets."""
        found = super().find(sub, start, end)
        self.searched += (found if found >= 0 else len(self)) - (start or 0)
        return found

    @override
    def __delitem__(self, key: SupportsIndex | slice, /) -> None:
        """Delete, and count the deletions."""
        self.cuts += 1
        super().__delitem__(key)


@pytest.mark.parametrize(
    ("wire", "size", "responses"),
    [
        pytest.param(b"* 1 EXISTS\r\n" * 10_000, 1_000_000, 10_000, id="10,000 lines"),
        pytest.param(b"* 1 EXISTS\r\n" * 10_000, 100, 10_000, id="lines in small chunks"),
        pytest.param(b"x" * 50_000 + b"\r\n", 1, 1, id="long line, one octet per chunk"),
        pytest.param(
            b"{50000}\r\n" + b"\r\n" * 25_000 + b"\r\n", 1, 1, id="literal, one octet per chunk"
        ),
        pytest.param(b"\r" * 50_000 + b"\r\n", 10, 1, id="only CR"),
        pytest.param(
            b"* 1 FETCH" + b"{1}\r\nx" * 10_000 + b")\r\n", 7, 1, id="many literals"
        ),
    ],
)  # fmt: skip
def test_work_is_linear(wire: bytes, size: int, responses: int) -> None:
    """Each octet is searched one time, and the buffer is shortened one time per chunk."""
    framer = Framer()
    framer._buffer = buffer = CountingBuffer()
    chunks = list(cut(wire, range(size, len(wire), size)))
    assert len(feed(framer, chunks)) == responses
    # A CR at the end of a chunk is searched again with the next chunk.
    assert buffer.searched <= len(wire) + 2 * len(chunks)
    assert buffer.cuts == len(chunks)


GREETING: Final = b"* OK ready"


@pytest.mark.parametrize("end", [b"\r\n", b"\r\r\n", b"\n", b"\r\r\r\n"], ids=ascii)
@pytest.mark.parametrize("size", [1, 3, 1_000], ids=lambda size: f"by {size}")
def test_line_ends(size: int, end: bytes) -> None:
    """CR CR LF and a bare LF end lines like CRLF, also before and after literals."""
    lines = [GREETING, b"* 1 EXISTS", b"+ idling", b"A1 OK done"]
    wire = end.join([*lines[:2], b"* 1 FETCH (UID 1 X {4}", b"a\r\nb Y {2}", b"\r\n)"])
    wire += end + end.join(lines[2:]) + end
    assert feed(Framer(), cut(wire, range(size, len(wire), size))) == [
        *([line] for line in lines[:2]),
        [b"* 1 FETCH (UID 1 X {4}", b"a\r\nb", b" Y {2}", b"\r\n", b")"],
        *([line] for line in lines[2:]),
    ]


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        pytest.param(b"* OK a\n* 1 EXISTS", [b"* OK a\n* 1 EXISTS"], id="in a text"),
        pytest.param(
            b'* LIST () "/" "a\nA1 OK b"', [b'* LIST () "/" "a\nA1 OK b"'], id="in a string"
        ),
        pytest.param(
            b"* 1 FETCH (X {4}\r\na\nb\n)", [b"* 1 FETCH (X {4}", b"a\nb\n", b")"], id="in a literal"
        ),
        pytest.param(b"* 1 FETCH (X {4}\n)", [b"* 1 FETCH (X {4}\n)"], id="after a size"),
    ],
)  # fmt: skip
def test_bare_lf_does_not_end_a_line(line: bytes, parts: Parts) -> None:
    """If the greeting ends with CRLF, a bare LF is text: it cannot smuggle in a response."""
    wire = GREETING + b"\r\n" + line + b"\r\n"
    assert feed(Framer(), [wire]) == [[GREETING], parts]


FETCH: Final = b'* 4 FETCH (UID 4 BODYSTRUCTURE ("a" "b" ("name" "'


@pytest.mark.parametrize(
    ("wire", "fetch"),
    [
        pytest.param(
            FETCH + b'x\r\n y.pdf") NIL))', [FETCH + b'x\r\n y.pdf") NIL))'], id="GreenMail#498"
        ),
        pytest.param(
            FETCH + b'x\r\n\r\ny\r\nz") NIL))', [FETCH + b'x\r\n\r\ny\r\nz") NIL))'],
            id="several line breaks",
        ),
        pytest.param(
            FETCH + b'x\r\ny") NIL) BODY[] {2}\r\nab)', [FETCH + b'x\r\ny") NIL) BODY[] {2}', b"ab", b")"],
            id="literal after the line break",
        ),
        pytest.param(
            FETCH + b'x (1)\r\n.pdf") NIL))', [FETCH + b"x (1)"], id="parenthesis before the line break"
        ),
        pytest.param(
            b"* 4 FETCH (UID 4 BODY[] {2}\r\nab\r\n FLAGS ())",
            [b"* 4 FETCH (UID 4 BODY[] {2}", b"ab", b"\r\n FLAGS ())"],
            id="empty line after a literal (imapclient#162)",
        ),
        pytest.param(
            b"* 4 FETCH (UID 4 BODY[] {2}\r\nabcd\r\n FLAGS ())",
            [b"* 4 FETCH (UID 4 BODY[] {2}", b"ab", b"cd\r\n FLAGS ())"],
            id="literal that is too short",
        ),
        pytest.param(
            b"* 4 FETCH (UID 4 BODY[] {2}\r\nab)\r\ncd\r\n\r\nef {3}\r\nabc)",
            [b"* 4 FETCH (UID 4 BODY[] {2}", b"ab", b")"],
            id="more text after the end",
        ),
        pytest.param(FETCH + b"x", [FETCH + b"x"], id="never closed"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "after", [b"* 5 EXISTS", b"A1 OK x", b"+ idling", b"[COPYUID 1 2 3]"]
)
@pytest.mark.parametrize("size", [1, 1_000], ids=lambda size: f"by {size}")
def test_line_break_in_a_fetch_response(
    wire: bytes, fetch: Parts, after: bytes, size: int
) -> None:
    """The response is read as far as possible, and the next ones are not affected."""
    wire = GREETING + b"\r\n" + wire + b"\r\n" + after + b"\r\nno response\r\n"
    responses = feed(Framer(), cut(wire, range(size, len(wire), size)))
    assert [parts for parts in responses if parts != [b""]] == [
        *([GREETING], fetch, [after], [b"no response"])
    ]


def test_fetch_response_with_many_lines() -> None:
    """Only the first lines are appended: each one copies what is there."""
    wire = b"* 4 FETCH (" + b"\r\nx" * 10_000 + b"\r\n* 5 EXISTS\r\n"
    first, *empty, last = feed(Framer(), [wire])
    assert len(first) == 1
    assert len(first[0]) < 300
    assert {len(parts[0]) for parts in empty} == {0}
    assert last == [b"* 5 EXISTS"]
