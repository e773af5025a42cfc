# All that imap/protocol.py relies on in aioimaplib, which ships no types.
import asyncio
from collections.abc import Callable

class IMAP4ClientProtocol(asyncio.Protocol):
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    state: str
    capabilities: set[str]
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop | None,
        conn_lost_cb: Callable[[Exception | None], None] | None = None,
    ) -> None: ...
    def new_tag(self) -> str: ...

LOGOUT: str
