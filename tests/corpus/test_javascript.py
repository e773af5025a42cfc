"""What the Node.js process prints becomes a reading."""

from typing import Any

import pytest

from .javascript import reading_of

EMPTY: dict[str, Any] = {
    "from": [],
    "to": [],
    "cc": [],
    "reply_to": [],
    "subject": "",
    "message_id": "",
    "date": None,
    "text": "",
    "files": [],
}


@pytest.mark.parametrize(
    ("field", "printed", "expected"),
    [
        ("subject", {"subject": " a\tb"}, "a b"),
        ("sender", {"from": [["Ada", "ada@example.org"]]}, "ada@example.org"),
        ("sender_name", {"from": [["Ada", "ada@example.org"]]}, "Ada"),
        ("to", {"to": [["", "a@b.example"], ["list", ""]]}, ("a@b.example",)),
        ("date", {"date": 1796036400}, "2026-11-30T11:00:00"),
        ("date", {}, ""),
        ("text", {"text": "a\r\nb\x00"}, "a b"),
    ],
    ids=["line", "sender", "name", "addresses", "date", "no date", "text"],
)
def test_fields(field: str, printed: dict[str, Any], expected: object) -> None:
    """Each field has the form in which it is compared."""
    assert reading_of({**EMPTY, **printed}).values[field] == expected


def test_files() -> None:
    """Contents come as base64."""
    printed = {
        "files": [{"name": "a.pdf", "type": "Application/PDF", "content": "/w=="}]
    }
    files = reading_of({**EMPTY, **printed}).files
    assert files
    assert [(it.name, it.content_type, it.size) for it in files] == [
        ("a.pdf", "application/pdf", 1)
    ]
