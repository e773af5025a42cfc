"""The exceptions of the engine: everything that the integration may catch."""

from enum import StrEnum


class ImapError(Exception):
    """Base class of all errors of a mail server, or of the connection to it.

    `retry_after` is the number of seconds to wait before the next attempt, if the server names it.
    `folder` is the name of the folder that a request failed for, None if it is not known.
    """

    retry_after: float | None = None

    def __init__(self, text: str = "", folder: str | None = None) -> None:
        """Store the name of the folder."""
        super().__init__(text)
        self.folder = folder


class CannotConnect(ImapError):
    """The connection could not be established."""


class HostNotFound(CannotConnect):
    """The host name has no address."""


class PortRefused(CannotConnect):
    """The port is closed: the host refused the TCP connection."""


class Unreachable(CannotConnect):
    """The host cannot be reached over the network."""


class ConnectTimeout(Unreachable):
    """The TCP connection was not established in time."""


class NotImap(CannotConnect):
    """The service at the port does not speak IMAP.

    `protocol` is the protocol that it speaks ("POP3", "SMTP", "HTTP"), None if it is unknown.
    """

    def __init__(self, protocol: str | None = None) -> None:
        """Store the protocol."""
        super().__init__(f"this port speaks {protocol or 'something that is not IMAP'}")
        self.protocol = protocol


class TlsError(CannotConnect):
    """The connection could not be encrypted."""


class TlsNotSpoken(TlsError):
    """TLS was expected, but the port speaks IMAP without TLS.

    `plain_text` is the beginning of what the server sent instead of a handshake, if it is known.
    """

    plain_text = b""


class TlsExpected(TlsError):
    """Plain text was expected, but the port speaks TLS from the first octet (implicit TLS)."""


class TlsTooOld(TlsError):
    """The server supports only versions of TLS that are deprecated (RFC 8996)."""


class StartTlsMissing(TlsError):
    """The server does not offer STARTTLS, or sent PREAUTH, which excludes it (RFC 9051 6.2.1)."""


class CertificateProblem(StrEnum):
    """Why a certificate is not accepted."""

    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WRONG_HOST = "wrong_host"
    CHANGED = "changed"


class CertificateError(TlsError):
    """The server's certificate is not accepted."""

    def __init__(self, problem: CertificateProblem, reason: str) -> None:
        """Store the kind of problem; `reason` is the message."""
        super().__init__(reason)
        self.problem = problem


class CertificateChanged(CertificateError):
    """The certificate is not the pinned one; `fingerprint` is that of the new certificate."""

    def __init__(self, fingerprint: str) -> None:
        """Store the fingerprint of the new certificate."""
        super().__init__(CertificateProblem.CHANGED, "another certificate than before")
        self.fingerprint = fingerprint


class LoginRefused(ImapError):
    """The server rejected the user name or the password."""


class AppPasswordNeeded(LoginRefused):
    """The provider requires an app password instead of the password of the account."""


class OAuthNeeded(LoginRefused):
    """The provider accepts no passwords, only OAuth access tokens."""


class TokenRefused(LoginRefused):
    """The server rejected the access token.

    `status` and `scope` are those of the server's error challenge (RFC 7628 3.2.2), "" if it
    has none.
    """

    def __init__(self, text: str, status: str = "", scope: str = "") -> None:
        """Store status and scope; the message is the server's text with both."""
        details = (("status", status), ("scope", scope))
        reason = ", ".join(f"{name} {value}" for name, value in details if value)
        super().__init__(f"{text} ({reason})" if reason else text)
        self.status = status
        self.scope = scope


class TokenRevoked(LoginRefused):
    """The refresh token is not valid anymore (invalid_grant, RFC 6749 5.2).

    The user has to sign in again.
    """


class Unavailable(ImapError):
    """The server refused for a temporary reason (RFC 5530)."""


class TokenUnavailable(Unavailable):
    """No access token could be obtained for a temporary reason, so no login was attempted."""


class TokenNotRenewed(TokenUnavailable):
    """The server rejected the token, and no new one could be obtained for a temporary reason."""


