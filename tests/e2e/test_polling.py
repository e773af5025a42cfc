"""A server that offers neither IDLE nor NOTIFY."""

from collections.abc import Callable, Iterator
import time
from typing import Final

import pytest

from .conftest import USERS
from .home import Account
from .mailbox import Mailbox
from .waiting import next_events, until

from tests.required import require
from tests.rig.certificate import Certificate
from tests.rig.dovecot import PASSWORD, Dovecot
from tests.rig.proxy import Proxy

INTERVAL_SECONDS: Final = 10


@pytest.fixture(scope="session")
def dovecot(certificate: Certificate) -> Iterator[Dovecot]:
    """Run a Dovecot without push, in place of the default one."""
    require(Dovecot.available(), "Dovecot 2.3 with LMTP")
    with Dovecot(
        certificate,
        users=dict.fromkeys(USERS, PASSWORD),
        without=("IDLE", "NOTIFY"),
    ) as dovecot:
        yield dovecot


async def test_mail_is_found_within_the_poll_interval(
    account: Account,
    mailbox: Mailbox,
    proxy: Proxy,
    record_property: Callable[[str, object], None],
) -> None:
    """The interval is the one in the options."""
    connections = proxy.connections
    await account.set_options(
        connection={"push": True, "poll_interval": INTERVAL_SECONDS}
    )
    await until(lambda: proxy.connections > connections)
    await account.until_state("push_mode", "poll")

    arrivals = await account.home.new_mail()
    delivered = await mailbox.deliver("Polled")
    [mail] = await next_events(arrivals)
    waited = time.time() - delivered
    record_property("seconds until the event", round(waited, 1))
    assert waited < INTERVAL_SECONDS + 1
    assert (mail["subject"], mail["push"]) == ("Polled", "poll")
    await account.until_state("unread", "1")
