"""Trying an account, with the steps that its encryption may ask for."""

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
from ..helpers import account_from_entry_data, certificates_in, context_of_ca
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
from ..server_text import as_text
from .account_forms import CA_SCHEMA, without_trust
from .form_errors import NOTHING, account_error

_LOGGER = logging.getLogger(__name__)

DIGITS_IN_GROUP: Final = 4

type Errors = dict[str, str]
type UserInput = dict[str, Any] | None


def certificate_placeholders(certificate: Certificate, host: str) -> dict[str, str]:
    """Return what somebody has to know who decides about a certificate."""
    return {
        "fingerprint": _in_groups(certificate.fingerprint.upper()),
        "host": host,
        "issuer": as_text(certificate.issuer) or NOTHING,
        "not_after": (
            certificate.not_after.date().isoformat()
            if certificate.not_after
            else NOTHING
        ),
        "subject": as_text(certificate.subject) or NOTHING,
    }


def _in_groups(digits: str) -> str:
    """Return what can be compared by eye, and has places for a new line to begin."""
    return " ".join(map("".join, batched(digits, DIGITS_IN_GROUP, strict=False)))


class AccountSteps(ConfigFlow):
    """Tries an account for real, and asks before anything goes a way that is not safe."""

    _placeholders: dict[str, str] | None = None
    _unencrypted_host: str | None = None
    _candidate: dict[str, Any]
    _certificate: Certificate
    _error: ImapError | None = None
    _refusal: Errors
    _show_again: Callable[[Errors], ConfigFlowResult]

    @abstractmethod
    async def async_account_works(
        self, data: dict[str, Any], capabilities: frozenset[str]
    ) -> ConfigFlowResult:
        """Keep an account that works."""

    async def async_account(self, data: dict[str, Any]) -> Account:
        """Return the account to try."""
        return account_from_entry_data(data)

    async def async_try_account(
        self, data: dict[str, Any], show_again: Callable[[Errors], ConfigFlowResult]
    ) -> ConfigFlowResult:
        """Keep the account if it works; otherwise show the form again, or ask what to do."""
        self._candidate, self._show_again = data, show_again
        host = data[CONF_HOST]
        if data[CONF_SECURITY] == Security.NONE and host != self._unencrypted_host:
            return await self.async_step_not_encrypted()
        account = await self.async_account(data)
        try:
            capabilities = await check_account(account, DEFAULT_FOLDER)
        except CertificateError as err:
            return await self._refuse_certificate(account, err)
        except ImapError as err:
            return show_again(self._tell(err, host))
        except Exception:
            _LOGGER.exception("Unexpected exception")
            return show_again({CONF_BASE: "unknown"})
        return await self.async_account_works(data, capabilities)

    async def _refuse_certificate(
        self, account: Account, err: CertificateError
    ) -> ConfigFlowResult:
        """Ask what to do where the user may know better; otherwise tell what is wrong."""
        self._refusal = self._tell(err, account.host)
        if err.problem not in (
            CertificateProblem.UNTRUSTED,
            CertificateProblem.CHANGED,
        ):
            return self._show_again(self._refusal)
        try:
            self._certificate = await fetch_certificate(account)
        except ImapError:
            return self._show_again(self._refusal)
        if err.problem is CertificateProblem.CHANGED:
            return await self.async_step_certificate_changed()
        return await self.async_step_certificate()

    async def async_step_certificate(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Let the user decide about a certificate that nobody known has signed."""
        return self._show_certificate("certificate", "trust", "own_ca", "go_back")

    async def async_step_certificate_changed(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Let the user decide about another certificate than the trusted one."""
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
        """Trust exactly the certificate that was shown."""
        return await self._retry(**{CONF_FINGERPRINT: self._certificate.fingerprint})

    async def async_step_own_ca(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Ask for the certificate of the authority that signed the server's."""
        if user_input is None:
            return self._show_form("own_ca", CA_SCHEMA, None, {})
        try:
            pem = certificates_in(user_input[CONF_CA])
            context_of_ca(pem)
        except ValueError:
            return self._show_form(
                "own_ca", CA_SCHEMA, user_input, {CONF_CA: "ca_invalid"}
            )
        return await self._retry(**{CONF_CA: pem})

    async def _retry(self, **trust: str) -> ConfigFlowResult:
        """Try the account again, and trust this."""
        data = without_trust(self._candidate) | {CONF_VERIFY_SSL: True} | trust
        return await self.async_try_account(data, self._show_again)

    async def async_step_not_encrypted(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Let the user confirm that everybody on the way may read along."""
        self._refusal = {CONF_SECURITY: "encryption_missing"}
        return self.async_show_menu(
            step_id="not_encrypted",
            menu_options=["go_back", "allow_not_encrypted"],
            description_placeholders={"host": self._candidate[CONF_HOST]},
        )

    async def async_step_allow_not_encrypted(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Go on without encryption at this host."""
        self._unencrypted_host = self._candidate[CONF_HOST]
        return await self.async_try_account(self._candidate, self._show_again)

    async def async_step_go_back(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Show the form again."""
        return self._show_again(self._refusal)

    def _tell(self, err: ImapError, host: str) -> Errors:
        """Return what is wrong by field."""
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
        """Show a form with what was typed; an error without a field of its own is on top."""
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, values),
            errors={
                field if field in schema.schema else CONF_BASE: key
                for field, key in errors.items()
            },
            description_placeholders={**placeholders, **(self._placeholders or {})},
        )
