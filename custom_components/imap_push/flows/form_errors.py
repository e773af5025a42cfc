"""Maps errors of the IMAP engine to form errors: field, translation key, placeholders."""

from typing import Final

from homeassistant.const import CONF_BASE, CONF_HOST, CONF_PORT, CONF_VERIFY_SSL

from ..const import CONF_SECURITY
from ..imap import (
    AppPasswordNeeded,
    CertificateError,
    CertificateProblem,
    CommandRefused,
    ConnectionLost,
    CriteriaRefused,
    FolderNotFound,
    HostNotFound,
    ImapError,
    LoginDisabled,
    LoginRefused,
    LoginUnsendable,
    NotImap,
    OAuthNeeded,
    PlainTextInjected,
    PortRefused,
    ProtocolError,
    Provider,
    ServerLeft,
    ServerNotAuthentic,
    ServerSilent,
    StartTlsMissing,
    StartTlsOffered,
    TlsError,
    TlsExpected,
    TlsNotSpoken,
    TlsTooOld,
    TokenRefused,
    TokenRevoked,
    TokensNotTaken,
    TokenUnavailable,
    Unavailable,
    Unreachable,
    provider_of_host,
)
from ..mail.errors import most_specific
from ..server_text import NOTHING, single_line

MAX_FORM_TEXT: Final = 300  # characters of server text in a form

# Errors when logging in to an account: form field and translation key.
ACCOUNT_ERRORS: Final[dict[type[BaseException], tuple[str, str]]] = {
    HostNotFound: (CONF_HOST, "host_not_found"),
    PortRefused: (CONF_PORT, "port_refused"),
    Unreachable: (CONF_HOST, "connect_timeout"),
    NotImap: (CONF_PORT, "not_imap"),
    TlsNotSpoken: (CONF_SECURITY, "tls_not_spoken"),
    TlsExpected: (CONF_SECURITY, "tls_expected"),
    StartTlsMissing: (CONF_SECURITY, "starttls_missing"),
    TlsTooOld: (CONF_SECURITY, "tls_too_old"),
    TlsError: (CONF_SECURITY, "tls_failed"),
    LoginRefused: (CONF_BASE, "login_refused"),
    TokenRevoked: (CONF_BASE, "token_revoked"),
    LoginUnsendable: (CONF_BASE, "login_unsendable"),
    LoginDisabled: (CONF_SECURITY, "login_disabled"),
    StartTlsOffered: (CONF_SECURITY, "starttls_offered"),
    TokensNotTaken: (CONF_BASE, "tokens_not_taken"),
    TokenUnavailable: (CONF_BASE, "token_unavailable"),
    Unavailable: (CONF_BASE, "unavailable"),
    ServerSilent: (CONF_BASE, "server_silent"),
    PlainTextInjected: (CONF_SECURITY, "plain_text_injected"),
    ServerNotAuthentic: (CONF_BASE, "server_not_authentic"),
    ProtocolError: (CONF_BASE, "unexpected_answer"),
    ConnectionLost: (CONF_BASE, "connection_lost"),
    ImapError: (CONF_BASE, "cannot_connect"),
}
CERTIFICATE_ERRORS: Final[dict[CertificateProblem, tuple[str, str]]] = {
    CertificateProblem.UNTRUSTED: (CONF_VERIFY_SSL, "certificate_untrusted"),
    CertificateProblem.EXPIRED: (CONF_VERIFY_SSL, "certificate_expired"),
    CertificateProblem.WRONG_HOST: (CONF_HOST, "certificate_wrong_host"),
    CertificateProblem.CHANGED: (CONF_VERIFY_SSL, "certificate_changed"),
}
# Refused logins with a text from the server: translation key of a message that shows the text.
REFUSED_LOGINS: Final[dict[type[BaseException], str]] = {
    AppPasswordNeeded: "app_password_needed",
    OAuthNeeded: "oauth_needed",
    TokenRefused: "token_refused",
    LoginRefused: "login_refused_because",
}

# Errors of other requests: translation key.
REQUEST_ERRORS: Final[dict[type[BaseException], str]] = {
    LoginRefused: "login_refused",
    Unavailable: "unavailable",
    ServerSilent: "server_silent",
    ImapError: "cannot_connect",
}


def account_error(
    err: ImapError, folder: str, host: str
) -> tuple[str, str, dict[str, str]]:
    """Return field, translation key and placeholders for a login error."""
    provider = provider_of_host(host)
    match err:
        case CertificateError(problem=problem):
            return *CERTIFICATE_ERRORS[problem], {}
        case NotImap(protocol=str(protocol)):
            return CONF_PORT, "other_protocol", {"protocol": protocol}
        case LoginRefused() if provider and _wants_app_password(err, provider):
            return (
                CONF_BASE,
                "app_password_needed_at",
                {
                    "answer": _shorten(str(err)) or NOTHING,
                    "provider": provider.name,
                    "url": provider.page or NOTHING,
                },
            )
        case TokenRevoked():
            pass  # The text of this error is not from the server.
        case LoginRefused() if answer := _shorten(str(err)):
            key = most_specific(REFUSED_LOGINS, err)
            return CONF_BASE, key, {"answer": answer}
        case CommandRefused(text=text):
            return CONF_BASE, "command_refused", {"answer": _shorten(text) or NOTHING}
        case ServerLeft(text=text) if answer := _shorten(text):
            return CONF_BASE, "command_refused", {"answer": answer}
        case FolderNotFound():
            return CONF_BASE, "folder_not_found", {"folder": folder}
    return *most_specific(ACCOUNT_ERRORS, err), {}


def _wants_app_password(err: LoginRefused, provider: Provider) -> bool:
    """Return whether to ask for an app password. Not every server says that it needs one."""
    return provider.needs_app_password and type(err) in (
        LoginRefused,
        AppPasswordNeeded,
    )


def request_error(err: ImapError, folder: str) -> tuple[str, dict[str, str]]:
    """Return translation key and placeholders for the error of a request in a folder."""
    match err:
        case CriteriaRefused():
            return "criteria_refused", {"answer": _shorten(str(err))}
        case CommandRefused(text=text):
            return "command_refused", {"answer": _shorten(text) or NOTHING}
        case FolderNotFound():
            return "folder_not_found", {"folder": folder}
    return most_specific(REQUEST_ERRORS, err), {}


def _shorten(text: str) -> str:
    """Shorten server text for a form error, which the frontend shows without Markdown."""
    return single_line(text, MAX_FORM_TEXT)
