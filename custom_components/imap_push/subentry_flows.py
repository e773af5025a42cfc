"""Flows of what an account has: watched folders and saved searches."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
import logging
from typing import Any, Final, override

import voluptuous as vol

from homeassistant.config_entries import (
    ConfigEntryState,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import CONF_BASE, CONF_NAME, UnitOfInformation, UnitOfTime
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelectorConfig,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
)
from homeassistant.helpers.translation import async_get_translations

from .const import (
    CONF_ATTACHMENT_TYPE,
    CONF_FILTER,
    CONF_FLAGGED,
    CONF_FOLDER,
    CONF_FOLDERS,
    CONF_HAS_ATTACHMENT,
    CONF_IGNORE_BULK,
    CONF_LARGER_THAN,
    CONF_NEWER_THAN,
    CONF_RAW,
    CONF_RECIPIENT,
    CONF_SENDER,
    CONF_SUBJECT,
    CONF_TEXT,
    CONF_TEXT_SIZE,
    CONF_UNREAD,
    DEFAULT_FOLDER,
    DEFAULT_TEXT_SIZE,
    DOMAIN,
    MAX_TEXT_SIZE,
    SUBENTRY_TYPE_FOLDER,
)
from .form_errors import request_error
from .form_fields import choice, config_from_form, form_from_config, whole_number
from .helpers import account_from_entry_data, criteria_from_config
from .imap import Client, Criteria, FolderInfo, FolderRole, ImapError

_LOGGER = logging.getLogger(__name__)

SECTION_EXPERT: Final = "expert"

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
        vol.Optional(CONF_IGNORE_BULK): BooleanSelector(),
    }
)
EXPERT_SCHEMA: Final = vol.Schema({vol.Optional(CONF_RAW): TextSelector()})


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
        vol.Required(CONF_FILTER): section(
            FILTER_SCHEMA, {"collapsed": not watched.get(CONF_FILTER)}
        ),
    }


def folder_schema(
    options: list[SelectOptionDict], watched: Mapping[str, Any]
) -> vol.Schema:
    """Return the form for a folder; a name that the server does not list can be typed."""
    return vol.Schema(
        {
            vol.Required(CONF_FOLDER): _folder_selector(options),
            **folder_options_schema(watched),
        }
    )


def search_schema(
    options: list[SelectOptionDict], search: Mapping[str, Any]
) -> vol.Schema:
    """Return the form for a search."""
    return vol.Schema(
        {
            vol.Required(CONF_NAME): TextSelector(),
            vol.Required(CONF_FOLDERS): _folder_selector(options, multiple=True),
            vol.Optional(CONF_SENDER): TextSelector(),
            vol.Optional(CONF_RECIPIENT): TextSelector(),
            vol.Optional(CONF_SUBJECT): TextSelector(),
            vol.Optional(CONF_TEXT): TextSelector(),
            **choice(CONF_UNREAD),
            **choice(CONF_FLAGGED),
            **choice(CONF_HAS_ATTACHMENT),
            vol.Optional(CONF_LARGER_THAN): whole_number(
                NumberSelectorConfig(
                    min=1, unit_of_measurement=UnitOfInformation.KILOBYTES
                )
            ),
            vol.Optional(CONF_NEWER_THAN): whole_number(
                NumberSelectorConfig(min=1, unit_of_measurement=UnitOfTime.DAYS)
            ),
            vol.Required(SECTION_EXPERT): section(
                EXPERT_SCHEMA,
                {"collapsed": not search.get(SECTION_EXPERT, {}).get(CONF_RAW)},
            ),
        }
    )


def _folder_selector(
    options: list[SelectOptionDict], *, multiple: bool = False
) -> SelectSelector:
    """Return a choice of folders, and room for the name of one that is not listed."""
    return SelectSelector(
        SelectSelectorConfig(
            options=options,
            custom_value=True,
            mode=SelectSelectorMode.DROPDOWN,
            multiple=multiple,
        )
    )


def _folder_name(typed: str) -> str:
    """Return the name of a folder; INBOX has no case (RFC 3501 5.1)."""
    name = typed.strip()
    return DEFAULT_FOLDER if name.upper() == DEFAULT_FOLDER else name


def _label(info: FolderInfo, roles: Mapping[str, str]) -> str:
    """Return how a folder is shown: where it is, and what it is for."""
    path = info.name
    if info.delimiter:
        path = path.replace(info.delimiter, " / ")
    if info.role in (None, FolderRole.INBOX):
        return path
    role = roles[f"component.{DOMAIN}.selector.folder_role.options.{info.role}"]
    return f"{path} ({role})"


class _SubentryFlow(ConfigSubentryFlow):
    """A form that asks the server."""

    _placeholders: dict[str, str] | None = None
    _listed: list[FolderInfo] | None = None

    def __init__(self) -> None:
        """Begin without an error."""
        self._errors: dict[str, str] = {}

    @property
    def _watched(self) -> list[str]:
        """Return the folders that are watched."""
        return [
            subentry.data[CONF_FOLDER]
            for subentry in self._get_entry().get_subentries_of_type(
                SUBENTRY_TYPE_FOLDER
            )
        ]

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Client]:
        """Return the account's client; one of our own while the account is not loaded."""
        entry = self._get_entry()
        if entry.state is ConfigEntryState.LOADED:
            yield entry.runtime_data.client
            return
        client = Client(account_from_entry_data(entry.data))
        try:
            yield client
        finally:
            await client.close()

    async def _ask[T](
        self, request: Callable[[Client], Awaitable[T]], folder: str = ""
    ) -> T | None:
        """Return the server's answer; None if there is none, and the form will say why."""
        try:
            async with self._client() as client:
                return await request(client)
        except ImapError as err:
            _LOGGER.debug("The account cannot be asked (%s)", type(err).__name__)
            key, self._placeholders = request_error(err, folder)
        except Exception:
            _LOGGER.exception("Unexpected exception")
            key = "unknown"
        self._errors = {self._field(key): key}
        return None

    def _field(self, key: str) -> str:
        """Return the field that an error is about."""
        return CONF_BASE

    async def _folder_options(
        self, first: Iterable[str], without: Iterable[str] = ()
    ) -> list[SelectOptionDict]:
        """Return the folders to choose from. The form works without the server's list."""
        if self._listed is None and CONF_BASE not in self._errors:
            self._listed = await self._ask(lambda client: client.folders())
        folders = {name: FolderInfo(name=name) for name in first}
        folders |= {info.name: info for info in self._listed or ()}
        roles = await async_get_translations(
            self.hass, self.hass.config.language, "selector", {DOMAIN}
        )
        return [
            SelectOptionDict(value=name, label=_label(info, roles))
            for name, info in folders.items()
            if name not in without
        ]

    def _form(
        self, step_id: str, schema: vol.Schema, values: Mapping[str, Any] | None
    ) -> SubentryFlowResult:
        """Show a form with what was typed and what was wrong with it."""
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, values),
            errors=self._errors,
            description_placeholders=self._placeholders,
        )


