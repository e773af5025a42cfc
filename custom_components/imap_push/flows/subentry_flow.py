"""Base class of the flows for folders and saved searches: requests and form errors."""

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
import logging
from typing import Any, Final

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
from ..imap import Client, FolderInfo, FolderRole, ImapError, ServerSilent
from ..mail.patterns import MAX_PATTERN, PatternError
from ..oauth.tokens import account_from_entry
from ..server_text import escape_markdown, single_line
from .form_errors import request_error
from .form_fields import UserInput
from .preview import MAX_SECONDS, Candidate, table_rows

_LOGGER = logging.getLogger(__name__)

_PREVIEW_OPTIONS: Final = ["save", "change"]


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
    if info.name == DEFAULT_FOLDER:
        return roles[FolderRole.INBOX]
    path = info.name
    if info.delimiter:
        path = path.replace(info.delimiter, " / ")
    if info.role is None:
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

    _preview: SubentryFlowResult
    # What the menu after the preview does.
    _save: Callable[[], SubentryFlowResult]
    _change: Callable[[], Awaitable[SubentryFlowResult]]

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

    async def _show_preview(
        self,
        preview: Callable[[Client], Awaitable[list[Candidate]]],
        not_watched: Sequence[str] = (),
    ) -> SubentryFlowResult:
        """Show which of the newest mails match, with the options to save or to change.

        New mail in folders that are `not_watched` starts no automations.
        """

        async def in_time(client: Client) -> list[Candidate]:
            try:
                async with asyncio.timeout(MAX_SECONDS):
                    return await preview(client)
            except TimeoutError as err:
                raise ServerSilent from err

        candidates = await self._request(in_time)
        placeholders = {}
        if candidates is None:
            self._errors = {}
            step_id = "no_preview"
        elif not candidates:
            step_id = "preview_empty"
        else:
            step_id = "preview_not_watched" if not_watched else "preview"
            placeholders = {
                "mails": table_rows(candidates),
                "total": str(len(candidates)),
                "matching": str(sum(found.is_match for found in candidates)),
                "not_watched": ", ".join(map(escape_markdown, not_watched)),
            }
        self._preview = self.async_show_menu(
            step_id=step_id,
            menu_options=_PREVIEW_OPTIONS,
            description_placeholders=placeholders,
        )
        return self._preview

    async def async_step_preview(self, _: UserInput = None) -> SubentryFlowResult:
        """Show the preview again."""
        return self._preview

    async_step_no_preview = async_step_preview
    async_step_preview_empty = async_step_preview
    async_step_preview_not_watched = async_step_preview

    async def async_step_save(self, _: UserInput = None) -> SubentryFlowResult:
        """Save what the form has."""
        return self._save()

    async def async_step_change(self, _: UserInput = None) -> SubentryFlowResult:
        """Go back to the form."""
        self._errors, self._placeholders = {}, None
        return await self._change()

    async def _set_filter_error(
        self, form_field: str, name: str, error: PatternError
    ) -> None:
        """Show at a form field or section why no mail can match the field `name`."""
        texts = await async_get_translations(
            self.hass, self.hass.config.language, "config_subentries", {DOMAIN}
        )
        path = f"component.{DOMAIN}.config_subentries.{self._subentry_type}.step.user."
        labels = (
            text
            for key, text in texts.items()
            if key.startswith(path) and key.endswith(f"data.{name}")
        )
        value = single_line(error.value, MAX_PATTERN)
        self._placeholders = {"field": next(labels, name), "value": value}
        self._errors = {form_field: error.key}

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

    @property
    def _subentry_type(self) -> str:
        return self.handler[1]

    def _form(
        self, step_id: str, schema: vol.Schema, values: Mapping[str, Any] | None
    ) -> SubentryFlowResult:
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, values),
            errors=self._errors,
            description_placeholders=self._placeholders,
        )
