"""Compare the expected texts of `test_html.py` with Chromium's innerText, line by line."""

from typing import Final

import pytest

from custom_components.imap_push.imap.mime.characters import visible

from .test_html import (
    HIDDEN,
    INVISIBLE,
    LINES,
    MARKUP,
    MEDIA,
    PREFORMATTED,
    STYLE_SHEETS,
    shown_if,
    with_media,
    with_style,
)

from tests.corpus.browser import Html, inner_texts
from tests.required import require
from tests.rig.browser import Browser

pytestmark = [pytest.mark.browser, pytest.mark.once]

DOCUMENTS: Final[dict[str, str]] = {
    **dict(LINES),
    **dict(PREFORMATTED),
    **dict(HIDDEN),
    **dict(INVISIBLE),
    **dict(MARKUP),
    **{with_style(str(row.values[0])): str(row.values[1]) for row in STYLE_SHEETS},
    **{
        html: shown_if(applies)
        for media, applies in MEDIA
        for html in with_media(media)
    },
}
# Documents whose text differs from innerText, and the reason.
DIFFERENCES: Final = {
    "<tr><td>a</td><td>b</td></tr>": "cells are also separated without a table",
    "<p style='display:inline'>a</p><p style='display:inline'>b</p>": (
        "innerText has blank lines around <p> even if it is not a block"
    ),
    "a\rb\fc&#x2028;d": "a form feed and U+2028 are white space",
    f"a&#{'9' * 5_000};b": "Python does not convert this number",
}


def lines_of(text: str) -> list[str]:
    """Return the lines that are not blank, in normalized form.

    Invisible characters and list markers are removed, and white space is single spaces.
    """
    lines = (
        " ".join(line.split()).removeprefix("- ") for line in visible(text).split("\n")
    )
    return list(filter(None, lines))


async def test_texts(socket_enabled: None) -> None:
    """The text is the same as in Chromium, except for the documents in DIFFERENCES."""
    require(Browser.available(), "Chromium")
    documents = [Html("", html.encode(), "utf-8") for html in DOCUMENTS]
    texts = zip(DOCUMENTS.items(), await inner_texts(documents), strict=True)
    different = {
        html: (ours, theirs)
        for (html, ours), theirs in texts
        if lines_of(ours) != lines_of(theirs)
    }
    assert different.keys() == DIFFERENCES.keys(), different
