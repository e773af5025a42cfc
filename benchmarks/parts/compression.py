"""Octets that COMPRESS=DEFLATE (RFC 4978) would save, and the memory that it would take."""

import asyncio
from dataclasses import dataclass
import os
import sys
from typing import Any, Final
import zlib

from benchmarks.environment import Environment
from benchmarks.mail import ordinary
from benchmarks.process import Memory
from benchmarks.table import Column, Table, make_table
from custom_components.imap_push.imap.mime.header import FETCH_ITEMS

from tests.rig.dovecot import PASSWORD
from tests.rig.lmtp import LmtpSender
from tests.rig.ports import LOOPBACK

TITLE: Final = "Compression"
MEANING: Final = (
    "The responses of a server to one sync and to the catch-up of many emails, plain and "
    "deflated as in RFC 4978. Also the memory that the two streams of an open connection "
    "need. Because of these figures, compression is not implemented."
)
USER: Final = "compression@example.org"
MAILS: Final = 500
QUICK_MAILS: Final = 20
STREAMS: Final = 100
RAW_DEFLATE: Final = -15


@dataclass(frozen=True)
class Compression:
    """Octets of a conversation, and KiB that a compressed connection takes."""

    what: str
    plain: int
    deflated: int
    memory: float


COLUMNS: Final = (
    Column[Compression]("conversation", lambda row: row.what),
    Column[Compression]("bytes", lambda row: f"{row.plain:,}"),
    Column[Compression]("deflated", lambda row: f"{row.deflated:,}"),
    Column[Compression]("memory per connection", lambda row: f"{row.memory:.0f} KB"),
)


async def measure(environment: Environment) -> Table:
    """Record the responses to FETCH commands and deflate them."""
    mails = QUICK_MAILS if environment.is_quick else MAILS
    memory = await _memory_of_a_process()
    with environment.dovecot([USER], notify=False) as server:
        async with LmtpSender(server.lmtp_port) as sender:
            await sender.send_all(USER, [ordinary(f"Mail {n}") for n in range(mails)])
        answers = {
            "a sync with one email": await _answer(server.imap_port, f"{mails}"),
            f"a catch-up of {mails} emails": await _answer(server.imap_port, "1:*"),
        }
    rows = [
        Compression(what, len(answer), _deflated(answer), memory)
        for what, answer in answers.items()
    ]
    return make_table(TITLE, MEANING, COLUMNS, rows)


async def _answer(port: int, uids: str) -> bytes:
    """Return all responses of the server to a FETCH of these mails."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    for line in (f"1 LOGIN {USER} {PASSWORD}", "2 EXAMINE INBOX"):
        writer.write(f"{line}\r\n".encode())
        await reader.readuntil(f"{line[0]} OK".encode())
        await reader.readline()
    writer.write(f"3 UID FETCH {uids} {FETCH_ITEMS}\r\n4 LOGOUT\r\n".encode())
    answer = await reader.read(-1)
    writer.close()
    return answer


def _deflated(octets: bytes) -> int:
    """Return the deflated size, with one flush at the end as a server does it."""
    stream = zlib.compressobj(wbits=RAW_DEFLATE)
    return len(stream.compress(octets) + stream.flush(zlib.Z_SYNC_FLUSH))


async def _memory_of_a_process() -> float:
    """Return the KiB per connection, measured in a new process without free memory to reuse."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__), stdout=asyncio.subprocess.PIPE
    )
    answer, _ = await process.communicate()
    return float(answer)


def _memory_per_stream() -> float:
    """Return the KiB that a connection's two streams take."""
    before = Memory.of(os.getpid()).unique
    streams: list[Any] = []
    for _ in range(STREAMS):
        out = zlib.compressobj(wbits=RAW_DEFLATE)
        into = zlib.decompressobj(wbits=RAW_DEFLATE)
        data = out.compress(os.urandom(100_000)) + out.flush(zlib.Z_SYNC_FLUSH)
        into.decompress(data)
        streams.append((out, into))
    return (Memory.of(os.getpid()).unique - before) / len(streams)


if __name__ == "__main__":
    sys.stdout.write(str(_memory_per_stream()))
