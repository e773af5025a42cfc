"""Diagnostics without personal data, so that users can publish them.

Every field is listed explicitly. No field contains text of the user, the server or a sender:
folders have numbers instead of names, and errors only a class.
"""

from typing import Any, Final

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_HOST, CONF_PORT, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceEntry

from .capabilities import public_name
from .const import (
    CONF_ACCESS,
    CONF_ASSISTANT,
    CONF_FILTER,
    CONF_FOLDER,
    CONF_LINKS,
    CONF_OAUTH_PROVIDER,
    CONF_READ_ONLY,
    CONF_RECORD_MAIL,
    CONF_SECURITY,
    CONF_TEXT_SIZE,
    SUBENTRY_TYPE_FOLDER,
    SUBENTRY_TYPE_SEARCH,
)
from .coordinator import AccountCoordinator, ImapPushConfigEntry
from .helpers import watch_options_from_entry
from .imap import FolderState, Mail, Statistics, explain_push, quirks_of
from .oauth.providers import CUSTOM, PROVIDERS
from .permissions import access_of

# Boolean options that are off by default.
_SWITCHES: Final = (CONF_ASSISTANT, CONF_READ_ONLY, CONF_RECORD_MAIL)


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: ImapPushConfigEntry
) -> dict[str, Any]:
    """Return the diagnostics of an account."""
    coordinator = entry.runtime_data
    state = coordinator.data
    provider = entry.data.get(CONF_OAUTH_PROVIDER)
    capabilities = [public_name(capability) for capability in state.capabilities]
    return {
        "account": {
            "port": entry.data[CONF_PORT],
            "security": entry.data[CONF_SECURITY],
            "verify_ssl": entry.data[CONF_VERIFY_SSL],
            "oauth_provider": provider if provider in {*PROVIDERS, CUSTOM} else None,
        },
        "options": watch_options_from_entry(coordinator.config_entry)._asdict()
        | {key: entry.options.get(key) is True for key in _SWITCHES}
        | {CONF_ACCESS: access_of(entry).value},
        "quirks": quirks_of(entry.data[CONF_HOST])._asdict(),
        "connected": state.connected,
        "connections": state.connections,
        "push_mode": state.push_mode.value,
        "error": type(state.error).__name__ if state.error else None,
        "capabilities": sorted({*capabilities} - {""}),
        "unknown_capabilities": capabilities.count(""),
        "searches": len(entry.get_subentries_of_type(SUBENTRY_TYPE_SEARCH)),
        "folders": {
            str(number): _describe_folder(coordinator, name, subentry)
            for number, (name, subentry) in enumerate(
                _subentries_by_folder(coordinator).items(), start=1
            )
        },
        "statistics": _describe_statistics(coordinator.statistics),
        "history": coordinator.connection_log.as_dict(),
    }


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: ImapPushConfigEntry, device: DeviceEntry
) -> dict[str, Any]:
    """Return the diagnostics of the account, and which folder number is this device."""
    subentries = _subentries_by_folder(entry.runtime_data).values()
    return {
        "folder_of_this_device": next(
            (
                str(number)
                for number, subentry in enumerate(subentries, start=1)
                if subentry is not None
                and subentry.subentry_id == device.config_subentry_id
            ),
            None,
        ),
        **await async_get_config_entry_diagnostics(hass, entry),
    }


def _subentries_by_folder(
    coordinator: AccountCoordinator,
) -> dict[str, ConfigSubentry | None]:
    """Return subentries by folder name, None if removed. Folders are numbered in this order.

    Folders with a state come first, in the order of `folders` in the connection log.
    """
    subentries = coordinator.config_entry.get_subentries_of_type(SUBENTRY_TYPE_FOLDER)
    return dict.fromkeys(coordinator.data.folders) | {
        subentry.data[CONF_FOLDER]: subentry for subentry in subentries
    }


def _describe_folder(
    coordinator: AccountCoordinator, name: str, subentry: ConfigSubentry | None
) -> dict[str, Any]:
    """Return state, options, mark, and the names of the filter fields of a folder."""
    state = coordinator.data.folders.get(name, FolderState())
    mark = coordinator.mark_store.marks.get(name)
    options = subentry.data if subentry is not None else {}
    return {
        "available": state.available,
        "missing": state.missing,
        "error": type(state.error).__name__ if state.error else None,
        "push_mode": explain_push(
            watch_options_from_entry(coordinator.config_entry),
            quirks_of(coordinator.config_entry.data[CONF_HOST]),
            coordinator.data.capabilities,
            state,
        ),
        "push_is_silent": state.push_is_silent,
        "messages": state.messages,
        "unread": state.unread,
        "changes": state.changes,
        "text_size": options.get(CONF_TEXT_SIZE, 0),
        "links": options.get(CONF_LINKS, False),
        "filter": sorted(options.get(CONF_FILTER, {})),
        "mark": mark and {"uid_validity": mark.uid_validity, "next_uid": mark.next_uid},
        "last_mail": state.last_mail and _describe_mail(state.last_mail),
    }


def _describe_statistics(statistics: Statistics) -> dict[str, Any]:
    return {
        "mails": statistics.mails,
        "sessions": statistics.sessions,
        "losses": dict(statistics.losses),
        "syncs": statistics.syncs.as_dict(),
    }


def _describe_mail(mail: Mail) -> dict[str, Any]:
    """Return fields of a mail, but no address, subject, text or file name."""
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
