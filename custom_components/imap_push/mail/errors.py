"""Translation keys for errors of the IMAP engine, for a sensor and for error messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from homeassistant.exceptions import HomeAssistantError

from .. import imap
from ..const import DOMAIN

# States of the sensor `last_error`: errors that end or prevent a connection.
ERROR_KEYS: Final[dict[type[BaseException], str]] = {
    imap.AppPasswordNeeded: "app_password_needed",
    imap.CertificateError: "certificate_refused",
    imap.CommandRefused: "command_refused",
    imap.ConnectionLost: "connection_lost",
    imap.FolderNotFound: "folder_not_found",
    imap.HostNotFound: "host_not_found",
    imap.ImapError: "cannot_connect",
    imap.LoginDisabled: "login_disabled",
    imap.LoginRefused: "login_refused",
    imap.MailboxNotSelectable: "mailbox_not_selectable",
    imap.NotImap: "not_imap",
    imap.OAuthNeeded: "oauth_needed",
    imap.PasswordsNotTaken: "tokens_not_taken",
    imap.PlainTextInjected: "plain_text_injected",
    imap.PortRefused: "port_refused",
    imap.ProtocolError: "unexpected_answer",
    imap.ResponseTooLarge: "unexpected_answer",
    imap.ServerNotAuthentic: "server_not_authentic",
    imap.ServerSilent: "server_silent",
    imap.StartTlsMissing: "starttls_missing",
    imap.Throttled: "throttled",
    imap.TlsError: "tls_failed",
    imap.TlsExpected: "tls_expected",
    imap.TlsNotSpoken: "tls_not_spoken",
    imap.TlsTooOld: "tls_too_old",
    imap.TokenRevoked: "token_revoked",
    imap.TokensNotTaken: "tokens_not_taken",
    imap.TokenUnavailable: "token_unavailable",
    imap.TooManyConnections: "too_many_connections",
    imap.Unavailable: "unavailable",
    imap.Unreachable: "connect_timeout",
}

# Messages: errors of requests.
ERROR_TEXTS: Final[dict[type[BaseException], str]] = {
    imap.AlreadyInTrash: "already_in_trash",
    imap.CannotConnect: "cannot_connect",
    imap.CertificateError: "certificate_refused",
    imap.CommandRefused: "command_refused",
    imap.ConnectionLost: "connection_lost",
    imap.CriteriaRefused: "criteria_refused",
    imap.FlagRefused: "flag_refused",
    imap.FolderNotFound: "folder_not_found",
    imap.FolderReadOnly: "folder_read_only",
    imap.FolderRenumbered: "folder_renumbered",
    imap.HostNotFound: "host_not_found",
    imap.ImapError: "request_failed",
    imap.LoginDisabled: "login_disabled",
    imap.LoginRefused: "login_refused",
    imap.MailboxNotSelectable: "mailbox_not_selectable",
    imap.MailNotFound: "mail_not_found",
    imap.NotMoved: "not_moved",
    imap.NoTrash: "no_trash",
    imap.PartNotFound: "part_not_found",
    imap.ResponseTooLarge: "response_too_large",
    imap.SameFolder: "same_folder",
    imap.TlsError: "tls_failed",
    imap.TooManyConnections: "too_many_connections",
    imap.Unavailable: "unavailable",
    imap.Unsupported: "unsupported",
}


def most_specific[T](table: dict[type[BaseException], T], error: imap.ImapError) -> T:
    """Return the value for the error's class, or for its nearest base class in the table."""
    return next(table[kind] for kind in type(error).__mro__ if kind in table)


def error_key(error: imap.ImapError) -> str:
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
    except imap.ImapError as error:
        raise error_for_user(error, account) from None


def error_for_user(error: imap.ImapError, account: str) -> HomeAssistantError:
    """Return the exception with the translated message for an error."""
    placeholders = {"account": account, "folder": error.folder or "?"}
    if isinstance(error, imap.CommandRefused):
        placeholders["code"] = error.code or error.status
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=most_specific(ERROR_TEXTS, error),
        translation_placeholders=placeholders,
    )