class FolderFlow(_SubentryFlow):
    """Watch a folder, or change how it is watched."""

    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask which folder, and try to open it."""
        self._errors = {}
        if user_input is not None:
            folder = _folder_name(user_input[CONF_FOLDER])
            if folder in self._watched:
                return self.async_abort(reason="already_configured")
            await self._ask(lambda client: client.count(folder, [UNREAD]), folder)
            if not self._errors:
                return self.async_create_entry(
                    title=folder,
                    data={CONF_FOLDER: folder, **_watching(user_input)},
                    unique_id=folder,
                )
        options = await self._folder_options((), without=self._watched)
        return self._form("user", folder_schema(options, user_input or {}), user_input)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change how the folder is watched; another folder is another subentry."""
        subentry = self._get_reconfigure_subentry()
        if user_input is not None:
            return self.async_update_and_abort(
                self._get_entry(), subentry, data_updates=_watching(user_input)
            )
        watching = {
            **subentry.data,
            CONF_FILTER: form_from_config(subentry.data.get(CONF_FILTER, {})),
        }
        self._placeholders = {"folder": subentry.data[CONF_FOLDER]}
        return self._form(
            "reconfigure", vol.Schema(folder_options_schema(watching)), watching
        )

    @override
    def _field(self, key: str) -> str:
        """Return the field that an error is about."""
        return CONF_FOLDER if key == "folder_not_found" else CONF_BASE


class SearchFlow(_SubentryFlow):
    """Save a search, or change it."""

    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask for a name and what to search for where, and try it."""
        if user_input is not None:
            search = _search(user_input)
            if await self._is_usable(search):
                return self.async_create_entry(title=_name(user_input), data=search)
        return await self._search_form(
            "user", user_input or {CONF_FOLDERS: self._watched[:1]}
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change all of a search."""
        subentry = self._get_reconfigure_subentry()
        if user_input is not None:
            search = _search(user_input)
            if await self._is_usable(search):
                return self.async_update_and_abort(
                    self._get_entry(), subentry, title=_name(user_input), data=search
                )
        known = {
            CONF_NAME: subentry.title,
            **form_from_config(subentry.data),
            SECTION_EXPERT: subentry.data,
        }
        return await self._search_form("reconfigure", user_input or known)

    async def _is_usable(self, search: Mapping[str, Any]) -> bool:
        """Return whether the server finds something or nothing, but understands."""
        criteria = criteria_from_config(search)
        self._has_raw = criteria.raw is not None
        self._errors = {}
        if criteria == Criteria():
            self._errors = {CONF_BASE: "no_criteria"}
        elif not search[CONF_FOLDERS]:
            self._errors = {CONF_FOLDERS: "no_folders"}
        for folder in search[CONF_FOLDERS]:
            if not self._errors:
                await self._try(folder, criteria)
        return not self._errors

    async def _try(self, folder: str, criteria: Criteria) -> None:
        """Search a folder for real."""
        await self._ask(lambda client: client.search(folder, criteria, limit=1), folder)

    async def _search_form(
        self, step_id: str, values: Mapping[str, Any]
    ) -> SubentryFlowResult:
        """Show a search; the folders that are watched come first."""
        options = await self._folder_options((*self._watched, *values[CONF_FOLDERS]))
        return self._form(step_id, search_schema(options, values), values)

    @override
    def _field(self, key: str) -> str:
        """Return the field that an error is about.

        The frontend shows no error inside of a section, but above it.
        """
        if key == "folder_not_found":
            return CONF_FOLDERS
        if key == "criteria_refused" and self._has_raw:
            return SECTION_EXPERT
        return CONF_BASE


def _watching(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a folder is to be watched."""
    return {
        CONF_TEXT_SIZE: user_input[CONF_TEXT_SIZE],
        CONF_FILTER: config_from_form(user_input[CONF_FILTER]),
    }


def _name(user_input: Mapping[str, Any]) -> str:
    """Return the name of a search."""
    name: str = user_input[CONF_NAME]
    return name.strip()


def _search(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return a search without its name, all criteria side by side."""
    search = config_from_form({**user_input, **user_input[SECTION_EXPERT]})
    search[CONF_FOLDERS] = list(
        dict.fromkeys(map(_folder_name, search.get(CONF_FOLDERS, ())))
    )
    del search[SECTION_EXPERT]
    search.pop(CONF_NAME, None)
    return search
