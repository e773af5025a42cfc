"""What a user is told when the server does not do what was asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from homeassistant.exceptions import HomeAssistantError

from .const import DOMAIN
from .imap import (
    CannotConnect,
    CertificateError,
    CommandRefused,
    ConnectionLost,
    CriteriaRefused,
    FolderNotFound,
    FolderRenumbered,
    HostNotFound,
    ImapError,
    LoginDisabled,
    LoginRefused,
    MailNotFound,
    PartNotFound,
    TlsError,
    Unavailable,
    Unsupported,
)

# Which text tells which error; the most specific error comes first.
ERROR_TEXTS: Final[tuple[tuple[type[ImapError], str], ...]] = (
    (FolderNotFound, "folder_not_found"),
    (FolderRenumbered, "folder_renumbered"),
    (MailNotFound, "mail_not_found"),
    (PartNotFound, "part_not_found"),
    (CriteriaRefused, "criteria_refused"),
    (Unsupported, "unsupported"),
    (LoginRefused, "login_refused"),
    (LoginDisabled, "login_disabled"),
    (Unavailable, "unavailable"),
    (HostNotFound, "host_not_found"),
    (CertificateError, "certificate_refused"),
    (TlsError, "tls_failed"),
    (CannotConnect, "cannot_connect"),
    (ConnectionLost, "connection_lost"),
    (CommandRefused, "command_refused"),
    (ImapError, "request_failed"),
)


@contextmanager
def translated_errors(account: str) -> Iterator[None]:
    """Raise every ImapError as a HomeAssistantError that tells the user what is wrong.

    The error itself is left behind: its words are the server's, which may hold the login,
    and Home Assistant logs what it was raised from.
    """
    try:
        yield
    except ImapError as error:
        raise error_for_user(error, account) from None


def error_for_user(error: ImapError, account: str) -> HomeAssistantError:
    """Return what the user is told."""
    placeholders = {"account": account}
    if isinstance(error, CommandRefused):
        placeholders["code"] = error.code or error.status
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=next(
            key for kind, key in ERROR_TEXTS if isinstance(error, kind)
        ),
        translation_placeholders=placeholders,
    )
