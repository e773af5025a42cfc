"""Further messages: charsets and forms of header fields (F01, F02, F07, F10, F16-F19, F21)."""

from base64 import b64encode
from typing import Final

from .build import (
    ADA,
    BOB,
    Case,
    File,
    html,
    in_base64,
    mail,
    mime,
    multipart,
    part,
    plain,
)

_QP: Final = b"Content-Transfer-Encoding: quoted-printable"
_ENCODING_8BIT: Final = b"Content-Transfer-Encoding: 8bit"


def _word(text: str, label: str, codec: str) -> bytes:
    """Return an encoded-word."""
    return b"=?%b?B?%b?=" % (label.encode(), b64encode(text.encode(codec)))


def _subject(id: str, octets: bytes, subject: str) -> Case:
    return Case(id=id, octets=mail(subject=b"Subject: " + octets), subject=subject)


def _labeled(label: str, codec: str, subject: str) -> Case:
    return _subject(f"F01 subject {label}", _word(subject, label, codec), subject)


def _from(id: str, octets: bytes, sender: str, name: str) -> Case:
    octets = mail(sender=b"From: " + octets)
    return Case(id=id, octets=octets, sender=sender, name=name)


def _date(id: str, octets: bytes, date: str | None) -> Case:
    return Case(id=id, octets=mail(date=b"Date: " + octets), date=date)


def _to(id: str, octets: bytes, *to: str, cc: tuple[str, ...] = ()) -> Case:
    return Case(id=id, octets=mail(to=octets), to=to, cc=cc)


def _file(id: str, field: bytes, name: str, *, on_pymap: bool = True) -> Case:
    """Return a message with a file that has its name in Content-Disposition.

    pymap decodes that field itself, as the standard library does.
    """
    attached = part(b"image/png", b"picture", b"Content-Disposition: " + field)
    file = File(name=name, type="image/png", content=b"picture")
    octets = mime(multipart(b"mixed", plain(b"x"), attached))
    return Case(id=id, octets=octets, files=(file,), on_pymap=on_pymap)


def _text(id: str, charset: str, codec: str, text: str) -> Case:
    """Return a mail with a text in a charset."""
    content_type = b"text/plain; charset=" + charset.encode()
    content = part(content_type, text.encode(codec), _ENCODING_8BIT)
    return Case(id=id, octets=mime(content), text=text)


def _quoted(id: str, charset: bytes, body: bytes, text: str) -> Case:
    """Return a mail with a text in quoted-printable."""
    content_type = b"text/plain" + (b"; charset=" + charset if charset else b"")
    encoding = b"Content-Transfer-Encoding: quoted-printable"
    return Case(id=id, octets=mime(part(content_type, body, encoding)), text=text)


_PEOPLE: Final = tuple(f"person{n}@example.org" for n in range(3000))
_LONG: Final = b",\r\n ".join(b"Person <%b>" % person.encode() for person in _PEOPLE)
# Encoded-words that a mailer split anywhere.
_DOOR: Final = "Tür öffnet sich".encode()

