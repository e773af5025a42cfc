"""Classify NO, BAD and BYE: temporary or permanent, by response code (RFC 5530) or text."""

import re
from typing import Final

from ..errors import (
    AppPasswordNeeded,
    CommandRefused,
    FolderNotFound,
    ImapError,
    LoginRefused,
    OAuthNeeded,
    Throttled,
    TooManyConnections,
    Unavailable,
)

# Response codes of RFC 5530, and the text of servers that send no code.
_TEMPORARY_CODES: Final = frozenset(
    {"UNAVAILABLE", "INUSE", "SERVERBUG", "THROTTLED", "LIMIT"}
)
_TEMPORARY: Final = re.compile(
    r"try again|temporar|unavailable|not connected|shutting down|restart|maintenance|\bin use\b",
    re.IGNORECASE,
)
_TOO_MANY_CONNECTIONS: Final = re.compile(
    r"too many|simultaneous|maximum number of connections", re.IGNORECASE
)
# "Too many bad login attempts." (Yahoo, Proton Bridge) does not refer to connections.
_THROTTLED: Final = re.compile(
    r"throttl|rate.?limit|bandwidth|backoff time|too many (?!.*connect)[a-z ]*attempts",
    re.IGNORECASE,
)
# Exchange: "Request is throttled. Suggested Backoff Time: 299989 milliseconds".
_BACKOFF_TIME: Final = re.compile(
    r"backoff time: *(\d{1,9}) *milliseconds", re.IGNORECASE
)
# "System error" (Mailpile issue 2242); Dovecot 1: "Internal login failure."
_INTERNAL_ERROR: Final = re.compile(
    r"(system|internal)( server| login)? (error|failure)", re.IGNORECASE
)
# Permanent, even if the text says "please try again".
_PERMANENT_CODES: Final = frozenset(
    {"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED"}
)
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
# Seconds; a longer backoff time of a server is cut to this.
MAX_BACKOFF_SECONDS: Final = 3600.0
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


def temporary_refusal(refusal: CommandRefused) -> Unavailable | None:
    """Return the error for a temporary refusal, or None if it is not temporary."""
    return temporary_error(refusal.text, refusal.code)


def temporary_error(text: str, code: str | None = None) -> Unavailable | None:
    """Return the error for a temporary condition by text and code, or None."""
    if _THROTTLED.search(text) or code == "THROTTLED":
        error: Unavailable = Throttled(text)
        if wait := _BACKOFF_TIME.search(text):
            error.retry_after = min(int(wait[1]) / 1000, MAX_BACKOFF_SECONDS)
        return error
    if _TOO_MANY_CONNECTIONS.search(text) or code == "LIMIT":
        return TooManyConnections(text)
    if code in _PERMANENT_CODES:
        return None
    if _TEMPORARY.search(text) or code in _TEMPORARY_CODES:
        return Unavailable(text)
    return None


def fetch_error(refusal: CommandRefused, *, waits: bool = True) -> ImapError | None:
    """Return the error to raise for a refused FETCH, None if a message may be the cause.

    If `waits`, a temporary refusal is Unavailable. Otherwise any NO may be due to a message.
    """
    if refusal.status != "NO":
        return temporary_refusal(refusal)
    # Not temporary here: Dovecot answers SERVERBUG when it cannot read a message.
    code = None if refusal.code == "SERVERBUG" else refusal.code
    return temporary_error(refusal.text, code) if waits else None


def temporary_login_refusal(refusal: CommandRefused) -> Unavailable | None:
    """Return the error for a temporary refusal of a login, or None if it is not temporary.

    "Internal error" is temporary for a login only: servers with a broken user database refuse
    the right password with it. For one message it can be permanent.
    """
    if temporary := temporary_refusal(refusal):
        return temporary
    if refusal.code not in _PERMANENT_CODES and _INTERNAL_ERROR.search(refusal.text):
        return Unavailable(refusal.text)
    return None


def login_error(refusal: CommandRefused) -> ImapError | None:
    """Return the error for a refused login; None for a BAD whose text is unknown.

    AppPasswordNeeded and OAuthNeeded come first: they are permanent even if the text also
    says "try again".
    """
    if _APP_PASSWORD.search(refusal.text):
        return AppPasswordNeeded(refusal.text)
    if _OAUTH.search(refusal.text):
        return OAuthNeeded(refusal.text)
    if temporary := temporary_login_refusal(refusal):
        return temporary
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
