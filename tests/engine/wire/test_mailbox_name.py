"""Folder names in modified UTF-7, and quoted strings."""

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.imap_push.imap import ImapError
from custom_components.imap_push.imap.wire.mailbox_name import (
    decode_folder,
    encode_folder,
    quote,
)

TRANSLATED = [
    pytest.param("INBOX", b"INBOX", id="inbox"),
    pytest.param(
        "~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-", id="RFC 3501"
    ),
    pytest.param("Entwürfe", b"Entw&APw-rfe", id="umlaut"),
    pytest.param("Gelöschte Elemente", b"Gel&APY-schte Elemente", id="space"),
    pytest.param("R&D", b"R&-D", id="ampersand"),
    pytest.param("&&", b"&-&-", id="two ampersands"),
    pytest.param("&ü&", b"&-&APw-&-", id="ampersands around"),
    pytest.param("a&-b", b"a&--b", id="what looks encoded"),
    pytest.param("-ü-", b"-&APw--", id="hyphens around"),
    pytest.param("📬", b"&2D3c7A-", id="surrogate pair"),
    pytest.param("ü📬ä", b"&APzYPdzsAOQ-", id="surrogate pair within"),
    pytest.param("tab\there", b"tab&AAk-here", id="control character"),
    pytest.param('a "b" \\ c', b'a "b" \\ c', id="quotes stay"),
    pytest.param("", b"", id="nothing"),
]


@pytest.mark.parametrize(("name", "encoded"), TRANSLATED)
def test_encode_folder(name: str, encoded: bytes) -> None:
    """A folder name is encoded in modified UTF-7."""
    assert encode_folder(name) == encoded.decode()


@pytest.mark.parametrize(("name", "encoded"), TRANSLATED)
def test_decode_folder(name: str, encoded: bytes) -> None:
    """A folder name is decoded from modified UTF-7."""
    assert decode_folder(encoded) == name


@settings(max_examples=300, deadline=None, database=None)
@given(st.text())
def test_decode_reverses_encode(name: str) -> None:
    """Encoding and decoding a name returns the same name."""
    encoded = encode_folder(name)
    assert encoded.isascii()
    assert encoded.isprintable()
    assert decode_folder(encoded.encode()) == name


@pytest.mark.parametrize(
    ("encoded", "name"),
    [
        pytest.param("Entwürfe".encode(), "Entwürfe", id="raw UTF-8"),
        pytest.param("ü&APw-".encode(), "üü", id="UTF-8 and UTF-7"),
        pytest.param(b"Entw\xfcrfe", "Entw\ufffdrfe", id="raw Latin-1"),
        pytest.param(b"R&D", "R&D", id="lone ampersand"),
        pytest.param(b"R&D - Q&A", "R&D - Q&A", id="lone ampersands and a hyphen"),
        pytest.param(b"&&-", "&&", id="ampersand before an encoded one"),
        pytest.param(b"&APw", "&APw", id="not ended"),
        pytest.param(b"&A-", "&A-", id="a quarter of a character"),
        pytest.param(b"&AP-", "&AP-", id="half a character"),
        pytest.param(b"&2D0-", "&2D0-", id="half a surrogate pair"),
        pytest.param(b"&3Kw-", "&3Kw-", id="the other half"),
        pytest.param(b"&AP!w-", "&AP!w-", id="no base64"),
        pytest.param(b"&\xff-", "&\ufffd-", id="no ASCII"),
    ],
)
def test_decode_invalid_modified_utf7(encoded: bytes, name: str) -> None:
    """A name that is not valid modified UTF-7 is decoded as UTF-8."""
    assert decode_folder(encoded) == name


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.binary()
    | st.lists(st.sampled_from([b"&", b"-", b"AP", b"w", b","])).map(b"".join)
)
def test_decode_any_octets(encoded: bytes) -> None:
    """No name from a server raises, and each one can be encoded."""
    decode_folder(encoded).encode()


def test_decode_is_linear() -> None:
    """A malicious name takes time proportional to its length, not hours."""
    assert decode_folder(b"&" * 1_000_000) == "&" * 1_000_000


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        pytest.param("INBOX", '"INBOX"', id="plain"),
        pytest.param("", '""', id="empty"),
        pytest.param('pass"word', '"pass\\"word"', id="quote"),
        pytest.param("DOMAIN\\user", '"DOMAIN\\\\user"', id="backslash"),
        pytest.param('\\"', '"\\\\\\""', id="both"),
        pytest.param("{5}", '"{5}"', id="what looks like a literal"),
        pytest.param("pässword", '"pässword"', id="umlaut"),
        pytest.param("a\tb", '"a\tb"', id="tab"),
    ],
)
def test_quote(text: str, quoted: str) -> None:
    """A string is quoted."""
    assert quote(text) == quoted


@pytest.mark.parametrize("character", ["\r", "\n", "\0"], ids=["CR", "LF", "NUL"])
@pytest.mark.parametrize("pattern", ["{}x", "x{}", "x{}y"])
def test_quote_line_break(character: str, pattern: str) -> None:
    """A string with NUL, CR or LF is rejected: it could contain a second command."""
    with pytest.raises(ImapError, match="NUL, CR and LF"):
        quote(pattern.format(character))
