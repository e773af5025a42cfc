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
    FlagRefused,
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

# Which text tells which error; one that is not here is told as its nearest base.
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
    TlsError: "tls_failed",
    Unavailable: "unavailable",
    Unsupported: "unsupported",
}


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
            ERROR_TEXTS[kind] for kind in type(error).__mro__ if kind in ERROR_TEXTS
        ),
        translation_placeholders=placeholders,
    )
