"""What a server means by NO, BAD and BYE: what passes by itself is told from what does not."""

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

# Response codes of RFC 5530 and what servers write where they send none.
_UNAVAILABLE: Final = frozenset(
    {"UNAVAILABLE", "INUSE", "SERVERBUG", "THROTTLED", "LIMIT"}
)
_PASSING: Final = re.compile(
    r"try again|temporar|unavailable|not connected|shutting down|restart|maintenance|\bin use\b",
    re.IGNORECASE,
)
_TOO_MANY: Final = re.compile(
    r"too many|simultaneous|maximum number of connections", re.IGNORECASE
)
# "Too many bad login attempts." of Yahoo and Proton Bridge is not about connections.
_THROTTLED: Final = re.compile(
    r"throttl|rate.?limit|bandwidth|backoff time|too many (?!.*connect)[a-z ]*attempts",
    re.IGNORECASE,
)
# Exchange: "Request is throttled. Suggested Backoff Time: 299989 milliseconds".
_BACKOFF_TIME: Final = re.compile(
    r"backoff time: *(\d{1,9}) *milliseconds", re.IGNORECASE
)
# "System error" (an ISP of a user of Mailpile, #2242); Dovecot 1: "Internal login failure."
_UNWELL: Final = re.compile(
    r"(system|internal)( server| login)? (error|failure)", re.IGNORECASE
)
# Codes that no friendly "please try again" makes passing.
_FINAL: Final = frozenset({"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED"})
# Google (which says "web login required" of an account whose password it takes only there),
# Yahoo, Apple, mail.ru, Fastmail; QQ and 163.com call it an authorization code.
_APP_PASSWORD: Final = re.compile(
    r"app(lication)?([ -]specific)? password|web login required|via your web browser"
    r"|authori[sz](ation|ed) code",
    re.IGNORECASE,
)
# Microsoft; AADSTS begins the error codes of its sign-in.
_OAUTH: Final = re.compile(
    r"basic ?auth(entication)? ?(is )?(disabled|blocked)|modern auth|AADSTS|\bX?OAUTH",
    re.IGNORECASE,
)
# Seconds that a server can ask for at the most.
LONGEST_WAIT: Final = 3600.0
_NO_FOLDER: Final = re.compile(
    r"exist|unknown|no such|not found|invalid mailbox|no mailbox|can't access|permission",
    re.IGNORECASE,
)
_NO_FOLDER_CODES: Final = frozenset(
    {"NONEXISTENT", "TRYCREATE", "NOPERM", "CANNOT", "ACL"}
)


def passing_refusal(refusal: CommandRefused) -> Unavailable | None:
    """Return the refusal as one that passes by itself, or None if it does not."""
    return passing_text(refusal.text, refusal.code)


def passing_text(text: str, code: str | None = None) -> Unavailable | None:
    """Return what a server's words mean if that passes by itself, or None."""
    if _THROTTLED.search(text) or code == "THROTTLED":
        error: Unavailable = Throttled(text)
        if wait := _BACKOFF_TIME.search(text):
            error.retry_after = min(int(wait[1]) / 1000, LONGEST_WAIT)
        return error
    if _TOO_MANY.search(text) or code == "LIMIT":
        return TooManyConnections(text)
    if code in _FINAL:
        return None
    if _PASSING.search(text) or code in _UNAVAILABLE:
        return Unavailable(text)
    return None


def passing_login_refusal(refusal: CommandRefused) -> Unavailable | None:
    """Return the refusal of a login as one that passes by itself, or None if it does not.

    A server that is unwell refuses the right password, too. Of a mail, it can say the same for ever.
    """
    if passing := passing_refusal(refusal):
        return passing
    if refusal.code not in _FINAL and _UNWELL.search(refusal.text):
        return Unavailable(refusal.text)
    return None


def login_refusal(refusal: CommandRefused) -> ImapError | None:
    """Return what the NO to a login means; None if it was no NO.

    What the server wants instead of the password is looked for first: it stays true however
    kindly the server asks to try again.
    """
    if _APP_PASSWORD.search(refusal.text):
        return AppPasswordNeeded(refusal.text)
    if _OAUTH.search(refusal.text):
        return OAuthNeeded(refusal.text)
    if passing := passing_login_refusal(refusal):
        return passing
    return LoginRefused(refusal.text) if refusal.status == "NO" else None


def folder_error(refusal: CommandRefused) -> ImapError:
    """Return what it means that a folder was not opened."""
    if is_missing_folder(refusal):
        return FolderNotFound(refusal.text)
    return passing_refusal(refusal) or refusal


def is_missing_folder(refusal: CommandRefused) -> bool:
    """Return if an EXAMINE was refused because there is no such folder for us."""
    if refusal.code in _NO_FOLDER_CODES:
        return True
    return (
        refusal.status == "NO"
        and not refusal.code
        and bool(_NO_FOLDER.search(refusal.text))
    )
