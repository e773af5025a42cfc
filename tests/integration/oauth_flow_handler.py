"""A config flow with only the OAuth steps."""

from collections.abc import Mapping
from typing import Any, override

from custom_components.imap_push.const import CONF_FOLDER, SUBENTRY_TYPE_FOLDER
from custom_components.imap_push.flows.oauth_flow import OAuthSteps
from homeassistant.config_entries import ConfigFlowResult, ConfigSubentryData
from homeassistant.const import CONF_USERNAME


class SignIn(OAuthSteps):
    """Signs in at the provider of the initial data."""

    server: Mapping[str, Any]

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        assert user_input is not None
        return await self.async_start_oauth(
            user_input["provider"], self.server[CONF_USERNAME]
        )

    async def async_step_reauth(
        self, entry_data: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Sign in again."""
        return await self.async_start_oauth_again(entry_data)

    @override
    async def async_handle_token(self, oauth_data: dict[str, Any]) -> ConfigFlowResult:
        data = {**self.server, **oauth_data}
        if self.source == "reauth":
            return self.async_update_and_abort(self._get_reauth_entry(), data=data)
        return self.async_create_entry(
            title=data[CONF_USERNAME],
            data=data,
            subentries=[
                ConfigSubentryData(
                    data={CONF_FOLDER: "INBOX"},
                    subentry_type=SUBENTRY_TYPE_FOLDER,
                    title="INBOX",
                    unique_id="INBOX",
                )
            ],
        )
