"""Mail addresses and host names are parsed as users type them."""

import pytest

from custom_components.imap_push.imap import InvalidAddress
from custom_components.imap_push.imap.discovery.address import (
    base_domain,
    host_name,
    parse_address,
)

from .conftest import Discover


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        ("ann@example.org", "ann", "example.org"),
        ("  Ann.Lee@EXAMPLE.Org.\n", "Ann.Lee", "example.org"),
        ("ann+home@example.org", "ann+home", "example.org"),
        ('"ann lee"@example.org', '"ann lee"', "example.org"),
        ('"a@b\\"c"@example.org', '"a@b\\"c"', "example.org"),
        ("jörg@bücher.example", "jörg", "xn--bcher-kva.example"),
        ("Jörg@BÜCHER.example", "Jörg", "xn--bcher-kva.example"),
        ("用户@例え。jp", "用户", "xn--r8jz45g.jp"),
        ("o'neil/x=y@mail.example.co.uk", "o'neil/x=y", "mail.example.co.uk"),
    ],
)
def test_address_is_parsed(text: str, local: str, domain: str) -> None:
    """The local part is unchanged, and the domain is in ASCII (IDNA) and lower case."""
    address = parse_address(text)
    assert (address.local, address.domain) == (local, domain)
    assert str(address) == f"{local}@{domain}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "ann",
        "ann@",
        "@example.org",
        "ann@localhost",
        "ann@127.0.0.1",
        "ann@[127.0.0.1]",
        "ann@exa mple.org",
        "ann@example..org",
        "ann@-example.org",
        "ann@example.org/path",
        "ann@example.org:993",
        "ann lee@example.org",
        "ann..lee@example.org",
        ".ann@example.org",
        "ann@lee@example.org",
        "Ann <ann@example.org>",
        'an"n@example.org',
        '"ann@example.org',
        "ann\r\n@example.org",
        "ann\0@example.org",
        "ann\u202e@example.org",
        "ann\ud800@example.org",
        "a" * 300 + "@example.org",
        "ann@" + "a" * 64 + ".org",
        "ann@" + "a." * 150 + "org",
        "ann@xn--a.org",
    ],
    ids=repr,
)
async def test_invalid_address_is_rejected(text: str, find: Discover) -> None:
    """The text is not a valid mail address with a domain of several labels."""
    with pytest.raises(InvalidAddress):
        await find(text)


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("example.org", "example.org"),
        ("mx1.mail.example.org", "example.org"),
        ("mx.example.co.uk", "example.co.uk"),
        ("example.com.au", "example.com.au"),
        ("co.uk", "co.uk"),
        ("mx.ab.cd", "ab.cd"),
    ],
)
def test_base_domain(host: str, base: str) -> None:
    """The registered domain of a host is found, also below a country code."""
    assert base_domain(host) == base


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("IMAP.Example.org.", "imap.example.org"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("imap.example.org..", None),
        ("im_ap.example.org", None),
        ("1.2.3.4", None),
        ("::1", None),
        ("example", None),
        ("", None),
        (".", None),
    ],
)
def test_host_name_is_normalized(text: str, name: str | None) -> None:
    """A valid name is in ASCII and lower case without a final dot; others are None."""
    assert host_name(text) == name
