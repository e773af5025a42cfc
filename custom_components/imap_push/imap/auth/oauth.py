"""SASL with a token: XOAUTH2 (Google, Microsoft) and OAUTHBEARER (RFC 7628).

C: A1 AUTHENTICATE XOAUTH2 dXNlcj1...      the token, in base64 (SASL-IR, RFC 4959)
S: + eyJzdGF0dXMiOiI0MDAi...               refused: base64 of {"status": "400", ...}
C:                                         an empty line ends the exchange
S: A1 NO invalid credentials
"""

from base64 import b64decode, b64encode
import json
import re
from typing import Final

from ..errors import (
    CommandRefused,
    ImapError,
    LoginDisabled,
    TokenRefused,
    TokensNotTaken,
    Unavailable,
)
from ..models import Account
from ..wire.command import Command
from ..wire.response_codes import meaning_of, temporary_refusal
from .scram import SASL_NAME

# The first one that the server offers is used. Google, Microsoft and Yahoo document XOAUTH2, and
# Microsoft supports only that. OAUTHBEARER contains host and port: it fails if the server expects
# another host name.
MECHANISMS: Final = ("XOAUTH2", "OAUTHBEARER")

# The client's answer to the error challenge, which ends the exchange.
_END: Final = {"XOAUTH2": b"", "OAUTHBEARER": b"AQ=="}
MAX_CHALLENGE: Final = 8192  # octets
MAX_REASON: Final = 80  # characters of a field of the challenge
# Values of "status" for which a renewed token would be refused too.
_NOT_RENEWABLE: Final = frozenset({"invalid_request", "insufficient_scope"})
_TEMPORARY: Final = re.compile(r"5\d\d|\w*unavailable|server_error")


class BearerLogin:
    """One login attempt with a token."""

    def __init__(
        self, account: Account, token: str, capabilities: frozenset[str]
    ) -> None:
        """Choose a mechanism; raise TokensNotTaken if the server offers none for tokens."""
        offered = (name for name in MECHANISMS if f"AUTH={name}" in capabilities)
        if (mechanism := next(offered, None)) is None:
            raise TokensNotTaken("the server accepts no tokens")
        self._token = token
        self._mechanism = mechanism
        self._response = encode_base64(_RESPONSES[mechanism](account, token))
        # An initial response saves a round trip (RFC 4959).
        self._is_sent = "SASL-IR" in capabilities
        self._challenge = b""

    def command(self) -> Command:
        """Return the AUTHENTICATE command."""
        response = f" {self._response}" if self._is_sent else ""
        return Command(
            "AUTHENTICATE",
            f"{self._mechanism}{response}",
            continuation=self._answer,
            secrets=(self._token, self._response),
        )

    def refusal(self, refused: CommandRefused) -> ImapError | None:
        """Return the error for a refused token; None for a BAD that is not temporary."""
        reason = self._reason()
        status, scope = self._field(reason, "status"), self._field(reason, "scope")
        if temporary := temporary_refusal(refused):
            return temporary
        if meaning_of(refused).error is LoginDisabled:
            return LoginDisabled(refused.text)
        if _TEMPORARY.fullmatch(status):
            return Unavailable(f"{refused.text} (status {status})")
        if refused.status != "NO":
            return None
        return TokenRefused(refused.text, status, scope)

    def _answer(self, challenge: bytes) -> bytes:
        if not self._is_sent:
            self._is_sent = True
            return self._response.encode()
        self._challenge = challenge
        return _END[self._mechanism]

    def _reason(self) -> dict[str, object]:
        """Return the error challenge (base64 of a JSON object), {} if it is malformed."""
        if len(self._challenge) > MAX_CHALLENGE:
            return {}
        try:
            reason = json.loads(b64decode(self._challenge))
        except ValueError, RecursionError:
            return {}
        return reason if isinstance(reason, dict) else {}

    def _field(self, reason: dict[str, object], key: str) -> str:
        """Return at most MAX_REASON printable characters of a field, with *** for the token."""
        text = str(reason.get(key, ""))
        for secret in filter(None, (self._response, self._token)):
            text = re.sub(re.escape(secret), "***", text, flags=re.IGNORECASE)
        return re.sub(r"[^ -~]", "", text)[:MAX_REASON]


def is_renewable(refusal: TokenRefused) -> bool:
    """Return True if the server may accept a renewed token."""
    return refusal.status not in _NOT_RENEWABLE


def _xoauth2(account: Account, token: str) -> str:
    # Microsoft: the shared mailbox, with the token of the user who has access to it.
    name = account.mailbox or account.username
    return f"user={name}\1auth=Bearer {token}\1\1"


def _oauthbearer(account: Account, token: str) -> str:
    name = (account.mailbox or account.username).translate(SASL_NAME)
    place = f"host={account.host}\1port={account.port}"
    return f"n,a={name},\1{place}\1auth=Bearer {token}\1\1"


_RESPONSES: Final = {"XOAUTH2": _xoauth2, "OAUTHBEARER": _oauthbearer}


def encode_base64(text: str) -> str:
    """Return the base64 of a text in UTF-8."""
    return b64encode(text.encode()).decode()
