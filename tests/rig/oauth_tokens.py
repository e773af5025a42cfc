"""Tokens of OAuthServer, renewed in the same way as by Home Assistant's OAuth2 helper."""

import asyncio
import time
from typing import Any

import aiohttp

from custom_components.imap_push.imap import TokenRevoked, Unavailable

from .oauth_server import CLIENT_ID, CLIENT_SECRET, TOKEN, OAuthServer


class OAuthTokens:
    """Returns the access token, and renews it `margin` seconds before it expires."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        server: OAuthServer,
        *,
        margin: float = 0.2,
    ) -> None:
        """Start with new tokens of the server."""
        self.renewals = 0
        self.deadline = 1.0  # seconds
        self._session = session
        self._server = server
        self._margin = margin
        self._access = self._refresh_token = ""
        self._expires_at = 0.0
        self._store(server.issue())

    async def token(self, *, renew: bool = False) -> str:
        """Return an access token; raise TokenRevoked or Unavailable."""
        if renew or time.monotonic() > self._expires_at - self._margin:
            self._store(await self._refresh())
            self.renewals += 1
        return self._access

    def spoil(self) -> None:
        """Replace the access token with an invalid one."""
        self._access = "wrong"

    def age(self) -> None:
        """Make the access token look expired."""
        self._expires_at = 0.0

    def _store(self, answer: dict[str, Any]) -> None:
        self._access = answer["access_token"]
        self._refresh_token = answer["refresh_token"]
        self._expires_at = time.monotonic() + answer["expires_in"]

    async def _refresh(self) -> dict[str, Any]:
        form = {
            "grant_type": "refresh_token",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": self._refresh_token,
        }
        try:
            async with (
                asyncio.timeout(self.deadline),
                self._session.post(self._server.url + TOKEN, data=form) as response,
            ):
                answer: dict[str, Any] = await response.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(type(error).__name__) from error
        if "error" in answer:
            raise TokenRevoked(answer["error"])
        return answer
