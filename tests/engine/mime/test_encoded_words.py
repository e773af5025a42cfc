"""RFC 2047 encoding is decoded like in mail programs, also if it is malformed."""

from base64 import b64encode
from functools import cache
from typing import Final

from hypothesis import assume, given, settings, strategies as st
import pytest

from custom_components.imap_push.imap.mime import charset
from custom_components.imap_push.imap.mime.budget import MAX_DECODED, Budget
from custom_components.imap_push.imap.mime.characters import one_line
from custom_components.imap_push.imap.mime.encoded_words import decode_encoded_words
from custom_components.imap_push.imap.mime.legacy_charsets import CORRECTIONS
from custom_components.imap_push.imap.mime.transfer_encoding import decode_base64


@pytest.mark.parametrize(
    ("field", "text"),
    [
        # Charset labels.
        pytest.param("=?gb2312?B?t6LGselG1tA=?=", "发票镕中", id="GB2312, GBK"),
        pytest.param("=?shift_jis?B?kL+LgY+Rh0CBYIeK?=", "請求書①～㈱", id="Shift_JIS, Windows-31J"),
        pytest.param("=?x-sjis?B?kL+LgY+R?=", "請求書", id="x-sjis"),
        pytest.param("=?iso-2022-jp?B?GyRCLSFAQTVhPXEbKEI=?=", "①請求書", id="ISO-2022-JP, NEC row 13"),
        pytest.param("=?ks_c_5601-1987?B?jGO55rCix88=?=", "똠방각하", id="KS C 5601, Windows-949"),
        pytest.param("=?iso-8859-1?Q?Rechnung_=96_80_=80_=84neu=93?=", "Rechnung – 80 € „neu“", id="Latin-1, Windows-1252"),
        pytest.param('=?"utf-8"?Q?T=C3=BCr?=', "Tür", id="quoted label"),
        pytest.param("=?utf-8*de-AT?Q?T=C3=BCr?=", "Tür", id="language"),
        pytest.param("=?utf-8*?Q?T=C3=BCr?=", "Tür", id="empty language"),
        pytest.param("=?utf-8?Q?T=C3?= =?UTF8?B?vHI=?=", "Tür", id="two spellings of one charset"),
        pytest.param("=?x-unknown?Q?T=C3=BCr?=", "Tür", id="unknown charset, UTF-8"),
        pytest.param("=?x-unknown?Q?T=FCr?=", "Tür", id="unknown charset, Windows-1252"),
        pytest.param("=?us-ascii?Q?T=C3=BCr?= =?us-ascii?Q?_=C3=B6?=", "Tür ö", id="US-ASCII, UTF-8"),
        pytest.param("=?gb2312?B?6K+35rGC?=", "请求", id="GB2312, UTF-8"),
        # Invalid octets.
        pytest.param("=?utf-8?B?VMO8ciDDtmZmbmV0IHNpY2ggZsO8ciBNw7xsbGVyIMM=?=", "Tür öffnet sich für Müller \ufffd", id="cut character, B"),
        pytest.param("=?UTF-8?Q?T=C3=BCr_ge=C3=B6ffnet_=C3?=", "Tür geöffnet \ufffd", id="cut character, Q"),
        pytest.param(b"T\xc3\xbcr ge\xc3\xb6ffnet \xfc M\xc3\xbcller", "Tür geöffnet \ufffd Müller", id="raw UTF-8, one bad octet"),
        pytest.param(b"=?iso-8859-1?Q?Die_Fr\xf6sche?=", "Die Frösche", id="raw octet in a word, Latin-1"),
        pytest.param("=?utf-8?Q?Die_Frösche?=", "Die Frösche", id="raw octets in a word, UTF-8"),
        pytest.param(b"=?utf-8?Q?Die_Fr\xf6sche?=", "Die Frösche", id="raw octet in a word, not UTF-8"),
        pytest.param(b"T\xfcr =?utf-8?Q?=C3=B6ffnet?= f\xfcr", "Tür öffnet für", id="raw Windows-1252 around a word"),
        pytest.param(b"T\xc3\xbcr \xc3\xa4 =?utf-8?Q?=C3=B6ffnet?= f\xfcr", "Tür ä öffnet f\ufffdr", id="raw text is of one charset"),
        pytest.param("=?utf-8?B?77u/W0FsYXJtXSBUw7xy?=", "[Alarm] Tür", id="byte order mark of UTF-8"),
        pytest.param(b"\xff\xfe=?utf-8?Q?T=C3=BCr?=", "Tür", id="raw byte order mark of UTF-16"),
        pytest.param(b"\xfe\xff\0a=?utf-8?Q?T=C3=BCr?=\0b", "aTür b", id="raw UTF-16"),
        # Syntax.
        pytest.param("=?UTF-8?q?T=c3=bcr?=", "Tür", id="lower case"),
        pytest.param("=?utf-8?Q?two words?=", "two words", id="space in the payload, Q"),
        pytest.param("=?utf-8?B?VMO8 cg==?=", "Tür", id="space in the payload, B"),
        pytest.param("=?utf-8?B?VMO8\r\n cg==?=", "Tür", id="folded in the payload"),
        pytest.param("=?utf-8?Q?T=C3\r\n =BCr?=", "Tür", id="folded in a character"),
        pytest.param("=? utf-8 ?Q?T=C3=BCr?=", "Tür", id="blanks around the label"),
        pytest.param("=?utf-8?Q?open??=", "open?", id="raw question mark at the end"),
        pytest.param("=?utf-8?Q?open? yes?=", "open? yes", id="raw question mark"),
        pytest.param("=?utf-8?Q?T=C3=BCr?=21?=", "Tür?!", id="raw question mark before an escape"),
        pytest.param("=?utf-8?Q?T=C3=BCr", "Tür", id="no end, Q"),
        pytest.param("=?utf-8?B?VMO8cg", "Tür", id="no end, B"),
        pytest.param("=?utf-8?B?VMO8cg==?", "Tür", id="incomplete end"),
        pytest.param("=?utf-8?Q?T=C3=BC =?utf-8?Q?r?=", "Tür", id="no end, then an encoded-word"),
        pytest.param("=?utf-8?Q?T=C3=BCr and text", "Tür and text", id="no end, then text"),
        pytest.param("=?utf-8?Q?a=ZZ=?=", "a=ZZ", id="no hexadecimal"),
        pytest.param("=?utf-8?X?a?=", "=?utf-8?X?a?=", id="unknown encoding"),
        pytest.param("=?utf-8?Q??= x", "x", id="empty word"),
        pytest.param("=??Q?a?=", "=??Q?a?=", id="no charset"),
        # Base64.
        pytest.param("=?utf-8?B?VMO8cg==IG9mZmVu?=", "Tür offen", id="padded piecewise"),
        pytest.param("=?utf-8?B?VMO8cg?= =?utf-8?B?IG9mZg?=", "Tür off", id="without padding"),
        pytest.param("=?utf-8?B?VM!O8c*g?=", "Tür", id="characters that are not digits"),
        pytest.param("=?utf-8?B?A?=", "=?utf-8?B?A?=", id="no octet"),
        # Several on one line.
        pytest.param("=?utf-8?Q?a?= =?utf-8?Q?b?=\r\n =?utf-8?Q?c?==?utf-8?Q?d?=", "abcd", id="adjacent"),
        pytest.param("=?utf-8?Q?a?= =?iso-8859-1?Q?=E4?= =?x-none?Q?c?=", "aäc", id="adjacent, of other charsets"),
        pytest.param("a =?utf-8?Q?b?= c", "a b c", id="text around a word"),
        pytest.param("a=?utf-8?Q?b?=c", "abc", id="text next to a word"),
        pytest.param("(=?utf-8?Q?b?=)", "(b)", id="parentheses"),
        pytest.param("=?utf-8?Q?=E2=97?= =?utf-8?B?jw==?=", "●", id="one character in Q and B"),
        pytest.param("=?iso-2022-jp?B?GyRCRnw=?= =?iso-2022-jp?B?S1wbKEI=?=", "日本", id="ISO-2022-JP without a reset"),
        pytest.param("=?iso-2022-jp?B?GyRCRnwbKEI=?= =?iso-2022-jp?B?GyRCS1wbKEI=?=", "日本", id="ISO-2022-JP with a reset"),
        pytest.param("=?utf-16le?B?5WU=?= =?utf-16le?B?LGc=?=", "日本", id="UTF-16"),
    ],
)  # fmt: skip
def test_field(field: str | bytes, text: str) -> None:
    """A field is decoded as one line."""
    octets = field.encode() if isinstance(field, str) else field
    assert decode_encoded_words(octets, Budget()) == text


