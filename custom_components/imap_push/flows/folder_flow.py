"""The form for a watched folder."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import voluptuous as vol

from homeassistant.config_entries import ConfigSubentry, SubentryFlowResult
from homeassistant.core import callback
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
    SUBENTRY_TYPE_FOLDER,
)
from ..imap import Client, Criteria
from ..mail.filter import MailFilter, find_error
from ..server_text import escape_markdown
from .form_errors import TOO_MANY_CONNECTIONS
from .form_fields import (
    KILOBYTES,
    SECTION_LISTS,
    UserInput,
    choice,
    collapsible,
    config_from_form,
    form_from_config,
    list_config,
    list_section,
    whole_number,
)
from .preview import preview_filter
from .subentry_flow import (
    SubentryFlow,
    async_folder_title,
    folder_name,
    folder_selector,
)

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
    """Return the form fields for folder options. Sections with values are expanded."""
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
        **list_section(config),
    }


def folder_schema(
    options: list[SelectOptionDict], config: Mapping[str, Any]
) -> vol.Schema:
    """Return the form for new folders; the user can also type names."""
    return vol.Schema(
        {
            vol.Required(CONF_FOLDER): folder_selector(options, multiple=True),
            **folder_options_schema(config),
        }
    )


class FolderFlow(SubentryFlow):
    """Add watched folders, or change the options of one."""

    _fields = {"folder_not_found": CONF_FOLDER}

    async def async_step_user(self, user_input: UserInput = None) -> SubentryFlowResult:
        """Ask for folders and check that the server can open them, if it can be asked."""
        self._errors = {}
        if user_input is not None:
            names = dict.fromkeys(map(folder_name, user_input[CONF_FOLDER]))
            names.pop("", None)
            folders = [name for name in names if name not in self._watched]
            config = _folder_config(user_input)
            if names and not folders:
                return self.async_abort(reason="already_configured")
            if not folders:
                self._errors = {CONF_FOLDER: "no_folders"}
            elif await self._check_filter(config):
                await self._check_folders(folders)
            # The watcher, which is connected, reports a folder that it cannot open.
            if not self._errors or TOO_MANY_CONNECTIONS in self._errors.values():
                titles = [await async_folder_title(self.hass, name) for name in folders]
                added = dict(zip(folders, titles, strict=True))
                self._save = lambda: self._add(added, config)
                self._change = lambda: self._user_form(user_input)
                return await self._preview_or_save(folders, config)
        # Without a value, the frontend would preselect the first folder.
        return await self._user_form(user_input or {CONF_FOLDER: []})

    async def _check_folders(self, folders: list[str]) -> None:
        """Set the form errors for the first folder that the server cannot open."""
        for folder in folders:
            await self._request(partial(_count_unread, folder), folder)
            if self._errors:
                return

    @callback
    def _add(
        self, folders: Mapping[str, str], config: Mapping[str, Any]
    ) -> SubentryFlowResult:
        """Add folders with these titles: the flow itself creates only one subentry."""
        *others, (last, title) = folders.items()
        for name, other_title in others:
            subentry = ConfigSubentry(
                data=MappingProxyType({CONF_FOLDER: name, **config}),
                subentry_type=SUBENTRY_TYPE_FOLDER,
                title=other_title,
                unique_id=name,
            )
            self.hass.config_entries.async_add_subentry(self._get_entry(), subentry)
        # Home Assistant names only the last one.
        names = ", ".join(map(escape_markdown, folders.values()))
        return self.async_create_entry(
            title=title,
            data={CONF_FOLDER: last, **config},
            unique_id=last,
            description="several" if others else None,
            description_placeholders={"folders": names},
        )

    async def _user_form(self, values: dict[str, Any]) -> SubentryFlowResult:
        """Show the form for new folders."""
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
                data = {CONF_FOLDER: subentry.data[CONF_FOLDER], **config}
                self._save = lambda: self.async_update_and_abort(
                    self._get_entry(), subentry, data=data
                )
                self._change = lambda: self._reconfigure_form(user_input)
                return await self._preview_or_save([subentry.data[CONF_FOLDER]], config)
        return await self._reconfigure_form(
            user_input
            or {
                **subentry.data,
                CONF_FILTER: form_from_config(subentry.data.get(CONF_FILTER, {})),
                SECTION_LISTS: list_config(subentry.data),
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
        self, folders: list[str], config: Mapping[str, Any]
    ) -> SubentryFlowResult:
        """Show what the filter does, or save if there is none."""
        if not config[CONF_FILTER]:
            return self._save()
        mail_filter = MailFilter.from_config(config[CONF_FILTER])
        return await self._show_preview(
            lambda client: preview_filter(client, folders, mail_filter)
        )

    async def _check_filter(self, config: Mapping[str, Any]) -> bool:
        """Return whether mail can match the filter; set the form errors."""
        self._errors = {}
        if found := find_error(config[CONF_FILTER]):
            # The frontend shows errors of a section, but not of fields in it.
            await self._set_filter_error(CONF_FILTER, *found)
        return not self._errors


async def _count_unread(folder: str, client: Client) -> None:
    """Open a folder: counting its unread mail has a short response."""
    await client.count(folder, [UNREAD])


def _folder_config(user_input: Mapping[str, Any]) -> dict[str, Any]:
    return {
        CONF_TEXT_SIZE: user_input[CONF_TEXT_SIZE],
        CONF_LINKS: user_input[CONF_LINKS],
        **list_config(user_input[SECTION_LISTS]),
        CONF_FILTER: config_from_form(user_input[CONF_FILTER]),
    }
