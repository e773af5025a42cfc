"""What flows out of the engine, and what it is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
import ssl

from .errors import ImapError


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A login: where, who, and how encrypted.

    `ssl_context` is what `tls` and `starttls` use; making one reads the disk, so the
    caller makes it off the event loop and may share it.
    """

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    security: Security = Security.TLS
    ssl_context: ssl.SSLContext | None = None


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
    """A part of a mail that is a file. `size` is in octets, as encoded for transfer.

    `part` is the part's number as FETCH takes it (RFC 3501 6.4.5).
    """

    part: str
    filename: str | None
    content_type: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A message as its header fields and its structure tell it; never its body.

    `size` is in octets. `truncated` says that a field was cut to keep the whole small.
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
    subject: str = ""
    date: datetime | None = None
    received: datetime | None = None
    size: int = 0
    flags: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    bulk: bool = False
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A mail that newly appeared in a watched folder.

    `push` is how it came; `catch_up` is true when it arrived while nobody watched.
    """

    mail: Mail
    push: PushMode
    catch_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderState:
    """What is known of a watched folder; None is unknown. `last_mail` is the newest one in it.

    `missing`: the server says that there is no such folder. `push_mode`: how its new mail
    becomes known. `push_is_silent`: push is offered, but did not announce mail, so that a
    lesser way is used for now.
    """

    available: bool = False
    missing: bool = False
    push_mode: PushMode = PushMode.OFF
    push_is_silent: bool = False
    unread: int | None = None
    last_mail: Mail | None = None


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