CHARSETS: Final = (
    _labeled("gbk", "gb18030", "喆€镕"),
    _labeled("gb18030", "gb18030", "㐀鿫发票"),
    _labeled("GB_2312-80", "gb18030", "发票"),
    _labeled("windows-31j", "cp932", "髙橋①㈱～"),
    _labeled("sjis", "cp932", "請求書№"),
    _labeled("euc-kr", "cp949", "펲시콜라"),
    _labeled("windows-949", "cp949", "똠방각하"),
    _labeled("big5", "big5hkscs", "香港喺啲"),
    _labeled("big5-hkscs", "big5hkscs", "喺度"),
    _labeled("iso-8859-9", "cp1254", "Şiş – 80 €"),
    _labeled("tis-620", "cp874", "ใบแจ้งหนี้ …"),
    _labeled("koi8-ru", "koi8-u", "Рахунок є"),
    _labeled("x-mac-roman", "mac-roman", "Müller “neu”"),
    _labeled("cp-850", "cp850", "Müller"),
    _labeled("x-cp1251", "cp1251", "Счёт № 1"),
    _subject("F01 subject us-ascii", b"=?us-ascii?Q?Caf=E9_=80?=", "Café €"),
    _subject(
        "F01 subject ISO-2022-JP half width",
        b"=?ISO-2022-JP?B?" + b64encode(b"\x1b(I6^@\x1b(B") + b"?=",
        "\uff76\uff9e\uff80",
    ),
    # The other parsers show U+FFFD, Thunderbird the characters.
    _subject("F01 subject raw cp1252", b"Rechnung \x96 80 \x80", "Rechnung – 80 €"),
    _from(
        "F01 name Shift_JIS",
        _word("髙橋㈱", "shift_jis", "cp932") + b" <ada@example.com>",
        ADA,
        "髙橋㈱",
    ),
    _from(
        "F01 name in quotes, ks_c_5601",
        b'"' + _word("똠방", "ks_c_5601-1987", "cp949") + b'" <ada@example.com>',
        ADA,
        "똠방",
    ),
    _from(
        "F01 name ISO-8859-1",
        b"=?iso-8859-1?Q?M=FCller_=96_B=F6rse?= <ada@example.com>",
        ADA,
        "Müller – Börse",
    ),
    _file(
        "F01 file name gb2312, RFC 2231",
        b"attachment; filename*=gb2312''%E9%46.png",
        "镕.png",
        on_pymap=False,
    ),
    _file(
        "F01 file name iso-8859-1, RFC 2231",
        b"attachment; filename*=iso-8859-1''80%20%80.png",
        "80 €.png",
        on_pymap=False,
    ),
    _file(
        "F01 file name Shift_JIS word",
        b'attachment; filename="' + _word("請求書①.png", "shift_jis", "cp932") + b'"',
        "請求書①.png",
        on_pymap=False,
    ),
    _file(
        "F01 file name in two pieces",
        b"attachment;\r\n filename*0*=UTF-8''T%C3;\r\n filename*1*=%BCr.png",
        "Tür.png",
    ),
    _text("F01 text gbk", "gbk", "gb18030", "喆€镕"),
    _text("F01 text big5", "big5", "big5hkscs", "香港喺度"),
    _text("F01 text euc-kr", "euc-kr", "cp949", "펲시콜라"),
    _text("F01 text windows-31j", "windows-31j", "cp932", "髙橋①"),
    _text("F01 text tis-620", "tis-620", "cp874", "ใบแจ้งหนี้ …"),
    _text("F01 text iso-8859-9", "iso-8859-9", "cp1254", "Şiş – 80 €"),
    # The label is wrong, but the other parsers use it.
    _text("F01 text in UTF-8 with the label gb2312", "gb2312", "utf-8", "发票镕中"),
    _text(
        "F01 text in UTF-8 with the label us-ascii", "us-ascii", "utf-8", "Tür – 80 €"
    ),
    Case(
        id="F01 text iso-2022-jp NEC row 13",
        octets=mime(
            part(b"text/plain; charset=iso-2022-jp", b"\x1b$B-!@A5a=q\x1b(B\r\n")
        ),
        text="①請求書",
    ),
    Case(
        id="F01 text euc-jp NEC row 13",
        octets=mime(
            part(
                b"text/plain; charset=euc-jp",
                b"\xad\xa1\xc0\xc1\xb5\xe1\xbd\xf1\r\n",
                _ENCODING_8BIT,
            )
        ),
        text="①請求書",
    ),
    _quoted("F01 text iso-8859-15", b"iso-8859-15", b"80 =A4\r\n", "80 €"),
    # The other parsers show U+FFFD; cp1252 is the last fallback.
    _quoted(
        "F01 text windows-1252 without label",
        b"",
        b"80 =80 =96 f=FCr\r\n",
        "80 € – für",
    ),
    _quoted("F01 text UTF-8 without label", b"", b"f=C3=BCr=E2=82=AC\r\n", "für€"),
    _quoted(
        "F02 text with one bad octet",
        b"utf-8",
        b"T=C3=BCr f=C3=BCr =FC\r\n",
        "Tür für \ufffd",
    ),
    _quoted("F21 text with BOM", b"utf-8", b"=EF=BB=BFHello\r\n", "Hello"),
    _quoted(
        "F21 text UTF-16 with BOM",
        b"utf-16",
        b"=FF=FEH=00=FC=00\r\n".replace(b"\r\n", b"=\r\n"),
        "Hü",
    ),
    # Like the WHATWG standard; the other parsers use the label.
    _quoted(
        "F21 UTF-8 BOM beats the label", b"iso-8859-1", b"=EF=BB=BFT=C3=BCr\r\n", "Tür"
    ),
)

