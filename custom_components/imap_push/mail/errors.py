"""Translation keys for errors of the IMAP engine, for a sensor and for error messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from homeassistant.exceptions import HomeAssistantError

from ..const import DOMAIN
from ..imap import (
    AppPasswordNeeded,
    CannotConnect,
    CertificateError,
    CommandRefused,
    ConnectionLost,
    CriteriaRefused,
    FlagRefused,
    FolderNotFound,
    FolderRenumbered,
    HostNotFound,
    ImapError,
    LoginDisabled,
    LoginRefused,
    MailNotFound,
    NotImap,
    OAuthNeeded,
    PartNotFound,
    PlainTextInjected,
    PortRefused,
    ProtocolError,
    ResponseTooLarge,
    ServerNotAuthentic,
    ServerSilent,
    StartTlsMissing,
    Throttled,
    TlsError,
    TlsExpected,
    TlsNotSpoken,
    TlsTooOld,
    TokenRevoked,
    TokensNotTaken,
    TokenUnavailable,
    TooManyConnections,
    Unavailable,
    Unreachable,
    Unsupported,
)

# States of the sensor `last_error`: errors that end or prevent a connection.
ERROR_KEYS: Final[dict[type[BaseException], str]] = {
    AppPasswordNeeded: "app_password_needed",
    CertificateError: "certificate_refused",
    CommandRefused: "command_refused",
    ConnectionLost: "connection_lost",
    FolderNotFound: "folder_not_found",
    HostNotFound: "host_not_found",
    ImapError: "cannot_connect",
    LoginDisabled: "login_disabled",
    LoginRefused: "login_refused",
    NotImap: "not_imap",
    OAuthNeeded: "oauth_needed",
    PlainTextInjected: "plain_text_injected",
    PortRefused: "port_refused",
    ProtocolError: "unexpected_answer",
    ResponseTooLarge: "unexpected_answer",
    ServerNotAuthentic: "server_not_authentic",
    ServerSilent: "server_silent",
    StartTlsMissing: "starttls_missing",
    Throttled: "throttled",
    TlsError: "tls_failed",
    TlsExpected: "tls_expected",
    TlsNotSpoken: "tls_not_spoken",
    TlsTooOld: "tls_too_old",
    TokenRevoked: "token_revoked",
    TokensNotTaken: "tokens_not_taken",
    TokenUnavailable: "token_unavailable",
    TooManyConnections: "too_many_connections",
    Unavailable: "unavailable",
    Unreachable: "connect_timeout",
}

# Messages: errors of requests.
ERROR_TEXTS: Final[dict[type[BaseException], str]] = {
    CannotConnect: "cannot_connect",
    CertificateError: "certificate_refused",
    CommandRefused: "command_refused",
    ConnectionLost: "connection_lost",
    CriteriaRefused: "criteria_refused",
    FlagRefused: "flag_refused",
    FolderNotFound: "folder_not_found",
    FolderRenumbered: "folder_renumbered",
    HostNotFound: "host_not_found",
    ImapError: "request_failed",
    LoginDisabled: "login_disabled",
    LoginRefused: "login_refused",
    MailNotFound: "mail_not_found",
    PartNotFound: "part_not_found",
    ResponseTooLarge: "response_too_large",
    TlsError: "tls_failed",
    Unavailable: "unavailable",
    Unsupported: "unsupported",
}


def most_specific[T](table: dict[type[BaseException], T], error: ImapError) -> T:
    """Return the value for the error's class, or for its nearest base class in the table."""
    return next(table[kind] for kind in type(error).__mro__ if kind in table)


def error_key(error: ImapError) -> str:
    """Return the state of the sensor `last_error` for an error."""
    return most_specific(ERROR_KEYS, error)


@contextmanager
def translated_errors(account: str) -> Iterator[None]:
    """Convert each ImapError to a HomeAssistantError with a message for the user.

    Raises `from None`, because Home Assistant logs the cause: the text of an ImapError comes
    from the server and may contain the username.
    """
    try:
        yield
    except ImapError as error:
        raise error_for_user(error, account) from None


def error_for_user(error: ImapError, account: str) -> HomeAssistantError:
    """Return the exception with the translated message for an error."""
    placeholders = {"account": account}
    if isinstance(error, CommandRefused):
        placeholders["code"] = error.code or error.status
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=most_specific(ERROR_TEXTS, error),
        translation_placeholders=placeholders,
    )
