"""A framed response read into typed objects."""

from datetime import UTC, datetime, timedelta, timezone
import time

import pytest

from custom_components.imap_push.imap import ProtocolError
from custom_components.imap_push.imap.framing import Parts
from custom_components.imap_push.imap.responses import (
    Continuation,
    Data,
    Response,
    Status,
    Value,
    parse_fetch,
    parse_internal_date,
    parse_number,
    parse_response,
    parse_search_count,
    parse_strings,
    parse_values,
)

RESPONSES: dict[str, tuple[bytes, Response]] = {
    "tagged": (b"A1 OK done", Status(b"A1", "OK", None, b"", "done")),
    "tagged NO": (
        b"A1 NO [AUTHENTICATIONFAILED] no",
        Status(b"A1", "NO", "AUTHENTICATIONFAILED", b"", "no"),
    ),
    "tagged BAD": (b"A1 BAD what", Status(b"A1", "BAD", None, b"", "what")),
    "no text": (b"A1 OK", Status(b"A1", "OK", None, b"", "")),
    "lower case": (
        b"a1 ok [read-write] x",
        Status(b"a1", "OK", "READ-WRITE", b"", "x"),
    ),
    "untagged": (b"* OK hi", Status(None, "OK", None, b"", "hi")),
    "greeting": (
        b"* PREAUTH [CAPABILITY IMAP4rev1 IDLE] in",
        Status(None, "PREAUTH", "CAPABILITY", b"IMAP4rev1 IDLE", "in"),
    ),
    "BYE without text": (b"* BYE", Status(None, "BYE", None, b"", "")),
    "code with a list": (
        rb"* OK [PERMANENTFLAGS (\Seen \*)] Limited",
        Status(None, "OK", "PERMANENTFLAGS", rb"(\Seen \*)", "Limited"),
    ),
    "code without text": (
        b"* OK [UIDVALIDITY 7]",
        Status(None, "OK", "UIDVALIDITY", b"7", ""),
    ),
    "code with no space after it": (
        b"* NO [ALERT]full",
        Status(None, "NO", "ALERT", b"", "full"),
    ),
    "brackets in the text": (
        b"* OK [UIDNEXT 4] [x] y]",
        Status(None, "OK", "UIDNEXT", b"4", "[x] y]"),
    ),
    "code that is not closed": (
        b"* OK [UIDNEXT 4",
        Status(None, "OK", None, b"", "[UIDNEXT 4"),
    ),
    "no code": (b"* OK [!] x", Status(None, "OK", None, b"", "[!] x")),
    "text beyond ASCII": (
        "* OK größer \r \xff".encode("latin-1"),
        Status(None, "OK", None, b"", "gr��er \r �"),
    ),
    "UTF-8": ("* OK größer".encode(), Status(None, "OK", None, b"", "größer")),
    "number": (b"* 5 EXISTS", Data("EXISTS", 5, [b""])),
    "number and rest": (b"* 5 fetch (UID 1)", Data("FETCH", 5, [b"(UID 1)"])),
    "largest number": (b"* 4294967295 EXISTS", Data("EXISTS", 4_294_967_295, [b""])),
    "eleven digits": (b"* 12345678901 EXISTS", Data("12345678901", None, [b"EXISTS"])),
    "number alone": (b"* 5", Data("", 5, [b""])),
    "no number": (b"* SEARCH 1 2", Data("SEARCH", None, [b"1 2"])),
    "starts like a status": (b"* OKAY x", Data("OKAY", None, [b"x"])),
    "name beyond ASCII": (b"* \xff\xfe", Data("��", None, [b""])),
    "nothing": (b"* ", Data("", None, [b""])),
    "continuation": (b"+ idling", Continuation(b"idling")),
    "continuation without a space": (b"+idling", Continuation(b"idling")),
    "empty continuation": (b"+", Continuation(b"")),
    "base64 continuation": (b"+ eyJ9", Continuation(b"eyJ9")),
}


