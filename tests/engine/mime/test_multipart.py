"""The octets of a message are parsed into parts, like in a server; any octets are accepted."""

from collections.abc import Callable
from email.message import EmailMessage
import sys
from types import FrameType
from typing import TYPE_CHECKING

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.imap_push.imap.mime import multipart
from custom_components.imap_push.imap.mime.body_structure import parse_structure
from custom_components.imap_push.imap.mime.budget import Budget
from custom_components.imap_push.imap.mime.multipart import parse_message
from custom_components.imap_push.imap.mime.part import Part, roles

from .cases.build import delimited, part, plain
from .trees import MESSAGES, octets_of, outline, split, structure_of

if TYPE_CHECKING:
    from _typeshed import TraceFunction


def leaves(content: bytes, *, is_whole: bool = True) -> dict[str, bytes | None]:
    """Return the content of each part by its number."""
    message = parse_message(*split(content), Budget(), is_whole=is_whole)
    return {part.number: part.octets for part, _ in roles(message, Budget())}


def mixed(body: bytes, boundary: bytes = b"bb") -> bytes:
    """Return a message with this body."""
    return part(b'multipart/mixed; boundary="%b"' % boundary, body)


HELLO = plain(b"Hello")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        pytest.param(plain(b"Hello\r\n"), {"1": b"Hello\r\n"}, id="no multipart"),
        pytest.param(b"Subject: x\r\n\r\nHello", {"1": b"Hello"}, id="no MIME"),
        pytest.param(mixed(delimited(b"bb", HELLO, HELLO)), {"1": b"Hello", "2": b"Hello"}, id="two"),
        pytest.param(mixed(b"Preamble\r\n" + delimited(b"bb", HELLO) + b"Epilogue"), {"1": b"Hello"}, id="preamble and epilogue"),
        pytest.param(mixed(b"--bb \t\r\n" + HELLO + b"\r\n--bb-- "), {"1": b"Hello"}, id="blanks after it"),
        pytest.param(mixed(b"--bb x\r\n" + HELLO + b"\r\n--bb--x"), {"1": b"Hello"}, id="text after it"),
        pytest.param(mixed(b"--bb\n" + HELLO.replace(b"\r", b"") + b"\n--bb--"), {"1": b"Hello"}, id="lone LF"),
        pytest.param(mixed(b"--bb\r\n" + HELLO), {"1": b"Hello"}, id="no last delimiter"),
        pytest.param(mixed(b"--bb\r\n--bb\r\n" + HELLO + b"\r\n--bb--"), {"1": b"", "2": b"Hello"}, id="two delimiters in a row"),
        pytest.param(mixed(b"--bb\r\n\r\nHello\r\n--bb--"), {"1": b"Hello"}, id="no header"),
        pytest.param(mixed(b"--bb\r\nContent-Type: text/html"), {"1": b""}, id="cut within a header"),
        pytest.param(mixed(b"--bb\r\n" + plain(b"a\r\n--b\r\n--b b") + b"\r\n--bb--"), {"1": b"a\r\n--b\r\n--b b"}, id="other dashes"),
        pytest.param(mixed(b"--\r\n" + HELLO + b"\r\n----\r\n", b""), {"1": b"Hello"}, id="empty boundary"),
        pytest.param(mixed(b"Hello"), {"": None}, id="no delimiter"),
        pytest.param(part(b"multipart/mixed", b"--bb\r\n"), {"": None}, id="no boundary"),
        pytest.param(
            mixed(delimited(b"bb", part(b"multipart/mixed; boundary=bbb", delimited(b"bbb", HELLO, HELLO)), HELLO)),
            {"1.1": b"Hello", "1.2": b"Hello", "2": b"Hello"},
            id="inner boundary begins with the outer one",
        ),
        pytest.param(
            mixed(b"--bb\r\n" + part(b"multipart/mixed; boundary=in", b"--in\r\n" + HELLO) + b"\r\n--bb\r\n" + HELLO + b"\r\n--bb--"),
            {"1.1": b"Hello", "2": b"Hello"},
            id="outer delimiter ends the inner one",
        ),
        pytest.param(
            mixed(delimited(b"bb", part(b"message/rfc822", mixed(delimited(b"in", HELLO), b"in")), HELLO)),
            {"1": None, "2": b"Hello"},
            id="message within",
        ),
        pytest.param(
            mixed(delimited(b"bb", part(b"message/rfc822", mixed(delimited(b"bbb", HELLO), b"bbb")), HELLO)),
            {"1": None, "2": b"Hello"},
            id="boundary of a message within begins with the outer one",
        ),
    ],
)  # fmt: skip
def test_parts(content: bytes, parts: dict[str, bytes | None]) -> None:
    """Each part has its number and its content, without the line end before a delimiter."""
    assert leaves(content) == parts


