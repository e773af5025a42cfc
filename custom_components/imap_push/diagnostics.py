"""Diagnostics that may be shown in public."""

from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_USERNAME
from homeassistant.core import HomeAssistant

from .coordinator import ImapPushConfigEntry
from .imap import FolderState, Mail

TO_REDACT = {CONF_HOST, CONF_PASSWORD, CONF_USERNAME}


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: ImapPushConfigEntry
) -> dict[str, Any]:
    """Return diagnostics for a config entry; of an error only its kind."""
    coordinator = entry.runtime_data
    state = coordinator.data
    marks = coordinator.mark_store.marks
    return {
        "data": async_redact_data(entry.data, TO_REDACT),
        "options": dict(entry.options),
        "connected": state.connected,
        "push_mode": state.push_mode.value,
        "connections": state.connections,
        "pipelining": coordinator.mark_store.pipelining,
        "error": state.error and type(state.error).__name__,
        "capabilities": sorted(state.capabilities),
        "folders": {
            name: _describe_folder(folder) for name, folder in state.folders.items()
        },
        "marks": {
            name: {"uid_validity": mark.uid_validity, "next_uid": mark.next_uid}
            for name, mark in marks.items()
        },
    }


def _describe_folder(folder: FolderState) -> dict[str, Any]:
    """Return what is known of a folder."""
    return {
        "available": folder.available,
        "missing": folder.missing,
        "push_mode": folder.push_mode.value,
        "push_is_silent": folder.push_is_silent,
        "unread": folder.unread,
        "last_mail": folder.last_mail and _describe_mail(folder.last_mail),
    }


def _describe_mail(mail: Mail) -> dict[str, Any]:
    """Return of a mail what tells nobody who wrote what to whom."""
    return {
        "uid": mail.uid,
        "uid_validity": mail.uid_validity,
        "date": mail.date and mail.date.isoformat(),
        "received": mail.received and mail.received.isoformat(),
        "size": mail.size,
        "attachments": len(mail.attachments),
        "bulk": mail.bulk,
        "truncated": mail.truncated,
    }
