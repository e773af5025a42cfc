"""A private CA and a server certificate signed by it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import hashlib
from ipaddress import ip_address
from pathlib import Path
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .ports import LOOPBACK


@dataclass(frozen=True)
class Certificate:
    """PEM files of a server certificate, its key and the CA that signed it."""

    ca: Path
    cert: Path
    key: Path

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the server's certificate, in hex."""
        der = ssl.PEM_cert_to_DER_cert(self.cert.read_text())
        return hashlib.sha256(der).hexdigest()

    def client_context(self) -> ssl.SSLContext:
        """Return a context that trusts only this CA."""
        return ssl.create_default_context(cafile=self.ca)

    def server_context(self) -> ssl.SSLContext:
        """Return a context for a server with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context


def make_certificate(
    folder: Path,
    *,
    host: str = "localhost",
    expired: bool = False,
    not_yet_valid: bool = False,
    self_signed: bool = False,
    made_at_home: bool = False,
) -> Certificate:
    """Write a new CA and a certificate for `host` into `folder`.

    A certificate for localhost is also valid for 127.0.0.1. One for another host is valid only
    for that host, so a client that connects to loopback rejects it. A self-signed one is not
    signed by the CA. With `made_at_home`, the certificates have only the required extensions, like
    many private ones.
    """
    days = -1 if expired else 90 if not_yet_valid else 30
    end = datetime.now(UTC) + timedelta(days=days)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    ca = _sign_ca(ca_key, made_at_home=made_at_home)
    issuer, signer = (_name(host), key) if self_signed else (ca.subject, ca_key)
    builder = _builder(_name(host), issuer, key.public_key(), end).add_extension(
        _alternative_names(host), critical=False
    )
    if not made_at_home:
        builder = builder.add_extension(_authority_key_id(signer), critical=False)
    cert = builder.sign(signer, hashes.SHA256())
    folder.mkdir(parents=True, exist_ok=True)
    paths = Certificate(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    paths.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    paths.cert.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    paths.key.write_bytes(_private_pem(key))
    return paths


def _sign_ca(
    key: ec.EllipticCurvePrivateKey, *, made_at_home: bool
) -> x509.Certificate:
    """Return the self-signed certificate of a CA."""
    name = _name("IMAP Push test CA")
    end = datetime.now(UTC) + timedelta(days=30)
    builder = _builder(name, name, key.public_key(), end).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=not made_at_home
    )
    if not made_at_home:
        builder = builder.add_extension(_ca_usage(), critical=True).add_extension(
            _key_id(key), critical=False
        )
    return builder.sign(key, hashes.SHA256())


def _name(common_name: str) -> x509.Name:
    """Return a distinguished name with only a common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    end: datetime,
) -> x509.CertificateBuilder:
    """Return a builder for a certificate that is valid for 60 days until `end`."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=60))
        .not_valid_after(end)
    )


def _alternative_names(host: str) -> x509.SubjectAlternativeName:
    """Return the names for which the certificate of `host` is valid."""
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    if host == "localhost":
        names.append(x509.IPAddress(ip_address(LOOPBACK)))
    return x509.SubjectAlternativeName(names)


def _ca_usage() -> x509.KeyUsage:
    """Return the key usage that Python 3.13 and later require for a CA."""
    return x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_id(ca_key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    """Return the subject key identifier of the CA."""
    return x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())


def _authority_key_id(
    ca_key: ec.EllipticCurvePrivateKey,
) -> x509.AuthorityKeyIdentifier:
    """Return the authority key identifier, which refers to the CA's key."""
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as unencrypted PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
