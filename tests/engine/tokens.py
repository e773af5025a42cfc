"""A token source for tests."""


class Tokens:
    """Returns the first token until it is renewed, then the next one.

    An error in place of a token is raised. `renewals` counts the renewals.
    """

    def __init__(self, *tokens: str | Exception) -> None:
        """Return these tokens, in order."""
        self._tokens = list(tokens)
        self.renewals = 0

    async def token(self, *, renew: bool = False) -> str:
        """Return the current token, or raise the error in its place."""
        if renew:
            self.renewals += 1
            if len(self._tokens) > 1:
                del self._tokens[0]
        token = self._tokens[0]
        if isinstance(token, Exception):
            raise token
        return token
