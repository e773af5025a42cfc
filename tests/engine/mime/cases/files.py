"""Further messages: files, their names and their content (F06, F11, F23, F24)."""

from base64 import encodebytes
from dataclasses import replace
from typing import Final

from .build import (
    PDF,
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
    style,
)

_SCAN: Final = plain(b"Scan")
_PDF: Final = in_base64(b"application/pdf", PDF)
_CALENDAR: Final = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
_VCARD: Final = b"BEGIN:VCARD\r\nEND:VCARD\r\n"
_LOGO: Final = html(b"<p>Hello</p><img src=cid:logo@a>")
_ID: Final = b"Content-ID: <logo@a>"
_INNER: Final = mail(subject=b"Subject: inner")


def _case(id: str, content: bytes, text: str, *files: File) -> Case:
    return Case(id=id, octets=mime(content), text=text, files=files)


def _file(
    name: str, content_type: str, content: bytes = PDF, *, inline: bool = False
) -> File:
    return File(name=name, type=content_type, content=content, inline=inline)


def _attached(id: str, attached: bytes, file: File) -> Case:
    """Return a mail of a text and a file."""
    return _case(id, multipart(b"mixed", _SCAN, attached), "Scan", file)


def _octets(id: str, content_type: bytes, name: str, as_type: str) -> Case:
    """Return a mail with a file of a declared type."""
    declared = content_type + b"; name=" + name.encode()
    return _attached(id, in_base64(declared, PDF), _file(name, as_type))


def _image(
    id: str, kind: bytes, *fields: bytes, inline: bool, name: str = "logo.png"
) -> Case:
    """Return a mail of HTML and a picture."""
    declared = b"image/png; name=logo.png" if name == "logo.png" else b"image/png"
    content = multipart(kind, _LOGO, picture(declared, *fields))
    return _case(id, content, "Hello", _file(name, "image/png", PICTURE, inline=inline))


