"""Make server text safe to show: one line of visible characters, Markdown escaped."""

import re
from typing import Final

from .imap import one_line

MAX_TEXT: Final = 500  # characters

# Syntax of Markdown as the frontend renders it (marked with GFM).
_MARKDOWN_SYNTAX: Final = re.compile(r"[\\`*_~\[\]<>#|!]|&(?=#?\w+;)|^[-+=]")
_LIST_NUMBER: Final = re.compile(r"^(\d+)(?=[.)])")
# URLs and addresses become links without any syntax; a backslash does not always prevent it.
_AUTOLINK: Final = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
_WORD_JOINER: Final = "\N{WORD JOINER}"


def single_line(text: str, limit: int = MAX_TEXT) -> str:
    """Return at most `limit` visible characters of a server text, in one line."""
    # `one_line` removes invisible characters; the first limit bounds its work.
    return one_line(text[: 4 * limit])[:limit].rstrip()


def escape_markdown(text: str) -> str:
    """Return Markdown that shows at most MAX_TEXT characters of a server text literally."""
    text = _AUTOLINK.sub(_WORD_JOINER, single_line(text))
    text = _MARKDOWN_SYNTAX.sub(r"\\\g<0>", text)
    return _LIST_NUMBER.sub(r"\1\\", text)
