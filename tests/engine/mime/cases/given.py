"""The messages of the findings F01-F21."""

from typing import Final

from .build import (
    PICTURE,
    Case,
    File,
    html,
    in_base64,
    mail,
    mime,
    multipart,
    part,
    picture,
    plain,
)

_NAMED: Final = (
    b"image/jpeg; name=IMG_1.jpg",
    b"Content-Disposition: inline; filename=IMG_1.jpg",
)
_IMG_1: Final = File(name="IMG_1.jpg", type="image/jpeg", content=PICTURE)
_CODE: Final = "Your code is 123456"
_RULE: Final = b".a{color:red;font-family:Arial;margin:0 0 0 0}\r\n"
_PEOPLE: Final = tuple(f"person{n}@example.org" for n in range(3000))
_OPEN: Final = b"VMO8ciBvZmZlbg==\r\n"


def _subject(id: str, octets: bytes, subject: str) -> Case:
    return Case(id=id, octets=mail(subject=b"Subject: " + octets), subject=subject)


def _from(id: str, octets: bytes, sender: str, name: str = "Ada") -> Case:
    octets = mail(sender=b"From: " + octets)
    return Case(id=id, octets=octets, sender=sender, name=name)


def _date(id: str, octets: bytes, date: str) -> Case:
    return Case(id=id, octets=mail(date=b"Date: " + octets), date=date)


def _text(id: str, content: bytes, text: str, *files: File) -> Case:
    return Case(id=id, octets=mime(content), text=text, files=files)


def _style(id: str, rules: int) -> Case:
    head = b"<html><head><style>" + _RULE * rules + b"</style></head>"
    return _text(
        id, html(head + b"<body><p>Your code is 123456</p></body></html>"), _CODE
    )


def _people(id: str, number: int) -> Case:
    people = (
        b"Person Number %d <person%d@example.org>" % (n, n) for n in range(number)
    )
    to = b"To: " + b",\r\n ".join(people)
    return Case(id=id, octets=mail(to=to), to=_PEOPLE[:number], is_cut=True)


def _encoding(id: str, field: bytes) -> Case:
    encoding = b"Content-Transfer-Encoding: " + field
    return _text(id, plain(_OPEN, encoding), "Tür offen")


