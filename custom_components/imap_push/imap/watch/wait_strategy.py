"""The ways to wait for new mail, and which one to take."""

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

# Seconds of the first IDLE after news. Some servers (pymap is one) never announce what came
# between the last command and IDLE; each IDLE without news makes the next one longer.
IDLE_FIRST: Final = 2.0
IDLE_GROWTH: Final = 4.0
# Seconds that a shortened refresh has at the least.
IDLE_SHORTEST: Final = 30.0
# Sweeps in a row that found mail which was not announced, until push counts as silent.
MAX_MISSES: Final = 3
# Seconds until a silent push is tried again.
SILENCE: Final = 3600.0


class WaitStrategy:
    """A way to wait. `seconds` is how long to wait at the most.

    `idles`: IDLE is under way meanwhile. `tells_of_guests`: the server tells of the folders
    too that are not open.
    """

    mode: ClassVar[PushMode]
    idles: ClassVar[bool] = True
    tells_of_guests: ClassVar[bool] = False

    def __init__(self, seconds: float) -> None:
        """Wait at most so long."""
        self.seconds = seconds

    @property
    def guest_mode(self) -> PushMode:
        """Return how new mail of a folder becomes known that is not open."""
        return self.mode if self.tells_of_guests else PushMode.POLL

    @property
    def is_silent(self) -> bool:
        """Return if mail keeps coming that is not announced."""
        return False

    def stumbled(self) -> None:
        """Learn that the server did not keep it up: it had more to tell than it could, or left."""

    def refused(self) -> None:
        """Learn that the server does not do it."""

    def learn(self, found: int, *, announced: bool) -> None:
        """Learn from how many mails a sweep found, and if there was a reason to look."""


class IdleWait(WaitStrategy):
    """The server announces changes of the open folder while IDLE is under way (RFC 2177).

    IDLE is left and begun again after `refresh` seconds, with a sweep between: that bounds how
    long a link that died unseen stays unnoticed. A refresh of up to 29 minutes is allowed.
    """

    mode = PushMode.IDLE

    def __init__(self, refresh: float) -> None:
        """Start with a short IDLE."""
        self._refresh = refresh
        self._misses = 0
        super().__init__(self._first)

    @property
    def _first(self) -> float:
        return min(IDLE_FIRST, self._refresh)

    @property
    @override
    def is_silent(self) -> bool:
        return self._misses >= MAX_MISSES

    @override
    def stumbled(self) -> None:
        self._misses += 1

    @override
    def refused(self) -> None:
        self._misses = MAX_MISSES

    @override
    def learn(self, found: int, *, announced: bool) -> None:
        grown = min(self.seconds * IDLE_GROWTH, self._refresh)
        self.seconds = self._first if announced or found else grown
        if found and announced:
            self._misses = 0
        elif found:
            self._misses += 1
            self._refresh = max(self._refresh / 2, IDLE_SHORTEST)


class NotifyWait(IdleWait):
    """The server tells of all folders, and brings the mail of the open one (RFC 5465).

    IDLE keeps a read pending on the server's side and bounds silence as it does by itself.
    """

    mode = PushMode.NOTIFY
    tells_of_guests = True

    @property
    @override
    def _first(self) -> float:
        # What comes between two commands is told, too: there is no gap before IDLE.
        return self._refresh

    @staticmethod
    def wish(guests: Iterable[str], text: TextRequest) -> str:
        """Return what is asked for: home's mail, with so much of its text, and its guests' news."""
        events = "MessageNew {}MessageExpunge FlagChange"
        selected = events.format(f"{fetch_items(text)} ")
        names = " ".join(quote(encode_folder(name)) for name in guests)
        if not names:
            return f"SET (selected ({selected}))"
        others = events.format("")
        return f"SET STATUS (selected ({selected})) (mailboxes ({names}) ({others}))"

    @staticmethod
    def arm(wish: str) -> Command:
        """Return the command that asks for all of it; it collects how things are now."""
        return Command("NOTIFY", wish, frozenset({"STATUS"}))

    @staticmethod
    def disarm() -> Command:
        """Return the command that asks for nothing any more.

        Dovecot 2.3 dies (mail.c, "headers->box == mail->box") when it brings a mail of one
        folder after it has brought one of another, unless it was armed anew in between.
        """
        return Command("NOTIFY", "NONE")


class PollWait(WaitStrategy):
    """The folder is looked at afresh every `seconds`."""

    mode = PushMode.POLL
    idles = False


WORST_FIRST: Final = (PushMode.POLL, PushMode.IDLE, PushMode.NOTIFY)


class StrategyChooser:
    """Which way to wait: the best that server and user allow and that was not silent lately."""

    def __init__(self, options: WatchOptions, quirks: Quirks) -> None:
        """Choose for a server with these quirks."""
        self._options = options
        self._quirks = quirks
        self._silent_until: dict[PushMode, float] = {}  # the loop's time

    @property
    def is_silent(self) -> bool:
        """Return if a way that the server offers is left out because it was silent."""
        return any(map(self._is_silent, self._silent_until))

    def interval(self, push: WaitStrategy) -> float:
        """Return the seconds between questions after folders that are not open."""
        return push.seconds if push.tells_of_guests else self._options.poll_interval

    def best(self, capabilities: frozenset[str]) -> WaitStrategy:
        """Return the best way to wait."""
        options, quirks = self._options, self._quirks
        if not announces_mail(options, quirks, capabilities):
            return PollWait(options.poll_interval)
        notifies = "NOTIFY" in capabilities and options.notify
        if notifies and not self._is_silent(PushMode.NOTIFY):
            return NotifyWait(quirks.idle_refresh)
        if not self._is_silent(PushMode.IDLE):
            return IdleWait(quirks.idle_refresh)
        return PollWait(options.poll_interval)

    def revised(self, push: WaitStrategy, capabilities: frozenset[str]) -> WaitStrategy:
        """Return how to wait from now on: by another way if this one is silent, or a better one."""
        if push.is_silent:
            _LOGGER.warning(
                "%s announces no new mail; it is tried again in an hour",
                push.mode.upper(),
            )
            now = asyncio.get_running_loop().time()
            self._silent_until[push.mode] = now + SILENCE
            return self.best(capabilities)
        best = self.best(capabilities)
        return best if _rank(best) > _rank(push) else push

    def _is_silent(self, mode: PushMode) -> bool:
        now = asyncio.get_running_loop().time()
        return now < self._silent_until.get(mode, 0.0)


def _rank(push: WaitStrategy) -> int:
    return WORST_FIRST.index(push.mode)


def announces_mail(
    options: WatchOptions, quirks: Quirks, capabilities: frozenset[str]
) -> bool:
    """Return if new mail becomes known without asking for it, as far as the server says."""
    return options.push and not quirks.idle_is_deaf and "IDLE" in capabilities


def explain_push(
    options: WatchOptions,
    quirks: Quirks,
    capabilities: frozenset[str],
    state: FolderState,
) -> str:
    """Return how new mail of a folder becomes known, and why not in a better way."""
    return f"{state.push_mode}: {_reason_for(options, quirks, capabilities, state)}"


def _reason_for(
    options: WatchOptions,
    quirks: Quirks,
    capabilities: frozenset[str],
    state: FolderState,
) -> str:
    """Return what `StrategyChooser.best` goes by, in words."""
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
