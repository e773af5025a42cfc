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
    CONF_FOLDER,
    CONF_HAS_ATTACHMENT,
    CONF_IGNORE_BULK,
    CONF_INLINE_IMAGES,
    CONF_LINKS,
    CONF_RECIPIENT,
    CONF_SENDER,
    CONF_SUBJECT,
    CONF_TEXT_SIZE,
    DEFAULT_TEXT_SIZE,
    MAX_TEXT_SIZE,
)
from ..imap import Criteria
from ..mail.filter import is_bounded
from ..server_text import as_text
from .form_fields import (
    choice,
    config_from_form,
    folding,
    form_from_config,
    whole_number,
)
from .subentry_flow import SubentryFlow, folder_name, folder_selector

# Opening a folder takes a question about it; the answer to this one is short everywhere.
UNREAD: Final = Criteria(unread=True)

TEXTS: Final = TextSelector(TextSelectorConfig(multiple=True))
FILTER_SCHEMA: Final = vol.Schema(
    {
        vol.Optional(CONF_SENDER): TEXTS,
        vol.Optional(CONF_RECIPIENT): TEXTS,
        vol.Optional(CONF_SUBJECT): TEXTS,
        **choice(CONF_HAS_ATTACHMENT),
        vol.Optional(CONF_ATTACHMENT_TYPE): TEXTS,
        vol.Optional(CONF_INLINE_IMAGES): BooleanSelector(),
        vol.Optional(CONF_AUTHENTICATED_BY): TEXTS,
        vol.Optional(CONF_IGNORE_BULK): BooleanSelector(),
    }
)


def folder_options_schema(watched: Mapping[str, Any]) -> dict[vol.Marker, Any]:
    """Return the fields of how a folder is watched; a filter that is set is open."""
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
        vol.Required(CONF_FILTER): folding(FILTER_SCHEMA, watched.get(CONF_FILTER, {})),
    }


def folder_schema(
    options: list[SelectOptionDict], watched: Mapping[str, Any]
) -> vol.Schema:
    """Return the form for a folder; a name that the server does not list can be typed."""
    return vol.Schema(
        {
            vol.Required(CONF_FOLDER): folder_selector(options),
            **folder_options_schema(watched),
        }
    )


class FolderFlow(SubentryFlow):
    """Watch a folder, or change how it is watched."""

    _fields = {"folder_not_found": CONF_FOLDER}

    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask which folder, and try to open it."""
        self._errors = {}
        if user_input is not None:
            folder, watching = (
                folder_name(user_input[CONF_FOLDER]),
                _watching(user_input),
            )
            if folder in self._watched:
                return self.async_abort(reason="already_configured")
            if self._is_bounded(watching):
                await self._ask(lambda client: client.count(folder, [UNREAD]), folder)
            if not self._errors:
                return self.async_create_entry(
                    title=folder,
                    data={CONF_FOLDER: folder, **watching},
                    unique_id=folder,
                )
        # Without a value, the frontend would choose the first folder of the list.
        values = user_input or {CONF_FOLDER: ""}
        options = await self._folder_options((), without=self._watched)
        return self._form("user", folder_schema(options, values), values)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change how the folder is watched; another folder is another subentry."""
        subentry = self._get_reconfigure_subentry()
        if user_input is not None:
            watching = _watching(user_input)
            if self._is_bounded(watching):
                return self.async_update_and_abort(
                    self._get_entry(), subentry, data_updates=watching
                )
        watching = user_input or {
            **subentry.data,
            CONF_FILTER: form_from_config(subentry.data.get(CONF_FILTER, {})),
        }
        self._placeholders = {"folder": as_text(subentry.data[CONF_FOLDER])}
        return self._form(
            "reconfigure", vol.Schema(folder_options_schema(watching)), watching
        )

    def _is_bounded(self, watching: Mapping[str, Any]) -> bool:
        """Return whether the filter is not too long; otherwise the form will say so."""
        self._errors = {}
        if not is_bounded(watching[CONF_FILTER]):
            # The frontend shows no error inside of a section, but above it.
            self._errors = {CONF_FILTER: "filter_too_long"}
        return not self._errors


def _watching(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a folder is to be watched."""
    return {
        CONF_TEXT_SIZE: user_input[CONF_TEXT_SIZE],
        CONF_LINKS: user_input[CONF_LINKS],
        CONF_FILTER: config_from_form(user_input[CONF_FILTER]),
    }