class TooManyConnections(Unavailable):
    """The account already has as many connections as the server allows."""


class Throttled(Unavailable):
    """The server limits the rate of requests; `retry_after` is how long, if it is known."""


class LoginDisabled(ImapError):
    """The server accepts no password without TLS (LOGINDISABLED, RFC 3501 6.2.3)."""


class TokensNotTaken(LoginDisabled):
    """The server supports no SASL mechanism for access tokens."""


class PasswordsNotTaken(LoginDisabled):
    """The server supports no mechanism for passwords that we support, even over TLS."""


class MailboxNotSelectable(LoginDisabled):
    """The server supports no mechanism that names another mailbox than that of the login."""


class StartTlsOffered(LoginDisabled):
    """The server offers STARTTLS, but the account is configured without encryption."""


class LoginUnsendable(ImapError):
    """The username or the password contains NUL, CR or LF (RFC 3501 9, RFC 4616 2)."""


class CommandRefused(ImapError):
    """The server answered NO or BAD to a command, or its greeting was NO, BAD or BYE.

    `command` is its name, "greeting" for a greeting. `status` is "NO", "BAD" or "BYE". `code` is
    the response code (RFC 5530) in upper case, or None; `code_args` are the octets after it, up
    to the bracket.
    """

    def __init__(
        self,
        command: str,
        status: str,
        code: str | None,
        text: str,
        code_args: bytes = b"",
    ) -> None:
        """Store the response; the message is the command and the server's text."""
        super().__init__(f"{command}: {status} {text}")
        self.command = command
        self.status = status
        self.code = code
        self.text = text
        self.code_args = code_args


class FolderNotFound(ImapError):
    """The folder does not exist or cannot be opened."""


class FolderRenumbered(ImapError):
    """UIDVALIDITY of the folder changed, so older UIDs are not valid (RFC 3501 2.3.1.1)."""


class MailNotFound(ImapError):
    """None of the messages is in the folder anymore."""


class PartNotFound(ImapError):
    """The message has no part with this number (RFC 3501 6.4.5)."""


class CriteriaRefused(ImapError):
    """The server rejected the search criteria; the message is the server's text."""


class ResponseTooLarge(ImapError):
    """The response is larger than the limit for this request."""


class FlagRefused(ImapError):
    """The flag is invalid, or the folder does not store it (PERMANENTFLAGS, RFC 3501 7.1)."""


class NotMoved(ImapError):
    """The server accepted a move, but messages are still in the folder.

    They may be in the target as well: the copy was made, but not the removal.
    """


class Unsupported(ImapError):
    """The folder or the server does not support the request.

    For example, without UIDPLUS a deletion could affect other messages.
    """


class FolderReadOnly(Unsupported):
    """The folder can only be read (READ-ONLY, RFC 3501 7.1)."""


class SameFolder(Unsupported):
    """The messages are already in the target of a move."""


class NoTrash(Unsupported):
    """The account has no Trash, so messages can only be deleted permanently."""


class AlreadyInTrash(Unsupported):
    """The messages are in Trash, so they can only be deleted permanently."""


class ConnectionLost(ImapError):
    """The connection was closed, and all pending commands failed."""


class ServerLeft(ConnectionLost):
    """The server closed the connection with BYE (RFC 3501 7.1.5); `text` is its text, or ""."""

    def __init__(self, text: str) -> None:
        """Store the server's text."""
        super().__init__(f"the server says bye: {text}")
        self.text = text


class ServerSilent(ConnectionLost):
    """The server did not respond before a deadline."""


class ProtocolError(ConnectionLost):
    """The server violated the protocol, or sent more data than the limits allow."""


class PlainTextInjected(ProtocolError):
    """Plain text arrived after STARTTLS, where only TLS is allowed (RFC 9051 11.1).

    The server has a bug, or an attacker on the network injected the text.
    """


class ServerNotAuthentic(ProtocolError):
    """The server did not prove that it knows the password (SCRAM, RFC 5802 3)."""


class TokenRenewed(ConnectionLost):
    """The connection ended before the server answered the login with a renewed token."""
