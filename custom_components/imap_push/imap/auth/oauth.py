"""Logging in with a token: XOAUTH2 (Google, Microsoft) and OAUTHBEARER (RFC 7628)."""

from base64 import b64decode, b64encode
import json
import re
from typing import Final

from ..errors import (
    CommandRefused,
    ImapError,
    TokenRefused,
    TokensNotTaken,
    Unavailable,
)
from ..models import Account
from ..wire.command import Command
from ..wire.response_codes import passing_login_refusal

# The first that is offered is taken. XOAUTH2 is what Google, Microsoft and Yahoo document, the
# only one that Microsoft has, and it says nothing of host and port, which a server behind
# another name does not like.
MECHANISMS: Final = ("XOAUTH2", "OAUTHBEARER")

# What ends an exchange that the server has refused already.
_END: Final = {"XOAUTH2": b"", "OAUTHBEARER": b"AQ=="}
# Octets of a challenge that are read, and characters of what it tells.
MAX_CHALLENGE: Final = 8192
MAX_REASON: Final = 80
# A status that no other token of the same kind would change.
_NOT_OF_THE_TOKEN: Final = frozenset({"invalid_request", "insufficient_scope"})
_PASSING: Final = re.compile(r"5\d\d|\w*unavailable|server_error")
_SASL_NAME: Final = str.maketrans({"=": "=3D", ",": "=2C"})


class BearerLogin:
    """One try to log in with a token, and what the server says to it."""

    def __init__(
        self, account: Account, token: str, capabilities: frozenset[str]
    ) -> None:
        """Try a token as a server takes it; raise TokensNotTaken if it takes none."""
        offered = (it for it in MECHANISMS if f"AUTH={it}" in capabilities)
        if (mechanism := next(offered, None)) is None:
            raise TokensNotTaken("the server takes no tokens")
        self._token = token
        self._mechanism = mechanism
        self._response = _base64(_RESPONSES[mechanism](account, token))
        # It saves a round trip (RFC 4959).
        self._is_sent = "SASL-IR" in capabilities
        self._challenge = b""

    def command(self) -> Command:
        """Return AUTHENTICATE."""
        response = f" {self._response}" if self._is_sent else ""
        return Command(
            "AUTHENTICATE",
            f"{self._mechanism}{response}",
            continuation=self._answer,
            secrets=(self._token, self._response),
        )

    def refusal(self, refused: CommandRefused) -> ImapError | None:
        """Return what the NO to the token means; None if it was no NO."""
        reason = self._reason()
        status, scope = self._told(reason, "status"), self._told(reason, "scope")
        if passing := passing_login_refusal(refused):
            return passing
        if _PASSING.fullmatch(status):
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
        """Return what the challenge holds if it is as it should be, base64 of JSON."""
        if len(self._challenge) > MAX_CHALLENGE:
            return {}
        try:
            reason = json.loads(b64decode(self._challenge))
        except ValueError, RecursionError:
            return {}
        return reason if isinstance(reason, dict) else {}

    def _told(self, reason: dict[str, object], key: str) -> str:
        """Return a short printable text out of the challenge, without the token."""
        text = str(reason.get(key, ""))
        for secret in filter(None, (self._response, self._token)):
            text = re.sub(re.escape(secret), "***", text, flags=re.IGNORECASE)
        return re.sub(r"[^ -~]", "", text)[:MAX_REASON]


def is_renewable(refusal: TokenRefused) -> bool:
    """Return if another token may be accepted where this one was refused."""
    return refusal.status not in _NOT_OF_THE_TOKEN


def _xoauth2(account: Account, token: str) -> str:
    return f"user={account.username}\1auth=Bearer {token}\1\1"


def _oauthbearer(account: Account, token: str) -> str:
    name = account.username.translate(_SASL_NAME)
    place = f"host={account.host}\1port={account.port}"
    return f"n,a={name},\1{place}\1auth=Bearer {token}\1\1"


_RESPONSES: Final = {"XOAUTH2": _xoauth2, "OAUTHBEARER": _oauthbearer}


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()
