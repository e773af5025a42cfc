"""Parsing of responses into objects."""

import contextlib
from datetime import datetime
from typing import Final

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.imap_push.imap import ProtocolError
from custom_components.imap_push.imap.wire.fetch_response import parse_fetch
from custom_components.imap_push.imap.wire.folder_responses import parse_status
from custom_components.imap_push.imap.wire.framing import Framer, Parts
from custom_components.imap_push.imap.wire.parser import (
    MAX_TOKENS,
    Continuation,
    Cut,
    Data,
    Response,
    Status,
    Value,
    parse_internal_date,
    parse_number,
    parse_response,
    parse_search,
    parse_search_count,
    parse_strings,
    parse_values,
)

# With a line of this length, quadratic work would take hours.
LONG: Final = 200_000

# Tokens of IMAP, for invalid input that is similar to it.
WORDS: Final = st.sampled_from(
    [
        b" ", b"(", b")", b'"', b"\\", b"\r", b"\n", b"NIL", b"{3}", b"{0+}", b"BODY[", b"]",
        b"<0>", b"UID", b"* ", b"1", b"OK", b"[", b"\xff", b"\0", b"FETCH", b"+", b"COUNT",
    ]
)  # fmt: skip
OCTETS: Final = st.binary(max_size=40) | st.lists(WORDS, max_size=30).map(b"".join)
PARTS: Final = st.lists(OCTETS, min_size=1, max_size=5)


def receive(wire: bytes) -> Response:
    """Return the only response in these octets."""
    wire = b"* OK greeting\r\n" + wire + b"* OK next\r\n"
    _, (parts, is_cut), _ = Framer().feed(wire)
    return parse_response(parts, is_cut=is_cut)


def data(wire: bytes) -> Data:
    """Return the only response in these octets, which must be untagged data."""
    response = receive(wire)
    assert isinstance(response, Data)
    return response


