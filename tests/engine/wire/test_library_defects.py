"""Each defect of aioimaplib that imap/wire/protocol.py avoids: present in the library, absent in ours.

If a test of the library fails, upstream has fixed the defect: remove our override.
"""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable
import contextlib
from dataclasses import dataclass
import json
import logging
from typing import Any

import aioimaplib
import pytest

from custom_components.imap_push.imap import ConnectionLost, LoginRefused
from custom_components.imap_push.imap.auth.login import log_in
from custom_components.imap_push.imap.session.session import Session
from custom_components.imap_push.imap.wire.command import Command
from custom_components.imap_push.imap.wire.connection import Connection
from custom_components.imap_push.imap.wire.fetch_response import parse_fetch
from custom_components.imap_push.imap.wire.protocol import PushProtocol

from ..conftest import account
from ..scripted import Peer, ScriptedServer
from ..tokens import Tokens

FETCH = frozenset({"FETCH"})
WOKEN_WITHIN = 0.15  # seconds; a call that takes longer counts as never ending

library: Any = aioimaplib


async def never_ends(awaitable: Awaitable[object]) -> bool:
    """Return True if an awaitable does not end."""
    try:
        await asyncio.wait_for(awaitable, WOKEN_WITHIN)
    except TimeoutError:
        return True
    return False


@dataclass(frozen=True)
class Defect:
    """What the server sends, what the library does, and what our connection does."""

    serve: Callable[[Peer], Awaitable[None]]
    library: Callable[[Any], Awaitable[None]]
    ours: Callable[[Connection], Awaitable[None]]


async def many_lines(peer: Peer) -> None:
    tag = await peer.expect("UID FETCH")
    peer.say(
        *(b"* %d FETCH (UID %d)" % (n, n) for n in range(1, 2001)), tag + b" OK done"
    )


async def library_fails_on_many_lines(client: Any) -> None:
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: errors.append(context)
    )
    assert await never_ends(client.protocol.uid("fetch", "1:*", "(UID)"))
    assert isinstance(errors[0]["exception"], RecursionError)


async def we_accept_many_lines(connection: Connection) -> None:
    [completion] = await connection.run(Command("UID FETCH", "1:* (UID)", FETCH))
    assert [data.number for data in completion.data] == list(range(1, 2001))


async def close_in_idle(peer: Peer) -> None:
    await peer.idle()
    peer.close()


async def reset_in_idle(peer: Peer) -> None:
    await peer.idle()
    await asyncio.sleep(0.05)
    peer.reset()


async def library_misses_the_end(client: Any) -> None:
    await client.idle_start()
    assert await never_ends(client.wait_server_push())


async def we_notice_the_end(connection: Connection) -> None:
    await connection.send(idle=True)
    with pytest.raises(ConnectionLost):
        await asyncio.wait_for(connection.wait_for_unsolicited(60), WOKEN_WITHIN)


async def bye_instead_of_idling(peer: Peer) -> None:
    await peer.expect("IDLE")
    peer.say(b"* BYE too idle")


async def library_waits_after_bye(client: Any) -> None:
    assert await never_ends(client.idle_start())


async def we_keep_the_bye(connection: Connection) -> None:
    await connection.send(idle=True)
    with pytest.raises(ConnectionLost, match="too idle"):
        await asyncio.wait_for(connection.wait_for_unsolicited(60), WOKEN_WITHIN)


async def exists_between_commands(peer: Peer) -> None:
    await peer.answer("NOOP|STATUS")
    peer.say(b"* 7 EXISTS")


async def library_drops_exists(client: Any) -> None:
    await client.noop()
    assert await never_ends(client.wait_server_push())


async def we_queue_exists(connection: Connection) -> None:
    await connection.run(Command("NOOP"))
    await asyncio.wait_for(connection.wait_for_unsolicited(60), WOKEN_WITHIN)


async def text_with_stars(peer: Peer) -> None:
    await peer.answer("UID FETCH", b'* 1 FETCH (UID 1 X "a * b")')


async def library_cuts_stars(client: Any) -> None:
    response = await client.uid("fetch", "1", "(X)")
    assert b'"a b"' in response.lines[0]


