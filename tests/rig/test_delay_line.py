"""The delay line, in virtual time."""

from tests.rig.delay_line import DelayLine


class Time:
    """A clock that is advanced by `sleep`."""

    def __init__(self) -> None:
        """Start at 0 seconds."""
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += seconds


async def test_delays_overlap() -> None:
    """A chunk is delayed from its own arrival on, not after the previous chunk."""
    time = Time()
    line = DelayLine(lambda: 50, clock=lambda: time.now, sleep=time.sleep)
    await line.put(b"first")
    time.now = 20
    await line.put(b"second")
    assert [(await line.get(), time.now) for _ in range(2)] == [
        (b"first", 50),
        (b"second", 70),
    ]


async def test_shorter_delay_keeps_the_order() -> None:
    """Chunks and the end of the stream arrive in order."""
    time, delays = Time(), iter([50, 0, 0])
    line = DelayLine(lambda: next(delays), clock=lambda: time.now, sleep=time.sleep)
    for chunk in (b"slow", b"quick", b""):
        await line.put(chunk)
    assert [(await line.get(), time.now) for _ in range(3)] == [
        (b"slow", 50),
        (b"quick", 50),
        (b"", 50),
    ]
