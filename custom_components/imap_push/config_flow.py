"""Config flow of IMAP Push."""

from collections.abc import Mapping
import logging
from typing import Any, Final, override

import voluptuous as vol

from homeassistant.config_entries import (
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryData,
    OptionsFlow,
)
from homeassistant.const import (
    CONF_BASE,
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
    UnitOfTime,
)
from homeassistant.core import callback
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from .const import (
    CONF_CATCH_UP,
    CONF_FOLDER,
    CONF_NOTIFY,
    CONF_POLL_INTERVAL,
    CONF_PUSH,
    CONF_SECURITY,
    DEFAULT_FOLDER,
    DEFAULT_NOTIFY,
    DEFAULT_POLL_INTERVAL,
    DEFAULT_PORT,
    DEFAULT_PUSH,
    DOMAIN,
    MAX_POLL_INTERVAL,
    MIN_POLL_INTERVAL,
    SUBENTRY_TYPE_FOLDER,
)
from .coordinator import ImapPushConfigEntry
from .helpers import account_from_entry_data, unique_id_from_entry_data
from .imap import (
    CatchUp,
    CertificateError,
    CertificateProblem,
    CommandRefused,
    ConnectionLost,
    FolderNotFound,
    HostNotFound,
    ImapError,
    LoginDisabled,
    LoginRefused,
    NotImap,
    PortRefused,
    ProtocolError,
    Security,
    ServerSilent,
    StartTlsMissing,
    TlsError,
    TlsExpected,
    TlsNotSpoken,
    Unavailable,
    Unreachable,
    check_account,
)

_LOGGER = logging.getLogger(__name__)

USERNAME_SELECTOR = TextSelector(TextSelectorConfig(autocomplete="username"))
PASSWORD_SELECTOR = TextSelector(
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="current-password")
)

SERVER_SCHEMA: Final[dict[vol.Marker, Any]] = {
    vol.Required(CONF_HOST): TextSelector(),
    vol.Required(CONF_PORT, default=DEFAULT_PORT): vol.All(
        NumberSelector(
            NumberSelectorConfig(min=1, max=65535, mode=NumberSelectorMode.BOX)
        ),
        vol.Coerce(int),
    ),
    vol.Required(CONF_SECURITY, default=Security.TLS.value): SelectSelector(
        SelectSelectorConfig(
            options=[security.value for security in Security],
            mode=SelectSelectorMode.DROPDOWN,
            translation_key=CONF_SECURITY,
        )
    ),
    vol.Required(CONF_VERIFY_SSL, default=True): BooleanSelector(),
}
USER_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_USERNAME): USERNAME_SELECTOR,
        vol.Required(CONF_PASSWORD): PASSWORD_SELECTOR,
        **SERVER_SCHEMA,
    }
)
RECONFIGURE_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_USERNAME): USERNAME_SELECTOR,
        vol.Optional(CONF_PASSWORD): PASSWORD_SELECTOR,
        **SERVER_SCHEMA,
    }
)
REAUTH_SCHEMA = vol.Schema({vol.Required(CONF_PASSWORD): PASSWORD_SELECTOR})
OPTIONS_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_PUSH, default=DEFAULT_PUSH): BooleanSelector(),
        vol.Required(CONF_NOTIFY, default=DEFAULT_NOTIFY): BooleanSelector(),
        vol.Required(CONF_POLL_INTERVAL, default=DEFAULT_POLL_INTERVAL): vol.All(
            NumberSelector(
                NumberSelectorConfig(
                    min=MIN_POLL_INTERVAL,
                    max=MAX_POLL_INTERVAL,
                    mode=NumberSelectorMode.BOX,
                    unit_of_measurement=UnitOfTime.SECONDS,
                )
            ),
            vol.Coerce(int),
        ),
        vol.Required(CONF_CATCH_UP, default=CatchUp.ALL.value): SelectSelector(
            SelectSelectorConfig(
                options=[choice.value for choice in CatchUp],
                mode=SelectSelectorMode.DROPDOWN,
                translation_key=CONF_CATCH_UP,
            )
        ),
    }
)

# The field an error is about, and the key of its text.
FORM_ERRORS: Final[dict[type[BaseException], tuple[str, str]]] = {
    HostNotFound: (CONF_HOST, "host_not_found"),
    PortRefused: (CONF_PORT, "port_refused"),
    Unreachable: (CONF_HOST, "connect_timeout"),
    NotImap: (CONF_PORT, "not_imap"),
    TlsNotSpoken: (CONF_SECURITY, "tls_not_spoken"),
    TlsExpected: (CONF_SECURITY, "tls_expected"),
    StartTlsMissing: (CONF_SECURITY, "starttls_missing"),
    TlsError: (CONF_SECURITY, "tls_failed"),
    LoginRefused: (CONF_BASE, "login_refused"),
    LoginDisabled: (CONF_SECURITY, "login_disabled"),
    Unavailable: (CONF_BASE, "unavailable"),
    ServerSilent: (CONF_BASE, "server_silent"),
    ProtocolError: (CONF_BASE, "unexpected_answer"),
    ConnectionLost: (CONF_BASE, "connection_lost"),
    ImapError: (CONF_BASE, "cannot_connect"),
}
CERTIFICATE_ERRORS: Final[dict[CertificateProblem, tuple[str, str]]] = {
    CertificateProblem.UNTRUSTED: (CONF_VERIFY_SSL, "certificate_untrusted"),
    CertificateProblem.EXPIRED: (CONF_VERIFY_SSL, "certificate_expired"),
    CertificateProblem.WRONG_HOST: (CONF_HOST, "certificate_wrong_host"),
}


