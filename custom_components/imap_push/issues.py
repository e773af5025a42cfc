"""Repair issues: what only the user can mend."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.issue_registry import (
    IssueSeverity,
    async_create_issue,
    async_delete_issue,
)

from .const import CONF_FOLDER, DOMAIN, SUBENTRY_TYPE_FOLDER
from .imap import AccountState


@callback
def async_create_alert_issue(
    hass: HomeAssistant, entry: ConfigEntry, text: str
) -> None:
    """Show an alert of the server; a newer one takes its place."""
    async_create_issue(
        hass,
        DOMAIN,
        f"alert_{entry.entry_id}",
        is_fixable=False,
        severity=IssueSeverity.WARNING,
        translation_key="alert",
        translation_placeholders={"account": entry.title, "text": text},
    )


@callback
def async_update_folder_issues(
    hass: HomeAssistant, entry: ConfigEntry, state: AccountState
) -> None:
    """Show which folders are missing, and no more those that are back."""
    for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_FOLDER):
        name = subentry.data[CONF_FOLDER]
        issue_id = f"folder_missing_{subentry.subentry_id}"
        folder = state.folders.get(name)
        if folder is None or not folder.missing:
            async_delete_issue(hass, DOMAIN, issue_id)
            continue
        async_create_issue(
            hass,
            DOMAIN,
            issue_id,
            is_fixable=False,
            severity=IssueSeverity.ERROR,
            translation_key="folder_missing",
            translation_placeholders={"account": entry.title, "folder": name},
        )


@callback
def async_update_watch_issue(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Show that no folder of an account is watched, and no more once one is."""
    issue_id = f"nothing_watched_{entry.entry_id}"
    if entry.get_subentries_of_type(SUBENTRY_TYPE_FOLDER):
        async_delete_issue(hass, DOMAIN, issue_id)
        return
    async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        is_fixable=False,
        severity=IssueSeverity.WARNING,
        translation_key="nothing_watched",
        translation_placeholders={"account": entry.title},
    )


@callback
def async_delete_folder_issue(hass: HomeAssistant, subentry_id: str) -> None:
    """Take back the issue of a folder that is watched no more."""
    async_delete_issue(hass, DOMAIN, f"folder_missing_{subentry_id}")


@callback
def async_delete_issues(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take back all issues of an account."""
    async_delete_issue(hass, DOMAIN, f"alert_{entry.entry_id}")
    async_delete_issue(hass, DOMAIN, f"nothing_watched_{entry.entry_id}")
    for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_FOLDER):
        async_delete_folder_issue(hass, subentry.subentry_id)
