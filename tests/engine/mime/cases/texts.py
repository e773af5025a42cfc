"""Further messages: text parts and their encodings (F03-F05, F08-F15, F20)."""

from base64 import b64encode
from binascii import b2a_uu
import quopri
from typing import Final

from .build import (
    PDF,
    PICTURE,
    Case,
    File,
    delimited,
    html,
    in_base64,
    mime,
    multipart,
    part,
    picture,
    plain,
    style,
)

_BASE64: Final = b"Content-Transfer-Encoding: base64"
_QP: Final = b"Content-Transfer-Encoding: quoted-printable"
_INLINE: Final = b"Content-Disposition: inline; filename="
_CODE: Final = b"<p>Your code is 123456</p>"
_IMG: Final = (b"image/jpeg; name=IMG_1.jpg", _INLINE + b"IMG_1.jpg")
_IMG_1: Final = File(name="IMG_1.jpg", type="image/jpeg", content=PICTURE)
_LOG: Final = File(name="log.txt", type="text/plain", content=b"LOG LINE 1")
_LOGO: Final = File(name="logo.png", type="image/png", content=PICTURE, inline=True)
_FLOWED: Final = b"text/plain; charset=utf-8; format=flowed"


def _case(id: str, content: bytes, text: str, *files: File) -> Case:
    return Case(id=id, octets=mime(content), text=text, files=files)


def _log(
    disposition: bytes = _INLINE + b"log.txt", name: bytes = b"; name=log.txt"
) -> bytes:
    fields = (disposition,) if disposition else ()
    return part(b"text/plain" + name, b"LOG LINE 1", *fields)


def _logo(*fields: bytes) -> bytes:
    return picture(b"image/png; name=logo.png", b"Content-ID: <logo@a>", *fields)


