"""The receive path: octets in, events out. No event loop, no connection."""

from collections.abc import Iterable
from typing import Final

from hypothesis import given, strategies as st
import pytest

from custom_components.imap_push.imap import ImapError, NotImap, ProtocolError
from custom_components.imap_push.imap.wire.parser import Continuation, Data, Status
from custom_components.imap_push.imap.wire.receiver import (
    Answer,
    Change,
    Event,
    FolderStatus,
    Greeting,
    Notice,
    Receiver,
    SelectedFolder,
)
from custom_components.imap_push.imap.wire.request import Request

OPENED: Final = frozenset({"EXISTS", "FLAGS", "UIDVALIDITY", "UIDNEXT"})
FETCH: Final = frozenset({"FETCH"})


def examine(tag: str, folder: str) -> Request:
    """Return EXAMINE."""
    return Request("EXAMINE", folder, OPENED, opens=folder, tag=tag.encode())


def fetch(tag: str) -> Request:
    """Return UID FETCH."""
    return Request("UID FETCH", "1:* (UID)", FETCH, tag=tag.encode())


def shown(event: Event | None) -> str:
    """Return an event as one line, with the folder that it belongs to."""
    match event:
        case Greeting(status) | Notice(status):
            return f"{type(event).__name__} {status.status}"
        case Answer(status, folder):
            tag = (status.tag or b"").decode()
            return f"{tag} {status.status}, {folder.name} has {folder.exists}"
        case Change(folder):
            kinds = {"newest": event.newest_removed, "shrunk": event.shrunk}
            kinds["mail"] = event.mail is not None
            names = [name for name, is_one in kinds.items() if is_one]
            return " ".join(("Change", str(folder.name), *names))
        case FolderStatus(data):
            return f"FolderStatus {data.parts[0].decode()}"
        case Continuation(text):
            return f"+ {text.decode()}"
    return ""


def receive(
    lines: str, *requests: Request, receiver: Receiver | None = None
) -> list[str]:
    """Return the events of lines that a server sends after its greeting."""
    receiver = receiver or Receiver(is_greeted=True)
    for request in requests:
        receiver.expect(request)
    octets = "".join(f"{line.strip()}\r\n" for line in lines.strip().splitlines())
    return [line for event in receiver.feed(octets.encode()) if (line := shown(event))]


IN_INBOX: Final = """* 5 EXISTS
    A1 OK done
"""


