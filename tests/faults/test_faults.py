"""Every mail fires exactly once, in order, whatever network, server and other clients do."""

from collections.abc import Callable
import os
import time

import pytest

from .storm import VARIANTS, Variant, weather

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
    """Not one mail is lost or told twice; FAULT_SEED repeats what this prints."""
    require(Dovecot.available(), "Dovecot 2.3")
    seed = int(os.environ.get("FAULT_SEED") or time.time_ns() % 1_000_000)
    outcome = await weather(variant, seed, FAULTS, certificate)
    record_property("story", outcome.story())
    assert not outcome.violations, f"FAULT_SEED={outcome.story()}"
