"""What imap/wire/protocol.py relies on in aioimaplib, whichever of the supported versions it is."""

import asyncio
from unittest.mock import Mock

import aioimaplib
from aioimaplib import LOGOUT, IMAP4ClientProtocol


async def test_what_we_rely_on() -> None:
    """See the parts of the library's protocol that ours keeps."""
    protocol = IMAP4ClientProtocol(asyncio.get_running_loop())
    assert isinstance(protocol, asyncio.Protocol)
    assert protocol.capabilities == set()
    transport = Mock(spec=asyncio.Transport)
    protocol.connection_made(transport)
    assert protocol.transport is transport
    tags = {protocol.new_tag() for _ in range(1000)}
    assert len(tags) == 1000
    assert all(tag.isascii() and tag.isalnum() for tag in tags)
    assert protocol.state != LOGOUT
    assert aioimaplib.IMAP4ClientProtocol is IMAP4ClientProtocol
