"""Each test runs on each server. All servers run at the same time, one per xdist worker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
import functools
from pathlib import Path
import re
import time
from typing import Final

import pytest
from pytest_socket import enable_socket

from custom_components.imap_push.imap import ImapError, Quirks, quirks

from .mailbox import Mailbox
from .report import print_table
from .watching import SILENT, SILENT_SECONDS

from tests.required import require
from tests.rig.mails import plain
from tests.rig.ports import LOOPBACK
from tests.rig.servers import NAMES, MailServer, reason_against, start

HERE: Final = Path(__file__).parent
# For all tests of one server, and for one test.
SERVER_SECONDS: Final = 240.0
TEST_SECONDS: Final = 60.0
# How a missing feature of our engine shows. Anything else is an error of the test.
FAILURES: Final = (AssertionError, TimeoutError, ImapError)
# imap4d 3.15 corrupts its heap now and then, and then ends a session of ours or of the test.
CRASHED: Final = re.compile(r"imap4d: process \d+ terminated on signal")
CRASH_LOG_SECONDS: Final = 0.5  # until the parent process has logged it
_crashes = pytest.StashKey[int]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Limit the time of each test, and mark the failures that are known for a server."""
    for item in items:
        if item.path.parent != HERE or not isinstance(item, pytest.Function):
            continue
        name = item.callspec.params["server"]
        item.add_marker(pytest.mark.servers)
        item.obj = _limited(item.obj)
        for mark in item.iter_markers("fails_on"):
            if reason := mark.args[0].get(name):
                known = pytest.mark.xfail(
                    strict=not reason.startswith("sometimes "),
                    reason=reason,
                    raises=FAILURES,
                )
                item.add_marker(known)


def _limited(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Return a test that fails after TEST_SECONDS.

    A signal, as pytest-timeout sends it, could end another task than that of the test.
    """

    @functools.wraps(test)
    async def limited(**fixtures: object) -> None:
        async with asyncio.timeout(TEST_SECONDS):
            await test(**fixtures)

    return limited


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the server has logged if a test fails, and whether the server itself crashed."""
    report = yield
    server = getattr(item, "funcargs", {}).get("server")
    if report.failed and server:
        time.sleep(CRASH_LOG_SECONDS)
        report.sections.append(("log of the server", server.log[-4000:]))
        if _count_crashes(server) > item.stash.get(_crashes, 0):
            report.outcome, report.wasxfail = "skipped", "crash of the server"
    return report


def _count_crashes(server: MailServer) -> int:
    """Return how many sessions of the server have crashed."""
    return len(CRASHED.findall(server.log))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was seen on each server, for docs/servers.md."""
    print_table(terminalreporter)


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(name, id=name, marks=pytest.mark.xdist_group(name))
        for name in NAMES
    ],
)
def server(request: pytest.FixtureRequest) -> Iterator[MailServer]:
    """Yield a running server with one user."""
    reason = reason_against(request.param)
    enable_socket()
    require(reason is None, request.param, reason or "")
    with start(request.param) as server:
        yield server


@pytest.fixture(scope="session")
def deadline(server: MailServer) -> float:
    """Return when all tests of a server have to be done, on the clock time.monotonic()."""
    return time.monotonic() + SERVER_SECONDS


@pytest.fixture(autouse=True)
def _earlier_crashes(request: pytest.FixtureRequest, server: MailServer) -> None:
    """Remember how often the server had crashed before the test."""
    request.node.stash[_crashes] = _count_crashes(server)


@pytest.fixture(autouse=True)
def _watchdog(deadline: float, socket_enabled: None) -> None:
    """Fail if the server has used up its time; allow connections to loopback."""
    if time.monotonic() > deadline:
        pytest.fail(f"the tests of this server took more than {SERVER_SECONDS:.0f} s")


@pytest.fixture(autouse=True)
def _refresh(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renew IDLE every second on a server that announces nothing while it lasts."""
    if server.name in SILENT:
        known = Quirks(idle_refresh=SILENT_SECONDS)
        monkeypatch.setitem(quirks._BY_DOMAIN, LOOPBACK, known)


@pytest.fixture
def note(
    record_property: Callable[[str, object], None],
) -> Callable[[str, object], None]:
    """Return a function that records a figure of docs/servers.md."""
    return lambda name, value: record_property(name, str(value))


@pytest.fixture
async def mailbox(server: MailServer) -> AsyncIterator[Mailbox]:
    """Yield the login of another client, with one message in INBOX."""
    mailbox = Mailbox(server)
    mailbox.empty()
    mailbox.append(plain("there before"))
    yield mailbox
    mailbox.close()
