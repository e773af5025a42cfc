"""The forms that set up an account and its folders and saved searches."""

from custom_components.imap_push.imap import Certificate, CertificateProblem

UNTRUSTED_CERTIFICATE = Certificate(
    fingerprint="aa" * 32,
    subject="imap.example.com",
    issuer="imap.example.com",
    not_after=None,
    problem=CertificateProblem.UNTRUSTED,
)
