"""Tokens of the rig's authorisation server, renewed as Home Assistant's helper renews them."""

import asyncio
import time
from typing import Any, Final

import aiohttp

from custom_components.imap_push.imap import TokenRevoked, Unavailable

from .oauth_server import CLIENT_ID, CLIENT_SECRET, TOKEN, OAuthServer

# Seconds
DEADLINE: Final = 1.0


class OAuthTokens:
    """Gives the access token, and renews it when less than `margin` seconds of it are left."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        server: OAuthServer,
        *,
        margin: float = 0.2,
    ) -> None:
        """Begin with tokens that the user has just allowed."""
        self.renewals = 0
        self._session = session
        self._server = server
        self._margin = margin
        self._access = self._refresh_token = ""
        self._expires_at = 0.0
        self._take(server.issue())

    async def token(self, *, renew: bool = False) -> str:
        """Return an access token; raise TokenRevoked or Unavailable."""
        if renew or time.monotonic() > self._expires_at - self._margin:
            self._take(await self._refresh())
            self.renewals += 1
        return self._access

    def spoil(self) -> None:
        """Take a wrong token for a good one."""
        self._access = "wrong"

    def age(self) -> None:
        """Take the token for one that expires now."""
        self._expires_at = 0.0

    def _take(self, answer: dict[str, Any]) -> None:
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
                asyncio.timeout(DEADLINE),
                self._session.post(self._server.url + TOKEN, data=form) as response,
            ):
                answer: dict[str, Any] = await response.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(type(error).__name__) from error
        if "error" in answer:
            raise TokenRevoked(answer["error"])
        return answer
