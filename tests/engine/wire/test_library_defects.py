"""Every defect of aioimaplib that imap/wire/protocol.py answers: seen in the library, gone in ours.

A row that fails for the library means that upstream mended it: its override can go.
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
from custom_components.imap_push.imap.wire.parser import parse_fetch
from custom_components.imap_push.imap.wire.protocol import PushProtocol

from ..conftest import account
from ..scripted import Peer, ScriptedServer
from ..tokens import Tokens

FETCH = frozenset({"FETCH"})
WOKEN_WITHIN = 0.15  # seconds after which a call counts as never ending

library: Any = aioimaplib


async def never_ends(awaitable: Awaitable[object]) -> bool:
    """Return if nothing comes of this."""
    try:
        await asyncio.wait_for(awaitable, WOKEN_WITHIN)
    except TimeoutError:
        return True
    return False


@dataclass(frozen=True)
class Defect:
    """What the server does, what the library makes of it, and what we do."""

    serve: Callable[[Peer], Awaitable[None]]
    library: Callable[[Any], Awaitable[None]]
    ours: Callable[[Connection], Awaitable[None]]


async def many_lines(peer: Peer) -> None:
    tag = await peer.expect("UID FETCH")
    peer.say(
        *(b"* %d FETCH (UID %d)" % (n, n) for n in range(1, 2001)), tag + b" OK done"
    )


async def library_dies_of_many_lines(client: Any) -> None:
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: errors.append(context)
    )
    assert await never_ends(client.protocol.uid("fetch", "1:*", "(UID)"))
    assert isinstance(errors[0]["exception"], RecursionError)


async def we_take_many_lines(connection: Connection) -> None:
    [completion] = await connection.run(Command("UID FETCH", "1:* (UID)", FETCH))
    assert [data.number for data in completion.data] == list(range(1, 2001))


async def close_in_idle(peer: Peer) -> None:
    await peer.idle()
    peer.close()


async def reset_in_idle(peer: Peer) -> None:
    await peer.idle()
    await asyncio.sleep(0.05)
    peer.reset()


async def library_waits_for_the_dead(client: Any) -> None:
    await client.idle_start()
    assert await never_ends(client.wait_server_push())


async def we_notice_the_dead(connection: Connection) -> None:
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


async def news_between_commands(peer: Peer) -> None:
    await peer.answer("NOOP|STATUS")
    peer.say(b"* 7 EXISTS")


async def library_drops_news(client: Any) -> None:
    await client.noop()
    assert await never_ends(client.wait_server_push())


async def we_keep_news(connection: Connection) -> None:
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


async def library_glues_answers(client: Any) -> None:
    response = await client.uid("fetch", "1:2", "(X)")
    assert response.lines[1].startswith(b"* ")


async def we_keep_answers_apart(connection: Connection) -> None:
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


async def library_never_asks_again(client: Any) -> None:
    client.protocol.state = "NONAUTH"
    await client.xoauth2("user", "token")
    assert not client.has_capability("NOTIFY")
    await client.capability() if hasattr(
        client, "capability"
    ) else await client.protocol.capability()


async def we_ask_again(connection: Connection) -> None:
    await log_in(connection, account(0, token=Tokens("ya29.x")))
    assert "NOTIFY" in connection.capabilities


async def silent_then_helpful(peer: Peer) -> None:
    await peer.expect("SELECT|EXAMINE")
    with contextlib.suppress(asyncio.IncompleteReadError):
        await peer.answer("NOOP")


async def library_waits_behind_the_cancelled(client: Any) -> None:
    assert await never_ends(client.select("INBOX"))
    assert await never_ends(client.protocol.simple_command("NOOP"))


async def we_go_on_after_the_cancelled(connection: Connection) -> None:
    assert await never_ends(connection.run(Command("EXAMINE", "INBOX")))
    await asyncio.wait_for(connection.run(Command("NOOP")), WOKEN_WITHIN)


async def pipeline(peer: Peer) -> None:
    first = await peer.expect("UID FETCH")
    second = await peer.expect("UID SEARCH RETURN")
    # Dovecot answers in another order than was asked.
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
        many_lines, library_dies_of_many_lines, we_take_many_lines
    ),
    "closed during IDLE": Defect(
        close_in_idle, library_waits_for_the_dead, we_notice_the_dead
    ),
    "reset during IDLE": Defect(
        reset_in_idle, library_waits_for_the_dead, we_notice_the_dead
    ),
    "BYE instead of +": Defect(
        bye_instead_of_idling, library_waits_after_bye, we_keep_the_bye
    ),
    "news while no command is pending": Defect(
        news_between_commands, library_drops_news, we_keep_news
    ),
    "text with stars": Defect(text_with_stars, library_cuts_stars, we_keep_stars),
    "unbalanced parenthesis": Defect(
        sad_smiley, library_glues_answers, we_keep_answers_apart
    ),
    "XOAUTH2 refused": Defect(
        refuse_token, library_hangs_on_the_challenge, we_answer_the_challenge
    ),
    "capabilities in the login's answer": Defect(
        take_login, library_reads_brackets, we_read_capabilities
    ),
    "capabilities after XOAUTH2": Defect(
        take_token, library_never_asks_again, we_ask_again
    ),
    "a cancelled exclusive command": Defect(
        silent_then_helpful,
        library_waits_behind_the_cancelled,
        we_go_on_after_the_cancelled,
    ),
    "pipelining and ESEARCH": Defect(pipeline, library_has_no_pipeline, we_pipeline),
    "ENABLE while selected, NOTIFY": Defect(
        newer_commands, library_lacks_newer_commands, we_send_newer_commands
    ),
}


@pytest.fixture(params=DEFECTS.values(), ids=list(DEFECTS))
def defect(request: pytest.FixtureRequest) -> Defect:
    """Return one row."""
    row: Defect = request.param
    return row


async def library_client(port: int) -> Any:
    """Return the library's client, greeted and in the selected state."""
    client = library.IMAP4("127.0.0.1", port, timeout=WOKEN_WITHIN * 10)
    await client.wait_hello_from_server()
    client.protocol.state = "SELECTED"
    return client


async def test_the_library_has_the_defect(defect: Defect) -> None:
    """See the defect in the library."""

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


async def test_ours_is_sound(defect: Defect) -> None:
    """See that our connection does what is right."""

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
    """See the quoted password in the library's log."""
    caplog.set_level(logging.DEBUG)
    said: list[bytes] = []

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK ready")
        await peer.answer("CAPABILITY", b"* CAPABILITY IMAP4rev1")
        await peer.answer("LOGIN")
        said.extend(peer.received)

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
    """See that no form of the password is logged, even if the server repeats it."""
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
async def test_folder_names(folder: str, sent: bytes) -> None:
    """See that the library sends a name raw, and we send it as RFC 3501 wants it."""

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
    """Octets that count how often they are written out for a log."""

    written = 0

    def __str__(self) -> str:
        """Count."""
        Counted.written += 1
        return "octets"

    __repr__ = __str__


async def test_only_the_library_formats_chunks_for_a_log_that_is_off() -> None:
    """See the library build a string for each chunk, and us none."""
    logging.getLogger("aioimaplib").setLevel(logging.INFO)
    loop = asyncio.get_running_loop()
    Counted.written = 0
    library.IMAP4ClientProtocol(loop).data_received(Counted(b"* 1"))
    assert Counted.written == 1
    PushProtocol(loop).data_received(Counted(b"* 1"))
    assert Counted.written == 1
