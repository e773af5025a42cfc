"""Every mail fires exactly once and in order, despite network faults, outages and other clients."""

from collections.abc import Callable
import os
import time

import pytest

from .fault_run import VARIANTS, Variant, run_with_faults

from tests.required import require
from tests.rig.certificate import Certificate, make_certificate
from tests.rig.dovecot import Dovecot

pytestmark = [pytest.mark.dovecot, pytest.mark.usefixtures("socket_enabled")]

FAULTS_IN_ALL = 300
FAULTS = FAULTS_IN_ALL // len(VARIANTS) + 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return a certificate for all servers."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
async def test_each_mail_fires_once(
    variant: Variant,
    certificate: Certificate,
    record_property: Callable[[str, object], None],
) -> None:
    """No mail is lost or repeated. FAULT_SEED=N repeats a run with the seed that it printed."""
    require(Dovecot.available(), "Dovecot 2.3")
    seed = int(os.environ.get("FAULT_SEED") or time.time_ns() % 1_000_000)
    outcome = await run_with_faults(variant, seed, FAULTS, certificate)
    record_property("report", outcome.report())
    assert not outcome.violations, f"FAULT_SEED={outcome.report()}"
