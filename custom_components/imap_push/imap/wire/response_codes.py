"""What a refusal (NO, BAD, BYE) applies to and how long it lasts: by code (RFC 5530) or text.

The first row of _ROWS that matches decides. Names like "node-imap#606" are issues of repositories on
GitHub.
"""

from enum import Enum, auto
import re
from typing import Final, NamedTuple

from ..errors import (
    AppPasswordNeeded,
    CommandRefused,
    FolderNotFound,
    ImapError,
    LoginDisabled,
    LoginRefused,
    OAuthNeeded,
    PlainTextInjected,
    Throttled,
    TooManyConnections,
    Unavailable,
)
from .parser import Status, parse_response

# Octets of an answer to STARTTLS that are read.
MAX_LINE: Final = 500


class Scope(Enum):
    """What is refused: one message, one folder, this command, the login, or everything."""

    MESSAGE = auto()
    FOLDER = auto()
    COMMAND = auto()
    LOGIN = auto()
    SERVER = auto()


class Meaning(NamedTuple):
    """A row of the table.

    It matches its codes and its text (everything if it has neither) in answer to its `commands`
    (all if empty). The refusal is temporary if `error` is Unavailable; None means CommandRefused.
    """

    scope: Scope
    error: type[ImapError] | None
    codes: frozenset[str]
    text: re.Pattern[str] | None
    commands: frozenset[str]

    def matches(self, refusal: CommandRefused) -> bool:
        """Return whether this row applies to a refusal."""
        if self.commands and refusal.command not in self.commands:
            return False
        if self.text is not None and self.text.search(refusal.text):
            return True
        return refusal.code in self.codes or not (self.codes or self.text)


def _row(
    scope: Scope,
    error: type[ImapError] | None,
    *codes: str,
    text: str = "",
    to: frozenset[str] = frozenset(),
) -> Meaning:
    pattern = re.compile(text, re.IGNORECASE) if text else None
    return Meaning(scope, error, frozenset(codes), pattern, to)


_LOGIN: Final = frozenset({"LOGIN", "AUTHENTICATE", "greeting"})
_FOLDER: Final = frozenset({"SELECT", "EXAMINE", "STATUS"})
_FETCH: Final = frozenset({"UID FETCH"})

_ROWS: Final = (
    # Exchange: "Request is throttled. Suggested Backoff Time: 89117 milliseconds"
    # (email-oauth2-proxy#191); Gmail: "[OVERQUOTA] Account exceeded command or bandwidth limits"
    # (mailcow#1554); Yahoo: "[LIMIT] LOGIN Rate limit hit".
    _row(
        Scope.SERVER, Throttled, "THROTTLED",
        text=r"throttl|rate.?limit|bandwidth|backoff time|too many requests",
    ),
    # Gmail: "Too many simultaneous connections"; Dovecot: "Maximum number of connections from
    # user+IP exceeded" (node-imap#606); Stalwart: "Too many concurrent IMAP connections" (#190).
    _row(
        Scope.SERVER, TooManyConnections,
        text=r"(too many|maximum number of)[^.]{0,60}(connection|session|client)"
        r"|simultaneous|concurrent|(connection|session)s? limit",
    ),
    # Permanent, even if the text says "please try again", or "Too many login failures, your IP is
    # blocked" (ddeboer/imap#368).
    _row(Scope.LOGIN, LoginRefused, "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED"),
    # TLS is required (RFC 5530).
    _row(Scope.LOGIN, LoginDisabled, "PRIVACYREQUIRED"),
    # Yahoo: "Too many bad login attempts."; Proton Bridge: "too many login attempts" (gluon#349).
    # Not Dovecot's "Too many invalid IMAP commands." (neomutt#2021).
    _row(Scope.SERVER, Throttled, text=r"too many [a-z ]{0,60}(attempt|failure|failed login)s"),
    # Exchange: "User is authenticated but not connected." (getmail6#214), "Server Unavailable. 15"
    # (OfflineIMAP#291); Yahoo: "[SERVERBUG] FETCH Server error - Please try again later".
    _row(
        Scope.SERVER, Unavailable,
        text=r"try again|temporar|unavailable|not connected|shutting down|restart|maintenance"
        r"|\bin use\b",
    ),
    _row(Scope.FOLDER, Unavailable, "INUSE"),
    # Dovecot: a message, or a folder, that it cannot read.
    _row(Scope.MESSAGE, None, "SERVERBUG", to=_FETCH),
    _row(Scope.FOLDER, Unavailable, "SERVERBUG", to=_FOLDER),
    _row(Scope.SERVER, Unavailable, "UNAVAILABLE", "SERVERBUG"),
    # A limit of the implementation (RFC 5530): at login the number of connections, for a folder
    # for example its size ("Mailbox too large").
    _row(Scope.SERVER, TooManyConnections, "LIMIT", to=_LOGIN),
    _row(Scope.SERVER, Unavailable, "LIMIT", to=_FETCH | {"BYE"}),
    # "System error" (Mailpile#2242); Dovecot 1: "Internal login failure". Servers with a broken
    # user database refuse the right password this way.
    _row(
        Scope.SERVER, Unavailable,
        text=r"(system|internal)( server| login)? (error|failure)", to=_LOGIN,
    ),
    _row(Scope.LOGIN, None, to=_LOGIN),
    _row(Scope.FOLDER, None, to=_FOLDER),
    _row(Scope.MESSAGE, None, to=_FETCH),
    _row(Scope.COMMAND, None),
)  # fmt: skip