@pytest.mark.parametrize(
    ("lines", "events"),
    [
        ("* 5 EXISTS", []),
        ("* 6 EXISTS", ["Change INBOX"]),
        ("* 4 EXISTS", ["Change INBOX shrunk"]),
        ("* 5 EXPUNGE", ["Change INBOX newest"]),
        ("* 2 EXPUNGE", ["Change INBOX"]),
        ("* VANISHED 1:3", ["Change INBOX newest"]),
        (r"* 2 FETCH (UID 2 FLAGS (\Seen))", ["Change INBOX"]),
        ('* 6 FETCH (UID 6 BODY[HEADER] "x")', ["Change INBOX mail"]),
        ("* STATUS Work (UIDNEXT 4)", ["FolderStatus Work (UIDNEXT 4)"]),
        ("* 0 RECENT", []),
        ("* FLAGS ()", []),
        ("* CAPABILITY IMAP4rev1", []),
        ("* OK still here", ["Notice OK"]),
        ("* BYE shutting down", ["Notice BYE"]),
        ("+ idling", ["+ idling"]),
        ("A1 OK again", []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_event_of_a_response(lines: str, events: list[str]) -> None:
    """Each unsolicited response is an event of the folder that is selected, or none."""
    found = receive(IN_INBOX + lines, examine("A1", "INBOX"))
    assert found == ["A1 OK, INBOX has 5", *events]


@pytest.mark.parametrize(
    ("lines", "events"),
    [
        (
            """* 5 EXISTS
            A1 OK done
            * 6 EXISTS
            * 3 EXISTS
            A2 OK done
            * 4 EXISTS""",
            # EXAMINE of Work collects the second EXISTS, although it may be that of INBOX.
            ["A1 OK, INBOX has 5", "A2 OK, Work has 3", "Change Work"],
        ),
        (
            """* 5 EXISTS
            A1 OK done
            * 6 FETCH (UID 6 BODY[HEADER] "x")
            * 3 EXISTS
            * 4 FETCH (UID 4 BODY[HEADER] "x")
            A2 OK done""",
            [
                "A1 OK, INBOX has 5",
                "Change INBOX mail",
                "Change Work mail",
                "A2 OK, Work has 3",
            ],
        ),
        (
            """* 5 EXISTS
            A1 OK done
            A2 NO no such folder
            * 6 EXISTS""",
            ["A1 OK, INBOX has 5", "A2 NO, None has 0", "Change None"],
        ),
        (
            """* 5 EXISTS
            A1 OK done
            A2 OK done
            * 1 EXISTS""",
            ["A1 OK, INBOX has 5", "A2 OK, Work has 0", "Change Work"],
        ),
    ],
    ids=[
        "another folder",
        "mail before the tagged OK",
        "a folder that does not exist",
        "EXAMINE without EXISTS",
    ],
)
def test_folder_of_an_event(lines: str, events: list[str]) -> None:
    """An event belongs to the folder that was selected when it arrived."""
    assert receive(lines, examine("A1", "INBOX"), examine("A2", "Work")) == events


def test_folder_that_is_selected_again_is_another_one() -> None:
    """Its messages may have other UIDs, so earlier events must not count as its own."""
    receiver = Receiver(is_greeted=True)
    receive(IN_INBOX, examine("A1", "INBOX"), receiver=receiver)
    before = receiver.selected
    receive("* 5 EXISTS\nA2 OK done", examine("A2", "INBOX"), receiver=receiver)
    assert receiver.selected.name == before.name
    assert receiver.selected is not before


@pytest.mark.parametrize(
    ("lines", "collected"),
    [
        ("* 1 FETCH (UID 1)\nA1 OK\n* 2 FETCH (UID 2)\nA2 OK", ([1], [2])),
        ("* 1 FETCH (UID 1)\n* 2 FETCH (UID 2)\nA1 OK\nA2 OK", ([1, 2], [])),
        ("* 1 FETCH (UID 1)\nA2 OK\n* 2 FETCH (UID 2)\nA1 OK", ([1, 2], [])),
        ("* 1 FETCH (UID 1)\nA1 NO\n* 2 FETCH (UID 2)\nA2 OK", ([1], [2])),
    ],
    ids=["in turn", "early", "the second is answered first", "refused"],
)
def test_data_belongs_to_the_oldest_request(
    lines: str, collected: tuple[list[int], list[int]]
) -> None:
    """Untagged data does not name its request."""
    requests = fetch("A1"), fetch("A2")
    receive(lines, *requests)
    assert tuple([data.number for data in item.data] for item in requests) == collected


def test_search_names_its_request() -> None:
    """Dovecot may answer several searches in another order (RFC 4466 2.6.2)."""
    collects = frozenset({"ESEARCH"})
    requests = [Request("UID SEARCH", "", collects, tag=tag) for tag in (b"A1", b"A2")]
    receive('* ESEARCH (TAG "A2") UID COUNT 7', *requests)
    assert [len(request.data) for request in requests] == [0, 1]


def test_data_after_examine_belongs_to_no_later_request() -> None:
    """It may belong to the folder that was selected before."""
    request = fetch("A2")
    events = receive("* 1 FETCH (UID 1)", examine("A1", "INBOX"), request)
    assert (events, request.data) == (["Change None"], [])


@pytest.mark.parametrize(
    ("greeting", "event"),
    [
        (b"* OK ready\r\n", Greeting(Status(None, "OK", None, b"", "ready"))),
        (b"* PREAUTH x\r\n", Greeting(Status(None, "PREAUTH", None, b"", "x"))),
        (b"* BYE busy\r\n", Greeting(Status(None, "BYE", None, b"", "busy"))),
        (b"+OK POP3 ready\r\n", NotImap),
        (b"* 1 EXISTS\r\n", NotImap),
    ],
    ids=["OK", "PREAUTH", "BYE", "POP3", "data"],
)
def test_greeting(greeting: bytes, event: Greeting | type[ImapError]) -> None:
    """The first line is a greeting (RFC 3501 7.1), or the server does not use IMAP."""
    if isinstance(event, Greeting):
        assert list(Receiver().feed(greeting)) == [event]
    else:
        with pytest.raises(event):
            list(Receiver().feed(greeting))


@pytest.mark.parametrize("is_login", [True, False], ids=["login", "other request"])
@pytest.mark.parametrize("size", [60, 70_000], ids=["short", "cut"])
def test_text_in_answer_to_a_login(is_login: bool, size: int) -> None:
    """It counts as BYE, unless it was cut: its secrets could not be redacted."""
    text = "Your IP address is blocked".ljust(size, ".")
    receiver = Receiver(is_greeted=True)
    secrets = ("secret",) if is_login else ()
    receiver.expect(Request("LOGIN", secrets=secrets, tag=b"A1"))
    events = receiver.feed(f"* OK\r\n{text}\r\n".encode())
    next(events)
    if is_login:
        shown_text = text if size == 60 else ""
        assert next(events) == Notice(Status(None, "BYE", None, b"", shown_text))
    else:
        with pytest.raises(ProtocolError):
            next(events)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("A9 OK done", "unknown tag"),
        ("A2 OK done", "before commands in another were answered"),
        ("hello", "not an IMAP response"),
    ],
)
def test_response_that_ends_the_connection(lines: str, message: str) -> None:
    """The events before it are returned."""
    receiver = Receiver(is_greeted=True)
    for request in (fetch("A1"), examine("A2", "INBOX")):
        receiver.expect(request)
    events = receiver.feed(f"* OK\r\n{lines}\r\n".encode())
    assert shown(next(events)) == "Notice OK"
    with pytest.raises(ProtocolError, match=message):
        next(events)


@pytest.mark.parametrize(
    "chunks",
    [[b"A1 OK begin\r\n* 1 EXISTS\r\n"], [b"A1 OK begin\r\n* 1 EX"]],
    ids=["a response", "a part of one"],
)
def test_plain_text_after_starttls(chunks: Iterable[bytes]) -> None:
    """It may be forged (RFC 9051 11.1)."""
    receiver = Receiver(is_greeted=True)
    receiver.expect(Request("STARTTLS", tag=b"A1"))
    events: list[Event | None] = []
    with pytest.raises(ImapError):
        events += (event for chunk in chunks for event in receiver.feed(chunk))
    assert receiver.awaits_tls


@pytest.mark.parametrize(
    ("lines", "capabilities"),
    [
        ("* CAPABILITY IMAP4rev1 idle", {"IMAP4REV1", "IDLE"}),
        ("* OK [CAPABILITY NOTIFY] x", {"NOTIFY"}),
        ("A1 OK [CAPABILITY IDLE] x", {"IDLE"}),
        ("* IDLE", set()),
    ],
)
def test_capabilities(lines: str, capabilities: set[str]) -> None:
    """They are in a response of their own, or in a response code (RFC 3501 7.1, 7.2.1)."""
    receiver = Receiver(is_greeted=True)
    receive(lines, Request("LOGIN", tag=b"A1"), receiver=receiver)
    assert receiver.capabilities == capabilities
    receiver.forget_capabilities()
    assert not receiver.capabilities


@pytest.mark.parametrize(
    ("responses", "exists", "synced"),
    [
        ("* 6 EXISTS", 6, 4),
        ("* 2 EXPUNGE", 4, 3),
        ("* 5 EXPUNGE", 4, 4),
        ("* 5 EXPUNGE\n* 4 EXPUNGE", 3, 3),
        ("* 9 EXPUNGE", 4, 4),
        ("* 0 EXPUNGE", 4, 3),
        ("* 1 EXPUNGE\n" * 7, 0, 0),
        ("* 1 EXPUNGE\n* 5 EXISTS", 5, 3),
        ("* 3 EXISTS", 3, 3),
        ("* 0 EXISTS\n* 5 EXISTS", 5, 0),
        ("* VANISHED 1:3", 5, 4),
    ],
    ids=[
        "new",
        "below the mark",
        "the last, not synced",
        "the last two",
        "no such message",
        "number 0",
        "more than there are",
        "one removed, one new",
        "fewer without EXPUNGE",
        "replaced",
        "VANISHED",
    ],
)
def test_synced_messages(responses: str, exists: int, synced: int) -> None:
    """How many of the messages of the selected folder are below the mark."""
    receiver = Receiver(is_greeted=True)
    receive(IN_INBOX, examine("A1", "INBOX"), receiver=receiver)
    receiver.selected.set_synced(4)
    receive(responses, receiver=receiver)
    folder = receiver.selected
    assert (folder.exists, folder.synced) == (exists, synced)
    assert folder.growth == exists - synced


@pytest.mark.parametrize(("count", "synced"), [(None, 5), (3, 3), (7, 5)])
def test_set_synced(count: int | None, synced: int) -> None:
    """It is never more than there are; None means all."""
    folder = SelectedFolder("INBOX", 5)
    folder.set_synced(count)
    assert folder.synced == synced


@given(st.lists(st.integers(1, 200), max_size=20))
def test_chunks_may_end_anywhere(places: list[int]) -> None:
    """The events are the same."""
    wire = (
        b"* 5 EXISTS\r\nA1 OK done\r\n* 6 EXISTS\r\n* 6 FETCH (UID 9 BODY[HEADER] {3}\r\nabc)\r\n"
        b"* STATUS Work (UIDNEXT 4)\r\n+ idling\r\n* 1 EXPUNGE\r\n* OK [ALERT] x\r\n"
    )
    ends = sorted({*places, len(wire)})
    chunks = [wire[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    found = []
    for pieces in (chunks, [wire]):
        receiver = Receiver(is_greeted=True)
        receiver.expect(examine("A1", "INBOX"))
        found.append(
            [shown(event) for piece in pieces for event in receiver.feed(piece)]
        )
    assert found[0] == found[1]
    assert len(found[0]) == 8


def test_large_mail_is_cut() -> None:
    """Only its beginning is kept, and the event says that it is a mail."""
    receiver = Receiver(is_greeted=True)
    receive(IN_INBOX, examine("A1", "INBOX"), receiver=receiver)
    size = 4 * 1024 * 1024
    line = b"* 6 FETCH (UID 6 BODY[HEADER] {%d}\r\n%b)\r\n" % (size, b"x" * size)
    [event] = [event for event in receiver.feed(line) if event is not None]
    assert isinstance(event, Change)
    assert isinstance(event.mail, Data)
    assert event.mail.cut is not None