NAMELESS: Final = (
    _case(
        "F06 the mail is a large JPEG",
        in_base64(b"image/jpeg", PICTURE * 1_500),
        "",
        _file("attachment-1.jpg", "image/jpeg", PICTURE * 1_500),
    ),
    _case(
        "F06 a large PDF and no text",
        multipart(b"mixed", in_base64(b"application/pdf", PDF * 1_200)),
        "",
        _file("attachment-1.pdf", "application/pdf", PDF * 1_200),
    ),
    _attached(
        "F06 PDF, inline",
        in_base64(b"application/pdf", PDF, b"Content-Disposition: inline"),
        _file("attachment-2.pdf", "application/pdf"),
    ),
    _attached(
        "F06 PDF, attachment",
        in_base64(b"application/pdf", PDF, b"Content-Disposition: attachment"),
        _file("attachment-2.pdf", "application/pdf"),
    ),
    _attached(
        "F06 WAV", in_base64(b"audio/wav", PDF), _file("attachment-2.wav", "audio/wav")
    ),
    _attached(
        "F06 TIFF, upper case",
        in_base64(b"IMAGE/TIFF", PDF),
        _file("attachment-2.tiff", "image/tiff"),
    ),
    _attached(
        "F06 octets",
        in_base64(b"application/octet-stream", PDF),
        _file("attachment-2.bin", "application/octet-stream"),
    ),
    _attached(
        "F06 calendar",
        part(b"text/calendar; method=REQUEST", _CALENDAR),
        _file("attachment-2.ics", "text/calendar", _CALENDAR),
    ),
    _attached(
        "F06 vCard",
        part(b"text/vcard", _VCARD),
        _file("attachment-2.vcf", "text/vcard", _VCARD),
    ),
    _attached(
        "F06 Content-Location in place of a name",
        picture(
            b"image/jpeg",
            b"Content-Location: IMG_1.jpg",
            b"Content-Disposition: inline",
        ),
        _file("attachment-2.jpg", "image/jpeg", PICTURE),
    ),
    # The standard library finds the name; Dovecot and the other two parsers do not.
    _attached(
        "F06 disposition that is only a name",
        in_base64(b"application/pdf", PDF, b"Content-Disposition: filename=b.pdf"),
        _file("attachment-2.pdf", "application/pdf"),
    ),
    _attached(
        "F06 empty name",
        in_base64(b'application/pdf; name=""', PDF),
        _file("attachment-2.pdf", "application/pdf"),
    ),
    _case(
        "F06 PDF before the text",
        multipart(b"mixed", _PDF, _SCAN),
        "Scan",
        _file("attachment-1.pdf", "application/pdf"),
    ),
    _case(
        "F06 PDF in related",
        multipart(b"related", _LOGO, _PDF),
        "Hello",
        _file("attachment-2.pdf", "application/pdf"),
    ),
    _case(
        "F06 PDF in a multipart within",
        multipart(b"mixed", multipart(b"mixed", _SCAN, _PDF, boundary=b"in")),
        "Scan",
        _file("attachment-1-2.pdf", "application/pdf"),
    ),
    _case(
        "F06 PDF in an alternative",
        multipart(b"alternative", _SCAN, _PDF),
        "Scan",
        _file("attachment-2.pdf", "application/pdf"),
    ),
    _case(
        "F06 calendar in an alternative",
        multipart(
            b"alternative", _SCAN, html(b"<p>Scan"), part(b"text/calendar", _CALENDAR)
        ),
        "Scan",
        _file("attachment-3.ics", "text/calendar", _CALENDAR),
    ),
    _case(
        "F06 PDF in a report",
        multipart(b"report", _SCAN, _PDF),
        "Scan",
        _file("attachment-2.pdf", "application/pdf"),
    ),
    _case(
        "F06 two PDF and no text",
        multipart(b"mixed", _PDF, _PDF),
        "",
        _file("attachment-1.pdf", "application/pdf"),
        _file("attachment-2.pdf", "application/pdf"),
    ),
    _case(
        "F06 the mail is a JPEG",
        picture(),
        "",
        _file("attachment-1.jpg", "image/jpeg", PICTURE),
    ),
    _case(
        "F06 the mail is a WAV with a name",
        in_base64(b"audio/wav; name=call.wav", PDF),
        "",
        _file("call.wav", "audio/wav"),
    ),
    _case(
        "F06 the mail is a calendar",
        part(b"text/calendar", _CALENDAR),
        "",
        _file("attachment-1.ics", "text/calendar", _CALENDAR),
    ),
    _case(
        "F06 the mail is an inline TIFF",
        in_base64(b"image/tiff", PDF, b"Content-Disposition: inline"),
        "",
        _file("attachment-1.tiff", "image/tiff"),
    ),
    _attached(
        "message within",
        part(b"message/rfc822", _INNER),
        _file("attachment-2.eml", "message/rfc822", _INNER),
    ),
    # In RFC 2045 5.2, and in pymap, an invalid type is text/plain; here a file name has priority.
    replace(
        _attached(
            "F24 broken type with a name",
            in_base64(
                b'/; name="a.pdf"',
                PDF,
                b"Content-Disposition: attachment; filename=a.pdf",
            ),
            _file("a.pdf", "application/pdf"),
        ),
        on_pymap=False,
    ),
    _attached(
        "text with attachment and no name",
        part(b"text/plain", b"Note", b"Content-Disposition: attachment"),
        _file("attachment-2.txt", "text/plain", b"Note"),
    ),
    _case(
        "the only text has a name",
        part(b"text/plain; name=mail.txt", b"Hello"),
        "Hello",
    ),
)

