"""Sample messages in the form in which servers send them."""

from collections.abc import Iterator
from email.message import EmailMessage
from typing import Final

from tests.rig.mails import plain

HEADER: Final = (
    b'From: =?utf-8?q?A=C3=A9?= <a@b.example>, "x, y" <d@e.example>\r\n'
    b"To: g: a@b.example, c@d.example;, (comment) <x@y.example>\r\n"
    b"Cc: =?utf-8?b?w6k=?= <z@example.org>\r\n"
    b"Reply-To: list@example.org\r\n"
    b"Subject: =?iso-8859-1?b?4Q==?= =?utf-8?q?x?=\r\n =?utf-8*en?q?y?=\r\n"
    b"Date: Tue, 3 Nov 2026 12:30:00 -0000\r\n"
    b"Message-ID: <a@b.example>\r\n"
    b"List-Id: x <list.example.org>\r\n"
    b"Precedence: bulk\r\n"
    b"Auto-Submitted: no\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
)
STRUCTURE: Final = (
    b'(("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 3 1)'
    b'("text" "html" ("charset" "x") NIL NIL "base64" 3 1 NIL ("attachment" '
    b'("filename*0*" "utf-8\'\'a%20b" "filename*1" "c.pdf")) NIL)'
    b'("message" "rfc822" NIL NIL NIL "7bit" 3 ("d" "s" NIL NIL NIL NIL NIL NIL NIL NIL)'
    b' ("text" "plain" NIL NIL NIL "7bit" 1 1) 3)'
    b'("application" "pdf" ("name" "=?utf-8?q?a=C3=A9.pdf?=") NIL NIL "base64" 9)'
    b' "mixed" ("boundary" "b") NIL)'
)
TEXT: Final = (
    b"--b\r\nContent-Type: text/html; charset=utf-7\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"<style>p {}</style><p hidden>a<br>&amp;=3D<!-- c --></p><a href='x'>b</a>\r\n"
    b'--b\r\nContent-Type: multipart/alternative; boundary="c"\r\n\r\n'
    b"--c\r\n\r\nhello\r\n--c--\r\n--b--\r\n"
)


def messages() -> Iterator[EmailMessage]:
    """Yield messages of mail programs, always the same ones."""
    yield _fixed(
        plain("Hello", headers={"List-Id": "<x.example>", "Cc": "x@y.example"})
    )
    yield _fixed(
        plain("Gr\xfc\xdfe \U0001f600", sender='"A, B" <a@b.example>', text="\xe9\n")
    )
    html = plain("Both", text="plain\n")
    html.add_alternative("<html><body><p>html &eacute;</p></body></html>", "html")
    yield _fixed(html)
    file = plain("File")
    file.add_attachment(
        b"%PDF",
        maintype="application",
        subtype="pdf",
        filename="R\xe9sum\xe9 \u4f60.pdf",
    )
    yield _fixed(file)
    outer = plain("Forwarded")
    outer.add_attachment(_fixed(plain("Inner")))
    yield _fixed(outer)


def _fixed(message: EmailMessage) -> EmailMessage:
    """Replace the values that differ each time."""
    message.replace_header("Date", "Tue, 03 Nov 2026 12:30:00 +0000")
    message.replace_header("Message-ID", "<a@b.example>")
    if message.is_multipart():
        message.set_boundary("b")
    return message


def costly() -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield header, structure and text of messages that are slow to parse."""
    words = b" ".join(b"=?x-%d?q?=20?=" % number for number in range(40))
    file = b'("a" "b" ("name" "%b") NIL NIL "7bit" 1 NIL ("inline" ("x" "y")))' % words
    yield HEADER, b"(%b)" % (file * 50), TEXT
    pairs = b" ".join(b'"filename*%d*" "x\'\'%%41"' % number for number in range(999))
    yield HEADER, b'("a" "b" (%b) NIL NIL "7bit" 1)' % pairs, TEXT
    yield HEADER, b"(" * 30_000, b"<" * 30_000
    addresses = b"From: %b\r\nTo: %b\r\n" % (b"a@b.c, " * 3000, b'"(<[' * 3000)
    yield addresses + b"Subject: " + words * 40 + b"\r\n\r\n", b"NIL", b"=" * 30_000
    nested = (
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n'
        % (number, number)
        for number in range(600)
    )
    yield (
        b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n',
        b"NIL",
        b"--x\r\n" + (b"".join(nested)),
    )
    html = b"Content-Type: text/html; charset=x-unknown\r\n\r\n"
    yield html, b"NIL", b"<div hidden>&#x41;<p style='display:none'>" * 700
    rule = b"<style>p{%b}</style>" % (b"font:0;" * 500)
    tags = b"".join(b"<p %d>" % number for number in range(20_000))
    yield html, b"NIL", rule + tags


def longer_than_the_first_fetch() -> Iterator[tuple[bytes, ...]]:
    """Yield messages that need a second FETCH; the last piece is the content of each part."""
    part = b'("text" "html" ("charset" "utf-8") NIL NIL "8bit" 20000 1)'
    style = b"<style>%b</style>" % (b"p{margin:0}\n" * 900)
    html = b"Content-Type: text/html; charset=utf-8\r\n"
    text = b"<p>Hello <a href=https://example.org/>link</a><img alt=picture>"
    yield HEADER + html + b"\r\n", part, style, style + text
    mixed = b"Content-Type: multipart/mixed; boundary=x\r\n"
    body = b"--x\r\nContent-Type: image/jpeg\r\n\r\n" + b"/9j/" * 2_500
    picture = b'("image" "jpeg" NIL "<a@b>" NIL "base64" 10000)'
    yield HEADER + mixed + b"\r\n", b'(%b%b "mixed")' % (picture, part), body, text
    results = (
        b"Authentication-Results: mx.example; dmarc=pass header.from=a.example\r\n"
    )
    long = b"To: " + b"a@example.org, " * 4_500 + b"\r\n"
    yield long + results + HEADER, part, text, text
    yield HEADER + b"Cc: c@example.org\r\n" * 4_000, part, text, text


def structure_of(message: EmailMessage) -> bytes:
    """Return the BODYSTRUCTURE of a message (RFC 3501 7.4.2)."""
    if message.is_multipart() and message.get_content_maintype() == "multipart":
        parts = b"".join(structure_of(part) for part in message.iter_parts())  # type: ignore[arg-type]
        return b'(%b "%b" NIL NIL NIL)' % (
            parts,
            _octets(message.get_content_subtype()),
        )
    kind = f'"{message.get_content_maintype()}" "{message.get_content_subtype()}"'
    encoding = message.get("Content-Transfer-Encoding", "7bit")
    filename = _octets(message.get_filename() or "")
    disposition = message.get_content_disposition()
    where = b"NIL"
    if disposition:
        where = b'("%b" ("filename" "%b"))' % (_octets(disposition), filename)
    return b'(%b ("charset" "utf-8") NIL NIL "%b" 100 NIL %b NIL)' % (
        _octets(kind),
        _octets(encoding),
        where,
    )


def _octets(text: str) -> bytes:
    return text.encode()
