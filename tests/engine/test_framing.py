"""A byte stream cut into responses, however it arrives."""

import pytest

from custom_components.imap_push.imap import ProtocolError, framing
from custom_components.imap_push.imap.framing import Framer, Parts, literal_size

# A conversation as Dovecot has it, its literals full of what looks like responses.
CONVERSATION = (
    b"* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n"
    b"A1 OK in\r\n"
    b"* 1 FETCH (UID 7 BODY[HEADER] {31}\r\nSubject: a\r\n* 2 EXISTS\r\n{9}\r\n\r\n"
    b" BODY[TEXT] {0}\r\n"
    b" FLAGS ())\r\n"
    b"* LIST () {1+}\r\n/ {5}\r\na\r\nb\n\r\n"
    b"* OK a lone \r and a lone \n and {3} end no line\r\n"
    b"\r\n"
    b"+ idling\r\n"
    b"* 1 EXPUNGE\r\n"
)
RESPONSES: list[Parts] = [
    [b"* OK [CAPABILITY IMAP4rev1 IDLE] ready"],
    [b"A1 OK in"],
    [
        b"* 1 FETCH (UID 7 BODY[HEADER] {31}",
        b"Subject: a\r\n* 2 EXISTS\r\n{9}\r\n\r\n",
        b" BODY[TEXT] {0}",
        b"",
        b" FLAGS ())",
    ],
    [b"* LIST () {1+}", b"/", b" {5}", b"a\r\nb\n", b""],
    [b"* OK a lone \r and a lone \n and {3} end no line"],
    [b""],
    [b"+ idling"],
    [b"* 1 EXPUNGE"],
]


def frame(*chunks: bytes) -> list[Parts]:
    """Return the responses that the chunks hold."""
    framer = Framer()
    return [parts for chunk in chunks for parts in framer.feed(chunk)]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 10_000])
def test_chunks_of_any_size(size: int) -> None:
    """See the same responses whatever the size of the chunks."""
    starts = range(0, len(CONVERSATION), size)
    assert frame(*(CONVERSATION[at : at + size] for at in starts)) == RESPONSES


@pytest.mark.parametrize("at", range(len(CONVERSATION) + 1))
def test_split_anywhere(at: int) -> None:
    """See the same responses whichever octet a chunk ends with."""
    assert frame(CONVERSATION[:at], CONVERSATION[at:]) == RESPONSES


def test_response_is_told_as_soon_as_it_is_whole() -> None:
    """See nothing before the last octet of a response."""
    framer = Framer()
    told = [list(framer.feed(bytes([octet]))) for octet in b"* X {2}\r\nab y\r\n"]
    assert told == [*([[]] * 14), [[b"* X {2}", b"ab", b" y"]]]


def test_many_lines_in_one_chunk() -> None:
    """See each of 10,000 lines."""
    lines = [b"* %d EXISTS" % number for number in range(10_000)]
    assert frame(b"".join(line + b"\r\n" for line in lines)) == [[ln] for ln in lines]


def test_what_was_not_asked_for_stays() -> None:
    """See the rest of a chunk with the next one if the reader stopped in between."""
    framer = Framer()
    responses = framer.feed(b"* one\r\n* two\r\n* th")
    assert next(responses) == [b"* one"]
    responses.close()  # type: ignore[attr-defined]
    assert list(framer.feed(b"ree\r\n")) == [[b"* two"], [b"* three"]]


@pytest.mark.parametrize(
    ("line", "size"),
    [
        pytest.param(b"{0}", 0, id="empty"),
        pytest.param(b"* X {12}", 12, id="plain"),
        pytest.param(b"* X {12+}", 12, id="non-synchronizing"),
        pytest.param(b"* X ~{12}", 12, id="binary"),
        pytest.param(b"{9999999999}", 9_999_999_999, id="ten digits"),
        pytest.param(b"{99999999999}", None, id="eleven digits"),
        pytest.param(b"{12} ", None, id="not at the end"),
        pytest.param(b"{}", None, id="no number"),
        pytest.param(b"{-1}", None, id="negative"),
        pytest.param(b"{1++}", None, id="two pluses"),
        pytest.param(b"12}", None, id="not opened"),
        pytest.param(b"", None, id="empty line"),
    ],
)
def test_announced_literals(line: bytes, size: int | None) -> None:
    """See which lines announce a literal, and how large."""
    assert literal_size(line) == size


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([b"* " + b"x" * 200], id="line without end"),
        pytest.param([b"x" * 10] * 20, id="line without end, in pieces"),
        pytest.param([b"* " + b"x" * 200 + b"\r\n"], id="line"),
        pytest.param([b"* {101}\r\n"], id="literal announced"),
        pytest.param([b"* {9999999999}\r\n"], id="huge literal announced"),
        pytest.param([b"* {30}\r\n" + b"x" * 30, b" {30}\r\n"], id="literals together"),
        pytest.param([b"{0}\r\n" * 10], id="many empty literals"),
    ],
)
def test_size_limit(chunks: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """See an error for a response beyond the limit, and nothing after it."""
    monkeypatch.setattr(framing, "MAX_RESPONSE_SIZE", 100)
    framer = Framer()
    assert list(framer.feed(b"* 1 EXISTS\r\n")) == [[b"* 1 EXISTS"]]
    with pytest.raises(ProtocolError, match="more than 100 octets"):
        for chunk in chunks:
            assert not list(framer.feed(chunk))
    for chunk in (b"", b"\r\n* 2 EXISTS\r\n"):
        with pytest.raises(ProtocolError, match="more than 100 octets"):
            next(framer.feed(chunk))


def test_size_limit_is_for_one_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """See any number of responses within the limit."""
    monkeypatch.setattr(framing, "MAX_RESPONSE_SIZE", 100)
    responses = frame(b"* {5}\r\nabcde\r\n" * 1_000)
    assert responses == [[b"* {5}", b"abcde", b""]] * 1_000


def test_whole_responses_before_one_that_is_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """See what came before the error in the same chunk."""
    monkeypatch.setattr(framing, "MAX_RESPONSE_SIZE", 100)
    responses = Framer().feed(b"* 1 EXISTS\r\n" + b"x" * 200)
    assert next(responses) == [b"* 1 EXISTS"]
    with pytest.raises(ProtocolError):
        next(responses)