GIVEN: Final = (
    _from(
        "F01-from-encoded-in-quoted-gb2312",
        b'"=?gb2312?B?1uzpRrv5?=" <j@example.com>',
        "j@example.com",
        "朱镕基",
    ),
    _subject(
        "F01-subj-gb2312-label-gbk-content", b"=?gb2312?B?t6LGselG1tA=?=", "发票镕中"
    ),
    _subject(
        "F01-subj-iso-2022-jp-label-nec-row13",
        b"=?iso-2022-jp?B?GyRCLSFAQTVhPXEbKEI=?=",
        "①請求書",
    ),
    _subject(
        "F01-subj-iso-8859-1-label-cp1252-content",
        b"=?iso-8859-1?Q?Rechnung_=96_80_=80_=84neu=93?=",
        "Rechnung – 80 € „neu“",
    ),
    _subject(
        "F01-subj-ks_c_5601-label-cp949-content",
        b"=?ks_c_5601-1987?B?jGO55rCix88=?=",
        "똠방각하",
    ),
    _subject(
        "F01-subj-shift_jis-label-cp932-content",
        b"=?shift_jis?B?kL+LgY+Rh0CBYIeK?=",
        "請求書①～㈱",
    ),
    _subject("F01-subj-x-sjis", b"=?x-sjis?B?kL+LgY+R?=", "請求書"),
    _text(
        "F01-text-gb2312-gbk",
        part(
            b"text/plain; charset=gb2312",
            b"\xb7\xa2\xc6\xb1\xe9F\xd6\xd0",
            b"Content-Transfer-Encoding: 8bit",
        ),
        "发票镕中",
    ),
    _text(
        "F01-text-latin1-cp1252-qp",
        part(
            b"text/plain; charset=ISO-8859-1",
            b"80 =80 =96 =84neu=93\r\n",
            b"Content-Transfer-Encoding: quoted-printable",
        ),
        "80 € – „neu“",
    ),
    _text(
        "F01-text-sjis-cp932",
        part(
            b"text/plain; charset=shift_jis",
            b"\x87@\x81`\x87\x8a",
            b"Content-Transfer-Encoding: 8bit",
        ),
        "①～㈱",
    ),
    _subject(
        "F02-subj-raw-utf8-one-bad-octet",
        "Tür geöffnet ".encode() + b"\xfc M\xc3\xbcller",
        "Tür geöffnet \ufffd Müller",
    ),
    _subject(
        "F02-subj-utf8-cut-in-character-B",
        b"=?utf-8?B?VMO8ciDDtmZmbmV0IHNpY2ggZsO8ciBNw7xsbGVyIMM=?=",
        "Tür öffnet sich für Müller \ufffd",
    ),
    _subject(
        "F02-subj-utf8-cut-in-character-Q",
        b"=?UTF-8?Q?T=C3=BCr_ge=C3=B6ffnet_=C3?=",
        "Tür geöffnet \ufffd",
    ),
    _text(
        "F03-text-apple-pic-first-empty-text",
        multipart(
            b"mixed",
            plain(b"\r\n\r\n"),
            picture(*_NAMED),
            plain(b"Door is open\r\n\r\nSent from my iPhone"),
        ),
        "Door is open\n\nSent from my iPhone",
        _IMG_1,
    ),
    _text(
        "F04-text-html-with-inline-named-txt",
        multipart(
            b"mixed",
            html(b"<p>Your order shipped</p>"),
            part(
                b'text/plain; name="log.txt"',
                b"LOG LINE 1",
                b"Content-Disposition: inline; filename=log.txt",
            ),
        ),
        "Your order shipped",
        File(name="log.txt", type="text/plain", content=b"LOG LINE 1"),
    ),
    _style("F05-html-css-10k", 210),
    _style("F05-text-html-css-20k", 430),
    _style("F05-text-html-css-47k", 1000),
    _text(
        "F06-text-att-jpg-inline-noname",
        multipart(
            b"mixed",
            plain(b"Motion"),
            picture(b"image/jpeg", b"Content-Disposition: inline"),
        ),
        "Motion",
        File(name="attachment-2.jpg", type="image/jpeg", content=PICTURE),
    ),
    _text(
        "F06-text-att-pdf-noname-nodisp",
        multipart(b"mixed", plain(b"Scan"), in_base64(b"application/pdf", PICTURE)),
        "Scan",
        File(name="attachment-2.pdf", type="application/pdf", content=PICTURE),
    ),
    _text(
        "F06-text-att-pdf-top",
        in_base64(b"application/pdf", PICTURE),
        "",
        File(name="attachment-1.pdf", type="application/pdf", content=PICTURE),
    ),
    _people("F07-to-3000-before-subject", 3000),
    _text(
        "F08-text-apple-text-pic-text",
        multipart(
            b"mixed", plain(b"Before\r\n"), picture(*_NAMED), plain(b"After picture")
        ),
        "Before\n\nAfter picture",
        _IMG_1,
    ),
    _text(
        "F09-text-qp-trailing-space-soft",
        plain(
            b"Der Code ist 123= \r\n456.\r\n",
            b"Content-Transfer-Encoding: quoted-printable",
        ),
        "Der Code ist 123456.",
    ),
    _text(
        "F10-text-att-b64-concat",
        multipart(
            b"mixed",
            plain(b"x"),
            part(
                b"application/pdf; name=a.pdf",
                b"AAAAAAAAAAAAAA==\r\nAQEBAQEBAQEBAQ==\r\nAgICAgICAgICAg==\r\n"
                b"AwMDAwMDAwMDAw==\r\nBAQEBAQEBAQEBA==\r\n",
                b"Content-Disposition: attachment; filename=a.pdf",
                b"Content-Transfer-Encoding: base64",
            ),
        ),
        "x",
        File(
            name="a.pdf",
            type="application/pdf",
            content=b"".join(bytes([n] * 10) for n in range(5)),
        ),
    ),
    _text(
        "F11-text-att-uuencode",
        multipart(
            b"mixed",
            plain(b"x"),
            part(
                b"application/octet-stream; name=a.bin",
                b"begin 644 a.bin\r\n%:&5L;&\\\r\n`\r\nend\r\n",
                b"Content-Disposition: attachment; filename=a.bin",
                b"Content-Transfer-Encoding: x-uuencode",
            ),
        ),
        "x",
        File(name="a.bin", type="application/octet-stream", content=b"hello"),
    ),
    _text(
        "F12-text-html-zwnj-code",
        html(b"<p>Code: 1&zwnj;2&zwnj;3&zwnj;4</p>"),
        "Code: 1234",
    ),
    _text(
        "F12-text-html-zwsp-code", html(b"<p>Code: 123&#8203;456</p>"), "Code: 123456"
    ),
    _text(
        "F14-text-html-pre",
        html(b"<pre>line one\r\n  line two\r\n</pre>"),
        "line one\n  line two",
    ),
    _text(
        "F15-text-html-meta-1251",
        part(
            b"text/html",
            b'<html><head><meta http-equiv="Content-Type" content="text/html; '
            b'charset=windows-1251"></head><body>\xd1\xf7\xb8\xf2</body></html>',
            b"Content-Transfer-Encoding: 8bit",
        ),
        "Счёт",
    ),
    _from(
        "F16-from-cfws-around-dot",
        b"Ada <ada . l @ example . com>",
        "ada.l@example.com",
    ),
    _from(
        "F16-from-comment-in-addr-nospace",
        b"Ada <ada(c)@example.com>",
        "ada@example.com",
    ),
    _from(
        "F16-from-comment-in-addr",
        rb"Pete(A nice \) chap) <pete(his account)@silly.test(his host)>",
        "pete@silly.test",
        "Pete",
    ),
    _from(
        "F16-from-obs-route",
        b"Mary <@machine.tld,@b.example:mary@example.net>",
        "mary@example.net",
        "Mary",
    ),
    Case(
        id="F16-to-group",
        octets=mail(
            to=b"To: A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,"
            b"\r\n joe@example.org; (end)"
        ),
        to=("c@public.example", "joe@example.org"),
    ),
    _people("F17-to-300", 300),
    _date(
        "F19-date-ampm", b"Mon 30 Nov 2026 06:09:22 PM EST", "2026-11-30T18:09:22-05:00"
    ),
    _date(
        "F19-date-colon-zone",
        b"Mon, 30 Nov 2026 10:00:00 +01:00",
        "2026-11-30T10:00:00+01:00",
    ),
    _date(
        "F19-date-comment-zone",
        b"Mon, 30 Nov 2026 10:00:00 (EST) -0500",
        "2026-11-30T10:00:00-05:00",
    ),
    _date("F19-date-iso", b"2026-11-30T10:00:00Z", "2026-11-30T10:00:00+00:00"),
    _date(
        "F19-date-ms",
        b"Mon, 30 Nov 2026 10:00:00.123 +0100",
        "2026-11-30T10:00:00.123+01:00",
    ),
    _encoding("F20-text-b64-cte-comment", b"base64 (really)"),
    _encoding("F20-text-cte-quoted", b'"base64"'),
    _encoding("F20-text-cte-semicolon", b"base64;"),
    _from(
        "F21-from-idn-puny",
        b"Ada <ada@xn--mller-kva.example>",
        "ada@xn--mller-kva.example",
    ),
    _subject(
        "F21-subj-utf8-label-utf-8-bom",
        b"=?utf-8?B?77u/W0FsYXJtXSBUw7xy?=",
        "[Alarm] Tür",
    ),
)
