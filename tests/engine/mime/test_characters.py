"""Invisible characters are removed, except those that change the appearance of others."""

from itertools import chain
import unicodedata

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.imap_push.imap.mime.characters import one_line, visible

# Default_Ignorable_Code_Point (DerivedCoreProperties.txt of Unicode 16).
IGNORABLE = [
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810)),
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *(0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0, *range(0xFFF0, 0xFFF9)),
    *range(0x1BCA0, 0x1BCA4),
    *range(0x1D173, 0x1D17B),
    *range(0xE0000, 0xE1000),
]
# Format characters with a glyph (Prepended_Concatenation_Mark).
WITH_GLYPH = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
NONCHARACTERS = [
    *range(0xFDD0, 0xFDF0),
    *chain(*((plane + 0xFFFE, plane + 0xFFFF) for plane in range(0, 0x110000, 0x10000))),
]  # fmt: skip
HIDDEN = {
    *map(chr, IGNORABLE),
    *map(chr, NONCHARACTERS),
    *(
        character
        for character in map(chr, range(0x110000))
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        and ord(character) not in WITH_GLYPH
    ),
} - {"\t", "\n"}
# Characters that are kept where they join or vary visible characters.
CONTEXTUAL = {*"\u200c\u200d\ufe0e\ufe0f\u180b\u180c\u180d\u180e\u180f"}


def test_all_invisible_characters_are_removed() -> None:
    """Between letters, each invisible character is removed or replaced."""
    left = {found: visible(f"x{found}x") for found in HIDDEN}
    assert {text for text in left.values() if text not in {"xx", "x x", "x\nx"}} == {
        "x?x"
    }
    surrogates = {found for found, text in left.items() if text == "x?x"}
    assert surrogates == {*map(chr, range(0xD800, 0xE000))}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a\u200bb\u2060c\ufeff", "abc", id="zero width"),
        pytest.param("\u202egnp.exe\u202c", "gnp.exe", id="direction"),
        pytest.param("a\u061cb\u200e\u200f\u2066c\u2069", "abc", id="direction marks"),
        pytest.param("hi\U000e0069\U000e0067\U000e007f", "hi", id="tags"),
        pytest.param("a\ufe00\ufe0f\U000e0101b", "ab", id="variation selectors"),
        pytest.param("😀\ufe0f\ufe0f\ufe0eb", "😀\ufe0fb", id="run of selectors"),
        pytest.param("\u3164\u115f\u1160\uffa0\u2800", "     ", id="fillers"),
        pytest.param("a\ufff9b\ufffac\ufffb", "abc", id="annotation"),
        pytest.param("a\x9b31m\x1b[0m\0", "a31m[0m", id="controls"),
        pytest.param("a\tb\nc", "a\tb\nc", id="tab and line end"),
        pytest.param("a\r\u2028\x85b", "a\n\n\nb", id="other line ends"),
        pytest.param("a\xadb", "ab", id="soft hyphen"),
        pytest.param("a\ud800b", "a?b", id="lone surrogate"),
        pytest.param("a\u200cb\u200dc", "abc", id="joiners in Latin"),
        pytest.param("😀\u200db", "😀b", id="joiner after an emoji"),
        pytest.param("😀\u200d\u200d😀", "😀😀", id="two joiners"),
        pytest.param("😀\u2060\u200d😀", "😀😀", id="joiner after another"),
        pytest.param("\u200dमन\u200d", "मन", id="joiners at the edges"),
        pytest.param("می\u200c\u200cخواهم", "میخواهم", id="two non-joiners"),
    ],
)
def test_invisible_characters_are_removed(text: str, expected: str) -> None:
    """The text has only visible characters."""
    assert visible(text) == expected
    assert visible(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Grüße, 日本語, العربية, עברית", id="letters"),
        pytest.param("👨‍👩‍👧‍👦 👩🏽‍💻 🏳️‍🌈 ❤️‍🔥", id="joined emoji"),
        pytest.param("☺️ ☺︎ ©️ 1️⃣ #️⃣ 🇩🇪 🏴", id="emoji with a selector"),
        pytest.param("می\u200cخواهم", id="Persian"),
        pytest.param("क्\u200dष क्\u200cष", id="Hindi"),
        pytest.param("ന്\u200d", id="Malayalam, at the end"),
        pytest.param("ᠠ\u180b", id="Mongolian"),
        pytest.param("\u06dd\u0661", id="format character with a glyph"),
        pytest.param("e\u0301 \ufffd \uf8ff", id="marks and private use"),
    ],
)
def test_visible_text_is_unchanged(text: str) -> None:
    """Joiners and selectors are kept where they have an effect."""
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("  a  b ", "a b", id="spaces"),
        pytest.param("a\r\n\tb\0c\x1bd\x9be\u2028f", "a b c d e f", id="controls"),
        pytest.param("a \u200b b", "a b", id="spaces around an invisible character"),
        pytest.param("\u3164a\u3164", "a", id="fillers at the edges"),
        pytest.param("\u3000\xa0", "", id="blank"),
    ],
)
def test_one_line(text: str, expected: str) -> None:
    """A field is one line, with single spaces."""
    assert one_line(text) == expected


@settings(max_examples=500, deadline=None, database=None)
@given(
    text=st.text(st.characters() | st.sampled_from([*CONTEXTUAL, *"😀#1कمa\u094d ᠠ"]))
)
def test_any_text(text: str) -> None:
    """No text has invisible characters, and the result is stable."""
    found = visible(text)
    assert visible(found) == found
    assert not HIDDEN.intersection(found) - CONTEXTUAL
    line = one_line(text)
    assert one_line(line) == line
    assert not HIDDEN.intersection(line) - CONTEXTUAL
    assert not {*"\t\n"}.intersection(line)
