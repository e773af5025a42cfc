"""Config flow of IMAP Push."""

from collections.abc import Mapping
from typing import Any, override

import voluptuous as vol

from homeassistant.config_entries import (
    ConfigEntry,
    ConfigEntryState,
    ConfigFlowResult,
    ConfigSubentryData,
    ConfigSubentryFlow,
    OptionsFlow,
)
from homeassistant.const import (
    CONF_ADDRESS,
    CONF_AUTHENTICATION,
    CONF_HOST,
    CONF_PASSWORD,
    CONF_TOKEN,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
)
from homeassistant.core import callback
from homeassistant.helpers.selector import SelectOptionDict

from .account.core_imap import (
    CORE_IMAP_SERVER,
    async_core_imap_entries,
    entry_data_from_core_imap,
    folder_from_core_imap,
)
from .const import (
    BLUEPRINTS_URL,
    CONF_FOLDER,
    CONF_MAILBOX,
    CONF_SECURITY,
    DEFAULT_FOLDER,
    DEFAULT_POLL_INTERVAL,
    DOCS_URL,
    DOMAIN,
    SUBENTRY_TYPE_FOLDER,
    SUBENTRY_TYPE_SEARCH,
)
from .coordinator import ImapPushConfigEntry
from .flows.account_forms import (
    CONF_ACCOUNT,
    REAUTH_SCHEMA,
    TRUST_KEYS,
    account_settings,
    entry_data_from_form,
    form_from_entry_data,
    password_from,
    take_over_schema,
    without_trust,
)
from .flows.account_steps import Errors
from .flows.folder_flow import FolderFlow
from .flows.form_fields import UserInput
from .flows.oauth_flow import LAST_LOGIN
from .flows.options_flow import ImapPushOptionsFlow
from .flows.search_flow import SearchFlow
from .flows.setup_steps import SetupSteps
from .flows.subentry_flow import async_folder_title
from .helpers import local_part, mailbox_of, unique_id_from_entry_data
from .imap import (
    Auth,
    LoginRefused,
    OAuthNeeded,
    Security,
    WatchOptions,
    announces_mail,
    quirks_of,
)
from .oauth.tokens import is_same_sign_in
from .server_text import without_links


