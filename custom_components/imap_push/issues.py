"""Repair issues: problems that only the user can fix.

The issue ID contains the config entry ID. The issue data is the input of the fix flow in
repairs.py: IDs and placeholders.
"""

from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import Final

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    ConfigEntry,
    ConfigEntryChange,
)
from homeassistant.const import CONF_HOST
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.util import dt as dt_util

from . import imap
from .account.core_imap import CORE_IMAP_DOMAIN, async_core_imap_entries, same_account
from .const import CONF_FOLDER, DOMAIN, SUBENTRY_TYPE_FOLDER
from .helpers import format_time, is_clock_wrong
from .server_text import NOTHING, escape_markdown, without_links

ISSUE_ALERT: Final = "alert"
ISSUE_APP_PASSWORD: Final = "app_password"
ISSUE_CERTIFICATE: Final = "certificate"
ISSUE_CLOCK_WRONG: Final = "clock_wrong"
ISSUE_CORE_IMAP_TOO: Final = "core_imap_too"
ISSUE_FOLDER_MISSING: Final = "folder_missing"
ISSUE_FOLDER_REFUSED: Final = "folder_refused"
ISSUE_NOTHING_WATCHED: Final = "nothing_watched"
ISSUE_OAUTH_NEEDED: Final = "oauth_needed"
ISSUE_RESTORED: Final = "restored"
ISSUE_TOO_MUCH_MAIL: Final = "too_much_mail"

# At most one of these exists; all are deleted when the account is connected.
_CONNECTION_ISSUES: Final = (
    ISSUE_APP_PASSWORD,
    ISSUE_CERTIFICATE,
    ISSUE_CLOCK_WRONG,
    ISSUE_OAUTH_NEEDED,
)
_NOT_FIXABLE: Final = (
    ISSUE_ALERT,
    ISSUE_CLOCK_WRONG,
    ISSUE_FOLDER_REFUSED,
    ISSUE_OAUTH_NEEDED,
    ISSUE_RESTORED,
    ISSUE_TOO_MUCH_MAIL,
)
_FOLDER_ISSUES: Final = (ISSUE_FOLDER_MISSING, ISSUE_FOLDER_REFUSED)
_WARNINGS: Final = (
    ISSUE_ALERT,
    ISSUE_CORE_IMAP_TOO,
    ISSUE_NOTHING_WATCHED,
    ISSUE_RESTORED,
    ISSUE_TOO_MUCH_MAIL,
)


