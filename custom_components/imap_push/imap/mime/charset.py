"""Charset labels of mail -> codecs: a table of known ones, and decoding that never raises.

A label comes from the sender. It is never given to Python's codec registry: there, an unknown
one is a failed import, and some that exist (punycode, idna) take quadratic time. Each codec of
the table takes linear time on any octets.
"""

import codecs
from collections.abc import Iterator
from typing import Final

# Octets that are decoded in one call: a call holds the interpreter lock.
_CHUNK: Final = 16_384
# Octets that a decoder may keep: a Base64 run of UTF-7 is decoded again with each chunk.
_MAX_KEPT: Final = 65_536

# The labels of the WHATWG Encoding Standard and others that mail has, with "-" for "_". A codec
# is the superset that senders mean, as in the standard. US-ASCII is left out: octets that are not
# ASCII are then detected as UTF-8 or Windows-1252.
_LABELS: Final = {
    "utf-8": "utf-8 utf8 utf8mb4 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8 cp65001",
    "utf-7": "utf-7 utf7 unicode-1-1-utf-7 unicode-2-0-utf-7 x-unicode-2-0-utf-7",
    "utf-16-le": "utf-16 utf-16-le utf-16le utf16 ucs-2 unicode unicodefeff csunicode iso-10646-ucs-2",
    "utf-16-be": "utf-16be utf-16-be unicodefffe",
    "cp1252": "l1 latin1 latin-1 cp819 ibm819 iso-ir-100 csisolatin1 iso-8859-1:1987 x-ansi ansi",
    "iso8859-2": "l2 latin2 iso-ir-101 csisolatin2 iso-8859-2:1987",
    "iso8859-3": "l3 latin3 iso-ir-109 csisolatin3 iso-8859-3:1988",
    "iso8859-4": "l4 latin4 iso-ir-110 csisolatin4 iso-8859-4:1988",
    "iso8859-5": "cyrillic iso-ir-144 csisolatincyrillic iso-8859-5:1988",
    "iso8859-6": "arabic asmo-708 ecma-114 iso-ir-127 csisolatinarabic iso-8859-6-e iso-8859-6-i"
    " iso-8859-6:1987 csiso88596e csiso88596i",
    "iso8859-7": "greek greek8 ecma-118 elot-928 iso-ir-126 csisolatingreek iso-8859-7:1987 sun-eu-greek",
    "iso8859-8": "hebrew visual logical iso-ir-138 csisolatinhebrew iso-8859-8:1988 iso-8859-8-e"
    " iso-8859-8-i csiso88598e csiso88598i",
    "cp1254": "l5 latin5 iso-ir-148 csisolatin5 iso-8859-9:1989",
    "iso8859-10": "l6 latin6 iso-ir-157 csisolatin6",
    "iso8859-16": "l10 latin10",
    "iso8859-15": "l9 latin9 latin-9 csisolatin9",
    "cp874": "tis-620 tis620 dos-874",
    "koi8-r": "koi8-r koi8r koi8 koi cskoi8r",
    "koi8-u": "koi8-u koi8u koi8-ru",
    "cp866": "cp866 ibm866 866 csibm866",
    "cp437": "cp437 ibm437 437",
    "cp850": "cp850 ibm850 850",
    "cp852": "cp852 ibm852 852",
    **{f"cp{number}": f"cp{number} ibm{number}" for number in (775, 855, 857, 858, 862)},
    "mac-roman": "macintosh mac x-mac-roman macroman csmacintosh",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "gb18030": "gb18030 gbk x-gbk cp936 ms936 windows-936 gb2312 gb-2312 gb-2312-80 csgb2312 chinese"
    " csiso58gb231280 iso-ir-58 euc-cn gb-18030 gb18030-2000",
    "hz": "hz hz-gb-2312",
    "big5hkscs": "big5 big5-hkscs big-5 cn-big5 csbig5 x-x-big5 cp950 ms950 windows-950",
    "euc_jp": "euc-jp eucjp x-euc-jp cseucpkdfmtjapanese",
    "cp932": "shift-jis shiftjis sjis x-sjis ms-kanji ms932 cp932 windows-31j csshiftjis windows-932",
    "iso2022_jp_ext": "iso-2022-jp iso2022-jp iso-2022-jp-1 iso-2022-jp-2 iso-2022-jp-3 iso-2022-jp-ms csiso2022jp",
    "iso2022_kr": "iso-2022-kr iso2022-kr csiso2022kr",
    "cp949": "euc-kr euckr cseuckr korean ks-c-5601-1987 ks-c-5601-1989 ksc5601 ksc-5601 ks-c-5601"
    " csksc56011987 iso-ir-149 windows-949 cp949 ms949 uhc",
}  # fmt: skip


def _codecs() -> Iterator[tuple[str, str]]:
    for codec, labels in _LABELS.items():
        yield from ((label, codec) for label in labels.split())
    for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16):
        codec = {1: "cp1252", 9: "cp1254", 11: "cp874"}.get(number, f"iso8859-{number}")
        for label in ("iso-8859-{}", "iso8859-{}", "iso8859{}", "iso-8859{}"):
            yield label.format(number), codec
    for number in (874, *range(1250, 1259)):
        for label in ("windows-{}", "windows{}", "win-{}", "cp{}", "cp-{}", "x-cp{}"):
            yield label.format(number), f"cp{number}"


_CODECS: Final = dict(_codecs())


def codec_of(label: str) -> str | None:
    """Return the Python codec that a label means, or None if it is not known, or is US-ASCII."""
    return _CODECS.get(label[:40].strip().lower().replace("_", "-"))


def decode(octets: bytes, codec: str | None) -> str:
    """Return a short text, such as a header field: in its codec, else UTF-8, else Windows-1252."""
    if codec and codec != "utf-8":
        try:
            return octets.decode(_by_byte_order(octets, codec))
        except UnicodeError:
            pass
    try:
        return octets.decode()
    except UnicodeError:
        return octets.decode("cp1252", "replace")


def decode_body(octets: bytes, codec: str | None) -> str:
    """Return a long text: each invalid octet costs a character.

    Where no codec is known, it is UTF-8 if it can be, else Windows-1252.
    """
    if codec:
        return "".join(_decode(octets, _by_byte_order(octets, codec), "replace"))
    try:
        return "".join(_decode(octets, "utf-8", "strict"))
    except UnicodeDecodeError:
        return "".join(_decode(octets, "cp1252", "replace"))


def _decode(octets: bytes, codec: str, errors: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(codec)(errors)
    for start in range(0, len(octets), _CHUNK):
        yield decoder.decode(octets[start : start + _CHUNK])
        if len(decoder.getstate()[0]) > _MAX_KEPT:
            yield decoder.decode(b"", final=True)
            decoder.reset()
    # What is cut within a character can still be UTF-8.
    if errors == "replace":
        yield decoder.decode(b"", final=True)


def _by_byte_order(octets: bytes, codec: str) -> str:
    """Return the codec of the byte order mark, which wins over the label."""
    if not codec.startswith("utf-16"):
        return codec
    marks = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
    return marks.get(octets[:2], codec)
