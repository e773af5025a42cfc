"""Base class of the flows for folders and saved searches: requests and form errors."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
import logging
from typing import Any

import voluptuous as vol

from homeassistant.config_entries import (
    ConfigEntryState,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import CONF_BASE
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
from homeassistant.helpers.translation import async_get_translations

from ..const import CONF_FOLDER, DEFAULT_FOLDER, DOMAIN, SUBENTRY_TYPE_FOLDER
from ..imap import Client, FolderInfo, FolderRole, ImapError
from ..oauth.tokens import account_from_entry
from .form_errors import request_error

_LOGGER = logging.getLogger(__name__)


def folder_selector(
    options: list[SelectOptionDict], *, multiple: bool = False
) -> SelectSelector:
    """Return a selector for folders; the user can also type a name."""
    return SelectSelector(
        SelectSelectorConfig(
            options=options,
            custom_value=True,
            mode=SelectSelectorMode.DROPDOWN,
            multiple=multiple,
        )
    )


def folder_name(text: str) -> str:
    """Return the name of a folder, stripped; INBOX is case-insensitive (RFC 3501 5.1)."""
    name = text.strip()
    return DEFAULT_FOLDER if name.upper() == DEFAULT_FOLDER else name


def _label(info: FolderInfo, roles: Mapping[str, str]) -> str:
    """Return the label of a folder: the path, and the translated role if not in the path."""
    path = info.name
    if info.delimiter:
        path = path.replace(info.delimiter, " / ")
    if info.role in (None, FolderRole.INBOX):
        return path
    role = roles[info.role]
    return path if role.casefold() in path.casefold() else f"{path} ({role})"


async def async_folder_title(hass: HomeAssistant, folder: str) -> str:
    """Return what people call a folder, in the language of the server: Inbox for INBOX.

    The title of a subentry cannot be translated later.
    """
    roles = await async_folder_roles(hass, hass.config.language)
    return roles[FolderRole.INBOX] if folder == DEFAULT_FOLDER else folder


async def async_folder_roles(hass: HomeAssistant, language: str) -> dict[str, str]:
    """Return the names of folder roles in a language."""
    texts = await async_get_translations(hass, language, "selector", [DOMAIN])
    prefix = f"component.{DOMAIN}.selector.folder_role.options."
    return {role: texts[f"{prefix}{role}"] for role in FolderRole}


class SubentryFlow(ConfigSubentryFlow):
    """A subentry flow that sends requests to the server."""

    # Form field by translation key of the error.
    _fields: Mapping[str, str]
    _placeholders: dict[str, str] | None = None
    _server_folders: list[FolderInfo] | None = None

    def __init__(self) -> None:
        """Create the flow without form errors."""
        self._errors: dict[str, str] = {}

    @property
    def _watched(self) -> list[str]:
        return [
            subentry.data[CONF_FOLDER]
            for subentry in self._get_entry().get_subentries_of_type(
                SUBENTRY_TYPE_FOLDER
            )
        ]

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Client]:
        """Yield the client of the account, or a temporary one if the account is not loaded."""
        entry = self._get_entry()
        if entry.state is ConfigEntryState.LOADED:
            yield entry.runtime_data.client
            return
        client = Client(account_from_entry(self.hass, entry))
        try:
            yield client
        finally:
            await client.close()

    async def _request[T](
        self, request: Callable[[Client], Awaitable[T]], folder: str = ""
    ) -> T | None:
        """Return the result of a request. On failure, set the form errors and return None."""
        try:
            async with self._client() as client:
                return await request(client)
        except ImapError as err:
            _LOGGER.debug("The request for a form failed (%s)", type(err).__name__)
            key, self._placeholders = request_error(err, folder)
        except Exception:
            _LOGGER.exception("Unexpected exception")
            key = "unknown"
        self._errors = {self._fields.get(key, CONF_BASE): key}
        return None

    async def _folder_options(
        self, first: Iterable[str], without: Iterable[str] = ()
    ) -> list[SelectOptionDict]:
        """Return options for `first`, then for the server's folders, except those in `without`."""
        if self._server_folders is None and CONF_BASE not in self._errors:
            errors, placeholders = self._errors, self._placeholders
            self._server_folders = await self._request(lambda client: client.folders())
            if errors:  # What the user entered matters more than a missing list.
                self._errors, self._placeholders = errors, placeholders
        folders = {name: FolderInfo(name=name) for name in first}
        folders |= {info.name: info for info in self._server_folders or ()}
        roles = await async_folder_roles(self.hass, self.hass.config.language)
        return [
            SelectOptionDict(value=name, label=_label(info, roles))
            for name, info in folders.items()
            if name not in without
        ]

    def _form(
        self, step_id: str, schema: vol.Schema, values: Mapping[str, Any] | None
    ) -> SubentryFlowResult:
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, values),
            errors=self._errors,
            description_placeholders=self._placeholders,
        )
