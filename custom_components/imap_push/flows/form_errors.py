"""Maps errors of the IMAP engine to form errors: field, translation key, placeholders."""

from typing import Final

from homeassistant.const import CONF_BASE, CONF_HOST, CONF_PORT, CONF_VERIFY_SSL
from homeassistant.util import dt as dt_util

from .. import imap
from ..const import CONF_MAILBOX, CONF_SECURITY
from ..helpers import format_time, is_clock_wrong
from ..mail.errors import most_specific
from ..server_text import NOTHING, single_line

MAX_FORM_TEXT: Final = 300  # characters of server text in a form
TOO_MANY_CONNECTIONS: Final = "too_many_connections"

# Errors when logging in to an account: form field and translation key.
ACCOUNT_ERRORS: Final[dict[type[BaseException], tuple[str, str]]] = {
    imap.HostNotFound: (CONF_HOST, "host_not_found"),
    imap.PortRefused: (CONF_PORT, "port_refused"),
    imap.Unreachable: (CONF_HOST, "connect_timeout"),
    imap.NotImap: (CONF_PORT, "not_imap"),
    imap.TlsNotSpoken: (CONF_SECURITY, "tls_not_spoken"),
    imap.TlsExpected: (CONF_SECURITY, "tls_expected"),
    imap.StartTlsMissing: (CONF_SECURITY, "starttls_missing"),
    imap.TlsTooOld: (CONF_SECURITY, "tls_too_old"),
    imap.TlsError: (CONF_SECURITY, "tls_failed"),
    imap.LoginRefused: (CONF_BASE, "login_refused"),
    imap.TokenRevoked: (CONF_BASE, "token_revoked"),
    imap.LoginUnsendable: (CONF_BASE, "login_unsendable"),
    imap.LoginDisabled: (CONF_SECURITY, "login_disabled"),
    imap.MailboxNotSelectable: (CONF_MAILBOX, "mailbox_not_selectable"),
    imap.PasswordsNotTaken: (CONF_BASE, "passwords_not_taken"),
    imap.StartTlsOffered: (CONF_SECURITY, "starttls_offered"),
    imap.TokensNotTaken: (CONF_BASE, "tokens_not_taken"),
    imap.TokenUnavailable: (CONF_BASE, "token_unavailable"),
    imap.TooManyConnections: (CONF_BASE, TOO_MANY_CONNECTIONS),
    imap.Unavailable: (CONF_BASE, "unavailable"),
    imap.ServerSilent: (CONF_BASE, "server_silent"),
    imap.PlainTextInjected: (CONF_SECURITY, "plain_text_injected"),
    imap.ServerNotAuthentic: (CONF_BASE, "server_not_authentic"),
    imap.ProtocolError: (CONF_BASE, "unexpected_answer"),
    imap.ConnectionLost: (CONF_BASE, "connection_lost"),
    imap.ImapError: (CONF_BASE, "cannot_connect"),
}
CERTIFICATE_ERRORS: Final[dict[imap.CertificateProblem, tuple[str, str]]] = {
    imap.CertificateProblem.UNTRUSTED: (CONF_VERIFY_SSL, "certificate_untrusted"),
    imap.CertificateProblem.EXPIRED: (CONF_VERIFY_SSL, "certificate_expired"),
    imap.CertificateProblem.WRONG_HOST: (CONF_HOST, "certificate_wrong_host"),
    imap.CertificateProblem.CHANGED: (CONF_VERIFY_SSL, "certificate_changed"),
}
# Refused logins with a text from the server: translation key of a message that shows the text.
REFUSED_LOGINS: Final[dict[type[BaseException], str]] = {
    imap.AppPasswordNeeded: "app_password_needed",
    imap.OAuthNeeded: "oauth_needed",
    imap.TokenRefused: "token_refused",
    imap.LoginRefused: "login_refused_because",
}

# Errors of other requests: translation key.
REQUEST_ERRORS: Final[dict[type[BaseException], str]] = {
    imap.LoginRefused: "login_refused",
    imap.TooManyConnections: TOO_MANY_CONNECTIONS,
    imap.Unavailable: "unavailable",
    imap.ServerSilent: "server_silent",
    imap.ImapError: "cannot_connect",
}


def account_error(
    err: imap.ImapError, folder: str, host: str
) -> tuple[str, str, dict[str, str]]:
    """Return field, translation key and placeholders for a login error."""
    provider = imap.provider_of_host(host)
    match err:
        case imap.CertificateError() if is_clock_wrong(err):
            return CONF_BASE, "clock_wrong", {"now": format_time(dt_util.utcnow())}
        case imap.CertificateError(problem=problem):
            return *CERTIFICATE_ERRORS[problem], {}
        case imap.NotImap(protocol=str(protocol)):
            return CONF_PORT, "other_protocol", {"protocol": protocol}
        case imap.LoginRefused() if provider and _wants_app_password(err, provider):
            return (
                CONF_BASE,
                "app_password_needed_at",
                {
                    "answer": _shorten(str(err)) or NOTHING,
                    "provider": provider.name,
                    "url": provider.page or NOTHING,
                },
            )
        case imap.TokenRevoked():
            pass  # The text of this error is not from the server.
        case imap.LoginRefused() if answer := _shorten(str(err)):
            key = most_specific(REFUSED_LOGINS, err)
            return CONF_BASE, key, {"answer": answer}
        case imap.CommandRefused(command=command, text=text):
            key = "fetch_refused" if command == "UID FETCH" else "command_refused"
            return CONF_BASE, key, {"answer": _shorten(text) or NOTHING}
        case imap.ServerLeft(text=text) if answer := _shorten(text):
            return CONF_BASE, "command_refused", {"answer": answer}
        case imap.FolderNotFound():
            return CONF_BASE, "folder_not_found", {"folder": folder}
    return *most_specific(ACCOUNT_ERRORS, err), {}


def _wants_app_password(err: imap.LoginRefused, provider: imap.Provider) -> bool:
    """Return whether to ask for an app password. Not every server says that it needs one."""
    return provider.needs_app_password and type(err) in (
        imap.LoginRefused,
        imap.AppPasswordNeeded,
    )


def request_error(err: imap.ImapError, folder: str) -> tuple[str, dict[str, str]]:
    """Return translation key and placeholders for the error of a request in a folder."""
    match err:
        case imap.CriteriaRefused():
            return "criteria_refused", {"answer": _shorten(str(err))}
        case imap.CommandRefused(text=text):
            return "command_refused", {"answer": _shorten(text) or NOTHING}
        case imap.FolderNotFound():
            return "folder_not_found", {"folder": folder}
    return most_specific(REQUEST_ERRORS, err), {}


def _shorten(text: str) -> str:
    """Shorten server text for a form error, which the frontend shows without Markdown."""
    return single_line(text, MAX_FORM_TEXT)
