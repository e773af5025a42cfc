"""Folder names and strings as IMAP writes them."""

import pytest

from custom_components.imap_push.imap import ImapError
from custom_components.imap_push.imap.names import decode_folder, encode_folder, quote

BOTH_WAYS = {
    "empty": ("", b""),
    "ASCII": ("INBOX/Sub folder", b"INBOX/Sub folder"),
    "the example of RFC 3501": (
        "~peter/mail/台北/日本語",
        b"~peter/mail/&U,BTFw-/&ZeVnLIqe-",
    ),
    "umlaut": ("Entwürfe", b"Entw&APw-rfe"),
    "ampersand": ("R&D", b"R&-D"),
    "ampersands": ("&&-", b"&-&--"),
    "ampersand between letters beyond ASCII": ("ä&ö", b"&AOQ-&-&APY-"),
    "looks encoded": ("&U,BTFw-", b"&-U,BTFw-"),
    "emoji": ("📧 mail", b"&2D3c5w- mail"),
    "control characters": ("a\tb\r\n", b"a&AAk-b&AA0ACg-"),
    "NUL": ("\0", b"&AAA-"),
    "no printable ASCII": ("\x7f", b"&AH8-"),
    "hyphen after a shift": ("é-", b"&AOk--"),
}


@pytest.mark.parametrize(("name", "encoded"), BOTH_WAYS.values(), ids=BOTH_WAYS)
def test_both_ways(name: str, encoded: bytes) -> None:
    """See a name and its modified UTF-7 become each other."""
    assert encode_folder(name).encode("ascii") == encoded
    assert decode_folder(encoded) == name


@pytest.mark.parametrize("start", range(0, 0x11_0000, 0x8000))
def test_every_character_survives(start: int) -> None:
    """See any character come back, between others and on its own."""
    characters = [
        chr(code) for code in range(start, start + 0x8000, 13) if code >> 11 != 0x1B
    ]
    for name in ("".join(characters), "-&".join(characters)):
        assert decode_folder(encode_folder(name).encode("ascii")) == name


@pytest.mark.parametrize(
    ("received", "name"),
    [
        pytest.param("Entwürfe".encode(), "Entwürfe", id="UTF-8"),
        pytest.param("é &- &AOk-".encode(), "é & é", id="UTF-8 and modified UTF-7"),
        pytest.param(b"Entw\xfcrfe", "Entw�rfe", id="Latin-1"),
        pytest.param(b"R&D", "R&D", id="bare ampersand"),
        pytest.param(b"a&AOk", "a&AOk", id="shift that nothing ends"),
        pytest.param(b"&!!!!-", "&!!!!-", id="no base64"),
        pytest.param(b"&A-", "&A-", id="too little base64"),
        pytest.param(b"&AAAA-", "&AAAA-", id="half a UTF-16 unit"),
        pytest.param(b"&2D0-", "&2D0-", id="lone surrogate"),
        pytest.param(b"&AOk=-", "é", id="padded base64"),
        pytest.param("&é-".encode(), "&é-", id="UTF-8 within a shift"),
        pytest.param(b"&AGEAYg-", "ab", id="ASCII that need not be shifted"),
    ],
)
def test_what_servers_send_besides(received: bytes, name: str) -> None:
    """See a name whatever a server sends."""
    assert decode_folder(received) == name


def test_lone_surrogate_is_sent() -> None:
    """See ASCII even for what no folder can be called."""
    assert encode_folder("a\ud800") == "a&2AA-"


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        pytest.param("", '""', id="empty"),
        pytest.param("a b", '"a b"', id="space"),
        pytest.param('a"b', r'"a\"b"', id="quote"),
        pytest.param("a\\b", r'"a\\b"', id="backslash"),
        pytest.param('\\"', r'"\\\""', id="backslash and quote"),
        pytest.param("(*%){3}", '"(*%){3}"', id="specials"),
        pytest.param("ü\t", '"ü\t"', id="beyond ASCII"),
    ],
)
def test_quote(text: str, quoted: str) -> None:
    """See quotes and backslashes escaped."""
    assert quote(text) == quoted


@pytest.mark.parametrize("text", ["\0", "a\rb", "a\nb", 'x"\r\nA1 LOGOUT'], ids=repr)
def test_unquotable(text: str) -> None:
    """See an error for what would end the command."""
    with pytest.raises(ImapError, match="cannot be sent"):
        quote(text)
