"""The life of an account: connect, catch up, wait, deliver, reconnect; it never ends by itself."""

import asyncio
from collections.abc import Mapping
import logging
from typing import Final

from .folder import FolderWatch
from .listener import Listener
from .logins import Logins
from .mark import Mark
from .models import Account, AccountState, PushMode, WatchOptions

_LOGGER = logging.getLogger(__name__)

_SLOWEST_FIRST: Final = (PushMode.POLL, PushMode.IDLE, PushMode.NOTIFY)


class Watcher:
    """Watches the folders of one account until it is cancelled."""

    def __init__(
        self,
        account: Account,
        folders: Mapping[str, Mark | None],
        options: WatchOptions,
        listener: Listener,
    ) -> None:
        """Watch these folders from these marks on; None: from what comes next."""
        self._listener = listener
        logins = Logins(connections=len(folders))
        self._watches = [
            FolderWatch(folder, mark, account, options, logins, listener, self._publish)
            for folder, mark in folders.items()
        ]

    async def run(self) -> None:
        """Connect, deliver, wait, reconnect: ends only by being cancelled (it logs out then)."""
        async with asyncio.TaskGroup() as tasks:
            for watch in self._watches:
                tasks.create_task(watch.run(), name=f"imap_push {watch.folder}")

    def _publish(self) -> None:
        """Tell the listener what all folders together amount to."""
        modes = {watch.mode for watch in self._watches} - {PushMode.OFF}
        capabilities = (watch.capabilities for watch in self._watches)
        state = AccountState(
            connected=bool(modes),
            push_mode=next(
                (mode for mode in _SLOWEST_FIRST if mode in modes), PushMode.OFF
            ),
            capabilities=frozenset().union(*capabilities),
            folders={watch.folder: watch.state for watch in self._watches},
            error=next((watch.error for watch in self._watches if watch.error), None),
        )
        try:
            self._listener.state_changed(state)
        except Exception:
            _LOGGER.exception("Error while telling of a new state")
