"""A server's words without the secrets that were sent to it."""

from collections.abc import Iterable
import re


class Redactor:
    """Knows the secrets of a connection; none of them gets into a log, an error or a form."""

    def __init__(self) -> None:
        """Start without secrets."""
        self._secrets: set[str] = set()

    def add(self, secrets: Iterable[str]) -> None:
        """Take secrets that are about to be sent."""
        self._secrets.update(filter(None, secrets))

    def redact(self, text: str, most: int) -> str:
        """Return at most so many characters of a text, with *** for each secret."""
        if self._secrets:
            longest_first = sorted(self._secrets, key=len, reverse=True)
            # A server may change the case of what it repeats: capabilities have none.
            pattern = "|".join(map(re.escape, longest_first))
            text = re.sub(pattern, "***", text, flags=re.IGNORECASE)
        return text[:most]
