"""Which files of a folder are messages."""

from pathlib import Path

import pytest

from .messages import messages_in, pages_in

MAIL = b"From: ada@example.org\r\nSubject: door\r\n\r\nopen\r\n"
OTHER = b"From: ada@example.org\r\nSubject: window\r\n\r\nopen\r\n"
MBOX = b"From ada@example.org Mon Nov 30 10:00:00 2026\n"


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"a.eml": MAIL}, ["a.eml"]),
        ({"cur/1:2,S": MAIL}, ["cur/1:2,S"]),
        ({"a.txt": b"\xef\xbb\xbf" + MAIL}, ["a.txt"]),
        ({"a.eml": MAIL, "b.eml": MAIL.replace(b"\r", b"")}, ["a.eml"]),
        ({"a.eml": MAIL, "b.eml": OTHER}, ["a.eml", "b.eml"]),
        ({"in.mbox": MBOX + MAIL + b"\n" + MBOX + OTHER}, ["in.mbox#1", "in.mbox#2"]),
        ({"one": MBOX + MAIL}, ["one"]),
        ({"a.eml": MAIL + b"\r\nFrom here on, nothing.\r\n"}, ["a.eml"]),
        ({"a.json": b'{"From": "ada"}', "a.py": b"import email\n"}, []),
        ({"notes": b"Price: 3\nColor: red\n\ntext\n"}, []),
    ],
    ids=[
        "file", "maildir", "byte order mark", "same but for CR", "different", "mbox",
        "mbox of one", "text that begins with From", "other files", "other fields",
    ],
)  # fmt: skip
def test_messages_are_found(
    tmp_path: Path, files: dict[str, bytes], names: list[str]
) -> None:
    """Each different message is found once."""
    for name, data in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    assert [message.name for message in messages_in(tmp_path)] == names


def test_mbox_lines_are_no_part_of_messages(tmp_path: Path) -> None:
    """The line before a message is left out, the message is not changed."""
    (tmp_path / "in.mbox").write_bytes(MBOX + MAIL + b"\n" + MBOX + OTHER)
    assert [it.data for it in messages_in(tmp_path)] == [MAIL + b"\n", OTHER]


def test_pages_are_found(tmp_path: Path) -> None:
    """HTML files are no messages, but are read as HTML."""
    (tmp_path / "a.html").write_bytes(b"<p>open")
    assert [page.name for page in pages_in(tmp_path)] == ["a.html"]
    assert not list(messages_in(tmp_path))
