"""Marks what a backup contains, so that a restored backup is detected at the next start.

The marks in a backup are old when it is restored: mail that arrived since is delivered again.
If Home Assistant is stopped during a backup, the next start cannot tell that from a restore.
"""

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .coordinator import ImapPushConfigEntry


async def async_pre_backup(hass: HomeAssistant) -> None:
    """Write the time of the backup to the stored marks."""
    await _async_save_marks(hass, dt_util.utcnow().isoformat())


async def async_post_backup(hass: HomeAssistant) -> None:
    """Remove the time of the backup from the stored marks, which continue to be used."""
    await _async_save_marks(hass, None)


async def _async_save_marks(hass: HomeAssistant, backup_at: str | None) -> None:
    entries: list[ImapPushConfigEntry] = hass.config_entries.async_loaded_entries(
        DOMAIN
    )
    for entry in entries:
        await entry.runtime_data.mark_store.async_save(backup_at)
