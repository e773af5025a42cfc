"""Octets become text by what their label means in mail, whatever the sender wrote there."""

import codecs
import encodings

import pytest

from custom_components.imap_push.imap.mime import charset
from custom_components.imap_push.imap.mime.charset import codec_of, decode


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("utf-8", "utf-8"),
        (" UTF8 ", "utf-8"),
        ("ISO-8859-1", "windows-1252"),
        ("iso8859-15", "iso-8859-15"),
        ("ISO_8859-9", "windows-1254"),
        ("windows-1251", "windows-1251"),
        ("cp1250", "windows-1250"),
        ("win-1252", "windows-1252"),
        ("gb2312", "gb18030"),
        ("GBK", "gb18030"),
        ("big5", "big5hkscs"),
        ("ks_c_5601-1987", "cp949"),
        ("shift_jis", "cp932"),
        ("x-sjis", "cp932"),
        ("iso-2022-jp", "iso2022_jp_ext"),
        ("unicode-1-1-utf-7", "utf-7"),
        ("iso-8859-8-i", "iso-8859-8"),
        ("tis-620", "cp874"),
        ("koi8-u", "koi8-u"),
        ("macintosh", "mac-roman"),
    ],
)
def test_labels(label: str, codec: str) -> None:
    """A label means what senders mean by it."""
    assert codec_of(label) == codec


@pytest.mark.parametrize(
    "label",
    ["", "us-ascii", "x-unknown", "punycode", "idna", "zlib", "unicode_escape", "rot13",
     "base64", "undefined", "mbcs", "utf-8\0", "\u0430", "x" * 100_000],
)  # fmt: skip
def test_labels_that_are_none(label: str) -> None:
    """Neither what is unknown nor Python's other codecs are taken, or even looked for."""
    before = set(encodings._cache)
    assert codec_of(label) is None
    assert decode(b"abc-", codec_of(label)) == "abc-"
    assert set(encodings._cache) == before


def test_all_codecs_exist() -> None:
    """Each codec of the table can decode in pieces, and takes any octets."""
    octets = bytes(range(256)) * 200
    for codec in {*charset._CODECS.values()}:
        codecs.getincrementaldecoder(codec)
        assert decode(octets, codec)
        assert decode(octets, codec)


@pytest.mark.parametrize(
    ("octets", "codec", "text"),
    [
        pytest.param("ä".encode(), None, "ä", id="UTF-8"),
        pytest.param(b"\xe4 \x80", None, "ä €", id="Windows-1252"),
        pytest.param(b"\x81", None, "\ufffd", id="not even that"),
        pytest.param("日".encode("utf-16"), "utf-16-le", "日", id="mark"),
        pytest.param(
            "\ufeff日".encode("utf-16-be"), "utf-16-le", "日", id="other mark"
        ),
        pytest.param("日".encode("utf-16-le"), "utf-16-le", "日", id="no mark"),
        pytest.param(b"\xe4s", "utf-8", "äs", id="wrong label"),
        pytest.param(b"a\xff\xff", "gb18030", "a\ufffd\ufffd", id="invalid"),
    ],
)
def test_short_texts(octets: bytes, codec: str | None, text: str) -> None:
    """A field that is not what it says is taken for what it can be."""
    assert decode(octets, codec) == text


@pytest.mark.parametrize(
    ("octets", "codec", "text"),
    [
        pytest.param("ä".encode() + b"a\xffb", "utf-8", "äa\ufffdb", id="one invalid octet"),
        pytest.param("é".encode()[:1], "utf-8", "\ufffd", id="half a character"),
        pytest.param("aé".encode()[:-1], None, "aÃ", id="half a character, no label"),
        pytest.param("日".encode("utf-16"), "utf-16-be", "日", id="mark"),
        pytest.param("é".encode() * 20_001, None, "é" * 20_001, id="UTF-8 in pieces"),
        pytest.param(
            b"a" + "日本".encode("shift_jis") * 9_000, "cp932", "a" + "日本" * 9_000, id="pieces"
        ),
        pytest.param(
            "日本".encode("iso2022_jp") * 9_000, "iso2022_jp_ext", "日本" * 9_000, id="escapes in pieces"
        ),
        pytest.param(b"\xe9" * 40_000 + b"a", None, "é" * 40_000 + "a", id="Windows-1252 in pieces"),
        pytest.param(b"+AOQ-" * 40_000, "utf-7", "ä" * 40_000, id="UTF-7 in pieces"),
    ],
)  # fmt: skip
def test_long_texts(octets: bytes, codec: str | None, text: str) -> None:
    """A text is the same as if it were decoded at once."""
    assert decode(octets, codec) == text


def test_what_a_decoder_keeps_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of UTF-7 without an end is not decoded from its beginning again and again."""
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
