"""The data classes of the engine: its options and its results."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
import ssl
from typing import NamedTuple, Protocol, override

from .errors import ImapError
from .limits import ConnectionBudget, ReceiveBudget


class Security(StrEnum):
    """How a connection is encrypted."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


class PushMode(StrEnum):
    """How the engine detects new mail."""

    NOTIFY = "notify"
    IDLE = "idle"
    POLL = "poll"
    OFF = "off"


class TokenSource(Protocol):
    """Returns access tokens (RFC 6749 1.4), and renews them before they expire."""

    async def token(self, *, renew: bool = False) -> str:
        """Return a token that has not expired; with `renew`, always request a new one.

        Raises TokenRevoked if the user has to sign in again, and Unavailable for a temporary
        problem: no network, a server error, no response within 30 seconds. Several connections
        may call this at the same time. The caller may be cancelled; the renewal must complete
        nevertheless, as a refresh token may be valid for one use only.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The server, the credentials and the encryption of an account.

    `mailbox` is the mailbox to read if it is not that of `username`: one that is shared or
    delegated. `token` provides access tokens that are used instead of the password. `ssl_context` is used
    for `tls` and `starttls`; the caller creates it in an executor, as that reads files, and may
    share it. `fingerprint` is the SHA-256 of the only accepted certificate, in hex; with
    it, nothing else of the certificate is verified and `ssl_context` is not used.
    `receive_budget` and `connections` are shared by all connections of the account.
    `opportunistic_tls`: with Security.NONE, use STARTTLS if the server offers it and the login
    would send a readable password or token. The certificate is not verified then (RFC 7435).
    """

    host: str
    port: int
    username: str
    mailbox: str = ""
    password: str = field(default="", repr=False)
    token: TokenSource | None = field(default=None, repr=False)
    security: Security = Security.TLS
    ssl_context: ssl.SSLContext | None = None
    fingerprint: str | None = None
    opportunistic_tls: bool = True
    receive_budget: ReceiveBudget = field(
        default_factory=ReceiveBudget, repr=False, compare=False
    )
    connections: ConnectionBudget = field(
        default_factory=ConnectionBudget, repr=False, compare=False
    )


class CatchUp(StrEnum):
    """Which messages are delivered that arrived while the account was not watched."""

    ALL = "all"
    LAST_DAY = "last_day"
    NONE = "none"


class WatchOptions(NamedTuple):
    """Options for watching an account. `poll_interval` is in seconds.

    `notify` allows NOTIFY (RFC 5465) if `push` is on.
    """

    push: bool = True
    notify: bool = True
    poll_interval: float = 60.0
    catch_up: CatchUp = CatchUp.ALL


class Attachment(NamedTuple):
    """A body part that is a file.

    `part` is the section number for FETCH (RFC 3501 6.4.5). `filename` is generated from that
    number if the part has no name. `content_type` is derived from the file name if the declared
    one is generic. `size` is the size in octets as transferred in `encoding`. `disposition` is
    the type of Content-Disposition. `inline` is True for an image that the HTML text shows.
    """

    part: str
    filename: str
    content_type: str
    size: int
    encoding: str | None = None
    disposition: str | None = None
    content_id: str | None = None
    inline: bool = False


