"""What flows out of the engine, and what it is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
import ssl
from typing import Protocol

from .errors import ImapError
from .limits import ReceiveBudget


class Security(StrEnum):
    """How a connection is encrypted."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


class PushMode(StrEnum):
    """How new mail becomes known."""

    NOTIFY = "notify"
    IDLE = "idle"
    POLL = "poll"
    OFF = "off"


class TokenSource(Protocol):
    """Gives access tokens (RFC 6749 1.4), and renews them before they expire."""

    async def token(self, *, renew: bool = False) -> str:
        """Return a token that is valid as far as is known; `renew`: a new one in any case.

        Raises TokenRevoked if only the user can get another one, and Unavailable for all that
        passes by itself: no network, a server error, no answer within half a minute. Several
        connections may ask at the same time. Who asks may be cancelled, and what is being
        renewed then must not get lost: a refresh token may be good for one use only.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A login: where, who, and how encrypted.

    `token` is where the token comes from that is used instead of a password. `ssl_context` is
    what `tls` and `starttls` use; making one reads the disk, so the caller makes it off the
    event loop and may share it. `fingerprint` is the SHA-256 of the only certificate that is
    accepted, in hex: nothing else of it is looked at then, and `ssl_context` is not used.
    `receive_budget` is shared by all connections of the account.
    `opportunistic_tls`: with Security.NONE, start TLS where a server offers it and a password or
    token would be readable without it; no certificate is checked then (RFC 7435).
    """

    host: str
    port: int
    username: str
    password: str = field(default="", repr=False)
    token: TokenSource | None = field(default=None, repr=False)
    security: Security = Security.TLS
    ssl_context: ssl.SSLContext | None = None
    fingerprint: str | None = None
    opportunistic_tls: bool = True
    receive_budget: ReceiveBudget = field(
        default_factory=ReceiveBudget, repr=False, compare=False
    )


class CatchUp(StrEnum):
    """Which of the mails that arrived while nobody watched are delivered."""

    ALL = "all"
    LAST_DAY = "last_day"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """How an account is watched. `poll_interval` is in seconds.

    `notify` allows NOTIFY where `push` is on. `pipeline` allows several commands in one write.
    """

    push: bool = True
    notify: bool = True
    pipeline: bool = True
    poll_interval: float = 60.0
    catch_up: CatchUp = CatchUp.ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A part of a mail that is a file.

    `part` is the number of the part in FETCH (RFC 3501 6.4.5). A part without a name has a
    `filename` made of that number. `content_type` is that of the file name where the declared
    one says nothing. `size` is in octets, as encoded for transfer by `encoding`. `disposition`
    is that of Content-Disposition. `inline`: it is an image that the HTML text shows.
    """

    part: str
    filename: str
    content_type: str
    size: int
    encoding: str | None = None
    disposition: str | None = None
    content_id: str | None = None
    inline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """What the server that added an Authentication-Results field reports (RFC 8601).

    `server` is the authserv-id, "" if the field has none. The results are in lower case, None
    where there is no result. `domain` is the From domain that `dmarc` is about, "" if not given.
    """

    server: str
    spf: str | None = None
    dkim: str | None = None
    dmarc: str | None = None
    domain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A message as its header fields and its structure tell it.

    `size` is in octets. `text` is the beginning of its text, None where nobody asked for it.
    `recipients` are all addresses of To and Cc, for filters; `to` and `cc` are cut to the size
    of an event. `authentication` is the topmost Authentication-Results field. `truncated` says
    that a field was cut to keep the whole small.
    """

    folder: str
    uid_validity: int
    uid: int
    message_id: str | None = None
    sender: str = ""
    sender_name: str = ""
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    subject: str = ""
    date: datetime | None = None
    received: datetime | None = None
    size: int = 0
    flags: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    bulk: bool = False
    authentication: Authentication | None = None
    text: str | None = None
    truncated: bool = False

    @property
    def files(self) -> tuple[Attachment, ...]:
        """Return the attachments without images that the HTML text shows."""
        return tuple(it for it in self.attachments if not it.inline)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A mail that newly appeared in a watched folder.

    `push` is how it came; `catch_up` is true when it arrived while nobody watched.
    """

    mail: Mail
    push: PushMode
    catch_up: bool


class FolderRole(StrEnum):
    """What a folder is for (RFC 6154; INBOX by its name)."""

    INBOX = "inbox"
    ALL = "all"
    ARCHIVE = "archive"
    DRAFTS = "drafts"
    FLAGGED = "flagged"
    IMPORTANT = "important"
    JUNK = "junk"
    SENT = "sent"
    TRASH = "trash"


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderInfo:
    """A folder of the account that can be opened, by its decoded name."""

    name: str
    delimiter: str | None = None
    role: FolderRole | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What is searched for (RFC 3501 6.4.4): mail that is all of this.

    `larger_than` is in octets, `newer_than` in days. `has_attachment` goes by the mail's
    Content-Type, as SEARCH knows no structure. `raw` is search keys as the RFC writes them.
    """

    sender: str | None = None
    recipient: str | None = None
    subject: str | None = None
    text: str | None = None
    unread: bool | None = None
    flagged: bool | None = None
    larger_than: int | None = None
    has_attachment: bool | None = None
    newer_than: int | None = None
    raw: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search found: the newest UIDs first, as many as were asked for, and how many in all."""

    uid_validity: int
    uids: tuple[int, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchCount:
    """How many mails match a search, and which of those that were asked about do."""

    total: int
    matching: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageContent:
    """A mail with what is in it.

    `headers` are all fields in the order of the mail, decoded. `text` is its plain text, or
    its HTML made into text; or that of the part that was asked for. `html` is the source of its
    HTML if that was asked for and there is one. `truncated`: there is more of it.
    """

    mail: Mail
    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""
    html: str | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreResult:
    """The UIDs for which a request was carried out, and those that were not there any more."""

    uids: tuple[int, ...]
    missing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderState:
    """What is known of a watched folder; None is unknown. `last_mail` is the newest one in it.

    `changes` grows whenever something in the folder may have changed: mail, flags, order.
    `missing`: the server says that there is no such folder. `push_mode`: how its new mail
    becomes known. `push_is_silent`: push is offered, but did not announce mail, so that a
    lesser way is used for now. `rate_limited`: there is so much new mail that it is delivered
    slowly.
    """

    available: bool = False
    missing: bool = False
    push_mode: PushMode = PushMode.OFF
    push_is_silent: bool = False
    rate_limited: bool = False
    unread: int | None = None
    messages: int | None = None
    last_mail: Mail | None = None
    changes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """What is known of an account.

    `push_mode` is that of the folder that is served worst. `capabilities` are the server's
    after login, upper case; `error` is why it is not connected. `connections` are those that
    are logged in.
    """

    connected: bool = False
    push_mode: PushMode = PushMode.OFF
    connections: int = 0
    capabilities: frozenset[str] = frozenset()
    folders: Mapping[str, FolderState] = field(default_factory=dict)
    error: ImapError | None = None
