"""Make server text safe to show: one line of visible characters, Markdown escaped."""

import re
from typing import Final

from .imap import one_line

MAX_TEXT: Final = 500  # characters
NOTHING: Final = "—"  # shown for a missing value

# Syntax of Markdown as the frontend renders it (marked with GFM).
_MARKDOWN_SYNTAX: Final = re.compile(r"[\\`*_~\[\]<>#|]|!(?=\[)|&(?=#?\w+;)|^[-+=]")
_LIST_NUMBER: Final = re.compile(r"^(\d+)(?=[.)])")
# Bare URLs and addresses become links, and a backslash does not always prevent this.
_AUTOLINK: Final = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
_WORD_JOINER: Final = "\N{WORD JOINER}"


def single_line(text: str, limit: int = MAX_TEXT) -> str:
    """Return the first `limit` visible characters of a server text, in one line."""
    # one_line() removes invisible characters. The first slice limits the time that it takes.
    return one_line(text[: 4 * limit])[:limit].rstrip()


def without_links(text: str) -> str:
    """Return a text without URLs and addresses that Markdown would show as links.

    Nothing else changes visibly, so the text can also be shown where Markdown is not rendered.
    """
    return _AUTOLINK.sub(_WORD_JOINER, text)


def escape_markdown(text: str) -> str:
    """Return Markdown that shows the first MAX_TEXT characters of a server text literally."""
    text = without_links(single_line(text))
    text = _MARKDOWN_SYNTAX.sub(r"\\\g<0>", text)
    return _LIST_NUMBER.sub(r"\1\\", text)