class Authentication(NamedTuple):
    """The content of an Authentication-Results field (RFC 8601).

    `server` is the authserv-id, "" if the field has none. Each result is in lower case, or None
    if it is missing. `domain` is the From domain that DMARC evaluated, "" if not given.
    """

    server: str
    spf: str | None = None
    dkim: str | None = None
    dmarc: str | None = None
    domain: str = ""


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True)
class Mail:
    """A message: its header fields, its attachments and the beginning of its text.

    `size` is in octets. `text` is None if it was not requested. `recipients` are all addresses
    of To, Cc, Delivered-To and X-Original-To, for filters; `to` and `cc` are limited to the size of an event.
    `authentication` is the topmost Authentication-Results field. `truncated` is True if a field
    was shortened to limit the size.
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

    @override
    def __repr__(self) -> str:
        """Return folder and UID only: a repr may be logged, so it must not contain any content."""
        return f"Mail({self.folder!r}, uid={self.uid})"

    @property
    def files(self) -> tuple[Attachment, ...]:
        """Return the attachments without images that the HTML text shows."""
        return tuple(file for file in self.attachments if not file.inline)


class Arrival(NamedTuple):
    """A new message in a watched folder.

    `push` is how it was detected; `catch_up` is True if it arrived while the account was not
    watched.
    """

    mail: Mail
    push: PushMode
    catch_up: bool


class FolderRole(StrEnum):
    """The special use of a folder (RFC 6154; INBOX is found by its name)."""

    INBOX = "inbox"
    ALL = "all"
    ARCHIVE = "archive"
    DRAFTS = "drafts"
    FLAGGED = "flagged"
    IMPORTANT = "important"
    JUNK = "junk"
    SENT = "sent"
    TRASH = "trash"


class FolderInfo(NamedTuple):
    """A folder that can be selected; `name` is decoded (RFC 3501 5.1.3)."""

    name: str
    delimiter: str | None = None
    role: FolderRole | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """Search criteria (RFC 3501 6.4.4); a message has to match all of them.

    Of several texts for `sender` or `recipient`, one has to match; `recipient` also compares
    Delivered-To and X-Original-To. `larger_than` and `smaller_than` are in octets, `newer_than`
    in days. `header` is the name of a field and a text in it, which may be "". `has_attachment` matches the Content-Type of
    the message, as SEARCH has no key for the structure. `raw` are search keys in RFC syntax.
    """

    sender: str | tuple[str, ...] | None = None
    recipient: str | tuple[str, ...] | None = None
    subject: str | None = None
    text: str | None = None
    header: tuple[str, str] | None = None
    unread: bool | None = None
    flagged: bool | None = None
    larger_than: int | None = None
    smaller_than: int | None = None
    has_attachment: bool | None = None
    newer_than: int | None = None
    raw: str | None = None


class SearchResult(NamedTuple):
    """The result of a search: UIDs, newest first, up to the limit; `total` counts all matches.

    If the server cannot compare a text, only the newest messages are searched, and counted.
    """

    uid_validity: int
    uids: tuple[int, ...]
    total: int


class SearchCount(NamedTuple):
    """The number of messages that match a search, and which of the given UIDs do."""

    total: int
    matching: frozenset[int] = frozenset()


class MessageContent(NamedTuple):
    """A message with its content.

    `headers` are all header fields in order, decoded. `text` is the plain text, or the HTML
    converted to text, of the message or of the requested part. `html` is the HTML source if it
    was requested and exists. `truncated` is True if the content is longer.
    """

    mail: Mail
    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""
    html: str | None = None
    truncated: bool = False


class StoreResult(NamedTuple):
    """The UIDs for which a request was executed, and those that do not exist anymore."""

    uids: tuple[int, ...]
    missing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderState:
    """The state of a watched folder; None means unknown. `last_mail` is the newest message.

    `changes` is increased each time messages, flags or their order may have changed. `missing`:
    the server reports that the folder does not exist. `error` is why the server does not let the
    folder be watched; the other folders are not affected. With either, `available` is False.
    `push_mode` is how new mail is detected.
    `push_is_silent`: the server offers push but did not announce a message, so a fallback is
    used for now. `rate_limited`: so much mail arrives that it is delivered at a limited rate.
    """

    available: bool = False
    missing: bool = False
    error: ImapError | None = None
    push_mode: PushMode = PushMode.OFF
    push_is_silent: bool = False
    rate_limited: bool = False
    unread: int | None = None
    messages: int | None = None
    last_mail: Mail | None = None
    changes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """The state of an account.

    `push_mode` is the worst of its folders. `connections` is the number of connections that are
    logged in. `capabilities` are those after login, in upper case. `error` is the reason if the
    account is not connected.
    """

    connected: bool = False
    push_mode: PushMode = PushMode.OFF
    connections: int = 0
    capabilities: frozenset[str] = frozenset()
    folders: Mapping[str, FolderState] = field(default_factory=dict)
    error: ImapError | None = None


@dataclass(slots=True)
class Durations:
    """How often something was done, and how many seconds it took."""

    count: int = 0
    last: float = 0.0
    longest: float = 0.0
    total: float = 0.0

    def as_dict(self) -> dict[str, float | None]:
        """Return count, last, mean and longest duration, for diagnostics."""
        if not self.count:
            return {"count": 0, "last": None, "mean": None, "max": None}
        return {
            "count": self.count,
            "last": round(self.last, 3),
            "mean": round(self.total / self.count, 3),
            "max": round(self.longest, 3),
        }

    def add(self, seconds: float) -> None:
        """Add one duration."""
        self.count += 1
        self.last = seconds
        self.longest = max(self.longest, seconds)
        self.total += seconds


@dataclass(slots=True)
class Statistics:
    """What a watcher has done since it was created.

    It contains no text of a server or a message. `mails` counts delivered messages. `syncs` has the durations of the FETCH commands that look
    for new messages. `sessions` counts successful logins. `losses` counts, by class of the
    error, why a session ended or could not be opened.
    """

    mails: int = 0
    sessions: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    syncs: Durations = field(default_factory=Durations)
