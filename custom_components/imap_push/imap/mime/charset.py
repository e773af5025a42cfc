"""Decode octets by charset label, like the WHATWG Encoding Standard and mail programs.

Labels come from the sender. They are looked up in a table instead of Python's codec registry, which
imports a module for an unknown label and has codecs (punycode, idna) that need quadratic time. Each
codec of the table needs linear time for any octets.
"""

import codecs
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from webencodings.labels import LABELS

from .legacy_charsets import CORRECTIONS, ERRORS, MULTI_OCTET

# Octets that are decoded in one call, as a call does not release the GIL.
_CHUNK: Final = 16_384
# Octets that a decoder may buffer: the decoder of UTF-7 decodes an open Base64 run again with each
# chunk.
_MAX_BUFFERED: Final = 65_536
# Fallback codecs that are tried for text without a label.
_MAX_FALLBACKS: Final = 3
_INVALID: Final = "\ufffd"
_NOT_ASCII: Final = bytes(range(0x80, 0x100))
_BYTE_ORDER_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}

# The Python codec of a WHATWG encoding, if Python has another name for it, or has a superset.
_SUPERSETS: Final = {
    "big5": "big5hkscs",
    "euc-jp": "euc_jp",
    "euc-kr": "cp949",
    "gbk": "gb18030",
    "hz-gb-2312": "hz",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-2022-kr": "iso2022_kr",
    "iso-8859-8-i": "iso-8859-8",
    "macintosh": "mac-roman",
    "shift_jis": "cp932",
    "utf-16be": "utf-16-be",
    "utf-16le": "utf-16-le",
    "windows-874": "cp874",
    "x-mac-cyrillic": "mac-cyrillic",
}
# Labels that occur in mail but are missing in `webencodings`; without "-" and "_".
_MORE_LABELS: Final = {
    "utf-8": "utf8mb4 unicode20utf8 xunicode20utf8 cp65001",
    "utf-7": "utf7 unicode11utf7 unicode20utf7 xunicode20utf7",
    "utf-16-le": "csunicode iso10646ucs2 ucs2 unicode unicodefeff",
    "utf-16-be": "unicodefffe",
    "windows-1252": "ansi xansi",
    "iso-8859-15": "latin9",
    "iso-8859-16": "l10 latin10",
    "cp874": "cp874",
    "koi8-u": "koi8ru",
    "mac-roman": "macroman",
    "gb18030": "cp936 ms936 windows936 euccn gb180302000 cp54936",
    "hz": "hz",
    "big5hkscs": "cp950 ms950 windows950",
    "euc_jp": "cp51932",
    "cp932": "ms932 cp932 windows932",
    "iso2022_jp_ext": "iso2022jp1 iso2022jp2 iso2022jp3 iso2022jpms cp50220 cp50221 cp50222",
    "cp949": "cp949 ms949 uhc ksc56011992",
}
# US-ASCII does not define octets above 0x7F, so text with this label is decoded as if unlabeled.
_ASCII_LABELS: Final = ("us-ascii", "ascii", "ansi_x3.4-1968")
_IGNORED: Final = str.maketrans("", "", "-_ \t\r\n\"'")


def _normalized(label: str) -> str:
    return label.lower().translate(_IGNORED)


def _codecs() -> dict[str, str]:
    found = {
        _normalized(label): _SUPERSETS.get(encoding, encoding)
        for label, encoding in LABELS.items()
        if label not in _ASCII_LABELS and encoding != "x-user-defined"
    }
    for codec, labels in _MORE_LABELS.items():
        found |= dict.fromkeys(labels.split(), codec)
    for page in range(1250, 1259):
        found[f"win{page}"] = f"windows-{page}"
    for page in (437, 775, 850, 852, 855, 857, 858, 862):
        found |= dict.fromkeys((f"cp{page}", f"ibm{page}", f"{page}"), f"cp{page}")
    return found


_CODECS: Final = _codecs()


def codec_of(label: str) -> str | None:
    """Return the Python codec of a label, None if it is unknown or US-ASCII."""
    return _codec_of(label[:40])


@lru_cache(maxsize=256)
def _codec_of(label: str) -> str | None:
    return _CODECS.get(_normalized(label))


