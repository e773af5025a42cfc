"""Content-Transfer-Encoding is decoded, including malformed data."""

from base64 import b64encode
from binascii import b2a_uu
import quopri

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.imap_push.imap.mime.transfer_encoding import (
    decoder_for,
    encoding_name,
)

ENCODINGS = ["base64", "quoted-printable", "x-uuencode", "7bit"]


def decoded(encoding: str, octets: bytes, size: int = 1_000) -> bytes:
    """Decode octets in pieces of this size."""
    decoder = decoder_for(encoding)
    pieces = [octets[at : at + size] for at in range(0, len(octets), size)]
    return b"".join(map(decoder.decode, pieces)) + decoder.end()


def uuencoded(content: bytes, end: bytes = b"`\nend\n") -> bytes:
    """Return a file in uuencode."""
    lines = (b2a_uu(content[at : at + 45]) for at in range(0, len(content), 45))
    return b"begin 644 a.bin\n" + b"".join(lines) + end


@pytest.mark.parametrize(
    ("field", "name"),
    [
        (b"base64", "base64"),
        (b" BASE64\r\n", "base64"),
        (b'"base64"', "base64"),
        (b"'base64'", "base64"),
        (b"base64;", "base64"),
        (b"base64; charset=utf-8", "base64"),
        (b"base64 (really)", "base64"),
        (b"(a) base64 (b (c))", "base64"),
        (b"(a)\r\n base64", "base64"),
        (b"Quoted-Printable", "quoted-printable"),
        (b"base64" + b" " * 999, "base64"),
        (b"(" * 999, "(" * 200),
        (b"", ""),
        (b"\xff", "\ufffd"),
    ],
)
def test_name_of_an_encoding(field: bytes, name: str) -> None:
    """Case, comments, quotes and parameters are ignored (RFC 2045 6.1)."""
    assert encoding_name(field) == name


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1_000])
@pytest.mark.parametrize(
    ("encoding", "octets", "expected"),
    [
        pytest.param("base64", b"aGVsbG8=", b"hello", id="base64"),
        pytest.param("base64", b"aGVs\r\nbG8=\r\n", b"hello", id="lines"),
        pytest.param("base64", b"aG\r\nVsb\r\nG8=", b"hello", id="lines of any length"),
        pytest.param("base64", b"aGVsbG8", b"hello", id="no padding"),
        pytest.param("base64", b"aGVsb", b"hel", id="lone digit"),
        pytest.param("base64", b"aGVs!*\xff-bG8=", b"hello", id="other characters"),
        pytest.param("base64", b"aGVsbA==\r\nbyE=", b"hello!", id="each line is padded"),
        pytest.param("base64", b"aGVsbA==byE=", b"hello!", id="padding in a line"),
        pytest.param("base64", b"aGVsbA=\r\n=\r\nbyE=", b"hello!", id="padding on two lines"),
        pytest.param("base64", b"====", b"", id="padding only"),
        pytest.param("base64", b"", b"", id="empty"),
        pytest.param("quoted-printable", b"a=20b=C3=A4", b"a b\xc3\xa4", id="digits"),
        pytest.param("quoted-printable", b"=c3=a4", b"\xc3\xa4", id="lower case"),
        pytest.param("quoted-printable", b"123=\r\n456", b"123456", id="soft line break"),
        pytest.param("quoted-printable", b"123= \r\n456", b"123456", id="blank after it"),
        pytest.param("quoted-printable", b"123=\t \t\n456", b"123456", id="tabs after it"),
        pytest.param("quoted-printable", b"123=\n456", b"123456", id="lone LF"),
        pytest.param("quoted-printable", b"a  \r\nb\t\r\n", b"a\r\nb\r\n", id="transfer padding"),
        pytest.param("quoted-printable", b"a=20\r\nb", b"a \r\nb", id="encoded blank"),
        pytest.param("quoted-printable", b"a=", b"a", id="ends with ="),
        pytest.param("quoted-printable", b"a= \t", b"a", id="ends with = and blanks"),
        pytest.param("quoted-printable", b"a=ZZb", b"a=ZZb", id="no digits"),
        pytest.param("x-uuencode", uuencoded(b"hello"), b"hello", id="uuencode"),
        pytest.param("x-uuencode", uuencoded(bytes(range(256))), bytes(range(256)), id="uuencode, lines"),
        pytest.param("x-uuencode", uuencoded(b"hello").replace(b"\n", b"\r\n"), b"hello", id="uuencode, CRLF"),
        pytest.param("x-uuencode", b"See:\n" + uuencoded(b"hello") + b"#Bye\n", b"hello", id="text around it"),
        pytest.param("x-uuencode", uuencoded(b"hello", b""), b"hello", id="uuencode, no end"),
        pytest.param("x-uuencode", uuencoded(b"hello", b"\xff!!\n~~~\n`\nend"), b"hello", id="bad lengths"),
        pytest.param("x-uuencode", b"begin 644 a\nM\n", bytes(45), id="blanks cut off"),
        pytest.param("x-uuencode", b"hello\n", b"", id="uuencode, no begin"),
        pytest.param("7bit", b"a=20\r\n", b"a=20\r\n", id="7bit"),
        pytest.param("", b"a=20", b"a=20", id="none"),
        pytest.param("unheard-of", b"a=20", b"a=20", id="unknown"),
    ],
)  # fmt: skip
def test_decode(encoding: str, octets: bytes, expected: bytes, size: int) -> None:
    """The result does not depend on the size of the pieces."""
    assert decoded(encoding, octets, size) == expected


@pytest.mark.parametrize("name", ["x-uuencode", "uuencode", "x-uue", "uue"])
def test_names_of_uuencode(name: str) -> None:
    """Mailers use several names."""
    assert decoded(name, uuencoded(b"hello")) == b"hello"


@given(st.binary(max_size=300), st.integers(1, 40))
@settings(deadline=None)
def test_encoded_data_is_decoded(content: bytes, size: int) -> None:
    """The result is the original data."""
    assert decoded("base64", b64encode(content), size) == content
    assert decoded("x-uuencode", uuencoded(content), size) == content
    text = content.replace(b"\r", b"").replace(b"\n", b"")
    assert decoded("quoted-printable", quopri.encodestring(text), size) == text


@given(st.sampled_from(ENCODINGS), st.binary(max_size=200), st.integers(1, 50))
@settings(deadline=None)
def test_any_octets(encoding: str, octets: bytes, size: int) -> None:
    """The result is not longer than the octets, in pieces of any size."""
    found = decoded(encoding, octets, size)
    assert found == decoded(encoding, octets)
    assert encoding == "x-uuencode" or len(found) <= len(octets)


def test_long_line_is_not_buffered() -> None:
    """A line that is too long for uuencode is ignored."""
    decoder = decoder_for("uuencode")
    assert decoder.decode(b"begin 644 a\n") == b""
    for _ in range(100):
        assert decoder.decode(b"M" * 1_000) == b""
    assert len(decoder._rest) <= 101  # type: ignore[attr-defined]
