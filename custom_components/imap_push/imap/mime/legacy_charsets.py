"""Correct Python's codecs where they differ from the WHATWG Encoding Standard."""

import codecs
from collections.abc import Sequence
from functools import lru_cache
import re
from typing import Final

# The name of the error handler of this module. It replaces invalid octets.
ERRORS: Final = "imap_push.legacy"
# Characters of a Python codec -> characters of the standard. Each has only one sequence of octets.
# gb18030: changes of the 2022 edition. cp932: octets that Python decodes although they are invalid.
_JIS: Final = dict(zip("〜‖−¢£¬", "～∥－￠￡￢", strict=True))
CORRECTIONS: Final[dict[str, dict[str, str]]] = {
    "big5hkscs": dict(zip("•､‾∼♁☉¥¢£", "‧﹑¯～⊕⊙￥￠￡", strict=True)),
    "cp932": dict.fromkeys("\uf8f0\uf8f1\uf8f2\uf8f3", "\ufffd"),
    "cp949": {},
    "euc_jp": _JIS,
    "gb18030": dict(
        zip(
            "\ue5e5\ue78d\ue78e\ue78f\ue790\ue791\ue792\ue793\ue794\ue795\ue796\ue7c7"
            "\ue81e\ue826\ue82b\ue82c\ue832\ue843\ue854\ue864",
            "\u3000\ufe10\ufe12\ufe11\ufe13\ufe14\ufe15\ufe16\ufe17\ufe18\ufe19\u1e3f"
            "\u9fb4\u9fb5\u9fb6\u9fb7\u9fb8\u9fb9\u9fba\u9fbb",
            strict=True,
        )
    ),
    "iso2022_jp_ext": _JIS,
    "koi8-u": {"╝": "ў", "╬": "Ў"},
}
# Octets that are invalid for a Python codec but valid in the standard.
_ADDED: Final = {("big5hkscs", b"\xa3\xe1"): "€", ("gb18030", b"\x80"): "€"}
# Lead octets. An invalid trail octet is replaced together with the lead octet unless it is ASCII.
_LEADS: Final[dict[str, Sequence[int]]] = {
    "big5hkscs": range(0x81, 0xFF),
    "cp932": range(0x81, 0xFD),
    "cp949": range(0x81, 0xFF),
    "euc_jp": (0x8E, 0x8F, *range(0xA1, 0xFF)),
    "gb18030": range(0x81, 0xFF),
}
# Codecs without escape sequences: their only state between two chunks is an incomplete character.
MULTI_OCTET: Final = frozenset(_LEADS)
# Rows of JIS X 0208, counted from 0, that Windows adds: the extensions of NEC and IBM.
_WINDOWS_ROWS: Final = (12, 88, 89, 90, 91)
_EUC_PAIR: Final = re.compile(rb"[\xa1-\xfe]{2}")


def _recover(error: UnicodeError) -> tuple[str, int]:
    """Return the replacement of invalid octets, and the position where decoding continues."""
    assert isinstance(error, UnicodeDecodeError)
    start, end = error.start, error.end
    octets = error.object[start : start + 2]
    text, size = _replacement(error.encoding, octets, end - start)
    return text, start + size


@lru_cache(maxsize=1_024)
def _replacement(codec: str, octets: bytes, size: int) -> tuple[str, int]:
    """Return the replacement of invalid octets, and how many octets it replaces.

    `size` is the number of octets that the codec reports as invalid.
    """
    for known in (octets, octets[:1]):
        if text := _ADDED.get((codec, known)):
            return text, len(known)
    if codec == "iso2022_jp_ext" and size == 2:
        return _decode_jis(octets), 2
    if codec == "euc_jp" and _EUC_PAIR.fullmatch(octets):
        return _decode_jis(bytes(octet & 0x7F for octet in octets)), 2
    if leads := _LEADS.get(codec):
        is_pair = octets[0] in leads and octets[-1] > 0x7F
        size = len(octets) if is_pair else 1
    return "\ufffd", size


def _decode_jis(pair: bytes) -> str:
    """Decode a character that Windows adds to JIS X 0208 by its row and cell, with cp932."""
    row, cell = (octet - 0x21 for octet in pair)
    if row not in _WINDOWS_ROWS:
        return "\ufffd"
    lead = row // 2 + (0x81 if row < 62 else 0xC1)
    trail = cell + 0x9F if row % 2 else cell + (0x40 if cell < 63 else 0x41)
    text = bytes((lead, trail)).decode("cp932", "replace")
    return text if len(text) == 1 else "\ufffd"


codecs.register_error(ERRORS, _recover)