@pytest.mark.parametrize(("line", "response"), RESPONSES.values(), ids=RESPONSES)
def test_responses(line: bytes, response: Response) -> None:
    """See what a line is."""
    assert parse_response([line]) == response


def test_literals_of_a_response() -> None:
    """See literals stay with the data."""
    parts = [b"* 3 FETCH (A {1}", b"x", b" B)"]
    assert parse_response(parts) == Data("FETCH", 3, [b"(A {1}", b"x", b" B)"])


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b"*",
        b"*OK",
        b"A1",
        b"A1 ",
        b"A1 FETCH",
        b"A1 OKAY",
        b"A-1 OK x",
        b" OK x",
        b"HTTP/1.1 400 Bad Request",
        b"220 mail.example.com ESMTP",
        b"+OK POP3"[1:],
        b"\x15\x03\x01\x00\x02\x02F",
        b"\xff" * 1_000,
    ],
    ids=repr,
)
def test_garbage(line: bytes) -> None:
    """See an error, with no more than a little of it, for what is not IMAP."""
    with pytest.raises(ProtocolError, match="not an IMAP response") as caught:
        parse_response([line])
    assert len(str(caught.value)) < 400


VALUES: dict[str, tuple[Parts, tuple[Value, ...]]] = {
    "nothing": ([b""], ()),
    "no parts": ([], ()),
    "atoms": ([rb"A 1 \Seen a.b"], (b"A", b"1", rb"\Seen", b"a.b")),
    "empty string": ([b'""'], (b"",)),
    "empty list": ([b"()"], ((),)),
    "NIL": ([b"NIL nil"], (None, None)),
    "quoted NIL": ([b'"NIL"'], (b"NIL",)),
    "literal NIL": ([b"{3}", b"NIL", b""], (b"NIL",)),
    "starts like NIL": ([b"NILS"], (b"NILS",)),
    "lists": ([b"(a (b ()) c) d"], ((b"a", (b"b", ()), b"c"), b"d")),
    "no spaces": ([b'(a)(b)"c""d"e'], ((b"a",), (b"b",), b"c", b"d", b"e")),
    "escapes": ([rb'"a\"b\\c\d"'], (rb'a"b\cd',)),
    "parentheses in a string": ([b'("a) (b")'], ((b"a) (b",),)),
    "CR and LF in a string": ([b'"a\r\xff\nb"'], (b"a\r\xff\nb",)),
    "literal in a list": (
        [b"(a {7}", b'x) "\r\n{', b" b)"],
        ((b"a", b'x) "\r\n{', b"b"),),
    ),
    "literals": ([b"({1}", b"a", b" {0+}", b"", b")"], ((b"a", b""),)),
    "literal not at the end": ([b"{1} a"], (b"{1}", b"a")),
    "literal that does not come": ([b"(a {5}"], ((b"a", b"{5}"),)),
    "string that nothing closes": ([b'(a "b c)'], ((b"a", b"b c)"),)),
    "backslash at the end of it": ([b'"a\\'], (b"a",)),
    "quote alone": ([b'"'], (b"",)),
    "list that nothing closes": ([b"(a (b"], ((b"a", (b"b",)),)),
    "parenthesis too many": ([b")a) (b)) c"], (b"a", (b"b",), b"c")),
    "section": (
        [b'BODY[HEADER.FIELDS ("FROM" TO)] x'],
        (b'BODY[HEADER.FIELDS ("FROM" TO)]', b"x"),
    ),
    "section with an origin": ([b"body.peek[1.2]<0> x"], (b"body.peek[1.2]<0>", b"x")),
    "section that nothing closes": ([b"BODY[HEADER (a)"], (b"BODY[HEADER", (b"a",))),
}


@pytest.mark.parametrize(("parts", "values"), VALUES.values(), ids=VALUES)
def test_values(parts: Parts, values: tuple[Value, ...]) -> None:
    """See what lines and literals hold, well formed or not."""
    assert parse_values(parts) == values


