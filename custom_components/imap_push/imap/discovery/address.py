"""Parse mail addresses and host names that come from users and from servers."""

import re
from typing import Final, NamedTuple

import idna

MAX_ADDRESS: Final = 254  # octets (RFC 5321 4.5.3.1.3)

# RFC 5322 3.4.1, with letters of all scripts (RFC 6531 3.3).
_DOT_ATOM: Final = re.compile(
    r"[^\s\x00-\x20\x7f()<>\[\]:;@\\,.\"]+(?:\.[^\s\x00-\x20\x7f()<>\[\]:;@\\,.\"]+)*"
)
_QUOTED: Final = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"')
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")

# Domains of local networks: RFC 6762 (3 and appendix G), RFC 8375, ICANN's "internal", and those of
# common routers.
_LOCAL: Final = (
    *("corp", "fritz.box", "home", "home.arpa", "internal", "intranet", "lan"),
    *("local", "localdomain", "private"),
)

# Common second-level domains of country codes under which domains are registered, from the Public
# Suffix List. A missing entry only causes a lookup without a result.
_CATEGORIES: Final = frozenset(
    [
        "ac",
        "co",
        "com",
        "edu",
        "gob",
        "gouv",
        "gov",
        "gv",
        "ne",
        "net",
        "nom",
        "or",
        "org",
    ]
)


class InvalidAddress(ValueError):
    """The text is not a valid mail address."""


class MailAddress(NamedTuple):
    """A mail address. `domain` is in ASCII (IDNA) and lower case, `local` is unchanged."""

    local: str
    domain: str

    def __str__(self) -> str:
        """Return the whole address, which most servers accept as the user name."""
        return f"{self.local}@{self.domain}"


def parse_address(text: str) -> MailAddress:
    """Return the local part and the domain of an address; raise InvalidAddress."""
    local, _, domain = text.strip().rpartition("@")
    pattern = _QUOTED if local.startswith('"') else _DOT_ATOM
    if not pattern.fullmatch(local) or not local.isprintable():
        raise InvalidAddress("no valid name before the @")
    host = _ascii_name(domain)
    if host is None:
        raise InvalidAddress("no valid domain after the @")
    address = MailAddress(local, host)
    if len(str(address).encode()) > MAX_ADDRESS:
        raise InvalidAddress("too long")
    return address


def host_name(text: str) -> str | None:
    """Return a name in ASCII and lower case if it can be the name of a public host.

    IP addresses in any notation, names without a dot and names in domains of local networks are
    not public.
    """
    name = _ascii_name(text)
    if name is None or any(is_within(name, local) for local in _LOCAL):
        return None
    return name


def _ascii_name(text: str) -> str | None:
    """Return a domain name of several labels in ASCII and lower case; None if it is invalid."""
    try:
        name = idna.encode(text.removesuffix("."), uts46=True).decode()
    except UnicodeError:
        return None
    labels = name.split(".")
    if len(name) > 253 or len(labels) < 2 or labels[-1] == "localhost":
        return None
    if not labels[-1][:1].isalpha():
        return None
    return name if all(map(_LABEL.fullmatch, labels)) else None


def is_within(name: str, domain: str) -> bool:
    """Return True if a name is the domain or a subdomain of it."""
    return name == domain or name.endswith(f".{domain}")


def base_domain(name: str) -> str:
    """Return the likely registered domain of a host: example.co.uk, example.org."""
    labels = name.split(".")
    has_category = (
        len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _CATEGORIES
    )
    return ".".join(labels[-3:] if has_category else labels[-2:])
