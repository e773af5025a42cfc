"""Faults for the fuzzer to find."""

import json

from ..target import Violation

_leaked: list[bytes] = []


def nothing(_data: bytes) -> float:
    """Do nothing."""
    return 0.0


def rare_error(data: bytes) -> float:
    """Fail for one of 2^24 beginnings; each octet that is right runs one more line."""
    key = 0x5A
    if len(data) > 2 and data[0] ^ key == 0x91:
        if data[1] ^ key == 0x27:
            if data[2] ^ key == 0xE3:
                raise LookupError("planted")
    return 0.0


def slow_step(data: bytes) -> float:
    """Take long for an octet."""
    return 0.06 if b"!" in data else 0.01


def slow_once(data: bytes, runs: list[bytes] = []) -> float:  # noqa: B006
    """Take long the first time only, as where other processes are at work."""
    runs.append(data)
    return 0.06 if runs.count(data) == 1 else 0.01


def leak(data: bytes) -> float:
    """Keep some memory for good for an octet."""
    if b"!" in data:
        _leaked.append(b"x" * 1_000_000)
    return 0.0


def large(data: bytes) -> float:
    """Need much memory for a moment for an octet."""
    if b"!" in data:
        len(b"x" * int(80e6))
    return 0.0


def large_event(data: bytes) -> float:
    """Make an event that is too large of what is repeated often."""
    if len(json.dumps({"subject": data.hex()})) > 32_768:
        raise Violation("an event of more than 32 KB")
    return 0.0


def endless(data: bytes) -> float:
    """Do not end for an octet."""
    while b"!" in data:
        pass
    return 0.0
