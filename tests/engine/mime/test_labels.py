"""Charset labels have the same meaning as in a browser (WHATWG Encoding Standard)."""

import encodings
from typing import Final

import pytest
from webencodings.labels import LABELS

from custom_components.imap_push.imap.mime.charset import codec_of, decode

# Octets and text by encoding, as Chromium's TextDecoder decodes them; the last ones are not in
# the standard.
SAMPLES: Final[dict[str, tuple[bytes, str]]] = {
    "utf-8": (b'T\xc3\xbcr \xe2\x82\xac \xf0\x9f\x98\x80', "Tür € 😀"),
    "ibm866": (b'\x8f\xe0\xa8\xa2\xa5\xe2', "Привет"),
    "iso-8859-2": (b'Za\xbf\xf3\xb3\xe6', "Zażółć"),
    "iso-8859-3": (b'\xa1a\xf5ar', "Ħaġar"),
    "iso-8859-4": (b'\xa9\xf3\xbar\xb9\xb6i', "Šķēršļi"),
    "iso-8859-5": (b'\xbf\xe0\xd8\xd2\xd5\xe2', "Привет"),
    "iso-8859-6": (b'\xe5\xd1\xcd\xc8\xc7', "مرحبا"),
    "iso-8859-7": (b'\xca\xe1\xeb\xe7\xec\xdd\xf1\xe1 \xa4', "Καλημέρα €"),
    "iso-8859-8": (b'\xf9\xec\xe5\xed', "שלום"),
    "iso-8859-8-i": (b'\xf9\xec\xe5\xed', "שלום"),
    "iso-8859-10": (b'\xde\xe1\xf0\xbf', "Þáðŋ"),
    "iso-8859-13": (b'\xde\xe0s\xf8', "Žąsų"),
    "iso-8859-14": (b'\xd0y\xfe', "Ŵyŷ"),
    "iso-8859-15": (b'\xbcuvre 5 \xa4', "Œuvre 5 €"),
    "iso-8859-16": (b'\xdear\xe3 \xa4', "Țară €"),
    "koi8-r": (b'\xf0\xd2\xc9\xd7\xc5\xd4', "Привет"),
    "koi8-u": (b'\xf0\xd2\xc9\xd7\xa6\xd4 \xae\xbe', "Привіт ўЎ"),
    "macintosh": (b'F\x9fr \xdb \xbd\xb9', "Für € Ωπ"),
    "windows-874": (b'\xca\xc7\xd1\xca\xb4\xd5 \x80', "สวัสดี €"),
    "windows-1250": (b'\x8elu\x9dou\xe8k\xfd \x96 \x80', "Žluťoučký – €"),
    "windows-1251": (b'\xcf\xf0\xe8\xe2\xe5\xf2 \x96 \x88', "Привет – €"),
    "windows-1252": (b'T\xfcr \x96 80 \x80 \x84neu\x93', "Tür – 80 € „neu“"),
    "windows-1253": (b'\xca\xe1\xeb\xe7\xec\xdd\xf1\xe1 \x80', "Καλημέρα €"),
    "windows-1254": (b'I\xfe\xfdk \x96 \x80', "Işık – €"),
    "windows-1255": (b'\xf9\xec\xe5\xed \xa4', "שלום ₪"),
    "windows-1256": (b'\xe3\xd1\xcd\xc8\xc7 \x80', "مرحبا €"),
    "windows-1257": (b'\xde\xe0s\xf8 \x96 \x80', "Žąsų – €"),
    "windows-1258": (b'Vi\xea\xf2t \xfe \x80', "Việt ₫ €"),
    "x-mac-cyrillic": (b'\x8f\xf0\xe8\xe2\xe5\xf2 \xa2\xb6', "Привет Ґґ"),
    "gbk": (b'\xb7\xa2\xc6\xb1\xe9F\x86\xb4\x80', "发票镕喆€"),
    "gb18030": (b'\xb7\xa2\xc6\xb1\xe9F\x86\xb4\x949\xfc6', "发票镕喆😀"),
    "big5": (b'\xb5o\xb2\xbc \xa3\xe1 \xa1E \x94\xdc', "發票 € ‧ 啫"),
    "euc-jp": (b'\xc0\xc1\xb5\xe1\xbd\xf1\xad\xa1\xa1\xc1\xad\xea\xfc\xe2\x8e\xb1\x8f\xb0\xa1', "請求書①～㈱髙ｱ丂"),
    "iso-2022-jp": (b'\x1b$B@A5a=q-!!A-j|b\x1b(I12\x1b(J\\\x1b(B.', "請求書①～㈱髙ｱｲ¥."),
    "shift_jis": (b'\x90\xbf\x8b\x81\x8f\x91\x87@\x81`\x87\x8a\xb1\xee\xe0', "請求書①～㈱ｱ髙"),
    "euc-kr": (b'\x8cc\xb9\xe6\xb0\xa2\xc7\xcf \xbc\x84', "똠방각하 펲"),
    "utf-16le": (b'\xe5e,g \x00=\xd8\x00\xde', "日本 😀"),
    "utf-16be": (b'e\xe5g,\x00 \xd8=\xde\x00', "日本 😀"),
    "hz-gb-2312": (b"~{VPND~} a", "中文 a"),
    "iso-2022-kr": (b"\x1b$)C\x0e0!\x0f a", "가 a"),
    "utf-7": (b"T+APw-r", "Tür"),
    "cp437": (b"T\x81r", "Tür"),
    "cp850": (b"T\x81r \xb5", "Tür Á"),
    "cp852": (b"\xa6", "Ž"),
}  # fmt: skip
# Spellings that occur in mail but are missing in the table of `webencodings`.
OTHERS: Final = {
    "utf-8": ["UTF_8", " utf 8 ", "utf8mb4", "cp65001", '"utf-8"', "unicode20utf8"],
    "utf-7": ["unicode-1-1-utf-7", "utf7"],
    "utf-16le": ["utf-16-le", "ucs-2", "unicode", "iso-10646-ucs-2"],
    "utf-16be": ["utf_16_be", "unicodefffe"],
    "windows-1252": ["Windows_1252", "win-1252", "cp-1252", "ansi", "latin-1", "iso8859_1"],
    "windows-1251": ["win1251", "cp-1251", "windows1251"],
    "iso-8859-15": ["latin-9", "ISO_8859_15"],
    "iso-8859-16": ["latin10", "l10"],
    "windows-874": ["tis620", "cp874"],
    "koi8-r": ["koi8_r", "koi8r"],
    "koi8-u": ["koi8-ru", "koi8u"],
    "cp437": ["ibm437"],
    "cp850": ["cp-850", "ibm850", "850"],
    "cp852": ["ibm-852"],
    "ibm866": ["cp-866"],
    "macintosh": ["macroman", "x-mac-roman"],
    "gbk": ["cp936", "windows-936", "ms936", "euc-cn"],
    "gb18030": ["gb-18030", "gb18030-2000"],
    "hz-gb-2312": ["hz"],
    "big5": ["big-5", "cp950", "big5_hkscs", "windows-950"],
    "euc-jp": ["eucjp", "cp51932"],
    "shift_jis": ["ms932", "cp932", "windows-932", "shiftjis"],
    "iso-2022-jp": ["iso-2022-jp-1", "iso-2022-jp-ms", "iso2022jp", "cp50221"],
    "euc-kr": ["euckr", "uhc", "ms949", "cp949", "ks_c_5601"],
}  # fmt: skip
ASCII: Final = ("us-ascii", "ascii", "ansi_x3.4-1968")
CASES: Final = [
    *((label, LABELS[label]) for label in LABELS.keys() - {*ASCII, "x-user-defined"}),
    *((label, name) for name, labels in OTHERS.items() for label in labels),
]


@pytest.mark.parametrize(("label", "encoding"), sorted(CASES))
def test_text_is_decoded_by_its_label(label: str, encoding: str) -> None:
    """A label means the superset of the encoding that senders use."""
    octets, text = SAMPLES[encoding]
    assert decode(octets, codec_of(label)) == text
    assert codec_of(label.upper()) == codec_of(label)


def test_every_encoding_of_the_standard_has_a_sample() -> None:
    """The table above is complete."""
    assert SAMPLES.keys() >= {*LABELS.values()} - {"x-user-defined"}


@pytest.mark.parametrize(
    "label",
    ["", *ASCII, "x-user-defined", "x-unknown", "punycode", "idna", "zlib", "unicode_escape", "rot13", "base64",
     "undefined", "mbcs", "utf-8\0", "\u0430", "x" * 100_000],
)  # fmt: skip
def test_unknown_label(label: str) -> None:
    """US-ASCII is ignored, and names of Python codecs are not recognized."""
    before = set(encodings._cache)
    assert codec_of(label) is None
    assert decode(b"abc-", codec_of(label)) == "abc-"
    assert set(encodings._cache) == before