def test_raw_text_in_a_fallback_charset() -> None:
    """Raw text that is not UTF-8 is decoded with the charset of another field."""
    budget = Budget()
    budget.set_fallback(lambda: ("windows-1251",))
    field = (
        "Счёт ".encode("cp1251") + b"=?utf-8?Q?=E2=84=96?=" + " пять".encode("cp1251")
    )
    assert decode_encoded_words(field, budget) == "Счёт № пять"


TEXT: Final = "Tür geöffnet: 5 € für Müller 日本語"


@pytest.mark.parametrize("size", range(1, 30))
@pytest.mark.parametrize("label", ["utf-8", "utf-16le", "gb18030"])
def test_base64_that_is_split_anywhere(label: str, size: int) -> None:
    """Base64 that the sender encoded first and then split is decoded."""
    digits = b64encode(TEXT.encode(label))
    words = [
        b"=?%b?B?%b?=" % (label.encode(), digits[n : n + size])
        for n in range(0, len(digits), size)
    ]
    assert decode_encoded_words(b" ".join(words), Budget()) == TEXT


@pytest.mark.parametrize(
    ("digits", "octets"),
    [
        (b"YWJj", b"abc"),
        (b"YQ==YWI=YWJj", b"aababc"),
        (b"YQ", b"a"),
        (b"Y", b""),
        (b"YWJjZ", b"abc"),
        (b"Y W\r\nJ!j", b"abc"),
        (b"====", b""),
        (b"", b""),
    ],
)
def test_base64(digits: bytes, octets: bytes) -> None:
    """Data after padding is decoded, and characters that are not digits are skipped."""
    assert decode_base64(digits) == octets