class ImapPushConfigFlow(SetupSteps, domain=DOMAIN):
    """Set up, reauthenticate and reconfigure an account."""

    # 1.2: the unique ID contains a non-standard port.
    MINOR_VERSION = 2

    _core_accounts: dict[str, list[ConfigEntry]]

    def __init__(self) -> None:
        """Watch only INBOX by default."""
        super().__init__()
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
        """Return the flows for folders and saved searches."""
        return {SUBENTRY_TYPE_FOLDER: FolderFlow, SUBENTRY_TYPE_SEARCH: SearchFlow}

    @override
    async def async_step_user(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Ask for the mail address; first offer accounts of core IMAP, if there are any."""
        if user_input is not None:
            return await self._submit_address(user_input)
        self._core_accounts = self._find_core_accounts()
        if self._core_accounts:
            return self.async_show_menu(
                step_id="user", menu_options=["take_over", "set_up_again", "server"]
            )
        return await self.async_step_set_up_again()

    async def async_step_set_up_again(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Ask for the mail address."""
        login = self.hass.data.pop(LAST_LOGIN, None)
        return self._show_address({CONF_ADDRESS: login} if login else None, {})

    async def async_step_take_over(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Ask which account of core IMAP to copy, then copy its folders and login.

        The password is not sent to the browser.
        """
        if user_input is not None:
            core_entries = self._core_accounts[user_input[CONF_ACCOUNT]]
            self._folders = list(
                dict.fromkeys(map(folder_from_core_imap, core_entries))
            )
            data = entry_data_from_core_imap(core_entries[0])
            await self._abort_if_configured(data)
            return await self.async_try_account(
                data,
                lambda errors: self._show_server(form_from_entry_data(data), errors),
            )
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
        """Return core IMAP entries by our unique ID, without accounts that we already have."""
        known = {entry.unique_id for entry in self._async_current_entries()}
        accounts: dict[str, list[ConfigEntry]] = {}
        for entry in async_core_imap_entries(self.hass):
            unique_id = unique_id_from_entry_data(entry_data_from_core_imap(entry))
            if unique_id not in known:
                accounts.setdefault(unique_id, []).append(entry)
        return accounts

    async def async_step_reauth(
        self, entry_data: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Start reauthentication after the server or the OAuth provider refused the login."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Ask for the password and show why the server refused the login.

        With OAuth, the form has no fields: it only ensures that a browser is open, which the
        redirect to the provider requires.
        """
        entry = self._get_reauth_entry()
        uses_oauth = CONF_PASSWORD not in entry.data
        schema = vol.Schema({}) if uses_oauth else REAUTH_SCHEMA
        is_loaded = entry.state is ConfigEntryState.LOADED
        login_error = entry.runtime_data.data.error if is_loaded else None
        auth_method = (
            Auth.OAUTH2 if isinstance(login_error, OAuthNeeded) else Auth.PASSWORD
        )

        def show(errors: Errors) -> ConfigFlowResult:
            values = user_input or {CONF_AUTHENTICATION: auth_method}
            name = without_links(entry.title)
            return self._show_form("reauth_confirm", schema, values, errors, name=name)

        if user_input is None:
            if not isinstance(login_error, LoginRefused):
                return show({})
            return show(self._record_error(login_error, entry.data[CONF_HOST]))
        self._remember_unencrypted_host(entry)
        self._account_data = account_settings(entry.data)
        if uses_oauth:
            return await self.async_step_sign_in()
        data = self._account_data | password_from(user_input)
        return await self.async_sign_in(data, user_input[CONF_AUTHENTICATION], show)

    async def async_step_reconfigure(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Change username, server and authentication method.

        The stored password is not sent to the browser.
        """
        entry = self._get_reconfigure_entry()
        self._server_step = "reconfigure"
        if user_input is None:
            return self._show_server(form_from_entry_data(entry.data), {})
        data = _updated_data(entry.data, user_input)
        self._remember_unencrypted_host(entry)
        await self.async_set_unique_id(
            unique_id_from_entry_data(data), raise_on_progress=False
        )
        if self.unique_id != entry.unique_id:
            self._abort_if_unique_id_configured()
        return await self.async_sign_in(
            data,
            user_input[CONF_AUTHENTICATION],
            lambda errors: self._show_server(user_input, errors),
        )

    def _remember_unencrypted_host(self, entry: ConfigEntry) -> None:
        """If the entry uses no encryption, do not ask the user again to confirm that."""
        if entry.data[CONF_SECURITY] == Security.NONE:
            self._unencrypted_host = entry.data[CONF_HOST]

    @override
    async def async_save_account(
        self, data: dict[str, Any], capabilities: frozenset[str]
    ) -> ConfigFlowResult:
        """Create the entry, or update the existing one."""
        if (entry := self.entry_to_update()) is not None:
            return self._update_entry(entry, data)
        # Without this, Home Assistant would replace an entry that was added in the meantime.
        self._abort_if_unique_id_configured()
        has_push = announces_mail(
            WatchOptions(), quirks_of(data[CONF_HOST]), capabilities
        )
        return self.async_create_entry(
            title=self.account_title(mailbox_of(data)),
            data=data,
            description="push" if has_push else "poll",
            description_placeholders={
                "automations": f"{DOCS_URL}/triggers.md",
                "blueprints": BLUEPRINTS_URL,
                "seconds": str(DEFAULT_POLL_INTERVAL),
            },
            subentries=[
                ConfigSubentryData(
                    data={CONF_FOLDER: folder},
                    subentry_type=SUBENTRY_TYPE_FOLDER,
                    title=await async_folder_title(self.hass, folder),
                    unique_id=folder,
                )
                for folder in self._folders
            ],
        )

    @callback
    def _update_entry(
        self, entry: ImapPushConfigEntry, data: dict[str, Any]
    ) -> ConfigFlowResult:
        """Update and reload the entry; if the sign-in is the same, keep the entry's newer token."""
        if is_same_sign_in(entry.data, data):
            data = data | {CONF_TOKEN: entry.data[CONF_TOKEN]}
        if data == entry.data:
            # Without a change the update listener is not called, but only a reload retries
            # a refused login.
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
        old, new = mailbox_of(entry.data), mailbox_of(data)
        titles = {old: new, local_part(old): local_part(new)}
        return self.async_update_and_abort(
            entry,
            unique_id=unique_id_from_entry_data(data),
            title=titles.get(entry.title, entry.title),
            data=data,
        )


def _updated_data(
    old: Mapping[str, Any], user_input: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the data of an entry, updated from the form.

    Keep CA and fingerprint only for the same host with verification on. Keep the password
    only for the same host, the token only for the same host and username.
    """
    data = entry_data_from_form(user_input)
    same_host = old[CONF_HOST] == data[CONF_HOST]
    if same_host and data[CONF_VERIFY_SSL]:
        data |= {key: old[key] for key in TRUST_KEYS if key in old}
    same_login = same_host and old[CONF_USERNAME] == data[CONF_USERNAME]
    if user_input[CONF_AUTHENTICATION] == Auth.PASSWORD:
        return (password_from(old) if same_host else {}) | data
    if same_login and CONF_TOKEN in old:
        kept = {key: old[key] for key in old if key != CONF_MAILBOX}
        return without_trust(kept) | data
    return data
