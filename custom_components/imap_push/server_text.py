"""What a server says, made safe to show: one line of visible characters, and no Markdown."""

import re
from typing import Final
import unicodedata

MAX_ANSWER: Final = 500  # characters of a server's words

# Control, format (bidi and zero-width characters, tags), private, surrogate, unassigned.
_HIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})
# Other characters without a glyph: fillers, joiners and variation selectors.
_HIDDEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)

# What Markdown (marked with GFM, as the frontend uses it) takes for more than text.
_MARKUP: Final = re.compile(r"[\\`*_~\[\]<>#|!]|&(?=#?\w+;)|^[-+=]")
_NUMBER: Final = re.compile(r"^(\d+)(?=[.)])")
# It makes a link of these without any markup, and a backslash does not always prevent that.
_LINK: Final = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
_WORD_JOINER: Final = "\N{WORD JOINER}"


def single_line(words: str, limit: int = MAX_ANSWER) -> str:
    """Return at most `limit` visible characters of a server's words, in one line."""
    # What is hidden is cut first: a limit on all of it bounds the work.
    line = " ".join(words[: 4 * limit].split())
    visible = "".join(
        character
        for character in _HIDDEN.sub("", line)
        if unicodedata.category(character) not in _HIDDEN_CATEGORIES
    )
    return " ".join(visible.split())[:limit]


def as_text(words: str) -> str:
    """Return a server's words as Markdown that shows them and nothing else, cut to 500."""
    text = _LINK.sub(_WORD_JOINER, single_line(words))
    text = _MARKUP.sub(r"\\\g<0>", text)
    return _NUMBER.sub(r"\1\\", text)
