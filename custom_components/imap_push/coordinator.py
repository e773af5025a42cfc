"""Passes state and new mail of an account from the IMAP engine to Home Assistant."""

import asyncio
from collections.abc import Collection, Coroutine, Sequence
import contextlib
from dataclasses import replace
from datetime import datetime
from functools import partial
import logging
from operator import attrgetter
from typing import Any, Final, override

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.const import CONF_USERNAME, Platform
from homeassistant.core import CALLBACK_TYPE, Context, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util.signal_type import SignalType

from .account.connection_log import ConnectionLog
from .account.mail_list import SharedLists
from .account.mark_store import MarkStore
from .account.picture import Pictures
from .account.saved_searches import SavedSearches
from .account.subentries import Subentries
from .const import CONF_FOLDER, DOMAIN, EVENT_NEW_MAIL, SUBENTRY_TYPE_FOLDER
from .helpers import name_for_log, watch_options_from_entry
from .imap import (
    AccountState,
    AccountWatcher,
    Arrival,
    CatchUp,
    Client,
    ImapError,
    Mark,
    Statistics,
)
from .issues import (
    async_create_alert_issue,
    async_create_restored_issue,
    async_update_issues,
)
from .mail.content import Content, async_fetch_content
from .mail.event_data import SIGNAL_NEW_MAIL, Delivery, NewMail, new_mail_from_arrival
from .mail.starting_mail import async_remember_mail
from .oauth.tokens import account_from_entry

_LOGGER = logging.getLogger(__name__)

type ImapPushConfigEntry = ConfigEntry[AccountCoordinator]

# Maximum time to wait for saved searches that check new mail before they stop.
FINISH_TIMEOUT_SECONDS: Final = 5
# Maximum time to wait for the watcher and the client to log out.
STOP_TIMEOUT_SECONDS: Final = 10
# The error of a folder that lasts longer is reported.
FOLDER_GRACE_SECONDS: Final = 30

_FOLDER_WITHOUT_COUNTS: Final = attrgetter(
    "available", "missing", "error", "push_mode", "push_is_silent", "rate_limited"
)


