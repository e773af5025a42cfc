"""The delay that stands for a distant server, in a time of its own."""

from tests.rig.delay_line import DelayLine


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        """Start at zero."""
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        """Move on."""
        self.now += seconds


async def test_chunks_travel_side_by_side() -> None:
    """One that comes while another one waits is not held back for both."""
    time = Time()
    line = DelayLine(lambda: 50, clock=lambda: time.now, sleep=time.sleep)
    await line.put(b"first")
    time.now = 20
    await line.put(b"second")
    assert [(await line.get(), time.now) for _ in range(2)] == [
        (b"first", 50),
        (b"second", 70),
    ]


async def test_a_shorter_delay_does_not_change_the_order() -> None:
    """What comes later never overtakes, and the end comes last."""
    time, delays = Time(), iter([50, 0, 0])
    line = DelayLine(lambda: next(delays), clock=lambda: time.now, sleep=time.sleep)
    for chunk in (b"slow", b"quick", b""):
        await line.put(chunk)
    assert [(await line.get(), time.now) for _ in range(3)] == [
        (b"slow", 50),
        (b"quick", 50),
        (b"", 50),
    ]
