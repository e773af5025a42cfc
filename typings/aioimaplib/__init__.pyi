# The parts of aioimaplib that imap/wire/protocol.py uses. The library has no type hints.
import asyncio
from collections.abc import Callable, Collection

class IMAP4ClientProtocol(asyncio.Protocol):
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    state: str
    capabilities: Collection[str]
    state_condition: asyncio.Condition
    idle_queue: asyncio.Queue[object]
    _idle_event: asyncio.Event
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop | None,
        conn_lost_cb: Callable[[Exception | None], None] | None = None,
    ) -> None: ...
    def new_tag(self) -> str: ...

LOGOUT: str
