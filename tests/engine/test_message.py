"""Headers and structures as mails, whatever stands in them."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
import json
import random

import pytest

from custom_components.imap_push.imap import Mail
from custom_components.imap_push.imap.message import parse_mail
from custom_components.imap_push.imap.responses import Value, parse_values


def read(header: str | bytes = b"", structure: bytes = b"", **items: Value) -> Mail:
    """Return the mail with this header and this BODYSTRUCTURE."""
    raw = header.encode() if isinstance(header, str) else header
    if structure:
        items["BODYSTRUCTURE"] = parse_values([structure])[0]
    return parse_mail("INBOX", 3, 7, {"BODY": raw, **items})


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        (b"Hello", "Hello"),
        (b"=?utf-8?Q?Caf=C3=A9_=F0=9F=93=A7?=", "Café 📧"),
        (b"=?utf-8?B?w6Q=?=\r\n =?utf-8?B?w7Y=?=", "äö"),
        (b"=?utf-8?Q?=C3?= =?utf-8?Q?=A4?=", "ä"),
        (b"=?iso-8859-1?q?=E9t=E9?= 2026", "été 2026"),
        (b"=?x-nonsense?q?abc?=", "abc"),
        (b"=?utf-8?B?!!!?=", ""),
        (b"=?utf-8?Q?=FF=FE?=", "ÿþ"),
        ("Käse".encode(), "Käse"),
        (b"K\xe4se", "Käse"),
        (b"** SALE * now :-(", "** SALE * now :-("),
        (b"one\r\n two\r\n\tthree", "one two three"),
        (b"=?utf-8?Q?a=0D=0Ab=00c?=", "a b c"),
        (b"=?utf-7?Q?+2AA-?=", "?"),
        ("日本 =?utf-8?Q?=C3=A4?=".encode(), "日本 ä"),
        (b"", ""),
    ],
)
def test_subject(raw: bytes, subject: str) -> None:
    """See the subject decoded on one line."""
    assert read(b"Subject: " + raw + b"\r\n\r\n").subject == subject


@pytest.mark.parametrize(
    ("raw", "sender", "name"),
    [
        ("a@b.c", "a@b.c", ""),
        ("Ann <a@b.c>", "a@b.c", "Ann"),
        ('"Doe, John" <j@d.e>', "j@d.e", "Doe, John"),
        ("Doe, John <j@d.e>", "j@d.e", "Doe, John"),
        ("=?utf-8?Q?J=C3=B6rg?= <j@d.e>", "j@d.e", "Jörg"),
        ("one@a.b, two@c.d", "one@a.b", ""),
        ("undisclosed", "", "undisclosed"),
        ("Team: a@b.c, d@e.f;", "a@b.c", ""),
        ("", "", ""),
        ("(" * 5000, "", "(" * 5000),
    ],
)
def test_sender(raw: str, sender: str, name: str) -> None:
    """See address and name of From, or its text where it has no address."""
    mail = read(f"From: {raw}\r\n\r\n")
    assert mail.sender == sender
    assert name.startswith(mail.sender_name)
    assert mail.truncated == (name != mail.sender_name)


def test_addresses() -> None:
    """See every address of To, Cc and Reply-To."""
    mail = read('To: A <a@b>, "B, C" <c@d>\r\ncc: e@f\r\nReply-To: g@h\r\n\r\n')
    assert (mail.to, mail.cc, mail.reply_to) == (("a@b", "c@d"), ("e@f",), ("g@h",))


@pytest.mark.parametrize(
    ("raw", "date"),
    [
        ("Mon, 23 Nov 2026 09:00:00 +0000", datetime(2026, 11, 23, 9, tzinfo=UTC)),
        (
            "23 Nov 2026 09:00 -0500",
            datetime(2026, 11, 23, 9, tzinfo=timezone(-timedelta(hours=5))),
        ),
        ("Mon, 23 Nov 2026 09:00:00 -0000", datetime(2026, 11, 23, 9, tzinfo=UTC)),
        ("Mon, 23 Nov 2026 09:00:00 +9999", None),
        ("Mon, 23 Nov 99999 09:00:00 +0000", None),
        ("soon", None),
        ("", None),
    ],
)
def test_date(raw: str, date: datetime | None) -> None:
    """See the moment with a zone, or nothing."""
    assert read(f"Date: {raw}\r\n\r\n").date == date


@pytest.mark.parametrize(
    ("header", "bulk"),
    [
        ("List-Id: <x.example>", True),
        ("Precedence: Bulk", True),
        ("Auto-Submitted: auto-replied", True),
        ("Auto-Submitted: no", False),
        ("Precedence: first-class", False),
        ("Subject: x", False),
    ],
)
def test_bulk(header: str, bulk: bool) -> None:
    """See lists and machines told from people."""
    assert read(f"{header}\r\n\r\n").bulk is bulk


def test_what_the_server_tells() -> None:
    """See size, flags and date as FETCH gives them, and nulls where there is nothing."""
    date = b"23-Nov-2026 09:00:00 +0000"
    mail = read(
        b"Message-ID: <a@b>\r\n",
        FLAGS=(b"\\Seen",),
        INTERNALDATE=date,
        **{"RFC822.SIZE": b"1234"},
    )
    assert (mail.folder, mail.uid_validity, mail.uid) == ("INBOX", 3, 7)
    assert (mail.message_id, mail.flags, mail.size) == ("<a@b>", ("\\Seen",), 1234)
    assert mail.received == datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert parse_mail("INBOX", 3, 7, {}) == Mail(folder="INBOX", uid_validity=3, uid=7)


PLAIN = b'("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 100 3 NIL NIL NIL NIL)'
HTML = b'("text" "html" ("charset" "utf-8") NIL NIL "7bit" 200 5 NIL NIL NIL NIL)'
ALTERNATIVE = b"(" + PLAIN + HTML + b' "alternative" ("boundary" "x") NIL NIL NIL)'


def pdf(parameters: bytes, disposition: bytes) -> bytes:
    """Return the structure of a PDF."""
    return b'("application" "pdf" %b NIL NIL "base64" 5000 NIL %b NIL NIL)' % (
        parameters,
        disposition,
    )


NAMED = pdf(b'("name" "a.pdf")', b'("attachment" ("filename" "b.pdf"))')


@pytest.mark.parametrize(
    ("structure", "found"),
    [
        (PLAIN, []),
        (ALTERNATIVE, []),
        (NAMED, [("1", "b.pdf", "application/pdf", 5000)]),
        (
            b"(" + ALTERNATIVE + NAMED + b' "mixed" ("boundary" "y") NIL NIL NIL)',
            [("2", "b.pdf", "application/pdf", 5000)],
        ),
        (
            b"((" + PLAIN + NAMED + b' "mixed" NIL NIL NIL NIL)' + NAMED + b' "mixed")',
            [
                ("1.2", "b.pdf", "application/pdf", 5000),
                ("2", "b.pdf", "application/pdf", 5000),
            ],
        ),
        (
            pdf(b'("NAME" "only.pdf")', b"NIL"),
            [("1", "only.pdf", "application/pdf", 5000)],
        ),
        (pdf(b"NIL", b'("attachment" NIL)'), [("1", None, "application/pdf", 5000)]),
        (pdf(b"NIL", b"NIL"), []),
        (pdf(b"NIL", b'"attachment"'), []),
        (
            pdf(b"NIL", b'("attachment" ("filename*" "utf-8\'\'%e2%82%ac%20x.pdf"))'),
            [("1", "€ x.pdf", "application/pdf", 5000)],
        ),
        (
            pdf(
                b"NIL",
                b'("attachment" ("filename*1" "port.pdf"'
                b' "filename*0*" "iso-8859-1\'fr\'R%E9"))',
            ),
            [("1", "Réport.pdf", "application/pdf", 5000)],
        ),
        (
            pdf(b"NIL", b'("attachment" ("filename" "it\'s bob\'s 100%41.pdf"))'),
            [("1", "it's bob's 100%41.pdf", "application/pdf", 5000)],
        ),
        (
            pdf(b"NIL", b'("attachment" ("filename" "=?utf-8?Q?=C3=A4.pdf?="))'),
            [("1", "ä.pdf", "application/pdf", 5000)],
        ),
        (
            b"("
            + PLAIN
            + b'("message" "rfc822" NIL NIL NIL "7bit" 900 (NIL NIL) '
            + NAMED
            + b' 20 NIL NIL NIL NIL) "mixed")',
            [("2", None, "message/rfc822", 900)],
        ),
        (
            b'("image" "png" ("name" "x.png") "<cid>" NIL "base64" 10 NIL ("inline" NIL))',
            [("1", "x.png", "image/png", 10)],
        ),
        (b'("image" "png" NIL "<cid>" NIL "base64" 10 NIL ("inline" NIL))', []),
        (b"(" * 50 + PLAIN + b")" * 50, []),
        (b"()", []),
        (b'("x")', []),
    ],
)
def test_attachments(
    structure: bytes, found: list[tuple[str, str | None, str, int]]
) -> None:
    """See the files of a mail, with part numbers as FETCH takes them."""
    mail = read(structure=structure)
    assert [
        (a.part, a.filename, a.content_type, a.size) for a in mail.attachments
    ] == found


WORST = '"\\é' * 20_000


@pytest.mark.parametrize(
    "header",
    [
        f"Subject: {WORST}",
        f"From: =?utf-8?Q?{'=22=C3=A4' * 2000}?= <a@b>",
        f"From: {'a' * 6000}@b",
        "To: " + ", ".join(f"address-{number}@example.org" for number in range(2000)),
        f"Message-ID: <{'x' * 5000}>",
        "Cc: " + "<" * 60_000,
    ],
    ids=[
        "subject",
        "name",
        "address",
        "recipients",
        "message id",
        "hostile",
    ],
)
def test_long_header(header: str) -> None:
    """See what is long cut and said so."""
    mail = read(header + "\r\n\r\n")
    assert mail.truncated
    assert (
        len(json.dumps(asdict(mail), default=str, ensure_ascii=False).encode()) < 9_000
    )


def test_everything_at_its_worst_stays_below_the_limit() -> None:
    """See all fields together far below the 32 KB of an event."""
    header = "".join(
        f"{field}: {value}\r\n"
        for field, value in {
            "Subject": WORST,
            "From": f'"{WORST[:5000]}" <{"a" * 300}@b>',
            "To": ", ".join(f'<{n}"@b>' for n in range(9999)),
            "Cc": ", ".join(f"{n}@b" for n in range(9999)),
            "Reply-To": ", ".join(f"{n}@b" for n in range(9999)),
            "Message-ID": WORST,
        }.items()
    )
    structure = b"(" + NAMED * 3000 + b' "mixed")'
    flags = tuple(b"flag%d" % number for number in range(9999))
    mail = read(header, structure, FLAGS=flags)
    assert mail.truncated
    assert len(mail.attachments) > 20
    assert (
        len(json.dumps(asdict(mail), default=str, ensure_ascii=False).encode()) < 26_000
    )


TOKENS = [
    b"=?", b"?=", b"utf-8", b"?q?", b"?b?", b"(", b")", b"<", b">", b"@", b",", b";", b":",
    b'"', b"\\", b"\r\n", b" ", b"\t", b"From:", b"To:", b"Date:", b"Subject:", b"a", b"\xff",
    b"\x00", b"=C3", b"Message-ID:", b"1 Jan 2026", b"+9999", b"''", b"*0*", b"filename",
    b"NIL", b"{3}", b'"attachment"', b"[", b"]", b"idna", b"utf-7", b"\xe4\xb8\xad",
    b"\\ud800", b"unicode_escape", b"99999999999999999999",
]  # fmt: skip


def test_no_bytes_are_too_strange() -> None:
    """See every mail turn into text that can be written, and never an exception."""
    dice = random.Random(1)
    for _ in range(3000):
        nonsense = b"".join(dice.choices(TOKENS, k=dice.randint(1, 60)))
        values = parse_values([nonsense, nonsense, nonsense])
        mail = parse_mail(
            "INBOX",
            1,
            1,
            {
                "BODY": nonsense,
                "BODYSTRUCTURE": values,
                "FLAGS": values,
                "INTERNALDATE": nonsense,
                "RFC822.SIZE": nonsense,
            },
        )
        json.dumps(asdict(mail), default=str, ensure_ascii=False).encode()
