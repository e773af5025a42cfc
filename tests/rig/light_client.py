"""The server side of a connection to LightServer."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
import re
from typing import Final, override

from .light_folder import LightFolder

CAPABILITIES: Final = b"IMAP4rev1 IDLE ESEARCH SASL-IR LITERAL+"

_SELECTED: Final = re.compile(rb"\(selected \(MessageNew (\(.*?\)) MessageExpunge")
_MAILBOXES: Final = re.compile(rb"\(mailboxes \(([^)]*)\)")
_QUOTED: Final = re.compile(rb'"([^"]*)"')


class Pipelining(Enum):
    """What happens to commands that follow another one in the same write."""

    SUPPORTED = auto()
    ANSWERS_BAD = auto()
    HANGS_UP = auto()
    FALLS_SILENT = auto()
    FORGETS_AFTER_DONE = auto()


@dataclass(kw_only=True)
class Habits:
    """Capabilities and behavior of a server; `limit` is the number of authenticated connections.

    `twist` gets each command and returns the response lines, None for the usual ones. Each of
    `hooks` gets each event; the first that returns lines, not None, decides what is sent. `odd`
    makes hooks.
    """

    capabilities: bytes = CAPABILITIES
    greeting: bytes = b"OK"
    twist: Callable[[bytes], Iterable[bytes] | None] | None = None
    hooks: Sequence[Callable[[Event], Iterable[bytes] | None]] = ()
    pipelining: Pipelining = Pipelining.SUPPORTED
    limit: int | None = None
    refuses_idle: bool = False
    refuses_notify: bool = False
    is_silent_in_idle: bool = False
    is_silent_in_notify: bool = False
    hides_uidnext: bool = False


@dataclass(kw_only=True)
class Store:
    """State that all connections of a server share."""

    habits: Habits
    folders: dict[bytes, LightFolder]
    clients: set[LightClient] = field(default_factory=set)
    asked: Counter[bytes] = field(default_factory=Counter)  # commands by name
    memory: Counter[str] = field(default_factory=Counter)  # of hooks
    started: float | None = None  # when the first client connected


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that a server reacts to: a command, or one of these.

    GREETING: a client connected. DONE: it ended IDLE. NEWS: its open folder changed, or one that
    NOTIFY covers. `lines` are the usual responses to `arguments`; they are computed when `usual`
    is called, which also does what the command is for. `folder` is what the event is about: the
    folder of EXAMINE, STATUS and NEWS, otherwise the open one.
    """

    client: LightClient
    store: Store
    name: bytes
    lines: Callable[[bytes], Iterable[bytes]]
    arguments: bytes = b""
    tag: bytes = b""
    folder: bytes = b""

    def usual(self, arguments: bytes | None = None) -> list[bytes]:
        """Return the usual responses, by default to the arguments that were sent."""
        return list(self.lines(self.arguments if arguments is None else arguments))

    @property
    def seconds(self) -> float:
        """Return the time since the first client connected."""
        return asyncio.get_running_loop().time() - (self.store.started or 0.0)

    def later(self, seconds: float, send: Callable[[LightClient], object]) -> None:
        """Call `send` with the client after so many seconds, if it is still connected."""
        client, clients = self.client, self.store.clients
        asyncio.get_running_loop().call_later(
            seconds, lambda: client in clients and send(client)
        )


@dataclass(frozen=True)
class _NotifySpec:
    """The arguments of NOTIFY SET (RFC 5465)."""

    items: bytes  # FETCH items for each new mail in the selected folder
    mailboxes: frozenset[bytes]

    @classmethod
    def parse(cls, arguments: bytes) -> _NotifySpec:
        """Parse the arguments."""
        selected, mailboxes = _SELECTED.search(arguments), _MAILBOXES.search(arguments)
        assert selected, arguments
        names = _QUOTED.findall(mailboxes[1]) if mailboxes else ()
        return cls(selected[1], frozenset(names))


