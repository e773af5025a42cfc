"""Attachments get file names that are safe and match the content type."""

from pathlib import Path

import pytest

from custom_components.imap_push.mail.file_names import (
    inert_filename,
    is_replaceable,
    safe_filename,
)
from homeassistant.util import raise_if_invalid_filename, raise_if_invalid_path


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        pytest.param("invoice.pdf", "invoice.pdf", id="plain"),
        pytest.param("Rechnung für März.pdf", "Rechnung für März.pdf", id="umlauts"),
        pytest.param("Ma\u0308rz.pdf", "März.pdf", id="decomposed"),
        pytest.param("請求書 😀.pdf", "請求書 😀.pdf", id="other scripts"),
        pytest.param("../../etc/passwd", "passwd", id="parent folders"),
        pytest.param("/etc/shadow", "shadow", id="absolute"),
        pytest.param(r"C:\Users\ada\report.doc", "report.doc", id="Windows path"),
        pytest.param(r"..\..\evil.bat", "evil.bat", id="Windows parents"),
        pytest.param("..", "attachment.bin", id="only dots"),
        pytest.param("folder/", "attachment.bin", id="ends with a separator"),
        pytest.param("...hidden", "hidden", id="leading dots"),
        pytest.param(".bashrc", "bashrc", id="hidden file"),
        pytest.param("name. . ", "name", id="trailing dots and spaces"),
        pytest.param("a..b.pdf", "a.b.pdf", id="dots within"),
        pytest.param("a\0b\r\nc\x7f\x85.pdf", "a b c .pdf", id="control characters"),
        pytest.param("inv\u202efdp.exe", "invfdp.exe", id="right-to-left override"),
        pytest.param("a\u200f\u2066b\u2028.pdf", "ab .pdf", id="marks and line ends"),
        pytest.param("a\ud800b.pdf", "a_b.pdf", id="lone surrogate"),
        pytest.param('a<b>:"|?*~.pdf', "a_b_______.pdf", id="not allowed on Windows"),
        pytest.param("CON", "_CON", id="device"),
        pytest.param("conin$", "_conin$", id="device for input"),
        pytest.param("CONOUT$.log", "_CONOUT$.log", id="device for output"),
        pytest.param("Clock$", "_Clock$", id="device for the time"),
        pytest.param("COM¹.txt", "_COM¹.txt", id="device with a superscript number"),
        pytest.param("aux . ", "_aux", id="device with trailing dots and spaces"),
        pytest.param(
            "con\u00a0.txt", "_con .txt", id="device with another kind of space"
        ),
        pytest.param("clock$work", "clock$work", id="begins with a device name"),
        pytest.param("nul.txt", "_nul.txt", id="device with a suffix"),
        pytest.param("Com1 .tar.gz", "_Com1 .tar.gz", id="device with a space"),
        pytest.param("console.log", "console.log", id="not a device"),
        pytest.param("", "attachment.bin", id="empty"),
        pytest.param(None, "attachment.bin", id="none"),
        pytest.param("\u200b \u202e", "attachment.bin", id="nothing visible"),
        pytest.param("\u00a0", "attachment.bin", id="only a no-break space"),
        pytest.param(
            "\u2800\u3164", "attachment.bin", id="letters that look like a space"
        ),
        pytest.param("\ufe0f\u034f", "attachment.bin", id="combining marks only"),
        pytest.param("a\u00a0b.pdf\u2003", "a b.pdf", id="other kinds of space"),
        pytest.param("x" * 300 + ".pdf", "x" * 196 + ".pdf", id="long"),
        pytest.param("ä" * 300 + ".pdf", "ä" * 98 + ".pdf", id="long and not ASCII"),
        pytest.param("x." + "y" * 300, "x." + "y" * 198, id="long suffix"),
        pytest.param(
            "x" * 195 + " and more.pdf", "x" * 195 + ".pdf", id="cut at a space"
        ),
    ],
)
def test_safe_filename(name: str | None, safe: str) -> None:
    """It is a single visible name on every file system."""
    made = safe_filename(name, "application/octet-stream")
    assert made == safe
    assert Path(made).name == made
    assert len(made.encode()) <= 200
    raise_if_invalid_filename(made)
    raise_if_invalid_path(made)


@pytest.mark.parametrize(
    ("content_type", "safe"),
    [
        pytest.param("image/jpeg", "attachment.jpg", id="known"),
        pytest.param("x/y", "attachment.bin", id="unknown"),
        pytest.param("", "attachment.bin", id="none"),
        pytest.param("../..", "attachment.bin", id="no type"),
    ],
)
def test_attachment_without_a_name(content_type: str, safe: str) -> None:
    """The suffix comes from the content type."""
    assert safe_filename(None, content_type) == safe


