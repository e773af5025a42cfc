"""What can be done about an issue."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import voluptuous as vol

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import (
    ConfigEntry,
    ConfigEntryDisabler,
    ConfigSubentry,
)
from homeassistant.const import CONF_BASE, CONF_PASSWORD, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.selector import (
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from .const import CONF_FINGERPRINT, CONF_FOLDER, DEFAULT_FOLDER, SUBENTRY_TYPE_FOLDER
from .flows.account_forms import account_part
from .flows.account_steps import certificate_placeholders
from .helpers import account_from_entry_data
from .imap import (
    CannotConnect,
    CertificateError,
    CertificateProblem,
    ImapError,
    LoginRefused,
    check_account,
    fetch_certificate,
)
from .issues import (
    ISSUE_APP_PASSWORD,
    ISSUE_CERTIFICATE,
    ISSUE_CORE_IMAP_TOO,
    ISSUE_FOLDER_MISSING,
    ISSUE_NOTHING_WATCHED,
    core_imap_doubles,
)
from .oauth.tokens import account_of
from .server_text import as_text

type UserInput = dict[str, Any] | None

APP_PASSWORD_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_PASSWORD): TextSelector(
            TextSelectorConfig(
                type=TextSelectorType.PASSWORD, autocomplete="current-password"
            )
        )
    }
)


class AccountRepairFlow(RepairsFlow):
    """Repairs something of an account."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Keep what the issue says."""
        self.issue_data = data
        self.placeholders: dict[str, str] = {
            key: value for key, value in data.items() if isinstance(value, str)
        }

    @property
    def entry(self) -> ConfigEntry:
        """Return the account's entry; the flow is over if there is none any more."""
        entry = self.hass.config_entries.async_get_entry(self.issue_data["entry_id"])
        if entry is None:
            raise AbortFlow("account_removed")
        return entry

    @callback
    def update_entry(self, data: Mapping[str, Any]) -> RepairsFlowResult:
        """Update the entry's data, have it reloaded, and be done."""
        entry = self.entry
        if not self.hass.config_entries.async_update_entry(entry, data=data):
            # The update listener hears only of changes.
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
        return self.async_create_entry(data={})

    @callback
    def show_menu(self, step_id: str, *options: str) -> RepairsFlowResult:
        """Let the user choose."""
        return self.async_show_menu(
            step_id=step_id,
            menu_options=list(options),
            description_placeholders=self.placeholders,
        )

    @callback
    def show_form(
        self,
        step_id: str,
        schema: vol.Schema | None = None,
        error: str | None = None,
    ) -> RepairsFlowResult:
        """Ask the user; without a schema only to confirm."""
        return self.async_show_form(
            step_id=step_id,
            data_schema=schema or vol.Schema({}),
            errors={CONF_BASE: error} if error else {},
            description_placeholders=self.placeholders,
        )

    @callback
    def ignore(self) -> RepairsFlowResult:
        """Let things be as they are."""
        ir.async_get(self.hass).async_ignore(self.handler, self.issue_id, True)
        return self.async_abort(
            reason="issue_ignored", description_placeholders=self.placeholders
        )


class AppPasswordFlow(AccountRepairFlow):
    """Asks for the password that the provider wants."""

    async def async_step_init(self, _user_input: UserInput = None) -> RepairsFlowResult:
        """Begin."""
        return await self.async_step_password()

    async def async_step_password(
        self, user_input: UserInput = None
    ) -> RepairsFlowResult:
        """Ask for the app password, and try it for real."""
        if user_input is None:
            return self.show_form("password", APP_PASSWORD_SCHEMA)
        data = account_part(self.entry.data) | user_input
        account = account_from_entry_data(data)
        try:
            await check_account(account, DEFAULT_FOLDER)
        except LoginRefused as err:
            self.placeholders["answer"] = as_text(str(err))
            return self.show_form("password", APP_PASSWORD_SCHEMA, "login_refused")
        except ImapError:
            return self.show_form("password", APP_PASSWORD_SCHEMA, "cannot_connect")
        return self.update_entry(data)


_CERTIFICATE_OPTIONS: Final = {
    CertificateProblem.CHANGED: ("retry", "trust"),
    CertificateProblem.EXPIRED: ("retry", "do_not_verify"),
    CertificateProblem.UNTRUSTED: ("retry", "trust", "do_not_verify"),
    CertificateProblem.WRONG_HOST: ("retry", "do_not_verify"),
}