def _form_error(err: ImapError) -> tuple[str, str, dict[str, str]]:
    """Return field, key and placeholders of an error, the most specific that fit."""
    match err:
        case CertificateError(problem=problem):
            return *CERTIFICATE_ERRORS[problem], {}
        case NotImap(protocol=str(protocol)):
            return CONF_PORT, "other_protocol", {"protocol": protocol}
        case CommandRefused(text=answer):
            return CONF_BASE, "command_refused", {"answer": answer}
        case FolderNotFound():
            return CONF_BASE, "folder_not_found", {"folder": DEFAULT_FOLDER}
    field, key = next(
        FORM_ERRORS[kind] for kind in type(err).__mro__ if kind in FORM_ERRORS
    )
    return field, key, {}


def _entry_data(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was typed, without the blanks that come with pasting."""
    return {
        **user_input,
        CONF_HOST: user_input[CONF_HOST].strip(),
        CONF_USERNAME: user_input[CONF_USERNAME].strip(),
    }


class ImapPushConfigFlow(ConfigFlow, domain=DOMAIN):
    """Set up an account."""

    _placeholders: dict[str, str] | None = None

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ImapPushConfigEntry) -> OptionsFlow:
        """Return the options flow."""
        return ImapPushOptionsFlow()

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for login and server, and watch INBOX from now on."""
        errors: dict[str, str] = {}
        if user_input is not None:
            data = _entry_data(user_input)
            await self.async_set_unique_id(
                unique_id_from_entry_data(data), raise_on_progress=False
            )
            self._abort_if_unique_id_configured()
            errors = await self._validate_input(data)
            if not errors:
                return self.async_create_entry(
                    title=data[CONF_USERNAME],
                    data=data,
                    subentries=[
                        ConfigSubentryData(
                            data={CONF_FOLDER: DEFAULT_FOLDER},
                            subentry_type=SUBENTRY_TYPE_FOLDER,
                            title=DEFAULT_FOLDER,
                            unique_id=DEFAULT_FOLDER,
                        )
                    ],
                )
        return self._show_form("user", USER_SCHEMA, user_input, errors)

    async def async_step_reauth(
        self, entry_data: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Begin to renew the password after the server refused the login."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the password."""
        errors: dict[str, str] = {}
        entry = self._get_reauth_entry()
        if user_input is not None:
            data = {**entry.data, **user_input}
            errors = await self._validate_input(data)
            if not errors:
                return self._finish_update(entry, data)
        return self._show_form("reauth_confirm", REAUTH_SCHEMA, user_input, errors)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Change login and server; the password stays if none is typed.

        The stored password is never sent to the browser.
        """
        errors: dict[str, str] = {}
        entry = self._get_reconfigure_entry()
        if user_input is not None:
            data = _entry_data(user_input)
            data[CONF_PASSWORD] = data.get(CONF_PASSWORD) or entry.data[CONF_PASSWORD]
            await self.async_set_unique_id(
                unique_id_from_entry_data(data), raise_on_progress=False
            )
            if self.unique_id != entry.unique_id:
                self._abort_if_unique_id_configured()
            errors = await self._validate_input(data)
            if not errors:
                return self._finish_update(entry, data)
        known = {key: entry.data[key] for key in entry.data if key != CONF_PASSWORD}
        return self._show_form(
            "reconfigure", RECONFIGURE_SCHEMA, user_input or known, errors
        )

    async def _validate_input(self, data: Mapping[str, Any]) -> dict[str, str]:
        """Try the account for real; return what is wrong with it by field."""
        try:
            await check_account(account_from_entry_data(data), DEFAULT_FOLDER)
        except ImapError as err:
            _LOGGER.debug("The account cannot be used", exc_info=True)
            field, key, self._placeholders = _form_error(err)
            return {field: key}
        except Exception:
            _LOGGER.exception("Unexpected exception")
            return {CONF_BASE: "unknown"}
        return {}

    def _show_form(
        self,
        step_id: str,
        schema: vol.Schema,
        values: Mapping[str, Any] | None,
        errors: dict[str, str],
    ) -> ConfigFlowResult:
        """Show a form with what was typed; an error without a field of its own is on top."""
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, values),
            errors={
                field if field in schema.schema else CONF_BASE: key
                for field, key in errors.items()
            },
            description_placeholders=self._placeholders,
        )

    @callback
    def _finish_update(
        self, entry: ImapPushConfigEntry, data: dict[str, Any]
    ) -> ConfigFlowResult:
        """Update the entry and have it reloaded."""
        if data == entry.data:
            # The update listener hears only of changes, and a login that was refused
            # is tried again only after a reload.
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
        was_named_by_login = entry.title == entry.data[CONF_USERNAME]
        return self.async_update_and_abort(
            entry,
            unique_id=unique_id_from_entry_data(data),
            title=data[CONF_USERNAME] if was_named_by_login else entry.title,
            data=data,
        )


class ImapPushOptionsFlow(OptionsFlow):
    """Change how an account is watched."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the options."""
        if user_input is not None:
            return self.async_create_entry(data=user_input)
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(
                OPTIONS_SCHEMA, self.config_entry.options
            ),
        )