@cache
def letters(codec: str) -> str:
    """Return visible characters of a codec that have only one encoding."""
    found = []
    for number in (
        *range(0x21, 0x600),
        *range(0xE00, 0xE60),
        *range(0x3041, 0x3100),
        *range(0x4E00, 0xD7A4, 7),
    ):
        character = chr(number)
        octets = character.encode(codec, "ignore")
        if octets and octets.decode(codec) == character == one_line(character):
            found.append(character)
    corrected = CORRECTIONS.get(codec, {})
    return "".join(letter for letter in found if letter not in corrected)  # fmt: skip


CODECS: Final = sorted({*charset._CODECS.values()})
MARKS: Final = tuple(charset._BYTE_ORDER_MARKS)


def word(codec: str, encoding: bytes, octets: bytes) -> bytes:
    """Return an encoded-word."""
    if encoding == b"B":
        payload = b64encode(octets)
    else:
        payload = b"".join(b"=%02X" % octet for octet in octets)
    label = next(label for label, found in charset._CODECS.items() if found == codec)
    return b"=?%b?%b?%b?=" % (label.encode(), encoding, payload)


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=15, deadline=None, database=None)
@given(data=st.data(), encoding=st.sampled_from([b"B", b"Q"]))
def test_encoded_text_is_decoded(
    codec: str, encoding: bytes, data: st.DataObject
) -> None:
    """A text in a charset is decoded from one encoded-word, from two, and from a body."""
    text = data.draw(st.text(letters(codec), min_size=1, max_size=30))
    octets = text.encode(codec)
    assume(not octets.startswith(MARKS))
    cut = data.draw(st.integers(0, len(octets)))
    whole = word(codec, encoding, octets)
    words = word(codec, b"Q", octets[:cut]) + b" " + word(codec, encoding, octets[cut:])
    assert charset.decode(octets, codec) == text
    assert decode_encoded_words(whole, Budget()) == one_line(text)
    assert decode_encoded_words(words, Budget()) == one_line(text)


PIECES: Final = st.sampled_from(
    [b"=?", b"?=", b"utf-8", b"?q?", b"?B?", b"=?utf-8?q?", b"=?x?b?", b"=C3", b"=", b"?", b" ", b"\n", b'"', b"*",
     b"\xff\xfe", b"\xc3", b"\xa4", b"YQ", b"==", b"\x1b$B", b"\0"]
)  # fmt: skip


@settings(max_examples=300, deadline=None, database=None)
@given(field=st.lists(PIECES | st.binary(max_size=3)).map(b"".join))
def test_any_octets(field: bytes) -> None:
    """Any octets become one line."""
    text = decode_encoded_words(field, Budget())
    assert text == one_line(text)


@pytest.mark.parametrize(
    "piece",
    [b"=?utf-8?q?", b"=?utf-8?q?a?=", b"=?", b"?=", b"=?a?b?Y?= ", b"=?utf-8?q??=41", b"=? ", b'=?"', b"=?a*", b"?=AA"],
    ids=ascii,
)  # fmt: skip
def test_work_for_a_long_field_is_limited(piece: bytes) -> None:
    """Decoding stops when the budget is spent."""
    budget = Budget()
    text = decode_encoded_words(piece * (4 * MAX_DECODED // len(piece)), budget)
    assert len(text) <= MAX_DECODED
    assert budget.is_spent
    assert budget.truncated
