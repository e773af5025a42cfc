"""The text of HTML as Chromium shows it: 800 px wide, without JavaScript and network."""

from base64 import encodebytes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from playwright.async_api import Route, async_playwright

from tests.rig.browser import ARGUMENTS, program

_URL: Final = "http://document.invalid/"
_TIMEOUT_MILLISECONDS: Final = 20_000
# Octets in which a browser looks for a charset, and the byte order marks.
_PRESCAN: Final = 1024
_MARKS: Final = (b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")
# Text of size zero is in innerText, though nobody sees it.
_INNER_TEXT: Final = """
() => {
  const walker = document.createTreeWalker(document, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (parent && parseFloat(getComputedStyle(parent).fontSize) < 1) {
      walker.currentNode.data = "";
    }
  }
  return (document.body ?? document.documentElement).innerText;
}
"""


@dataclass(frozen=True, slots=True)
class Html:
    """An HTML document as octets, with the charset that its message names, or "".

    `name` is that of the message or the file.
    """

    name: str
    octets: bytes
    charset: str

    @classmethod
    def of_page(cls, name: str, octets: bytes) -> Self:
        """Return a document without a message, and with a charset unless it names one itself.

        Otherwise Chromium guesses.
        """
        if octets.startswith(_MARKS) or b"charset" in octets[:_PRESCAN].lower():
            return cls(name, octets, "")
        try:
            octets.decode()
        except UnicodeDecodeError:
            return cls(name, octets, "windows-1252")
        return cls(name, octets, "utf-8")

    @property
    def content_type(self) -> str:
        """Return the content type with the charset, if there is one."""
        return f'text/html; charset="{self.charset}"' if self.charset else "text/html"

    def as_message(self) -> bytes:
        """Return a message that consists of this document."""
        header = (
            f"From: corpus@example.org\r\nSubject: document\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: {self.content_type}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        )
        return header.encode() + encodebytes(self.octets).replace(b"\n", b"\r\n")


async def inner_texts(documents: Sequence[Html]) -> list[str]:
    """Return the innerText of each document."""
    texts: list[str] = []

    async def answer(route: Route) -> None:
        if route.request.url == _URL:
            html = documents[len(texts)]
            await route.fulfill(body=html.octets, content_type=html.content_type)
        else:
            await route.abort()

    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=program(), args=ARGUMENTS
        )
        context = await chromium.new_context(
            viewport={"width": 800, "height": 600}, java_script_enabled=False
        )
        context.set_default_timeout(_TIMEOUT_MILLISECONDS)
        await context.route("**/*", answer)
        page = await context.new_page()
        for _ in documents:
            await page.goto(_URL, wait_until="domcontentloaded")
            texts.append(await page.evaluate(_INNER_TEXT))
        await chromium.close()
    return texts
