"""Octets are decoded by the rules of mail programs, also if the label is wrong."""

import codecs

from hypothesis import assume, given, settings, strategies as st
import pytest

from custom_components.imap_push.imap.mime import charset
from custom_components.imap_push.imap.mime.charset import codec_of, decode


@pytest.mark.parametrize(
    ("octets", "label", "text"),
    [
        pytest.param("Tür".encode(), "", "Tür", id="none, UTF-8"),
        pytest.param(b"T\xfcr \x96 5 \x80", "", "Tür – 5 €", id="none, Windows-1252"),
        pytest.param(b"Caf\xe9", "", "Café", id="none, Windows-1252, looks like a cut character"),
        pytest.param(b"\x81", "", "\ufffd", id="none, undefined octet"),
        pytest.param(b"T\xc3\xbcr ge\xc3\xb6ffnet \xfc", "", "Tür geöffnet \ufffd", id="none, one bad octet"),
        pytest.param(b"T\xc3\xbcr \xc3", "", "Tür \ufffd", id="none, cut"),
        pytest.param("Tür".encode(), "us-ascii", "Tür", id="US-ASCII, UTF-8"),
        pytest.param(b"T\xfcr", "us-ascii", "Tür", id="US-ASCII, Windows-1252"),
        pytest.param("Tür".encode(), "x-unknown", "Tür", id="unknown, UTF-8"),
        pytest.param(b"T\xc3\xbcr \xc3", "utf-8", "Tür \ufffd", id="UTF-8, cut"),
        pytest.param(b"T\xc3\xbcr ge\xc3\xb6ffnet \xfc M\xc3\xbcller", "utf-8", "Tür geöffnet \ufffd Müller", id="UTF-8, one bad octet"),
        pytest.param(b"abc \xe2\x82", "utf-8", "abc \ufffd", id="UTF-8, only an incomplete character"),
        pytest.param(b"T\xfcr \xf6ffnet", "utf-8", "Tür öffnet", id="UTF-8, Windows-1252"),
        pytest.param(b"T\xfcr \xc3\xb6ffnet \xfc \xe4 \xf6", "utf-8", "Tür Ã¶ffnet ü ä ö", id="UTF-8, mostly Windows-1252"),
        pytest.param("请求书".encode(), "gb2312", "请求书", id="GB2312, UTF-8"),
        pytest.param("日本".encode(), "gb2312", "日本", id="GB2312, valid, but UTF-8"),
        pytest.param(b"\xc2\xbd", "gb2312", "陆", id="GB2312, also UTF-8"),
        pytest.param("二".encode(), "shift_jis", "二", id="Shift_JIS, invalid, but UTF-8"),
        pytest.param("請求書".encode(), "shift_jis", "請求書", id="Shift_JIS, UTF-8"),
        pytest.param(b"\xb7\xa2\xc6\xb1 \xff \xd6\xd0", "gb2312", "发票 \ufffd 中", id="GB2312, one bad octet"),
        pytest.param(b"\x90\xbf\x8b\x81\x8f", "shift_jis", "請求\ufffd", id="Shift_JIS, cut"),
        pytest.param(b"\xef\xbb\xbfT\xc3\xbcr", "iso-8859-1", "Tür", id="byte order mark of UTF-8"),
        pytest.param(b"\xff\xfe\xe5\x65", "utf-8", "日", id="byte order mark of UTF-16, little-endian"),
        pytest.param(b"\xfe\xff\x65\xe5", "utf-16le", "日", id="byte order mark of UTF-16, big-endian"),
        pytest.param(b"\xe5\x65", "utf-16", "日", id="no byte order mark"),
        pytest.param(b"\xb7\xa2\x80", "gb2312", "发€", id="GBK, euro"),
        pytest.param(b"\x8050", "gb2312", "€50", id="GBK, euro and digits at the end"),
        pytest.param(b"\xa3\xe1", "big5", "€", id="Big5, euro"),
        pytest.param(b"\x8f\x20", "euc-jp", "\ufffd ", id="EUC-JP, cut, then ASCII"),
        pytest.param(b"\x1b$B-!-~!A@A\x1b(B", "iso-2022-jp", "①\ufffd～請", id="ISO-2022-JP, undefined"),
        pytest.param(b"\x1b$@F|\x1b$(D0!\x1b(B", "iso-2022-jp-1", "日丂", id="ISO-2022-JP-1"),
        pytest.param(b"T+APw-r", "utf-7", "Tür", id="UTF-7"),
    ],
)  # fmt: skip
def test_label(octets: bytes, label: str, text: str) -> None:
    """The label is used unless the octets contradict it."""
    assert decode(octets, codec_of(label)) == text


@pytest.mark.parametrize(
    ("octets", "others", "text"),
    [
        pytest.param(b"\xcf\xf0\xe8", ("windows-1251",), "При", id="one"),
        pytest.param(b"\xb7\xa2\xc6\xb1", ("utf-8", "gb18030"), "发票", id="the second"),
        pytest.param("При".encode(), ("windows-1251",), "При", id="UTF-8 first"),
        pytest.param(b"\xb7\xff", ("gb18030", "cp932"), "·ÿ", id="none fits"),
        pytest.param(b"T\xfcr!", ("utf-16-le",), "Tür!", id="UTF-16 fits all"),
        pytest.param(b"\xcf\xf0", ("utf-8",) * 3 + ("windows-1251",), "Ïð", id="too many"),
    ],
)  # fmt: skip
def test_text_without_label(octets: bytes, others: tuple[str, ...], text: str) -> None:
    """Text without a label is decoded as UTF-8, or with a fallback codec."""
    assert decode(octets, None, lambda: others) == text
    assert decode(b"T\xfcr", "utf-8", lambda: others) == "Tür"


