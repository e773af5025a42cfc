"""The role of a part: text, file, or inline image."""

import pytest

from custom_components.imap_push.imap.mime.budget import Budget
from custom_components.imap_push.imap.mime.multipart import parse_message
from custom_components.imap_push.imap.mime.part import Role, roles

from .cases.build import html, multipart, part, plain
from .trees import split

TEXT, FILE, RESOURCE, HIDDEN = Role
ATTACHMENT = b"Content-Disposition: attachment"
INLINE = b"Content-Disposition: inline"
CID = b"Content-ID: <logo@a>"
PLAIN, HTML, PNG, PDF = plain(b"x"), html(b"x"), b"image/png", b"application/pdf"


def found(content: bytes) -> list[Role]:
    """Return the roles of the parts of a message in order."""
    message = parse_message(*split(content), Budget(), is_whole=True)
    return [role for _, role in roles(message, Budget())]


@pytest.mark.parametrize(
    ("content", "role"),
    [
        pytest.param(PLAIN, TEXT, id="text"),
        pytest.param(HTML, TEXT, id="HTML"),
        pytest.param(b"Subject: x\r\n\r\nx", TEXT, id="no MIME"),
        pytest.param(part(b"text/plain; name=a.txt", b"x"), TEXT, id="text with a name"),
        pytest.param(part(b"text/plain", b"x", ATTACHMENT), FILE, id="text as an attachment"),
        pytest.param(part(PDF, b"x"), FILE, id="PDF"),
        pytest.param(part(PDF, b"x", INLINE), FILE, id="inline PDF"),
        pytest.param(part(b"text/calendar", b"x"), FILE, id="calendar"),
        pytest.param(part(b"text/enriched", b"x"), FILE, id="other text"),
        pytest.param(part(b"broken", b"x"), TEXT, id="broken type"),
        pytest.param(part(b"multipart/mixed", b"x"), HIDDEN, id="multipart without parts"),
    ],
)  # fmt: skip
def test_message_itself(content: bytes, role: Role) -> None:
    """The message itself is text if possible, even with a file name, as some mailers add one."""
    assert found(content) == [role]


@pytest.mark.parametrize("kind", [b"mixed", b"signed", b"report", b"unknown"])
@pytest.mark.parametrize(
    ("content", "role"),
    [
        pytest.param(PLAIN, TEXT, id="text"),
        pytest.param(part(b"text/plain", b"x", INLINE), TEXT, id="inline text"),
        pytest.param(part(b"text/plain; name=a.log", b"x"), FILE, id="named text"),
        pytest.param(part(b"text/plain; name*=utf-8''a", b"x"), FILE, id="name in RFC 2231"),
        pytest.param(part(b"text/plain; name*0*=utf-8''a", b"x"), FILE, id="name in pieces"),
        pytest.param(part(b'text/plain; name=""', b"x"), TEXT, id="empty name"),
        pytest.param(part(b"text/plain", b"x", INLINE + b"; filename=a"), FILE, id="name in the disposition"),
        pytest.param(part(b"text/plain", b"x", ATTACHMENT), FILE, id="attached text"),
        pytest.param(part(b"text/html; name=a.html", b"x"), FILE, id="named HTML"),
        pytest.param(part(b"text/csv", b"x"), FILE, id="CSV"),
        pytest.param(part(b"text/calendar", b"x"), FILE, id="calendar"),
        pytest.param(part(PDF, b"x"), FILE, id="PDF"),
        pytest.param(part(PNG, b"x", CID), FILE, id="picture with a Content-ID"),
        pytest.param(part(PNG, b"x", CID, INLINE), FILE, id="inline picture"),
        pytest.param(part(b"message/rfc822", b"Subject: a\r\n\r\nb"), FILE, id="message"),
        pytest.param(part(b"message/delivery-status", b"x"), FILE, id="status"),
    ],
)  # fmt: skip
def test_part_of_a_message(kind: bytes, content: bytes, role: Role) -> None:
    """Text with a file name is a file: an attached log is not the text of the message."""
    assert found(multipart(kind, PLAIN, content)) == [TEXT, role]


@pytest.mark.parametrize(
    ("content", "role"),
    [
        pytest.param(part(PNG, b"x", CID), RESOURCE, id="picture"),
        pytest.param(part(PNG, b"x", CID, INLINE), RESOURCE, id="inline picture"),
        pytest.param(part(PNG, b"x", CID, ATTACHMENT), FILE, id="attached picture"),
        pytest.param(part(PNG, b"x"), FILE, id="image without a Content-ID"),
        pytest.param(part(PDF, b"x"), FILE, id="PDF"),
        pytest.param(part(b"text/css", b"x", CID), RESOURCE, id="style sheet"),
        pytest.param(part(b"text/plain; name=a.log", b"x"), FILE, id="log"),
        pytest.param(part(b"text/html", b"x", CID), FILE, id="frame"),
        pytest.param(PLAIN, TEXT, id="text"),
    ],
)
def test_part_of_related(content: bytes, role: Role) -> None:
    """A part that the HTML refers to by its Content-ID is not a file."""
    assert found(multipart(b"related", HTML, content)) == [TEXT, role]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        pytest.param(b'; start="<root@a>"', [RESOURCE, TEXT], id="second"),
        pytest.param(b"; start=root@a", [RESOURCE, TEXT], id="without brackets"),
        pytest.param(b'; start="<none@a>"', [FILE, FILE], id="none: the first"),
    ],
)
def test_root_of_related(start: bytes, expected: list[Role]) -> None:
    """The root is the part of `start` (RFC 2387 3.2), and is text although it has a Content-ID."""
    root = html(b"x", b"Content-ID: <root@a>")
    content = multipart(b"related", part(PNG, b"x", CID), root, more=start)
    assert found(content) == expected


@pytest.mark.parametrize(
    ("content", "role"),
    [
        pytest.param(HTML, TEXT, id="HTML"),
        pytest.param(part(b"text/html; name=mail.html", b"x"), TEXT, id="named HTML"),
        pytest.param(part(b"text/html", b"x", ATTACHMENT), FILE, id="attached HTML"),
        pytest.param(part(b"text/x-amp-html", b"x"), HIDDEN, id="AMP"),
        pytest.param(part(b"text/watch-html", b"x"), HIDDEN, id="for a watch"),
        pytest.param(part(b"text/enriched", b"x"), HIDDEN, id="enriched"),
        pytest.param(part(b"text/calendar", b"x"), FILE, id="calendar"),
        pytest.param(part(PDF, b"x"), FILE, id="PDF"),
        pytest.param(multipart(b"related", HTML, part(PNG, b"x", CID), boundary=b"in"), None, id="related"),
    ],
)  # fmt: skip
def test_alternative(content: bytes, role: Role | None) -> None:
    """An alternative is text even with a file name; an unsupported format is hidden."""
    inner = [role] if role else [TEXT, RESOURCE]
    assert found(multipart(b"alternative", PLAIN, content)) == [TEXT, *inner]
