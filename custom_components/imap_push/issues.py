"""Repair issues: what only the user can mend.

The id of an issue holds the id of the account's entry. Its data is what the fix flow is told:
ids, and the placeholders of its texts.
"""

from typing import Final

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    ConfigEntry,
    ConfigEntryChange,
    ConfigSubentry,
)
from homeassistant.const import CONF_HOST
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_connect

from .account.core_imap import CORE_IMAP_DOMAIN, async_core_imap_entries, same_account
from .const import CONF_FOLDER, DOMAIN, SUBENTRY_TYPE_FOLDER
from .flows.form_errors import app_password_page_at
from .imap import (
    AccountState,
    AppPasswordNeeded,
    CertificateError,
    ImapError,
    LoginRefused,
    OAuthNeeded,
)
from .server_text import as_text

ISSUE_ALERT: Final = "alert"
ISSUE_APP_PASSWORD: Final = "app_password"
ISSUE_CERTIFICATE: Final = "certificate"
ISSUE_CORE_IMAP_TOO: Final = "core_imap_too"
ISSUE_FOLDER_MISSING: Final = "folder_missing"
ISSUE_NOTHING_WATCHED: Final = "nothing_watched"
ISSUE_OAUTH_NEEDED: Final = "oauth_needed"
ISSUE_TOO_MUCH_MAIL: Final = "too_much_mail"

# Which are over as soon as the account is connected.
_OF_CONNECTION: Final = (ISSUE_APP_PASSWORD, ISSUE_CERTIFICATE, ISSUE_OAUTH_NEEDED)
_NOT_FIXABLE: Final = (ISSUE_ALERT, ISSUE_OAUTH_NEEDED, ISSUE_TOO_MUCH_MAIL)
_WARNINGS: Final = (
    ISSUE_ALERT,
    ISSUE_CORE_IMAP_TOO,
    ISSUE_NOTHING_WATCHED,
    ISSUE_TOO_MUCH_MAIL,
)


