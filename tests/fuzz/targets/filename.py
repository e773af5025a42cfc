"""The file names under which attachments are saved."""

from typing import Final

from custom_components.imap_push.mail.file_names import safe_filename

from ..promises import check_filename
from ..target import Stopwatch, Target

# The engine limits file names to 6,000 octets, and to 500 in an event.
_MAX_CHARACTERS: Final = 6_000
_SEEDS: Final = (
    "report.pdf\napplication/pdf",
    "../../etc/passwd\ntext/plain",
    "C:\\Windows\\con.txt\ntext/plain",
    "photo.html\nimage/png",
    "\nimage/jpeg",
    "a\u202egpj.exe\napplication/octet-stream",
    ".hidden\ntext/html",
    f"{'\u4f60' * 100}.tar.gz\napplication/gzip",
)
_WORDS: Final = (
    *(".", "..", "/", "\\", ":", "~", "*", " ", "\xa0", "\u3000", "\0", "\n", "%2f"),
    *("con", "NUL", "com1", "lpt\xb9", "clock$", "conin$", "CONOUT$", ".html", ".js"),
    *("\u202e", "\u200b", "\u2028", "\ufeff", "\x85", "\U000e0041", "e\u0301", "\u0308"),
    *("\ufb01", "\uff0e", "\uff0f", "\u2044", "\u00df", "\u0130", "text/html", "image/"),
)  # fmt: skip


def execute(data: bytes) -> float:
    """Make a file name safe; the second line of the input is the content type."""
    text = data.decode("utf-8", "replace")[:_MAX_CHARACTERS]
    name, _, content_type = text.partition("\n")
    watch = Stopwatch()
    with watch.step():
        safe = safe_filename(name or None, content_type)
    check_filename(safe)
    return watch.longest


TARGET: Final = Target(
    name="filename",
    execute=execute,
    seeds=lambda: [seed.encode() for seed in _SEEDS],
    words=tuple(word.encode() for word in _WORDS),
)
