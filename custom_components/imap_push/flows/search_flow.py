"""The form for a saved search."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import voluptuous as vol

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.const import CONF_BASE, CONF_NAME
from homeassistant.helpers.selector import (
    NumberSelectorConfig,
    SelectOptionDict,
    TextSelector,
)

from ..account.saved_searches import SavedSearch
from ..const import (
    CONF_FLAGGED,
    CONF_FOLDERS,
    CONF_HAS_ATTACHMENT,
    CONF_HEADER,
    CONF_LARGER_THAN,
    CONF_NEWER_THAN,
    CONF_RAW,
    CONF_RECIPIENT,
    CONF_SENDER,
    CONF_SMALLER_THAN,
    CONF_SUBJECT,
    CONF_TEXT,
    CONF_UNREAD,
    CONF_VALUE,
)
from ..helpers import CRITERIA, criteria_from_config
from ..imap import Criteria
from ..mail.filter import check_filter
from ..mail.patterns import PatternError, compile_header, search_texts
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
from .preview import preview_search
from .subentry_flow import SubentryFlow, folder_name, folder_selector
from .value_fields import device_class_options, value_config, value_error, value_schema

SECTION_MORE: Final = "more"
SECTION_EXPERT: Final = "expert"
MORE_SCHEMA: Final = vol.Schema(
    {
        vol.Optional(CONF_RECIPIENT): TextSelector(),
        vol.Optional(CONF_HEADER): TextSelector(),
        **choice(CONF_FLAGGED),
        **choice(CONF_HAS_ATTACHMENT),
        vol.Optional(CONF_LARGER_THAN): KILOBYTES,
        vol.Optional(CONF_SMALLER_THAN): KILOBYTES,
        vol.Optional(CONF_NEWER_THAN): whole_number(
            NumberSelectorConfig(
                min=1, unit_of_measurement="days", translation_key=CONF_NEWER_THAN
            )
        ),
    }
)
EXPERT_SCHEMA: Final = vol.Schema({vol.Optional(CONF_RAW): TextSelector()})


def search_schema(
    options: list[SelectOptionDict],
    search: Mapping[str, Any],
    device_classes: list[SelectOptionDict],
) -> vol.Schema:
    """Return the form for a search, with rarely used fields in sections."""
    return vol.Schema(
        {
            vol.Required(CONF_NAME): TextSelector(),
            vol.Required(CONF_FOLDERS): folder_selector(options, multiple=True),
            vol.Optional(CONF_SENDER): TextSelector(),
            vol.Optional(CONF_SUBJECT): TextSelector(),
            vol.Optional(CONF_TEXT): TextSelector(),
            **choice(CONF_UNREAD),
            vol.Required(SECTION_MORE): collapsible(
                MORE_SCHEMA, search.get(SECTION_MORE, {})
            ),
            vol.Required(CONF_VALUE): collapsible(
                value_schema(device_classes), search.get(CONF_VALUE, {})
            ),
            **list_section(search),
            vol.Required(SECTION_EXPERT): collapsible(
                EXPERT_SCHEMA, search.get(SECTION_EXPERT, {})
            ),
        }
    )


class SearchFlow(SubentryFlow):
    """Add a saved search, or change it."""

    _fields = {"folder_not_found": CONF_FOLDERS}

    async def async_step_user(self, user_input: UserInput = None) -> SubentryFlowResult:
        """Ask for name, folders and criteria; run the search to test it."""
        if user_input is not None:
            name, search = user_input[CONF_NAME].strip(), _search(user_input)
            if await self._check_search(name, search):
                self._save = lambda: self.async_create_entry(title=name, data=search)
                self._change = lambda: self._search_form("user", user_input)
                return await self._preview_search(search)
        return await self._search_form(
            "user", user_input or {CONF_FOLDERS: self._watched[:1]}
        )

    async def async_step_reconfigure(
        self, user_input: UserInput = None
    ) -> SubentryFlowResult:
        """Change name, folders and criteria of a search."""
        subentry = self._get_reconfigure_subentry()
        if user_input is not None:
            name, search = user_input[CONF_NAME].strip(), _search(user_input)
            if await self._check_search(name, search):
                self._save = lambda: self.async_update_and_abort(
                    self._get_entry(), subentry, title=name, data=search
                )
                self._change = lambda: self._search_form("reconfigure", user_input)
                return await self._preview_search(search)
        search = form_from_config(subentry.data)
        stored = {
            **search,
            CONF_NAME: subentry.title,
            SECTION_MORE: search,
            SECTION_LISTS: list_config(search),
            SECTION_EXPERT: search,
            CONF_VALUE: subentry.data.get(CONF_VALUE, {}),
        }
        return await self._search_form("reconfigure", user_input or stored)

    async def _check_search(self, name: str, search: Mapping[str, Any]) -> bool:
        """Return whether the search is complete and the server accepts it. Set the form errors."""
        criteria = criteria_from_config(search)
        # The frontend shows errors of a section, but not of fields in it.
        self._fields = {
            **SearchFlow._fields,
            "criteria_refused": SECTION_EXPERT if criteria.raw else CONF_BASE,
        }
        self._errors = {}
        await self._check_values(search)
        if self._errors:
            return False
        if value_problem := value_error(search):
            key, self._placeholders = value_problem
            self._errors = {CONF_VALUE: key}
        elif not name:
            self._errors = {CONF_NAME: "no_name"}
        elif criteria == Criteria():
            self._errors = {CONF_BASE: "no_criteria"}
        elif not search[CONF_FOLDERS]:
            self._errors = {CONF_FOLDERS: "no_folders"}
        for folder in search[CONF_FOLDERS]:
            if not self._errors:
                await self._try_search(folder, criteria)
        return not self._errors

    async def _check_values(self, search: Mapping[str, Any]) -> None:
        """Set the form errors for a value that no mail can match."""
        checks: tuple[tuple[str, str, Callable[[str], object]], ...] = (
            (CONF_SENDER, CONF_SENDER, search_texts),
            (CONF_RECIPIENT, SECTION_MORE, search_texts),
            (CONF_HEADER, SECTION_MORE, compile_header),
            (CONF_SMALLER_THAN, SECTION_MORE, lambda _: check_filter(search)),
        )
        for field, form_field, check in checks:
            try:
                if field in search:
                    check(search[field])
            except PatternError as error:
                await self._set_filter_error(form_field, field, error)
                return

    async def _preview_search(self, search: Mapping[str, Any]) -> SubentryFlowResult:
        """Show which of the newest mails match, and folders whose new mail is not reported."""
        folders = tuple(search[CONF_FOLDERS])
        saved = SavedSearch("", folders, criteria_from_config(search))
        return await self._show_preview(
            lambda client: preview_search(client, saved),
            not_watched=[name for name in folders if name not in self._watched],
        )

    async def _try_search(self, folder: str, criteria: Criteria) -> None:
        await self._request(
            lambda client: client.search(folder, criteria, limit=1), folder
        )

    async def _search_form(
        self, step_id: str, values: Mapping[str, Any]
    ) -> SubentryFlowResult:
        """Show the form for a search, with watched folders first in the list."""
        options = await self._folder_options((*self._watched, *values[CONF_FOLDERS]))
        device_classes = await device_class_options(self.hass)
        schema = search_schema(options, values, device_classes)
        return self._form(step_id, schema, values)


def _search(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Convert form values to subentry data: folders and criteria, without sections."""
    values = {**user_input, **user_input[SECTION_MORE], **user_input[SECTION_EXPERT]}
    search = config_from_form({key: values[key] for key in CRITERIA if key in values})
    folders = dict.fromkeys(map(folder_name, user_input[CONF_FOLDERS]))
    return {
        CONF_FOLDERS: [name for name in folders if name],
        **search,
        **list_config(values[SECTION_LISTS]),
        **value_config(values[CONF_VALUE]),
    }