@pytest.mark.parametrize(
    ("line", "status"),
    [
        pytest.param(b"A1 OK Done", Status(b"A1", "OK", None, b"", "Done"), id="tagged"),
        pytest.param(b"A1 ok", Status(b"A1", "OK", None, b"", ""), id="no text"),
        pytest.param(b"A1 OK ", Status(b"A1", "OK", None, b"", ""), id="empty text"),
        pytest.param(
            b"A1 NO [AUTHENTICATIONFAILED] Invalid credentials",
            Status(b"A1", "NO", "AUTHENTICATIONFAILED", b"", "Invalid credentials"),
            id="code",
        ),
        pytest.param(
            b"A1 NO [LIMIT]", Status(b"A1", "NO", "LIMIT", b"", ""), id="code alone"
        ),
        pytest.param(
            b"A1 BAD [badcharset (UTF-8 US-ASCII)] no",
            Status(b"A1", "BAD", "BADCHARSET", b"(UTF-8 US-ASCII)", "no"),
            id="code in lower case with a list",
        ),
        pytest.param(
            b"* OK [UIDVALIDITY 1795427923] UIDs valid",
            Status(None, "OK", "UIDVALIDITY", b"1795427923", "UIDs valid"),
            id="code with a number",
        ),
        pytest.param(
            b"* OK [CAPABILITY IMAP4rev1 IDLE] ready",
            Status(None, "OK", "CAPABILITY", b"IMAP4rev1 IDLE", "ready"),
            id="capabilities in the greeting",
        ),
        pytest.param(
            b"* OK [PERMANENTFLAGS (\\Deleted \\*)]Limited",
            Status(None, "OK", "PERMANENTFLAGS", b"(\\Deleted \\*)", "Limited"),
            id="no space after the code",
        ),
        pytest.param(
            b"* PREAUTH welcome", Status(None, "PREAUTH", None, b"", "welcome"), id="preauth"
        ),
        pytest.param(
            b"* BYE * * gone * *", Status(None, "BYE", None, b"", "* * gone * *"), id="stars"
        ),
        pytest.param(
            b"* NO [not a code", Status(None, "NO", None, b"", "[not a code"), id="open code"
        ),
        pytest.param(
            b"A1 NO [a_b] x", Status(b"A1", "NO", None, b"", "[a_b] x"), id="no code's name"
        ),
        pytest.param(
            b"A1 OK \xc3\xa4\xff", Status(b"A1", "OK", None, b"", "ä\ufffd"), id="8-bit text"
        ),
        pytest.param(b"A1  OK", Status(b"A1", "OK", None, b"", ""), id="two spaces"),
        pytest.param(b"A1 \tNO\t x ", Status(b"A1", "NO", None, b"", "x "), id="tabs"),
        pytest.param(b"*  BYE  [ALERT]  x", Status(None, "BYE", "ALERT", b"", "x"), id="spaces"),
        pytest.param(b"* OK[UIDNEXT 5]x", Status(None, "OK", "UIDNEXT", b"5", "x"), id="no space before the code"),
        pytest.param(
            b"* OK [PERMANENTFLAGS (\\Answered OIB-Seen-[Gmail]/Important \\Seen)] Flags [x] permitted",
            Status(
                None, "OK", "PERMANENTFLAGS", b"(\\Answered OIB-Seen-[Gmail]/Important \\Seen)",
                "Flags [x] permitted",
            ),
            id="keyword with brackets (rust-imap#106)",
        ),
        pytest.param(
            b"* OK [PERMANENTFLAGS ([css3-page] a] [b \\*) ]",
            Status(None, "OK", "PERMANENTFLAGS", b"([css3-page] a] [b \\*)", ""),
            id="keywords with single brackets (emailjs-imap-handler#6)",
        ),
        pytest.param(
            b"* OK [PERMANENTFLAGS (a(b c)d \\*)] x)]",
            Status(None, "OK", "PERMANENTFLAGS", b"(a(b c)d \\*)", "x)]"),
            id="keywords with parentheses",
        ),
        pytest.param(
            b"* OK [PERMANENTFLAGS \\Seen [css3-page] \\*] x]",
            Status(None, "OK", "PERMANENTFLAGS", b"\\Seen [css3-page] \\*", "x]"),
            id="keyword with brackets without a list",
        ),
        pytest.param(
            b'A1 NO [BADCHARSET ("a]b" UTF-8)] x', Status(b"A1", "NO", "BADCHARSET", b'("a]b" UTF-8)', "x"),
            id="quoted bracket in a list",
        ),
        pytest.param(
            b'A1 NO [BADURL "a\\"]b"] x', Status(b"A1", "NO", "BADURL", b'"a\\"]b"', "x"),
            id="quoted bracket",
        ),
        pytest.param(b'A1 NO [X "a] b', Status(b"A1", "NO", "X", b'"a', "b"), id="single quote"),
        pytest.param(
            b"A1 NO [REFERRAL imap://[::1]:143/a] b", Status(b"A1", "NO", "REFERRAL", b"imap://[::1]:143/a", "b"),
            id="brackets in a URL",
        ),
        pytest.param(
            b"A1 OK [COPYUID 9 2:3 10:11] moved [2]", Status(b"A1", "OK", "COPYUID", b"9 2:3 10:11", "moved [2]"),
            id="brackets in the text",
        ),
        pytest.param(
            b"* OK [CAPABILITY IMAP4rev1 IDLE", Status(None, "OK", None, b"", "[CAPABILITY IMAP4rev1 IDLE"),
            id="code that is not closed",
        ),
        pytest.param(
            b"* OK [CAPABILITY IMAP4rev1 ready [host]",
            Status(None, "OK", None, b"", "[CAPABILITY IMAP4rev1 ready [host]"),
            id="code that is not closed before a bracket",
        ),
        pytest.param(
            b"[COPYUID 9 2:3 10:11]", Status(None, "OK", "COPYUID", b"9 2:3 10:11", ""),
            id="code alone (net-imap#250)",
        ),
        pytest.param(
            b"* [COPYUID 9 2:3 10:11] done", Status(None, "OK", "COPYUID", b"9 2:3 10:11", "done"),
            id="code without a status (MailKit#115)",
        ),
        pytest.param(b"*  [copyuid 9 2 3]", Status(None, "OK", "COPYUID", b"9 2 3", ""), id="code in lower case alone"),
        pytest.param(b"[READ-ONLY]", Status(None, "OK", "READ-ONLY", b"", ""), id="code alone, no arguments"),
        pytest.param(
            b"A1 OK one\ntwo", Status(b"A1", "OK", None, b"", "one\ntwo"), id="lone LF"
        ),
    ],
)  # fmt: skip
def test_status(line: bytes, status: Status) -> None:
    """Status, code and text of tagged and untagged status responses."""
    assert receive(line + b"\r\n") == status


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        pytest.param(b"* 23 EXISTS", Data("EXISTS", 23, [b""]), id="number"),
        pytest.param(b"* 0 exists", Data("EXISTS", 0, [b""]), id="lower case"),
        pytest.param(
            b"* VANISHED (EARLIER) 1:5", Data("VANISHED", None, [b"(EARLIER) 1:5"]), id="no number"
        ),
        pytest.param(
            b"* CAPABILITY IMAP4rev1 IDLE",
            Data("CAPABILITY", None, [b"IMAP4rev1 IDLE"]),
            id="capabilities",
        ),
        pytest.param(b"* SEARCH", Data("SEARCH", None, [b""]), id="nothing found"),
        pytest.param(
            b'* LIST () "/" {5}\r\na * b', Data("LIST", None, [b'() "/" {5}', b"a * b", b""]), id="literal"
        ),
        pytest.param(b"* OKAY then", Data("OKAY", None, [b"then"]), id="not quite a status"),
        pytest.param(b"* 5", Data("", 5, [b""]), id="number alone"),
        pytest.param(b"* ", Data("", None, [b""]), id="star alone"),
        pytest.param(
            b"* 12345678901 EXISTS", Data("12345678901", None, [b"EXISTS"]), id="huge number"
        ),
        pytest.param(
            b"* 9999999999 EXISTS", Data("EXISTS", 9_999_999_999, [b""]), id="large number"
        ),
        pytest.param(b"* \xff x", Data("\ufffd", None, [b"x"]), id="no ASCII"),
        pytest.param(b"*  522 EXISTS", Data("EXISTS", 522, [b""]), id="DavMail#41"),
        pytest.param(b"* 1  FETCH  ( UID 7 )", Data("FETCH", 1, [b"( UID 7 )"]), id="spaces"),
        pytest.param(b"*\t1 \tFETCH\t(UID 7)", Data("FETCH", 1, [b"(UID 7)"]), id="tabs"),
        pytest.param(b"* 1 FETCH(UID 7)", Data("FETCH", 1, [b"(UID 7)"]), id="no space before the list"),
        pytest.param(b"*  SEARCH  1", Data("SEARCH", None, [b"1"]), id="spaces, no number"),
        pytest.param(b"* 5 ", Data("", 5, [b""]), id="number and a space"),
        pytest.param(b"* [x y", Data("[X", None, [b"y"]), id="code that is not closed"),
        pytest.param(b"* [1] x", Data("[1]", None, [b"x"]), id="not a code"),
        pytest.param(b"+ idling", Continuation(b"idling"), id="continuation"),
        pytest.param(b"+", Continuation(b""), id="bare continuation"),
        pytest.param(b"+ ", Continuation(b""), id="empty continuation"),
        pytest.param(b"+ eyJzdGF0dXMi", Continuation(b"eyJzdGF0dXMi"), id="challenge"),
    ],
)  # fmt: skip
def test_untagged_data_and_continuation(wire: bytes, expected: Response) -> None:
    """Untagged data and continuation requests."""
    assert receive(wire + b"\r\n") == expected


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"*", id="star without its space"),
        pytest.param(b"*1 EXISTS", id="no space after the star"),
        pytest.param(b" * 1 EXISTS", id="leading space"),
        pytest.param(b"A1", id="tag alone"),
        pytest.param(b"A1 ", id="tag and a space"),
        pytest.param(b"A1 DONE", id="no status"),
        pytest.param(b"A1 OKAY", id="not quite a status"),
        pytest.param(b"A-1 OK", id="not a tag of ours"),
        pytest.param(b"HTTP/1.1 400 Bad Request", id="HTTP"),
        pytest.param(b"220 mail.example.com ESMTP", id="SMTP"),
        pytest.param(b"-ERR", id="POP3"),
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x16", id="TLS alert"),
        pytest.param(b"\xff\xfe\0" * 50, id="binary"),
        pytest.param(b"[1] x", id="not a code"),
        pytest.param(b"[COPYUID 9 2", id="code that is not closed"),
        pytest.param(b"Your IP address is blocked", id="text"),
    ],
)
def test_not_imap(line: bytes) -> None:
    """Invalid input raises ProtocolError, whose text does not contain the input."""
    with pytest.raises(ProtocolError, match="not an IMAP response") as caught:
        parse_response([line])
    assert len(str(caught.value)) < 400


