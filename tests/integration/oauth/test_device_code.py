"""Signing in by a code that the user types on another device."""

import asyncio
from collections.abc import AsyncIterator, Callable
import dataclasses
import json
import time

import aiohttp
from aiohttp import web
import pytest

from custom_components.imap_push.oauth import device_code, endpoint
from custom_components.imap_push.oauth.device_code import (
    DeviceProvider,
    SignInFailed,
    SignInProblem,
    poll_for_token,
    request_code,
)

from tests.rig.oauth_server import (
    ACTIVATE,
    CLIENT_ID,
    DEVICE,
    TOKEN,
    Fault,
    OAuthServer,
)


@pytest.fixture(autouse=True)
def _short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask again soon."""
    monkeypatch.setattr(device_code, "MIN_INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(device_code, "SLOW_DOWN_SECONDS", 0.01)
    monkeypatch.setattr(device_code, "MAX_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(endpoint, "REQUEST_TIMEOUT_SECONDS", 0.1)


@pytest.fixture
async def server(socket_enabled: None) -> AsyncIterator[OAuthServer]:
    """Run an authorisation server."""
    async with OAuthServer(interval=0) as server:
        yield server


@pytest.fixture
async def session(socket_enabled: None) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a session."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def provider(server: OAuthServer) -> DeviceProvider:
    """Return the server as a provider."""
    return DeviceProvider(
        device_url=server.url + DEVICE,
        token_url=server.url + TOKEN,
        client_id=CLIENT_ID,
        scope="mail offline_access",
    )


async def asked(server: OAuthServer, times: int) -> None:
    """Wait until the device has asked so often for its token."""
    async with asyncio.timeout(5):
        while server.asked[TOKEN] < times:
            await asyncio.sleep(0.005)


async def test_sign_in(
    server: OAuthServer,
    session: aiohttp.ClientSession,
    provider: DeviceProvider,
) -> None:
    """See the token that comes of what the user allows on the page."""
    code = await request_code(session, provider)
    assert code.verification_uri == server.url + ACTIVATE
    task = asyncio.create_task(poll_for_token(session, provider, code))
    await asked(server, 2)
    page = {"user_code": code.user_code, "answer": "allow"}
    async with session.post(code.verification_uri, data=page) as response:
        assert response.ok
    token = await task
    assert token["scope"] == "mail offline_access"
    assert token["expires_in"] == 3600
    assert token["expires_at"] == pytest.approx(time.time() + 3600, abs=10)
    assert {token["access_token"], token["refresh_token"]} == set(server.secrets)
    assert code.device_code not in repr(code)


async def test_trouble_on_the_way(
    server: OAuthServer, session: aiohttp.ClientSession, provider: DeviceProvider
) -> None:
    """See each outage waited out, and a provider that wants to be asked less often heeded."""
    code = await request_code(session, provider)
    task = asyncio.create_task(poll_for_token(session, provider, code))
    faults: list[Fault | str] = [
        Fault.SERVER_ERROR,
        Fault.NO_JSON,
        Fault.SILENT,
        Fault.THROTTLED,
        "slow_down",
    ]
    for fault in faults:
        server.faults[TOKEN] = fault
        await asked(server, server.asked[TOKEN] + 2)
    await server.stop()
    await asyncio.sleep(0.1)
    await server.start()
    server.faults.clear()
    server.answer_device(code.user_code, allow=True)
    assert (await task)["access_token"]


@pytest.mark.parametrize(
    ("error", "problem", "reason"),
    [
        ("access_denied", SignInProblem.DENIED, "access_denied"),
        ("authorization_declined", SignInProblem.DENIED, "authorization_declined"),
        ("expired_token", SignInProblem.EXPIRED, "expired_token"),
        ("invalid_grant", SignInProblem.REFUSED, "invalid_grant"),
        ("x" * 999, SignInProblem.REFUSED, "x" * 200),
    ],
)
async def test_what_ends_the_waiting(
    server: OAuthServer,
    session: aiohttp.ClientSession,
    provider: DeviceProvider,
    error: str,
    problem: SignInProblem,
    reason: str,
) -> None:
    """See told what the provider says."""
    code = await request_code(session, provider)
    server.faults[TOKEN] = error
    with pytest.raises(SignInFailed) as caught:
        await poll_for_token(session, provider, code)
    assert (caught.value.problem, str(caught.value)) == (problem, reason)


async def test_the_user_denies(
    server: OAuthServer, session: aiohttp.ClientSession, provider: DeviceProvider
) -> None:
    """See that for what it is."""
    code = await request_code(session, provider)
    server.answer_device(code.user_code, allow=False)
    with pytest.raises(SignInFailed) as caught:
        await poll_for_token(session, provider, code)
    assert caught.value.problem is SignInProblem.DENIED


async def test_the_user_does_nothing(
    server: OAuthServer, session: aiohttp.ClientSession, provider: DeviceProvider
) -> None:
    """See the waiting end when the code does, even if the provider does not say so."""
    code = dataclasses.replace(await request_code(session, provider), expires_in=0.1)
    server.faults[TOKEN] = Fault.SERVER_ERROR
    with pytest.raises(SignInFailed) as caught:
        await poll_for_token(session, provider, code)
    assert caught.value.problem is SignInProblem.EXPIRED


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (Fault.SERVER_ERROR, SignInProblem.UNREACHABLE),
        (Fault.NO_JSON, SignInProblem.UNREACHABLE),
        (Fault.SILENT, SignInProblem.UNREACHABLE),
        (Fault.THROTTLED, SignInProblem.UNREACHABLE),
        ("invalid_client", SignInProblem.REFUSED),
    ],
    ids=str,
)
async def test_no_code(
    server: OAuthServer,
    session: aiohttp.ClientSession,
    provider: DeviceProvider,
    fault: Fault | str,
    problem: SignInProblem,
) -> None:
    """See why there is none."""
    server.faults[DEVICE] = fault
    with pytest.raises(SignInFailed) as caught:
        await request_code(session, provider)
    assert caught.value.problem is problem


async def test_what_microsoft_means_by_an_error(
    session: aiohttp.ClientSession, answering: Callable[[object], DeviceProvider]
) -> None:
    """See the number by which its guides, and ours, explain it."""
    refusal = {"error": "invalid_client", "error_codes": [7000218]}
    with pytest.raises(SignInFailed, match="^invalid_client, AADSTS7000218$"):
        await request_code(session, answering(refusal))
    code = await request_code(session, answering(CODE | {"interval": 0}))
    with pytest.raises(SignInFailed, match="^invalid_client, AADSTS7000218$"):
        await poll_for_token(session, answering(refusal), code)


CODE = {
    "device_code": "d",
    "user_code": "1234",
    "verification_uri": "https://example.org/device",
    "expires_in": 900,
}
TOKENS = {"access_token": "a", "refresh_token": "r"}


@pytest.fixture
async def answering(
    session: aiohttp.ClientSession,
) -> AsyncIterator[Callable[[object], DeviceProvider]]:
    """Return what makes a provider that answers everything with the same."""
    answers: list[bytes] = []

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=answers[-1])

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"

    def make(content: object) -> DeviceProvider:
        is_raw = isinstance(content, bytes)
        answers.append(content if is_raw else json.dumps(content).encode())  # type: ignore[arg-type]
        return DeviceProvider(device_url=url, token_url=url, client_id="c", scope="s")

    yield make
    await runner.cleanup()


@pytest.mark.parametrize(
    ("told", "interval", "expires_in"),
    [
        ({}, 0.05, 900),
        ({"interval": 0}, 0.01, 900),
        ({"interval": 1e9, "expires_in": 1e9}, 0.05, 3600),
        ({"verification_uri": None, "verification_url": "http://x/"}, 0.05, 900),
    ],
    ids=["usual", "too fast", "too slow", "old name"],
)
async def test_what_a_provider_tells(
    session: aiohttp.ClientSession,
    answering: Callable[[object], DeviceProvider],
    told: dict[str, object],
    interval: float,
    expires_in: float,
) -> None:
    """See it kept within what makes sense."""
    code = await request_code(session, answering(CODE | told))
    assert (code.interval, code.expires_in) == (interval, expires_in)
    assert code.verification_uri


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        b"\xff",
        b"[" * 100_000,
        CODE | {"user_code": "x" * 201},
        CODE | {"user_code": "a\n"},
        CODE | {"user_code": ""},
        CODE | {"user_code": "1234** [now here](https://evil.example)"},
        CODE | {"verification_uri": "https://a.example](https://evil.example)"},
        CODE | {"verification_uri": "https://a.example <https://evil.example>"},
        CODE | {"verification_uri": "javascript:alert(1)"},
        CODE | {"verification_uri": "no address"},
        CODE | {"expires_in": "soon"},
        CODE | {"expires_in": "nan"},
        CODE | {"expires_in": 10**400},
        CODE | {"interval": "nan"},
        CODE | {"interval": []},
        CODE | {"interval": float("nan")},
        CODE | {"filler": "x" * 100_000},
    ],
    ids=lambda it: str(it)[:40],
)
async def test_a_hostile_provider(
    session: aiohttp.ClientSession,
    answering: Callable[[object], DeviceProvider],
    content: object,
) -> None:
    """See that it can do no harm."""
    with pytest.raises(SignInFailed) as caught:
        await request_code(session, answering(content))
    assert caught.value.problem is SignInProblem.UNREACHABLE


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"access_token": "a"},
        TOKENS | {"access_token": ""},
        TOKENS | {"access_token": ["a"]},
        TOKENS | {"access_token": "\ud800"},
        TOKENS | {"refresh_token": 5},
    ],
    ids=["nothing", "not to be renewed", "empty", "list", "no character", "number"],
)
async def test_an_answer_that_is_no_token(
    session: aiohttp.ClientSession,
    answering: Callable[[object], DeviceProvider],
    content: object,
) -> None:
    """See an account that would end within the hour not made."""
    code = await request_code(session, answering(CODE | {"interval": 0}))
    with pytest.raises(SignInFailed) as caught:
        await poll_for_token(session, answering(content), code)
    assert caught.value.problem is SignInProblem.REFUSED


@pytest.mark.parametrize(
    ("told", "expires_in"),
    [
        ({}, 3600),
        ({"expires_in": None}, 3600),
        ({"expires_in": 1e999}, 3600),
        ({"expires_in": "1800"}, 1800),
        ({"expires_in": 0}, 0),
        ({"expires_in": -10}, 0),
        ({"expires_in": 10**400}, 31_536_000),
    ],
    ids=["nothing", "null", "infinite", "text", "nought", "negative", "huge"],
)
async def test_how_long_a_token_lives(
    session: aiohttp.ClientSession,
    answering: Callable[[object], DeviceProvider],
    told: dict[str, object],
    expires_in: int,
) -> None:
    """See an hour taken where it is not told, and nothing that could not be kept."""
    code = await request_code(session, answering(CODE | {"interval": 0}))
    content = json.dumps(TOKENS | told).replace("Infinity", "1e999").encode()
    token = await poll_for_token(session, answering(content), code)
    assert token["expires_in"] == expires_in


async def test_what_is_kept_of_an_answer(
    session: aiohttp.ClientSession, answering: Callable[[object], DeviceProvider]
) -> None:
    """See nothing else on the disk, least of all who the user is."""
    code = await request_code(session, answering(CODE | {"interval": 0}))
    told = TOKENS | {"scope": "mail", "id_token": "jane", "filler": "x" * 10_000}
    token = await poll_for_token(session, answering(told), code)
    assert token.keys() == {*TOKENS, "scope", "expires_in", "expires_at"}
