"""The cases that fail at the moment. One that passes has to be removed: xfail is strict."""

from typing import Final

FAILING: Final[frozenset[str]] = frozenset()