@settings(max_examples=300, deadline=None, database=None)
@given(PARTS)
def test_any_octets_are_a_response_or_a_protocol_error(parts: Parts) -> None:
    """No input raises another exception, also when its items are parsed."""
    try:
        response = parse_response(parts)
    except ProtocolError:
        return
    if isinstance(response, Data):
        for value in parse_fetch(response).items.values():
            parse_number(value)
            parse_strings(value)
            parse_internal_date(value)
        assert parse_search_count(response) >= 0


@pytest.mark.parametrize(
    ("wire", "values"),
    [
        pytest.param(b"", (), id="nothing"),
        pytest.param(b"a 1 \\Seen", (b"a", b"1", b"\\Seen"), id="atoms"),
        pytest.param(b"  a   b  ", (b"a", b"b"), id="spaces"),
        pytest.param(b"(a (b) ())(c)", ((b"a", (b"b",), ()), (b"c",)), id="lists"),
        pytest.param(b'NIL nil "NIL" ""', (None, None, b"NIL", b""), id="NIL and strings"),
        pytest.param(b"{3}\r\nNIL {0}\r\n", (b"NIL", b""), id="NIL and literals"),
        pytest.param(b"NILS", (b"NILS",), id="more than NIL"),
        pytest.param(b'"a ) ( b" c', (b"a ) ( b", b"c"), id="parentheses in a string"),
        pytest.param(b'("* 1 EXISTS" * x)', ((b"* 1 EXISTS", b"*", b"x"),), id="stars"),
        pytest.param(b'"a \\"b\\" \\\\" c', (b'a "b" \\', b"c"), id="escapes"),
        pytest.param(b'"a\\\nb" c', (b"a\nb", b"c"), id="escaped lone LF"),
        pytest.param(b'"{3}" {3', (b"{3}", b"{3"), id="what looks like a literal"),
        pytest.param(
            b"(a {5}\r\nb\r\n)( c ({2+}\r\n({) d)", ((b"a", b"b\r\n)(", b"c", (b"({",), b"d"),), id="literals in lists"
        ),
        pytest.param(b"BODY[] x", (b"BODY[]", b"x"), id="whole body"),
        pytest.param(b"BODY[1.2]<0> x", (b"BODY[1.2]<0>", b"x"), id="partial"),
        pytest.param(
            b'body[header.fields ("From" "To")] x', (b'body[header.fields ("From" "To")]', b"x"), id="section"
        ),
        pytest.param(b"BODY[TEXT x (y)", (b"BODY[TEXT", b"x", (b"y",)), id="open section"),
        pytest.param(b"XBODY[a b] c", (b"XBODY[a", b"b]", b"c"), id="not a section"),
        pytest.param(b"(a (b", ((b"a", (b"b",)),), id="never closed"),
        pytest.param(b") a)) b", (b"a", b"b"), id="closed too often"),
        pytest.param(b'a "b (c', (b"a", b"b (c"), id="string never closed"),
        pytest.param(b'a "b\\', (b"a", b"b"), id="string that ends in its escape"),
        pytest.param(b'a"b"c', (b"a", b"b", b"c"), id="no spaces"),
        pytest.param(b"\xff\0 \n", (b"\xff\0",), id="binary"),
        pytest.param(b"a\tb \t (\tc\n)", (b"a", b"b", (b"c",)), id="tabs"),
        pytest.param(b"a ~{3}\r\nb c d", (b"a", b"b c", b"d"), id="literal8"),
        pytest.param(b"a{3}\r\nb c(d", (b"a", b"b c", (b"d",)), id="literal without a space"),
        pytest.param(b'"a ~{1}\r\nb c', (b"a ", b"b", b"c"), id="literal in an open string"),
        pytest.param(
            b'("NAME" "C:\\dir\\") NIL "BASE64" 100',
            ((b"NAME", b"C:\\dir\\"), None, b"BASE64", b"100"),
            id="backslash at the end of a string (MailKit#422)",
        ),
        pytest.param(
            b'("NAME" "x\\" "NAME" "y") 1', ((b"NAME", b"x\\", b"NAME", b"y"), b"1"),
            id="backslash at the end before another string",
        ),
        pytest.param(b'("x\\") NIL 1 2', ((b"x\\",), None, b"1", b"2"), id="backslash at the end of the last string"),
        pytest.param(b'"a \\" b" c', (b'a " b', b"c"), id="escaped quote before a space"),
        pytest.param(b'("a (\\"b\\") c" "d")', ((b'a ("b") c', b"d"),), id="escaped quotes in parentheses"),
        pytest.param(b'"\\"" "\\\\" ("\\\\\\"")', (b'"', b"\\", (b'\\"',)), id="only escapes"),
    ],
)  # fmt: skip
def test_values(wire: bytes, values: tuple[Value, ...]) -> None:
    """Atoms, strings, literals and lists, valid or not."""
    _, (parts, _) = Framer().feed(b"* OK greeting\r\n" + wire + b"\r\n")
    assert parse_values(parts) == values