async def we_keep_stars(connection: Connection) -> None:
    [completion] = await connection.run(Command("UID FETCH", "1 (X)", FETCH))
    assert parse_fetch(completion.data[0]).items["X"] == b"a * b"


async def sad_smiley(peer: Peer) -> None:
    await peer.answer(
        "UID FETCH", b'* 1 FETCH (UID 1 X ":-(")', b'* 2 FETCH (UID 2 X "next")'
    )


async def library_joins_responses(client: Any) -> None:
    response = await client.uid("fetch", "1:2", "(X)")
    assert response.lines[1].startswith(b"* ")


async def we_separate_responses(connection: Connection) -> None:
    [completion] = await connection.run(Command("UID FETCH", "1:2 (X)", FETCH))
    assert [parse_fetch(data).items["X"] for data in completion.data] == [
        b":-(",
        b"next",
    ]


async def refuse_token(peer: Peer) -> None:
    tag = await peer.expect("AUTHENTICATE XOAUTH2")
    peer.say(b"+ " + b64encode(json.dumps({"status": "401"}).encode()))
    assert await peer.line() == b""
    peer.say(tag + b" NO [AUTHENTICATIONFAILED] invalid token")


async def library_hangs_on_the_challenge(client: Any) -> None:
    client.protocol.state = (
        library.NONAUTH if hasattr(library, "NONAUTH") else "NONAUTH"
    )
    assert await never_ends(client.protocol.xoauth2("user", "token"))


async def we_answer_the_challenge(connection: Connection) -> None:
    with pytest.raises(LoginRefused, match="invalid token.*401"):
        await log_in(connection, account(0, token=Tokens("ya29.x")))


async def take_login(peer: Peer) -> None:
    await peer.answer("LOGIN", ok=b"OK [CAPABILITY IMAP4rev1 IDLE] Logged in")


async def library_reads_brackets(client: Any) -> None:
    client.protocol.state = "NONAUTH"
    client.protocol.capabilities = set()
    await client.login("user", "secret")
    assert {"IDLE]", "Logged"} <= client.protocol.capabilities


async def we_read_capabilities(connection: Connection) -> None:
    await log_in(connection, account(0))
    assert connection.capabilities == {"IMAP4REV1", "IDLE"}


async def take_token(peer: Peer) -> None:
    await peer.answer("AUTHENTICATE", ok=b"OK in")
    await peer.answer("CAPABILITY", b"* CAPABILITY IMAP4rev1 IDLE NOTIFY")


async def library_does_not_request_again(client: Any) -> None:
    client.protocol.state = "NONAUTH"
    await client.xoauth2("user", "token")
    assert not client.has_capability("NOTIFY")
    await client.capability() if hasattr(
        client, "capability"
    ) else await client.protocol.capability()


async def we_request_again(connection: Connection) -> None:
    await log_in(connection, account(0, token=Tokens("ya29.x")))
    assert "NOTIFY" in connection.capabilities


async def silent_then_helpful(peer: Peer) -> None:
    await peer.expect("SELECT|EXAMINE")
    with contextlib.suppress(asyncio.IncompleteReadError):
        await peer.answer("NOOP")


async def library_waits_for_the_cancelled(client: Any) -> None:
    assert await never_ends(client.select("INBOX"))
    assert await never_ends(client.protocol.simple_command("NOOP"))


async def we_continue_after_the_cancelled(connection: Connection) -> None:
    assert await never_ends(connection.run(Command("EXAMINE", "INBOX")))
    await asyncio.wait_for(connection.run(Command("NOOP")), WOKEN_WITHIN)


async def pipeline(peer: Peer) -> None:
    first = await peer.expect("UID FETCH")
    second = await peer.expect("UID SEARCH RETURN")
    # Dovecot may answer in another order.
    peer.say(b"* ESEARCH (TAG x) UID COUNT 3", second + b" OK", first + b" OK")


