"""Where the token comes from that an account logs in with."""

from typing import Protocol


class TokenSource(Protocol):
    """Gives access tokens (RFC 6749 1.4), and renews them before they expire."""

    async def token(self, *, renew: bool = False) -> str:
        """Return a token that is valid as far as is known; `renew`: a new one in any case.

        Raises TokenRevoked if only the user can get another one, and Unavailable for all that
        passes by itself: no network, a server error, no answer within half a minute. Several
        connections may ask at the same time. Who asks may be cancelled, and what is being
        renewed then must not get lost: a refresh token may be good for one use only.
        """