WORDS: Final = (
    _subject(
        "F02 subject cut within three octets",
        b"=?utf-8?B?" + b64encode("請求書①".encode()[:-1]) + b"?=",
        "請求書\ufffd",
    ),
    _subject(
        "F02 character in two words of one charset",
        b"=?utf-8?B?%b?=\r\n =?UTF8?B?%b?="
        % (b64encode(_DOOR[:2]), b64encode(_DOOR[2:])),
        "Tür öffnet sich",
    ),
    _subject(
        "F02 character in two Q words",
        b"=?utf-8?Q?T=C3?= =?utf-8?Q?=BCr?=",
        "Tür",
    ),
    _subject(
        "F02 gb2312 character in two words",
        b"=?gb2312?B?%b?= =?gb2312?B?%b?="
        % (b64encode(b"\xb7\xa2\xc6"), b64encode(b"\xb1\xe9F")),
        "发票镕",
    ),
    # The other parsers show U+FFFD.
    _subject(
        "F02 UTF-8 word that is Latin-1",
        b"=?utf-8?Q?Caf=E9_f=FCr_M=FCller?=",
        "Café für Müller",
    ),
    _file(
        "F02 file name cut within a character",
        b'attachment; filename="=?utf-8?B?%b?="'
        % b64encode("Rechnung für Mü".encode()[:-1]),
        "Rechnung für M\ufffd",
    ),
    _subject("F10 padding in the middle", b"=?utf-8?B?VMO8cg==IG9mZmVu?=", "Tür offen"),
    _subject(
        "F10 words cut within a quantum",
        b"=?utf-8?B?VMO8c?= =?utf-8?B?iBvZmZlbg==?=",
        "Tür offen",
    ),
    _subject("F10 padding is missing", b"=?utf-8?B?VMO8cg?=", "Tür"),
    _subject(
        "F18 raw octet in a Q word", b"=?iso-8859-1?Q?Die_Fr\xf6sche?=", "Die Frösche"
    ),
    _subject(
        "F18 raw UTF-8 in a Q word", b"=?utf-8?Q?T\xc3\xbcr_=C3=B6ffnet?=", "Tür öffnet"
    ),
    _subject("F18 blank in a Q word", b"=?utf-8?Q?T=C3=BCr offen?=", "Tür offen"),
    _subject("F18 word next to text", b"Re:=?utf-8?Q?T=C3=BCr?=!", "Re:Tür!"),
    _subject("F18 language", b"=?utf-8*de?Q?T=C3=BCr?=", "Tür"),
    # The other parsers keep invisible characters, which do not match filters.
    _subject(
        "F21 soft hyphen and zero width",
        "Ala\u00adrm\u200b Tür\u200e".encode(),
        "Alarm Tür",
    ),
    _subject("F21 raw BOM", "\ufeff[Alarm] Tür".encode(), "[Alarm] Tür"),
    _from(
        "F21 direction marks in the name",
        "\u200eAda\u202c <ada@example.com>".encode(),
        ADA,
        "Ada",
    ),
)

