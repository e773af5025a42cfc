"""The debug log shows commands and responses, but no text of messages."""

import pytest

from custom_components.imap_push.imap.wire.command import Command
from custom_components.imap_push.imap.wire.framing import Framer
from custom_components.imap_push.imap.wire.parser import parse_response
from custom_components.imap_push.imap.wire.wire_log import (
    Redactor,
    describe_received,
    describe_sent,
)

HEADER = b"Subject: your code is 4711\r\n\r\n"


def described(wire: bytes) -> list[str]:
    """Return the log line for a response."""
    return [
        describe_received(parse_response(parts, is_cut=is_cut), len(wire), {b"A1"})
        for parts, is_cut in Framer().feed(wire)
    ]


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        pytest.param(b"* 3 EXISTS", "* 3 EXISTS", id="EXISTS"),
        pytest.param(b"* 5 FETCH (UID 7 FLAGS ())", "* 5 FETCH UID 7", id="FETCH"),
        pytest.param(
            b"* 5 FETCH (UID 7 BODY[HEADER] {%d}\r\n" % len(HEADER) + HEADER + b")",
            "* 5 FETCH UID 7",
            id="header as a literal",
        ),
        pytest.param(
            b'* 5 FETCH (UID 7 BODY[HEADER] "Subject: your code is 4711")',
            "* 5 FETCH UID 7",
            id="header as a string",
        ),
        pytest.param(
            b"* 5 FETCH (BODY[TEXT] code-4711 UID 7)", "* 5 FETCH", id="text as an atom"
        ),
        pytest.param(b"* Subject: your code is 4711", "* ?", id="header as a line"),
        pytest.param(b"* OK your code is 4711", "* OK", id="text as a status"),
        pytest.param(b"* NO [CODE4711] code", "* NO [?]", id="text as a code"),
        pytest.param(b"* 12 CODE4711 x", "* 12 ?", id="text as a name"),
        pytest.param(b"+ your code is 4711", "+", id="text as a continuation"),
        pytest.param(
            b'* STATUS "Work 4711" (MESSAGES 3 UNSEEN 1 X 4711)',
            "* STATUS MESSAGES 3 UNSEEN 1",
            id="STATUS",
        ),
        pytest.param(b'* LIST () "/" 4711', "* LIST", id="LIST"),
        pytest.param(b"* OK [UIDNEXT 4711] next", "* OK [UIDNEXT]", id="UIDNEXT"),
        pytest.param(b"A1 OK [READ-ONLY] done", "A1 OK [READ-ONLY]", id="tagged"),
        pytest.param(b"Code4711 no problem", "? NO", id="text as a tag"),
    ],
)
def test_response(wire: bytes, shown: str) -> None:
    """The kind of a response and its numbers are logged."""
    [line] = described(wire + b"\r\n")
    assert line == f"{shown}, {len(wire) + 2} octets"


@pytest.mark.parametrize(
    ("name", "arguments", "secrets", "shown"),
    [
        ("NOOP", "", (), "NOOP"),
        ("EXAMINE", '"Work"', (), 'EXAMINE "Work"'),
        ("LOGIN", '"jane" "hush"', ("hush",), "LOGIN ***"),
        ("AUTHENTICATE", "PLAIN AGph", ("AGph",), "AUTHENTICATE PLAIN ***"),
        ("AUTHENTICATE", "PLAIN", ("AGph",), "AUTHENTICATE PLAIN***"),
        (
            "UID SEARCH",
            'FROM "ann@example.org"',
            (),
            'UID SEARCH FROM "***@example.org"',
        ),
        ("EXAMINE", '"\x85x"', (), 'EXAMINE "\\x85x"'),
    ],
)
async def test_command(
    name: str, arguments: str, secrets: tuple[str, ...], shown: str
) -> None:
    """A command is logged without secrets and without the local parts of addresses."""
    command = Command(name, arguments, secrets=secrets, tag=b"A1")
    assert describe_sent(command) == f"A1 {shown}"


@pytest.mark.parametrize(
    ("secrets", "text", "redacted"),
    [
        pytest.param((), "a" * 20, "a" * 10, id="no secrets"),
        pytest.param(("hush",), "no hush", "no ***", id="secret"),
        pytest.param(("hush",), "no HUSH", "no ***", id="in capitals"),
        pytest.param(("hu", "hush"), "hush hu", "*** ***", id="one within the other"),
        pytest.param(("h.sh",), "hush h.sh", "hush ***", id="no pattern"),
        pytest.param(
            ("hush" * 9,), "hush" * 9 + "!", "***!", id="longer than the text"
        ),
        pytest.param(("hush",), "1234567hush", "1234567***", id="at the end"),
        pytest.param(("",), "nothing", "nothing", id="empty secret"),
    ],
)
def test_server_that_repeats_a_secret(
    secrets: tuple[str, ...], text: str, redacted: str
) -> None:
    """A text is returned without the secret, and cut to the limit."""
    redactor = Redactor()
    redactor.add(secrets)
    assert redactor.redact(text, 10) == redacted
