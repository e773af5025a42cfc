"""Classification of refusals."""

import pytest

from custom_components.imap_push.imap import Throttled, TooManyConnections, Unavailable
from custom_components.imap_push.imap.errors import (
    CommandRefused,
    FolderNotFound,
    ImapError,
    LoginDisabled,
    LoginRefused,
    PlainTextInjected,
)
from custom_components.imap_push.imap.quirks import quirks_of
from custom_components.imap_push.imap.wire.response_codes import (
    Scope,
    fetch_error,
    folder_error,
    is_missing_folder,
    login_error,
    meaning_of,
    starttls_error,
    temporary_error,
    temporary_refusal,
)


@pytest.mark.parametrize(
    ("text", "error", "seconds"),
    [
        (
            "Request is throttled. Suggested Backoff Time: 299989 milliseconds",
            Throttled,
            299.989,
        ),
        ("[OVERQUOTA] Account exceeded command or bandwidth limits", Throttled, None),
        ("Too many simultaneous connections. (Failure)", TooManyConnections, None),
        (
            "Maximum number of connections from user+IP exceeded",
            TooManyConnections,
            None,
        ),
        ("Too many bad login attempts.", Throttled, None),
        ("Too many simultaneous connection attempts", TooManyConnections, None),
        ("User is authenticated but not connected.", Unavailable, None),
        ("Server shutting down.", Unavailable, None),
        ("Mailbox is in use", Unavailable, None),
        ("Invalid credentials (Failure)", None, None),
        ("Error in username or password", None, None),
        ("Request is throttled. Backoff Time: 999999999 milliseconds", Throttled, 3600),
        ("LOGIN failed.", None, None),
        # neomutt#2021: our own fault, and nothing to wait for.
        ("Too many invalid IMAP commands.", None, None),
        ("Too many recipients", None, None),
        ("Mailbox too large", None, None),
        ("Too many messages match", None, None),
        ("Too many connections", TooManyConnections, None),
        ("Too many concurrent IMAP connections", TooManyConnections, None),
        ("Too many sessions for this user", TooManyConnections, None),
        ("Too many clients", TooManyConnections, None),
        ("Connection limit reached", TooManyConnections, None),
        ("too many login attempts", Throttled, None),
        ("Too many login failures, your IP is blocked for 15 minutes", Throttled, 900),
        ("Too many failed attempts. Try in 1 hour", Throttled, 3600),
        ("Too many login attempts. Wait 30 seconds.", Throttled, 30),
        ("Too many login attempts. Blocked for 99999 hours", Throttled, 3600),
        ("LOGIN Rate limit hit.", Throttled, None),
        ("Too many requests", Throttled, None),
        ("Server Unavailable. 15", Unavailable, None),
        ("Internal error occurred. Refer to server log", None, None),
    ],
)
def test_temporary_refusal_by_text(
    text: str, error: type[Unavailable] | None, seconds: float | None
) -> None:
    """Temporary refusals are found by their text, with the requested backoff time."""
    result = temporary_error(text)
    assert type(result) is (error or type(None))
    assert getattr(result, "retry_after", None) == seconds


def test_permanent_code_overrides_text() -> None:
    """A wrong password is permanent even if the text says "please try again"."""
    text = "Invalid credentials, please try again"
    assert temporary_error(text, "AUTHENTICATIONFAILED") is None
    assert isinstance(
        temporary_error("Too many connections", "EXPIRED"), TooManyConnections
    )


THROTTLED = "Request is throttled. Suggested Backoff Time: 89117 milliseconds"


