"""Messages are read the way a user gets them, and each reading belongs to its message."""

import pytest

from ..required import require
from .engine import Push, read_all, reading_of, server

from tests.rig.dovecot import Dovecot

pytestmark = [pytest.mark.dovecot, pytest.mark.usefixtures("socket_enabled")]

PLAIN = b"From: Ada <ada@example.org>\nSubject: door\n\nopen\rnow\n"
WITH_FILE = (
    b"From: bob@example.org\nSubject: report\nContent-Type: multipart/mixed; boundary=b\n\n"
    b"--b\n\nsee file\n"
    b'--b\nContent-Type: application/pdf; name="a.pdf"\nContent-Transfer-Encoding: base64\n\n'
    b"JVBERg==\n--b--\n"
)


@pytest.fixture(autouse=True)
def _dovecot() -> None:
    require(Dovecot.available(), "Dovecot")


@pytest.mark.parametrize("push", Push)
async def test_each_message_has_its_own_reading(push: Push) -> None:
    """Equal messages have a reading each; the server gives all lines their CR."""
    messages = [WITH_FILE, PLAIN, PLAIN]
    with server() as account:
        reads = await read_all(account, messages, push, 100)
    assert [read.data for read in reads] == [
        data.replace(b"\n", b"\r\n") for data in messages
    ]
    readings = [reading_of(read, 100) for read in reads]
    assert [it.values["subject"] for it in readings] == ["report", "door", "door"]
    assert [it.values["event_text"] for it in readings] == [
        "see file",
        "open now",
        "open now",
    ]
    assert [it.values["text"] for it in readings] == [
        "see file",
        "open now",
        "open now",
    ]
    files = [readings[0].files, readings[1].files, readings[2].files]
    assert [[(it.name, it.size) for it in found or ()] for found in files] == [
        [("a.pdf", 4)],
        [],
        [],
    ]


async def test_text_is_marked_as_cut() -> None:
    """Only a text that is long may count as cut."""
    long = PLAIN + b"word " * 100
    with server() as account:
        reads = await read_all(account, [long, PLAIN], Push.NOTIFY, 200)
    assert ["event_text" in reading_of(read, 200).cut for read in reads] == [
        True,
        False,
    ]
