"""What Python's `email` reads of a message, and which parts are its text."""

from collections.abc import Sequence

import pytest

from .standard_library import body_parts, parse, read, text_of

TEXT = "Content-Type: text/plain\n\n"
HTML = "Content-Type: text/html\n\n"
NAMED = 'Content-Type: text/plain; name="log.txt"\n\n'
PICTURE = "Content-Type: image/png\n\nP\n"


def multipart(kind: str, *parts: str) -> str:
    """Return a multipart without a message around it."""
    lines = "".join(f"--{kind}\n{part}\n" for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="{kind}"\n\n{lines}--{kind}--\n'


@pytest.mark.parametrize(
    ("message", "texts"),
    [
        (TEXT + "a", ["a"]),
        (multipart("mixed", TEXT + "a", PICTURE, TEXT + "b"), ["a", "b"]),
        (multipart("alternative", TEXT + "a", HTML + "<p>"), ["a"]),
        (multipart("alternative", TEXT + " ", HTML + "<p>"), ["<p>"]),
        (multipart("mixed", HTML + "<p>", NAMED + "log"), ["<p>"]),
        (multipart("related", PICTURE, HTML + "<p>"), ["<p>"]),
        (multipart("digest", "\nSubject: x\n\na"), []),
        ("Content-Type: application/pdf\n\na", []),
    ],
    ids=[
        "text", "two texts", "alternatives", "empty alternative", "named", "related", "digest",
        "file",
    ],
)  # fmt: skip
def test_texts_of_a_message(message: str, texts: Sequence[str]) -> None:
    """The parts that a mail program shows, in order."""
    found = body_parts(parse(message.encode()))
    assert [text_of(part).strip() for part in found] == texts


def test_fields_of_a_message() -> None:
    """All fields are in the form in which they are compared."""
    header = (
        "From: Ada <ada@example.org>\nTo: b@example.org, c@example.org\nSubject: =?utf-8?q?d=C3=BCr?=\n"
        "Date: Mon, 30 Nov 2026 10:00:00 +0100\nMessage-ID: <1@example.org>\n"
    )
    message = header + multipart("mixed", TEXT + "open", PICTURE)
    found = read(parse(message.encode()))
    assert found.values == {
        "sender": "ada@example.org",
        "sender_name": "Ada",
        "to": ("b@example.org", "c@example.org"),
        "cc": (),
        "reply_to": (),
        "subject": "dür",
        "message_id": "<1@example.org>",
        "date": "2026-11-30T09:00:00",
        "text": "open",
    }
    assert found.files
    assert [(it.name, it.content_type, it.size) for it in found.files] == [
        ("", "image/png", 1)
    ]


def test_field_that_cannot_be_read_is_left_out() -> None:
    """An unknown charset costs the text, nothing else."""
    found = read(parse(b"Subject: a\nContent-Type: text/plain; charset=x-no\n\n\xff"))
    assert "text" not in found.values
    assert found.values["subject"] == "a"
