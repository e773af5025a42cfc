"""Compare our reading with those of independent parsers, field by field."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Final

from .reading import Reading, Value

FIELDS: Final = (
    "sender",
    "sender_name",
    "to",
    "cc",
    "reply_to",
    "subject",
    "message_id",
    "date",
    "attachments",
    "names",
    "types",
    "event_text",
    "text",
    "html",
)
_UNKNOWN_TYPE: Final = "application/octet-stream"
# These two have one author and share code, so that their agreement proves little.
ONE_AUTHOR: Final = ("postal-mime", "mailparser")
# Characters that are left of a field that was cut.
_MIN_CUT: Final = 100


class Agreement(StrEnum):
    """How far the other parsers agree with each other and with us."""

    WITH_US = "with us"
    AGAINST_US = "two independent parsers agree against us"
    ONE_AUTHOR = "two parsers of one author agree against us"
    NONE = "no two agree"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One field of one message. `is_cut`: ours was cut to its bound."""

    message: str
    field: str
    ours: Value
    theirs: Mapping[str, Value]
    is_cut: bool = False

    @property
    def same(self) -> list[str]:
        """Return the parsers that read what we read."""
        return [name for name in self.theirs if self._is_same(self.theirs[name])]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Return the pairs of parsers that agree with each other."""
        return [
            (one, other)
            for one, other in combinations(self.theirs, 2)
            if self.theirs[one] == self.theirs[other]
        ]

    @property
    def differs_from(self) -> list[tuple[str, str]]:
        """Return the pairs that agree with each other, and not with us."""
        same = self.same
        return [pair for pair in self.pairs if pair[0] not in same]

    @property
    def agreement(self) -> Agreement:
        """Return how far the other parsers agree with each other and with us."""
        if set(self.differs_from) - {ONE_AUTHOR}:
            return Agreement.AGAINST_US
        if self.differs_from:
            return Agreement.ONE_AUTHOR
        return Agreement.WITH_US if self.same else Agreement.NONE

    def _is_same(self, theirs: Value) -> bool:
        if self.ours == theirs:
            return True
        if self.field == "types":
            # Ours follows the file name where the declared type says nothing.
            return len(self.ours) == len(theirs) and all(
                their in {our, _UNKNOWN_TYPE}
                for our, their in zip(self.ours, theirs, strict=True)
            )
        return self.is_cut and _is_beginning(self.ours, theirs)


def _is_beginning(ours: Value, theirs: Value) -> bool:
    size = len("".join(map(str, ours)))
    return size >= _MIN_CUT and theirs[: len(ours)] == ours


def compare(
    message: str, ours: Reading, theirs: Mapping[str, Reading]
) -> Iterator[Comparison]:
    """Yield a comparison for each field that at least one other parser could read."""
    for field in FIELDS:
        our_value = _value(ours, field, ours)
        if our_value is None:
            continue
        their_values = {
            name: value
            for name, reading in theirs.items()
            if (value := _value(reading, field, ours)) is not None
        }
        if their_values:
            yield Comparison(
                message=message,
                field=field,
                ours=our_value,
                theirs=their_values,
                is_cut=field in ours.cut,
            )


def _value(reading: Reading, field: str, ours: Reading) -> Value | None:
    """Return the value of a field; None if it could not be read.

    Names and types of attachments count only where the attachments are the same.
    """
    match field:
        case "attachments":
            return reading.files
        case "names" | "types":
            if not reading.files or reading.files != ours.files:
                return None
            return tuple(
                it.name if field == "names" else it.content_type for it in reading.files
            )
        case "event_text" if reading is not ours:
            return reading.values.get("text")
        case _:
            return reading.values.get(field)