@pytest.mark.parametrize(
    ("command", "line", "scope", "error"),
    [
        # email-oauth2-proxy#191, for any command and by BAD.
        *(
            (command, f"{status} {THROTTLED}", Scope.SERVER, Throttled)
            for status in ("NO", "BAD")
            for command in ("LOGIN", "EXAMINE", "UID FETCH", "STATUS", "UID STORE", "IDLE")
        ),
        # imap_tools#203, mailcow#1554, mutt-wizard#764, RFC 5530: to FETCH.
        ("UID FETCH", "NO Server Unavailable. 15", Scope.SERVER, Unavailable),
        ("UID FETCH", "NO [INUSE] x", Scope.FOLDER, Unavailable),
        ("UID FETCH", "NO [UNAVAILABLE] x", Scope.SERVER, Unavailable),
        ("UID FETCH", "NO [OVERQUOTA] Account exceeded command or bandwidth limits.", Scope.SERVER, Throttled),
        ("UID FETCH", "NO [LIMIT] x", Scope.SERVER, Unavailable),
        ("UID FETCH", "NO [SERVERBUG] UID FETCH Server error - Please try again later", Scope.SERVER, Unavailable),
        # Dovecot, Yahoo (MailKit#358): a message that the server cannot show.
        ("UID FETCH", "NO [SERVERBUG] Internal error occurred.", Scope.MESSAGE, None),
        ("UID FETCH", "NO FETCH Server error while fetching messages", Scope.MESSAGE, None),
        ("EXAMINE", "NO [LIMIT] Mailbox too large", Scope.FOLDER, None),
        ("SELECT", "NO [LIMIT] x", Scope.FOLDER, None),
        ("EXAMINE", "NO [CORRUPTION] x", Scope.FOLDER, None),
        ("EXAMINE", "NO Unable to open this mailbox.", Scope.FOLDER, None),
        ("EXAMINE", "NO [INUSE] x", Scope.FOLDER, Unavailable),
        ("EXAMINE", "NO [SERVERBUG] Internal error occurred.", Scope.FOLDER, Unavailable),
        ("EXAMINE", "NO [LIMIT] Too many simultaneous connections", Scope.SERVER, TooManyConnections),
        ("EXAMINE", "NO [AUTHENTICATIONFAILED] try again", Scope.LOGIN, LoginRefused),
        # RFC 5530: "such as the number of flags on a single message".
        ("UID STORE", "NO [LIMIT] Too many keywords", Scope.COMMAND, None),
        ("UID COPY", "NO [OVERQUOTA] Quota exceeded", Scope.COMMAND, None),
        ("UID SEARCH", "BAD Too many recipients", Scope.COMMAND, None),
        ("UID SEARCH", "NO [CANNOT] x", Scope.COMMAND, None),
        ("LOGIN", "NO [LIMIT] x", Scope.SERVER, TooManyConnections),
        ("AUTHENTICATE", "NO [LIMIT] LOGIN Rate limit hit.", Scope.SERVER, Throttled),
        # node-imap#606.
        ("LOGIN", "NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded", Scope.SERVER, TooManyConnections),
        ("LOGIN", "NO [PRIVACYREQUIRED] x", Scope.LOGIN, LoginDisabled),
        # ddeboer/imap#368.
        ("LOGIN", "NO [AUTHENTICATIONFAILED] Authentication failed - Too many login failures", Scope.LOGIN, LoginRefused),
        ("LOGIN", "NO LOGIN failed.", Scope.LOGIN, None),
        ("LOGIN", "NO Internal login failure", Scope.SERVER, Unavailable),
        ("greeting", "BYE [LIMIT] x", Scope.SERVER, TooManyConnections),
        ("BYE", "BYE [LIMIT] x", Scope.SERVER, Unavailable),
        ("BYE", "BYE Too many invalid IMAP commands.", Scope.COMMAND, None),
    ],
)  # fmt: skip
def test_meaning(
    command: str, line: str, scope: Scope, error: type[ImapError] | None
) -> None:
    """What a refusal applies to depends on its code, its text and the command."""
    meaning = meaning_of(_refusal(command, line))
    assert (meaning.scope, meaning.error) == (scope, error)


def _refusal(command: str, line: str) -> CommandRefused:
    status, _, text = line.partition(" ")
    code = None
    if text.startswith("["):
        code, _, text = text[1:].partition("] ")
    return CommandRefused(command, status, code, text)


