"""The text of HTML is that of a browser without JavaScript and network."""

import pytest

from ..required import require
from .browser import Html, inner_texts

from tests.rig.browser import Browser

DOCUMENTS = {
    "zero size": ('<p>a<span style="font-size:0">b</span>c', "ac"),
    "zero size around text": (
        '<p style="font-size:0">a<b style="font-size:9px">b',
        "b",
    ),
    "hidden": ('a<p hidden>b<p style="display:none">c', "a"),
    "script": ("a<script>document.body.append('b')</script><noscript>c", "ac"),
    "picture": ('a<img src="http://127.0.0.1:9/x" alt="b">', "a"),
    "empty": ("", ""),
}


@pytest.fixture
def _chromium(socket_enabled: None) -> None:
    require(Browser.available(), "Chromium")


@pytest.mark.browser
@pytest.mark.usefixtures("_chromium")
async def test_text_is_what_a_person_sees() -> None:
    """All documents are read by one browser, each on its own page."""
    documents = [Html("", html.encode(), "utf-8") for html, _ in DOCUMENTS.values()]
    texts = await inner_texts(documents)
    assert dict(zip(DOCUMENTS, texts, strict=True)) == {
        name: text for name, (_, text) in DOCUMENTS.items()
    }


@pytest.mark.browser
@pytest.mark.usefixtures("_chromium")
async def test_charset_of_the_message_wins() -> None:
    """As with the charset of HTTP, that of the document counts only without it."""
    meta = b'<meta charset="windows-1251">\xd1\xf7'
    documents = [Html("", meta, ""), Html("", meta, "iso-8859-1")]
    assert await inner_texts(documents) == ["Сч", "Ñ÷"]


@pytest.mark.parametrize(
    ("octets", "charset"),
    [
        (b"abc \xc3\xbc", "utf-8"),
        (b"abc \xfc", "windows-1252"),
        (b"\xff\xfea\x00", ""),
        (b"<meta charset=koi8-r>\xc1", ""),
    ],
    ids=["utf-8", "not utf-8", "byte order mark", "meta"],
)
def test_page_without_charset(octets: bytes, charset: str) -> None:
    """A browser would guess, so that it gets one; unless the page says it."""
    assert Html.of_page("a.html", octets).charset == charset


def test_document_becomes_a_message() -> None:
    """The charset is written as the message had it."""
    message = Html("", b"<p>\xfc", "x-odd").as_message()
    assert b'Content-Type: text/html; charset="x-odd"\r\n' in message
    assert message.endswith(b"\r\n\r\nPHA+/A==\r\n")