@callback
def async_watch_configuration(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Keep issues about the configuration up to date while the account is loaded.

    A reload keeps all issues, because the user may have ignored them. Disabling the entry
    deletes them.
    """

    _update_configuration_issues(hass, entry)
    entry.async_on_unload(partial(_delete_if_disabled, hass, entry))
    update = partial(_update_if_affected, hass, entry)
    entry.async_on_unload(
        async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, update)
    )


@callback
def _delete_if_disabled(hass: HomeAssistant, entry: ConfigEntry) -> None:
    if entry.disabled_by is not None:
        async_delete_issues(hass, entry)


@callback
def _update_if_affected(
    hass: HomeAssistant,
    entry: ConfigEntry,
    _change: ConfigEntryChange,
    changed_entry: ConfigEntry,
) -> None:
    if changed_entry is entry or changed_entry.domain == CORE_IMAP_DOMAIN:
        _update_configuration_issues(hass, entry)


@callback
def async_update_issues(
    hass: HomeAssistant,
    entry: ConfigEntry,
    state: imap.AccountState,
    refused: Collection[str],
) -> None:
    """Create and delete the issues that depend on the state of an account.

    `refused` are the folders whose error is to be reported. Delete an issue only if its problem
    is known to be solved: if the user ignored the issue, a new one would appear again.
    """
    for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_FOLDER):
        name, subentry_id = subentry.data[CONF_FOLDER], subentry.subentry_id
        folder = state.folders.get(name, imap.FolderState())
        placeholders = {"folder": escape_markdown(name)}
        solved: tuple[str, ...] = ()
        if folder.missing:
            _create(hass, entry, ISSUE_FOLDER_MISSING, subentry_id, **placeholders)
            solved = (ISSUE_FOLDER_REFUSED,)
        elif name in refused and folder.error is not None:
            placeholders["answer"] = escape_markdown(str(folder.error)) or NOTHING
            _create(hass, entry, ISSUE_FOLDER_REFUSED, subentry_id, **placeholders)
        elif folder.available:
            solved = _FOLDER_ISSUES
        for key in solved:
            _delete(hass, entry, key, subentry_id)
    if any(folder.rate_limited for folder in state.folders.values()):
        _create(hass, entry, ISSUE_TOO_MUCH_MAIL)
    elif state.connected:
        _delete(hass, entry, ISSUE_TOO_MUCH_MAIL)
    _update_connection_issue(hass, entry, state)


@callback
def async_create_alert_issue(
    hass: HomeAssistant, entry: ConfigEntry, text: str
) -> None:
    """Create an issue for an ALERT (RFC 3501 7.1), or replace the text of an older one."""
    _create(hass, entry, ISSUE_ALERT, text=escape_markdown(text))


@callback
def async_create_restored_issue(
    hass: HomeAssistant, entry: ConfigEntry, backup_at: datetime
) -> None:
    """Create an issue for restored marks, also if that of an earlier backup was ignored."""
    _delete(hass, entry, ISSUE_RESTORED)
    _create(hass, entry, ISSUE_RESTORED, date=format_time(backup_at))


@callback
def async_delete_issues(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete all issues of an account."""
    for issue_id in _issue_ids(hass, entry.entry_id):
        ir.async_delete_issue(hass, DOMAIN, issue_id)


@callback
def core_imap_duplicates(hass: HomeAssistant, entry: ConfigEntry) -> list[ConfigEntry]:
    """Return the enabled entries of core IMAP for the same account."""
    return [
        core_entry
        for core_entry in async_core_imap_entries(hass)
        if core_entry.disabled_by is None and same_account(entry, core_entry)
    ]


def _update_configuration_issues(hass: HomeAssistant, entry: ConfigEntry) -> None:
    if entry.get_subentries_of_type(SUBENTRY_TYPE_FOLDER):
        _delete(hass, entry, ISSUE_NOTHING_WATCHED)
    else:
        _create(hass, entry, ISSUE_NOTHING_WATCHED)
    if core_imap_duplicates(hass, entry):
        _create(hass, entry, ISSUE_CORE_IMAP_TOO)
    else:
        _delete(hass, entry, ISSUE_CORE_IMAP_TOO)
    for key in _FOLDER_ISSUES:
        kept = {_issue_id(entry, key, subentry_id) for subentry_id in entry.subentries}
        for issue_id in _issue_ids(hass, f"{_issue_id(entry, key)}_"):
            if issue_id not in kept:
                ir.async_delete_issue(hass, DOMAIN, issue_id)


def _update_connection_issue(
    hass: HomeAssistant, entry: ConfigEntry, state: imap.AccountState
) -> None:
    """Create or delete the issue about a connection problem that the user can fix."""
    issue = None if state.connected else _issue_for(state.error, entry.data[CONF_HOST])
    if not (state.connected or issue or isinstance(state.error, imap.LoginRefused)):
        return  # Other errors, such as an outage, do not solve the earlier problem.
    key, placeholders = issue or (None, {})
    for other in _CONNECTION_ISSUES:
        if other != key:
            _delete(hass, entry, other)
    if key is not None:
        _create(hass, entry, key, **placeholders)


def _issue_for(
    error: imap.ImapError | None, host: str
) -> tuple[str, dict[str, str]] | None:
    """Return translation key and placeholders of the issue, or None."""
    match error:
        case imap.AppPasswordNeeded():
            provider = imap.provider_of_host(host)
            page = provider.page if provider and provider.needs_app_password else None
            return ISSUE_APP_PASSWORD, {
                "answer": escape_markdown(str(error)),
                "url": page or NOTHING,
            }
        case imap.OAuthNeeded():
            return ISSUE_OAUTH_NEEDED, {"answer": escape_markdown(str(error))}
        case imap.CertificateError() if is_clock_wrong(error):
            return ISSUE_CLOCK_WRONG, {"now": format_time(dt_util.utcnow())}
        case imap.CertificateError(problem=problem):
            return ISSUE_CERTIFICATE, {"problem": problem.value}
    return None


def _create(
    hass: HomeAssistant,
    entry: ConfigEntry,
    key: str,
    subentry_id: str | None = None,
    **placeholders: str,
) -> None:
    """Create or update an issue. An ignored issue stays ignored."""
    placeholders["account"] = without_links(entry.title)
    ir.async_create_issue(
        hass,
        DOMAIN,
        _issue_id(entry, key, subentry_id),
        data={
            **placeholders,
            "key": key,
            "entry_id": entry.entry_id,
            "subentry_id": subentry_id,
        },
        is_fixable=key not in _NOT_FIXABLE,
        # The next start cannot detect it again.
        is_persistent=key == ISSUE_RESTORED,
        severity=(
            ir.IssueSeverity.WARNING if key in _WARNINGS else ir.IssueSeverity.ERROR
        ),
        translation_key=key,
        translation_placeholders=placeholders,
    )


def _delete(
    hass: HomeAssistant, entry: ConfigEntry, key: str, subentry_id: str | None = None
) -> None:
    ir.async_delete_issue(hass, DOMAIN, _issue_id(entry, key, subentry_id))


def _issue_id(entry: ConfigEntry, key: str, subentry_id: str | None = None) -> str:
    return "_".join(filter(None, (key, entry.entry_id, subentry_id)))


def _issue_ids(hass: HomeAssistant, text: str) -> list[str]:
    """Return the IDs of the integration's issues that contain a text."""
    return [
        issue_id
        for domain, issue_id in ir.async_get(hass).issues
        if domain == DOMAIN and text in issue_id
    ]
