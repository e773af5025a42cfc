"""Content types and file name extensions."""

import pytest

from custom_components.imap_push.imap.mime.media_type import (
    extensions,
    media_type,
    type_of_file,
    type_of_name,
    usual_extension,
)


@pytest.mark.parametrize(
    ("kind", "subtype", "expected"),
    [
        ("Application", "PDF", "application/pdf"),
        ("application", "vnd.a+b-c_d", "application/vnd.a+b-c_d"),
        ("", "", "text/plain"),
        ("text", "", "text/plain"),
        ("/", "", "text/plain"),
        ("image", "j peg", "text/plain"),
        ("image", "jp\ufffdg", "text/plain"),
        ("a" * 128, "b", "text/plain"),
        ("a/b", "c", "text/plain"),
    ],
)
def test_type(kind: str, subtype: str, expected: str) -> None:
    """An invalid content type becomes text/plain (RFC 2045 5.2)."""
    assert media_type(kind, subtype) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.pdf", "application/pdf"),
        ("SCAN.PDF", "application/pdf"),
        ("a.tar.gz.jpg", "image/jpeg"),
        ("invite.ics", "text/calendar"),
        ("call.wav", "audio/wav"),
        ("ada.vcf", "text/vcard"),
        ("a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("smime.p7s", "application/pkcs7-signature"),
        ("a.qqq", None),
        ("pdf", None),
        (".pdf", None),
        ("a.", None),
        ("", None),
        ("a." + "x" * 30, None),
        ("a.p/df", None),
    ],
)  # fmt: skip
def test_type_of_a_name(name: str, expected: str | None) -> None:
    """The extension determines the content type."""
    assert type_of_name(name) == expected


@pytest.mark.parametrize(
    ("declared", "name", "expected"),
    [
        ("application/octet-stream", "a.pdf", "application/pdf"),
        ("application/x-download", "a.pdf", "application/pdf"),
        ("binary/octet-stream", "a.jpg", "image/jpeg"),
        ("application/octet-stream", "a.qqq", "application/octet-stream"),
        ("application/octet-stream", "", "application/octet-stream"),
        ("application/x-pdf", "a.pdf", "application/x-pdf"),
        ("text/plain", "a.pdf", "text/plain"),
        ("image/png", "a.jpg", "image/png"),
    ],
)
def test_type_of_a_file(declared: str, name: str, expected: str) -> None:
    """The name is used only if the declared type is generic."""
    assert type_of_file(declared, name) == expected


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/pdf", ".pdf"),
        ("application/x-pdf", ".pdf"),
        ("image/jpeg", ".jpg"),
        ("image/pjpeg", ".jpg"),
        ("image/tiff", ".tiff"),
        ("image/heic", ".heic"),
        ("audio/wav", ".wav"),
        ("audio/x-wav", ".wav"),
        ("audio/mpeg", ".mp3"),
        ("audio/mp3", ".mp3"),
        ("audio/amr", ".amr"),
        ("video/mp4", ".mp4"),
        ("text/plain", ".txt"),
        ("text/html", ".html"),
        ("text/calendar", ".ics"),
        ("text/vcard", ".vcf"),
        ("text/x-vcard", ".vcf"),
        ("text/csv", ".csv"),
        ("application/xml", ".xml"),
        ("application/json", ".json"),
        ("application/zip", ".zip"),
        ("application/x-zip-compressed", ".zip"),
        ("application/pgp-signature", ".asc"),
        ("message/rfc822", ".eml"),
        ("message/global", ".eml"),
        ("message/delivery-status", ".txt"),
        ("message/disposition-notification", ".txt"),
        ("message/feedback-report", ".txt"),
        ("text/rfc822-headers", ".txt"),
        ("application/octet-stream", None),
        ("application/x-new", None),
        ("", None),
    ],
)
def test_usual_extension(content_type: str, expected: str | None) -> None:
    """The extension of the generated name of a file."""
    assert usual_extension(content_type) == expected
    assert (expected in extensions(content_type)) is bool(expected)
