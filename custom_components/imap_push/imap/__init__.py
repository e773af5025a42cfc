"""The IMAP engine. It does not depend on Home Assistant.

The integration uses only the names that this module exports, and `discovery.sources.discover`.
"""

from .client.client import Client as Client
from .discovery.address import InvalidAddress as InvalidAddress
from .discovery.models import (
    Auth as Auth,
    Discovery as Discovery,
    Provider as Provider,
    Server as Server,
    Source as Source,
)
from .discovery.providers import (
    provider_of_domain as provider_of_domain,
    provider_of_host as provider_of_host,
)
from .errors import (
    AlreadyInTrash as AlreadyInTrash,
    AppPasswordNeeded as AppPasswordNeeded,
    CannotConnect as CannotConnect,
    CertificateChanged as CertificateChanged,
    CertificateError as CertificateError,
    CertificateProblem as CertificateProblem,
    CommandRefused as CommandRefused,
    ConnectionLost as ConnectionLost,
    ConnectTimeout as ConnectTimeout,
    CriteriaRefused as CriteriaRefused,
    FlagRefused as FlagRefused,
    FolderNotFound as FolderNotFound,
    FolderReadOnly as FolderReadOnly,
    FolderRenumbered as FolderRenumbered,
    HostNotFound as HostNotFound,
    ImapError as ImapError,
    LoginDisabled as LoginDisabled,
    LoginRefused as LoginRefused,
    LoginUnsendable as LoginUnsendable,
    MailboxNotSelectable as MailboxNotSelectable,
    MailNotFound as MailNotFound,
    NotImap as NotImap,
    NotMoved as NotMoved,
    NoTrash as NoTrash,
    OAuthNeeded as OAuthNeeded,
    PartNotFound as PartNotFound,
    PasswordsNotTaken as PasswordsNotTaken,
    PlainTextInjected as PlainTextInjected,
    PortRefused as PortRefused,
    ProtocolError as ProtocolError,
    ResponseTooLarge as ResponseTooLarge,
    SameFolder as SameFolder,
    ServerLeft as ServerLeft,
    ServerNotAuthentic as ServerNotAuthentic,
    ServerSilent as ServerSilent,
    StartTlsMissing as StartTlsMissing,
    StartTlsOffered as StartTlsOffered,
    Throttled as Throttled,
    TlsError as TlsError,
    TlsExpected as TlsExpected,
    TlsNotSpoken as TlsNotSpoken,
    TlsTooOld as TlsTooOld,
    TokenNotRenewed as TokenNotRenewed,
    TokenRefused as TokenRefused,
    TokenRenewed as TokenRenewed,
    TokenRevoked as TokenRevoked,
    TokensNotTaken as TokensNotTaken,
    TokenUnavailable as TokenUnavailable,
    TooManyConnections as TooManyConnections,
    Unavailable as Unavailable,
    Unreachable as Unreachable,
    Unsupported as Unsupported,
)
from .limits import doubled as doubled
from .mime.characters import one_line as one_line
from .mime.media_type import (
    extensions as extensions,
    type_of_name as type_of_name,
    usual_extension as usual_extension,
)
from .models import (
    Account as Account,
    AccountState as AccountState,
    Arrival as Arrival,
    Attachment as Attachment,
    Authentication as Authentication,
    CatchUp as CatchUp,
    Criteria as Criteria,
    Durations as Durations,
    FolderInfo as FolderInfo,
    FolderRole as FolderRole,
    FolderState as FolderState,
    Mail as Mail,
    MessageContent as MessageContent,
    PushMode as PushMode,
    SearchCount as SearchCount,
    SearchResult as SearchResult,
    Security as Security,
    Statistics as Statistics,
    StoreResult as StoreResult,
    TokenSource as TokenSource,
    WatchOptions as WatchOptions,
)
from .probe import check_account as check_account
from .push_mode import announces_mail as announces_mail, explain_push as explain_push
from .quirks import Quirks as Quirks, quirks_of as quirks_of
from .session.list import folder_with_role as folder_with_role
from .session.mark import Mark as Mark
from .watch.account_watcher import AccountWatcher as AccountWatcher
from .watch.context import Listener as Listener, WatchedFolder as WatchedFolder
from .wire.certificate import (
    Certificate as Certificate,
    fetch_certificate as fetch_certificate,
)
from .wire.mailbox_name import decode_folder as decode_folder
