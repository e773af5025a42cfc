"""What a form says about what went wrong: the key of the text, its field, and what fills it."""

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
from ..server_text import single_line

# Characters of a server's words that fit into a form.
MAX_ANSWER: Final = 300
NOTHING: Final = "—"  # stands for what is not known

# Of an account that is tried: the field an error is about, and the key of its text.
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
# Of a login that is refused: the key of the text that has the server's words in it.
REFUSED_LOGINS: Final[dict[type[BaseException], str]] = {
    AppPasswordNeeded: "app_password_needed",
    OAuthNeeded: "oauth_needed",
    TokenRefused: "token_refused",
    LoginRefused: "login_refused_because",
}

# Of what an account that works is asked for: the key of the text.
REQUEST_ERRORS: Final[dict[type[BaseException], str]] = {
    LoginRefused: "login_refused",
    Unavailable: "unavailable",
    ServerSilent: "server_silent",
    ImapError: "cannot_connect",
}


def app_password_page_at(host: str) -> str:
    """Return where to make an app password for a server, as far as that is known."""
    provider = provider_of_host(host)
    if provider is None or not provider.needs_app_password:
        return NOTHING
    return provider.page or NOTHING


def account_error(
    err: ImapError, folder: str, host: str
) -> tuple[str, str, dict[str, str]]:
    """Return field, key and placeholders of an error, the most specific that fit."""
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
                    "answer": _answer(str(err)) or NOTHING,
                    "provider": provider.name,
                    "url": provider.page or NOTHING,
                },
            )
        case TokenRevoked():
            pass
        case LoginRefused() if answer := _answer(str(err)):
            key = most_specific(REFUSED_LOGINS, err)
            return CONF_BASE, key, {"answer": answer}
        case CommandRefused(text=text):
            return CONF_BASE, "command_refused", {"answer": _answer(text) or NOTHING}
        case ServerLeft(text=text) if answer := _answer(text):
            return CONF_BASE, "command_refused", {"answer": answer}
        case FolderNotFound():
            return CONF_BASE, "folder_not_found", {"folder": folder}
    return *most_specific(ACCOUNT_ERRORS, err), {}


def _wants_app_password(err: LoginRefused, provider: Provider) -> bool:
    """Return if one of its app passwords is what is missing: not all servers say so."""
    return provider.needs_app_password and type(err) in (
        LoginRefused,
        AppPasswordNeeded,
    )


def request_error(err: ImapError, folder: str) -> tuple[str, dict[str, str]]:
    """Return key and placeholders of what went wrong with a folder of a known account."""
    match err:
        case CriteriaRefused():
            return "criteria_refused", {"answer": _answer(str(err))}
        case CommandRefused(text=text):
            return "command_refused", {"answer": _answer(text) or NOTHING}
        case FolderNotFound():
            return "folder_not_found", {"folder": folder}
    return most_specific(REQUEST_ERRORS, err), {}


def _answer(text: str) -> str:
    """Return a server's words for an error, which the frontend shows as plain text."""
    return single_line(text, MAX_ANSWER)
