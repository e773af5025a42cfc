"""Every error of the engine has a translation key."""

import pytest

from custom_components.imap_push import imap
from custom_components.imap_push.imap import (
    AppPasswordNeeded,
    CertificateError,
    CertificateProblem,
    ConnectTimeout,
    ImapError,
    LoginRefused,
    MailNotFound,
    NotImap,
)
from custom_components.imap_push.mail.errors import error_key


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (AppPasswordNeeded("no"), "app_password_needed"),
        (CertificateError(CertificateProblem.EXPIRED, "no"), "certificate_refused"),
        (ConnectTimeout("no"), "connect_timeout"),
        (ImapError("no"), "cannot_connect"),
        (LoginRefused("no"), "login_refused"),
        (MailNotFound("no"), "cannot_connect"),
        (NotImap("POP3"), "not_imap"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_most_specific_key(error: ImapError, key: str) -> None:
    """An error without a key has the key of its nearest base class."""
    assert error_key(error) == key


def test_every_error_has_a_key() -> None:
    """For all errors that the engine exports."""
    errors = [
        value
        for value in vars(imap).values()
        if isinstance(value, type) and issubclass(value, ImapError)
    ]
    assert all(error_key(error.__new__(error)) for error in errors)