def test_missing_literal() -> None:
    """The announcement of a missing literal is returned as its value."""
    assert parse_values([b"a {5}"]) == (b"a", b"{5}")


def depth_of(values: Value) -> int:
    """Return the nesting depth, following the last value of each list."""
    depth = 0
    while isinstance(values, tuple) and values:
        values = values[-1]
        depth += 1
    return depth


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(b"(" * 100_000, id="opened"),
        pytest.param(b"(" * 100_000 + b")" * 100_000, id="opened and closed"),
        pytest.param(b"(x " * 100_000 + b")" * 200_000, id="filled"),
    ],
)
def test_lists_100_000_deep(wire: bytes) -> None:
    """Deep nesting does not raise RecursionError and is not kept."""
    assert depth_of(parse_values([wire])) <= 110


def test_items_after_a_list_that_is_too_deep() -> None:
    """Items after a list that nests too deep are found."""
    wire = b"* 1 FETCH (BODYSTRUCTURE " + b"(" * 5_000 + b")" * 5_000 + b" UID 7)\r\n"
    assert parse_fetch(data(wire)).items["UID"] == b"7"


LONG_LIST: Final = b"(" + b"(a b) " * 100_000 + b")"


@pytest.mark.parametrize(
    ("items", "most", "found", "cut"),
    [
        pytest.param(b"UID 7 X ()", 50_000, {"UID": b"7", "X": ()}, None, id="short"),
        pytest.param(
            b"UID 7 X " + LONG_LIST, 50_000, {"UID": b"7"}, Cut.TOO_LARGE, id="too long"
        ),
        pytest.param(
            b"UID 7 X (1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19)", 20,
            {"UID": b"7"}, Cut.NO_ROOM, id="too long for what is left",
        ),
        pytest.param(
            b"X " + LONG_LIST + b" UID 7", 50_000, {}, Cut.TOO_LARGE, id="UID behind it"
        ),
        pytest.param(
            b"FLAGS () UID 7 X " + LONG_LIST, 0, {"UID": b"7"}, Cut.NO_ROOM, id="nothing left"
        ),
    ],
)  # fmt: skip
def test_fetch_with_many_values(
    items: bytes, most: int, found: dict[str, Value], cut: Cut | None
) -> None:
    """Only UID is kept of a message with more values than the limit."""
    parsed = parse_fetch(data(b"* 1 FETCH (%b)\r\n" % items), most)
    assert (parsed.items, parsed.cut) == (found, cut)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param(b"(UID 71 FLAGS (", {"UID": b"71"}, id="UID is whole"),
        pytest.param(b"(FLAGS () UID 71 X", {"UID": b"71"}, id="UID behind another"),
        pytest.param(b"(UID 7", {}, id="in UID"),
        pytest.param(b"(FLAGS (UID 7 ", {}, id="in another value"),
        pytest.param(b'(X "UID 7 " Y ', {}, id="in a string"),
        pytest.param(b"", {}, id="before"),
    ],
)
def test_uid_of_a_cut_fetch(line: bytes, found: dict[str, Value]) -> None:
    """UID of a cut response is used only if it is complete and not inside another value."""
    parsed = parse_fetch(Data("FETCH", 1, [line], Cut.TOO_LARGE))
    assert (parsed.items, parsed.cut) == (found, Cut.TOO_LARGE)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b" " * LONG, id="spaces"),
        pytest.param(b'"\\' * LONG, id="strings never closed"),
        pytest.param(b'"\\"' * LONG, id="escaped quotes"),
        pytest.param(b"BODY[ " * LONG, id="sections never closed"),
        pytest.param(b"BODY[" * LONG, id="sections in one word"),
        pytest.param(b"{1} " * LONG, id="what looks like literals"),
        pytest.param(b")" * LONG, id="closed too often"),
        pytest.param(b"\\" * LONG, id="escapes"),
        pytest.param(b'"\\" ' * LONG, id="strings that end with a backslash"),
        pytest.param(
            b'"\\") "a' * LONG, id="strings that end with a backslash before another"
        ),
        pytest.param(b'"' + b"\\a" * LONG, id="string of escapes"),
        pytest.param(b"\t" * LONG, id="tabs"),
    ],
)
def test_parsing_is_linear(line: bytes) -> None:
    """A malicious line takes time proportional to its length."""
    assert len(parse_values([line])) <= MAX_TOKENS