ADDRESSES: Final = (
    _from("F16 route of one host", b"Ada <@relay.example:ada@example.com>", ADA, "Ada"),
    _from("F16 folded within the address", b"Ada <ada@\r\n example.com>", ADA, "Ada"),
    _from(
        "F16 comments everywhere",
        b"(a)Ada(b) <(c)ada(d)@(e)example.com(f)>(g)",
        ADA,
        "Ada",
    ),
    _from("F16 nested comment", b"Ada <ada(c(d))@example.com>", ADA, "Ada"),
    _from("F16 blanks in the brackets", b"Ada < ada@example.com >", ADA, "Ada"),
    _from(
        "F16 quoted local part",
        b'Ada <"ada l"@example.com>',
        '"ada l"@example.com',
        "Ada",
    ),
    _from("F16 comment as name", b"ada@example.com (Ada)", ADA, "Ada"),
    _from(
        "F16 name like an address",
        b'"x@example.org" <ada@example.com>',
        ADA,
        "x@example.org",
    ),
    _from(
        "F16 comma in the name",
        b"Lovelace, Ada <ada@example.com>",
        ADA,
        "Lovelace, Ada",
    ),
    # The other parsers keep the apostrophes, which are not part of the address.
    _from("F21 apostrophes", b"'ada@example.com'", ADA, ""),
    _to(
        "F16 group and others",
        b"To: Bob <bob@example.org>, Team: c@example.org (C), <d@example.org>;,\r\n"
        b' "E, F" <e@example.org>',
        BOB,
        "c@example.org",
        "d@example.org",
        "e@example.org",
    ),
    _to(
        "F16 RFC 5322 A.6.1",
        b"To: Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
        "mary@example.net",
        "jdoe@test.example",
    ),
    _to(
        "F17 two To fields",
        b"To: bob@example.org\r\nTo: c@example.org",
        BOB,
        "c@example.org",
    ),
    _to(
        "F17 two Cc fields",
        b"To: bob@example.org\r\nCc: c@example.org\r\nCc: d@example.org",
        BOB,
        cc=("c@example.org", "d@example.org"),
    ),
    Case(
        id="F07 Cc of 3,000 before the subject",
        octets=mail(to=b"Cc: " + _LONG + b"\r\nTo: bob@example.org"),
        cc=_PEOPLE,
        is_cut=True,
    ),
    Case(
        id="F07 To and Cc of 3,000",
        octets=mail(to=b"To: " + _LONG + b"\r\nCc: " + _LONG),
        to=_PEOPLE,
        cc=_PEOPLE,
        is_cut=True,
    ),
    Case(
        id="F07 Reply-To of 3,000 before the subject",
        octets=mail(to=b"Reply-To: " + _LONG + b"\r\nTo: bob@example.org"),
        is_cut=True,
    ),
    Case(
        id="F07 To of 3,000 before an HTML mail",
        octets=mime(
            multipart(b"alternative", plain(b"T=C3=BCr", _QP), html(b"<p>T")),
            to=b"To: " + _LONG,
        ),
        to=_PEOPLE,
        text="Tür",
        is_cut=True,
    ),
    Case(
        id="F07 To of 3,000 before a mail in base64",
        octets=mime(
            in_base64(b"text/plain; charset=iso-8859-1", b"T\xfcr"), to=b"To: " + _LONG
        ),
        to=_PEOPLE,
        text="Tür",
        is_cut=True,
    ),
    Case(
        id="F07 From of 3,000",
        octets=mail(sender=b"From: Ada <ada@example.com>,\r\n " + _LONG),
    ),
    Case(
        id="F07 trace fields of 130 KB before From",
        octets=b"Received: from a.example by b.example; Mon, 30 Nov 2026 10:00:00 +0000\r\n"
        * 1800
        + mail(),
    ),
    Case(
        id="F07 References of 130 KB",
        octets=mail(
            to=b"References: "
            + b" <0123456789@example.com>\r\n" * 5000
            + b"To: bob@example.org"
        ),
    ),
)

DATES: Final = (
    _date(
        "F19 EDT and its offset",
        b"Mon, 30 Nov 2026 10:00:00 (EDT) -0400",
        "2026-11-30T10:00:00-04:00",
    ),
    _date(
        "F19 GMT+0100",
        b"Mon, 30 Nov 2026 10:00:00 GMT+0100",
        "2026-11-30T10:00:00+01:00",
    ),
    _date(
        "F19 UTC+01:00",
        b"Mon, 30 Nov 2026 10:00:00 UTC+01:00",
        "2026-11-30T10:00:00+01:00",
    ),
    _date("F19 AM", b"Mon, 30 Nov 2026 12:09:22 AM -0500", "2026-11-30T00:09:22-05:00"),
    _date(
        "F19 ISO 8601 with an offset",
        b"2026-11-30T10:00:00+01:00",
        "2026-11-30T10:00:00+01:00",
    ),
    _date(
        "F19 microseconds",
        b"Mon, 30 Nov 2026 10:00:00.123456 -0800",
        "2026-11-30T10:00:00-08:00",
    ),
    # RFC 5322 A.5; the other parsers return no date, or the current one.
    _date(
        "F19 comment within the time",
        b"Mon, 30 Nov 2026 10:00(noon):00 -0500",
        "2026-11-30T10:00:00-05:00",
    ),
    _date(
        "F19 no day name, no seconds",
        b"30 Nov 2026 10:00 +0530",
        "2026-11-30T10:00:00+05:30",
    ),
    _date(
        "F19 offset behind a comment",
        b"Mon, 30 Nov 2026 10:00:00 -0330 (NST)",
        "2026-11-30T10:00:00-03:30",
    ),
)

FIELDS: Final = (*CHARSETS, *WORDS, *ADDRESSES, *DATES)
