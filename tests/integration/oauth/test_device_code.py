"""Device authorization grant (RFC 8628), with a real server and hostile responses."""

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
    """Poll soon."""
    monkeypatch.setattr(device_code, "MIN_INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(device_code, "SLOW_DOWN_SECONDS", 0.01)
    monkeypatch.setattr(device_code, "MAX_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(endpoint, "REQUEST_TIMEOUT_SECONDS", 1.0)


@pytest.fixture
async def server(socket_enabled: None) -> AsyncIterator[OAuthServer]:
    """Run an authorization server."""
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


async def wait_for_requests(server: OAuthServer, times: int) -> None:
    """Wait until the device has requested its token this often."""
    async with asyncio.timeout(5):
        while server.asked[TOKEN] < times:
            await asyncio.sleep(0.005)


async def test_token_after_the_user_allows_it(
    server: OAuthServer,
    session: aiohttp.ClientSession,
    provider: DeviceProvider,
) -> None:
    """The token has all fields that Home Assistant stores."""
    code = await request_code(session, provider)
    assert code.verification_uri == server.url + ACTIVATE
    task = asyncio.create_task(poll_for_token(session, provider, code))
    await wait_for_requests(server, 2)
    page = {"user_code": code.user_code, "answer": "allow"}
    async with session.post(code.verification_uri, data=page) as response:
        assert response.ok
    token = await task
    assert token["scope"] == "mail offline_access"
    assert token["expires_in"] == 3600
    assert token["expires_at"] == pytest.approx(time.time() + 3600, abs=10)
    assert {token["access_token"], token["refresh_token"]} == set(server.secrets)
    assert code.device_code not in repr(code)


async def test_failed_requests_are_retried(
    server: OAuthServer, session: aiohttp.ClientSession, provider: DeviceProvider
) -> None:
    """Polling also slows down when the provider asks for it."""
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
        await wait_for_requests(server, server.asked[TOKEN] + 2)
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
async def test_error_that_ends_polling(
    server: OAuthServer,
    session: aiohttp.ClientSession,
    provider: DeviceProvider,
    error: str,
    problem: SignInProblem,
    reason: str,
) -> None:
    """The exception has the error code of the provider, at most 200 characters."""
    code = await request_code(session, provider)
    server.faults[TOKEN] = error
    with pytest.raises(SignInFailed) as caught:
        await poll_for_token(session, provider, code)
    assert (caught.value.problem, str(caught.value)) == (problem, reason)


async def test_user_denies(
    server: OAuthServer, session: aiohttp.ClientSession, provider: DeviceProvider
) -> None:
    """Polling ends with SignInProblem.DENIED."""
    code = await request_code(session, provider)
    server.answer_device(code.user_code, allow=False)
    with pytest.raises(SignInFailed) as caught:
        await poll_for_token(session, provider, code)
    assert caught.value.problem is SignInProblem.DENIED


async def test_code_expires(
    server: OAuthServer, session: aiohttp.ClientSession, provider: DeviceProvider
) -> None:
    """Polling ends when the code expires, even if the provider does not report it."""
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
async def test_device_code_request_fails(
    server: OAuthServer,
    session: aiohttp.ClientSession,
    provider: DeviceProvider,
    fault: Fault | str,
    problem: SignInProblem,
) -> None:
    """The exception distinguishes a refusal from an outage."""
    server.faults[DEVICE] = fault
    with pytest.raises(SignInFailed) as caught:
        await request_code(session, provider)
    assert caught.value.problem is problem


async def test_error_numbers_of_microsoft(
    session: aiohttp.ClientSession, provider_with: Callable[[object], DeviceProvider]
) -> None:
    """The guides explain errors by these numbers."""
    refusal = {"error": "invalid_client", "error_codes": [7000218]}
    with pytest.raises(SignInFailed, match="^invalid_client, AADSTS7000218$"):
        await request_code(session, provider_with(refusal))
    code = await request_code(session, provider_with(CODE | {"interval": 0}))
    with pytest.raises(SignInFailed, match="^invalid_client, AADSTS7000218$"):
        await poll_for_token(session, provider_with(refusal), code)


CODE = {
    "device_code": "d",
    "user_code": "1234",
    "verification_uri": "https://example.org/device",
    "expires_in": 900,
}
TOKENS = {"access_token": "a", "refresh_token": "r"}


@pytest.fixture
async def provider_with(
    session: aiohttp.ClientSession,
) -> AsyncIterator[Callable[[object], DeviceProvider]]:
    """Return a function that makes a provider with one fixed response."""
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
    ("changes", "interval", "expires_in"),
    [
        ({}, 0.05, 900),
        ({"interval": 0}, 0.01, 900),
        ({"interval": 1e9, "expires_in": 1e9}, 0.05, 3600),
        ({"verification_uri": None, "verification_url": "http://x/"}, 0.05, 900),
    ],
    ids=["usual", "too fast", "too slow", "old name"],
)
async def test_device_code_values_are_limited(
    session: aiohttp.ClientSession,
    provider_with: Callable[[object], DeviceProvider],
    changes: dict[str, object],
    interval: float,
    expires_in: float,
) -> None:
    """Interval and lifetime are clamped; `verification_url` is accepted."""
    code = await request_code(session, provider_with(CODE | changes))
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
    ids=lambda content: str(content)[:40],
)
async def test_invalid_device_code_response(
    session: aiohttp.ClientSession,
    provider_with: Callable[[object], DeviceProvider],
    content: object,
) -> None:
    """No value with Markdown syntax, no huge text and no invalid number is accepted."""
    with pytest.raises(SignInFailed) as caught:
        await request_code(session, provider_with(content))
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
    ids=["nothing", "no refresh token", "empty", "list", "surrogate", "number"],
)
async def test_invalid_token_response(
    session: aiohttp.ClientSession,
    provider_with: Callable[[object], DeviceProvider],
    content: object,
) -> None:
    """A token that cannot be renewed is refused, too."""
    code = await request_code(session, provider_with(CODE | {"interval": 0}))
    with pytest.raises(SignInFailed) as caught:
        await poll_for_token(session, provider_with(content), code)
    assert caught.value.problem is SignInProblem.REFUSED


