"""What a server says, made safe to show: one line of visible characters, and no Markdown."""

import re
from typing import Final

from .imap import one_line

MAX_ANSWER: Final = 500  # characters of a server's words

# What Markdown (marked with GFM, as the frontend uses it) takes for more than text.
_MARKUP: Final = re.compile(r"[\\`*_~\[\]<>#|!]|&(?=#?\w+;)|^[-+=]")
_NUMBER: Final = re.compile(r"^(\d+)(?=[.)])")
# It makes a link of these without any markup, and a backslash does not always prevent that.
_LINK: Final = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
_WORD_JOINER: Final = "\N{WORD JOINER}"


def single_line(words: str, limit: int = MAX_ANSWER) -> str:
    """Return at most `limit` visible characters of a server's words, in one line."""
    # What is hidden is cut first: a limit on all of it bounds the work.
    return one_line(words[: 4 * limit])[:limit].rstrip()


def as_text(words: str) -> str:
    """Return a server's words as Markdown that shows them and nothing else, cut to 500."""
    text = _LINK.sub(_WORD_JOINER, single_line(words))
    text = _MARKUP.sub(r"\\\g<0>", text)
    return _NUMBER.sub(r"\1\\", text)