# A time in the text of a Throttled; a longer one is cut to MAX_BACKOFF_SECONDS.
_STATED_TIME: Final = re.compile(
    r"(\d{1,9}) ?(millisecond|second|minute|hour)s?\b", re.IGNORECASE
)
_MILLISECONDS: Final = {"second": 1_000, "minute": 60_000, "hour": 3_600_000}
MAX_BACKOFF_SECONDS: Final = 3600.0

# Google ("web login required": the password is accepted in a browser only), Yahoo, Apple,
# mail.ru, Fastmail; QQ and 163.com call it an authorization code.
_APP_PASSWORD: Final = re.compile(
    r"app(lication)?([ -]specific)? password|web login required|via your web browser"
    r"|authori[sz](ation|ed) code",
    re.IGNORECASE,
)
# Microsoft; AADSTS is the prefix of the error codes of Entra ID.
_OAUTH: Final = re.compile(
    r"basic ?auth(entication)? ?(is )?(disabled|blocked)|modern auth|AADSTS|\bX?OAUTH",
    re.IGNORECASE,
)
_NO_FOLDER: Final = re.compile(
    r"exist|unknown|no such|not found|invalid mailbox|no mailbox|can't access|permission",
    re.IGNORECASE,
)
_FOLDER_GONE: Final = re.compile(
    r"(mailbox|folder)\b.* (not exist|deleted|removed|not found|nonexist)"
    r"|(no such|unknown|nonexistent) (mailbox|folder)",
    re.IGNORECASE,
)
_NO_FOLDER_CODES: Final = frozenset(
    {"NONEXISTENT", "TRYCREATE", "NOPERM", "CANNOT", "ACL"}
)


def meaning_of(refusal: CommandRefused) -> Meaning:
    """Return what a refusal means."""
    return next(row for row in _ROWS if row.matches(refusal))


def temporary_refusal(refusal: CommandRefused) -> Unavailable | None:
    """Return the error for a temporary refusal, or None if it is not temporary."""
    error = meaning_of(refusal).error
    if error is None or not issubclass(error, Unavailable):
        return None
    temporary = error(refusal.text)
    if error is Throttled and (stated := _STATED_TIME.search(refusal.text)):
        seconds = int(stated[1]) * _MILLISECONDS.get(stated[2].lower(), 1) / 1000
        temporary.retry_after = min(seconds, MAX_BACKOFF_SECONDS)
    return temporary


def temporary_error(text: str, code: str | None = None) -> Unavailable | None:
    """Return the error for a temporary BYE, or None if it is not temporary."""
    return temporary_refusal(CommandRefused("BYE", "BYE", code, text))


def starttls_error(tag: bytes, octets: bytes) -> ImapError:
    """Return the error for plain text after the OK to STARTTLS.

    Courier sends a NO with the same tag if it cannot start TLS. All other text may be injected
    (RFC 9051 11.1).
    """
    line = octets.partition(b"\r\n")[0][:MAX_LINE]
    if line.upper().startswith((tag + b" NO ", tag + b" BAD ")):
        answer = parse_response([line])
        if isinstance(answer, Status):
            return CommandRefused("STARTTLS", answer.status, answer.code, answer.text)
    return PlainTextInjected("plain text after STARTTLS")


def fetch_error(refusal: CommandRefused, *, waits: bool = True) -> ImapError | None:
    """Return the error to raise for a refused FETCH, None if a message may be the cause.

    If `waits`, a temporary refusal is Unavailable. Otherwise any refusal may be due to a message.
    """
    if meaning_of(refusal).scope is Scope.MESSAGE or not waits:
        return None
    return temporary_refusal(refusal)


def login_error(refusal: CommandRefused) -> ImapError | None:
    """Return the error for a refused login; None for a BAD whose text is unknown.

    AppPasswordNeeded and OAuthNeeded come first: they are permanent even if the text also
    says "try again".
    """
    if _APP_PASSWORD.search(refusal.text):
        return AppPasswordNeeded(refusal.text)
    if _OAUTH.search(refusal.text):
        return OAuthNeeded(refusal.text)
    if temporary := temporary_refusal(refusal):
        return temporary
    if meaning_of(refusal).error is LoginDisabled:
        return LoginDisabled(refusal.text)
    return LoginRefused(refusal.text) if refusal.status == "NO" else None


def folder_error(refusal: CommandRefused) -> ImapError:
    """Return the error for a refused SELECT or EXAMINE."""
    if is_missing_folder(refusal):
        return FolderNotFound(refusal.text)
    return temporary_refusal(refusal) or refusal


def is_folder_gone(refusal: CommandRefused) -> bool:
    """Return whether a command in an open folder was refused because the folder was deleted.

    Cyrus 3: "NO Mailbox does not exist".
    """
    is_gone = refusal.code == "NONEXISTENT" or bool(_FOLDER_GONE.search(refusal.text))
    return refusal.status == "NO" and is_gone


def is_missing_folder(refusal: CommandRefused) -> bool:
    """Return True if the folder does not exist or the user has no access to it."""
    if refusal.code in _NO_FOLDER_CODES:
        return True
    return (
        refusal.status == "NO"
        and not refusal.code
        and bool(_NO_FOLDER.search(refusal.text))
    )
