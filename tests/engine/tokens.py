"""A source of tokens that a test plays."""


class Tokens:
    """Gives the first token again and again, and the next one each time it is to renew.

    An error among them is raised. `renewals` counts how often a new one was asked for.
    """

    def __init__(self, *tokens: str | Exception) -> None:
        """Give these, in order."""
        self._tokens = list(tokens)
        self.renewals = 0

    async def token(self, *, renew: bool = False) -> str:
        """Return a token or raise the error that is in its place."""
        if renew:
            self.renewals += 1
            if len(self._tokens) > 1:
                del self._tokens[0]
        token = self._tokens[0]
        if isinstance(token, Exception):
            raise token
        return token
