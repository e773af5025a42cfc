"""Passes state and new mail from an account's watcher to Home Assistant."""

import asyncio
import logging
from typing import Final, override

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.const import CONF_USERNAME
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util.signal_type import SignalType

from .account.connection_log import ConnectionLog
from .account.mark_store import MarkStore
from .account.saved_searches import SavedSearches
from .account.subentries import Subentries
from .const import (
    CONF_FOLDER,
    DOMAIN,
    EVENT_NEW_MAIL,
    SIGNAL_NEW_MAIL,
    SUBENTRY_TYPE_FOLDER,
)
from .helpers import name_for_log, watch_options_from_entry
from .imap import (
    AccountState,
    AccountWatcher,
    Arrival,
    Client,
    ImapError,
    Mark,
    Statistics,
)
from .issues import async_create_alert_issue, async_update_issues
from .mail.event_data import NewMail, new_mail_from_arrival
from .oauth.tokens import account_from_entry

_LOGGER = logging.getLogger(__name__)

type ImapPushConfigEntry = ConfigEntry[AccountCoordinator]

# Time for the watcher and the client to log out.
STOP_TIMEOUT_SECONDS: Final = 10


class AccountCoordinator(DataUpdateCoordinator[AccountState]):
    """The watcher's listener: passes state to entities, and mail to bus, triggers, entities.

    `client` handles requests, for example those of actions. `last_error` is the last error that
    ended or prevented the connection.
    """

    config_entry: ImapPushConfigEntry
    searches: SavedSearches
    _watcher: AccountWatcher
    _tasks: list[asyncio.Task[None]]

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
        self.last_error: ImapError | None = None
        self.connection_log = ConnectionLog()
        self.mark_store = MarkStore(
            hass, entry.entry_id, entry.data[CONF_USERNAME].casefold()
        )
        self._account = account_from_entry(hass, entry)
        self.client = Client(self._account, self.alerted)
        self.subentries = Subentries(hass, entry, self.mark_store)
        self._is_lost = False
        self._last_alert: str | None = None
        self._is_started = asyncio.Event()
        entry.async_on_unload(async_at_started(hass, self._async_set_started))

    @property
    def statistics(self) -> Statistics:
        """Return the watcher's counters."""
        return self._watcher.statistics

    @callback
    def _async_set_started(self, _hass: HomeAssistant) -> None:
        """Deliver mail from now on: all automations are set up."""
        self._is_started.set()

    @override
    async def _async_update_data(self) -> AccountState:
        """Return the present state; only the watcher changes it."""
        return self.data

    async def async_load(self) -> None:
        """Load marks and subentries, and create watcher and searches."""
        entry = self.config_entry
        marks = await self.mark_store.async_load(
            subentry.data[CONF_FOLDER]
            for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_FOLDER)
        )
        options = watch_options_from_entry(entry, pipelining=self.mark_store.pipelining)
        if not options.pipeline:
            self.client.do_without_pipelining()
        self.searches = SavedSearches(
            self.client,
            poll_interval=options.poll_interval,
            watched=self.subentries.folders.keys(),
            on_count=self.async_update_listeners,
            on_match=self._async_send_match,
            on_login_refused=self.login_refused,
        )
        self.subentries.async_load(self.searches)
        self._watcher = AccountWatcher(
            self._account, self.subentries.watched_folders(marks), options, self
        )

    @callback
    def async_start(self) -> None:
        """Start watcher and searches; they run until the entry is unloaded."""
        self.subentries.async_start(self._watcher)
        self._async_update_searches(self.data)
        self._tasks = [
            self.config_entry.async_create_background_task(
                self.hass, work, f"{self.name}_{name}"
            )
            for name, work in (
                ("watcher", self._async_watch()),
                ("searches", self.searches.run()),
            )
        ]

    async def _async_watch(self) -> None:
        """Run the watcher until it is cancelled, or fails because of a bug."""
        try:
            await self._watcher.run()
        except Exception:
            _LOGGER.exception(
                "%s: the watcher failed and has stopped",
                name_for_log(self.config_entry),
            )
            self.state_changed(AccountState())
        finally:
            await self.client.close()

    async def async_stop(self) -> None:
        """Stop watcher, client and searches, then write the last marks."""
        self.subentries.async_stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks, timeout=STOP_TIMEOUT_SECONDS)
        await self.mark_store.async_save()

    @callback
    def async_apply_changes(self) -> bool:
        """Apply changes of the entry; return False if they need a reload."""
        if not self.subentries.async_apply():
            return False
        self._async_update_searches(self.data)
        return True

    def mail_signal(self, subentry_id: str) -> SignalType[NewMail, Context]:
        """Return the dispatcher signal for new mail of a folder or a saved search."""
        return SignalType(f"{self.name}_{subentry_id}_mail")

    @callback
    def async_check_now(self) -> None:
        """Check all folders for new mail without waiting for the server to announce it."""
        self._watcher.check_now()

    @callback
    def state_changed(self, state: AccountState) -> None:
        """Store and log the account's new state, and update issues and entities."""
        self.connection_log.record_state(state)
        self._async_log_connection(state)
        self.last_error = state.error or self.last_error
        if _issue_inputs(state) != _issue_inputs(self.data):
            async_update_issues(self.hass, self.config_entry, state)
        self._async_update_searches(state)
        self.async_set_updated_data(state)

    @callback
    def _async_update_searches(self, state: AccountState) -> None:
        """Pass a state to the searches."""
        # Without a watched folder, the watcher does not connect.
        is_online = state.connected or not self.subentries.folders
        self.searches.update_state(state.folders, is_online=is_online)

    @callback
    def _async_log_connection(self, state: AccountState) -> None:
        """Log one line when the connection is lost and one when it is back.

        Of an error only the class is logged: the server's text may contain the username.
        """
        if state.connected and self._is_lost:
            self._is_lost = False
            _LOGGER.info("%s: connected again", name_for_log(self.config_entry))
            self._async_abort_reauth()
        elif state.error is not None and not state.connected and not self._is_lost:
            self._is_lost = True
            _LOGGER.warning(
                "%s: not connected (%s)",
                name_for_log(self.config_entry),
                type(state.error).__name__,
            )

    @callback
    def _async_abort_reauth(self) -> None:
        """Abort reauthentication flows: the present credentials work."""
        flows = self.hass.config_entries.flow
        for flow in self.config_entry.async_get_active_flows(
            self.hass, {SOURCE_REAUTH}
        ):
            flows.async_abort(flow["flow_id"])

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Deliver a new mail that passes the folder's filter, after the start of Home Assistant.

        It goes to the event bus, the triggers, the folder's event entity and the searches.
        """
        await self._is_started.wait()
        if (folder := self.subentries.folders.get(arrival.mail.folder)) is None:
            return
        self.connection_log.record_mail(arrival)
        new_mail = new_mail_from_arrival(
            arrival,
            entry_id=self.config_entry.entry_id,
            device_id=folder.device_id,
            account=self.config_entry.title,
        )
        recipients = arrival.mail.recipients
        if not folder.mail_filter.matches(new_mail, recipients):
            return
        # The shared context lets the logbook attribute what an automation does to the mail.
        context = Context()
        self.hass.bus.async_fire(EVENT_NEW_MAIL, new_mail, context=context)
        async_dispatcher_send(self.hass, SIGNAL_NEW_MAIL, new_mail, recipients, context)
        signal = self.mail_signal(folder.subentry_id)
        async_dispatcher_send(self.hass, signal, new_mail, context)
        self.searches.add_mail(new_mail)

    @callback
    def _async_send_match(self, search_id: str, mail: NewMail) -> None:
        """Send a new mail that matches a search to the event entity of the search."""
        signal = self.mail_signal(search_id)
        async_dispatcher_send(self.hass, signal, mail, Context())

    @callback
    def mark_moved(self, folder: str, mark: Mark) -> None:
        """Store a folder's mark."""
        self.mark_store.async_set_mark(folder, mark)

    @callback
    def alerted(self, text: str) -> None:
        """Show an ALERT of the server as a repair issue; its text is not logged."""
        if text == self._last_alert:
            return
        self._last_alert = text
        _LOGGER.warning(
            "%s: the server sent an alert; see the repair issue",
            name_for_log(self.config_entry),
        )
        async_create_alert_issue(self.hass, self.config_entry, text)

    @callback
    def login_refused(self) -> None:
        """Ask the user for new credentials."""
        self.config_entry.async_start_reauth(self.hass)

    @callback
    def pipelining_failed(self) -> None:
        """Never again send several commands in one write to this server."""
        _LOGGER.info(
            "%s: the server accepts only one command at a time",
            name_for_log(self.config_entry),
        )
        self.mark_store.async_disable_pipelining()
        self.client.do_without_pipelining()


def _issue_inputs(state: AccountState) -> tuple[object, ...]:
    """Return the parts of a state that decide which repair issues exist."""
    folders = state.folders.items()
    return (
        state.connected,
        state.error,
        {name for name, folder in folders if folder.missing},
        {name for name, folder in folders if folder.available},
        any(folder.rate_limited for folder in state.folders.values()),
    )
