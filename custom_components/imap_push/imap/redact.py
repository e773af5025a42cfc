"""A server's words without the secrets that were sent to it."""

from collections.abc import Iterable
import re


class Redactor:
    """Knows the secrets of a connection; none of them gets into a log, an error or a form."""

    def __init__(self) -> None:
        """Start without secrets."""
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, secrets: Iterable[str]) -> None:
        """Take secrets that are about to be sent."""
        new = set(filter(None, secrets)) - self._secrets
        if new:
            self._secrets |= new
            longest_first = sorted(self._secrets, key=len, reverse=True)
            # A server may change the case of what it repeats: capabilities have none.
            self._pattern = re.compile(
                "|".join(map(re.escape, longest_first)), re.IGNORECASE
            )

    def redact(self, text: str, most: int) -> str:
        """Return at most so many characters of a text, with *** for each secret."""
        if self._pattern is not None:
            text = self._pattern.sub("***", text)
        return text[:most]
