"""LIST and STATUS responses as real servers send them."""

import pytest

from custom_components.imap_push.imap.wire.folder_responses import (
    parse_list,
    parse_status,
)
from custom_components.imap_push.imap.wire.framing import Framer
from custom_components.imap_push.imap.wire.parser import Data, Value, parse_response


def data(wire: bytes) -> Data:
    """Return the response in these octets."""
    _, (parts, _) = Framer().feed(b"* OK ready\r\n* " + wire + b"\r\n")
    response = parse_response(parts)
    assert isinstance(response, Data)
    return response


@pytest.mark.parametrize(
    ("line", "delimiter", "name"),
    [
        pytest.param(b'() "/" INBOX', b"/", b"INBOX", id="atom"),
        pytest.param(b'(\\Sent) "/" "Sent Items"', b"/", b"Sent Items", id="string"),
        pytest.param(b'() "/" {7}\r\nA "b" c', b"/", b'A "b" c', id="literal"),
        pytest.param(b'() "/" NIL', b"/", b"NIL", id="called NIL"),
        pytest.param(b'() "/" nil', b"/", b"nil", id="called nil"),
        pytest.param(b'() "/" "NIL"', b"/", b"NIL", id="called NIL, quoted"),
        pytest.param(b"() NIL NIL", None, b"NIL", id="called NIL, no delimiter"),
        pytest.param(b'() "/" ""', b"/", b"", id="empty"),
        pytest.param(b'() "/" {0}\r\n', b"/", b"", id="empty literal"),
        pytest.param(b'() "/" ', b"/", b"", id="missing"),
        pytest.param(b'() "/"', b"/", b"", id="missing with its space"),
        pytest.param(b'(\\HasNoChildren) "/" Sent Items', b"/", b"Sent Items", id="spaces"),
        pytest.param(b'() "/" Sent  Items and  more ', b"/", b"Sent  Items and  more", id="several spaces"),
        pytest.param(b'() "/" [Gmail]/All Mail', b"/", b"[Gmail]/All Mail", id="brackets"),
        pytest.param(b'() "/" Foo (old) (1)', b"/", b"Foo (old) (1)", id="parentheses"),
        pytest.param(b'() "/" Foo(1)', b"/", b"Foo(1)", id="parentheses without a space"),
        pytest.param(b"() / a b", b"/", b"a b", id="delimiter without quotes"),
        pytest.param(b"()  NIL\ta b", None, b"a b", id="tabs"),
        pytest.param(b'() "/" a b ("CHILDINFO" ("SUBSCRIBED"))', b"/", b"a b", id="CHILDINFO (RFC 5258)"),
        pytest.param(b'() "/" a (OLDNAME ("b"))', b"/", b"a", id="OLDNAME (RFC 9051)"),
        pytest.param(b'() "/" "a" ("OLDNAME" ("b"))', b"/", b"a", id="OLDNAME and a string"),
        pytest.param(b'() "\\\\" Inbox\\Sub', b"\\", b"Inbox\\Sub", id="backslash (Domino)"),
        pytest.param(b'() "\\\\" "Inbox\\\\Sub"', b"\\", b"Inbox\\Sub", id="escaped backslash"),
        pytest.param(b"", None, b"", id="nothing"),
        pytest.param(b"(", None, b"", id="open"),
        pytest.param(b"() () ()", (), b"", id="lists"),
    ],
)  # fmt: skip
def test_list(line: bytes, delimiter: Value, name: bytes) -> None:
    """Delimiter and name of a LIST response."""
    assert parse_list(data(b"LIST " + line))[1:] == (delimiter, name)


@pytest.mark.parametrize(
    ("line", "name", "numbers"),
    [
        pytest.param(b"INBOX (UNSEEN 3)", b"INBOX", {"UNSEEN": 3}, id="atom"),
        pytest.param(b'"a b" (unseen 3 MESSAGES 5)', b"a b", {"UNSEEN": 3, "MESSAGES": 5}, id="string"),
        pytest.param(b"{3}\r\na(b (UNSEEN 3)", b"a(b", {"UNSEEN": 3}, id="literal"),
        pytest.param(b"Sent Items (UNSEEN 3)", b"Sent Items", {"UNSEEN": 3}, id="spaces (gromox#5)"),
        pytest.param(b"a  b  c\t (UNSEEN 3 )  ", b"a  b  c", {"UNSEEN": 3}, id="several spaces"),
        pytest.param(b"a (b) (UNSEEN 3)", b"a (b)", {"UNSEEN": 3}, id="parentheses"),
        pytest.param(b"a (UNSEEN 9) (UNSEEN 3)", b"a (UNSEEN 9)", {"UNSEEN": 3}, id="misleading name"),
        pytest.param(b'a "b" (UNSEEN 3)', b'a "b"', {"UNSEEN": 3}, id="quotes in the name"),
        pytest.param(b'"a (b" (UNSEEN 3)', b"a (b", {"UNSEEN": 3}, id="parenthesis in a string"),
        pytest.param(b"NIL (UNSEEN 3)", b"NIL", {"UNSEEN": 3}, id="called NIL"),
        pytest.param(b"a(UNSEEN 3)", b"a", {"UNSEEN": 3}, id="no space"),
        pytest.param(b"INBOX ()", b"INBOX", {}, id="empty"),
        pytest.param(b"INBOX", b"INBOX", {}, id="no list"),
        pytest.param(b"(UNSEEN 3)", b"", {"UNSEEN": 3}, id="no name"),
        pytest.param(b"INBOX (UNSEEN)", b"INBOX", {}, id="no number"),
        pytest.param(b"INBOX (UNSEEN 3", b"INBOX", {"UNSEEN": 3}, id="not closed"),
        pytest.param(b"", b"", {}, id="nothing"),
    ],
)  # fmt: skip
def test_status(line: bytes, name: bytes, numbers: dict[str, int]) -> None:
    """Name and numbers of a STATUS response."""
    assert parse_status(data(b"STATUS " + line)) == (name, numbers)