def depth(value: Value) -> int:
    """Return how deep lists are nested."""
    level = 0
    while isinstance(value, tuple):
        level += 1
        value = value[0] if value else None
    return level


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"(" * 100_000 + b"x" + b")" * 100_000 + b" y", id="closed"),
        pytest.param(b"y" + b"(" * 100_000, id="never closed"),
        pytest.param(b"y" + b")" * 100_000, id="never opened"),
        pytest.param(b"(x" * 100_000 + b")" * 100_000 + b" y", id="with values"),
    ],
)
def test_deep_nesting(line: bytes) -> None:
    """See lists of any depth cut to a bearable one, and what follows them kept."""
    values = parse_values([line])
    assert b"y" in values
    assert all(depth(value) <= 100 for value in values)


def test_many_values() -> None:
    """See a plain list whole, and an inner one cut, with what follows it kept."""
    assert len(parse_values([b"1 " * 200_000])) == 200_000
    [[inner, last]] = parse_values([b"((" + b"a " * 200_000 + b") b)"])  # type: ignore[misc]
    assert isinstance(inner, tuple)
    assert len(inner) < 50_000
    assert last == b"b"


@pytest.mark.parametrize(
    "line",
    [
        b'"' + b"\\" * 1_000_001,
        b'"' * 1_000_001,
        b"BODY[" * 200_000,
        b"{1}" * 300_000,
        b"\\" * 1_000_000,
        b"BODY[" + b"x" * 1_000_000,
    ],
    ids=lambda line: repr(line[:6]),
)
def test_values_take_linear_time(line: bytes) -> None:
    """See a megabyte of nonsense read in a moment."""
    start = time.process_time()
    parse_values([line])
    assert time.process_time() - start < 5


FETCHES: dict[str, tuple[Parts, dict[str, Value]]] = {
    "flags": ([rb"(UID 7 FLAGS (\Seen))"], {"UID": b"7", "FLAGS": (rb"\Seen",)}),
    "quoted section": (
        [b'(BODY[HEADER.FIELDS ("FROM" "TO")] {5}', b"a\r\n)(", b" UID 7)"],
        {"BODY": b"a\r\n)(", "UID": b"7"},
    ),
    "lower case": ([b"(uid 7 body[] NIL)"], {"UID": b"7", "BODY": None}),
    "origin": ([b"(BODY[TEXT]<0> {1}", b"x", b")"], {"BODY": b"x"}),
    "structure": ([b'(BODYSTRUCTURE ("text"))'], {"BODYSTRUCTURE": (b"text",)}),
    "name without a value": ([b"(UID 7 FLAGS)"], {"UID": b"7"}),
    "list for a name": ([b"(() 1 UID 7)"], {"UID": b"7"}),
    "NIL for a name": ([b"(NIL 1 UID 7)"], {"UID": b"7"}),
    "empty": ([b"()"], {}),
    "no list": ([b"UID 7"], {}),
    "nothing": ([b""], {}),
}


@pytest.mark.parametrize(("parts", "items"), FETCHES.values(), ids=FETCHES)
def test_fetch(parts: Parts, items: dict[str, Value]) -> None:
    """See the items of a FETCH response by name."""
    assert parse_fetch(Data("FETCH", 1, parts)) == items


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (b"0", 0),
        (b"007", 7),
        (b"4294967295", 4_294_967_295),
        (b"9" * 18, 999_999_999_999_999_999),
        (b"9" * 19, -1),
        (b"9" * 100_000, -1),
        (b"-5", -1),
        (b"1.5", -1),
        (b"", -1),
        (b"\xb2", -1),
        (None, -1),
        ((b"1",), -1),
    ],
    ids=lambda value: repr(value)[:25],
)
def test_numbers(value: Value, number: int) -> None:
    """See numbers of a sensible size, else the default."""
    assert parse_number(value, -1) == number