class AccountCoordinator(DataUpdateCoordinator[AccountState]):
    """Runs the watcher of an account; passes its state and mail to entities, bus and triggers.

    `client` is for requests, for example those of actions. `last_error` is the last error that
    ended or prevented a connection.
    """

    config_entry: ImapPushConfigEntry
    platforms: Sequence[Platform] = ()
    searches: SavedSearches
    _watcher: AccountWatcher

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
        self._connection: object = None
        self.mark_store = MarkStore(
            hass, entry.entry_id, entry.data[CONF_USERNAME].casefold()
        )
        self._account = account_from_entry(hass, entry)
        self.client = Client(self._account, self.alerted)
        self.watch_options = watch_options_from_entry(entry)
        self.shared_lists = SharedLists()
        self.pictures = Pictures(self.client)
        self.subentries = Subentries(hass, entry, self.mark_store)
        self._tasks: list[asyncio.Task[None]] = []
        self._search_task: asyncio.Task[None] | None = None
        self._is_lost = False
        self._last_alert: str | None = None
        # Timers by folder with an error, and the folders whose error has been reported.
        self._folder_timers: dict[str, CALLBACK_TYPE] = {}
        self._refused_folders: set[str] = set()
        self._starting: asyncio.Event | None = asyncio.Event()
        entry.async_on_unload(async_at_started(hass, self._async_set_started))

    @property
    def statistics(self) -> Statistics:
        """Return the watcher's counters."""
        return self._watcher.statistics

    @callback
    def _async_set_started(self, _hass: HomeAssistant) -> None:
        """Let mail_arrived() deliver mail: all automations are set up now."""
        if self._starting is not None:
            self._starting.set()
            self._starting = None

    @override
    async def _async_update_data(self) -> AccountState:
        """Return the current state: the watcher pushes it, so there is nothing to fetch."""
        return self.data

    async def async_load(self) -> None:
        """Load marks and subentries; create the watcher and the saved searches."""
        entry = self.config_entry
        marks = await self.mark_store.async_load(
            subentry.data[CONF_FOLDER]
            for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_FOLDER)
        )
        options = self.watch_options
        if backup_at := self.mark_store.restored_from:
            await self.mark_store.async_save()
            if options.catch_up is not CatchUp.NONE:
                async_create_restored_issue(self.hass, entry, backup_at)
        self.searches = SavedSearches(
            self.client,
            poll_interval=options.poll_interval,
            watched=self.subentries.folders.keys(),
            listener=self,
        )
        self.subentries.async_load(self.searches)
        self._watcher = AccountWatcher(
            self._account, self.subentries.watched_folders(marks), options, self
        )

    @callback
    def async_start(self) -> None:
        """Start the watcher, and the saved searches if there are any, until async_stop()."""
        self.subentries.async_start(self._watcher)
        self._tasks = [self._async_run("watcher", self._async_watch())]
        self._async_update_searches(self.data)

    @callback
    def _async_run(
        self, name: str, work: Coroutine[Any, Any, None]
    ) -> asyncio.Task[None]:
        return self.config_entry.async_create_background_task(
            self.hass, work, f"{self.name}_{name}"
        )

    async def _async_watch(self) -> None:
        """Run the watcher until it is cancelled or fails because of a bug."""
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
        """Stop watcher, client and saved searches, then save the marks."""
        self.subentries.async_stop()
        for cancel in self._folder_timers.values():
            cancel()
        if self._search_task is not None:
            self._search_task.cancel()
            self._tasks.append(self._search_task)
        with contextlib.suppress(ImapError, TimeoutError):
            async with asyncio.timeout(FINISH_TIMEOUT_SECONDS):
                await self.searches.finish()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks, timeout=STOP_TIMEOUT_SECONDS)
        await self.mark_store.async_save()

    @callback
    def async_apply_changes(self) -> bool:
        """Apply changes of the entry without a reload; return False if that is impossible."""
        if not self.subentries.async_apply():
            return False
        self._async_update_searches(self.data)
        self.async_update_listeners()
        return True

    def mail_signal(self, subentry_id: str) -> SignalType[Delivery]:
        """Return the dispatcher signal for new mail of a folder or a saved search."""
        return SignalType(f"{self.config_entry.entry_id}_{subentry_id}_mail")

    @callback
    def async_check_now(self) -> None:
        """Check all folders for new mail now instead of waiting for a push or the next poll."""
        self._watcher.check_now()

    @callback
    def state_changed(self, state: AccountState) -> None:
        """Store and log a new state of the account; update issues, searches and entities."""
        # Most changes are those of counts: a new mail, or one that was read.
        if (connection := _without_counts(state)) != self._connection:
            self._connection = connection
            self.connection_log.record_state(state)
            self._async_log_connection(state)
            self.last_error = state.error or self.last_error
            self._async_track_folder_errors(state)
            if _issue_inputs(state) != _issue_inputs(self.data):
                self._async_update_issues(state)
        self._async_update_searches(state)
        self.async_set_updated_data(state)

    @callback
    def _async_update_issues(self, state: AccountState) -> None:
        refused = self._refused_folders
        async_update_issues(self.hass, self.config_entry, state, refused)

    @callback
    def _async_track_folder_errors(self, state: AccountState) -> None:
        """Report a folder's error that lasts, and log when the folder can be watched again."""
        failing = {name for name, folder in state.folders.items() if folder.error}
        for name in failing - self._folder_timers.keys():
            self._folder_timers[name] = async_call_later(
                self.hass,
                FOLDER_GRACE_SECONDS,
                partial(self._async_report_folder_error, name),
            )
        for name in self._folder_timers.keys() - failing:
            self._folder_timers.pop(name)()
            is_watched = name in state.folders and state.folders[name].available
            if name in self._refused_folders and is_watched:
                self._log_folder(logging.INFO, name, "is watched again")
            self._refused_folders.discard(name)

    @callback
    def _async_report_folder_error(self, name: str, _now: datetime) -> None:
        self._refused_folders.add(name)
        error = type(self.data.folders[name].error).__name__
        self._log_folder(logging.WARNING, name, f"cannot be watched ({error})")
        self._async_update_issues(self.data)

    def _log_folder(self, level: int, name: str, what: str) -> None:
        account = name_for_log(self.config_entry)
        _LOGGER.log(level, "%s: the folder %r %s", account, name, what)

    @property
    def is_online(self) -> bool:
        """Return whether requests to the server are likely to succeed."""
        return self._is_online(self.data)

    def _is_online(self, state: AccountState) -> bool:
        # Without a watched folder, the watcher never connects, but searches still work.
        return state.connected or not self.subentries.folders

    @callback
    def _async_update_searches(self, state: AccountState) -> None:
        is_online = self._is_online(state)
        self.searches.update_state(state.folders, is_online=is_online)
        if self.searches.has_any and self._search_task is None:
            self._search_task = self._async_run("searches", self.searches.run())

    @callback
    def _async_log_connection(self, state: AccountState) -> None:
        """Log once when the connection is lost and once when it is back.

        Log only the class of an error: its text may contain the username.
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
        """Abort reauthentication flows: the current credentials work."""
        flows = self.hass.config_entries.flow
        for flow in self.config_entry.async_get_active_flows(
            self.hass, {SOURCE_REAUTH}
        ):
            flows.async_abort(flow["flow_id"])

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Wait for the start of Home Assistant, then deliver mail that passes the folder's filter.

        Subscribers: event bus, triggers, the folder's event entity, saved searches.
        """
        if self._starting is not None:
            await self._starting.wait()
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
        content = self._content(new_mail)
        if not await folder.passes(new_mail, recipients, content):
            return
        new_mail = folder.without_text_for_filter(new_mail)
        # With a shared context, the logbook shows the mail as the cause of what automations do.
        context = Context()
        async_remember_mail(self.hass, context, new_mail)
        self.hass.bus.async_fire(EVENT_NEW_MAIL, new_mail, context=context)
        delivery = Delivery(new_mail, context, content, recipients)
        async_dispatcher_send(self.hass, SIGNAL_NEW_MAIL, delivery)
        signal = self.mail_signal(folder.subentry_id)
        async_dispatcher_send(self.hass, signal, delivery)
        self.searches.add_mail(delivery)

    def _content(self, mail: NewMail) -> Content:
        """Return the content of a mail, which is fetched only if a filter needs it."""
        return Content(
            lambda: self.config_entry.async_create_background_task(
                self.hass,
                async_fetch_content(self.client, mail),
                f"{self.name}_content",
            )
        )

    @callback
    def searches_matched(self, search_ids: Collection[str], delivery: Delivery) -> None:
        """Send a mail that matches saved searches to their event entities and to triggers."""
        devices = self.subentries.search_devices
        searches = frozenset(devices[search_id] for search_id in search_ids)
        delivery = replace(delivery, searches=searches)
        for search_id in search_ids:
            async_dispatcher_send(self.hass, self.mail_signal(search_id), delivery)
        async_dispatcher_send(self.hass, SIGNAL_NEW_MAIL, delivery)

    @callback
    def mark_moved(self, folder: str, mark: Mark) -> None:
        """Store the new mark of a folder."""
        self.mark_store.async_set_mark(folder, mark)

    @callback
    def alerted(self, text: str) -> None:
        """Show an ALERT of the server (RFC 3501 7.1) as a repair issue; do not log its text."""
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


def _without_counts(state: AccountState) -> object:
    """Return the parts of a state that are not about mail."""
    folders = state.folders
    parts = [*folders, *map(_FOLDER_WITHOUT_COUNTS, folders.values())]
    return state.connected, state.push_mode, state.error, parts


def _issue_inputs(state: AccountState) -> tuple[object, ...]:
    """Return the parts of a state that decide which repair issues exist."""
    folders = state.folders.items()
    return (
        state.connected,
        state.error,
        {name for name, folder in folders if folder.missing},
        {name for name, folder in folders if folder.available},
        {name: str(folder.error) for name, folder in folders if folder.error},
        any(folder.rate_limited for folder in state.folders.values()),
    )