class CertificateFlow(AccountRepairFlow):
    """Tells what is wrong with the certificate; the step is named for the problem."""

    _fingerprint: str

    async def async_step_init(self, _user_input: UserInput = None) -> RepairsFlowResult:
        """Offer to try again, or to trust the server for what it is."""
        problem = CertificateProblem(self.placeholders["problem"])
        return self.show_menu(problem, *_CERTIFICATE_OPTIONS[problem])

    async_step_changed = async_step_init
    async_step_expired = async_step_init
    async_step_untrusted = async_step_init
    async_step_wrong_host = async_step_init

    async def async_step_retry(
        self, _user_input: UserInput = None
    ) -> RepairsFlowResult:
        """Look at the certificate again."""
        try:
            await check_account(account_of(self.hass, self.entry))
        except CertificateError:
            return self.async_abort(reason="still_refused")
        except CannotConnect:
            return self.async_abort(reason="cannot_connect")
        except ImapError:
            pass  # Whatever is wrong now, the certificate is not.
        return self.update_entry(self.entry.data)

    async def async_step_trust(self, user_input: UserInput = None) -> RepairsFlowResult:
        """Trust exactly the certificate that the server shows, once the user has seen it."""
        if user_input is not None:
            trust = {CONF_FINGERPRINT: self._fingerprint, CONF_VERIFY_SSL: True}
            return self.update_entry(self.entry.data | trust)
        account = account_from_entry_data(self.entry.data)
        try:
            certificate = await fetch_certificate(account)
        except ImapError:
            return self.async_abort(reason="cannot_connect")
        self._fingerprint = certificate.fingerprint
        self.placeholders |= certificate_placeholders(certificate, account.host)
        return self.show_form("trust")

    async def async_step_do_not_verify(
        self, user_input: UserInput = None
    ) -> RepairsFlowResult:
        """Do without the check once the user has read what that means."""
        if user_input is None:
            return self.show_form("do_not_verify")
        return self.update_entry(self.entry.data | {CONF_VERIFY_SSL: False})


class FolderMissingFlow(AccountRepairFlow):
    """Offers to watch a folder no more that is gone."""

    async def async_step_init(self, _user_input: UserInput = None) -> RepairsFlowResult:
        """Offer to stop watching, or to wait."""
        return self.show_menu("init", "remove", "wait")

    async def async_step_remove(
        self, _user_input: UserInput = None
    ) -> RepairsFlowResult:
        """Watch the folder no more."""
        subentry_id = self.issue_data["subentry_id"]
        if subentry_id in self.entry.subentries:
            self.hass.config_entries.async_remove_subentry(self.entry, subentry_id)
        return self.async_create_entry(data={})

    async def async_step_wait(self, _user_input: UserInput = None) -> RepairsFlowResult:
        """Go on looking for it."""
        return self.ignore()


class CoreImapTooFlow(AccountRepairFlow):
    """Offers to switch core IMAP off for an account that both watch."""

    async def async_step_init(self, _user_input: UserInput = None) -> RepairsFlowResult:
        """Offer to disable core IMAP's entries, or to keep both."""
        return self.show_menu("init", "disable", "keep_both")

    async def async_step_disable(
        self, _user_input: UserInput = None
    ) -> RepairsFlowResult:
        """Disable what core IMAP has for this account."""
        for core_entry in core_imap_doubles(self.hass, self.entry):
            await self.hass.config_entries.async_set_disabled_by(
                core_entry.entry_id, ConfigEntryDisabler.USER
            )
        return self.async_create_entry(data={})

    async def async_step_keep_both(
        self, _user_input: UserInput = None
    ) -> RepairsFlowResult:
        """Let both watch the account."""
        return self.ignore()


class NothingWatchedFlow(AccountRepairFlow):
    """Offers to watch INBOX again."""

    async def async_step_init(self, _user_input: UserInput = None) -> RepairsFlowResult:
        """Begin."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: UserInput = None
    ) -> RepairsFlowResult:
        """Watch INBOX, unless a folder is watched by now."""
        if user_input is None:
            return self.show_form("confirm")
        if not self.entry.get_subentries_of_type(SUBENTRY_TYPE_FOLDER):
            self.hass.config_entries.async_add_subentry(
                self.entry,
                ConfigSubentry(
                    data=MappingProxyType({CONF_FOLDER: DEFAULT_FOLDER}),
                    subentry_type=SUBENTRY_TYPE_FOLDER,
                    title=DEFAULT_FOLDER,
                    unique_id=DEFAULT_FOLDER,
                ),
            )
        return self.async_create_entry(data={})


_FLOWS: Final[dict[str, type[AccountRepairFlow]]] = {
    ISSUE_APP_PASSWORD: AppPasswordFlow,
    ISSUE_CERTIFICATE: CertificateFlow,
    ISSUE_CORE_IMAP_TOO: CoreImapTooFlow,
    ISSUE_FOLDER_MISSING: FolderMissingFlow,
    ISSUE_NOTHING_WATCHED: NothingWatchedFlow,
}


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None]
) -> RepairsFlow:
    """Return the flow that fixes an issue."""
    return _FLOWS[str(data["key"])](data)
