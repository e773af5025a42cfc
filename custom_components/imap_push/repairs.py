"""Fix flows of the repair issues."""

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

from . import imap
from .const import CONF_FINGERPRINT, CONF_FOLDER, DEFAULT_FOLDER, SUBENTRY_TYPE_FOLDER
from .flows.account_forms import PASSWORD_SELECTOR, account_settings
from .flows.account_steps import certificate_placeholders
from .flows.form_fields import UserInput
from .helpers import account_from_entry_data
from .issues import (
    ISSUE_APP_PASSWORD,
    ISSUE_CERTIFICATE,
    ISSUE_CORE_IMAP_TOO,
    ISSUE_FOLDER_MISSING,
    ISSUE_NOTHING_WATCHED,
    core_imap_duplicates,
)
from .oauth.tokens import account_from_entry
from .server_text import escape_markdown

APP_PASSWORD_SCHEMA = vol.Schema({vol.Required(CONF_PASSWORD): PASSWORD_SELECTOR})


class AccountRepairFlow(RepairsFlow):
    """Base class of the fix flows, each for an issue of one account."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Store the issue data; its string values are the placeholders."""
        self.issue_data = data
        self.placeholders: dict[str, str] = {
            key: value for key, value in data.items() if isinstance(value, str)
        }

    @property
    def entry(self) -> ConfigEntry:
        """Return the config entry. Aborts the flow if the entry was removed."""
        entry = self.hass.config_entries.async_get_entry(self.issue_data["entry_id"])
        if entry is None:
            raise AbortFlow("account_removed")
        return entry

    @callback
    def update_entry(self, data: Mapping[str, Any]) -> RepairsFlowResult:
        """Update and reload the entry, and finish the flow."""
        entry = self.entry
        if not self.hass.config_entries.async_update_entry(entry, data=data):
            # Without a change, the update listener is not called.
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
        return self.async_create_entry(data={})

    @callback
    def show_menu(self, step_id: str, *options: str) -> RepairsFlowResult:
        """Show a menu."""
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
        """Show a form; without a schema, it has only a button."""
        return self.async_show_form(
            step_id=step_id,
            data_schema=schema or vol.Schema({}),
            errors={CONF_BASE: error} if error else {},
            description_placeholders=self.placeholders,
        )

    @callback
    def ignore(self) -> RepairsFlowResult:
        """Mark the issue as ignored, and finish the flow."""
        ir.async_get(self.hass).async_ignore(self.handler, self.issue_id, True)
        return self.async_abort(
            reason="issue_ignored", description_placeholders=self.placeholders
        )


class AppPasswordFlow(AccountRepairFlow):
    """Asks for an app password."""

    async def async_step_init(self, _user_input: UserInput = None) -> RepairsFlowResult:
        """Start with the form."""
        return await self.async_step_password()

    async def async_step_password(
        self, user_input: UserInput = None
    ) -> RepairsFlowResult:
        """Ask for the app password and log in with it."""
        if user_input is None:
            return self.show_form("password", APP_PASSWORD_SCHEMA)
        data = account_settings(self.entry.data) | user_input
        account = account_from_entry_data(data)
        try:
            await imap.check_account(account, DEFAULT_FOLDER)
        except imap.LoginRefused as err:
            self.placeholders["answer"] = escape_markdown(str(err))
            return self.show_form("password", APP_PASSWORD_SCHEMA, "login_refused")
        except imap.ImapError:
            return self.show_form("password", APP_PASSWORD_SCHEMA, "cannot_connect")
        return self.update_entry(data)


_CERTIFICATE_OPTIONS: Final = {
    imap.CertificateProblem.CHANGED: ("retry", "trust"),
    imap.CertificateProblem.EXPIRED: ("retry", "do_not_verify"),
    imap.CertificateProblem.UNTRUSTED: ("retry", "trust", "do_not_verify"),
    imap.CertificateProblem.WRONG_HOST: ("retry", "do_not_verify"),
}


