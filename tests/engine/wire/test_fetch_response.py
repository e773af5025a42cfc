"""FETCH responses as real servers send them, well formed or not."""

from typing import Final

import pytest

from custom_components.imap_push.imap.wire.fetch_response import FetchItems, parse_fetch
from custom_components.imap_push.imap.wire.framing import Framer
from custom_components.imap_push.imap.wire.parser import (
    Cut,
    Data,
    Value,
    parse_number,
    parse_response,
)

# With a line of this length, quadratic work would take hours.
LONG: Final = 200_000


def fetch(items: bytes) -> FetchItems:
    """Return the items of the first FETCH response in these octets."""
    wire = b"* OK ready\r\n* 1 FETCH " + items + b"\r\n* OK next\r\n"
    responses = (parse_response(framed.parts) for framed in Framer().feed(wire))
    return next(parse_fetch(data) for data in responses if isinstance(data, Data))


@pytest.mark.parametrize(
    ("items", "header"),
    [
        pytest.param(b"BODY[HEADER.FIELDS (FROM TO)]<0> {2}\r\nhi", b"hi", id="as requested"),
        pytest.param(b"BODY.PEEK[HEADER.FIELDS (FROM)] {2}\r\nhi", b"hi", id="PEEK (MailKit#954)"),
        pytest.param(b"body.peek[header.fields (from)]<0> {2}\r\nhi", b"hi", id="peek"),
        pytest.param(b"BODY[HEADER.FIELDS (FROM)]<0.65536> {2}\r\nhi", b"hi", id="two numbers"),
        pytest.param(b"BODY.PEEK[HEADER.FIELDS (FROM)]<0.65536>{2}\r\nhi", b"hi", id="PEEK and two numbers"),
        pytest.param(b"RFC822.HEADER {2}\r\nhi", b"hi", id="RFC822.HEADER"),
        pytest.param(b"RFC822.HEADER{2}\r\nhi", b"hi", id="RFC822.HEADER without a space"),
        pytest.param(b'rfc822.header "hi"', b"hi", id="RFC822.HEADER in lower case"),
        pytest.param(b"BODY[HEADER] {2}\r\nhi", b"hi", id="whole header"),
        pytest.param(b"BODY.PEEK[HEADER]<0.100> {2}\r\nhi", b"hi", id="whole header, PEEK"),
        pytest.param(b"BODY[HEADER.FIELDS (FROM)] ~{2}\r\nhi", b"hi", id="literal8"),
        pytest.param(b"BODY[HEADER.FIELDS (FROM)]<0>~{2+}\r\nhi", b"hi", id="literal8 without a space"),
        pytest.param(b"BODY[HEADER.FIELDS (FROM)] {2+}\r\nhi", b"hi", id="LITERAL+ (MailKit#954)"),
        pytest.param(b"BODY[HEADER.FIELDS ({4}\r\nFROM {2}\r\nTO)]<0> {2}\r\nhi", b"hi", id="field names as literals"),
        pytest.param(b"BODY.PEEK[HEADER.FIELDS ({4}\r\nFROM)] ~{2}\r\nhi", b"hi", id="one field name as a literal"),
        pytest.param(b'BODY[HEADER.FIELDS (FROM {2}\r\nTO)] "hi"', b"hi", id="last field name as a literal"),
        pytest.param(b'BODY[HEADER.FIELDS ( "FROM"  "TO" )]<0> "hi"', b"hi", id="quoted, with spaces"),
        pytest.param(b"BODY[HEADER.FIELDS.NOT (FROM)] {2}\r\nhi", b"hi", id="NOT"),
        pytest.param(b'BODY[HEADER.FIELDS (FROM)] "hi" RFC822.HEADER "more"', b"hi", id="both"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", [b"UID 7 FLAGS () ", b""], ids=["last", "first"])
def test_header_under_another_name(items: bytes, header: bytes, before: bytes) -> None:
    """The header is found under the name that the server gives it, and so are the other items."""
    after = b"" if before else b" UID 7 FLAGS ()"
    found = fetch(b"(" + before + items + after + b")")
    assert found.items["BODY"] == header
    assert found.items["UID"] == b"7"
    assert found.items["FLAGS"] == ()
    assert found.cut is None


@pytest.mark.parametrize(
    ("items", "section", "value"),
    [
        pytest.param(b'BODY.PEEK[1.2]<0.5> "x"', "BODY[1.2]", b"x", id="part"),
        pytest.param(b'BINARY.PEEK[1] "x"', "BINARY[1]", b"x", id="BINARY"),
        pytest.param(b'RFC822.HEADER "x"', "BODY[HEADER]", b"x", id="RFC822.HEADER"),
        pytest.param(b'RFC822.TEXT "x"', "BODY[TEXT]", b"x", id="RFC822.TEXT"),
        pytest.param(b"BODY[1.MIME] ~{1}\r\nx", "BODY[1.MIME]", b"x", id="literal8"),
    ],
)
def test_section_under_another_name(items: bytes, section: str, value: bytes) -> None:
    """A section is found under the name by which it was requested."""
    assert fetch(b"(" + items + b" UID 7)").items[section] == value


@pytest.mark.parametrize(
    ("items", "found"),
    [
        pytest.param(
            b'UID 7 BODY[1.MIME] BODY[1] "x"', {"UID": b"7", "BODY[1]": b"x"}, id="section (MailKit#1708)"
        ),
        pytest.param(b"BODY[HEADER.FIELDS (FROM)] BODYSTRUCTURE () UID 7", {"BODYSTRUCTURE": (), "UID": b"7"}, id="header"),
        pytest.param(b"UID 7 FLAGS RFC822.SIZE 5 INTERNALDATE", {"UID": b"7", "RFC822.SIZE": b"5"}, id="several"),
        pytest.param(b"UID FLAGS (x) uid 7", {"FLAGS": (b"x",), "UID": b"7"}, id="UID"),
        pytest.param(b"UID 7 BODY[TEXT]", {"UID": b"7"}, id="the last"),
        pytest.param(
            b'BODY[TEXT] "UID" BODY[1] {5}\r\nFLAGS UID 7', {"BODY[TEXT]": b"UID", "BODY[1]": b"FLAGS", "UID": b"7"},
            id="text that is the name of an item",
        ),
        pytest.param(b"X-GM-MSGID 12 X-GM-LABELS (UID) UID 7", {"X-GM-MSGID": b"12", "X-GM-LABELS": (b"UID",), "UID": b"7"}, id="Gmail"),
        pytest.param(b"EMAILID (M1) THREADID NIL UID 7", {"EMAILID": (b"M1",), "THREADID": None, "UID": b"7"}, id="RFC 8474"),
        pytest.param(b'"x" UID 7 (a) FLAGS ()', {"UID": b"7", "FLAGS": ()}, id="values without a name"),
    ],
)  # fmt: skip
def test_item_without_a_value(items: bytes, found: dict[str, Value]) -> None:
    """Only the item whose value is missing is lost."""
    assert fetch(b"(" + items + b")").items == found


@pytest.mark.parametrize(
    ("size", "number"),
    [
        pytest.param(b"1234", 1_234, id="number"),
        pytest.param(b"9.3736e+06", 9_373_600, id="exponent (MailKit#1838)"),
        pytest.param(b"1.5E7", 15_000_000, id="E"),
        pytest.param(b"2e3", 2_000, id="without a fraction"),
        pytest.param(b"1234.0", 1_234, id="without an exponent"),
        pytest.param(b'"1234"', 1_234, id="string"),
        pytest.param(b"18446744073709551615", 0, id="-1 in 64 bits"),
        pytest.param(b"1e99", 0, id="absurd exponent"),
        pytest.param(b"1e999999999", 0, id="absurd exponent of many digits"),
        pytest.param(b"-1", 0, id="negative"),
        pytest.param(b"1e-3", 0, id="negative exponent"),
        pytest.param(b"NIL", 0, id="NIL"),
        pytest.param(b"nan", 0, id="not a number"),
    ],
)
def test_size(size: bytes, number: int) -> None:
    """RFC822.SIZE with an exponent is a number, other text is not."""
    found = fetch(b"(UID 7 RFC822.SIZE " + size + b" FLAGS ())").items
    assert parse_number(found["RFC822.SIZE"]) == number
    assert found["FLAGS"] == ()


# Structures whose quotes or parentheses do not balance.
UNBALANCED: Final = {
    "unescaped quotes (MailKit#485)": b'("TEXT" "HTML"" NIL NIL NIL "8bit" 74 2)',
    "quotes as a description (go-imap#659)": b'(("a" "b" NIL NIL """" "base64" 65322) "MIXED")',
    "quote and a literal (MailKit#485)": b'("TEXT" "HTML"" NIL NIL NIL {4}\r\n8bit" 74 2)',
    "backslash (MailKit#422)": b'("A" "B" ("NAME" "C:\\dir\\") NIL NIL "BASE64" 100 NIL NIL NIL)',
    "quotes in a file name": b'("A" "B" ("NAME" "the "big" one.pdf") NIL NIL "BASE64" 100)',
    "quote and parenthesis": b'("A" "B" ("NAME" "5" (x).pdf") NIL NIL "BASE64" 100 NIL)',
    "parenthesis missing": b'("text" "plain" ("charset" "utf-8" NIL NIL "7bit" 10 1 NIL)',
    "parenthesis too many (Domino)": b'("text" "plain" NIL NIL NIL "7bit" 10 1))',
    "never closed": b'(("text" "plain" (("a"',
    "quote never closed": b'("text" "plain" ("name" "x) NIL NIL "7bit" 10 1 NIL NIL NIL NIL)',
}
HEADER: Final = b"BODY[HEADER.FIELDS (FROM)]<0> {2}\r\nhi"


@pytest.mark.parametrize("structure", UNBALANCED.values(), ids=UNBALANCED)
@pytest.mark.parametrize(
    "order",
    [
        b"(UID 7 FLAGS () %(header)b BODYSTRUCTURE %(structure)b)",
        b"(BODYSTRUCTURE %(structure)b FLAGS (\\Seen) %(header)b UID 7)",
        b"(BODYSTRUCTURE %(structure)b UID 7)",
        b"(FLAGS () BODYSTRUCTURE %(structure)b UID 7 %(header)b)",
        b'(%(header)b BODYSTRUCTURE %(structure)b UID 7 INTERNALDATE "a" RFC822.SIZE 9 FLAGS (x))',
        b"(BODYSTRUCTURE %(structure)b UID 7 MODSEQ (5) %(header)b )",
    ],
    ids=[
        "UID first",
        "UID last",
        "UID alone",
        "before header",
        "before others",
        "spaces",
    ],
)
def test_uid_of_a_message_with_an_unbalanced_structure(
    order: bytes, structure: bytes
) -> None:
    """UID is found; if the structure hides something, all but UID has to be requested again."""
    found = fetch(order % {b"structure": structure, b"header": HEADER})
    assert found.items["UID"] == b"7"
    if found.cut is None and order.count(b"header"):
        assert found.items["BODY"] == b"hi"
    else:
        assert found.cut in (None, Cut.TOO_LARGE)


@pytest.mark.parametrize(
    "items",
    [
        pytest.param(b'(BODYSTRUCTURE ("a" "x UID 9)"', id="in a string"),
        pytest.param(b'(BODYSTRUCTURE ("a" "x UID 9 FLAGS ())") FLAGS ())', id="in a closed string"),
        pytest.param(b'(BODYSTRUCTURE ("a"" NIL "x UID 9) "))', id="after an unescaped quote"),
        pytest.param(b"(FLAGS (x UID 9))", id="in a list"),
        pytest.param(b"(FLAGS (x) BODY[TEXT] {8}\r\n UID 9) )", id="in a literal"),
        pytest.param(b"(BODYSTRUCTURE (({9}\r\nx UID 9) )))", id="in a literal of the structure"),
        pytest.param(b"(FLAGS (x))", id="nowhere"),
    ],
)  # fmt: skip
def test_uid_is_not_guessed(items: bytes) -> None:
    """Text of a message is not taken for its UID."""
    assert "UID" not in fetch(items).items


def test_structure_that_hides_the_header() -> None:
    """The message is requested again with fewer items, and not delivered without a header."""
    found = fetch(b'(UID 7 BODYSTRUCTURE ("a" ("b" FLAGS () ' + HEADER + b")")
    assert found == FetchItems({"UID": b"7"}, 0, Cut.TOO_LARGE)


@pytest.mark.parametrize(
    "items",
    [
        b"(UID",
        b"UID 7 ",
        b"(BODY[",
        b"(UID 7 BODY[ ",
        b"(x ",
        b"(UID 7 FLAGS () ",
        b"] ",
    ],
)
def test_work_is_linear(items: bytes) -> None:
    """A malicious response takes time proportional to its length."""
    fetch(b"(" + items * LONG + b")")
