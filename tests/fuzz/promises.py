"""Guarantees for text from a sender: no hidden characters and safe file names."""

import re
from typing import Final
import unicodedata

from .target import Violation

# Characters that set the direction of text (Unicode Bidi_Control), and invisible tags.
_DIRECTIONS: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_HIDDEN: Final = re.compile(f"[{_DIRECTIONS}\U000e0000-\U000e0fff]")
_CONTROLS: Final = re.compile("[\\0-\\x1f\\x7f-\\x9f\u2028\u2029]")
_ZERO_WIDTH: Final = "\u200b\u200c\u200d\u2060\ufeff"

_MAX_FILENAME: Final = 255  # octets
_RESERVED: Final = re.compile(
    r"(con|prn|aux|nul|clock\$|conin\$|conout\$|(com|lpt)[0-9\xb9\xb2\xb3])\s*(\.|$)",
    re.IGNORECASE,
)


def check_text(name: str, text: str, *, is_one_line: bool = True) -> None:
    """Raise Violation if a text has control characters or invisible characters."""
    lines = text if is_one_line else re.sub(r"[\n\t]", "", text)
    if _CONTROLS.search(lines):
        raise Violation(f"a control character in {name}")
    if _HIDDEN.search(text):
        raise Violation(f"a hidden character in {name}")
    if text != text.strip(_ZERO_WIDTH):
        raise Violation(f"a zero-width character at an end of {name}")


def check_filename(name: str) -> None:
    """Raise Violation if a name is not safe on every file system."""
    check_text("a file name", name)
    if not name or name.startswith(".") or name != name.strip(". "):
        raise Violation("a file name that is hidden or changed by some systems")
    if re.search(r'[/\\<>:"|?*]', name):
        raise Violation("a file name with a special character")
    if _RESERVED.match(name):
        raise Violation("a reserved file name")
    if len(name.encode()) > _MAX_FILENAME:
        raise Violation("a file name that is too long")
    if any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in name):
        raise Violation("a file name that cannot be shown")
    if name.isspace():
        raise Violation("a file name of blanks")