class LightClient(asyncio.Protocol):
    """The server side of one connection.

    Commands are answered one after the other, even if several come in one write.
    """

    def __init__(self, store: Store) -> None:
        """Serve the folders of this store."""
        self._store = store
        self._buffer = b""
        self._selected: LightFolder | None = None
        self._reported_exists = 0  # the last EXISTS that was sent
        self._notify_spec: _NotifySpec | None = None
        self._is_closing = False
        self._is_logged_in = False
        # Tags of commands whose next line is not a command.
        self._tag_of_idle = b""
        self._tag_of_login = b""
        self.memory: Counter[str] = Counter()  # of hooks
        self._held: list[bytes] | None = None  # lines to answer later

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._store.clients.add(self)
        if self._store.started is None:
            self._store.started = asyncio.get_running_loop().time()
        self._send(self._respond(b"GREETING", self._greet))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._store.clients.discard(self)

    @override
    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\r\n")
        self._send(self._answers(lines))

    @property
    def is_idle(self) -> bool:
        """Return whether the client is in IDLE."""
        return bool(self._tag_of_idle)

    def has_open(self, folder: LightFolder) -> bool:
        """Return whether a folder is the selected one."""
        return folder is self._selected

    @property
    def selected(self) -> LightFolder | None:
        """Return the folder that is open."""
        return self._selected

    def hang_up(self) -> None:
        """Close the connection after the lines that are being sent."""
        self._is_closing = True

    def hold(self) -> None:
        """Answer no more commands until `resume`."""
        self._held = []

    def resume(self, *lines: bytes) -> None:
        """Send lines and answer the commands that came meanwhile."""
        held, self._held = self._held or [], None
        self.say(*lines)
        self._send(self._answers(held))

    def end_idle(self) -> bytes:
        """Leave IDLE without DONE; return its tag, b"" if the client is not in IDLE."""
        tag, self._tag_of_idle = self._tag_of_idle, b""
        return tag

    def say(self, *lines: bytes) -> None:
        """Send lines in one write."""
        self.transport.write(b"".join(line + b"\r\n" for line in lines))

    def close(self) -> None:
        """Close the connection (FIN)."""
        self.transport.close()

    def send_unsolicited(
        self, folder: LightFolder, lines: Iterable[bytes], mails: Iterable[int] = ()
    ) -> None:
        """Send unsolicited responses about a folder, if IDLE or NOTIFY allows it."""
        habits, spec = self._store.habits, self._notify_spec
        if spec is None:
            is_silent = habits.is_silent_in_idle or not self.is_idle
        else:
            is_silent = habits.is_silent_in_notify
        if is_silent:
            return
        if folder is self._selected:
            self._reported_exists = folder.exists
            shown = [uid for uid in mails if spec and uid not in folder.hidden]
            pushed = [folder.fetched(uid, spec.items) for uid in shown if spec]
            self._announce(folder, [*lines, *pushed])
        elif spec is not None and folder.name in spec.mailboxes:
            self._announce(folder, [folder.status()])

    def _announce(self, folder: LightFolder, lines: list[bytes]) -> None:
        self._send(self._respond(b"NEWS", lambda _: lines, folder=folder.name))

    def _send(self, lines: Iterable[bytes]) -> None:
        if sent := list(lines):
            self.say(*sent)
        if self._is_closing:
            self.close()

    def _respond(
        self,
        name: bytes,
        lines: Callable[[bytes], Iterable[bytes]],
        arguments: bytes = b"",
        tag: bytes = b"",
        folder: bytes | None = None,
    ) -> Iterable[bytes]:
        """Return the responses to an event, from a hook or the usual ones."""
        if folder is None:
            folder = self._selected.name if self._selected else b""
        event = Event(
            client=self,
            store=self._store,
            name=name,
            lines=lines,
            arguments=arguments,
            tag=tag,
            folder=folder,
        )
        answers = (hook(event) for hook in self._store.habits.hooks)
        answer = next((lines for lines in answers if lines is not None), None)
        return event.usual() if answer is None else answer

    def _greet(self, _arguments: bytes) -> Iterator[bytes]:
        habits = self._store.habits
        greeting = (habits.greeting, habits.capabilities)
        yield b"* %b [CAPABILITY %b] light" % greeting

    def _done(self, _arguments: bytes) -> Iterator[bytes]:
        yield self.end_idle() + b" OK IDLE over"

    def overflow(self) -> None:
        """End NOTIFY with NOTIFICATIONOVERFLOW (RFC 5465 5.8)."""
        if self._notify_spec is not None:
            self._notify_spec = None
            self.say(b"* OK [NOTIFICATIONOVERFLOW] too much")

    def _answers(self, lines: list[bytes]) -> Iterator[bytes]:
        """Yield the responses to the lines of one write."""
        for place, line in enumerate(lines):
            if self._held is not None:
                self._held += lines[place:]
                return
            if self._is_closing:
                return
            habit = self._store.habits.pipelining if place else Pipelining.SUPPORTED
            match habit:
                case Pipelining.SUPPORTED:
                    yield from self._answer(line)
                case Pipelining.ANSWERS_BAD:
                    yield line.split(b" ")[0] + b" BAD one at a time"
                case Pipelining.HANGS_UP:
                    self._is_closing = True
                    return
                case Pipelining.FALLS_SILENT:
                    return
                case Pipelining.FORGETS_AFTER_DONE if lines[0] == b"DONE":
                    return
                case Pipelining.FORGETS_AFTER_DONE:
                    yield from self._answer(line)

    def _answer(self, line: bytes) -> Iterator[bytes]:
        if self._tag_of_idle:
            assert line.upper() == b"DONE", line
            yield from self._respond(b"DONE", self._done)
        elif self._tag_of_login:
            yield from self._admit(self._tag_of_login)
            self._tag_of_login = b""
        else:
            yield from self._answer_command(line)

    def _answer_command(self, line: bytes) -> Iterator[bytes]:
        tag, _, rest = line.partition(b" ")
        name, _, arguments = rest.partition(b" ")
        if name.upper() == b"UID":
            second, _, arguments = arguments.partition(b" ")
            name += b" " + second
        self._store.asked[name.upper()] += 1
        twist = self._store.habits.twist
        if twist is not None and (twisted := twist(line)) is not None:
            yield from twisted
            return
        name = name.upper()
        folder = None
        if name in {b"EXAMINE", b"STATUS"}:
            folder = arguments.partition(b" (")[0].strip(b'"')
        if name == b"EXAMINE":
            self._selected = None  # A refused EXAMINE leaves no folder open.
        answer = _ANSWERS.get(name, LightClient._refuse)
        yield from self._respond(
            name,
            lambda arguments: answer(self, tag, arguments),
            arguments,
            tag,
            folder,
        )

    def _refuse(self, tag: bytes, _arguments: bytes) -> Iterator[bytes]:
        yield tag + b" BAD unknown command"

    def _log_in(self, tag: bytes, arguments: bytes) -> Iterator[bytes]:
        if arguments.upper() == b"PLAIN":
            self._tag_of_login = tag
            yield b"+ "
        else:
            yield from self._admit(tag)

    def _admit(self, tag: bytes) -> Iterator[bytes]:
        habits = self._store.habits
        others = sum(client._is_logged_in for client in self._store.clients)
        if habits.limit is not None and others >= habits.limit:
            yield tag + b" NO [LIMIT] Too many simultaneous connections"
            return
        self._is_logged_in = True
        yield tag + b" OK [CAPABILITY %b] in" % habits.capabilities

    def _capability(self, tag: bytes, _arguments: bytes) -> Iterator[bytes]:
        yield b"* CAPABILITY " + self._store.habits.capabilities
        yield tag + b" OK CAPABILITY"

    def _examine(self, tag: bytes, arguments: bytes) -> Iterator[bytes]:
        self._selected = folder = self._store.folders.get(arguments.strip(b'"'))
        if folder is None:
            yield tag + b" NO [NONEXISTENT] no such folder"
            return
        self._reported_exists = folder.exists
        yield b"* %d EXISTS" % folder.exists
        yield b"* OK [UIDVALIDITY %d] valid" % folder.uid_validity
        if not self._store.habits.hides_uidnext:
            yield b"* OK [UIDNEXT %d] next" % (folder.last + 1)
        if b"CONDSTORE" in self._store.habits.capabilities:
            yield b"* OK [HIGHESTMODSEQ %d] highest" % folder.modseq
        yield tag + b" OK [READ-ONLY] EXAMINE"

    def _select(self, tag: bytes, arguments: bytes) -> Iterator[bytes]:
        self._selected = None
        *lines, last = self._examine(tag, arguments)
        yield from (*lines, last.replace(b"READ-ONLY] EXAMINE", b"READ-WRITE] SELECT"))

    def _list(self, tag: bytes, _arguments: bytes) -> Iterator[bytes]:
        for name in self._store.folders:
            yield b'* LIST () "/" "%b"' % name
        yield tag + b" OK LIST"

    def _change(self, tag: bytes, arguments: bytes) -> Iterator[bytes]:
        r"""Add or remove \Seen or \Flagged; other clients get the flags."""
        folder, (numbers, how, flags) = self._selected, arguments.split(b" ", 2)
        assert folder is not None
        uids = folder.uids(numbers)
        marked = folder.seen if b"Seen" in flags else folder.flagged
        (marked.update if how.startswith(b"+") else marked.difference_update)(uids)
        for client in self._store.clients - {self}:
            lines = [folder.fetched(uid, b"FLAGS") for uid in uids]
            client.send_unsolicited(folder, lines)
        yield tag + b" OK STORE"

    def _move(self, tag: bytes, arguments: bytes) -> Iterator[bytes]:
        """Move mails to another folder; other clients get EXPUNGE and EXISTS."""
        folder, (numbers, name) = self._selected, arguments.split(b" ", 1)
        target = self._store.folders.get(name.strip(b'"'))
        if folder is None or target is None:
            yield tag + b" NO [TRYCREATE] no such folder"
            return
        moved = folder.uids(numbers)
        lines = []
        for uid in moved:
            lines.append(b"* %d EXPUNGE" % folder.sequence_number(uid))
            target.last += 1
            target.numbers[target.last] = folder.number(uid)
            folder.gone.add(uid)
        self._reported_exists = folder.exists
        for client in self._store.clients - {self}:
            client.send_unsolicited(folder, lines)
            client.send_unsolicited(target, [b"* %d EXISTS" % target.exists])
        if moved:
            copies = b"%d:%d" % (target.last - len(moved) + 1, target.last)
            named = (target.uid_validity, b",".join(b"%d" % uid for uid in moved))
            yield b"* OK [COPYUID %d %b %b] moved" % (*named, copies)
        yield from lines
        yield tag + b" OK MOVE"

    def _status(self, tag: bytes, arguments: bytes) -> Iterator[bytes]:
        name, _, items = arguments.partition(b" (")
        folder = self._store.folders.get(name.strip(b'"'))
        if folder is None:
            yield tag + b" NO [NONEXISTENT] no such folder"
            return
        yield folder.status(items.rstrip(b")"))
        yield tag + b" OK STATUS"

    def _fetch(self, tag: bytes, arguments: bytes) -> Iterator[bytes]:
        folder, (numbers, _, items) = self._selected, arguments.partition(b" ")
        if folder is None:
            yield tag + b" BAD no folder is open"
            return
        uids = folder.uids(numbers)
        if b"BODY" in items and folder.unshowable.intersection(uids):
            yield tag + b" NO a mail cannot be shown"
            return
        for uid in uids:
            yield folder.fetched(uid, items)
        yield from self._new_exists()
        yield tag + b" OK FETCH"

    def _fetch_by_number(self, tag: bytes, arguments: bytes) -> Iterator[bytes]:
        """Fetch by message sequence numbers."""
        numbers, _, items = arguments.partition(b" ")
        if self._selected is not None:
            uids = self._selected.uids(b"1:*")
            ends = [
                len(uids) if end == b"*" else int(end)
                for end in re.split(b"[:,]", numbers)
            ]
            lowest, highest = max(min(ends), 1), min(max(ends), len(uids))
            found = uids[lowest - 1 : highest]
            numbers = b",".join(b"%d" % uid for uid in found)
            if not found:
                yield tag + b" BAD no such message"
                return
        yield from self._fetch(tag, numbers + b" " + items)

    def _search(self, tag: bytes, arguments: bytes) -> Iterator[bytes]:
        """Yield a number of mails, or UIDs; only UNSEEN, SEEN, FLAGGED and UID are criteria."""
        folder, words = self._selected, arguments.upper().split()
        if folder is None:
            yield tag + b" BAD no folder is open"
            return
        if arguments.upper() == b"RETURN (COUNT) UNSEEN":
            yield b'* ESEARCH (TAG "%b") UID COUNT %d' % (tag, folder.unseen)
        else:
            numbers = words[words.index(b"UID") + 1] if b"UID" in words else b"1:*"
            found = set(folder.uids(numbers))
            if b"UNSEEN" in words:
                found -= folder.seen
            if b"SEEN" in words:
                found &= folder.seen
            if b"FLAGGED" in words:
                found &= folder.flagged
            uids = [b"%d" % uid for uid in sorted(found)]
            if words[0] == b"RETURN":
                every = b" ALL " + b",".join(uids) if uids else b""
                counted = (tag, len(uids), every)
                yield b'* ESEARCH (TAG "%b") UID COUNT %d%b' % counted
            else:
                yield b" ".join((b"* SEARCH", *uids))
        yield from self._new_exists()
        yield tag + b" OK SEARCH"

    def _notify(self, tag: bytes, arguments: bytes) -> Iterator[bytes]:
        if self._store.habits.refuses_notify:
            yield tag + b" NO not for you"
            return
        self._notify_spec = (
            None if arguments == b"NONE" else _NotifySpec.parse(arguments)
        )
        if self._notify_spec is not None and arguments.startswith(b"SET STATUS"):
            folders = map(self._store.folders.get, sorted(self._notify_spec.mailboxes))
            yield from (folder.status() for folder in folders if folder)
        yield tag + b" OK NOTIFY"

    def _idle(self, tag: bytes, _arguments: bytes) -> Iterator[bytes]:
        if self._store.habits.refuses_idle:
            yield tag + b" NO not for you"
            return
        self._tag_of_idle = tag
        yield b"+ idling"
        if not self._store.habits.is_silent_in_idle:
            yield from self._new_exists()

    def _log_out(self, tag: bytes, _arguments: bytes) -> Iterator[bytes]:
        self._is_closing = True
        yield b"* BYE see you"
        yield tag + b" OK LOGOUT"

    def _do_nothing(self, tag: bytes, _arguments: bytes) -> Iterator[bytes]:
        yield from self._new_exists()
        yield tag + b" OK done"

    def _new_exists(self) -> Iterator[bytes]:
        """Yield EXISTS if the number of mails has changed since the last one."""
        if (
            self._selected is not None
            and self._reported_exists != self._selected.exists
        ):
            self._reported_exists = self._selected.exists
            yield b"* %d EXISTS" % self._reported_exists


_ANSWERS: Final[dict[bytes, Callable[[LightClient, bytes, bytes], Iterator[bytes]]]] = {
    b"AUTHENTICATE": LightClient._log_in,
    b"CAPABILITY": LightClient._capability,
    b"EXAMINE": LightClient._examine,
    b"FETCH": LightClient._fetch_by_number,
    b"ID": LightClient._do_nothing,
    b"IDLE": LightClient._idle,
    b"LIST": LightClient._list,
    b"LOGIN": LightClient._log_in,
    b"LOGOUT": LightClient._log_out,
    b"NOOP": LightClient._do_nothing,
    b"NOTIFY": LightClient._notify,
    b"SELECT": LightClient._select,
    b"STATUS": LightClient._status,
    b"UID FETCH": LightClient._fetch,
    b"UID MOVE": LightClient._move,
    b"UID SEARCH": LightClient._search,
    b"UID STORE": LightClient._change,
}
