"""Fetch a server's certificate so that the user can decide whether to trust it."""

from dataclasses import replace
from datetime import UTC, datetime
import re
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.x509.oid import NameOID

from ..errors import CertificateError, CertificateProblem, TlsError
from ..models import Account, Security
from .connection import Connection
from .tls import fingerprint_of, unverified_context

# Characters of a common name that are shown.
MAX_NAME: Final = 100


class Certificate(NamedTuple):
    """A server's certificate.

    `fingerprint` is its SHA-256 in hex. `subject` and `issuer` are common names, "" if missing.
    `not_after` is None if it cannot be read. `problem` is why the account's TLS context does
    not accept the certificate, or None if it does.
    """

    fingerprint: str
    subject: str
    issuer: str
    not_after: datetime | None
    problem: CertificateProblem | None


async def fetch_certificate(account: Account) -> Certificate:
    """Connect without logging in and return the server's certificate.

    Raises what `Connection.open` raises, except CertificateError.
    """
    if account.security is Security.NONE:
        raise TlsError("no certificate without TLS")
    problem = None
    try:
        connection = await Connection.open(replace(account, fingerprint=None))
    except CertificateError as error:
        problem = error.problem
        unverified = replace(
            account, fingerprint=None, ssl_context=unverified_context()
        )
        connection = await Connection.open(unverified)
    connection.abort()
    return _describe(connection.certificate, problem)


def _describe(octets: bytes, problem: CertificateProblem | None) -> Certificate:
    """Parse a certificate. Its contents are not trusted: it may be malformed or misleading."""
    try:
        parsed = x509.load_der_x509_certificate(octets)
        subject, issuer = _name(parsed.subject), _name(parsed.issuer)
        not_after = parsed.not_valid_after_utc.astimezone(UTC)
    except TypeError, ValueError, x509.InvalidVersion:
        subject, issuer, not_after = "", "", None
    return Certificate(
        fingerprint=fingerprint_of(octets),
        subject=subject,
        issuer=issuer,
        not_after=not_after,
        problem=problem,
    )


def _name(name: x509.Name) -> str:
    """Return the common name without characters that could be markup or control codes."""
    names = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return re.sub(r"[^\w .:*@()-]", "", str(names[0].value))[:MAX_NAME] if names else ""
