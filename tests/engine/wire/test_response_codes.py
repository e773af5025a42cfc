"""Classification of refusals."""

import pytest

from custom_components.imap_push.imap import Throttled, TooManyConnections, Unavailable
from custom_components.imap_push.imap.errors import CommandRefused
from custom_components.imap_push.imap.quirks import quirks_of
from custom_components.imap_push.imap.wire.response_codes import (
    is_missing_folder,
    temporary_error,
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