def _in_qp(content: bytes) -> bytes:
    return quopri.encodestring(content.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")


def _nested(depth: int) -> bytes:
    """Return a text within so many nested multiparts."""
    content = plain(b"Deep")
    for level in range(depth):
        content = multipart(b"mixed", content, boundary=b"level-%d-" % level)
    return content


def _uuencoded(content: bytes) -> bytes:
    lines = (b2a_uu(content[at : at + 45]) for at in range(0, len(content), 45))
    return (b"begin 644 a.pdf\n" + b"".join(lines) + b"`\nend\n").replace(
        b"\n", b"\r\n"
    )


def _raw(id: str, content_type: bytes, body: bytes, text: str, *files: File) -> Case:
    """Return a mail with this body."""
    return _case(id, part(content_type, body), text, *files)


PARTS: Final = (
    _case(
        "F03 blank text, then an alternative",
        multipart(
            b"mixed",
            plain(b" \r\n"),
            picture(*_IMG),
            multipart(
                b"alternative", plain(b"Open"), html(b"<p>Open</p>"), boundary=b"in"
            ),
        ),
        "Open",
        _IMG_1,
    ),
    _case(
        "F03 blank alternative, then HTML",
        multipart(
            b"mixed",
            multipart(
                b"alternative", plain(b"\r\n"), html(b"<br>&nbsp;"), boundary=b"in"
            ),
            html(b"<p>Door is open</p>"),
        ),
        "Door is open",
    ),
    _case(
        "F03 blank plain text within related within alternative",
        multipart(
            b"alternative",
            plain(b"\r\n\r\n"),
            multipart(
                b"related",
                html(b"<p>Hello</p><img src=cid:logo@a>"),
                _logo(),
                boundary=b"in",
            ),
        ),
        "Hello",
        _LOGO,
    ),
    _case(
        "F03 empty part, then text",
        multipart(b"mixed", part(b"text/plain", b""), plain(b"Hello")),
        "Hello",
    ),
    _case(
        "F03 boundary behind two semicolons",
        part(
            b'multipart/alternative;; boundary="bb"',
            delimited(b"bb", plain(b"Hello"), html(b"<p>Hello")),
        ),
        "Hello",
    ),
    _case(
        "F03 boundary with an asterisk",
        part(
            b"multipart/alternative; boundary*=us-ascii''bb",
            delimited(b"bb", plain(b"Hello"), html(b"<p>Hello")),
        ),
        "Hello",
    ),
    _case(
        "F03 boundary in two pieces",
        part(
            b"multipart/mixed; boundary*0=b; boundary*1=b",
            delimited(b"bb", plain(b"Hello")),
        ),
        "Hello",
    ),
    # The two parsers in JavaScript add inline logs to the text and list no file. The standard
    # library returns the log as the text. A mail program displays the text and offers the log.
    _case(
        "F04 log file before the HTML",
        multipart(b"mixed", _log(), html(b"<p>Shipped</p>")),
        "Shipped",
        _LOG,
    ),
    _case(
        "F04 log file with a name only, no disposition",
        multipart(b"mixed", html(b"<p>Shipped</p>"), _log(b"")),
        "Shipped",
        _LOG,
    ),
    _case(
        "F04 log file with a name in its disposition only",
        multipart(b"mixed", html(b"<p>Shipped</p>"), _log(name=b"")),
        "Shipped",
        _LOG,
    ),
    _case(
        "F04 log file before an alternative",
        multipart(
            b"mixed",
            _log(),
            multipart(
                b"alternative",
                plain(b"Shipped"),
                html(b"<p>Shipped</p>"),
                boundary=b"in",
            ),
        ),
        "Shipped",
        _LOG,
    ),
    _case(
        "F04 log file within related",
        multipart(
            b"related",
            html(b"<p>Shipped</p><img src=cid:logo@a>"),
            _logo(),
            _log(),
        ),
        "Shipped",
        _LOGO,
        _LOG,
    ),
    _case(
        "F04 log file after related",
        multipart(
            b"mixed",
            multipart(b"related", html(b"<p>Shipped</p>"), _logo(), boundary=b"in"),
            _log(),
        ),
        "Shipped",
        _LOGO,
        _LOG,
    ),
    _case(
        "F04 attached HTML file",
        multipart(
            b"mixed",
            plain(b"See report"),
            part(
                b"text/html; name=report.html",
                b"<p>Report</p>",
                _INLINE + b"report.html",
            ),
        ),
        "See report",
        File(name="report.html", type="text/html", content=b"<p>Report</p>"),
    ),
    _case(
        "F04 CSV without a name is a file",
        multipart(b"mixed", plain(b"Data"), part(b"text/csv", b"a,b")),
        "Data",
        File(name="attachment-2.csv", type="text/csv", content=b"a,b"),
    ),
    _case(
        "F08 text, picture, text, picture, text",
        multipart(
            b"mixed",
            plain(b"One"),
            picture(*_IMG),
            plain(b"Two"),
            picture(*_IMG),
            plain(b"Three"),
        ),
        "One\n\nTwo\n\nThree",
        _IMG_1,
        _IMG_1,
    ),
    _case(
        "F08 two HTML parts",
        multipart(b"mixed", html(b"<p>One</p>"), picture(*_IMG), html(b"<p>Two</p>")),
        "One\n\nTwo",
        _IMG_1,
    ),
    _case(
        "F08 HTML and the plain footer of a list",
        multipart(b"mixed", html(b"<p>One</p>"), plain(b"_____\r\nList footer")),
        "One\n\n_____\nList footer",
    ),
    _case(
        "F08 alternative and the plain footer of a list",
        multipart(
            b"mixed",
            multipart(b"alternative", plain(b"One"), html(b"<p>1</p>"), boundary=b"in"),
            plain(b"List footer"),
        ),
        "One\n\nList footer",
    ),
    _case(
        "F08 Apple: alternative of plain text and mixed HTML",
        multipart(
            b"alternative",
            plain(b"One\r\n\r\nTwo"),
            multipart(
                b"mixed",
                html(b"<p>One</p>"),
                picture(*_IMG),
                html(b"<p>Two</p>"),
                boundary=b"in",
            ),
        ),
        "One\n\nTwo",
        _IMG_1,
    ),
    _case(
        "HTML before the plain text in an alternative",
        multipart(b"alternative", html(b"<p>HTML</p>"), plain(b"Plain")),
        "Plain",
    ),
    _case(
        "related with the HTML as its second part",
        multipart(
            b"related",
            _logo(),
            html(b"<p>Hello</p>", b"Content-ID: <root@a>"),
            more=b'; start="<root@a>"; type="text/html"',
        ),
        "Hello",
        _LOGO,
    ),
    _case(
        "signed",
        multipart(
            b"signed",
            plain(b"Hello"),
            part(
                b"application/pgp-signature",
                b"-----BEGIN",
                b"Content-Disposition: attachment; filename=s.asc",
            ),
        ),
        "Hello",
        File(name="s.asc", type="application/pgp-signature", content=b"-----BEGIN"),
    ),
    _case(
        "report",
        multipart(
            b"report",
            plain(b"Not delivered"),
            part(
                b"message/delivery-status",
                b"Status: 5.1.1\r\n",
                b"Content-Disposition: attachment; filename=d.txt",
            ),
        ),
        "Not delivered",
        File(
            name="d.txt", type="message/delivery-status", content=b"Status: 5.1.1\r\n"
        ),
    ),
)

STYLES: Final = (
    _case(
        "F05 CSS of 30 KB in quoted-printable",
        html(_in_qp(style(30_000) + _CODE), _QP),
        "Your code is 123456",
    ),
    _case(
        "F05 CSS of 30 KB in base64",
        in_base64(b"text/html; charset=utf-8", style(30_000) + _CODE),
        "Your code is 123456",
    ),
    _case(
        "F05 CSS of 30 KB behind a blank plain text",
        multipart(b"alternative", plain(b"\r\n"), html(style(30_000) + _CODE)),
        "Your code is 123456",
    ),
    _case(
        "F05 HTML with CSS of 60 KB before the plain text",
        multipart(b"alternative", html(style(60_000) + _CODE), plain(b"Code: 123456")),
        "Code: 123456",
    ),
    _case(
        "F05 CSS of 120 KB within related",
        multipart(b"related", html(style(120_000) + _CODE), _logo()),
        "Your code is 123456",
        _LOGO,
    ),
    _case(
        "F05 picture of 300 KB before the text",
        multipart(
            b"mixed",
            in_base64(b"image/jpeg; name=b.jpg", PICTURE * 1_500),
            plain(b"Motion"),
        ),
        "Motion",
        File(name="b.jpg", type="image/jpeg", content=PICTURE * 1_500),
    ),
    _case(
        "F05 long comment before the text",
        html(b"<!-- " + b"conditional " * 4_000 + b"-->" + _CODE),
        "Your code is 123456",
    ),
)

HTML: Final = (
    _case("F12 U+FEFF within a code", html("<p>12\ufeff34</p>".encode()), "1234"),
    _case(
        "F12 Persian keeps its joiners",
        html("<p>می‌خواهم</p>".encode()),
        "می\u200cخواهم",
    ),
    _case(
        "F13 hidden preheader",
        html(
            b'<div style="display:none">Preview&#847;&zwnj;&nbsp;&#8199;&shy;</div>'
            b"<div>" + b"&#847;&zwnj;&nbsp;&#8199;&shy;" * 150 + b"</div>" + _CODE
        ),
        "Your code is 123456",
    ),
    _case(
        "F14 rows of a table",
        html(b"<table><tr><td>Temp<td>21</tr><tr><td>Hum<td>40</tr></table>"),
        "Temp 21\nHum 40",
    ),
    _case("F14 lines of div", html(b"<div>One</div><div>Two</div>"), "One\nTwo"),
    _case(
        "F14 pre in quoted-printable",
        html(b"<pre>a\r\n  b=20 c\r\n</pre>", _QP),
        "a\n  b  c",
    ),
    # Like in a browser; the other parsers do not parse the HTML.
    Case(
        id="F15 meta charset gb2312",
        octets=mime(
            part(
                b"text/html",
                b'<meta charset="gb2312"><p>\xb7\xa2\xc6\xb1</p>',
                b"Content-Transfer-Encoding: 8bit",
            )
        ),
        text="发票",
    ),
    Case(
        id="F15 meta charset in base64",
        octets=mime(
            in_base64(b"text/html", b"<meta charset=koi8-r><p>\xf3\xde\xa3\xd4</p>")
        ),
        text="Счёт",
    ),
    Case(
        id="F15 the field beats meta",
        octets=mime(
            html(
                '<meta charset="iso-8859-1"><p>Tür</p>'.encode(),
                b"Content-Transfer-Encoding: 8bit",
            )
        ),
        text="Tür",
    ),
)

_OPEN: Final = b64encode("Tür offen".encode())

ENCODINGS: Final = (
    _case("F09 tabs behind a soft break", plain(b"123=\t \r\n456\r\n", _QP), "123456"),
    _case(
        "F09 blanks at the end of a line",
        plain(b"One  \t\r\nTwo=20\r\nThree\r\n", _QP),
        "One\nTwo \nThree",
    ),
    _case("F09 lower case digits", plain(b"T=c3=bcr\r\n", _QP), "Tür"),
    _case("F09 invalid digits", plain(b"a=ZZb =\r\n", _QP), "a=ZZb"),
    _case(
        "F10 each line is padded",
        plain(b"TGluZSAxCg==\r\nTGluZSAyCg==\r\n", _BASE64),
        "Line 1\nLine 2",
    ),
    _case("F10 no padding", plain(_OPEN.rstrip(b"=") + b"\r\n", _BASE64), "Tür offen"),
    _case(
        "F10 other characters",
        plain(_OPEN[:5] + b"!\r\n *-" + _OPEN[5:], _BASE64),
        "Tür offen",
    ),
    _case(
        "F10 lines of odd lengths",
        plain(b"\r\n".join((_OPEN[:3], _OPEN[3:10], _OPEN[10:])), _BASE64),
        "Tür offen",
    ),
    _case(
        "F20 upper case",
        plain(_OPEN, b"CONTENT-TRANSFER-ENCODING: BASE64"),
        "Tür offen",
    ),
    _case(
        "F20 folded",
        plain(_OPEN, b"Content-Transfer-Encoding:\r\n base64"),
        "Tür offen",
    ),
    _case(
        "F20 apostrophes",
        plain(_OPEN, b"Content-Transfer-Encoding: 'base64'"),
        "Tür offen",
    ),
    _case(
        "F20 comment first",
        plain(_OPEN, b"Content-Transfer-Encoding: (c) Base64"),
        "Tür offen",
    ),
    _case(
        "F20 quoted-printable with a semicolon",
        plain(b"T=C3=BCr", b"Content-Transfer-Encoding: Quoted-Printable;"),
        "Tür",
    ),
    _case(
        "F20 base64 with a comment in a multipart",
        multipart(
            b"mixed",
            plain(_OPEN, b"Content-Transfer-Encoding: base64 (c)"),
            picture(*_IMG),
        ),
        "Tür offen",
        _IMG_1,
    ),
    _case(
        "F20 unknown encoding",
        plain(b"Hello=20", b"Content-Transfer-Encoding: 8-bit"),
        "Hello=20",
    ),
)

BOUNDARIES: Final = (
    _raw(
        "F20 boundary folded within quotes",
        b'multipart/mixed;\r\n boundary="b\r\n b"',
        delimited(b"b b", plain(b"Hello")),
        "Hello",
    ),
    # RFC 2046 5.1.1: a line only has to begin with the delimiter. The other parsers require
    # a line without further text.
    _raw(
        "F20 text behind the delimiter",
        b"multipart/mixed; boundary=bb",
        b"--bb trailing\r\n" + plain(b"Hello") + b"\r\n--bb--x\r\n",
        "Hello",
    ),
    _raw(
        "F20 blanks behind the delimiter",
        b"multipart/mixed; boundary=bb",
        b"--bb \t\r\n" + plain(b"Hello") + b"\r\n--bb-- \r\n",
        "Hello",
    ),
    _raw(
        "F20 empty boundary",
        b'multipart/mixed; boundary=""',
        b"--\r\n" + plain(b"Hello") + b"\r\n----\r\n",
        "Hello",
    ),
    _raw(
        "F20 two delimiters in a row",
        b"multipart/mixed; boundary=bb",
        b"--bb\r\n--bb\r\n" + plain(b"Hello") + b"\r\n--bb--\r\n",
        "Hello",
    ),
    _raw(
        "F20 no last delimiter",
        b"multipart/mixed; boundary=bb",
        b"--bb\r\n" + plain(b"Hello") + b"\r\n",
        "Hello",
    ),
    _raw(
        "F20 preamble and epilogue",
        b"multipart/mixed; boundary=bb",
        b"Not this\r\n" + delimited(b"bb", plain(b"Hello")) + b"Nor this\r\n",
        "Hello",
    ),
    _case(
        "F20 inner boundary begins with the outer one",
        multipart(
            b"mixed",
            multipart(b"alternative", plain(b"Hello"), html(b"<p>H"), boundary=b"bbb"),
            plain(b"Bye"),
        ),
        "Hello\n\nBye",
    ),
    _case(
        "F20 outer boundary begins with the inner one",
        multipart(
            b"mixed",
            multipart(b"alternative", plain(b"Hello"), html(b"<p>H")),
            plain(b"Bye"),
            boundary=b"bbb",
        ),
        "Hello\n\nBye",
    ),
    _case(
        "F20 inner multipart without its last delimiter",
        multipart(
            b"mixed",
            multipart(b"alternative", plain(b"Hello"), boundary=b"in").removesuffix(
                b"\r\n--in--\r\n"
            ),
            plain(b"Bye"),
        ),
        "Hello\n\nBye",
    ),
    _case("F20 twelve multiparts in one another", _nested(12), "Deep"),
    _case("F20 forty multiparts in one another", _nested(40), "Deep"),
    _raw(
        "F20 part without a header",
        b"multipart/mixed; boundary=bb",
        b"--bb\r\n\r\nHello\r\n--bb--\r\n",
        "Hello",
    ),
    _raw(
        "F20 dashes in the text",
        b"multipart/mixed; boundary=bb",
        delimited(b"bb", plain(b"One\r\n--\r\n-- b\r\nTwo")),
        "One\n--\n-- b\nTwo",
    ),
    _raw(
        "multipart without a boundary in its field",
        b"multipart/mixed",
        b"Hello\r\n",
        "",
    ),
)

FLOWED: Final = (
    _raw("F20 flowed", _FLOWED, b"One \r\ntwo\r\nthree\r\n", "One two\nthree"),
    _raw(
        "F20 flowed, delsp=yes",
        _FLOWED + b"; delsp=yes",
        "ドアが \r\n開いた\r\n".encode(),
        "ドアが開いた",
    ),
    _raw(
        "F20 flowed, delsp=no", _FLOWED + b"; DelSp=No", b"One \r\ntwo\r\n", "One two"
    ),
    _raw(
        "F20 flowed, upper case",
        b"text/plain; charset=utf-8; FORMAT=Flowed; DELSP=YES",
        "ドア \r\nが\r\n".encode(),
        "ドアが",
    ),
    _raw(
        "F20 flowed with quotes",
        _FLOWED,
        b"> One \r\n> two\r\n>> three \r\n>> four\r\nFive\r\n",
        "> One two\n>> three four\nFive",
    ),
    _raw(
        "F20 flowed with stuffed blanks",
        _FLOWED,
        b" From me\r\n  two\r\n",
        "From me\n two",
    ),
    _raw(
        "F20 flowed with a signature",
        _FLOWED,
        b"Hello \r\n-- \r\nAda \r\nL\r\n",
        "Hello \n-- \nAda L",
    ),
    _case(
        "F20 flowed in quoted-printable",
        part(_FLOWED, b"One=20\r\ntwo\r\n", _QP),
        "One two",
    ),
)

UUENCODE: Final = tuple(
    _case(
        f"F11 {kind}",
        multipart(
            b"mixed",
            plain(b"x"),
            part(
                b"application/pdf; name=a.pdf",
                body,
                b"Content-Disposition: attachment; filename=a.pdf",
                b"Content-Transfer-Encoding: " + name,
            ),
        ),
        "x",
        File(name="a.pdf", type="application/pdf", content=content),
    )
    for kind, name, body, content in (
        ("several lines", b"x-uuencode", _uuencoded(PDF), PDF),
        (
            "blanks cut off",
            b"uue",
            b"\r\n".join(line.rstrip() for line in _uuencoded(bytes(90)).splitlines()),
            bytes(90),
        ),
        # The standard library decodes the line as 31 octets.
        (
            "bad length",
            b"x-uuencode",
            _uuencoded(PDF).replace(b"\r\n`", b"\r\n\xff!!\r\n`"),
            PDF,
        ),
        (
            "uuencode",
            b"uuencode",
            b"begin 644 a.pdf\r\n%:&5L;&\\\r\n`\r\nend\r\n",
            b"hello",
        ),
        ("x-uue, no end", b"x-uue", b"begin 644 a.pdf\r\n%:&5L;&\\\r\n", b"hello"),
        (
            "text around it",
            b"X-UUENCODE",
            b"See below\r\nbegin 644 a.pdf\r\n%:&5L;&\\\r\n`\r\nend\r\nBye\r\n",
            b"hello",
        ),
    )
)

TEXTS: Final = (*PARTS, *STYLES, *HTML, *ENCODINGS, *BOUNDARIES, *FLOWED, *UUENCODE)