def decode(
    octets: bytes,
    codec: str | None,
    fallback_codecs: Callable[[], tuple[str, ...]] = tuple,
    *,
    is_whole: bool = True,
) -> str:
    """Decode octets; U+FFFD replaces each invalid sequence.

    `codec` is the codec of the label. `fallback_codecs` returns the codecs of the other labels in
    the message. Unless `is_whole`, an incomplete character at the end is left out.

    A byte order mark has priority over the label. The label is ignored if the octets are valid
    UTF-8 and invalid in its charset, or if it is UTF-8 and most octets that are not ASCII are
    invalid. Text without a label is decoded as UTF-8, or with the first fallback codec for which
    it is valid, or as Windows-1252.
    """
    if (codec is None or codec == "utf-8") and len(octets) <= _CHUNK:
        try:
            return octets.decode().removeprefix("\ufeff")
        except UnicodeDecodeError:
            pass  # The rules below are slow, and most fields do not need them.
    for mark, codec_of_mark in _BYTE_ORDER_MARKS.items():
        if octets.startswith(mark):
            return _decode(octets[len(mark) :], codec_of_mark, is_whole=is_whole)
    utf8 = _measure_utf8(octets)
    if codec and codec != "utf-8":
        text = _decode(octets, codec, is_whole=is_whole)
        # Most Chinese and Japanese text in UTF-8 is also valid GB 18030, but not vice versa.
        is_east_asian = utf8.characters > 1 and utf8.octets >= 3 * utf8.characters
        if _INVALID in text or (codec in MULTI_OCTET and is_east_asian):
            is_utf8 = utf8.characters > 0 and utf8.invalid == 0
            return _decode(octets, "utf-8", is_whole=is_whole) if is_utf8 else text
        return text
    # "Caf\xe9" without a label is not UTF-8 with an incomplete character at the end.
    invalid = utf8.invalid + (utf8.cut if is_whole and not codec else 0)
    if utf8.characters >= invalid:
        return _decode(octets, "utf-8", is_whole=is_whole)
    for fallback in () if codec else fallback_codecs()[:_MAX_FALLBACKS]:
        text = _decode(octets, fallback, is_whole=is_whole)
        # UTF-16 accepts nearly all octets.
        if _INVALID not in text and not fallback.startswith("utf-16"):
            return text
    return _decode(octets, "cp1252", is_whole=is_whole)


class _Utf8(NamedTuple):
    """Statistics of octets that are decoded as UTF-8."""

    characters: int  # that are not ASCII
    octets: int  # of these characters
    invalid: int  # octets
    cut: int  # octets of an incomplete character at the end


def _measure_utf8(octets: bytes) -> _Utf8:
    decoder = codecs.getincrementaldecoder("utf-8")("ignore")
    characters = valid = ascii_octets = 0
    for chunk in _chunks(octets):
        text = decoder.decode(chunk)
        characters += len(text)
        valid += len(text.encode())
        ascii_octets += len(chunk.translate(None, _NOT_ASCII))
    cut = len(decoder.getstate()[0])
    return _Utf8(
        characters=characters - ascii_octets,
        octets=valid - ascii_octets,
        invalid=len(octets) - valid - cut,
        cut=cut,
    )


def _decode(octets: bytes, codec: str, *, is_whole: bool) -> str:
    corrections = CORRECTIONS.get(codec)
    errors = "replace" if corrections is None else ERRORS
    if is_whole and len(octets) <= _CHUNK:
        pieces = [octets.decode(codec, errors)]
    else:
        pieces = list(_decode_chunks(octets, codec, errors, is_whole=is_whole))
    for old, new in (corrections or {}).items():
        pieces = [piece.replace(old, new) for piece in pieces]
    return "".join(pieces)


def _decode_chunks(
    octets: bytes, codec: str, errors: str, *, is_whole: bool
) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(codec)(errors)
    for chunk in _chunks(octets):
        yield decoder.decode(chunk)
        if len(decoder.getstate()[0]) > _MAX_BUFFERED:
            yield decoder.decode(b"", final=True)
            decoder.reset()
    if is_whole and codec in MULTI_OCTET:
        # The decoder would drop ASCII after an incomplete character.
        yield decoder.getstate()[0].decode(codec, errors)
    elif is_whole:
        yield decoder.decode(b"", final=True)


def _chunks(octets: bytes) -> Iterator[bytes]:
    return (octets[at : at + _CHUNK] for at in range(0, len(octets), _CHUNK))
