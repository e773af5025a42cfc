"""Fixtures for the end-to-end tests: servers, and two Home Assistants one after the other."""

from collections.abc import AsyncIterator, Iterator
import itertools
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from .home import MISTYPED, NEW_PASSWORD, Account, Home
from .leaks import find_leaks
from .mailbox import Mailbox
from .world import World, run_world

from tests.required import require
from tests.rig.browser import Browser
from tests.rig.certificate import Certificate, make_certificate
from tests.rig.dovecot import PASSWORD, Dovecot
from tests.rig.proxy import Proxy

ROOT: Final = Path(__file__).parents[2]
ARTIFACTS: Final = ROOT / ".artifacts" / "e2e"
VENVS: Final = {"2026.10.4": ".venv", "2026.11.0": ".venv-2026.11.0"}
# Tests with a browser and tests that take minutes run on this version only.
NEWEST: Final = "2026.11.0"

# Every test has its own mailbox.
USERS: Final = [f"user{number}@example.org" for number in range(1, 100)]


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to run with the plugin that forbids sockets and checks for tasks."""
    if config.pluginmanager.hasplugin("homeassistant"):
        raise pytest.UsageError(
            "tests/e2e runs without the harness of the other tests: "
            "pytest -p no:homeassistant -p no:socket tests/e2e"
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Add markers, and run all tests on the event loop of the servers."""
    here = Path(__file__).parent
    mine = [item for item in items if here in item.path.parents]
    for item in mine:
        item.add_marker(pytest.mark.e2e)
        item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        if "dovecot" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.dovecot)
        marks = {mark.name for mark in item.iter_markers()}
        if marks & {"browser", "newest"} and NEWEST not in item.name:
            items.remove(item)
    # The longest tests start first.
    for mark in ("browser", "newest"):
        items.sort(key=lambda item: item.get_closest_marker(mark) is None)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return a certificate of a CA that all Home Assistants of these tests trust."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session", params=VENVS)
def version(request: pytest.FixtureRequest) -> str:
    """Return the version of Home Assistant."""
    version: str = request.param
    return version


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def home(
    version: str, certificate: Certificate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Home]:
    """Run a Home Assistant; at the end, check its log and that no password leaked."""
    python = ROOT / VENVS[version] / "bin" / "python"
    require(python.exists(), f"Home Assistant {version}")
    folder = tmp_path_factory.mktemp("home")
    home = Home(folder, python=python, certificate=certificate)
    async with home:
        assert (await home.client.call("get_config"))["version"] == version
        yield home
        assert await home.stop() == 0
    assert home.warnings() == []
    passwords = (PASSWORD, MISTYPED, NEW_PASSWORD)
    assert find_leaks(folder, secrets=passwords, addresses=USERS) == []


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _clean_home(home: Home) -> AsyncIterator[None]:
    """Restore the initial state; fail if anything unexpected was logged."""
    before = len(home.warnings())
    yield
    if not home.is_running:
        await home.start()
    await home.remove_accounts()
    assert home.warnings()[before:] == []


@pytest.fixture(scope="session")
def dovecot(certificate: Certificate) -> Iterator[Dovecot]:
    """Run a Dovecot."""
    require(Dovecot.available(), "Dovecot 2.3 with LMTP")
    with Dovecot(certificate, users=dict.fromkeys(USERS, PASSWORD)) as dovecot:
        yield dovecot


@pytest.fixture(scope="session")
def users() -> Iterator[str]:
    """Return an iterator of users with unused mailboxes."""
    return itertools.chain(USERS)


@pytest.fixture
def mailbox(
    dovecot: Dovecot, certificate: Certificate, users: Iterator[str]
) -> Mailbox:
    """Return an empty mailbox."""
    return Mailbox(dovecot, certificate, next(users))


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(dovecot: Dovecot) -> AsyncIterator[Proxy]:
    """Run a proxy in front of Dovecot."""
    async with Proxy(dovecot.imaps_port) as proxy:
        yield proxy


@pytest_asyncio.fixture(loop_scope="session")
async def account(home: Home, mailbox: Mailbox, proxy: Proxy) -> AsyncIterator[Account]:
    """Watch the mailbox through the proxy."""
    account = await home.add_account(mailbox.user, proxy.port)
    yield account
    await account.remove()


@pytest_asyncio.fixture(loop_scope="session")
async def world(
    request: pytest.FixtureRequest,
    version: str,
    certificate: Certificate,
    tmp_path: Path,
) -> AsyncIterator[World]:
    """Run Home Assistant, a browser and a provider on loopback."""
    require(Dovecot.available(), "Dovecot 2.3 with LMTP")
    require(Browser.available(), "Chromium")
    async with run_world(
        tmp_path,
        python=ROOT / VENVS[version] / "bin" / "python",
        certificate=certificate,
        screenshots=ARTIFACTS,
        provider=request.param,
    ) as world:
        yield world