@pytest.mark.parametrize(
    "words", [b"(", b")", b'"', b"[", b"] ", b'"]', b") ", b"[]", b" "]
)
def test_parsing_of_a_code_is_linear(words: bytes) -> None:
    """A malicious response code takes time proportional to its length."""
    for start in (b"* OK [X ", b"* OK [X (", b"A1 NO [X ", b"[X ", b"* ["):
        with contextlib.suppress(ProtocolError):
            parse_response([start + words * LONG])


@pytest.mark.parametrize(
    ("wire", "items"),
    [
        pytest.param(
            b"* 1 FETCH (UID 7 FLAGS (\\Seen) X NIL)\r\n",
            {"UID": b"7", "FLAGS": (b"\\Seen",), "X": None},
            id="items",
        ),
        pytest.param(
            b"* 1 FETCH (BODY[HEADER.FIELDS (FROM TO)] {2}\r\nhi uid 7)\r\n",
            {"BODY": b"hi", "UID": b"7"},
            id="header as asked, UID behind it",
        ),
        pytest.param(
            b'* 1 FETCH (BODY[HEADER.FIELDS ("From" "To")] "hi" UID 7)\r\n',
            {"BODY": b"hi", "UID": b"7"},
            id="header with quoted field names",
        ),
        pytest.param(
            b'* 1 FETCH (body[header.fields (from)]<0> "hi")\r\n',
            {"BODY": b"hi"},
            id="header in lower case",
        ),
        pytest.param(
            b'* 1 FETCH (BODY[HEADER.FIELDS (TO)]<0> "To: b" UID 7'
            b" BODY[HEADER.FIELDS (SUBJECT)]<0> {4}\r\nS: x)\r\n",
            {"BODY": b"To: b\r\nS: x", "UID": b"7"},
            id="header in several sections",
        ),
        pytest.param(
            b'* 1 FETCH (BODY[HEADER.FIELDS (TO)] NIL BODY[HEADER.FIELDS (CC)] "C: x")\r\n',
            {"BODY": b"C: x"},
            id="one of several sections is missing",
        ),
        pytest.param(
            b'* 1 FETCH (BODY[TEXT]<0> "t" BODY[1]<0> "a" body[1.2.mime] "b" BODY[HEADER] "h")\r\n',
            {
                "BODY[TEXT]": b"t",
                "BODY[1]": b"a",
                "BODY[1.2.MIME]": b"b",
                "BODY[HEADER]": b"h",
                "BODY": b"h",
            },
            id="other sections",
        ),
        pytest.param(
            b'* 1 FETCH (BODY[1] "a" BODY[1] "b")\r\n',
            {"BODY[1]": b"b"},
            id="section twice",
        ),
        pytest.param(
            b'* 1 FETCH (BODY[1 "a")\r\n', {"BODY[1]": b"a"}, id="open bracket"
        ),
        pytest.param(b"* 1 FETCH (BODY[] NIL)\r\n", {"BODY": None}, id="no header"),
        pytest.param(
            b'* 1 FETCH (BODY[HEADER.FIELDS (FROM)] "hi" BODY[HEADER.FIELDS (CC)] NIL)\r\n',
            {"BODY": b"hi"},
            id="no field in the last section",
        ),
        pytest.param(b"* 1 FETCH ()\r\n", {}, id="empty"),
        pytest.param(b"* 1 FETCH\r\n", {}, id="nothing"),
        pytest.param(b"* 1 FETCH UID 7\r\n", {}, id="no list"),
        pytest.param(b"* 1 FETCH (UID 7 FLAGS)\r\n", {"UID": b"7"}, id="odd"),
        pytest.param(
            b"* 1 FETCH ((x) y NIL z UID 7)\r\n",
            {"Y": None, "UID": b"7"},
            id="nameless",
        ),
        pytest.param(b"* 1 FETCH (UID 7 UID 8)\r\n", {"UID": b"7"}, id="twice"),
    ],
)
def test_fetch(wire: bytes, items: dict[str, Value]) -> None:
    """The items of a message by name."""
    assert parse_fetch(data(wire)).items == items


