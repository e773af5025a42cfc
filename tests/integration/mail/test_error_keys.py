"""Every error has a key under which it is told."""

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
    ids=lambda it: it if isinstance(it, str) else type(it).__name__,
)
def test_the_most_specific_key_is_taken(error: ImapError, key: str) -> None:
    """An error without a key of its own has that of its nearest base."""
    assert error_key(error) == key


def test_every_error_has_a_key() -> None:
    """All that the engine may raise."""
    errors = [
        it
        for it in vars(imap).values()
        if isinstance(it, type) and issubclass(it, ImapError)
    ]
    assert all(error_key(error.__new__(error)) for error in errors)