@callback
def async_watch_set_up(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Show what is wrong with how things are set up while the account is loaded.

    A reload keeps the issues, as they may be ignored; an account that is disabled has none.
    """

    @callback
    def unloaded() -> None:
        if entry.disabled_by is not None:
            async_delete_issues(hass, entry)

    @callback
    def changed(_change: ConfigEntryChange, changed_entry: ConfigEntry) -> None:
        if changed_entry is entry or changed_entry.domain == CORE_IMAP_DOMAIN:
            _update_set_up(hass, entry)

    _update_set_up(hass, entry)
    entry.async_on_unload(unloaded)
    entry.async_on_unload(
        async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, changed)
    )


@callback
def async_update_issues(
    hass: HomeAssistant, entry: ConfigEntry, state: AccountState
) -> None:
    """Show what an account's state asks the user to mend, and no more what is mended.

    Only what is seen to be mended is taken back: it may have been ignored, which an issue
    that is made anew is not.
    """
    for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_FOLDER):
        folder = state.folders.get(subentry.data[CONF_FOLDER])
        if folder is not None and folder.missing:
            _create_folder_issue(hass, entry, subentry)
        elif folder is not None and folder.available:
            _delete(hass, _folder_issue_id(entry, subentry.subentry_id))
    if any(folder.rate_limited for folder in state.folders.values()):
        _create(hass, entry, ISSUE_TOO_MUCH_MAIL)
    elif state.connected:
        _delete(hass, _issue_id(entry, ISSUE_TOO_MUCH_MAIL))
    _update_connection(hass, entry, state)


@callback
def async_create_alert_issue(
    hass: HomeAssistant, entry: ConfigEntry, text: str
) -> None:
    """Show an alert of the server; a newer one takes its place."""
    _create(hass, entry, ISSUE_ALERT, text=as_text(text))


@callback
def async_delete_issues(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take back all issues of an account."""
    for issue_id in _issue_ids(hass, entry.entry_id):
        _delete(hass, issue_id)


@callback
def core_imap_doubles(hass: HomeAssistant, entry: ConfigEntry) -> list[ConfigEntry]:
    """Return the entries of core IMAP that watch the same account, and are in use."""
    return [
        core_entry
        for core_entry in async_core_imap_entries(hass)
        if core_entry.disabled_by is None and same_account(entry, core_entry)
    ]


def _update_set_up(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Show what is wrong with the entries, and no more what is mended."""
    if entry.get_subentries_of_type(SUBENTRY_TYPE_FOLDER):
        _delete(hass, _issue_id(entry, ISSUE_NOTHING_WATCHED))
    else:
        _create(hass, entry, ISSUE_NOTHING_WATCHED)
    if core_imap_doubles(hass, entry):
        _create(hass, entry, ISSUE_CORE_IMAP_TOO)
    else:
        _delete(hass, _issue_id(entry, ISSUE_CORE_IMAP_TOO))
    kept = {_folder_issue_id(entry, it) for it in entry.subentries}
    for issue_id in _issue_ids(hass, _folder_issue_id(entry, "")):
        if issue_id not in kept:
            _delete(hass, issue_id)


def _update_connection(
    hass: HomeAssistant, entry: ConfigEntry, state: AccountState
) -> None:
    """Show why there is no connection, if the user can do something about it."""
    issue = None if state.connected else _issue_of(state.error, entry.data[CONF_HOST])
    if not (state.connected or issue or isinstance(state.error, LoginRefused)):
        return  # An outage mends nothing.
    key, placeholders = issue or (None, {})
    for other in _OF_CONNECTION:
        if other != key:
            _delete(hass, _issue_id(entry, other))
    if key is not None:
        _create(hass, entry, key, **placeholders)


def _issue_of(error: ImapError | None, host: str) -> tuple[str, dict[str, str]] | None:
    """Return the issue that an error is, and what its texts need."""
    match error:
        case AppPasswordNeeded():
            page = app_password_page_at(host)
            return ISSUE_APP_PASSWORD, {"answer": as_text(str(error)), "url": page}
        case OAuthNeeded():
            return ISSUE_OAUTH_NEEDED, {"answer": as_text(str(error))}
        case CertificateError(problem=problem):
            return ISSUE_CERTIFICATE, {"problem": problem.value}
    return None


def _create_folder_issue(
    hass: HomeAssistant, entry: ConfigEntry, subentry: ConfigSubentry
) -> None:
    """Show that a folder is missing."""
    _create(
        hass,
        entry,
        ISSUE_FOLDER_MISSING,
        subentry_id=subentry.subentry_id,
        folder=as_text(subentry.data[CONF_FOLDER]),
    )


def _create(
    hass: HomeAssistant,
    entry: ConfigEntry,
    key: str,
    *,
    subentry_id: str | None = None,
    **placeholders: str,
) -> None:
    """Show an issue; one that is shown already stays as ignored as it is."""
    placeholders["account"] = entry.title
    issue_id = _issue_id(entry, key)
    if subentry_id is not None:
        issue_id = _folder_issue_id(entry, subentry_id)
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        data={
            **placeholders,
            "key": key,
            "entry_id": entry.entry_id,
            "subentry_id": subentry_id,
        },
        is_fixable=key not in _NOT_FIXABLE,
        severity=(
            ir.IssueSeverity.WARNING if key in _WARNINGS else ir.IssueSeverity.ERROR
        ),
        translation_key=key,
        translation_placeholders=placeholders,
    )


def _delete(hass: HomeAssistant, issue_id: str) -> None:
    ir.async_delete_issue(hass, DOMAIN, issue_id)


def _issue_id(entry: ConfigEntry, key: str) -> str:
    return f"{key}_{entry.entry_id}"


def _folder_issue_id(entry: ConfigEntry, subentry_id: str) -> str:
    return f"{ISSUE_FOLDER_MISSING}_{entry.entry_id}_{subentry_id}"


def _issue_ids(hass: HomeAssistant, part: str) -> list[str]:
    """Return the ids of our issues that have this in it."""
    issues = ir.async_get(hass).issues
    return [it for domain, it in issues if domain == DOMAIN and part in it]
