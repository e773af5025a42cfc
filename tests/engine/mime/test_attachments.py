"""The attachments of a message, as in an event."""

import pytest

from custom_components.imap_push.imap import Attachment
from custom_components.imap_push.imap.mime.attachments import (
    attachments_of,
    describe,
    filename_of,
)
from custom_components.imap_push.imap.mime.budget import Budget
from custom_components.imap_push.imap.mime.multipart import parse_message
from custom_components.imap_push.imap.mime.part import Part, roles

from .cases.build import html, multipart, part, plain
from .trees import split


def found(content: bytes) -> tuple[Attachment, ...]:
    """Return the attachments of a message."""
    budget = Budget()
    return attachments_of(parse_message(*split(content), budget, is_whole=True), budget)


def one(content_type: bytes, *fields: bytes) -> Attachment:
    """Return the attachment of a mail with text."""
    [attachment] = found(
        multipart(b"mixed", plain(b"x"), part(content_type, b"x", *fields))
    )
    return attachment


@pytest.mark.parametrize(
    ("content_type", "disposition", "name"),
    [
        pytest.param(b"application/pdf; name=a.pdf", b"", "a.pdf", id="RFC 2045"),
        pytest.param(b"application/pdf", b"attachment; filename=a.pdf", "a.pdf", id="RFC 2183"),
        pytest.param(b"application/pdf; name=b.pdf", b"attachment; filename=a.pdf", "a.pdf", id="both"),
        pytest.param(b"application/pdf; name=b.pdf", b"attachment", "b.pdf", id="disposition without a name"),
        pytest.param(b"application/pdf", b"inline; filename*=utf-8''%C3%A4.pdf", "ä.pdf", id="RFC 2231"),
        pytest.param(b"application/pdf; name=\"=?utf-8?q?=C3=A4=2Epdf?=\"", b"", "ä.pdf", id="RFC 2047"),
        pytest.param(b"application/pdf", b"", "attachment-2.pdf", id="none"),
        pytest.param(b'application/pdf; name=" "', b"", "attachment-2.pdf", id="blank"),
        pytest.param(b"application/octet-stream", b"", "attachment-2.bin", id="none, any type"),
        pytest.param(b"application/x-new", b"", "attachment-2.bin", id="none, new type"),
        pytest.param(b"audio/x-wav", b"", "attachment-2.wav", id="none, voice mail"),
        pytest.param(b"text/vcard", b"", "attachment-2.vcf", id="none, vCard"),
        pytest.param(b"message/rfc822", b"", "attachment-2.eml", id="none, message"),
        pytest.param(b"image/jpg", b"inline", "attachment-2.jpg", id="none, old type"),
    ],
)  # fmt: skip
def test_name(content_type: bytes, disposition: bytes, name: str) -> None:
    """A file without a name gets one with the number of its part."""
    fields = (b"Content-Disposition: " + disposition,) if disposition else ()
    assert one(content_type, *fields).filename == name


def test_all_fields() -> None:
    """All fields of an attachment have values."""
    structure = Part(
        number="1.2",
        content_type="image/png",
        parameters=(b"name", b"logo.png"),
        disposition="inline",
        content_id=b"logo@example.org",
        encoding="base64",
        size=120,
    )
    assert describe(structure, Budget(), is_resource=True) == Attachment(
        part="1.2",
        filename="logo.png",
        content_type="image/png",
        size=120,
        encoding="base64",
        disposition="inline",
        content_id="logo@example.org",
        inline=True,
    )


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        pytest.param({"encoding": ""}, "encoding", None, id="no encoding"),
        pytest.param({"encoding": "a b\ufffd"}, "encoding", None, id="broken encoding"),
        pytest.param({"disposition": ""}, "disposition", None, id="no disposition"),
        pytest.param({"disposition": "filename=b"}, "disposition", None, id="broken disposition"),
        pytest.param({"content_id": b""}, "content_id", None, id="no Content-ID"),
        pytest.param({"content_id": b"a\r\n\xffb"}, "content_id", "a \ufffdb", id="broken Content-ID"),
        pytest.param({"content_id": b"x" * 999}, "content_id", "x" * 200, id="long Content-ID"),
    ],
)  # fmt: skip
def test_broken_fields(
    changes: dict[str, object], field: str, value: str | None
) -> None:
    """Invalid values are left out."""
    described = describe(Part(number="2", **changes), Budget())  # type: ignore[arg-type]
    assert getattr(described, field) == value


@pytest.mark.parametrize(
    ("content_type", "inline"),
    [(b"image/gif", True), (b"text/css", False), (b"application/pdf", False)],
)
def test_only_images_are_inline(content_type: bytes, inline: bool) -> None:
    """Of the resources of HTML, only images are inline."""
    resource = part(content_type, b"x", b"Content-ID: <a@b>")
    [attachment] = found(multipart(b"related", html(b"x"), resource))
    assert attachment.inline is inline


def test_message_without_files() -> None:
    """Neither an unknown structure nor a text has attachments."""
    assert found(plain(b"x")) == ()
    assert attachments_of(None, Budget()) == ()


def test_number_of_attachments_is_limited() -> None:
    """As many as fit into an event are returned, and `truncated` is set."""
    files = [part(b"application/pdf; name=%d.pdf" % n, b"x") for n in range(150)]
    budget = Budget()
    message = parse_message(*split(multipart(b"mixed", *files)), budget, is_whole=True)
    names = [attachment.filename for attachment in attachments_of(message, budget)]
    assert names == [f"{n}.pdf" for n in range(len(names))]
    assert 20 < len(names) < 100
    assert budget.truncated


def test_name_is_the_same_each_time() -> None:
    """The generated name does not depend on other parts of the message."""
    content = multipart(b"mixed", plain(b"x"), part(b"application/pdf", b"x"))
    message = parse_message(*split(content), Budget(), is_whole=True)
    [file] = [part for part, _ in roles(message, Budget()) if part.number == "2"]
    assert filename_of(file, Budget()) == ""
    assert describe(file, Budget()) == found(content)[0]
