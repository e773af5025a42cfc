"""What is found out about a mail address."""

from dataclasses import dataclass
from enum import StrEnum

from ..models import Security


class Auth(StrEnum):
    """How one signs in."""

    PASSWORD = "password"
    OAUTH2 = "oauth2"


class Source(StrEnum):
    """Where settings come from."""

    BUNDLED = "bundled"
    MX = "mx"
    AUTOCONFIG = "autoconfig"
    SRV = "srv"
    ISPDB = "ispdb"
    GUESS = "guess"
    AUTODISCOVER = "autodiscover"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where and how to sign in; `auth` has the preferred way first."""

    host: str
    port: int
    security: Security
    username: str
    auth: tuple[Auth, ...] = (Auth.PASSWORD,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A well-known provider of mail.

    `host` is None where there is no IMAP at all. `takes_local_part`: the user name is what
    stands before the @. `needs_app_password`: it takes no usual password. `page` is where to
    make one; of the others, where to switch IMAP on or to read about it. `oauth` is the key of
    the provider for OAuth2, None where it needs endpoints of one's own.
    `hint` is the key of what to do first, or to know.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """Settings that were found; `server` is None where the provider offers no IMAP.

    Unless `is_trusted`, someone on the way could have made them up, or nobody said them: they
    are to be confirmed before a password is sent.
    """

    server: Server | None
    source: Source
    is_trusted: bool
    provider: Provider | None = None
