"""The form for a watched folder."""

from collections.abc import Mapping
from typing import Any, Final

import voluptuous as vol

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelectorConfig,
    SelectOptionDict,
    TextSelector,
    TextSelectorConfig,
)

from ..const import (
    CONF_ATTACHMENT_TYPE,
    CONF_AUTHENTICATED_BY,
    CONF_FILTER,
    CONF_FLAGGED,
    CONF_FOLDER,
    CONF_HAS_ATTACHMENT,
    CONF_HEADER,
    CONF_IGNORE_BULK,
    CONF_INLINE_IMAGES,
    CONF_LARGER_THAN,
    CONF_LINKS,
    CONF_RECIPIENT,
    CONF_SENDER,
    CONF_SMALLER_THAN,
    CONF_SUBJECT,
    CONF_TEXT,
    CONF_TEXT_SIZE,
    CONF_UNREAD,
    DEFAULT_TEXT_SIZE,
    MAX_TEXT_SIZE,
)
from ..imap import Criteria
from ..mail.filter import MailFilter, find_error
from ..server_text import escape_markdown
from .form_errors import TOO_MANY_CONNECTIONS
from .form_fields import (
    KILOBYTES,
    UserInput,
    choice,
    collapsible,
    config_from_form,
    form_from_config,
    whole_number,
)
from .preview import preview_filter
from .subentry_flow import (
    SubentryFlow,
    async_folder_title,
    folder_name,
    folder_selector,
)

# Counting unread mail tests whether a folder can be opened, with a short response.
UNREAD: Final = Criteria(unread=True)

TEXT_LIST_SELECTOR: Final = TextSelector(TextSelectorConfig(multiple=True))
FILTER_SCHEMA: Final = vol.Schema(
    {
        vol.Optional(CONF_SENDER): TEXT_LIST_SELECTOR,
        vol.Optional(CONF_RECIPIENT): TEXT_LIST_SELECTOR,
        vol.Optional(CONF_SUBJECT): TEXT_LIST_SELECTOR,
        vol.Optional(CONF_TEXT): TEXT_LIST_SELECTOR,
        vol.Optional(CONF_HEADER): TEXT_LIST_SELECTOR,
        **choice(CONF_HAS_ATTACHMENT),
        vol.Optional(CONF_ATTACHMENT_TYPE): TEXT_LIST_SELECTOR,
        vol.Optional(CONF_INLINE_IMAGES): BooleanSelector(),
        **choice(CONF_UNREAD),
        **choice(CONF_FLAGGED),
        vol.Optional(CONF_LARGER_THAN): KILOBYTES,
        vol.Optional(CONF_SMALLER_THAN): KILOBYTES,
        vol.Optional(CONF_AUTHENTICATED_BY): TEXT_LIST_SELECTOR,
        vol.Optional(CONF_IGNORE_BULK): BooleanSelector(),
    }
)


def folder_options_schema(config: Mapping[str, Any]) -> dict[vol.Marker, Any]:
    """Return the form fields for folder options. The filter is expanded if `config` has one."""
    return {
        vol.Required(CONF_TEXT_SIZE, default=DEFAULT_TEXT_SIZE): whole_number(
            NumberSelectorConfig(
                min=0,
                max=MAX_TEXT_SIZE,
                unit_of_measurement="characters",
                translation_key=CONF_TEXT_SIZE,
            )
        ),
        vol.Required(CONF_LINKS, default=False): BooleanSelector(),
        vol.Required(CONF_FILTER): collapsible(
            FILTER_SCHEMA, config.get(CONF_FILTER, {})
        ),
    }


def folder_schema(
    options: list[SelectOptionDict], config: Mapping[str, Any]
) -> vol.Schema:
    """Return the form for a new folder; the user can also type a name."""
    return vol.Schema(
        {
            vol.Required(CONF_FOLDER): folder_selector(options),
            **folder_options_schema(config),
        }
    )


class FolderFlow(SubentryFlow):
    """Add a watched folder, or change its options."""

    _fields = {"folder_not_found": CONF_FOLDER}

    async def async_step_user(self, user_input: UserInput = None) -> SubentryFlowResult:
        """Ask for the folder and check that the server can open it, if it can be asked."""
        self._errors = {}
        if user_input is not None:
            folder = folder_name(user_input[CONF_FOLDER])
            config = _folder_config(user_input)
            if folder in self._watched:
                return self.async_abort(reason="already_configured")
            if await self._check_filter(config):
                await self._request(
                    lambda client: client.count(folder, [UNREAD]), folder
                )
            # The watcher, which is connected, reports a folder that it cannot open.
            if not self._errors or TOO_MANY_CONNECTIONS in self._errors.values():
                title = await async_folder_title(self.hass, folder)
                self._save = lambda: self.async_create_entry(
                    title=title,
                    data={CONF_FOLDER: folder, **config},
                    unique_id=folder,
                )
                self._change = lambda: self._user_form(user_input)
                return await self._preview_or_save(folder, config)
        return await self._user_form(user_input or {CONF_FOLDER: ""})

    async def _user_form(self, values: dict[str, Any]) -> SubentryFlowResult:
        """Show the form for a new folder.

        The name has a value: without one, the frontend would preselect the first folder.
        """
        options = await self._folder_options((), without=self._watched)
        return self._form("user", folder_schema(options, values), values)

    async def async_step_reconfigure(
        self, user_input: UserInput = None
    ) -> SubentryFlowResult:
        """Change the options of a folder, but not its name."""
        subentry = self._get_reconfigure_subentry()
        if user_input is not None:
            config = _folder_config(user_input)
            if await self._check_filter(config):
                self._save = lambda: self.async_update_and_abort(
                    self._get_entry(), subentry, data_updates=config
                )
                self._change = lambda: self._reconfigure_form(user_input)
                return await self._preview_or_save(subentry.data[CONF_FOLDER], config)
        return await self._reconfigure_form(
            user_input
            or {
                **subentry.data,
                CONF_FILTER: form_from_config(subentry.data.get(CONF_FILTER, {})),
            }
        )

    async def _reconfigure_form(self, values: dict[str, Any]) -> SubentryFlowResult:
        """Show the form for the options of a folder."""
        folder = self._get_reconfigure_subentry().data[CONF_FOLDER]
        self._placeholders = {
            **(self._placeholders or {}),
            "folder": escape_markdown(folder),
        }
        return self._form(
            "reconfigure", vol.Schema(folder_options_schema(values)), values
        )

    async def _preview_or_save(
        self, folder: str, config: Mapping[str, Any]
    ) -> SubentryFlowResult:
        """Show what the filter does, or save if there is none."""
        if not config[CONF_FILTER]:
            return self._save()
        mail_filter = MailFilter.from_config(config[CONF_FILTER])
        return await self._show_preview(
            lambda client: preview_filter(client, folder, mail_filter)
        )

    async def _check_filter(self, config: Mapping[str, Any]) -> bool:
        """Return whether mail can match the filter; set the form errors."""
        self._errors = {}
        if found := find_error(config[CONF_FILTER]):
            # The frontend shows errors of a section, but not of fields in it.
            await self._set_filter_error(CONF_FILTER, *found)
        return not self._errors


def _folder_config(user_input: Mapping[str, Any]) -> dict[str, Any]:
    return {
        CONF_TEXT_SIZE: user_input[CONF_TEXT_SIZE],
        CONF_LINKS: user_input[CONF_LINKS],
        CONF_FILTER: config_from_form(user_input[CONF_FILTER]),
    }
