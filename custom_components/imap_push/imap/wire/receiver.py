r"""The receive path of a connection as a state machine: octets in, events out.

It does no I/O, has no clock and calls nothing back: `PushProtocol` does all of that.

    receiver.expect(request)             before the request is sent
    for event in receiver.feed(octets):  one event for each response

    S: * OK [CAPABILITY IMAP4rev1] hi      Greeting
    S: * 5 EXISTS                          None: collected by EXAMINE
    S: A1 OK [READ-ONLY] done              Answer: INBOX is open from now on
    S: + idling                            Continuation
    S: * 6 EXISTS                          Change of INBOX
    S: * 6 FETCH (UID 9 BODY[HEADER] ...)  Change of INBOX, with a message (NOTIFY)
    S: * STATUS Work (UIDNEXT 4)           FolderStatus
    S: * BYE shutting down                 Notice

Untagged data is collected by the oldest request for it. Other data is unsolicited. It belongs to
the folder that is selected when it arrives, and the event has that folder.
"""

from collections import deque
from collections.abc import Iterator
import logging
from typing import NamedTuple

from ..errors import NotImap, ProtocolError
from ..limits import (
    MAX_COLLECTED,
    MAX_CUT,
    MAX_OF_CONNECTION,
    MAX_RESPONSES,
    RESERVED,
    ReceiveBudget,
    ReceiveQuota,
)
from .framing import Framed, Framer
from .parser import (
    Continuation,
    Data,
    Status,
    name_of_protocol,
    parse_capabilities,
    parse_response,
    search_tag,
)
from .request import Request
from .response_codes import starttls_error
from .wire_log import describe_received

_LOGGER = logging.getLogger(__name__)


class SelectedFolder:
    """A folder while it is selected, and how many messages it has (RFC 3501 7.3.1, 7.4.1).

    `exists` is their number, `synced` how many of them are below the mark. `name` is None if no
    folder is selected. A folder that is selected again is another object.
    """

    def __init__(self, name: str | None = None, exists: int = 0) -> None:
        """Start with this number of messages, all of them below the mark."""
        self.name = name
        self.exists = self.synced = exists

    @property
    def growth(self) -> int:
        """Return how many messages there are that no sync has covered."""
        return self.exists - self.synced

    def set_synced(self, count: int | None) -> None:
        """Set how many messages are below the mark; None: all of them."""
        self.synced = self.exists if count is None else min(count, self.exists)

    def set_exists(self, exists: int) -> None:
        """Process EXISTS."""
        self.exists, self.synced = exists, min(self.synced, exists)

    def expunge(self, number: int) -> None:
        """Process EXPUNGE of the message that has this sequence number."""
        self.synced -= number <= self.synced
        self.exists = max(0, self.exists - 1)


class Greeting(NamedTuple):
    """The server greeted, or refused the connection."""

    status: Status


class Notice(NamedTuple):
    """An untagged OK, NO, BAD or BYE."""

    status: Status


class Answer(NamedTuple):
    """The tagged response to a request. After the answer to EXAMINE, `folder` is that folder."""

    status: Status
    folder: SelectedFolder


class Change(NamedTuple):
    """An unsolicited change of a folder.

    `newest_removed`: perhaps its last message. `shrunk`: it lost messages without EXPUNGE. `mail`
    is a FETCH response with message data (NOTIFY, RFC 5465 5.2).
    """

    folder: SelectedFolder
    newest_removed: bool = False
    shrunk: bool = False
    mail: Data | None = None


class FolderStatus(NamedTuple):
    """An unsolicited STATUS response, which names its folder."""

    data: Data


type Event = Greeting | Notice | Answer | Continuation | Change | FolderStatus


