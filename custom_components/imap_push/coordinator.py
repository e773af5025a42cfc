"""Passes on what the watcher of an account sees."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from functools import partial
import logging
from typing import Final, override

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.const import CONF_USERNAME
from homeassistant.core import CALLBACK_TYPE, Context, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from .account.channel import Channel
from .account.connection_log import History
from .account.mark_store import MarkStore
from .account.saved_searches import Searches
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

# Seconds that a watcher gets to log out.
STOP_TIMEOUT: Final = 10


class AccountCoordinator(DataUpdateCoordinator[AccountState]):
    """The watcher's listener: state goes to the entities, mail to the bus and subscribers.

    `client` does what is asked of the account. `last_error` is why it was last not connected.
    """

    config_entry: ImapPushConfigEntry
    searches: Searches
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
        self.history = History()
        self.mark_store = MarkStore(
            hass, entry.entry_id, entry.data[CONF_USERNAME].casefold()
        )
        self._account = account_from_entry(hass, entry)
        self.client = Client(self._account, self.alerted)
        self.configured = Subentries(hass, entry, self.mark_store)
        self._mail: defaultdict[str | None, Channel[[NewMail, Context]]] = defaultdict(
            partial(Channel, "new mail")
        )
        self._is_lost = False
        self._last_alert: str | None = None
        self._is_started = asyncio.Event()
        entry.async_on_unload(async_at_started(hass, self._async_set_started))

    @property
    def statistics(self) -> Statistics:
        """Return what the watcher has done so far."""
        return self._watcher.statistics

    @callback
    def _async_set_started(self, _hass: HomeAssistant) -> None:
        """Let mail through: all automations listen now."""
        self._is_started.set()

    @override
    async def _async_update_data(self) -> AccountState:
        """Return what is known; only the watcher brings news."""
        return self.data

    async def async_load(self) -> None:
        """Load from where on each folder is to be watched."""
        entry = self.config_entry
        marks = await self.mark_store.async_load(
            subentry.data[CONF_FOLDER]
            for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_FOLDER)
        )
        options = watch_options_from_entry(entry, pipelining=self.mark_store.pipelining)
        if not options.pipeline:
            self.client.do_without_pipelining()
        self.searches = Searches(
            self.client,
            poll_interval=options.poll_interval,
            watched=self.configured.folders.keys(),
            on_count=self.async_update_listeners,
            on_match=self._async_send_match,
            on_login_refused=self.login_refused,
        )
        self.configured.async_load(self.searches)
        self._watcher = AccountWatcher(
            self._account, self.configured.watched(marks), options, self
        )

    @callback
    def async_start(self) -> None:
        """Watch and count until the entry is unloaded or Home Assistant stops."""
        self.configured.async_start(self._watcher)
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
        """Run the watcher, which ends only by being cancelled or by a bug."""
        try:
            await self._watcher.run()
        except Exception:
            _LOGGER.exception("%s is watched no more", name_for_log(self.config_entry))
            self.state_changed(AccountState())
        finally:
            await self.client.close()

    async def async_stop(self) -> None:
        """Let watcher and client log out, then write the last marks."""
        self.configured.async_stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks, timeout=STOP_TIMEOUT)
        await self.mark_store.async_save()

    @callback
    def async_apply_changes(self) -> bool:
        """Take over what was changed of the entry; return false if that takes a reload."""
        if not self.configured.async_apply():
            return False
        self._async_update_searches(self.data)
        return True

    @callback
    def async_subscribe_mail(
        self,
        subscriber: Callable[[NewMail, Context], None],
        subentry_id: str | None = None,
    ) -> CALLBACK_TYPE:
        """Call the subscriber for every new mail, or for that of a folder or search."""
        return self._mail[subentry_id].async_subscribe(subscriber)

    @callback
    def async_check_now(self) -> None:
        """Look for new mail in all folders, whatever the server has told."""
        self._watcher.check_now()

    @callback
    def state_changed(self, state: AccountState) -> None:
        """Take the account's new state."""
        self.history.state_changed(state)
        self._async_log_connection(state)
        self.last_error = state.error or self.last_error
        if _troubles(state) != _troubles(self.data):
            async_update_issues(self.hass, self.config_entry, state)
        self._async_update_searches(state)
        self.async_set_updated_data(state)

    @callback
    def _async_update_searches(self, state: AccountState) -> None:
        """Tell the searches what changed; without a folder there is nothing to wait for."""
        is_online = state.connected or not self.configured.folders
        self.searches.state_changed(state.folders, is_online=is_online)

    @callback
    def _async_log_connection(self, state: AccountState) -> None:
        """Log one line when the connection is lost and one when it is back.

        Of an error only the kind is logged: a server's words may hold the login.
        """
        if state.connected and self._is_lost:
            self._is_lost = False
            _LOGGER.info("%s: connected again", name_for_log(self.config_entry))
            self._async_ask_no_more()
        elif state.error is not None and not state.connected and not self._is_lost:
            self._is_lost = True
            _LOGGER.warning(
                "%s: not connected (%s)",
                name_for_log(self.config_entry),
                type(state.error).__name__,
            )

    @callback
    def _async_ask_no_more(self) -> None:
        """Take back that new credentials are needed; those that there are work."""
        flows = self.hass.config_entries.flow
        for flow in self.config_entry.async_get_active_flows(
            self.hass, {SOURCE_REAUTH}
        ):
            flows.async_abort(flow["flow_id"])

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Hand over one new mail as soon as Home Assistant is fully started."""
        await self._is_started.wait()
        if (folder := self.configured.folders.get(arrival.mail.folder)) is None:
            return
        self.history.mail_arrived(arrival)
        new_mail = new_mail_from_arrival(
            arrival,
            entry_id=self.config_entry.entry_id,
            device_id=folder.device_id,
            account=self.config_entry.title,
        )
        recipients = arrival.mail.recipients
        if not folder.mail_filter.matches(new_mail, recipients):
            return
        # By the context, the logbook knows what comes of which mail.
        context = Context()
        self.hass.bus.async_fire(EVENT_NEW_MAIL, new_mail, context=context)
        async_dispatcher_send(self.hass, SIGNAL_NEW_MAIL, new_mail, recipients, context)
        self._mail[None].async_send(new_mail, context)
        self._mail[folder.subentry_id].async_send(new_mail, context)
        self.searches.mail_arrived(new_mail)

    @callback
    def _async_send_match(self, search_id: str, mail: NewMail) -> None:
        """Tell of a new mail that matches a search."""
        self._mail[search_id].async_send(mail, Context())

    @callback
    def mark_moved(self, folder: str, mark: Mark) -> None:
        """Keep a folder's mark."""
        self.mark_store.async_move(folder, mark)

    @callback
    def alerted(self, text: str) -> None:
        """Show the user what the server wants them to know; its words are not for the log."""
        if text == self._last_alert:
            return
        self._last_alert = text
        _LOGGER.warning(
            "%s: the server has a message, which is among the repairs",
            name_for_log(self.config_entry),
        )
        async_create_alert_issue(self.hass, self.config_entry, text)

    @callback
    def login_refused(self) -> None:
        """Ask the user for new credentials."""
        self.config_entry.async_start_reauth(self.hass)

    @callback
    def pipelining_failed(self) -> None:
        """Do without several commands in one write at this server, for ever."""
        _LOGGER.info(
            "%s: the server takes only one command at a time",
            name_for_log(self.config_entry),
        )
        self.mark_store.async_do_without_pipelining()
        self.client.do_without_pipelining()


def _troubles(state: AccountState) -> tuple[object, ...]:
    """Return of a state what there may be to mend."""
    folders = state.folders.items()
    return (
        state.connected,
        state.error,
        {name for name, folder in folders if folder.missing},
        {name for name, folder in folders if folder.available},
        any(folder.rate_limited for folder in state.folders.values()),
    )
