"""Random mutations of an input."""

from collections.abc import Callable, Sequence
from random import Random
import re
from typing import Final

# Octets of an input. Long ones are rare, because they are slow to run.
MAX_INPUT: Final = 65_536
_MAX_LONG_INPUT: Final = 524_288
_LONG_INPUTS: Final = 0.001  # fraction of all inputs

_NUMBER: Final = re.compile(rb"\d+")
# Limits of 16, 31, 32, 63 and 64 bits, and invalid numbers.
_NUMBERS: Final = (
    b"0",
    b"1",
    b"-1",
    b"00000001",
    b"65536",
    b"2147483647",
    b"2147483648",
    b"4294967295",
    b"4294967296",
    b"9223372036854775808",
    b"18446744073709551616",
    b"9" * 40,
    b"9" * 5000,
    b"1e9",
)
_CHANGES: Final = (1, 1, 1, 1, 2, 2, 3, 8)
_LENGTHS: Final = (1, 1, 2, 4, 8, 16, 64, 256)


class Mutator:
    """Mutates inputs at random; `words` are tokens that have a meaning for the target."""

    def __init__(self, random: Random, words: Sequence[bytes]) -> None:
        """Use this generator; the mutations depend only on it."""
        self._random = random
        self._words = words or (b"\0",)
        self._kinds: tuple[Callable[[bytearray, bytes], None], ...] = (
            self._set_octet,
            self._insert_octets,
            self._insert_word,
            self._replace_by_words,
            self._remove,
            self._repeat,
            self._move,
            self._splice,
            self._append,
            self._set_number,
        )

    def mutate(self, data: bytes, other: bytes) -> bytes:
        """Return a mutated copy, possibly with pieces of `other`."""
        random = self._random
        changed = bytearray(data)
        for _ in range(random.choice(_CHANGES)):
            random.choice(self._kinds)(changed, other)
        is_long = random.random() < _LONG_INPUTS
        if is_long:
            start, end = self._span(changed)
            piece = changed[start:end] or bytearray(1)
            changed[start:end] = piece * (_MAX_LONG_INPUT // len(piece))
        return bytes(changed[: _MAX_LONG_INPUT if is_long else MAX_INPUT])

    def _span(self, data: bytes | bytearray) -> tuple[int, int]:
        start = self._random.randrange(len(data) + 1)
        return start, min(len(data), start + self._random.choice(_LENGTHS))

    def _set_octet(self, data: bytearray, _other: bytes) -> None:
        if data:
            data[self._random.randrange(len(data))] = self._random.randrange(256)

    def _insert_octets(self, data: bytearray, _other: bytes) -> None:
        start, _ = self._span(data)
        data[start:start] = self._random.randbytes(self._random.choice((1, 2, 8)))

    def _insert_word(self, data: bytearray, _other: bytes) -> None:
        start, _ = self._span(data)
        data[start:start] = self._random.choice(self._words)

    def _replace_by_words(self, data: bytearray, _other: bytes) -> None:
        start, end = self._span(data)
        count = self._random.choice((1, 1, 1, 3, 50))
        data[start:end] = self._random.choice(self._words) * count

    def _remove(self, data: bytearray, _other: bytes) -> None:
        start, end = self._span(data)
        del data[start:end]

    def _repeat(self, data: bytearray, _other: bytes) -> None:
        start, end = self._span(data)
        data[start:start] = data[start:end] * self._random.choice((1, 2, 10, 100))

    def _move(self, data: bytearray, _other: bytes) -> None:
        start, end = self._span(data)
        piece = data[start:end]
        del data[start:end]
        target, _ = self._span(data)
        data[target:target] = piece

    def _splice(self, data: bytearray, other: bytes) -> None:
        start, end = self._span(data)
        first, last = self._span(other)
        data[start:end] = other[first:last]

    def _append(self, data: bytearray, other: bytes) -> None:
        first, _ = self._span(other)
        data += other[first:]

    def _set_number(self, data: bytearray, _other: bytes) -> None:
        numbers = list(_NUMBER.finditer(data))
        if numbers:
            start, end = self._random.choice(numbers).span()
            data[start:end] = self._random.choice(_NUMBERS)
