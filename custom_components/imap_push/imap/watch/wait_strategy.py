"""How to wait for new mail: NOTIFY, IDLE or polling, and which of them to use.

IDLE (RFC 2177). It announces changes of the selected folder only. DONE, FETCH and the next IDLE
are sent in one write, so a message arrives one round trip after EXISTS:

    S: * 42 EXISTS                        a message arrived
    C: DONE
    C: a7 UID FETCH 1007:* (UID ...)      from the mark on
    C: a8 UID SEARCH RETURN (COUNT) UNSEEN
    C: a9 IDLE
    S: a6 OK Idle completed
    S: * 42 FETCH (UID 1007 ...)
    S: a7 OK Fetch completed
       ...
    S: + idling

NOTIFY (RFC 5465). It announces changes of all folders that the command names. With `selected`,
the server also sends the new messages of the selected folder. IDLE is sent, too, so that the
server reports changes immediately.

    C: a3 EXAMINE INBOX
    C: a4 NOTIFY SET STATUS (selected (MessageNew (UID ...) MessageExpunge FlagChange))
          (mailboxes (Work) (MessageNew MessageExpunge FlagChange))
    S: * STATUS Work (MESSAGES 9 UIDNEXT 10 UIDVALIDITY 1)    the current state
    S: a4 OK NOTIFY completed
    C: a5 IDLE
    S: + idling
    S: * 42 EXISTS
    S: * 42 FETCH (UID 1007 ...)          delivered without a request
    S: * STATUS Work (UIDNEXT 11 MESSAGES 10)                 starts a sync of Work
"""

import asyncio
from collections.abc import Iterable
import logging
from typing import ClassVar, Final, override

from ..mime.preview import TextRequest, fetch_items
from ..models import FolderState, PushMode, WatchOptions
from ..quirks import Quirks
from ..wire.command import Command
from ..wire.mailbox_name import encode_folder, quote

_LOGGER = logging.getLogger(__name__)

# The first IDLE after a change is short. Some servers (for example pymap) do not announce a
# message that arrived between the last command and IDLE. Each IDLE without a change makes the
# next one longer.
IDLE_FIRST_SECONDS: Final = 2.0
IDLE_GROWTH: Final = 4.0
# A missed message shortens the refresh interval of IDLE, but not below this.
IDLE_MIN_REFRESH_SECONDS: Final = 30.0
# Consecutive syncs that found unannounced mail before a push mode counts as silent.
MAX_MISSES: Final = 3
# How long a silent push mode is not used.
SILENT_SECONDS: Final = 3600.0


class WaitStrategy:
    """A way to wait. `seconds` is the maximum time to wait.

    `uses_idle`: IDLE is sent. `covers_unselected`: the server announces changes of folders that
    are not selected, too.
    """

    mode: ClassVar[PushMode]
    uses_idle: ClassVar[bool] = True
    covers_unselected: ClassVar[bool] = False

    def __init__(self, seconds: float) -> None:
        """Wait at most this number of seconds."""
        self.seconds = seconds

    @property
    def unselected_mode(self) -> PushMode:
        """Return the push mode of folders that are not selected."""
        return self.mode if self.covers_unselected else PushMode.POLL

    @property
    def is_silent(self) -> bool:
        """Return whether push does not work: it was refused, or repeatedly missed new mail."""
        return False

    def count_miss(self) -> None:
        """Record that notifications were lost, or that the server ended IDLE too early."""

    def mark_refused(self) -> None:
        """Record that the server refused the command."""

    def record_sync(self, found: int, *, announced: bool) -> None:
        """Record how many messages a sync found, and whether they had been announced."""


class IdleWait(WaitStrategy):
    """The server announces changes of the selected folder during IDLE (RFC 2177).

    IDLE is ended and sent again after the refresh interval, with a sync between the two. This
    limits how long a dead connection stays undetected. RFC 2177 allows up to 29 minutes.
    """

    mode = PushMode.IDLE

    def __init__(self, refresh: float) -> None:
        """Start with a short IDLE; `refresh` is the maximum in seconds."""
        self._refresh = refresh
        self._misses = 0
        super().__init__(self._first)

    @property
    def _first(self) -> float:
        return min(IDLE_FIRST_SECONDS, self._refresh)

    @property
    @override
    def is_silent(self) -> bool:
        return self._misses >= MAX_MISSES

    @override
    def count_miss(self) -> None:
        self._misses += 1

    @override
    def mark_refused(self) -> None:
        self._misses = MAX_MISSES

    @override
    def record_sync(self, found: int, *, announced: bool) -> None:
        grown = min(self.seconds * IDLE_GROWTH, self._refresh)
        self.seconds = self._first if announced or found else grown
        if found and announced:
            self._misses = 0
        elif found:
            self._misses += 1
            self._refresh = max(self._refresh / 2, IDLE_MIN_REFRESH_SECONDS)