def test_one_message_in_several_responses() -> None:
    """Each FETCH response of a message has only its own items."""
    wire = (
        b"* 1 FETCH (UID 7 FLAGS ())\r\n"
        b"* 1 FETCH (FLAGS (\\Seen) UID 7)\r\n"
        b'* 1 FETCH (UID 7 BODY[] "x")\r\n'
    )
    responses = [parse_response(framed.parts) for framed in Framer().feed(wire)]
    assert [
        parse_fetch(item).items for item in responses if isinstance(item, Data)
    ] == [
        {"UID": b"7", "FLAGS": ()},
        {"UID": b"7", "FLAGS": (b"\\Seen",)},
        {"UID": b"7", "BODY": b"x"},
    ]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        pytest.param(b"0", 0, id="zero"),
        pytest.param(b"4294967295", 4_294_967_295, id="largest UID"),
        pytest.param(b"9" * 18, 10**18 - 1, id="63 bits"),
        pytest.param(b"9" * 19, -1, id="more than 63 bits"),
        pytest.param(b"9" * 10_000, -1, id="absurd"),
        pytest.param(b"-1", -1, id="negative"),
        pytest.param(b"", -1, id="empty"),
        pytest.param(b"1.0", -1, id="fraction"),
        pytest.param("٣".encode(), -1, id="other digits"),
        pytest.param(None, -1, id="NIL"),
        pytest.param((b"1",), -1, id="list"),
    ],
)
def test_number(value: Value, number: int) -> None:
    """A number, or the default."""
    assert parse_number(value, -1) == number


