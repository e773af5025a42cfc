"""Compare all charsets with Chromium's TextDecoder, octet by octet."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
import shutil
from typing import Final

from playwright.sync_api import sync_playwright
import pytest
from webencodings.labels import LABELS

from custom_components.imap_push.imap.mime.charset import _decode, codec_of

from tests.required import require
from tests.rig.browser import ARGUMENTS, PROGRAMS

pytestmark = [pytest.mark.browser, pytest.mark.once]

PROGRAM: Final = next(filter(None, map(shutil.which, PROGRAMS)), None)
NAME_OF: Final = """label => {
  try { return new TextDecoder(label).encoding } catch { return "" }
}"""
DECODE: Final = """([label, octets]) => octets.map(hex => {
  const bytes = Uint8Array.from(hex.match(/../g), digits => parseInt(digits, 16));
  return new TextDecoder(label, {ignoreBOM: true}).decode(bytes);
})"""
DOUBLE: Final = ("gbk", "gb18030", "big5", "euc-jp", "shift_jis", "euc-kr")
# Encodings that browsers do not support for security reasons, but that occur in mail.
REFUSED: Final = {"hz-gb-2312", "iso-2022-kr"}
# A browser decodes US-ASCII as Windows-1252. Here it is ignored: the text may be UTF-8.
ASCII: Final = {"us-ascii", "ascii", "ansi_x3.4-1968"}


def _is_undefined(_: bytes, theirs: str, ours: str) -> bool:
    """Octets that are undefined in Windows: a browser decodes them as control characters.

    In Windows-1255, the standard has an additional vowel sign.
    """
    return ("\x80" <= theirs <= "\x9f" or theirs == "\u05ba") and ours == "\ufffd"


def _is_different_in_big5(octets: bytes, theirs: str, ours: str) -> bool:
    """Python has HKSCS of 2004. Chromium decodes four pairs to lone surrogates."""
    return (
        "\ufffd" in ours
        or "\ud800" <= theirs[-1] <= "\udfff"
        or octets in {b"\xa2\x41", b"\xa2\x42"}
    )


# Differences for valid octets: a function that accepts them, and their number.
DIFFERENCES: Final[dict[str, tuple[Callable[[bytes, str, str], bool], int]]] = {
    "big5": (_is_different_in_big5, 197),
    # A tilde of JIS X 0212 and a letter that moved in the edition of 2005.
    "euc-jp": (lambda octets, *_: octets == b"\x8f\xa2\xb7", 1),
    "gb18030": (lambda octets, *_: octets == b"\x81\x35\xf4\x37", 1),
    **{
        encoding: (_is_undefined, count)
        for encoding, count in {
            "windows-874": 23, "windows-1250": 5, "windows-1251": 1, "windows-1252": 5, "windows-1253": 14,
            "windows-1254": 7, "windows-1255": 13, "windows-1257": 10, "windows-1258": 9,
        }.items()
    },
}  # fmt: skip


def sequences(encoding: str) -> list[bytes]:
    """Return the octets that are compared for an encoding."""
    found = [bytes((octet,)) for octet in range(256)]
    if encoding in DOUBLE:
        found += map(bytes, product(range(0x80, 256), range(0x20, 256)))
    if encoding == "euc-jp":
        found += map(bytes, product([0x8F], range(0xA1, 0xFF), range(0xA1, 0xFF)))
    if encoding == "gb18030":
        found += map(
            bytes,
            product(
                range(0x81, 0x85),
                range(0x30, 0x3A),
                range(0x81, 0xFF),
                range(0x30, 0x3A),
            ),
        )
    if encoding == "iso-2022-jp":
        found.remove(b"\x0e")
        found.remove(b"\x0f")
        found += (
            escape + bytes(pair) + b"\x1b(B"
            for escape in (b"\x1b$@", b"\x1b$B", b"\x1b(I", b"\x1b(J")
            for pair in product(range(0x21, 0x7F), repeat=2)
        )
    return found  # fmt: skip


ENCODINGS: Final = sorted({*LABELS.values()} - REFUSED)


def _decode_in_chromium() -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the encoding of each label, and for each encoding the decoded octets."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=PROGRAM, args=list(ARGUMENTS)
        )
        page = chromium.new_page()
        names = {label: page.evaluate(NAME_OF, label) for label in LABELS}
        texts = {
            encoding: page.evaluate(
                DECODE, [encoding, [octets.hex() for octets in sequences(encoding)]]
            )
            for encoding in ENCODINGS
        }
        chromium.close()
    return names, texts


@pytest.fixture(scope="module")
def answers() -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the results of Chromium, from a thread, as Playwright runs its own event loop."""
    require(PROGRAM is not None, "Chromium")
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(_decode_in_chromium).result()


def test_octets(answers: tuple[dict[str, str], dict[str, list[str]]]) -> None:
    """Octets have the same text, or are invalid in both, except for the differences above."""
    counts: Counter[str] = Counter()
    unexplained: list[tuple[str, bytes, str, str]] = []
    for encoding, texts in answers[1].items():
        codec = codec_of(encoding)
        explains, _ = DIFFERENCES.get(encoding, (lambda *_: False, 0))
        for octets, theirs in zip(sequences(encoding), texts, strict=True):
            # `decode` would detect a byte order mark or UTF-8 in some octets.
            ours = _decode(octets, codec, is_whole=True) if codec else theirs
            if ours == theirs or ("\ufffd" in ours and "\ufffd" in theirs):
                continue
            counts[encoding] += 1
            if not explains(octets, theirs, ours):
                unexplained.append((encoding, octets, theirs, ours))
    assert unexplained == []
    assert counts == {name: count for name, (_, count) in DIFFERENCES.items()}


def test_labels(answers: tuple[dict[str, str], dict[str, list[str]]]) -> None:
    """Each label means the same encoding."""
    names = answers[0]
    refused = {label for label, name in LABELS.items() if name in REFUSED}
    assert {label for label, name in names.items() if not name} == refused
    different = {
        label
        for label in names.keys() - refused
        if codec_of(names[label]) != codec_of(label)
    }
    assert different == ASCII