class NotifyWait(IdleWait):
    """The server announces changes of all folders and brings new messages (RFC 5465).

    IDLE makes the server report immediately. Its refresh detects a dead connection, as in IdleWait.
    """

    mode = PushMode.NOTIFY
    covers_unselected = True

    @property
    @override
    def _first(self) -> float:
        # Changes between two commands are announced, too. A short first IDLE is not needed.
        return self._refresh

    @staticmethod
    def spec(unselected: Iterable[str], text: TextRequest) -> str:
        """Return the arguments of NOTIFY, with the FETCH items of the selected folder's mail."""
        events = "MessageNew {}MessageExpunge FlagChange"
        selected = events.format(f"{fetch_items(text)} ")
        names = " ".join(quote(encode_folder(name)) for name in unselected)
        if not names:
            return f"SET (selected ({selected}))"
        others = events.format("")
        return f"SET STATUS (selected ({selected})) (mailboxes ({names}) ({others}))"

    @staticmethod
    def set_command(spec: str) -> Command:
        """Return the NOTIFY command. It collects the STATUS of each folder."""
        return Command("NOTIFY", spec, frozenset({"STATUS"}))

    @staticmethod
    def clear_command() -> Command:
        """Return the command that ends all notifications.

        It is needed before another folder is selected: Dovecot 2.3 fails an assertion (mail.c,
        "headers->box == mail->box") if it brings messages of two folders after one NOTIFY SET.
        """
        return Command("NOTIFY", "NONE")


class PollWait(WaitStrategy):
    """The folder is synced every `seconds`; nothing is announced."""

    mode = PushMode.POLL
    uses_idle = False


WORST_FIRST: Final = (PushMode.POLL, PushMode.IDLE, PushMode.NOTIFY)


class StrategyChooser:
    """Chooses the best strategy that the server and the options allow and that is not silent."""

    def __init__(self, options: WatchOptions, quirks: Quirks) -> None:
        """Choose for a server with these quirks."""
        self._options = options
        self._quirks = quirks
        self._silent_until: dict[PushMode, float] = {}  # times of the event loop

    @property
    def is_silent(self) -> bool:
        """Return whether a push mode is not used because it was silent."""
        return any(map(self._is_silent, self._silent_until))

    def status_interval(self, strategy: WaitStrategy) -> float:
        """Return the seconds between two STATUS polls of a folder that is not selected."""
        if strategy.covers_unselected:
            return strategy.seconds
        return self._options.poll_interval

    def best(self, capabilities: frozenset[str]) -> WaitStrategy:
        """Return the best strategy at the moment."""
        options, quirks = self._options, self._quirks
        if not announces_mail(options, quirks, capabilities):
            return PollWait(options.poll_interval)
        notifies = "NOTIFY" in capabilities and options.notify
        if notifies and not self._is_silent(PushMode.NOTIFY):
            return NotifyWait(quirks.idle_refresh)
        if not self._is_silent(PushMode.IDLE):
            return IdleWait(quirks.idle_refresh)
        return PollWait(options.poll_interval)

    def update(
        self, strategy: WaitStrategy, capabilities: frozenset[str]
    ) -> WaitStrategy:
        """Return `strategy`, or another one if it is silent or a better one is possible."""
        if strategy.is_silent:
            _LOGGER.warning(
                "%s announces no new mail; it is tried again in an hour",
                strategy.mode.upper(),
            )
            now = asyncio.get_running_loop().time()
            self._silent_until[strategy.mode] = now + SILENT_SECONDS
            return self.best(capabilities)
        best = self.best(capabilities)
        return best if _rank(best) > _rank(strategy) else strategy

    def _is_silent(self, mode: PushMode) -> bool:
        now = asyncio.get_running_loop().time()
        return now < self._silent_until.get(mode, 0.0)


def _rank(strategy: WaitStrategy) -> int:
    return WORST_FIRST.index(strategy.mode)


def announces_mail(
    options: WatchOptions, quirks: Quirks, capabilities: frozenset[str]
) -> bool:
    """Return whether push is allowed, and the server has an IDLE that announces new mail."""
    return options.push and not quirks.idle_is_deaf and "IDLE" in capabilities


def explain_push(
    options: WatchOptions,
    quirks: Quirks,
    capabilities: frozenset[str],
    state: FolderState,
) -> str:
    """Return the push mode of a folder, and why it is not a better one."""
    return f"{state.push_mode}: {_reason_for(options, quirks, capabilities, state)}"


def _reason_for(
    options: WatchOptions,
    quirks: Quirks,
    capabilities: frozenset[str],
    state: FolderState,
) -> str:
    """Return the reason for which `StrategyChooser.best` chose the mode."""
    mode = state.push_mode
    if mode is PushMode.OFF:
        return "the folder is missing" if state.missing else "not connected"
    if mode is PushMode.NOTIFY:
        return "offered and allowed"
    if not options.push:
        return "push option off"
    if quirks.idle_is_deaf:
        return "quirk idle_is_deaf"
    if "IDLE" not in capabilities:
        return "IDLE not offered"
    if mode is PushMode.POLL:
        if state.push_is_silent:
            return "IDLE offered but silent"
        return "IDLE offered, but no connection to spare for this folder"
    if "NOTIFY" not in capabilities:
        return "NOTIFY not offered"
    return "NOTIFY offered but silent" if options.notify else "NOTIFY option off"
