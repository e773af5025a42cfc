"""Parse the autoconfig files of providers (config-v1.1.xml of Thunderbird)."""

from typing import Final
from xml.etree.ElementTree import Element

from ..models import Security
from .address import MailAddress, host_name
from .hardened_xml import UnsafeXml, parse_xml
from .models import Auth, Server

MAX_SERVERS: Final = 10
MAX_USERNAME: Final = 320

# Without "plain": a server without encryption is never suggested.
_SECURITY: Final = {"SSL": Security.TLS, "STARTTLS": Security.STARTTLS}
_AUTH: Final = {
    "OAuth2": Auth.OAUTH2,
    "password-cleartext": Auth.PASSWORD,
    "password-encrypted": Auth.PASSWORD,
    "plain": Auth.PASSWORD,
    "secure": Auth.PASSWORD,
}


def read_autoconfig(text: bytes, address: MailAddress) -> list[Server]:
    """Return the IMAP servers in the order of the file; none if the file is not valid."""
    try:
        root = parse_xml(text)
    except UnsafeXml:
        return []
    if root.tag != "clientConfig":
        return []
    servers = [
        server
        for element in root.findall("emailProvider/incomingServer")
        if element.get("type") == "imap" and (server := _server(element, address))
    ]
    return servers[:MAX_SERVERS]


def _server(element: Element, address: MailAddress) -> Server | None:
    """Return the server of an element, None if a value is missing or invalid."""
    host = host_name(_substitute(_text(element, "hostname"), address))
    port = _port(_text(element, "port"))
    security = _SECURITY.get(_text(element, "socketType"))
    methods = [_text(item, ".") for item in element.findall("authentication")]
    auth = dict.fromkeys(_AUTH[name] for name in methods or ["plain"] if name in _AUTH)
    if host is None or port is None or security is None or not auth:
        return None
    return Server(
        host=host,
        port=port,
        security=security,
        username=_username(_text(element, "username"), address),
        auth=tuple(auth),
    )


def _text(element: Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()


def _port(text: str) -> int | None:
    """Return a port number, None if it is invalid; only ASCII digits are valid."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 5):
        return None
    return port if 0 < (port := int(text)) < 65536 else None


def _username(text: str, address: MailAddress) -> str:
    """Return the user name; the address if the file has no valid one."""
    name = _substitute(text, address)
    if not name or len(name) > MAX_USERNAME or not name.isprintable() or "%" in name:
        return str(address)
    return name


def _substitute(text: str, address: MailAddress) -> str:
    for placeholder, value in (
        ("%EMAILADDRESS%", str(address)),
        ("%EMAILLOCALPART%", address.local),
        ("%EMAILDOMAIN%", address.domain),
    ):
        text = text.replace(placeholder, value)
    return text