@pytest.mark.parametrize(
    ("value", "strings"),
    [
        pytest.param((b"\\Seen", b"$Label"), ("\\Seen", "$Label"), id="flags"),
        pytest.param((b"\xc3\xa4\xff", None, (b"x",)), ("ä\ufffd",), id="other things"),
        pytest.param((), (), id="none"),
        pytest.param(b"\\Seen", (), id="no list"),
        pytest.param(None, (), id="NIL"),
    ],
)
def test_strings(value: Value, strings: tuple[str, ...]) -> None:
    """The strings in a list."""
    assert parse_strings(value) == strings


@pytest.mark.parametrize(
    ("value", "date"),
    [
        pytest.param(b"17-Jul-1996 02:44:25 -0700", "1996-07-17T02:44:25-07:00", id="RFC 3501"),
        pytest.param(b" 1-Jan-2026 00:00:00 +0000", "2026-01-01T00:00:00+00:00", id="padded day"),
        pytest.param(b"1-jan-2026 00:00:00 +0530", "2026-01-01T00:00:00+05:30", id="short day"),
        pytest.param(b"29-FEB-2028 23:59:59 +1400", "2028-02-29T23:59:59+14:00", id="leap day"),
        pytest.param(b"01-Jan-2026 00:00:00 -0000", "2026-01-01T00:00:00+00:00", id="-0000"),
        pytest.param(b"02-Jan-1970 00:00:00 +0000", "1970-01-02T00:00:00+00:00", id="old"),
        pytest.param(b"31-Dec-9999 23:59:59 +0000", "9999-12-31T23:59:59+00:00", id="far"),
        pytest.param(b"01-Jan-0001 00:00:00 +0000", None, id="zero time of Go"),
        pytest.param(b"01-Jan-1601 00:00:00 +0000", None, id="zero time of Windows"),
        pytest.param(b"17-Nov-1858 00:00:00 +0000", None, id="zero time of VMS"),
        pytest.param(b"01-Jan-1970 00:00:00 +0000", None, id="zero time of Unix"),
        pytest.param(b"31-Dec-1969 19:00:00 -0500", None, id="zero time in local time"),
        pytest.param(b"01-Jan-1970 00:00:00 -0500", None, id="zero time, wrong zone"),
        pytest.param(b"29-Feb-2026 00:00:00 +0000", None, id="no leap year"),
        pytest.param(b"00-Jan-2026 00:00:00 +0000", None, id="day 0"),
        pytest.param(b"01-Jan-0000 00:00:00 +0000", None, id="year 0"),
        pytest.param(b"01-Jan-0001 00:00:00 +1200", None, id="before the first year in UTC"),
        pytest.param(b"31-Dec-9999 23:59:59 -1200", None, id="after the last year in UTC"),
        pytest.param(b"01-Jan-2026 24:00:01 +0000", None, id="hour 24"),
        pytest.param(b"01-Jan-2026 00:00:60 +0000", None, id="leap second"),
        pytest.param(b"01-Jan-2026 00:00:00 +9999", None, id="zone +9999"),
        pytest.param(b"01-Jan-2026 00:00:00 UTC", None, id="named zone"),
        pytest.param(b"01-Jan-2026 00:00:00", None, id="no zone"),
        pytest.param(b"01-Jan-2026 00:00:00 +0000\n", None, id="trailing LF"),
        pytest.param(b"01-Foo-2026 00:00:00 +0000", None, id="no month"),
        pytest.param(b"Thu, 1 Jan 2026 00:00:00 +0000", None, id="a mail's date"),
        pytest.param(b"\xff" * 26, None, id="binary"),
        pytest.param(b"", None, id="empty"),
        pytest.param(None, None, id="NIL"),
        pytest.param((b"01-Jan-2026 00:00:00 +0000",), None, id="list"),
    ],
)  # fmt: skip
def test_internal_date(value: Value, date: str | None) -> None:
    """INTERNALDATE with its time zone, or None."""
    parsed = parse_internal_date(value)
    assert parsed == (datetime.fromisoformat(date) if date else None)
    if date:
        assert parsed is not None
        assert parsed.isoformat() == date