class CertificateFlow(AccountRepairFlow):
    """Explains a certificate problem. Each CertificateProblem has its own menu step."""

    _fingerprint: str

    async def async_step_init(self, _user_input: UserInput = None) -> RepairsFlowResult:
        """Offer a retry and the ways to accept the certificate."""
        problem = imap.CertificateProblem(self.placeholders["problem"])
        return self.show_menu(problem, *_CERTIFICATE_OPTIONS[problem])

    async_step_changed = async_step_init
    async_step_expired = async_step_init
    async_step_untrusted = async_step_init
    async_step_wrong_host = async_step_init

    async def async_step_retry(
        self, _user_input: UserInput = None
    ) -> RepairsFlowResult:
        """Connect again and check the certificate."""
        try:
            await imap.check_account(account_from_entry(self.hass, self.entry))
        except imap.CertificateError:
            return self.async_abort(reason="still_refused")
        except imap.CannotConnect:
            return self.async_abort(reason="cannot_connect")
        except imap.ImapError:
            pass  # The certificate was accepted; the reload will report any other error.
        return self.update_entry(self.entry.data)

    async def async_step_trust(self, user_input: UserInput = None) -> RepairsFlowResult:
        """Show the server's certificate; after confirmation, trust only this one."""
        if user_input is not None:
            trust = {CONF_FINGERPRINT: self._fingerprint, CONF_VERIFY_SSL: True}
            return self.update_entry(self.entry.data | trust)
        account = account_from_entry_data(self.entry.data)
        try:
            certificate = await imap.fetch_certificate(account)
        except imap.ImapError:
            return self.async_abort(reason="cannot_connect")
        self._fingerprint = certificate.fingerprint
        self.placeholders |= certificate_placeholders(certificate, account.host)
        return self.show_form("trust")

    async def async_step_do_not_verify(
        self, user_input: UserInput = None
    ) -> RepairsFlowResult:
        """Explain the risk; after confirmation, turn verification off."""
        if user_input is None:
            return self.show_form("do_not_verify")
        return self.update_entry(self.entry.data | {CONF_VERIFY_SSL: False})


class FolderMissingFlow(AccountRepairFlow):
    """Offers to remove a folder that no longer exists."""

    async def async_step_init(self, _user_input: UserInput = None) -> RepairsFlowResult:
        """Offer to remove the folder, or to keep it until it exists again."""
        return self.show_menu("init", "remove", "wait")

    async def async_step_remove(
        self, _user_input: UserInput = None
    ) -> RepairsFlowResult:
        """Remove the folder's subentry."""
        subentry_id = self.issue_data["subentry_id"]
        if subentry_id in self.entry.subentries:
            self.hass.config_entries.async_remove_subentry(self.entry, subentry_id)
        return self.async_create_entry(data={})

    async def async_step_wait(self, _user_input: UserInput = None) -> RepairsFlowResult:
        """Keep the folder and ignore the issue."""
        return self.ignore()


class CoreImapTooFlow(AccountRepairFlow):
    """Offers to disable core IMAP for an account that both integrations watch."""

    async def async_step_init(self, _user_input: UserInput = None) -> RepairsFlowResult:
        """Offer to disable the entries of core IMAP, or to keep both."""
        return self.show_menu("init", "disable", "keep_both")

    async def async_step_disable(
        self, _user_input: UserInput = None
    ) -> RepairsFlowResult:
        """Disable the entries of core IMAP for this account."""
        for core_entry in core_imap_duplicates(self.hass, self.entry):
            await self.hass.config_entries.async_set_disabled_by(
                core_entry.entry_id, ConfigEntryDisabler.USER
            )
        return self.async_create_entry(data={})

    async def async_step_keep_both(
        self, _user_input: UserInput = None
    ) -> RepairsFlowResult:
        """Keep the entries of both integrations, and ignore the issue."""
        return self.ignore()


class NothingWatchedFlow(AccountRepairFlow):
    """Offers to watch INBOX for an account without watched folders."""

    async def async_step_init(self, _user_input: UserInput = None) -> RepairsFlowResult:
        """Start with the form."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: UserInput = None
    ) -> RepairsFlowResult:
        """Add INBOX, unless the user added a folder in the meantime."""
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
    """Return the fix flow of an issue."""
    return _FLOWS[str(data["key"])](data)
