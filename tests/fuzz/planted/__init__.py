"""Faults that the fuzzer has to find."""

import json

from ..target import Violation

_leaked: list[bytes] = []


def nothing(_data: bytes) -> float:
    """Do nothing."""
    return 0.0


def rare_error(data: bytes) -> float:
    """Fail for one of 2^24 prefixes; each correct octet runs one more line."""
    key = 0x5A
    if len(data) > 2 and data[0] ^ key == 0x91:
        if data[1] ^ key == 0x27:
            if data[2] ^ key == 0xE3:
                raise LookupError("planted")
    return 0.0


def slow_step(data: bytes) -> float:
    """Be slow for a certain octet."""
    return 0.06 if b"!" in data else 0.01


def slow_once(data: bytes, runs: list[bytes] = []) -> float:  # noqa: B006
    """Be slow only the first time, as on a machine that is busy with other processes."""
    runs.append(data)
    return 0.06 if runs.count(data) == 1 else 0.01


def leak(data: bytes) -> float:
    """Leak memory for a certain octet."""
    if b"!" in data:
        _leaked.append(b"x" * 1_000_000)
    return 0.0


def large(data: bytes) -> float:
    """Use much memory temporarily for a certain octet."""
    if b"!" in data:
        len(b"x" * int(80e6))
    return 0.0


def large_event(data: bytes) -> float:
    """Create an event that is too large if the input is long."""
    if len(json.dumps({"subject": data.hex()})) > 32_768:
        raise Violation("an event of more than 32 KB")
    return 0.0


def endless(data: bytes) -> float:
    """Do not return for a certain octet."""
    while b"!" in data:
        pass
    return 0.0