class Receiver:
    """The receive path of one connection."""

    def __init__(
        self, budget: ReceiveBudget | None = None, *, is_greeted: bool = False
    ) -> None:
        """Start unselected. `budget` limits the memory of all connections of the account.

        `is_greeted`: TLS has started, so that the server sends no greeting.
        """
        budget = budget or ReceiveBudget()
        self.capabilities: frozenset[str] = frozenset()
        self.selected = SelectedFolder()
        self._framer = Framer()
        self._is_greeted = is_greeted
        self._requests: dict[bytes, Request] = {}
        self._answered: deque[bytes] = deque(maxlen=10)  # tags
        self._starttls_tag = b""  # after OK to STARTTLS
        self._fetched = ReceiveQuota(budget, MAX_OF_CONNECTION, reserved=RESERVED)
        self._collected = ReceiveQuota(ReceiveBudget(MAX_COLLECTED), MAX_COLLECTED)

    def expect(self, request: Request) -> None:
        """Expect the answer to a request, which has a tag."""
        self._requests[request.tag] = request

    def feed(self, octets: bytes) -> Iterator[Event | None]:
        """Add octets and yield an event for each response, None if there is nothing to do.

        Raises an ImapError if the connection cannot be used any longer.
        """
        if self._starttls_tag:
            raise starttls_error(self._starttls_tag, octets)
        for framed in self._framer.feed(octets):
            # What follows OK to STARTTLS in plain text may be forged (RFC 9051 11.1).
            if self._starttls_tag:
                raise starttls_error(self._starttls_tag, framed.parts[0])
            # An empty line is the rest of a FETCH response.
            yield None if framed.parts == [b""] else self._receive(framed)
        if self.awaits_tls and self._framer.holds_more:
            raise starttls_error(self._starttls_tag, b"")

    @property
    def awaits_tls(self) -> bool:
        """Return whether the server has answered STARTTLS with OK."""
        return bool(self._starttls_tag)

    def forget_capabilities(self) -> None:
        """Forget the capabilities: logging in changes them (RFC 3501 6.2)."""
        self.capabilities = frozenset()

    def release(self) -> None:
        """Release the memory of collected data, unless a request is still collecting."""
        if self._first_collecting() is None:
            self._fetched.release()
            self._collected.release()

    def close(self) -> None:
        """Release the memory and accept no more data."""
        self._fetched.close()
        self._collected.close()

    def _receive(self, framed: Framed) -> Event | None:
        parts = framed.parts
        if not self._is_greeted:
            return self._greeting(framed)
        try:
            response = parse_response(parts, is_cut=framed.is_cut)
        except ProtocolError:
            # Servers say in plain text why they block an address (NioImapClient#94).
            if not any(request.secrets for request in self._requests.values()):
                raise
            text = "" if framed.is_cut else parts[0].decode(errors="replace")
            response = Status(None, "BYE", None, b"", text)
        if _LOGGER.isEnabledFor(logging.DEBUG):
            size = sum(map(len, parts))
            _LOGGER.debug("< %s", describe_received(response, size, self._requests))
        match response:
            case Data():
                return self._data(response)
            case Status(tag=None):
                self._read_code(response)
                return Notice(response)
            case Status():
                return self._answer(response)
        return response

    def _greeting(self, framed: Framed) -> Greeting:
        line = framed.parts[0]
        is_untagged = line.startswith((b"* ", b"*\t"))
        status = parse_response([line], is_cut=framed.is_cut) if is_untagged else None
        if not isinstance(status, Status):
            raise NotImap(name_of_protocol(line))
        self._is_greeted = True
        self._read_code(status)
        return Greeting(status)

    def _read_code(self, status: Status) -> None:
        """Read the response code of an untagged status as data."""
        if status.code == "CAPABILITY":
            self.capabilities = parse_capabilities(status.code_args)
        elif status.code is not None:
            self._collect(Data(status.code, None, [status.code_args]))

    def _answer(self, status: Status) -> Answer | None:
        tag = status.tag or b""
        request = self._requests.get(tag)
        if request is None and tag in self._answered:
            return None  # Some servers answer IDLE twice.
        if request is None:
            raise ProtocolError(f"an answer with an unknown tag: {status.status}")
        is_ok, opens = status.status == "OK", request.opens
        if opens is not None and request is not self._first_collecting():
            raise ProtocolError(
                "a folder was opened before commands in another were answered"
            )
        del self._requests[tag]
        self._answered.append(tag)
        if status.code == "CAPABILITY":
            self.capabilities = parse_capabilities(status.code_args)
        if opens is not None:
            # After NO, no folder is selected (RFC 3501 6.3.1).
            is_counted = is_ok and self.selected.name == opens
            exists = self.selected.exists if is_counted else 0
            self.selected = SelectedFolder(opens if is_ok else None, exists)
        elif is_ok and request.name == "STARTTLS":
            self._starttls_tag = tag
        return Answer(status, self.selected)

    def _data(self, data: Data) -> Event | None:
        if self._collect(data):
            return None
        folder = self.selected
        match data.name:
            case "CAPABILITY":
                self.capabilities = parse_capabilities(data.parts[0])
            case "STATUS":
                return FolderStatus(data)
            case "EXISTS":
                before, exists = folder.exists, data.number or 0
                folder.set_exists(exists)
                # Some servers repeat it whenever IDLE begins.
                return (
                    None if exists == before else Change(folder, shrunk=exists < before)
                )
            case "EXPUNGE":
                is_newest = (data.number or 0) >= folder.exists
                folder.expunge(data.number or 0)
                return Change(folder, newest_removed=is_newest)
            case "FETCH":
                # FETCH responses without message data only report changed flags.
                has_mail = data.cut or b"BODY[" in data.parts[0]
                return Change(folder, mail=data if has_mail else None)
            case "VANISHED":
                return Change(folder, newest_removed=True)
        return None

    def _collect(self, data: Data) -> bool:
        """Add data to the oldest request that collects it; return whether there is one."""
        # Dovecot may answer several searches in another order.
        tag = search_tag(data) if data.name == "ESEARCH" else b""
        named = self._requests.get(tag)
        for request in (named,) if named else self._requests.values():
            if data.name in request.collects:
                request.data.append(self._fit(data, request))
                if request.opens is not None and data.name == "EXISTS":
                    self.selected = SelectedFolder(request.opens, data.number or 0)
                return True
            if request.opens is not None:
                return False
        return False

    def _fit(self, data: Data, request: Request) -> Data:
        """Return the data if it fits in the limits, or the beginning of a FETCH response.

        Raises ProtocolError for other data that does not fit, and after MAX_CUT responses that
        were cut: no real server sends so much.
        """
        is_fetch, is_list = data.name == "FETCH", data.name == "LIST"
        too_many = not is_fetch and not is_list and len(request.data) >= MAX_RESPONSES
        holding = self._fetched if is_fetch else self._collected
        if not too_many and holding.acquire(data.memory):
            return data
        request.cut += 1
        if not is_fetch or request.cut > MAX_CUT:
            raise ProtocolError(f"{request.name}: too much data")
        return data.beginning()

    def _first_collecting(self) -> Request | None:
        """Return the oldest running request that collects untagged data."""
        return next((item for item in self._requests.values() if item.collects), None)
