"""What can go wrong between us and a mail server: all that the layer above may catch."""

from enum import StrEnum


class ImapError(Exception):
    """Anything that goes wrong between us and a mail server.

    `retry_after` is how many seconds the server asks to be left alone, if it says so.
    """

    retry_after: float | None = None


class CannotConnect(ImapError):
    """No connection came about."""


class HostNotFound(CannotConnect):
    """The server's name has no address."""


class PortRefused(CannotConnect):
    """Nothing listens at the port."""


class Unreachable(CannotConnect):
    """The way to the server is broken: nobody answers, not even with a refusal."""


class ConnectTimeout(Unreachable):
    """Nothing answered in time."""


class NotImap(CannotConnect):
    """Something answers at the port, and it does not speak IMAP.

    `protocol` names what does answer ("POP3", "SMTP", "HTTP"), as far as it is known.
    """

    def __init__(self, protocol: str | None = None) -> None:
        """Name what answers instead."""
        super().__init__(f"this port speaks {protocol or 'something that is not IMAP'}")
        self.protocol = protocol


class TlsError(CannotConnect):
    """The connection could not be encrypted."""


class TlsNotSpoken(TlsError):
    """IMAP without TLS answers at a port where TLS was expected."""


class TlsExpected(TlsError):
    """The port speaks TLS from the first byte, and plain text was expected."""


class TlsTooOld(TlsError):
    """The server knows no TLS that is still safe (RFC 8996)."""


class StartTlsMissing(TlsError):
    """The server does not offer STARTTLS (RFC 3501 6.2.1)."""


class CertificateProblem(StrEnum):
    """Why a certificate is not accepted."""

    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    WRONG_HOST = "wrong_host"
    CHANGED = "changed"


class CertificateError(TlsError):
    """The server's certificate is not accepted."""

    def __init__(self, problem: CertificateProblem, reason: str) -> None:
        """Keep what is wrong with the certificate."""
        super().__init__(reason)
        self.problem = problem


class CertificateChanged(CertificateError):
    """The certificate is not the one that is trusted; `fingerprint` is that of the new one."""

    def __init__(self, fingerprint: str) -> None:
        """Keep the fingerprint that is seen now."""
        super().__init__(CertificateProblem.CHANGED, "another certificate than before")
        self.fingerprint = fingerprint


class LoginRefused(ImapError):
    """The server says that user name or password are wrong."""


class AppPasswordNeeded(LoginRefused):
    """The provider takes no usual password, but one that was made for a program like this."""


class OAuthNeeded(LoginRefused):
    """The provider takes no passwords at all, only tokens (OAuth)."""


class TokenRefused(LoginRefused):
    """The server does not accept the token.

    `status` and `scope` are what its challenge tells of the reason (RFC 7628 3.2.2), "" where
    it tells nothing.
    """

    def __init__(self, text: str, status: str = "", scope: str = "") -> None:
        """Keep the server's own words and its reason."""
        told = (("status", status), ("scope", scope))
        reason = ", ".join(f"{name} {it}" for name, it in told if it)
        super().__init__(f"{text} ({reason})" if reason else text)
        self.status = status
        self.scope = scope


class TokenRevoked(LoginRefused):
    """There are no more tokens (invalid_grant, RFC 6749 5.2): the user has to sign in anew."""


class Unavailable(ImapError):
    """The server refuses for now, for a reason that passes by itself (RFC 5530)."""


class TokenUnavailable(Unavailable):
    """No token can be had for now, so that it does not come to a login."""


class TokenNotRenewed(TokenUnavailable):
    """The server refused the token, and no other one can be had for now."""


class TooManyConnections(Unavailable):
    """The account has as many connections as the server allows."""


class Throttled(Unavailable):
    """The server wants less work from us; `retry_after` says for how long, if it does."""


class LoginDisabled(ImapError):
    """The server takes no password on this connection: it wants TLS first (LOGINDISABLED)."""


class TokensNotTaken(LoginDisabled):
    """The server offers no way to log in with a token."""


class StartTlsOffered(LoginDisabled):
    """The server offers STARTTLS, and the account is set up without it."""


class LoginUnsendable(ImapError):
    """NUL, CR or LF is in the username or the password (RFC 3501 9, RFC 4616 2)."""


class CommandRefused(ImapError):
    """The server answered NO or BAD, or greeted with it or with BYE.

    `status` is "NO", "BAD" or "BYE", `code` the response code (RFC 5530), upper case, or None, and
    `code_args` what stands behind it in its brackets.
    """

    def __init__(
        self,
        command: str,
        status: str,
        code: str | None,
        text: str,
        code_args: bytes = b"",
    ) -> None:
        """Keep what was refused and the server's own words."""
        super().__init__(f"{command}: {status} {text}")
        self.status = status
        self.code = code
        self.text = text
        self.code_args = code_args


class FolderNotFound(ImapError):
    """The folder does not exist or cannot be opened."""


class FolderRenumbered(ImapError):
    """The folder's UIDVALIDITY is another one: UIDs of before mean nothing (RFC 3501 2.3.1.1)."""


class MailNotFound(ImapError):
    """None of the mails is in the folder any more."""


class PartNotFound(ImapError):
    """The mail has no such part (RFC 3501 6.4.5)."""


class CriteriaRefused(ImapError):
    """The server does not understand what is searched for; the text is its own."""


class ResponseTooLarge(ImapError):
    """The server's answer to a request is larger than what is read of it."""


class FlagRefused(ImapError):
    """A flag that is none, or that the folder does not keep (PERMANENTFLAGS, RFC 3501 7.1)."""


class Unsupported(ImapError):
    """The server cannot do this without a risk to other mail."""


class ConnectionLost(ImapError):
    """The connection ended; all that waited on it ended with it."""


class ServerLeft(ConnectionLost):
    """The server ended the connection (BYE, RFC 3501 7.1.5); `text` is its own words, or ""."""

    def __init__(self, text: str) -> None:
        """Keep the server's own words."""
        super().__init__(f"the server says bye: {text}")
        self.text = text


class ServerSilent(ConnectionLost):
    """A deadline passed without the answer it was for."""


class ProtocolError(ConnectionLost):
    """The server sent what is not IMAP, or more than we are ready to hold."""


class PlainTextInjected(ProtocolError):
    """Something came without encryption where nothing but TLS may (RFC 9051 11.1).

    A broken server does that, or somebody on the way to it.
    """


class ServerNotAuthentic(ProtocolError):
    """The server did not prove that it knows the password (SCRAM, RFC 5802 3)."""


class TokenRenewed(ConnectionLost):
    """The server did not wait for the token that was to replace a refused one."""