@pytest.mark.parametrize(
    ("value", "strings"),
    [
        pytest.param((rb"\Seen", b"$Junk"), (r"\Seen", "$Junk"), id="flags"),
        pytest.param((None, (b"x",), b"a"), ("a",), id="not all strings"),
        pytest.param((b"\xff", "ü".encode()), ("�", "ü"), id="beyond ASCII"),
        pytest.param((), (), id="empty"),
        pytest.param(b"x", (), id="no list"),
        pytest.param(None, (), id="NIL"),
    ],
)
def test_strings(value: Value, strings: tuple[str, ...]) -> None:
    """See the strings in a list."""
    assert parse_strings(value) == strings


def zone(hours: int, minutes: int = 0) -> timezone:
    """Return a time zone."""
    return timezone(timedelta(hours=hours, minutes=minutes))


@pytest.mark.parametrize(
    ("value", "date"),
    [
        (
            b"17-Jul-1996 02:44:25 -0700",
            datetime(1996, 7, 17, 2, 44, 25, tzinfo=zone(-7)),
        ),
        (b" 1-jan-2024 00:00:00 +0000", datetime(2024, 1, 1, tzinfo=UTC)),
        (b"1-DEC-2024 00:00:00 +0545", datetime(2024, 12, 1, tzinfo=zone(5, 45))),
        (b"29-Feb-2024 00:00:00 -0930", datetime(2024, 2, 29, tzinfo=zone(-10, 30))),
        (b"01-Jan-2024 00:00:00 -0000", datetime(2024, 1, 1, tzinfo=UTC)),
        (b"01-Jan-2024 00:00:00 +2359", datetime(2024, 1, 1, tzinfo=zone(23, 59))),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else "",
)
def test_internal_date(value: Value, date: datetime) -> None:
    """See a date with its zone."""
    parsed = parse_internal_date(value)
    assert parsed == date
    assert parsed is not None
    assert parsed.utcoffset() == date.utcoffset()


@pytest.mark.parametrize(
    "value",
    [
        None,
        (),
        b"",
        b"yesterday",
        b"17-Jul-1996",
        b"17-Jul-1996 02:44:25",
        b"17-Jul-1996 02:44:25 UTC",
        b"17-Jul-1996 02:44:25 -0700 x",
        b"17-Jul-1996 02:44:25 -0700\n",
        b"17-Jux-1996 02:44:25 -0700",
        b"30-Feb-2024 00:00:00 +0000",
        b"00-Jan-2024 00:00:00 +0000",
        b"01-Jan-2024 25:00:00 +0000",
        b"01-Jan-2024 00:00:60 +0000",
        b"01-Jan-2024 00:00:00 +9999",
        b"01-Jan-2024 00:00:00 +2400",
        b"01-Jan-0000 00:00:00 +0000",
        b"01-Jan-0001 00:00:00 +1400",
        b"31-Dec-9999 23:59:59 -0100",
        b"01-Jan-99999 00:00:00 +0000",
    ],
    ids=repr,
)
def test_no_internal_date(value: Value) -> None:
    """See no date for nonsense."""
    assert parse_internal_date(value) is None


@pytest.mark.parametrize(
    ("name", "rest", "count"),
    [
        ("SEARCH", b"", 0),
        ("SEARCH", b"1", 1),
        ("SEARCH", b"2 84 882 ", 3),
        ("ESEARCH", b'(TAG "A1") COUNT 5', 5),
        ("ESEARCH", b'(TAG "A1") UID COUNT 5', 5),
        ("ESEARCH", b'(TAG "A1") UID MIN 1 MAX 9 count 5', 5),
        ("ESEARCH", b'(TAG "COUNT") COUNT 0', 0),
        ("ESEARCH", b'(TAG "A1") UID', 0),
        ("ESEARCH", b'(TAG "A1") COUNT', 0),
        ("ESEARCH", b'(TAG "A1") COUNT (5)', 0),
        ("ESEARCH", b"COUNT 4294967295", 4_294_967_295),
        ("ESEARCH", b"COUNT 99999999999999999999999", 0),
        ("ESEARCH", b"", 0),
    ],
)
def test_search_count(name: str, rest: bytes, count: int) -> None:
    """See how many messages were found."""
    assert parse_search_count(Data(name, None, [rest])) == count
