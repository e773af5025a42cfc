"""Clients change mail and folders at the same time, while the network is slow or breaks."""

from collections.abc import Callable
import os
import time
from typing import Final

import pytest

from tests.faults.fault_run import STORMS, run_with_faults, storms
from tests.rig.servers import MailServer

FAULTS: Final = 30


@pytest.mark.parametrize("storm", ["slow", "folders", "cuts"])
@pytest.mark.usefixtures("mailbox")
async def test_storm(
    server: MailServer, storm: str, note: Callable[[str, object], None]
) -> None:
    """Each mail fires once, in order, and the counts are right in the end.

    FAULT_SEED=N repeats a run with the seed that it printed.
    """
    if server.name not in STORMS:
        pytest.skip("folders cannot be renamed and replaced")
    seed = int(os.environ.get("FAULT_SEED") or time.time_ns() % 1_000_000)
    [variant] = [it for it in storms(server) if it.name == storm]
    outcome = await run_with_faults(variant, seed, FAULTS, server.certificate)
    note("mails", outcome.mails)
    assert not outcome.violations, f"FAULT_SEED={outcome.report()}"