@pytest.mark.parametrize("command", ["LOGIN", "EXAMINE", "UID FETCH", "STATUS", "NOOP"])
@pytest.mark.parametrize("status", ["NO", "BAD"])
def test_throttling_states_its_time(status: str, command: str) -> None:
    """The time of Exchange is the same for all commands."""
    refusal = _refusal(command, f"{status} {THROTTLED}")
    errors = [temporary_refusal(refusal), folder_error(refusal), login_error(refusal)]
    errors.append(fetch_error(refusal))
    assert {type(error) for error in errors} == {Throttled}
    assert {error and error.retry_after for error in errors} == {89.117}


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("NO [INUSE] x", Unavailable),
        ("NO [LIMIT] x", Unavailable),
        ("NO [SERVERBUG] Internal error", None),
        ("NO x", None),
        ("BAD Command Error. 10", None),
        ("BAD [UNAVAILABLE] x", Unavailable),
        ("NO [AUTHENTICATIONFAILED] x", None),
    ],
)
def test_refused_fetch(line: str, error: type[ImapError] | None) -> None:
    """A message may be the cause of a refusal that is not temporary, or lasts too long."""
    assert type(fetch_error(_refusal("UID FETCH", line))) is (error or type(None))
    assert fetch_error(_refusal("UID FETCH", line), waits=False) is None


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("NO [LIMIT] Mailbox too large", CommandRefused),
        ("NO [NONEXISTENT] x", FolderNotFound),
        ("NO [UNAVAILABLE] x", Unavailable),
        ("NO Server Unavailable. 15", Unavailable),
    ],
)
def test_refused_folder(line: str, error: type[ImapError]) -> None:
    """A folder that cannot be opened does not mean that there are too many connections."""
    assert type(folder_error(_refusal("EXAMINE", line))) is error


@pytest.mark.parametrize(
    ("octets", "error", "text"),
    [
        (b"A1 NO STARTTLS failed: Permission denied\r\n", CommandRefused, "STARTTLS failed: Permission denied"),
        (b"a1 bad [ALERT] no TLS\r\n* OK x\r\n", CommandRefused, "no TLS"),
        (b"A1 NO half a li", CommandRefused, "half a li"),
        (b"A1 NO " + b"x" * 9_999, CommandRefused, "x" * 494),
        (b"A1 OK x\r\n", PlainTextInjected, ""),
        (b"A2 NO x\r\n", PlainTextInjected, ""),
        (b"* NO x\r\n", PlainTextInjected, ""),
        (b"A1 NOx\r\n", PlainTextInjected, ""),
        (b"* OK x\r\nA1 NO x\r\n", PlainTextInjected, ""),
        (b"", PlainTextInjected, ""),
    ],
)  # fmt: skip
def test_plain_text_after_starttls(
    octets: bytes, error: type[ImapError], text: str
) -> None:
    """Only a NO or BAD with the tag of STARTTLS is the server's own."""
    found = starttls_error(b"A1", octets)
    assert type(found) is error
    assert not text or getattr(found, "text", "") == text


@pytest.mark.parametrize(
    ("status", "code", "text", "missing"),
    [
        ("NO", "NONEXISTENT", "Unknown Mailbox: Work (Failure)", True),
        ("NO", None, "Mailbox doesn't exist: Work", True),
        ("NO", "NOPERM", "no", True),
        ("NO", "SERVERBUG", "Internal error, mailbox exists", False),
        ("NO", None, "Internal error", False),
        ("BAD", None, "unknown command", False),
    ],
)
def test_missing_folder(
    status: str, code: str | None, text: str, missing: bool
) -> None:
    """A missing folder is not confused with a temporary error of the server."""
    assert is_missing_folder(CommandRefused("EXAMINE", status, code, text)) is missing


@pytest.mark.parametrize(
    ("host", "refresh", "deaf"),
    [
        ("imap.example.com", 285, False),
        ("imap.mail.yahoo.com", 120, False),
        ("outlook.office365.com", 240, False),
        ("IMAP.RAMBLER.RU.", 55, False),
        ("imap.163.com", 55, True),
        ("imap.qq.com", 285, True),
        ("imap.gmx.net", 285, False),
        ("notyahoo.com", 285, False),
        ("localhost", 285, False),
        ("127.0.0.1", 285, False),
    ],
)
def test_quirks(host: str, refresh: float, deaf: bool) -> None:
    """A provider is recognized by the end of its host name."""
    quirks = quirks_of(host)
    assert (quirks.idle_refresh, quirks.idle_is_deaf) == (refresh, deaf)
