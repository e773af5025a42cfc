"""Passes on what the watcher of an account sees."""

import asyncio
from collections.abc import Callable
import logging
from typing import Final, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_USERNAME
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from .const import DOMAIN, EVENT_NEW_MAIL, SIGNAL_NEW_MAIL
from .devices import async_register_devices
from .event_data import NewMail, new_mail_from_arrival
from .helpers import account_from_entry_data, watch_options_from_entry
from .imap import AccountState, Arrival, Client, Mark, Watcher
from .issues import async_create_alert_issue, async_update_folder_issues
from .marks import MarkStore

_LOGGER = logging.getLogger(__name__)

type ImapPushConfigEntry = ConfigEntry[AccountCoordinator]

# Seconds that a watcher gets to log out.
STOP_TIMEOUT: Final = 10


class AccountCoordinator(DataUpdateCoordinator[AccountState]):
    """The watcher's listener: state goes to the entities, mail to the bus and subscribers."""

    config_entry: ImapPushConfigEntry
    _watch_task: asyncio.Task[None]

    def __init__(self, hass: HomeAssistant, entry: ImapPushConfigEntry) -> None:
        """Prepare to watch the account of a config entry."""
        super().__init__(
            hass,
            _LOGGER,
            config_entry=entry,
            name=f"{DOMAIN}_{entry.entry_id}",
            update_interval=None,
        )
        self.data = AccountState()
        self.client = Client(account_from_entry_data(entry.data))
        self.mark_store = MarkStore(
            hass, entry.entry_id, entry.data[CONF_USERNAME].casefold()
        )
        self._device_ids = async_register_devices(hass, entry)
        self._marks: dict[str, Mark | None] = {}
        self._subscribers: list[Callable[[NewMail], None]] = []
        self._is_lost = False
        self._last_alert: str | None = None
        self._is_started = asyncio.Event()
        entry.async_on_unload(async_at_started(hass, self._async_set_started))

    @callback
    def _async_set_started(self, _hass: HomeAssistant) -> None:
        """Let mail through: all automations listen now."""
        self._is_started.set()

    @override
    async def _async_update_data(self) -> AccountState:
        """Return what is known; only the watcher brings news."""
        return self.data

    async def async_load_marks(self) -> None:
        """Load from where on each folder is to be watched."""
        self._marks = await self.mark_store.async_load(self._device_ids)

    @callback
    def async_start(self) -> None:
        """Watch the account until the entry is unloaded or Home Assistant stops."""
        entry = self.config_entry
        watcher = Watcher(
            account_from_entry_data(entry.data),
            self._marks,
            watch_options_from_entry(entry, pipelining=self.mark_store.pipelining),
            self,
        )
        self._watch_task = entry.async_create_background_task(
            self.hass, self._async_watch(watcher), f"{self.name}_watcher"
        )

    async def _async_watch(self, watcher: Watcher) -> None:
        """Run the watcher, which ends only by being cancelled or by a bug."""
        try:
            await watcher.run()
        except Exception:
            _LOGGER.exception("%s is watched no more", self.config_entry.title)
            self.async_set_updated_data(AccountState())

    async def async_stop(self) -> None:
        """Let the watcher log out, then write the last marks."""
        self._watch_task.cancel()
        await asyncio.wait([self._watch_task], timeout=STOP_TIMEOUT)
        await self.client.close()
        await self.mark_store.async_save()

    @callback
    def async_subscribe_mail(
        self, subscriber: Callable[[NewMail], None]
    ) -> CALLBACK_TYPE:
        """Call the subscriber for every new mail; return how to end that."""
        self._subscribers.append(subscriber)

        @callback
        def unsubscribe() -> None:
            self._subscribers.remove(subscriber)

        return unsubscribe

    @callback
    def state_changed(self, state: AccountState) -> None:
        """Take the account's new state."""
        self._async_log_connection(state)
        async_update_folder_issues(self.hass, self.config_entry, state)
        self.async_set_updated_data(state)

    @callback
    def _async_log_connection(self, state: AccountState) -> None:
        """Log one line when the connection is lost and one when it is back.

        Of an error only the kind is logged: a server's words may hold the login.
        """
        if state.connected and self._is_lost:
            self._is_lost = False
            _LOGGER.info("%s: connected again", self.config_entry.title)
        elif state.error is not None and not state.connected and not self._is_lost:
            self._is_lost = True
            _LOGGER.warning(
                "%s: not connected (%s)",
                self.config_entry.title,
                type(state.error).__name__,
            )

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Hand over one new mail as soon as Home Assistant is fully started."""
        await self._is_started.wait()
        new_mail = new_mail_from_arrival(
            arrival,
            entry_id=self.config_entry.entry_id,
            device_id=self._device_ids[arrival.mail.folder],
            account=self.config_entry.title,
        )
        self.hass.bus.async_fire(EVENT_NEW_MAIL, new_mail)
        async_dispatcher_send(self.hass, SIGNAL_NEW_MAIL, new_mail)
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(new_mail)
            except Exception:
                _LOGGER.exception("A subscriber to new mail failed")

    @callback
    def mark_moved(self, folder: str, mark: Mark) -> None:
        """Keep a folder's mark."""
        self.mark_store.async_move(folder, mark)

    @callback
    def alerted(self, text: str) -> None:
        """Show the user what the server wants them to know."""
        if text == self._last_alert:
            return
        self._last_alert = text
        account = self.config_entry.title
        _LOGGER.warning("%s: the server says: %s", account, text)
        async_create_alert_issue(self.hass, self.config_entry, text)

    @callback
    def login_refused(self) -> None:
        """Ask the user for new credentials."""
        self.config_entry.async_start_reauth(self.hass)

    @callback
    def pipelining_failed(self) -> None:
        """Do without several commands in one write at this server, for ever."""
        _LOGGER.info(
            "%s: the server takes only one command at a time", self.config_entry.title
        )
        self.mark_store.async_do_without_pipelining()
