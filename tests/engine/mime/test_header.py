"""Header fields and BODYSTRUCTURE of any octets become a `Mail` of limited size."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
import json
from typing import Final

from hypothesis import given, settings, strategies as st
import orjson
import pytest

from custom_components.imap_push.imap import Mail
from custom_components.imap_push.imap.mime.body_structure import (
    MAX_PARTS,
    parse_structure,
)
from custom_components.imap_push.imap.mime.budget import Budget
from custom_components.imap_push.imap.mime.characters import one_line
from custom_components.imap_push.imap.mime.header import (
    HEADER_FIELDS,
    MAX_HEADER,
    MAX_RECIPIENTS,
    parse_mail,
)
from custom_components.imap_push.imap.mime.lexemes import lexemes
from custom_components.imap_push.imap.mime.preview import size_in_event
from custom_components.imap_push.imap.models import Authentication
from custom_components.imap_push.imap.wire.fetch_response import (
    MAX_FETCH_TOKENS,
    parse_fetch,
)
from custom_components.imap_push.imap.wire.framing import Framer
from custom_components.imap_push.imap.wire.parser import (
    Data,
    Value,
    parse_response,
    parse_values,
)

from ..calls import observed
from ..fields import fields_of

# A part in BODYSTRUCTURE, with placeholders for parameters and disposition.
PART: Final = '("application" "pdf" {} NIL NIL "base64" 9 NIL {} NIL NIL)'
TEXT: Final = '("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 8 1 NIL NIL NIL NIL)'


def mail(
    header: str | bytes = b"", structure: str | Value = b"", **items: Value
) -> Mail:
    """Return the mail with this header and BODYSTRUCTURE; lines may end with LF."""
    header = header.encode() if isinstance(header, str) else header
    structure = structure.encode() if isinstance(structure, str) else structure
    if isinstance(structure, bytes):
        wire = b"* 1 FETCH " + structure + b"\r\n* OK next\r\n"
        (parts, _), *_ = Framer().feed(wire)
        response = parse_response(parts)
        assert isinstance(response, Data)
        structure = next(iter(parse_values(response.parts, MAX_FETCH_TOKENS)), None)
    items |= {"BODY": header, "BODYSTRUCTURE": structure}
    return parse_mail("INBOX", 1, 7, items)


def files(found: Mail) -> list[tuple[str, str | None]]:
    """Return part number and file name of each attachment."""
    return [(item.part, item.filename) for item in found.attachments]


def test_codec_with_other_errors_is_not_used() -> None:
    """The codec of punycode raises OverflowError, but the message is parsed."""
    header = b"Subject: =?punycode?q?99999999999999999999a?=\r\nFrom: a@b.c\r\n\r\n"
    mail = parse_mail("INBOX", 1, 1, {"BODY": header})
    assert mail.sender == "a@b.c"
    assert mail.subject


def test_all_fields() -> None:
    """The octets of a FETCH response become all fields of a mail."""
    wire = (
        b'* 1 FETCH (UID 7 FLAGS (\\Recent $Work) INTERNALDATE "23-Nov-2026 09:58:43 +0100"'
        b" RFC822.SIZE 740 BODY[HEADER.FIELDS (%s)] {289}\r\n"
        b"From: =?utf-8?q?Ada_L=C3=B6vel?= <ada@example.com>\r\n"
        b"To: user@example.org,\r\n\tBob <bob@example.org>\r\n"
        b"Cc: carol@example.org\r\nReply-To: list@example.com\r\n"
        b"Subject: Hello,\r\n world\r\nDate: Mon, 23 Nov 2026 09:58:40 +0100\r\n"
        b"Message-ID: <1@example.com>\r\nList-Id: <list.example.com>\r\n"
        b"Authentication-Results: mx.example.org; spf=pass; dmarc=fail header.from=example.com\r\n\r\n"
        b' BODYSTRUCTURE ("application" "pdf" ("name" "a.pdf") NIL NIL "base64" 9))\r\n'
    )
    wire = wire.replace(
        b"{289}", b"{%d}" % (wire.index(b" BODYSTR") - wire.index(b"From:"))
    )
    [(parts, _)] = Framer().feed(wire % HEADER_FIELDS.encode())
    response = parse_response(parts)
    assert isinstance(response, Data)
    found = parse_mail("Work", 3, 7, parse_fetch(response).items)
    assert fields_of(found) == {
        "folder": "Work",
        "uid_validity": 3,
        "uid": 7,
        "message_id": "<1@example.com>",
        "sender": "ada@example.com",
        "sender_name": "Ada Lövel",
        "to": ("user@example.org", "bob@example.org"),
        "cc": ("carol@example.org",),
        "reply_to": ("list@example.com",),
        "recipients": ("user@example.org", "bob@example.org", "carol@example.org"),
        "subject": "Hello, world",
        "date": datetime.fromisoformat("2026-11-23T09:58:40+01:00"),
        "received": datetime.fromisoformat("2026-11-23T09:58:43+01:00"),
        "size": 740,
        "flags": ("\\Recent", "$Work"),
        "attachments": (
            {
                "part": "1",
                "filename": "a.pdf",
                "content_type": "application/pdf",
                "size": 9,
                "encoding": "base64",
                "disposition": None,
                "content_id": None,
                "inline": False,
            },
        ),
        "bulk": True,
        "authentication": {
            "server": "mx.example.org",
            "spf": "pass",
            "dkim": None,
            "dmarc": "fail",
            "domain": "example.com",
        },
        "text": None,
        "truncated": False,
    }


@pytest.mark.parametrize(
    "items",
    [
        pytest.param({}, id="empty"),
        pytest.param(
            dict.fromkeys(
                ("BODY", "BODYSTRUCTURE", "FLAGS", "INTERNALDATE", "RFC822.SIZE")
            ),
            id="NIL",
        ),
        pytest.param({"BODY": b"\r\n"}, id="empty header"),
        pytest.param({"BODY": b"no colon\r\nFrom\r\n: x\r\n"}, id="no fields"),
        pytest.param(
            {"BODY": (b"x",), "FLAGS": b"x", "BODYSTRUCTURE": b"x"}, id="wrong types"
        ),
        pytest.param({"BODYSTRUCTURE": ()}, id="empty structure"),
        pytest.param({"BODYSTRUCTURE": ((),)}, id="empty part"),
    ],
)
def test_missing_items(items: dict[str, Value]) -> None:
    """A mail without values is returned; it is truncated if the structure is missing."""
    is_truncated = "BODYSTRUCTURE" not in items
    assert parse_mail("INBOX", 1, 7, items) == Mail(
        folder="INBOX", uid_validity=1, uid=7, truncated=is_truncated
    )


@pytest.mark.parametrize(
    ("field", "subject"),
    [
        pytest.param("plain", "plain", id="plain"),
        pytest.param("", "", id="empty"),
        pytest.param("one\r\n two\n\tthree\r\n  \r\n four", "one two three four", id="folded"),
        pytest.param("=?utf-8?q?a=C3=A4_b?=", "aä b", id="Q"),
        pytest.param("=?UTF-8?B?YcOk?=", "aä", id="B"),
        pytest.param("=?utf-8?B?YcOkYg?=", "aäb", id="B without its padding"),
        pytest.param("=?iso-8859-1?Q?a=E4?= end", "aä end", id="text after"),
        pytest.param("Re: =?utf-8?Q?=C3=A4?= and =?utf-8?Q?=C3=B6?=", "Re: ä and ö", id="between"),
        pytest.param("=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab", id="adjacent"),
        pytest.param("=?utf-8?Q?a?=\r\n  =?utf-8?Q?b?=", "ab", id="adjacent, folded"),
        pytest.param("=?utf-8?Q?a?==?utf-8?Q?b?=", "ab", id="adjacent without space"),
        pytest.param("=?utf-8?B?w?= =?utf-8?Q?=A4?=", "=?utf-8?B?w?=¤", id="first part broken"),
        pytest.param("=?utf-8?B?4pc=?= =?UTF-8?B?jw==?=", "●", id="character in two words"),
        pytest.param("=?utf-8?Q?=E2=97?= =?utf-8?B?jw==?=", "●", id="in two encodings"),
        pytest.param("=?utf-8?Q?=C3=A4?= =?iso-8859-1?Q?=E4?=", "ää", id="two charsets"),
        pytest.param("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本", id="ISO-2022-JP"),
        pytest.param("=?gb2312?B?1tDOxA==?=", "中文", id="GB2312"),
        pytest.param("=?utf-7?Q?+AOQ-?=", "ä", id="UTF-7"),
        pytest.param("=?utf-7?Q?+2D0-?=", "?", id="UTF-7 with a lone surrogate"),
        pytest.param("=?us-ascii*en?Q?a?= =?iso-8859-15*de?Q?=A4?=", "a€", id="language"),
        pytest.param("=?x-unknown?Q?=C3=A4?=", "ä", id="unknown charset, UTF-8"),
        pytest.param("=?x-unknown?Q?=E4?=", "ä", id="unknown charset, Latin-1"),
        pytest.param("=?us-ascii?Q?=E4?=", "ä", id="wrong charset"),
        pytest.param("=?hex?Q?41?=", "41", id="no charset but a codec"),
        pytest.param("=?\u0430?Q?a?=", "a", id="charset that is not ASCII"),
        pytest.param("=?utf-8?Q?why??=", "why?", id="raw question mark"),
        pytest.param("=?utf-8?Q?two words?=", "two words", id="raw space"),
        pytest.param("=?utf-8?Q?=ZZ=?=", "=ZZ", id="no hexadecimal"),
        pytest.param("=?utf-8?B?A?=", "=?utf-8?B?A?=", id="invalid base64"),
        pytest.param("=?utf-8?B?A?= =?utf-8?Q?fine?=", "=?utf-8?B?A?=fine", id="invalid and valid"),
        pytest.param("=?utf-8?B?YQ=!=?=", "a", id="stray characters in base64"),
        pytest.param("=?utf-8?X?a?=", "=?utf-8?X?a?=", id="unknown encoding"),
        pytest.param("=?utf-8?Q?open", "open", id="open word"),
        pytest.param("=?utf-8?Q??=", "", id="empty word"),
        pytest.param("=?utf-8?Q?a=0D=0AFrom:_b=00?=", "a From: b", id="line breaks within"),
        pytest.param("日本 ä", "日本 ä", id="raw UTF-8"),
        pytest.param("ä €".encode("cp1252").replace(b"\x80", b""), "ä", id="raw Latin-1"),
        pytest.param("日 C:\\users =?utf-8?Q?x?= \\u0041", "日 C:\\users x \\u0041", id="backslashes"),
        pytest.param("a\0b\x1bc\u2028d\x7fe", "a b c d e", id="control characters"),
        pytest.param("a\rFrom: x@example.com", "a From: x@example.com", id="lone CR"),
    ],
)  # fmt: skip
def test_subject(field: str | bytes, subject: str) -> None:
    """The subject is decoded as one line."""
    field = field.encode() if isinstance(field, str) else field
    found = mail(b"Subject: " + field + b"\r\n")
    assert (found.subject, found.sender, found.truncated) == (subject, "", False)


@pytest.mark.parametrize(
    ("field", "name", "address"),
    [
        pytest.param("ada@example.com", "", "ada@example.com", id="bare"),
        pytest.param("<ada@example.com>", "", "ada@example.com", id="brackets"),
        pytest.param("Ada L. <ada@example.com>", "Ada L.", "ada@example.com", id="name"),
        pytest.param('"L, \\"Ada\\"" <ada@example.com>', 'L, "Ada"', "ada@example.com", id="quoted name"),
        pytest.param("Lovelace, Ada <ada@example.com>", "Lovelace, Ada", "ada@example.com", id="unquoted comma"),
        pytest.param("ada@example.com (Ada (L) \\))", "Ada (L) )", "ada@example.com", id="comment"),
        pytest.param("Ada (at work) <ada@example.com>", "Ada", "ada@example.com", id="name and comment"),
        pytest.param("=?utf-8?Q?=C3=84da?= <ada@example.com>", "Äda", "ada@example.com", id="encoded name"),
        pytest.param('"=?utf-8?Q?=C3=84da?=" <ada@example.com>', "Äda", "ada@example.com", id="encoded and quoted"),
        pytest.param("=?utf-8?Q?L,_(Ada):?= <ada@example.com>", "L, (Ada):", "ada@example.com", id="raw specials"),
        pytest.param("Äda <ada@example.com>", "Äda", "ada@example.com", id="raw UTF-8"),
        pytest.param("Ada <ädä@exämple.com>", "Ada", "ädä@exämple.com", id="RFC 6532"),
        pytest.param("Äda <ada@example.com>".encode("latin-1"), "Äda", "ada@example.com", id="raw Latin-1"),
        pytest.param("Ada\r\n <ada@example.com>", "Ada", "ada@example.com", id="folded"),
        pytest.param("[Ext] Ada <ada@example.com>", "[Ext] Ada", "ada@example.com", id="square brackets"),
        pytest.param("[Ada <ada@example.com>", "[Ada", "ada@example.com", id="open square bracket"),
        pytest.param("ada@[IPv6:::1]", "", "ada@[IPv6:::1]", id="address literal"),
        pytest.param('<"a>\\"b"@example.com>', "", '"a>\\"b"@example.com', id="quoted local part"),
        pytest.param("Team: ada@example.com, bob@example.com;", "", "ada@example.com", id="group"),
        pytest.param("ada@example.com, bob@example.com", "", "ada@example.com", id="several"),
        pytest.param("Ada <ada@example.com", "Ada", "ada@example.com", id="open bracket"),
        pytest.param("<<ada@example.com>>", "", "ada@example.com", id="two brackets"),
        pytest.param("Foo <bar> <ada@example.com>", "Foo", "ada@example.com", id="brackets in the name"),
        pytest.param("boss@example.org <ada@example.com>", "boss@example.org", "ada@example.com", id="name like an address"),
        pytest.param('"boss@example.org" <ada@example.com>', "boss@example.org", "ada@example.com", id="quoted name like an address"),
        pytest.param("=?utf-8?Q?boss=40example.org?=, ada@example.com", "", "ada@example.com", id="encoded address"),
        pytest.param("(a (b), boss@example.org,) ada@example.com", "a (b), boss@example.org,", "ada@example.com", id="address in a comment"),
        pytest.param("boss@example.org: ada@example.com;", "", "ada@example.com", id="group like an address"),
        pytest.param("=?utf-8?Q?Ada_=3Cada=40example.com=3E?=", "Ada <ada@example.com>", "", id="wholly encoded"),
        pytest.param("Ada ada@example.com", "Ada", "ada@example.com", id="no brackets"),
        pytest.param('"ada@example.com"', "", "ada@example.com", id="quoted address"),
        pytest.param("a@b@example.com", "", "a@b@example.com", id="two ats"),
        pytest.param("alarm system", "alarm system", "", id="no address"),
        pytest.param("root (Cron Daemon)", "Cron Daemon", "root", id="cron"),
        pytest.param("NAS (admin) nas@local", "NAS", "nas@local", id="NAS"),
        pytest.param("root, ada@example.com", "", "ada@example.com", id="first with a domain"),
        pytest.param("'ada@example.com'", "", "ada@example.com", id="apostrophes"),
        pytest.param("MAILER-DAEMON", "", "MAILER-DAEMON", id="no domain"),
        pytest.param("<>", "<>", "", id="empty brackets"),
        pytest.param("Ada <>", "Ada", "", id="name and null path"),
        pytest.param("Foo :( <ada@example.com>", "(", "ada@example.com", id="open comment"),
        pytest.param('"Ada <ada@example.com>', "Ada", "ada@example.com", id="open quote"),
        pytest.param("", "", "", id="empty"),
        pytest.param(",;:,", ",;:,", "", id="only separators"),
    ],
)  # fmt: skip
def test_sender(field: str | bytes, name: str, address: str) -> None:
    """Name and address are parsed; without a valid address, the field is the name."""
    field = field.encode() if isinstance(field, str) else field
    found = mail(b"From: " + field + b"\r\n")
    assert (found.sender_name, found.sender) == (name, address)


@pytest.mark.parametrize(
    ("field", "addresses"),
    [
        pytest.param("a@x.org, B <b@x.org>", ("a@x.org", "b@x.org"), id="several"),
        pytest.param("a@x.org; b@x.org", ("a@x.org", "b@x.org"), id="semicolons"),
        pytest.param("a@x.org,, ,b@x.org,", ("a@x.org", "b@x.org"), id="empty ones"),
        pytest.param('"B, c" <b@x.org>, D, E <d@x.org>', ("b@x.org", "d@x.org"), id="commas"),
        pytest.param("T: a@x.org, b@x.org;, c@x.org", ("a@x.org", "b@x.org", "c@x.org"), id="group"),
        pytest.param("a@x.org, <broken, b@x.org", ("a@x.org", "broken", "b@x.org"), id="open bracket"),
        pytest.param("a@x.org, nobody, <>, b@x.org", ("a@x.org", "nobody", "b@x.org"), id="no addresses"),
        pytest.param("undisclosed-recipients:;", (), id="undisclosed"),
        pytest.param("Undisclosed recipients <>", (), id="undisclosed, otherwise"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["To", "CC", "reply-to"])
def test_recipients(name: str, field: str, addresses: tuple[str, ...]) -> None:
    """All valid addresses of a field are returned."""
    found = mail(f"{name}: {field}\r\n")
    expected: dict[str, tuple[str, ...]] = {"to": (), "cc": (), "reply_to": ()}
    expected[name.lower().replace("-", "_")] = addresses
    assert expected == {key: getattr(found, key) for key in expected}


@pytest.mark.parametrize(
    ("header", "bulk"),
    [
        pytest.param("Subject: x", False, id="personal"),
        pytest.param("List-Id: <list.example.com>", True, id="list"),
        pytest.param("List-Id: ", False, id="empty List-Id"),
        pytest.param("Precedence: Bulk", True, id="bulk"),
        pytest.param("Precedence: list", True, id="precedence list"),
        pytest.param("precedence: junk ", True, id="junk"),
        pytest.param("Precedence: first-class", False, id="other precedence"),
        pytest.param("Auto-Submitted: auto-replied; x=y", True, id="automatic reply"),
        pytest.param("Auto-Submitted: auto-generated", True, id="generated"),
        pytest.param("Auto-Submitted: No", False, id="not automatic"),
        pytest.param(
            "Auto-Submitted: no; x=y", False, id="not automatic, with a parameter"
        ),
    ],
)
def test_bulk(header: str, bulk: bool) -> None:
    """Messages of mailing lists and programs are detected."""
    assert mail(header + "\r\n").bulk is bulk


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("Subject: a\nSubject: b\n", {"subject": "a"}, id="first of two counts"),
        pytest.param("SUBJECT : a\n", {"subject": "a"}, id="space before the colon"),
        pytest.param("Subject:a:b\n", {"subject": "a:b"}, id="colons"),
        pytest.param("From\nFrom: a@x.org\n", {"sender": "a@x.org"}, id="line without a colon"),
        pytest.param(" lost\nSubject: a\n", {"subject": "a"}, id="folded line first"),
        pytest.param("Subject: a\n\nSubject: b", {"subject": "a"}, id="after the empty line"),
        pytest.param("To: a@x.org\n\nTo: b@x.org\n\nSubject: a\n\n", {"to": ("a@x.org", "b@x.org"), "subject": "a"}, id="several sections"),
        pytest.param("Cc: a@x.org\nTo: b@x.org\nCc: c@x.org, d@x.org\n", {"cc": ("a@x.org", "c@x.org", "d@x.org"), "recipients": ("b@x.org", "a@x.org", "c@x.org", "d@x.org")}, id="several Cc fields"),
        pytest.param("To: list@x.org\nDelivered-To: me@x.org\nDelivered-To: <a@x.org>\nX-Original-To: b@x.org\n", {"to": ("list@x.org",), "recipients": ("list@x.org", "me@x.org", "a@x.org", "b@x.org")}, id="aliases"),
        pytest.param('To: "a@x.org\nTo: b@x.org (\nTo: c@x.org\n', {"to": ("a@x.org", "b@x.org", "c@x.org")}, id="open quote in one of several"),
        pytest.param("From: a@x.org\nFrom: b@x.org\n", {"sender": "a@x.org"}, id="first From"),
        pytest.param("Date: Mon, 30 Nov 2026 10:00:00 (EST) -0500\n", {"date": datetime.fromisoformat("2026-11-30T10:00:00-05:00")}, id="date"),
        pytest.param("Date: 30 Nov 2026\nDate: Mon, 30 Nov 2026 10:00:00 +0000\n", {"date": None}, id="first date"),
        pytest.param("Message-ID: <=?utf-8?Q?a?=@x>\n", {"message_id": "<=?utf-8?Q?a?=@x>"}, id="unusual Message-ID"),
        pytest.param("Message-ID:\n", {"message_id": None}, id="empty Message-ID"),
    ],
)  # fmt: skip
def test_header(header: str, expected: dict[str, object]) -> None:
    """Fields of unusual or malformed headers are found."""
    found = mail(header)
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("structure", "found"),
    [
        pytest.param(TEXT, [], id="text"),
        pytest.param(
            '("TEXT" "PLAIN" ("CHARSET" "UTF-8") NIL NIL "QUOTED-PRINTABLE" 42 2 NIL NIL NIL)', [], id="text, Gmail"
        ),
        pytest.param(f'({TEXT}{TEXT} "alternative" ("boundary" "b") NIL NIL NIL)', [], id="alternative"),
        pytest.param(
            f'({TEXT}("APPLICATION" "PDF" ("NAME" "a.pdf") "<id>" NIL "BASE64" 9 NIL'
            ' ("ATTACHMENT" ("FILENAME" "a.pdf")) NIL) "MIXED" ("BOUNDARY" "b") NIL NIL)',
            [("2", "a.pdf")],
            id="mixed, Gmail",
        ),
        pytest.param(
            f'({TEXT}("application" "pdf" ("name" "a.pdf") NIL "a.pdf" "base64" 9 NIL ("attachment"'
            ' ("filename" "a.pdf" "size" "6" "creation-date" "Mon, 23 Nov 2026 09:58:40 GMT"'
            ' "modification-date" "Mon, 23 Nov 2026 09:58:40 GMT")) NIL NIL) "mixed"'
            ' ("boundary" "b") NIL ("en-US"))',
            [("2", "a.pdf")],
            id="mixed, Exchange",
        ),
        pytest.param(
            f'((({TEXT}{TEXT} "ALTERNATIVE" ("BOUNDARY" "c") NIL NIL NIL)("IMAGE" "PNG" ("NAME" "l.png")'
            ' "<l>" NIL "BASE64" 6 NIL ("INLINE" ("FILENAME" "l.png")) NIL NIL) "RELATED" ("BOUNDARY" "b"'
            ' "TYPE" "multipart/alternative") NIL NIL NIL)("APPLICATION" "ZIP" NIL NIL NIL "BASE64" 6 NIL'
            ' ("ATTACHMENT" ("FILENAME" "a.zip")) NIL NIL) "MIXED" ("BOUNDARY" "a") NIL NIL NIL)',
            [("1.2", "l.png"), ("2", "a.zip")],
            id="related in mixed, Cyrus",
        ),
        pytest.param(
            f'({TEXT}("text" "plain" ("name" "=?utf-8?B?w6QudHh0?=") NIL NIL "7bit" 3 1 NIL'
            ' ("attachment" NIL) NIL NIL) "mixed")',
            [("2", "ä.txt")],
            id="text as a file",
        ),
        pytest.param(
            '("text" "calendar" ("method" "REQUEST" "name" "meet.ics") NIL NIL "base64" 3 1)',
            [("1", "meet.ics")],
            id="invitation",
        ),
        pytest.param(
            '("text" "calendar" ("method" "REQUEST") NIL NIL "7bit" 3 1)',
            [("1", "attachment-1.ics")],
            id="invitation without a name",
        ),
        pytest.param('("image" "png" NIL "<x>" NIL "base64" 3 NIL ("inline" NIL) NIL NIL)', [("1", "attachment-1.png")], id="nameless image"),
        pytest.param(PART.format("NIL", '("attachment" NIL)'), [("1", "attachment-1.pdf")], id="nameless file"),
        pytest.param(PART.format("NIL", '"attachment"'), [("1", "attachment-1.pdf")], id="disposition that is not a list"),
        pytest.param(PART.format("NIL", '("attachment" "x")'), [("1", "attachment-1.pdf")], id="parameters that are not a list"),
        pytest.param(PART.format("NIL", "NIL").replace("NIL NIL)", '("de" "en") NIL)'), [("1", "attachment-1.pdf")], id="two languages"),
        pytest.param('("application" "pdf" ("name" "a.pdf"))', [("1", "a.pdf")], id="cut short"),
        pytest.param(f'({TEXT}() NIL {TEXT} "mixed")', [], id="holes"),
        pytest.param(f'({TEXT}()("a" "b" ("name" "c")) "mixed")', [("3", "c")], id="empty part counts"),
        pytest.param(
            f'({TEXT} "mixed" ("message" "rfc822" "a" "b" "c" "d" "e" "f") ("attachment" ("filename" "x")))',
            [],
            id="parameters like a part",
        ),
        pytest.param(
            '("message" "delivery-status" ("name" "d.txt") NIL NIL "7bit" 9 NIL NIL NIL NIL)',
            [("1", "d.txt")],
            id="delivery status",
        ),
        pytest.param(
            f'({TEXT}("message" "rfc822" ("name" "fwd.eml") NIL NIL "7bit" 99 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL)'
            f' ({TEXT}("a" "b" ("name" "in")) "mixed") 3 NIL ("inline" ("filename" "f.eml")) NIL NIL)'
            '("a" "b" ("name" "out")) "digest")',
            [("2", "f.eml"), ("3", "out")],
            id="forwarded",
        ),
        pytest.param(
            f'("message" "rfc822" NIL NIL NIL "7bit" 99 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ({TEXT} "mixed") 3)',
            [("1", "attachment-1.eml")],
            id="only a forwarded message",
        ),
        pytest.param("(" * 60 + '"a" "b" ("name" "deep")' + ")" * 60, [(".".join(["1"] * 59), "deep")], id="60 deep"),
    ],
)  # fmt: skip
def test_structure(structure: str, found: list[tuple[str, str | None]]) -> None:
    """Files and their part numbers are found in structures of various servers."""
    assert files(mail(structure=structure)) == found


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        pytest.param('"filename" "a.pdf"', "a.pdf", id="plain"),
        pytest.param('"FILENAME" "Bob\'s \\"best\\" \\\\ file"', "Bob's \"best\" \\ file", id="apostrophe, quotes"),
        pytest.param("\"filename*\" \"utf-8''%C3%84%20b.pdf\"", "Ä b.pdf", id="RFC 2231"),
        pytest.param("\"filename*\" \"iso-8859-15'de'%A4.pdf\"", "€.pdf", id="charset and language"),
        pytest.param("\"filename*\" \"''%C3%84.pdf\"", "Ä.pdf", id="no charset"),
        pytest.param("\"filename*\" \"x-none''%C4.pdf\"", "Ä.pdf", id="unknown charset"),
        pytest.param("\"filename*\" \"\xff''a\"".encode("latin-1"), "a", id="charset that is not ASCII"),
        pytest.param('"filename*" "%C3%84.pdf"', "Ä.pdf", id="percent encoding only"),
        pytest.param("\"filename*\" \"utf-8''Bob's%ZZ.pdf\"", "Bob's%ZZ.pdf", id="apostrophe within"),
        pytest.param('"filename*0" "a-" "filename*1" "b-" "filename*2" "c"', "a-b-c", id="continued"),
        pytest.param('"filename*1" "b" "filename*10" "d" "filename*2" "c" "filename*0" "a"', "abcd", id="any order"),
        pytest.param(
            "\"filename*0*\" \"utf-8''%C3\" \"filename*1*\" \"%84\" \"filename*2\" \"%41'b'\"", "Ä%41'b'", id="mixed"
        ),
        pytest.param("\"filename\" \"a.pdf\" \"filename*\" \"utf-8''%C3%84.pdf\"", "Ä.pdf", id="two forms"),
        pytest.param("\"filename*\" \"utf-8''%C3%84.pdf\" \"filename\" \"a.pdf\"", "Ä.pdf", id="two forms, reversed"),
        pytest.param('"filename" "a.pdf" "filename*0" "b." "filename*1" "pdf"', "b.pdf", id="plain and continued"),
        pytest.param('"filename" "a.pdf" "filename" "b.pdf"', "a.pdf", id="twice"),
        pytest.param('"filename" "=?iso-8859-1?Q?=C4.pdf?="', "Ä.pdf", id="RFC 2047"),
        pytest.param('"filename" "=?utf-8?Q?=C3?= =?utf-8?Q?=84.pdf?="', "Ä.pdf", id="RFC 2047, split"),
        pytest.param('"filename" "Ä.pdf"', "Ä.pdf", id="raw UTF-8"),
        pytest.param('"filename" "Ä.pdf"'.encode("latin-1"), "Ä.pdf", id="raw Latin-1"),
        pytest.param(b'"filename" {9}\r\nA\r\n\tB.pdf', "A B.pdf", id="folded, in a literal"),
        pytest.param('"filename" NIL "name" "x"', "attachment-1.pdf", id="NIL"),
        pytest.param('"filename*x" "a" "filename**" "b" "filename*0000" "c"', "attachment-1.pdf", id="not a form of it"),
        pytest.param('"filename"', "attachment-1.pdf", id="no value"),
        pytest.param('("filename") "a" "filename" ("b")', "attachment-1.pdf", id="lists"),
    ],
)  # fmt: skip
def test_file_name(parameters: str | bytes, name: str) -> None:
    """File names in all forms of RFC 2047, RFC 2183 and RFC 2231 are decoded."""
    parameters = parameters.encode() if isinstance(parameters, str) else parameters
    structure = PART.encode().replace(b"{}", b"NIL", 1)
    structure = structure.replace(b"{}", b'("attachment" (' + parameters + b"))")
    assert files(mail(structure=structure)) == [("1", name)]


@pytest.mark.parametrize(
    ("kind", "subtype", "content_type"),
    [
        pytest.param(b"TEXT", b"Plain", "text/plain", id="any case"),
        pytest.param(b"application", b"vnd.ms-excel+x", "application/vnd.ms-excel+x", id="token"),
        pytest.param(b"text\x1b[2J\r\n", b"html", "text/plain", id="controls"),
        pytest.param(b"text", b"html\nERROR (MainThread) x", "text/plain", id="forged log line"),
        pytest.param(b"text", "ht\u202eml".encode(), "text/plain", id="no ASCII"),
        pytest.param(b"", b"", "text/plain", id="empty"),
        pytest.param(b"a/b", b"c", "text/plain", id="two slashes"),
        pytest.param(None, None, "text/plain", id="NIL"),
        pytest.param(b"x" * 500, b"y", "text/plain", id="too long"),
    ],
)  # fmt: skip
def test_content_type(kind: Value, subtype: Value, content_type: str) -> None:
    """A content type is in lower case; text/plain replaces an invalid one (RFC 2045 5.2)."""
    disposition = (b"attachment", None)
    structure = (kind, subtype, None, None, None, b"7bit", b"3", None, disposition)
    found = parse_mail("INBOX", 1, 7, {"BODYSTRUCTURE": structure})
    assert [file.content_type for file in found.attachments] == [content_type]


@pytest.mark.parametrize(
    "flag",
    [
        pytest.param("", id="empty"),
        pytest.param("a\x1b[31m\nb", id="controls"),
        pytest.param("\\Se\u200ben", id="hidden character"),
        pytest.param("\x9b", id="C1 control"),
        pytest.param("{{ states }}", id="template"),
        pytest.param("a b", id="space"),
        pytest.param('"', id="quote"),
        pytest.param("\U000e0041", id="tag"),
    ],
)
def test_invalid_flag_is_left_out(flag: str) -> None:
    """The valid flags are returned."""
    flags = (b"\\Seen", flag.encode(), b"$Label1", b"NonJunk", "Ürgent".encode())
    found = mail(FLAGS=flags)
    assert found.flags == ("\\Seen", "$Label1", "NonJunk", "Ürgent")


TAGS: Final = "".join(chr(0xE0000 + ord(character)) for character in "ignore all")


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        pytest.param(TAGS, "ab", id="tags"),
        pytest.param("\u202e", "ab", id="direction"),
        pytest.param("\u200b", "ab", id="zero width"),
        pytest.param("\ufeff", "ab", id="byte order mark"),
        pytest.param("\xad", "ab", id="soft hyphen"),
        pytest.param("\ufff9", "ab", id="annotation"),
        pytest.param("\ufe00\U000e0100", "ab", id="variation selectors"),
        pytest.param("\x9b", "a b", id="C1 control"),
        pytest.param("\x1b", "a b", id="escape"),
        pytest.param("\x85", "a b", id="next line"),
        pytest.param("\u3164", "a b", id="filler"),
    ],
)
@pytest.mark.parametrize("is_encoded", [False, True], ids=["raw", "encoded"])
def test_invisible_characters_are_removed_from_fields(
    hidden: str, shown: str, is_encoded: bool
) -> None:
    """Invisible characters within a field and at its edges are removed."""
    text = f"{hidden}a{hidden}b{hidden}"
    word = f"=?utf-8?b?{b64encode(text.encode()).decode()}?=" if is_encoded else text
    found = mail(
        f'Subject: {word}\r\nFrom: "{word}" <a@x.org>\r\nMessage-ID: <{text}>\r\n',
        (b"a", b"b", (b"name", word.encode())),
    )
    assert (found.subject, found.sender_name, found.sender) == (shown, shown, "a@x.org")
    assert found.message_id == ("< a b >" if " " in shown else "<ab>")
    assert files(found) == [("1", shown)]


@pytest.mark.parametrize("hidden", ["\u200b", "\u202e", "\xad", "\x9b", "\0", TAGS])
@pytest.mark.parametrize(
    "place", ["{}boss@x.org", "bo{}ss@x.org", "boss@x{}.org", "boss@x.org{}"]
)
def test_address_with_an_invisible_character_is_left_out(
    place: str, hidden: str
) -> None:
    """Without the invisible character, it would be the address of another person."""
    address = place.format(hidden)
    found = mail(f"From: <{address}>\r\nTo: {address}, a@x.org\r\nCc: <{address}>")
    assert (found.sender, found.to, found.cc) == ("", ("a@x.org",), ())
    assert found.sender_name == one_line(f"<{address}>")


# Messages, and their BODYSTRUCTURE as Dovecot 2.3 sends it.


def with_boundaries(message: EmailMessage) -> bytes:
    """Return the octets of a message, with constant boundaries."""
    for number, part in enumerate(message.walk()):
        if part.get_content_maintype() == "multipart":
            part.set_boundary(f"b{number}")
    return message.as_bytes(policy=SMTP)


def everything() -> bytes:
    """Return a message with alternatives, an inline image and various files."""
    message = EmailMessage()
    message["Subject"] = "everything"
    message.set_content("Hello.\n")
    message.add_alternative("<img src=cid:x>", subtype="html")
    html = message.get_body()
    assert isinstance(html, EmailMessage)
    html.add_related(
        b"PNG", "image", "png", cid="<x>", filename="logo.png", disposition="inline"
    )
    message.add_attachment(b"%PDF", "application", "pdf", filename="report.pdf")
    message.add_attachment(b"BEGIN:", "text", "calendar", filename="invite.ics")
    for filename in ("Résumé – très long nom de fichier " * 3, 'Bob\'s "best" file'):
        message.add_attachment(b"x", "application", "x", filename=filename.strip())
    return with_boundaries(message)


def forwarded() -> bytes:
    """Return a message with a file and an embedded message, which has a file and a message."""
    innermost = EmailMessage()
    innermost["Subject"] = "innermost"
    innermost.set_content("innermost\n")
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("inner\n")
    inner.add_attachment(b"inner", "application", "zip", filename="inner.zip")
    inner.add_attachment(innermost)
    message = EmailMessage()
    message.set_content("See below.\n")
    message.add_attachment(inner)
    message.add_attachment(b"outer", "application", "pdf", filename="outer.pdf")
    return with_boundaries(message)


def nested() -> bytes:
    """Return a message with a multipart in a multipart, and files before and after it."""
    deep = EmailMessage()
    deep.set_content("deep\n")
    deep.add_attachment(b"one", "application", "x", filename="one")
    deep.add_attachment(b"two", "application", "x", filename="two")
    message = EmailMessage()
    message.make_mixed()
    message.add_attachment(b"first", "application", "x", filename="first")
    message.attach(deep)
    message.add_attachment(b"last", "application", "x", filename="last")
    return with_boundaries(message)


def single() -> bytes:
    """Return a message that consists of a file only."""
    message = EmailMessage()
    message.set_content(
        b"%PDF", "application", "pdf", disposition="attachment", filename="scan.pdf"
    )
    return with_boundaries(message)


EVERYTHING: Final = (
    '((("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 8 1 NIL NIL NIL NIL)(("text" "html"'
    ' ("charset" "utf-8") NIL NIL "7bit" 17 1 NIL NIL NIL NIL)("image" "png" NIL "<x>" NIL'
    ' "base64" 6 NIL ("inline" ("filename" "logo.png")) NIL NIL) "related" ("boundary" "b3")'
    ' NIL NIL NIL) "alternative" ("boundary" "b1") NIL NIL NIL)("application" "pdf" NIL NIL NIL'
    ' "base64" 10 NIL ("attachment" ("filename" "report.pdf")) NIL NIL)("text" "calendar"'
    ' ("charset" "us-ascii") NIL NIL "base64" 10 1 NIL ("attachment" ("filename" "invite.ics"))'
    ' NIL NIL)("application" "x" NIL NIL NIL "base64" 6 NIL ("attachment" ("filename*"'
    " \"utf-8''R%C3%A9sum%C3%A9%20%E2%80%93%20tr%C3%A8s%20long%20nom%20de%20fichier%20"
    "R%C3%A9sum%C3%A9%20%E2%80%93%20tr%C3%A8s%20long%20nom%20de%20fichier%20"
    'R%C3%A9sum%C3%A9%20%E2%80%93%20tr%C3%A8s%20long%20nom%20de%20fichier")) NIL NIL)'
    '("application" "x" NIL NIL NIL "base64" 6 NIL ("attachment" ("filename"'
    ' "Bob\'s \\"best\\" file")) NIL NIL) "mixed" ("boundary" "b0") NIL NIL NIL)'
)
FORWARDED: Final = (
    '(("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 12 1 NIL NIL NIL NIL)("message" "rfc822"'
    ' NIL NIL NIL "8bit" 597 (NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL) (("text" "plain"'
    ' ("charset" "utf-8") NIL NIL "7bit" 7 1 NIL NIL NIL NIL)("application" "zip" NIL NIL NIL'
    ' "base64" 10 NIL ("attachment" ("filename" "inner.zip")) NIL NIL)("message" "rfc822" NIL NIL'
    ' NIL "8bit" 128 (NIL "innermost" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset"'
    ' "utf-8") NIL NIL "7bit" 11 1 NIL NIL NIL NIL) 6 NIL ("attachment" NIL) NIL NIL) "mixed"'
    ' ("boundary" "b3") NIL NIL NIL) 32 NIL ("attachment" NIL) NIL NIL)("application" "pdf" NIL'
    ' NIL NIL "base64" 10 NIL ("attachment" ("filename" "outer.pdf")) NIL NIL) "mixed"'
    ' ("boundary" "b0") NIL NIL NIL)'
)
NESTED: Final = (
    '(("application" "x" NIL NIL NIL "base64" 10 NIL ("attachment" ("filename" "first")) NIL NIL)'
    '(("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 6 1 NIL NIL NIL NIL)("application" "x"'
    ' NIL NIL NIL "base64" 6 NIL ("attachment" ("filename" "one")) NIL NIL)("application" "x" NIL'
    ' NIL NIL "base64" 6 NIL ("attachment" ("filename" "two")) NIL NIL) "mixed" ("boundary" "b2")'
    ' NIL NIL NIL)("application" "x" NIL NIL NIL "base64" 10 NIL ("attachment" ("filename"'
    ' "last")) NIL NIL) "mixed" ("boundary" "b0") NIL NIL NIL)'
)
SINGLE: Final = (
    '("application" "pdf" NIL NIL NIL "base64" 10 NIL ("attachment" ("filename" "scan.pdf"))'
    " NIL NIL)"
)


def numbered(
    part: EmailMessage, number: str = ""
) -> Iterator[tuple[str, EmailMessage]]:
    """Yield number and part of each leaf (RFC 3501 6.4.5)."""
    if part.get_content_maintype() != "multipart":
        yield number or "1", part
        return
    for index, child in enumerate(part.iter_parts(), 1):
        assert isinstance(child, EmailMessage)
        yield from numbered(child, f"{number}.{index}" if number else f"{index}")


def size_of(part: EmailMessage) -> int:
    """Return the number of octets of the encoded body of a part."""
    if part.get_content_type() == "message/rfc822":
        return len(part.get_content().as_bytes(policy=SMTP))
    return len(str(part.get_payload()).encode())


@pytest.mark.parametrize(
    ("wire", "structure"),
    [
        pytest.param(everything(), EVERYTHING, id="everything"),
        pytest.param(forwarded(), FORWARDED, id="forwarded"),
        pytest.param(nested(), NESTED, id="nested"),
        pytest.param(single(), SINGLE, id="single"),
    ],
)
def test_attachments_are_those_that_python_finds(wire: bytes, structure: str) -> None:
    """Number, name, type and size of each file are the same as those of the email package."""
    parsed = message_from_bytes(wire, policy=SMTP)
    assert isinstance(parsed, EmailMessage)
    expected = [
        (
            number,
            part.get_filename() or f"attachment-{number}.eml",
            part.get_content_type(),
            size_of(part),
        )
        for number, part in numbered(parsed)
        if part.get_filename() or part.is_attachment()
    ]
    assert expected == [
        (item.part, item.filename, item.content_type, item.size)
        for item in mail(structure=structure).attachments
    ]


def test_files_of_an_embedded_message_are_not_listed() -> None:
    """An embedded message is one file, and the next part has the next number."""
    found = mail(structure=FORWARDED)
    assert files(found) == [("2", "attachment-2.eml"), ("3", "outer.pdf")]


# Characters for fields of maximum size.
WIDE: Final = "😀"
WORST: Final = {
    "quotes": '"\\',
    "controls": "\x01",
    "emoji": WIDE,
    "letters": "x",
    "Latin-1": "ä",
}


def worst_header(character: str, count: int) -> bytes:
    """Return a header with `count` characters or addresses in each field."""
    text = character * count
    people = ", ".join(f'"{index}{WIDE * 9}" <{index}@x.org>' for index in range(count))
    lines = [f"{name}: {people}" for name in ("To", "Cc", "Reply-To")]
    lines += [f"From: {json.dumps(text)} <{'a' * count}@x.org>"]
    lines += [
        f"Subject: {text}",
        f"Message-ID: <{text}>",
        f"Authentication-Results: {text}; spf=fail; dkim=fail; dmarc=fail header.from={text}",
        "Date: 1 Jan 2026 00:00:00 +0000",
    ]
    return "\r\n".join(lines).encode()


def worst_structure(character: str, count: int) -> Value:
    """Return a multipart of `count` files whose names and types have `count` characters."""
    name = (character * count).encode()
    file = (name, b"x" * count, (b"name", name), None, None, b"7bit", b"9" * 18)
    return (*[file] * max(count, 1), b"mixed")


def as_event(found: Mail) -> dict[str, object]:
    """Return the fields of a mail in an event."""
    dates = {
        name: date and date.isoformat()
        for name, date in (("date", found.date), ("received", found.received))
    }
    return fields_of(replace(found, recipients=())) | dates


@pytest.mark.parametrize("count", [1, 50, 400, 2_000, 20_000])
@pytest.mark.parametrize("character", WORST.values(), ids=WORST)
def test_size_of_an_event_is_limited(character: str, count: int) -> None:
    """An event is smaller than 24 KB, and `truncated` is set if a field was shortened."""
    found = parse_mail(
        "INBOX",
        4_294_967_295,
        4_294_967_295,
        {
            "BODY": worst_header(character, count),
            "FLAGS": (f"${character}".encode(),) * count,
            "INTERNALDATE": b"23-Nov-2026 09:58:43 +0100",
            "RFC822.SIZE": b"9" * 18,
            "BODYSTRUCTURE": worst_structure(character, min(count, 2_000)),
        },
    )
    event = as_event(found)
    assert len(orjson.dumps(event)) < 24 * 1024
    size = len(json.dumps(event, ensure_ascii=False).encode())
    assert size < 24 * 1024
    assert size <= size_in_event(found) < size + 1_500 + 250 * len(found.attachments)
    assert found.truncated or count < 400
    assert not found.truncated or count > 1


@pytest.mark.parametrize("count", [300, MAX_RECIPIENTS])
@pytest.mark.parametrize("name", ["To", "Cc"])
def test_all_recipients(name: str, count: int) -> None:
    """Filters get all recipients, and the event as many as fit."""
    expected = tuple(f"p{number}@example.org" for number in range(count))
    people = ",\r\n ".join(f"Person {address} <{address}>" for address in expected)
    found = mail(f"{name}: {people[: MAX_HEADER * 2]}\r\nSubject: x\r\n")
    reached = len(found.recipients)
    assert found.recipients == expected[:reached]
    assert reached == count or len(", ".join(expected)) * 2 > MAX_HEADER
    shown = found.to or found.cc
    assert shown == expected[: len(shown)]
    assert len(shown) < 300
    assert found.subject == "x"
    assert found.truncated


@pytest.mark.parametrize(
    ("header", "recipients"),
    [
        pytest.param(
            "To: " + ",".join(["a@x.org"] * 3_000),
            ("a@x.org",) * MAX_RECIPIENTS,
            id="many short ones",
        ),
        pytest.param(
            "To: " + ",".join(["a@x.org"] * 3_000) + "\r\nCc: b@x.org",
            (*("a@x.org",) * MAX_RECIPIENTS, "b@x.org"),
            id="Cc after a long To",
        ),
        pytest.param(
            "To: a@x.org, " + "x" * 70_000 + "@x.org, b@x.org\r\nTo: c@x.org",
            ("a@x.org", "c@x.org"),
            id="no partial address",
        ),
        pytest.param(
            "To: a@x.org\r\n" * 3_000,
            ("a@x.org",) * MAX_RECIPIENTS,
            id="many fields",
        ),
    ],
)
def test_number_of_recipients_is_limited(
    header: str, recipients: tuple[str, ...]
) -> None:
    """The first addresses of To and of Cc are returned, and `truncated` is set."""
    found = mail(header + "\r\nSubject: x\r\n")
    assert (found.recipients, found.subject, found.truncated) == (recipients, "x", True)


@pytest.mark.parametrize(
    ("header", "authentication"),
    [
        pytest.param("Subject: x", None, id="none"),
        pytest.param(
            "Authentication-Results: mx.a.example; dmarc=fail\n"
            "Authentication-Results: mx.b.example; dmarc=pass\nFrom: a@x.org",
            Authentication(server="mx.a.example", dmarc="fail"),
            id="topmost",
        ),
        pytest.param(
            "Authentication-Results:\nAuthentication-Results: mx; dmarc=pass\nFrom: a@x.org",
            None,
            id="topmost is empty",
        ),
        pytest.param(
            "Authentication-Results: mx; spf=pass; dmarc=pass\nFrom: a@x.org, b@x.org",
            Authentication(server="mx", spf="pass"),
            id="two authors",
        ),
        pytest.param(
            "Authentication-Results: mx; dmarc=pass\nFrom: a@x.org\nFrom: b@x.org",
            Authentication(server="mx"),
            id="two From fields",
        ),
    ],
)
def test_authentication(header: str, authentication: Authentication | None) -> None:
    """The topmost field counts, and the result of DMARC only for a single author."""
    assert mail(header + "\n").authentication == authentication


LIMITS: Final = [
    pytest.param("subject", b"Subject: %s\r\n", b"", 1_998, id="subject"),
    pytest.param("message_id", b"Message-ID: %s\r\n", b"", 998, id="Message-ID"),
    pytest.param(
        "sender_name", b'From: "%s" <a@x.org>\r\n', b"", 498, id="sender's name"
    ),
    pytest.param("sender", b"From: <%s@x.org>\r\n", b"@x.org", 392, id="sender"),
]


@pytest.mark.parametrize(("name", "header", "end", "size"), LIMITS)
def test_long_field_is_shortened(
    name: str, header: bytes, end: bytes, size: int
) -> None:
    """`truncated` is set if and only if a field was shortened."""
    whole = mail(header % (b"x" * size))
    assert getattr(whole, name) == "x" * size + end.decode()
    assert not whole.truncated
    longer = mail(header % (b"x" * (size + 1)))
    assert 0 < len(getattr(longer, name)) < size
    assert longer.truncated


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(mail("Subject: a" + "ä" * 4_000), {"subject": "a" + "ä" * 842}, id="no partial character"),
        pytest.param(mail("Subject: " + "ä" * 4_000), {"subject": "ä" * 843}, id="no partial character, other alignment"),
        pytest.param(
            mail("Subject: " + " ".join(["=?utf-8?Q?=F0=9F=98=80_?="] * 300)),
            {"subject": " ".join([WIDE] * 230)},
            id="no partial encoded-word",
        ),
        pytest.param(
            mail("Reply-To: " + ", ".join([f'"{"x" * 300}" <ada@example.com>'] * 30)),
            {"reply_to": ("ada@example.com",) * 18},
            id="no partial address",
        ),
        pytest.param(
            mail("To: " + ", ".join(["ada@example.com"] * 300)),
            {"to": ("ada@example.com",) * 210},
            id="many addresses",
        ),
        pytest.param(
            mail("To: " + ",\r\n ".join(["ada@example.com"] * 3_000) + "\r\nSubject: x\r\nFrom: a@x.org"),
            {"to": ("ada@example.com",) * 210, "subject": "x", "sender": "a@x.org"},
            id="fields after a long one",
        ),
        pytest.param(
            mail(("Subject: x\r\n" + "X: y\r\n" * 20_000)[: MAX_HEADER - 12] + "From: a@x.or"),
            {"subject": "x", "sender": ""},
            id="header cut within a line",
        ),
        pytest.param(
            mail(FLAGS=(b"$" + b"x" * 95,) * 30), {"flags": ("$" + "x" * 95,) * 20}, id="many flags"
        ),
        pytest.param(
            mail(structure=PART.format(f'("name" "a{" " * 7_000}.exe")', "NIL")),
            {"attachments": mail(structure=PART.format('("name" "a")', "NIL")).attachments},
            id="file name that hides its end",
        ),
    ],
)  # fmt: skip
def test_rest_of_a_long_field_is_correct(
    found: Mail, expected: dict[str, object]
) -> None:
    """The beginning of the field has the right value, and `truncated` is set."""
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.truncated


LONG_NAME: Final = "x" * 5_970


@pytest.mark.parametrize(
    ("header", "sender"),
    [
        pytest.param(f'"{LONG_NAME}" <bank@bank.example.evil.example>', "", id="within the address"),
        pytest.param(f'"<bank@bank.example>, {LONG_NAME * 2}" <evil@evil.example>', "", id="within a quoted name"),
        pytest.param(f'"bank@bank.example, {LONG_NAME * 2}" <evil@evil.example>', "", id="within a quoted address"),
        pytest.param(f"(<bank@bank.example>, {LONG_NAME * 2}) <evil@evil.example>", "", id="within a comment"),
        pytest.param(f"<a@a.example>, <b@b.example>, {LONG_NAME * 2} <c@c.example>", "a@a.example", id="within the third author"),
        pytest.param(f"<{'a' * 287}@bank.example{'.evil' * 40}.example>", ".evil" * 18 + ".example", id="long address"),
        pytest.param(f"<{'a' * 387}@bank.example.evil.example>", "@bank.example.evil.example", id="long local part"),
    ],
)  # fmt: skip
def test_sender_of_a_truncated_field(header: str, sender: str) -> None:
    """The address of another person is neither address nor name, as filters use both."""
    found = mail(f"From: {header}")
    assert (found.sender or found.sender_name).endswith(sender)
    assert bool(found.sender or found.sender_name) is bool(sender)
    assert found.truncated


def test_sender_of_a_truncated_header() -> None:
    """An address at the beginning of a quoted name is not the sender."""
    fields = "To: " + "x" * (MAX_HEADER - 42) + '\r\nFrom: "<bank@bank.example>,\r\n x'
    found = mail(fields + "x" * (MAX_HEADER - len(fields)))
    assert (found.sender, found.sender_name) == ("", "")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        pytest.param("MAILER DAEMON <>", "MAILER DAEMON", id="plain"),
        pytest.param('"Mail Delivery System" <>', "Mail Delivery System", id="quoted"),
        pytest.param('"a" "b" <>', '"a" "b"', id="two quoted"),
        pytest.param("<>", "<>", id="only the path"),
    ],
)
def test_sender_with_the_null_path(header: str, name: str) -> None:
    """The sender has a name and no address."""
    found = mail(f"From: {header}")
    assert (found.sender, found.sender_name) == ("", name)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(
            mail("Subject: a\r\nSubject: " + "b" * 9_000), id="second of a field"
        ),
        pytest.param(mail("X-Other: " + "b" * 9_000), id="field that is not requested"),
        pytest.param(
            mail("Subject: " + "=?utf-8?Q?=C3=A4?= " * 250), id="long until decoded"
        ),
        pytest.param(
            mail(structure=PART.format(f'("other" "{"x" * 9_000}")', "NIL")),
            id="other parameter",
        ),
    ],
)
def test_parts_without_effect_do_not_set_truncated(found: Mail) -> None:
    """`truncated` is not set if no field of the mail is shorter."""
    assert not found.truncated


@pytest.mark.parametrize("pieces", [1, 10, 200])
def test_file_name_in_sections_is_limited(pieces: int) -> None:
    """A name of many long sections is shortened, and `truncated` is set."""
    name = " ".join(f'"name*{index}*" "{"%41" * 3_000}"' for index in range(pieces))
    found = mail(structure=PART.format(f"({name})", "NIL"))
    [attachment] = found.attachments
    assert attachment.filename
    assert set(attachment.filename) == {"A"}
    assert found.truncated


HOSTILE: Final = [
    "(", "()", "\\(", "<", "<>", '"', '\\"', '"\\', ",", ":", ";", "a@", "@,", "a:", "a,", "[", "[]", "=?",
    "=?a?q?x", "=?a?q?x?=", "=?a?b?A?= ", " ", "\r\n ", "\r\n\t\r\n ", "\r", "\0", "\xff", WIDE, "a b ",
]  # fmt: skip


@pytest.mark.parametrize("pattern", HOSTILE, ids=ascii)
def test_work_for_a_malicious_header_is_limited(pattern: str) -> None:
    """To and Cc are parsed one time, and of other fields only a small part of 60 KB."""
    spent: list[int] = []
    found: list[str] = []
    text = pattern * (60_000 // len(pattern.encode()))
    fields = HEADER_FIELDS.split()
    header = "\r\n".join(f"{name}: {text}" for name in fields)
    with observed(
        {
            Budget.spend: lambda given: spent.append(len(given["octets"])),
            lexemes: lambda given: found.append(given["kind"]),
        }
    ):
        mail(header)
    assert spent
    # From, Reply-To, Delivered-To, X-Original-To and Date; Authentication-Results with and without
    # comments.
    assert found or not text.strip()
    assert len(found) <= 2 * 60_001 + 9 * 6_001
    # The payload of an encoded-word is counted again when it is decoded.
    assert sum(spent) <= 2 * len(fields) * 6_000


HEADERS: Final = st.lists(
    st.tuples(
        st.sampled_from(HEADER_FIELDS.split()).map(str.encode),
        st.binary(max_size=60)
        | st.lists(st.sampled_from(HOSTILE)).map(lambda texts: "".join(texts).encode())
        | st.text(max_size=30).map(lambda text: text.encode(errors="surrogatepass")),
    ).map(b": ".join),
    max_size=12,
).map(b"\r\n".join)
VALUES_BY_FIELD: Final = {
    "SUBJECT": ("subject",),
    "DATE": ("date",),
    "MESSAGE-ID": ("message_id",),
    "REPLY-TO": ("reply_to",),
    "TO": ("to", "recipients"),
    "CC": ("cc", "recipients"),
    "FROM": ("sender", "sender_name", "authentication"),
    "AUTHENTICATION-RESULTS": ("authentication",),
    "LIST-ID": ("bulk",),
    "PRECEDENCE": ("bulk",),
    "AUTO-SUBMITTED": ("bulk",),
    "DELIVERED-TO": ("recipients",),
    "X-ORIGINAL-TO": ("recipients",),
}
LINES: Final = st.binary(max_size=60).map(
    lambda octets: octets.replace(b"\n", b"")
) | st.lists(
    st.sampled_from([*HOSTILE, "=?utf-8?q?=C3=A4?=", "1 Jan 2026 10:00 +0100"])
).map(lambda texts: "".join(texts).encode())


@settings(max_examples=250, deadline=None, database=None)
@given(
    values=st.lists(LINES, min_size=13, max_size=13),
    changed=st.sampled_from(sorted(VALUES_BY_FIELD)),
    value=LINES,
    repeated=st.sampled_from([1, 1_000]),
)
def test_no_field_influences_another(
    values: list[bytes], changed: str, value: bytes, repeated: int
) -> None:
    """When a field changes, even to a very long one, the values of all others are unchanged."""
    names = HEADER_FIELDS.split()
    lines = dict(zip(names, values, strict=True))
    before = fields_of(mail(header_of(lines)))
    after = fields_of(mail(header_of(lines | {changed: value * repeated})))
    for name in (*VALUES_BY_FIELD[changed], "truncated"):
        del before[name], after[name]
    assert before == after


def header_of(lines: dict[str, bytes]) -> bytes:
    """Return a header of these fields."""
    return b"".join(name.encode() + b": " + lines[name] + b"\r\n" for name in lines)


LEAVES: Final = st.none() | st.binary(max_size=20) | st.sampled_from(
    [b"attachment", b"filename", b"filename*", b"name*0*", b"name", b"message", b"rfc822", b"utf-7''+2D0-"]
)  # fmt: skip
VALUES: Final = st.recursive(
    LEAVES, lambda children: st.lists(children, max_size=9).map(tuple), max_leaves=40
)


@settings(max_examples=250, deadline=None, database=None)
@given(
    header=HEADERS | st.binary(max_size=300),
    structure=VALUES,
    flags=VALUES,
    date=LEAVES,
    size=LEAVES,
)
def test_any_octets(
    header: bytes, structure: Value, flags: Value, date: Value, size: Value
) -> None:
    """Any octets become a mail that can be an event, and no error."""
    items = {"BODY": header, "FLAGS": flags, "INTERNALDATE": date, "RFC822.SIZE": size}
    found = parse_mail("INBOX", 1, 7, items | {"BODYSTRUCTURE": structure})
    assert len(orjson.dumps(as_event(found))) < 24 * 1024
    assert replace(found) == found


@pytest.mark.parametrize("depth", [50, 1_000, 100_000])
def test_structure_of_any_depth(depth: int) -> None:
    """Deep nesting does not raise RecursionError."""
    mail(structure="(" * depth + TEXT + ")" * depth)
    mail("From: " + "(" * depth + ")" * depth + "\r\nTo: " + "a:" * depth)


def test_number_of_parts_is_limited() -> None:
    """Only MAX_PARTS parts are parsed, as more would block the event loop."""
    structure = (*((b"text", b"plain"),) * 6_000, b"mixed")
    budget = Budget()
    message = parse_structure(structure, budget)
    assert message is not None
    assert [part.number for part in message.children] == [
        str(number) for number in range(1, MAX_PARTS)
    ]
    assert budget.truncated
