"""The targets run clean on their seeds and on what once showed a fault."""

import pytest

from .inputs import committed
from .target import Target
from .targets import TARGETS

EACH = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


@EACH
def test_seeds_show_no_fault(target: Target) -> None:
    """What real servers and programs say is understood, and stays within all limits."""
    for data in target.seeds():
        target.execute(data)


@EACH
def test_seeds_are_the_same_each_time(target: Target) -> None:
    """A run can be repeated by its seed only if it starts from the same inputs."""
    assert target.seeds() == target.seeds()


@EACH
def test_faults_of_before_are_gone(target: Target) -> None:
    """What once went wrong does not go wrong again."""
    for data in committed(target.name):
        target.execute(data)