@pytest.mark.parametrize(
    ("name", "content_type", "safe", "inert"),
    [
        pytest.param("a.PDF", "application/pdf", "a.PDF", "a.PDF", id="agrees"),
        pytest.param("a.pdf", "Application/PDF", "a.pdf", "a.pdf", id="in capitals"),
        pytest.param("a.html", "image/png", "a.png", "a.png", id="page as a picture"),
        pytest.param("a.js", "image/png", "a.png", "a.png", id="script as a picture"),
        pytest.param("a.SVG", "image/png", "a.png", "a.png", id="SVG as a picture"),
        pytest.param(
            "a.js. ", "image/png", "a.png", "a.png", id="hidden by a trailing dot"
        ),
        pytest.param("a.j\u200bs", "image/png", "a.png", "a.png", id="hidden within"),
        pytest.param(
            "a.exe", "application/pdf", "a.pdf", "a.pdf", id="executable as PDF"
        ),
        pytest.param("a.png", "text/html", "a.html", "a.html.txt", id="page"),
        pytest.param(
            None,
            "text/html",
            "attachment.html",
            "attachment.html.txt",
            id="without a name",
        ),
        pytest.param("a.svg", "image/svg+xml", "a.svg", "a.svg.txt", id="SVG"),
        pytest.param("a.js", "text/javascript", "a.js", "a.js.txt", id="script"),
        pytest.param(
            "a.mjs", "application/javascript", "a.mjs", "a.mjs.txt", id="old script"
        ),
        pytest.param(
            "a.xhtml", "application/xhtml+xml", "a.xhtml", "a.xhtml.txt", id="XHTML"
        ),
        pytest.param(
            "card.js", "application/octet-stream", "card.js", "card.js.txt", id="any"
        ),
        pytest.param(
            "a.pdf", "application/octet-stream", "a.pdf", "a.pdf", id="any PDF"
        ),
        pytest.param("a.htm", "text/plain", "a.txt", "a.txt", id="page as text"),
        pytest.param("a.log", "text/plain", "a.log", "a.log", id="log as text"),
        pytest.param("a.csv", "text/plain", "a.csv", "a.csv", id="table as text"),
        pytest.param("a.json", "text/plain", "a.json", "a.json", id="data as text"),
        pytest.param("a.png", "text/plain", "a.txt", "a.txt", id="picture as text"),
        pytest.param("a.html", "image/x-new", "a.bin", "a.bin", id="unknown picture"),
        pytest.param("a.heif", "image/x-new", "a.heif", "a.heif", id="new picture"),
        pytest.param("a.odt", "application/x-new", "a.odt", "a.odt", id="unknown type"),
        pytest.param("a.html", "x/y", "a.html", "a.html.txt", id="page without a type"),
        pytest.param("a.jpeg", "image/jpg", "a.jpeg", "a.jpeg", id="old type"),
        pytest.param("a.xml", "application/xml", "a.xml", "a.xml", id="invoice"),
        pytest.param("a.docx", "application/msword", "a.docx", "a.docx", id="letter"),
        pytest.param("a.tar.gz", "application/gzip", "a.tar.gz", "a.tar.gz", id="two"),
        pytest.param("a", "application/pdf", "a.pdf", "a.pdf", id="no suffix"),
        pytest.param(
            "Bill 2026.11",
            "application/pdf",
            "Bill 2026.11.pdf",
            "Bill 2026.11.pdf",
            id="a dot and no suffix",
        ),
        pytest.param(
            "x" * 197 + ".js." + "y" * 30,
            "application/octet-stream",
            "x" * 197 + ".js",
            "x" * 196 + ".txt",
            id="suffix that shows when the name is cut",
        ),
    ],
)
def test_suffix_matches_the_content_type(
    name: str | None, content_type: str, safe: str, inert: str
) -> None:
    """Pages and scripts are saved as text, independent of the declared type."""
    assert safe_filename(name, content_type) == safe
    assert inert_filename(name, content_type) == inert
    assert len(inert.encode()) <= 200


@pytest.mark.parametrize(
    ("name", "content_type", "replaceable"),
    [
        pytest.param("a.pdf", "application/pdf", True, id="of the type"),
        pytest.param("a.JPG", "image/jpeg", True, id="in capitals"),
        pytest.param("a.yaml", "application/octet-stream", False, id="any type"),
        pytest.param("a.yaml", "application/x-new", False, id="unknown type"),
        pytest.param("a.log", "text/plain", False, id="some text"),
        pytest.param("a.html.txt", "text/html", False, id="page saved as text"),
    ],
)
def test_only_files_of_the_same_type_are_replaceable(
    name: str, content_type: str, replaceable: bool
) -> None:
    """A sender cannot choose a file of another type."""
    assert is_replaceable(name, content_type) is replaceable
