"""The engine: knows IMAP, knows nothing of Home Assistant.

What stands here is all that the layer above may use.
"""

from .check import check_account
from .errors import (
    CannotConnect,
    CertificateError,
    CertificateProblem,
    CommandRefused,
    ConnectionLost,
    ConnectTimeout,
    FolderNotFound,
    HostNotFound,
    ImapError,
    LoginDisabled,
    LoginRefused,
    NotImap,
    PortRefused,
    ProtocolError,
    ServerSilent,
    StartTlsMissing,
    Throttled,
    TlsError,
    TlsExpected,
    TlsNotSpoken,
    TooManyConnections,
    Unavailable,
)
from .listener import Listener
from .mark import Mark
from .models import (
    Account,
    AccountState,
    Arrival,
    Attachment,
    CatchUp,
    FolderState,
    Mail,
    PushMode,
    Security,
    WatchOptions,
)
from .watcher import Watcher

__all__ = [
    "Account",
    "AccountState",
    "Arrival",
    "Attachment",
    "CannotConnect",
    "CatchUp",
    "CertificateError",
    "CertificateProblem",
    "CommandRefused",
    "ConnectTimeout",
    "ConnectionLost",
    "FolderNotFound",
    "FolderState",
    "HostNotFound",
    "ImapError",
    "Listener",
    "LoginDisabled",
    "LoginRefused",
    "Mail",
    "Mark",
    "NotImap",
    "PortRefused",
    "ProtocolError",
    "PushMode",
    "Security",
    "ServerSilent",
    "StartTlsMissing",
    "Throttled",
    "TlsError",
    "TlsExpected",
    "TlsNotSpoken",
    "TooManyConnections",
    "Unavailable",
    "WatchOptions",
    "Watcher",
    "check_account",
]
