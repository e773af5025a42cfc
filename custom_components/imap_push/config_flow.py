"""Config flow of IMAP Push."""

from collections.abc import Mapping
import logging
from typing import Any, Final, override

import voluptuous as vol

from homeassistant.config_entries import (
    ConfigEntry,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryData,
    ConfigSubentryFlow,
    OptionsFlow,
)
from homeassistant.const import (
    CONF_BASE,
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
)
from homeassistant.core import callback
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelectorConfig,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from .const import (
    CONF_FOLDER,
    CONF_SECURITY,
    DEFAULT_FOLDER,
    DEFAULT_PORT,
    DOMAIN,
    SUBENTRY_TYPE_FOLDER,
    SUBENTRY_TYPE_SEARCH,
)
from .coordinator import ImapPushConfigEntry
from .core_imap import (
    CORE_IMAP_SERVER,
    async_core_imap_entries,
    entry_data_from_core_imap,
    folder_from_core_imap,
)
from .folder_flow import FolderFlow
from .form_errors import account_error
from .form_fields import dropdown, whole_number
from .helpers import account_from_entry_data, unique_id_from_entry_data
from .imap import ImapError, LoginRefused, Security, check_account
from .options_flow import ImapPushOptionsFlow
from .search_flow import SearchFlow

_LOGGER = logging.getLogger(__name__)

CONF_ACCOUNT: Final = "account"

USERNAME_SELECTOR = TextSelector(TextSelectorConfig(autocomplete="username"))
PASSWORD_SELECTOR = TextSelector(
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="current-password")
)

SERVER_SCHEMA: Final[dict[vol.Marker, Any]] = {
    vol.Required(CONF_HOST): TextSelector(),
    vol.Required(CONF_PORT, default=DEFAULT_PORT): whole_number(
        NumberSelectorConfig(min=1, max=65535)
    ),
    vol.Required(CONF_SECURITY, default=Security.TLS.value): dropdown(
        CONF_SECURITY, [security.value for security in Security]
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


def take_over_schema(accounts: list[SelectOptionDict]) -> vol.Schema:
    """Return the form that asks which account of IMAP to take over."""
    return vol.Schema(
        {
            vol.Required(CONF_ACCOUNT): SelectSelector(
                SelectSelectorConfig(options=accounts, mode=SelectSelectorMode.LIST)
            )
        }
    )


def _entry_data(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was typed, without the blanks that come with pasting."""
    return {
        **user_input,
        CONF_HOST: user_input[CONF_HOST].strip(),
        CONF_USERNAME: user_input[CONF_USERNAME].strip(),
    }


def _without_password(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be sent to the browser."""
    return {key: data[key] for key in data if key != CONF_PASSWORD}


class ImapPushConfigFlow(ConfigFlow, domain=DOMAIN):
    """Set up an account."""

    _placeholders: dict[str, str] | None = None
    _core_accounts: dict[str, list[ConfigEntry]]

    def __init__(self) -> None:
        """Watch INBOX unless told otherwise."""
        self._folders = [DEFAULT_FOLDER]

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ImapPushConfigEntry) -> OptionsFlow:
        """Return the options flow."""
        return ImapPushOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: ConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Return the flows of what an account can have more than one of."""
        return {SUBENTRY_TYPE_FOLDER: FolderFlow, SUBENTRY_TYPE_SEARCH: SearchFlow}

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for login and server, unless an account of IMAP could be taken over."""
        if user_input is not None:
            return await self._set_up(_entry_data(user_input), user_input)
        self._core_accounts = self._find_core_accounts()
        if self._core_accounts:
            return self.async_show_menu(
                step_id="user", menu_options=["take_over", "set_up_anew"]
            )
        return await self.async_step_set_up_anew()

    async def async_step_set_up_anew(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for login and server."""
        return self._show_form("user", USER_SCHEMA, None, {})

    async def async_step_take_over(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask which account of IMAP is to be watched here from now on, in the same folders.

        Its password is never sent to the browser.
        """
        if user_input is not None:
            core_entries = self._core_accounts[user_input[CONF_ACCOUNT]]
            self._folders = list(
                dict.fromkeys(map(folder_from_core_imap, core_entries))
            )
            data = entry_data_from_core_imap(core_entries[0])
            return await self._set_up(data, _without_password(data))
        options = [
            SelectOptionDict(
                value=unique_id,
                label=f"{entry.data[CONF_USERNAME]} ({entry.data[CORE_IMAP_SERVER]})",
            )
            for unique_id, (entry, *_) in self._core_accounts.items()
        ]
        return self._show_form(
            "take_over",
            take_over_schema(options),
            {CONF_ACCOUNT: options[0]["value"]},
            {},
        )

    @callback
    def _find_core_accounts(self) -> dict[str, list[ConfigEntry]]:
        """Return the entries of IMAP by account, without the accounts that are here already."""
        known = {entry.unique_id for entry in self._async_current_entries()}
        accounts: dict[str, list[ConfigEntry]] = {}
        for entry in async_core_imap_entries(self.hass):
            unique_id = unique_id_from_entry_data(entry_data_from_core_imap(entry))
            if unique_id not in known:
                accounts.setdefault(unique_id, []).append(entry)
        return accounts

    async def _set_up(
        self, data: dict[str, Any], shown: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Add the account if it works; otherwise ask for what is wrong with it."""
        await self.async_set_unique_id(
            unique_id_from_entry_data(data), raise_on_progress=False
        )
        self._abort_if_unique_id_configured()
        if errors := await self._validate_input(data):
            return self._show_form("user", USER_SCHEMA, shown, errors)
        return self.async_create_entry(
            title=data[CONF_USERNAME],
            data=data,
            subentries=[
                ConfigSubentryData(
                    data={CONF_FOLDER: folder},
                    subentry_type=SUBENTRY_TYPE_FOLDER,
                    title=folder,
                    unique_id=folder,
                )
                for folder in self._folders
            ],
        )

    async def async_step_reauth(
        self, entry_data: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Begin to renew the password after the server refused the login."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the password, and say in the server's words why."""
        entry = self._get_reauth_entry()
        if user_input is None:
            errors = self._tell_refusal(entry)
        else:
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
        return self._show_form(
            "reconfigure",
            RECONFIGURE_SCHEMA,
            user_input or _without_password(entry.data),
            errors,
        )

    async def _validate_input(self, data: Mapping[str, Any]) -> dict[str, str]:
        """Try the account for real; return what is wrong with it by field."""
        try:
            await check_account(account_from_entry_data(data), DEFAULT_FOLDER)
        except ImapError as err:
            _LOGGER.debug("The account cannot be used (%s)", type(err).__name__)
            return self._tell(err)
        except Exception:
            _LOGGER.exception("Unexpected exception")
            return {CONF_BASE: "unknown"}
        return {}

    def _tell_refusal(self, entry: ImapPushConfigEntry) -> dict[str, str]:
        """Return why the login was refused, as far as it is known."""
        if entry.state is not ConfigEntryState.LOADED:
            return {}
        error = entry.runtime_data.data.error
        return self._tell(error) if isinstance(error, LoginRefused) else {}

    def _tell(self, err: ImapError) -> dict[str, str]:
        """Return what is wrong by field."""
        field, key, self._placeholders = account_error(err, DEFAULT_FOLDER)
        return {field: key}

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