async def library_has_no_pipeline(client: Any) -> None:
    first = asyncio.ensure_future(client.protocol.uid("fetch", "1", "(UID)"))
    second = asyncio.ensure_future(client.protocol.uid("fetch", "2", "(UID)"))
    assert await never_ends(asyncio.gather(first, second))
    assert len(client.protocol.pending_async_commands) == 1


async def we_pipeline(connection: Connection) -> None:
    _, counted = await connection.run(
        Command("UID FETCH", "1:* (UID)", FETCH),
        Command("UID SEARCH", "RETURN (COUNT) UNSEEN", frozenset({"ESEARCH"})),
    )
    assert counted.data[0].parts == [b"(TAG x) UID COUNT 3"]


async def newer_commands(peer: Peer) -> None:
    for command in ("ENABLE", "NOTIFY"):
        with contextlib.suppress(asyncio.IncompleteReadError):
            await peer.answer(command)


async def library_lacks_newer_commands(client: Any) -> None:
    assert not any(hasattr(client, name) for name in ("starttls", "notify", "compress"))
    with pytest.raises(library.Abort, match="illegal in state SELECTED"):
        await client.protocol.simple_command("ENABLE", "QRESYNC")


async def we_send_newer_commands(connection: Connection) -> None:
    await connection.run(Command("ENABLE", "QRESYNC"))
    await connection.run(Command("NOTIFY", "NONE"))


DEFECTS = {
    "a thousand lines in one read": Defect(
        many_lines, library_fails_on_many_lines, we_accept_many_lines
    ),
    "closed during IDLE": Defect(
        close_in_idle, library_misses_the_end, we_notice_the_end
    ),
    "reset during IDLE": Defect(
        reset_in_idle, library_misses_the_end, we_notice_the_end
    ),
    "BYE instead of +": Defect(
        bye_instead_of_idling, library_waits_after_bye, we_keep_the_bye
    ),
    "EXISTS while no command is pending": Defect(
        exists_between_commands, library_drops_exists, we_queue_exists
    ),
    "text with stars": Defect(text_with_stars, library_cuts_stars, we_keep_stars),
    "unbalanced parenthesis": Defect(
        sad_smiley, library_joins_responses, we_separate_responses
    ),
    "XOAUTH2 refused": Defect(
        refuse_token, library_hangs_on_the_challenge, we_answer_the_challenge
    ),
    "capabilities in the login's answer": Defect(
        take_login, library_reads_brackets, we_read_capabilities
    ),
    "capabilities after XOAUTH2": Defect(
        take_token, library_does_not_request_again, we_request_again
    ),
    "a cancelled exclusive command": Defect(
        silent_then_helpful,
        library_waits_for_the_cancelled,
        we_continue_after_the_cancelled,
    ),
    "pipelining and ESEARCH": Defect(pipeline, library_has_no_pipeline, we_pipeline),
    "ENABLE while selected, NOTIFY": Defect(
        newer_commands, library_lacks_newer_commands, we_send_newer_commands
    ),
}


@pytest.fixture(params=DEFECTS.values(), ids=list(DEFECTS))
def defect(request: pytest.FixtureRequest) -> Defect:
    """Return one defect."""
    row: Defect = request.param
    return row


async def library_client(port: int) -> Any:
    """Return the library's client in the selected state."""
    client = library.IMAP4("127.0.0.1", port, timeout=WOKEN_WITHIN * 10)
    await client.wait_hello_from_server()
    client.protocol.state = "SELECTED"
    return client


async def test_library_has_the_defect(defect: Defect) -> None:
    """The library has the defect."""

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK ready")
        await peer.answer("CAPABILITY", b"* CAPABILITY IMAP4rev1 IDLE ESEARCH")
        with contextlib.suppress(
            asyncio.IncompleteReadError, ConnectionError, AssertionError
        ):
            await defect.serve(peer)

    async with ScriptedServer(serve) as server:
        client = await library_client(server.port)
        try:
            await defect.library(client)
        finally:
            asyncio.get_running_loop().set_exception_handler(None)
            client.protocol.transport.abort()
            if client._idle_waiter is not None:
                client._idle_waiter.cancel()
            for task in (*client.tasks, *client.protocol.tasks):
                task.cancel()
            await asyncio.sleep(0)


