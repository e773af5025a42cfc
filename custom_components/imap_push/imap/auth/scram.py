"""SCRAM (RFC 5802, RFC 7677): the client proves knowledge of the password without sending it.

    C: n,,n=user,r=fyko                                first()
    S: r=fyko3rfc,s=QSXC...,i=4096                     nonce, salt, iterations
    C: c=biws,r=fyko3rfc,p=v0X8...                     final(), slow by design (PBKDF2)
    S: v=rmF9...                                       verify()

The server also proves that it knows the password. The scramp library is not used: it loads
asn1crypto for channel binding, which takes 13 MB of memory.
"""

from base64 import b64decode, b64encode
import hashlib
import hmac
import secrets
from stringprep import in_table_b1, in_table_c12
from typing import Final
import unicodedata

from ..errors import ServerNotAuthentic

# The first one that the server offers is used. The value is the hash.
MECHANISMS: Final = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}

# Fewer iterations would help an attacker who records the exchange to guess the password
# (RFC 7677 4). More take seconds on a small computer; a malicious server could require billions.
MIN_ITERATIONS: Final = 4096
MAX_ITERATIONS: Final = 1_000_000
MAX_MESSAGE: Final = 4096  # octets of a server's message

# No channel binding (RFC 5802 7). The final message repeats it in base64.
_GS2_HEADER: Final = "n,,"
# saslname (RFC 5802 7)
SASL_NAME: Final = str.maketrans({"=": "=3D", ",": "=2C"})


class ScramUnusable(Exception):
    """The server's message is malformed, unsafe or an error, so the exchange must end."""


class ScramClient:
    """One login. Call `first`, `final` and `verify` in this order, one time each."""

    def __init__(
        self, mechanism: str, username: str, password: str, nonce: str | None = None
    ) -> None:
        """Prepare a login with one of the MECHANISMS; `nonce` is for tests."""
        self._hash = MECHANISMS[mechanism]
        self._password = _prepared(password).encode()
        self._nonce = nonce or secrets.token_urlsafe(24)
        name = _prepared(username).translate(SASL_NAME)
        self._first_bare = f"n={name},r={self._nonce}"
        self._server_signature = b""

    def first(self) -> bytes:
        """Return the client-first-message."""
        return f"{_GS2_HEADER}{self._first_bare}".encode()

    def final(self, server_first: bytes) -> bytes:
        """Return the client-final-message; raise ScramUnusable.

        Takes up to a second: call it in a thread.
        """
        text = _text(server_first)
        nonce, salt, iterations = self._read_server_first(text)
        salted = hashlib.pbkdf2_hmac(self._hash, self._password, salt, iterations)
        client_key = self._hmac(salted, b"Client Key")
        stored_key = hashlib.new(self._hash, client_key).digest()
        unproven = f"c={b64encode(_GS2_HEADER.encode()).decode()},r={nonce}"
        exchange = f"{self._first_bare},{text},{unproven}".encode()
        signature = self._hmac(stored_key, exchange)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._server_signature = self._hmac(self._hmac(salted, b"Server Key"), exchange)
        return f"{unproven},p={b64encode(proof).decode()}".encode()

    def verify(self, server_final: bytes) -> None:
        """Raise ServerNotAuthentic unless the server proves that it knows the password.

        Raises ScramUnusable if the server reports an error instead.
        """
        text = server_final[:MAX_MESSAGE].decode(errors="replace")
        if text.startswith("e="):
            raise ScramUnusable("the server refuses the proof")
        expected = f"v={b64encode(self._server_signature).decode()}"
        seen = text.partition(",")[0]
        if not self._server_signature or not hmac.compare_digest(
            seen.encode(), expected.encode()
        ):
            raise ServerNotAuthentic("the server's proof is wrong")

    def _read_server_first(self, text: str) -> tuple[str, bytes, int]:
        """Parse the server-first-message into nonce, salt and number of iterations."""
        fields = [field.partition("=") for field in text.split(",")]
        if [name for name, _, _ in fields[:3]] != ["r", "s", "i"]:
            raise ScramUnusable("not a server's first message")
        nonce, salt, iterations = (value for _, _, value in fields[:3])
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise ScramUnusable("the nonce does not extend ours")
        if not (iterations.isdecimal() and len(iterations) < 10):
            raise ScramUnusable("no number of iterations")
        if not MIN_ITERATIONS <= int(iterations) <= MAX_ITERATIONS:
            raise ScramUnusable(f"{iterations} iterations")
        try:
            return nonce, b64decode(salt, validate=True), int(iterations)
        except ValueError as error:
            raise ScramUnusable("the salt is not base64") from error

    def _hmac(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self._hash)


def _text(message: bytes) -> str:
    if len(message) > MAX_MESSAGE:
        raise ScramUnusable("too long")
    try:
        return message.decode("ascii")
    except UnicodeError as error:
        raise ScramUnusable("not ASCII") from error


def _prepared(text: str) -> str:
    """Return a name or password in the form that both sides hash (SASLprep, RFC 4013 2.1, 2.2).

    Characters that SASLprep prohibits are kept: users have passwords with them, and the server
    decides.
    """
    mapped = (
        " " if in_table_c12(char) else char for char in text if not in_table_b1(char)
    )
    return unicodedata.ucd_3_2_0.normalize("NFKC", "".join(mapped))