@pytest.mark.parametrize("label", ["", "utf-8", "gb2312", "shift_jis", "utf-16"])
def test_incomplete_text(label: str) -> None:
    """An incomplete character at the end is left out if the text continues."""
    codec = codec_of(label)
    octets = ("日" * 20_000).encode(codec or "utf-8")
    assert decode(octets[:-1], codec, is_whole=False) == "日" * 19_999
    assert decode(octets[:-1], codec) == "日" * 19_999 + "\ufffd"
    assert decode("ä".encode()[:1], None, is_whole=False) == ""


@pytest.mark.parametrize(
    ("octets", "label", "text"),
    [
        pytest.param("é".encode() * 20_001, "", "é" * 20_001, id="UTF-8"),
        pytest.param(b"\xe9" * 40_000 + b"a", "", "é" * 40_000 + "a", id="Windows-1252"),
        pytest.param("é".encode() * 20_001 + b"\xe9" * 20_000, "utf-8", "é" * 20_001 + "\ufffd" * 20_000, id="mostly UTF-8"),
        pytest.param("é".encode() * 20_000 + b"\xe9a" * 20_001, "", "Ã©" * 20_000 + "éa" * 20_001, id="mostly Windows-1252"),
        pytest.param(b"a" + b"\x93\xfa" * 20_000, "shift_jis", "a" + "日" * 20_000, id="Shift_JIS"),
        pytest.param(b"a" + b"\xad\xa1" * 20_000, "euc-jp", "a" + "①" * 20_000, id="EUC-JP"),
        pytest.param(b"\x1b$BF|-!\x1b(B" * 9_000, "iso-2022-jp", "日①" * 9_000, id="ISO-2022-JP"),
        pytest.param(b"a" + "日".encode() * 20_000, "gb2312", "a" + "日" * 20_000, id="wrong label"),
        pytest.param(b"+AOQ-" * 40_000, "utf-7", "ä" * 40_000, id="UTF-7"),
    ],
)  # fmt: skip
def test_long_text(octets: bytes, label: str, text: str) -> None:
    """A text that is decoded in chunks has the same result."""
    assert decode(octets, codec_of(label)) == text


def test_buffer_of_a_decoder_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """An open Base64 run of UTF-7 is not decoded from its start with each chunk."""
    kept: list[int] = []
    decoder_of = codecs.getincrementaldecoder

    class Decoder(codecs.getincrementaldecoder("utf-7")):  # type: ignore[misc]
        def decode(self, octets: bytes, final: bool = False) -> str:
            text: str = super().decode(octets, final)
            kept.append(len(self.getstate()[0]))
            return text

    monkeypatch.setattr(
        codecs,
        "getincrementaldecoder",
        lambda codec: Decoder if codec == "utf-7" else decoder_of(codec),
    )
    text = decode(b"+" + b"AOQA5ADk" * 100_000 + b"-", "utf-7")
    assert text.startswith("ä" * 20_000)
    assert 65_536 < max(kept) <= 65_536 + 16_384


CODECS = sorted({*charset._CODECS.values()})
STATEFUL = {"hz", "iso2022_jp_ext", "iso2022_kr", "utf-7"}
FRAGMENTS = st.sampled_from(
    [b"\x1b$B", b"\x1b$(D", b"\x1b(B", b"\x1b(I", b"\x1b$)C\x0e", b"~{", b"+", b"\x8f\xa1", b"\x81\x30", b"\xff"]
)  # fmt: skip


@pytest.mark.parametrize("codec", [None, *CODECS])
@settings(max_examples=15, deadline=None, database=None)
@given(octets=st.lists(FRAGMENTS | st.binary(max_size=4)).map(b"".join))
def test_any_octets(codec: str | None, octets: bytes) -> None:
    """All codecs decode any octets, complete or not."""
    assert isinstance(decode(octets, codec, lambda: ("cp932", "gb18030")), str)
    assert isinstance(decode(octets, codec, is_whole=False), str)


@pytest.mark.parametrize(
    "codec", sorted({*CODECS} - STATEFUL - {"utf-16-le", "utf-16-be"})
)
@settings(max_examples=15, deadline=None, database=None)
@given(octet=st.integers(0, 255), position=st.integers(0, 200))
def test_one_wrong_octet(codec: str, octet: int, position: int) -> None:
    """One changed octet changes only a few characters."""
    words = b"Tuer"
    letters = bytes(range(0xC0, 0xE0)).decode(codec, "ignore") or "日本語請求書"
    text = "".join(f"{words.decode()} {letter} " for letter in letters * 5)[:100]
    octets = bytearray(text.encode(codec, "ignore"))
    text = octets.decode(codec)
    octets[position % len(octets)] = octet
    assume(not octets.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)))
    found = decode(bytes(octets), codec)
    same = 0
    for left, right in ((text, found), (text[::-1], found[::-1])):
        same += next((n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), len(text))  # fmt: skip
    assert same >= len(text) - 4