async def test_connection_does_not_have_the_defect(defect: Defect) -> None:
    """Our connection does not have the defect."""

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 IDLE ESEARCH AUTH=XOAUTH2 SASL-IR] ready")
        await defect.serve(peer)

    async with ScriptedServer(serve) as server:
        connection = await Connection.open(account(server.port))
        try:
            await defect.ours(connection)
        finally:
            connection.abort()


PASSWORD = 'pass"word\\1'


async def test_library_logs_the_password_and_sends_the_user_name_raw(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The library logs the quoted password and does not quote the user name."""
    caplog.set_level(logging.DEBUG)
    said: list[bytes] = []

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK ready")
        await peer.answer("CAPABILITY", b"* CAPABILITY IMAP4rev1")
        tag = await peer.expect("LOGIN")
        said.extend(peer.received)
        peer.say(tag + b" OK")

    async with ScriptedServer(serve) as server:
        client = library.IMAP4("127.0.0.1", server.port)
        await client.wait_hello_from_server()
        await client.login("user name", PASSWORD)
        client.protocol.transport.abort()
    assert said[-1].split(b" ", 1)[1] == rb'LOGIN user name "pass\"word\\1"'
    assert 'LOGIN user name "pass' in caplog.text


async def test_we_quote_the_user_name_and_keep_the_password_out_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No form of the password is logged, even if the server repeats it."""
    caplog.set_level(logging.DEBUG)

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
        tag = await peer.expect("LOGIN")
        peer.say(
            b"* OK you said " + peer.received[-1],
            tag + b" OK [CAPABILITY IMAP4rev1] in",
        )

    async with ScriptedServer(serve) as server:
        connection = await Connection.open(account(server.port))
        await log_in(
            connection, account(server.port, username="user name", password=PASSWORD)
        )
        connection.abort()
    assert server.peers[0].received[-1].endswith(rb'LOGIN "user name" "pass\"word\\1"')
    assert "LOGIN" in caplog.text
    assert "pass" not in caplog.text


@pytest.mark.parametrize(
    ("folder", "sent"),
    [
        ("My Folder", b'EXAMINE "My Folder"'),
        ('a"b\\c', rb'EXAMINE "a\"b\\c"'),
        ("Entwürfe", b'EXAMINE "Entw&APw-rfe"'),
        ("R&D", b'EXAMINE "R&-D"'),
    ],
    ids=["space", "quotes", "non-ASCII", "ampersand"],
)
async def test_library_sends_folder_names_raw(folder: str, sent: bytes) -> None:
    """The library sends a folder name as it is; we send modified UTF-7 in a quoted string."""

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK ready")
        await peer.answer("CAPABILITY", b"* CAPABILITY IMAP4rev1")
        await peer.answer("SELECT")

    async def serve_us(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine()

    async with ScriptedServer(serve, serve_us) as server:
        client = library.IMAP4("127.0.0.1", server.port)
        await client.wait_hello_from_server()
        client.protocol.state = "AUTH"
        await client.select(folder)
        client.protocol.transport.abort()
        session = await Session.open(account(server.port))
        await session.examine(folder)
        raw, ours = server.peers[0].received[-1], server.peers[1].received[-1]
        await session.close()
    assert raw.endswith(f"SELECT {folder}".encode())
    assert ours.split(b" ", 1)[1] == sent


class Counted(bytes):
    """Octets that count how often they are formatted."""

    written = 0

    def __str__(self) -> str:
        """Count the call."""
        Counted.written += 1
        return "octets"

    __repr__ = __str__


async def test_library_formats_chunks_without_debug_log() -> None:
    """The library formats each chunk even if debug logs are off; we do not."""
    logging.getLogger("aioimaplib").setLevel(logging.INFO)
    loop = asyncio.get_running_loop()
    Counted.written = 0
    library.IMAP4ClientProtocol(loop).data_received(Counted(b"* 1"))
    assert Counted.written == 1
    PushProtocol(loop).data_received(Counted(b"* 1"))
    assert Counted.written == 1