@pytest.mark.parametrize(
    ("wire", "count"),
    [
        pytest.param(b"* SEARCH\r\n", 0, id="SEARCH, none"),
        pytest.param(b"* SEARCH 2 84 882\r\n", 3, id="SEARCH"),
        pytest.param(b"* SEARCH 2 84 \r\n", 2, id="SEARCH, trailing space"),
        pytest.param(b"*  SEARCH \t2\t 84\r\n", 2, id="SEARCH, tabs"),
        pytest.param(b"* SEARCH 2 84 (MODSEQ 917162500)\r\n", 2, id="SEARCH, MODSEQ"),
        pytest.param(b"* SEARCH (MODSEQ 9)\r\n", 0, id="SEARCH, only MODSEQ"),
        pytest.param(
            b'* ESEARCH  (TAG  "A1") UID  COUNT  17\r\n', 17, id="ESEARCH, spaces"
        ),
        pytest.param(b'* ESEARCH (TAG "A1") UID COUNT 17\r\n', 17, id="ESEARCH"),
        pytest.param(b'* ESEARCH (TAG "A1") count 0\r\n', 0, id="ESEARCH, none"),
        pytest.param(
            b'* ESEARCH (TAG "A1") ALL 1:5 COUNT 5\r\n', 5, id="ESEARCH, more"
        ),
        pytest.param(
            b'* ESEARCH (TAG "COUNT") UID ALL 1:5\r\n', 0, id="ESEARCH, no COUNT"
        ),
        pytest.param(b'* ESEARCH (TAG "A1") COUNT\r\n', 0, id="ESEARCH, cut"),
        pytest.param(b"* ESEARCH\r\n", 0, id="ESEARCH, empty"),
        pytest.param(b"* ESEARCH COUNT 9%s\r\n" % (b"9" * 99), 0, id="ESEARCH, absurd"),
        pytest.param(b"* ESEARCH COUNT (5)\r\n", 0, id="ESEARCH, list"),
    ],
)
def test_search_count(wire: bytes, count: int) -> None:
    """The number of found messages in SEARCH and ESEARCH responses."""
    assert parse_search_count(data(wire)) == count


@pytest.mark.parametrize(
    ("line", "uids"),
    [
        pytest.param(b"2 84 (MODSEQ 917162500)", [2, 84], id="MODSEQ"),
        pytest.param(b"(MODSEQ 9)", [], id="only MODSEQ"),
        pytest.param(b"\t2  84\t", [2, 84], id="tabs"),
        pytest.param(b"2 x 84", [2, 84], id="garbage"),
    ],
)
def test_search(line: bytes, uids: list[int]) -> None:
    """The UIDs of a SEARCH response."""
    assert list(parse_search(data(b"* SEARCH " + line + b"\r\n"))) == uids


def test_status_with_many_numbers() -> None:
    """Only the first numbers are read: a server may send thousands of these responses."""
    items = b" ".join(b"X%d %d" % (number, number) for number in range(2_000))
    _, numbers = parse_status(data(b'* STATUS "A" (UNSEEN 1 ' + items + b")\r\n"))
    assert numbers["UNSEEN"] == 1
    assert len(numbers) <= 100


def test_many_spaces_between_values() -> None:
    """Additional spaces are ignored."""
    wire = b'* 1 FETCH (UID 7   X "a   b"  )\r\n'
    assert parse_fetch(data(wire)).items == {"UID": b"7", "X": b"a   b"}


def test_string_with_many_escapes() -> None:
    """A string with too many escapes ends early, and the values before it are read."""
    wire = b'* 1 FETCH (UID 7 X "' + b"\\a" * 50_000 + b'")\r\n'
    assert parse_fetch(data(wire)).items["UID"] == b"7"