# Dovecot reports the encoding "7bit" for some of them.
ENCODED: Final = (
    *(
        _attached(
            f"F20 PDF with the encoding {field.decode()}",
            part(
                b"application/pdf; name=a.pdf",
                encodebytes(PDF),
                b"Content-Transfer-Encoding: " + field,
            ),
            _file("a.pdf", "application/pdf"),
        )
        for field in (
            b'"base64"',
            b"base64;",
            b"'base64'",
            b"Base64 (c)",
            b"(c) base64",
            b"\r\n BASE64",
        )
    ),
    _case(
        "F20 the mail is a PDF with the encoding base64;",
        part(
            b"application/pdf; name=a.pdf",
            encodebytes(PDF),
            b"Content-Transfer-Encoding: base64;",
        ),
        "",
        _file("a.pdf", "application/pdf"),
    ),
    _attached(
        "F20 text file with the encoding quoted-printable;",
        part(
            b"text/csv; name=a.csv",
            b"T=C3=BCr",
            b'Content-Transfer-Encoding: "quoted-printable"',
        ),
        _file("a.csv", "text/csv", "Tür".encode()),
    ),
    _attached(
        "F20 text file without an encoding",
        part(b"text/csv; name=a.csv", b"a=20b"),
        _file("a.csv", "text/csv", b"a=20b"),
    ),
    _case(
        "F20 text with the encoding base64; behind a picture",
        multipart(
            b"mixed",
            in_base64(b"image/jpeg; name=b.jpg", PICTURE * 300),
            part(
                b"text/plain; charset=utf-8",
                b"VMO8cg==",
                b"Content-Transfer-Encoding: base64;",
            ),
        ),
        "Tür",
        _file("b.jpg", "image/jpeg", PICTURE * 300),
    ),
    _case(
        "F20 HTML with a style sheet and a quoted encoding",
        part(
            b"text/html; charset=utf-8",
            style(40_000) + b"<p>T=C3=BCr",
            b'Content-Transfer-Encoding: "Quoted-Printable"',
        ),
        "Tür",
    ),
)

TYPES: Final = (
    _octets(
        "F06 octet-stream that is a PDF by its name",
        b"application/octet-stream",
        "invoice.pdf",
        "application/pdf",
    ),
    _octets(
        "F06 octet-stream, name in upper case",
        b"Application/Octet-Stream",
        "SCAN.JPG",
        "image/jpeg",
    ),
    _octets(
        "F06 x-download",
        b"application/x-download",
        "a.docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    _octets(
        "F06 octet-stream, unknown extension",
        b"application/octet-stream",
        "a.qqq",
        "application/octet-stream",
    ),
    _octets(
        "F06 octet-stream without an extension",
        b"application/octet-stream",
        "invoice",
        "application/octet-stream",
    ),
    _octets(
        "F06 declared type stays", b"application/pdf", "invoice.dat", "application/pdf"
    ),
    _attached(
        "F06 octet-stream with a name by RFC 2231",
        in_base64(
            b"application/octet-stream",
            PDF,
            b"Content-Disposition: attachment; filename*=utf-8''R%C3%BCck.pdf",
        ),
        _file("Rück.pdf", "application/pdf"),
    ),
)

INLINE: Final = (
    _image("F23 cid picture in related", b"related", _ID, inline=True),
    _image(
        "F23 cid picture in related, inline",
        b"related",
        _ID,
        b"Content-Disposition: inline",
        inline=True,
    ),
    _image(
        "F23 cid picture in related, attachment",
        b"related",
        _ID,
        b"Content-Disposition: attachment",
        inline=False,
    ),
    _image(
        "F23 cid picture in related without a name",
        b"related",
        _ID,
        inline=True,
        name="attachment-2.png",
    ),
    _image("F23 picture in related without Content-ID", b"related", inline=False),
    _image("F23 cid picture in mixed", b"mixed", _ID, inline=False),
    _image(
        "F23 cid picture in mixed, attachment",
        b"mixed",
        _ID,
        b"Content-Disposition: attachment",
        inline=False,
    ),
    _case(
        "F23 logo and a PDF",
        multipart(
            b"mixed",
            multipart(
                b"related",
                multipart(b"alternative", plain(b"Hello"), _LOGO, boundary=b"in"),
                picture(b"image/gif", b"Content-ID: <logo@a>"),
                boundary=b"re",
            ),
            _PDF,
        ),
        "Hello",
        _file("attachment-1-2.gif", "image/gif", PICTURE, inline=True),
        _file("attachment-2.pdf", "application/pdf"),
    ),
)

FILES: Final = (*NAMELESS, *ENCODED, *TYPES, *INLINE)
