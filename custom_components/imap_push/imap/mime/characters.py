r"""Remove invisible characters, with which a sender can hide text from people, not from programs.

The removed characters are the Default_Ignorable_Code_Points of Unicode (among them tag characters,
zero-width characters, direction controls, variation selectors and fillers), all control
characters, other format controls without a glyph, noncharacters, and all from U+E0000 on.
Characters that change the appearance of visible text are kept: joiners in scripts that have
joining forms (RFC 5892 A.1, A.2), joiners and presentation selectors in emoji, and variation
selectors of Mongolian.
"""

from functools import cache
import re
from typing import Final

# Letters and symbols of Unicode without a glyph: Hangul fillers and the blank Braille pattern.
_BLANK: Final = "\u115f\u1160\u2800\u3164\uffa0"
_INVISIBLE: Final = (
    "\0-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\ufff0-\ufffb\ufffe\uffff"
)  # fmt: skip
_INVISIBLE_ABOVE: Final = (
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    + "".join(chr((plane << 16) + 0xFFFE) + chr((plane << 16) + 0xFFFF) for plane in range(1, 14))
    + "\U000e0000-\U0010ffff"
)  # fmt: skip

# Arabic to Myanmar, Khmer, Mongolian, and the Brahmic scripts at higher code points.
_JOINING: Final = (
    "\u0620-\u109f\u1780-\u17b3\u17b6-\u17d3\u1820-\u18af\u1a20-\u1aad\u1b00-\u1c4f"
    "\ua800-\ua8ff\ua980-\uaaff\uabc0-\uabff\U00010a00-\U00011fff"
)
_VIRAMA: Final = (
    "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca\u1039\u17d2"
)
_EMOJI: Final = (
    "\xa9\xae\u203c\u2049\u2100-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001faff"
)
_KEPT: Final = (
    f"[{_EMOJI}][\ufe0e\ufe0f]?(?:\u200d[{_EMOJI}][\ufe0e\ufe0f]?)*+"
    "|[#*0-9]\ufe0f(?=\u20e3)"
    "|[\u1820-\u18aa][\u180b-\u180f]"
    f"|[{_VIRAMA}][\u200c\u200d]"
    f"|[{_JOINING}][\u200c\u200d](?=[{_JOINING}])"
)
# A fast check. Individual ranges above U+FFFF would make it twenty times slower.
_SUSPECT: Final = re.compile(
    f"[{_INVISIBLE}{_BLANK}\ud800-\udfff\U00010000-\U0010ffff]"
)
_REPLACED: Final = dict.fromkeys(map(ord, _BLANK), " ") | dict.fromkeys(
    map(ord, "\x0b\f\r\x85\u2028\u2029"), "\n"
)
_LINE_CONTROLS: Final = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029]+")


@cache
def _removed() -> re.Pattern[str]:
    """Return the pattern of what is removed. Compiling it takes a millisecond."""
    return re.compile(f"({_KEPT})|[{_INVISIBLE}{_INVISIBLE_ABOVE}]+")


def visible(text: str) -> str:
    r"""Return a text without invisible characters except \t and \n; other line ends become \n.

    A lone surrogate, which charsets like UTF-7 can encode, becomes "?".
    """
    if not _SUSPECT.search(text):
        return text
    text = _removed().sub(r"\1", text.translate(_REPLACED))
    return text.encode("utf-8", "replace").decode()


def one_line(text: str) -> str:
    """Return a text as one line without invisible characters and with single spaces."""
    if not (text.isascii() and text.isprintable()):
        text = visible(_LINE_CONTROLS.sub(" ", text))
    return " ".join(text.split())