@pytest.mark.parametrize(
    ("changes", "expires_in"),
    [
        ({}, 3600),
        ({"expires_in": None}, 3600),
        ({"expires_in": 1e999}, 3600),
        ({"expires_in": "1800"}, 1800),
        ({"expires_in": 0}, 0),
        ({"expires_in": -10}, 0),
        ({"expires_in": 10**400}, 31_536_000),
    ],
    ids=["nothing", "null", "infinite", "text", "zero", "negative", "huge"],
)
async def test_lifetime_of_a_token(
    session: aiohttp.ClientSession,
    provider_with: Callable[[object], DeviceProvider],
    changes: dict[str, object],
    expires_in: int,
) -> None:
    """The default is one hour, the maximum one year."""
    code = await request_code(session, provider_with(CODE | {"interval": 0}))
    content = json.dumps(TOKENS | changes).replace("Infinity", "1e999").encode()
    token = await poll_for_token(session, provider_with(content), code)
    assert token["expires_in"] == expires_in


async def test_stored_fields_of_a_token_response(
    session: aiohttp.ClientSession, provider_with: Callable[[object], DeviceProvider]
) -> None:
    """The ID token identifies the user and is not stored."""
    code = await request_code(session, provider_with(CODE | {"interval": 0}))
    changes = TOKENS | {"scope": "mail", "id_token": "jane", "filler": "x" * 10_000}
    token = await poll_for_token(session, provider_with(changes), code)
    assert token.keys() == {*TOKENS, "scope", "expires_in", "expires_at"}
