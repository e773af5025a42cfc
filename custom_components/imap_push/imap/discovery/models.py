"""The results of discovery."""

from enum import StrEnum
from typing import NamedTuple

from ..models import Security


class Auth(StrEnum):
    """How the user signs in."""

    PASSWORD = "password"
    OAUTH2 = "oauth2"


class Source(StrEnum):
    """The source of the settings."""

    BUNDLED = "bundled"
    MX = "mx"
    AUTOCONFIG = "autoconfig"
    SRV = "srv"
    ISPDB = "ispdb"
    GUESS = "guess"
    AUTODISCOVER = "autodiscover"


class Server(NamedTuple):
    """An IMAP server and how to sign in; `auth` has the preferred method first."""

    host: str
    port: int
    security: Security
    username: str
    auth: tuple[Auth, ...] = (Auth.PASSWORD,)


class Provider(NamedTuple):
    """A well-known mail provider.

    `host` is None if the provider does not offer IMAP. `takes_local_part`: the user name is the
    local part of the address. `needs_app_password`: the password of the account is not accepted.
    `page` is where to create an app password; for other providers, where to enable IMAP or its
    documentation. `oauth` is the key of the OAuth2 provider, None if there is none or the user
    has to enter the endpoints. `hint` is the key of a text about what the user has to do first,
    or should know.
    """

    key: str
    name: str
    domains: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    host: str | None = None
    port: int = 993
    security: Security = Security.TLS
    takes_local_part: bool = False
    auth: tuple[Auth, ...] = ()
    needs_app_password: bool = False
    page: str | None = None
    oauth: str | None = None
    hint: str | None = None


class Discovery(NamedTuple):
    """The settings that were found; `server` is None if the provider does not offer IMAP.

    Unless `is_trusted`, the settings are a guess, or an attacker on the network could have forged
    them: the user has to confirm them before a password is sent.
    """

    server: Server | None
    source: Source
    is_trusted: bool
    provider: Provider | None = None
