"""What the Node.js process prints becomes a reading."""

import json
from pathlib import Path
import shutil
from typing import Any

import pytest

from ..required import require
from . import javascript
from .javascript import read_all, reading_of

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


def test_readings_are_in_the_order_of_the_messages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A parser that gives up on a message has no reading of it."""
    require(shutil.which("node") is not None, "Node.js")
    (tmp_path / "parse.js").write_text(
        f"""
        const empty = {json.dumps(EMPTY)};
        require("node:readline").createInterface({{ input: process.stdin }}).on("line", (line) => {{
          const subject = Buffer.from(line, "base64").toString();
          const read = {{ "postal-mime": {{ ...empty, subject }}, mailparser: null }};
          console.log(JSON.stringify(read));
        }});
        """
    )
    monkeypatch.setattr(javascript, "FOLDER", tmp_path)
    found = read_all([b"one", b"two\n"])
    assert [list(it) for it in found] == [["postal-mime"], ["postal-mime"]]
    assert [it["postal-mime"].values["subject"] for it in found] == ["one", "two"]


def test_missing_program_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without npm there is nothing to compare with."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert javascript.install() == "Node.js with npm is not installed"
