"""Folder names in modified UTF-7, and quoted strings."""

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.imap_push.imap import ImapError
from custom_components.imap_push.imap.wire.mailbox_name import (
    decode_folder,
    encode_folder,
    is_folder,
    is_same_folder,
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


# Names that are not modified UTF-7, or not in its only allowed form. Sources: Yandex
# (modern-email/defects#46) shifts "&"; others send names as clients created them.
LISTED = [
    pytest.param("Entwürfe".encode(), "raw:Entwürfe", id="UTF-8"),
    pytest.param("日本".encode(), "raw:日本", id="UTF-8, CJK"),
    pytest.param("ü&APw-".encode(), "raw:ü&APw-", id="UTF-8 and UTF-7"),
    pytest.param(b"Entw\xfcrfe", "raw:Entw%FCrfe", id="Latin-1"),
    pytest.param(b"50% \xfc", "raw:50%25 %FC", id="Latin-1 and a percent sign"),
    pytest.param(b"R&D", "raw:R&D", id="lone ampersand"),
    pytest.param(b"Foo & Bar", "raw:Foo & Bar", id="lone ampersand and spaces"),
    pytest.param(b"R&D - Q&A", "raw:R&D - Q&A", id="lone ampersands and a hyphen"),
    pytest.param(b"&&-", "raw:&&-", id="ampersand before an encoded one"),
    pytest.param(b"a&", "raw:a&", id="ampersand at the end"),
    pytest.param(b"&APw", "raw:&APw", id="not ended"),
    pytest.param(b"&Jjo", "raw:&Jjo", id="not ended, a whole character"),
    pytest.param(b"&A-", "raw:&A-", id="a quarter of a character"),
    pytest.param(b"&AP-", "raw:&AP-", id="half a character"),
    pytest.param(b"&APx-", "raw:&APx-", id="surplus bits"),
    pytest.param(b"&APw=-", "raw:&APw=-", id="padding"),
    pytest.param(b"&AGEAYg-c", "raw:&AGEAYg-c", id="shifted ASCII"),
    pytest.param(b"&BDAAJgQx-", "raw:&BDAAJgQx-", id="shifted ampersand"),
    pytest.param(b"&BDAAIAQx-", "raw:&BDAAIAQx-", id="shifted space"),
    pytest.param(b"&APw-&APw-", "raw:&APw-&APw-", id="two shifts in a row"),
    pytest.param(b"&2D0-", "raw:&2D0-", id="half a surrogate pair"),
    pytest.param(b"&3Kw-", "raw:&3Kw-", id="the other half"),
    pytest.param(b"&AP!w-", "raw:&AP!w-", id="no base64"),
    pytest.param(b"&\xff-", "raw:&%FF-", id="no ASCII"),
    pytest.param(b"tab\there", "raw:tab%09here", id="control character"),
    pytest.param(b"raw:R&-D", "raw:raw:R&-D", id="the prefix itself"),
]


@pytest.mark.parametrize(("encoded", "name"), LISTED)
def test_name_that_is_not_canonical(encoded: bytes, name: str) -> None:
    """The name is that of the octets in LIST, and is sent as these octets."""
    assert decode_folder(encoded) == name
    assert encode_folder(name).encode("utf-8", "surrogateescape") == encoded


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.binary()
    | st.lists(st.sampled_from([b"&", b"-", b"AP", b"w", b",", b"%", b"raw:"])).map(
        b"".join
    )
)
def test_encode_reverses_decode(encoded: bytes) -> None:
    """Any octets become a name that can be stored as UTF-8 and is sent as the same octets."""
    name = decode_folder(encoded)
    name.encode()
    assert encode_folder(name).encode("utf-8", "surrogateescape") == encoded


def test_decode_is_linear() -> None:
    """A malicious name takes time proportional to its length, not hours."""
    assert decode_folder(b"&" * 1_000_000) == "raw:" + "&" * 1_000_000


@pytest.mark.parametrize(
    ("encoded", "name", "is_it"),
    [
        (b"Entw&APw-rfe", "Entwürfe", True),
        ("Entwürfe".encode(), "Entwürfe", True),
        (b"Entw&APw-rfe", "raw:Entwürfe", True),
        (b"R&D", "raw:R&D", True),
        (b"R&D", "R&D", True),
        (b"Entw\xfcrfe", "raw:Entw%FCrfe", True),
        (b"inbox", "INBOX", True),
        (b"Entwurf", "Entwürfe", False),
        (b"work", "Work", False),
        (b"raw:Work", "raw:Work", False),
    ],
)
def test_is_folder(encoded: bytes, name: str, is_it: bool) -> None:
    """A response names the folder in any form: Dovecot answers NOTIFY in UTF-8."""
    assert is_folder(encoded, name) is is_it


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("INBOX", "inbox", True),
        ("Work", "Work", True),
        ("Work", "work", False),
        ("R&D", "raw:R&-D", True),
        ("R&D", "raw:R&D", False),
    ],
)
def test_is_same_folder(one: str, other: str, is_same: bool) -> None:
    """Two names are one folder if they are sent as the same octets; INBOX ignores case."""
    assert is_same_folder(one, other) is is_same


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
