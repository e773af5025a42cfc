"""Steps that log in to an account and let the user decide about certificates and encryption."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from itertools import batched
import logging
from typing import Any, Final

import voluptuous as vol

from homeassistant.config_entries import ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_BASE, CONF_HOST, CONF_VERIFY_SSL
from homeassistant.core import callback

from ..const import CONF_CA, CONF_FINGERPRINT, CONF_SECURITY, DEFAULT_FOLDER
from ..helpers import extract_certificates, ssl_context_for_ca
from ..imap import (
    Account,
    Certificate,
    CertificateError,
    CertificateProblem,
    ImapError,
    Security,
    check_account,
    fetch_certificate,
)
from ..server_text import NOTHING, escape_markdown
from .account_forms import CA_SCHEMA, without_trust
from .form_errors import account_error
from .form_fields import UserInput

_LOGGER = logging.getLogger(__name__)

FINGERPRINT_GROUP: Final = 4  # digits

type Errors = dict[str, str]  # translation key by field
type ShowForm = Callable[[Errors], ConfigFlowResult]


def certificate_placeholders(certificate: Certificate, host: str) -> dict[str, str]:
    """Return the translation placeholders that describe a certificate."""
    # Groups of digits are easy to compare, and allow line breaks.
    digits = batched(certificate.fingerprint.upper(), FINGERPRINT_GROUP, strict=False)
    return {
        "fingerprint": " ".join(map("".join, digits)),
        "host": host,
        "issuer": escape_markdown(certificate.issuer) or NOTHING,
        "not_after": (
            certificate.not_after.date().isoformat()
            if certificate.not_after
            else NOTHING
        ),
        "subject": escape_markdown(certificate.subject) or NOTHING,
    }


class AccountSteps(ConfigFlow):
    """Logs in to an account. The user must confirm an unknown certificate or no encryption."""

    _placeholders: dict[str, str] | None = None
    _unencrypted_host: str | None = None
    _candidate: dict[str, Any]
    _certificate: Certificate
    _error: ImapError | None = None
    _form_errors: Errors
    _show_again: ShowForm

    @abstractmethod
    async def async_save_account(
        self, data: dict[str, Any], capabilities: frozenset[str]
    ) -> ConfigFlowResult:
        """Create or update the entry after a successful login."""

    @abstractmethod
    def account_to_try(self, data: dict[str, Any]) -> Account:
        """Return the account to log in to for entry data."""

    async def async_try_account(
        self, data: dict[str, Any], show_again: ShowForm
    ) -> ConfigFlowResult:
        """Log in and save the account. After an error, call `show_again` or show a menu."""
        self._candidate, self._show_again = data, show_again
        host = data[CONF_HOST]
        if data[CONF_SECURITY] == Security.NONE and host != self._unencrypted_host:
            return await self.async_step_not_encrypted()
        account = self.account_to_try(data)
        try:
            capabilities = await check_account(account, DEFAULT_FOLDER)
        except CertificateError as err:
            return await self._handle_certificate_error(account, err)
        except ImapError as err:
            return show_again(self._record_error(err, host))
        except Exception:
            _LOGGER.exception("Unexpected exception")
            return show_again({CONF_BASE: "unknown"})
        return await self.async_save_account(data, capabilities)

    async def _handle_certificate_error(
        self, account: Account, err: CertificateError
    ) -> ConfigFlowResult:
        """Show a menu for an untrusted or changed certificate; show all other errors."""
        self._form_errors = self._record_error(err, account.host)
        if err.problem not in (
            CertificateProblem.UNTRUSTED,
            CertificateProblem.CHANGED,
        ):
            return self._show_again(self._form_errors)
        try:
            self._certificate = await fetch_certificate(account)
        except ImapError:
            return self._show_again(self._form_errors)
        if err.problem is CertificateProblem.CHANGED:
            return await self.async_step_certificate_changed()
        return await self.async_step_certificate()

    async def async_step_certificate(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Let the user decide about a certificate that no known authority signed."""
        return self._show_certificate("certificate", "trust", "own_ca", "go_back")

    async def async_step_certificate_changed(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Let the user decide about a certificate that differs from the trusted one."""
        return self._show_certificate("certificate_changed", "trust", "go_back")

    def _show_certificate(self, step_id: str, *options: str) -> ConfigFlowResult:
        return self.async_show_menu(
            step_id=step_id,
            menu_options=list(options),
            description_placeholders=certificate_placeholders(
                self._certificate, self._candidate[CONF_HOST]
            ),
        )

    async def async_step_trust(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Trust only the certificate that was shown."""
        return await self._retry(**{CONF_FINGERPRINT: self._certificate.fingerprint})

    async def async_step_own_ca(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Ask for the CA certificate that signed the server certificate."""
        if user_input is None:
            return self._show_form("own_ca", CA_SCHEMA, None, {})
        try:
            pem = extract_certificates(user_input[CONF_CA])
            ssl_context_for_ca(pem)
        except ValueError:
            return self._show_form(
                "own_ca", CA_SCHEMA, user_input, {CONF_CA: "ca_invalid"}
            )
        return await self._retry(**{CONF_CA: pem})

    async def _retry(self, **trust: str) -> ConfigFlowResult:
        """Log in again with another trust setting: CA or fingerprint."""
        data = without_trust(self._candidate) | {CONF_VERIFY_SSL: True} | trust
        return await self.async_try_account(data, self._show_again)

    async def async_step_not_encrypted(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Let the user confirm a connection without encryption."""
        self._form_errors = {CONF_SECURITY: "encryption_missing"}
        return self.async_show_menu(
            step_id="not_encrypted",
            menu_options=["go_back", "allow_not_encrypted"],
            description_placeholders={"host": self._candidate[CONF_HOST]},
        )

    async def async_step_allow_not_encrypted(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Log in without encryption; do not ask again for this host."""
        self._unencrypted_host = self._candidate[CONF_HOST]
        return await self.async_try_account(self._candidate, self._show_again)

    async def async_step_go_back(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Show the form again."""
        return self._show_again(self._form_errors)

    def _record_error(self, err: ImapError, host: str) -> Errors:
        """Store an error and its placeholders; return the form errors."""
        _LOGGER.debug("The account cannot be used (%s)", type(err).__name__)
        self._error = err
        field, key, self._placeholders = account_error(err, DEFAULT_FOLDER, host)
        return {field: key}

    @callback
    def _show_form(
        self,
        step_id: str,
        schema: vol.Schema,
        values: Mapping[str, Any] | None,
        errors: Errors,
        **placeholders: str,
    ) -> ConfigFlowResult:
        """Show a form. An error of a field that is not in the form is shown above all fields."""
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, values),
            errors={
                field if field in schema.schema else CONF_BASE: key
                for field, key in errors.items()
            },
            description_placeholders={**placeholders, **(self._placeholders or {})},
        )