def test_part_of_a_digest_is_a_message() -> None:
    """The default content type in a digest is message/rfc822 (RFC 2046 5.1.5)."""
    digest = part(
        b"multipart/digest; boundary=bb",
        delimited(b"bb", b"\r\nTo: b@c\r\n\r\nHi", HELLO),
    )
    message = parse_message(*split(digest), Budget(), is_whole=True)
    types = [part.content_type for part, _ in roles(message, Budget())]
    assert types == ["message/rfc822", "text/plain"]


@pytest.mark.parametrize("is_whole", [True, False])
def test_only_the_last_part_can_be_incomplete(is_whole: bool) -> None:
    """A part that a delimiter ends is complete even if the message is not."""
    content = mixed(b"--bb\r\n" + HELLO + b"\r\n--bb\r\n" + HELLO)
    message = parse_message(*split(content), Budget(), is_whole=is_whole)
    assert [part.is_whole for part, _ in roles(message, Budget())] == [True, is_whole]
    assert message.is_whole is is_whole


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"--bb\r\n\r\nx\r\n" * 1_000, id="parts"),
        pytest.param(b"--bb\r\n\r\n" + b"--x\r\n" * 10_000, id="lines like delimiters"),
    ],
)
def test_number_of_parts_is_limited(body: bytes) -> None:
    """Further parts are left out, and `truncated` is set."""
    budget = Budget()
    message = parse_message(*split(mixed(body)), budget, is_whole=True)
    assert len(message.children) <= multipart._MAX_PARTS
    assert budget.truncated


def test_depth_is_limited() -> None:
    """A thousand nested multiparts are parsed without recursion."""
    content = HELLO
    for level in range(1_000):
        boundary = b"b%dx" % level
        content = part(
            b"multipart/mixed; boundary=" + boundary, delimited(boundary, content)
        )
    message = parse_message(*split(content), Budget(), is_whole=True)
    assert depth_of(message) <= multipart._MAX_DEPTH + 1


def depth_of(root: Part) -> int:
    """Return the depth of the tree."""
    depth, level = 0, [root]
    while level:
        depth += 1
        level = [child for part in level for child in part.children]
    return depth


PIECES = st.sampled_from(
    [
        *(b"--", b"bb", b"--bb", b"--bb--", b"\r\n", b"\n", b"\r\n\r\n", b" ", b"x"),
        *(b"--bb\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n", b"--i"),
        *(
            b"Content-Type: multipart/digest; boundary=i\r\n\r\n",
            b"Content-",
            b'"',
            b";",
        ),
        b"Content-Type: message/rfc822\r\n\r\n",
    ]
)


@given(
    st.lists(st.one_of(PIECES, st.binary(max_size=8)), max_size=60).map(b"".join),
    st.booleans(),
)
@settings(deadline=None)
def test_any_octets_are_a_message(body: bytes, is_whole: bool) -> None:
    """Any octets are parsed, and the content of each part is contained in them."""
    message = parse_message(
        b"Content-Type: multipart/mixed; boundary=bb", body, Budget(), is_whole=is_whole
    )
    for leaf, _ in roles(message, Budget()):
        assert leaf.octets is None or leaf.octets in body


@given(MESSAGES)
@settings(deadline=None)
def test_octets_and_structure_have_the_same_parts(message: EmailMessage) -> None:
    """The parts of the octets have the same numbers, names and roles as those of BODYSTRUCTURE."""
    octets = octets_of(message)
    found = parse_message(*split(octets), Budget(1_000_000), is_whole=True)
    structure = parse_structure(structure_of(message), Budget(1_000_000))
    assert outline(found) == outline(structure)


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(b"--bb\r\n\r\nx\r\n", id="parts"),
        pytest.param(b"--x\r\n", id="dashes"),
        pytest.param(b"--bb", id="one line"),
        pytest.param(b"\r\n", id="blank lines"),
        pytest.param(
            b"--bb\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n",
            id="multiparts",
        ),
        pytest.param(b"--bb\r\nContent-Type: message/rfc822\r\n\r\n", id="messages"),
    ],
)
def test_work_is_linear(piece: bytes) -> None:
    """Twice the octets execute at most about twice the lines of code."""

    def lines(times: int) -> int:
        return lines_run(
            lambda: parse_message(*split(mixed(piece * times)), Budget(), is_whole=True)
        )

    assert lines(400) <= 2.5 * lines(200)


def lines_run(work: Callable[[], object]) -> int:
    """Return the number of executed lines of Python."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> TraceFunction:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count
