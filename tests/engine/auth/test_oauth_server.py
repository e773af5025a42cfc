"""The authorization server of the test rig is as strict as real ones."""

from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
import hashlib
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.rig.oauth_server import (
    AUTHORIZE,
    CLIENT_ID,
    CLIENT_SECRET,
    INTROSPECT,
    REVOKE,
    TOKEN,
    OAuthServer,
)

BACK = "http://127.0.0.1:1/back"
VERIFIER = "v" * 43
CHALLENGE = (
    urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)


@pytest.fixture
async def server() -> AsyncIterator[OAuthServer]:
    """Run an authorization server."""
    async with OAuthServer() as server:
        yield server


@pytest.fixture
async def session(server: OAuthServer) -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP session with the server."""
    async with aiohttp.ClientSession(server.url) as session:
        yield session


async def allowed(
    session: aiohttp.ClientSession, answer: str = "allow", **changes: str
) -> dict[str, str]:
    """Answer the authorization page and return the parameters of the redirect."""
    query = {
        "client_id": CLIENT_ID,
        "response_type": "code",
        "redirect_uri": BACK,
        "state": "s",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    async with session.get(AUTHORIZE, params=query | changes) as response:
        assert 'id="allow"' in await response.text()
    async with session.post(
        AUTHORIZE,
        params=query | changes,
        data={"answer": answer},
        allow_redirects=False,
    ) as response:
        if response.status == 400:
            return dict(await response.json())
        return dict(URL(response.headers["Location"]).query)


async def request_token(session: aiohttp.ClientSession, **form: str) -> dict[str, Any]:
    """Request a token."""
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    async with session.post(TOKEN, data=client | form) as response:
        answer = dict(await response.json())
        assert response.ok == ("access_token" in answer)
    return answer


async def is_active(session: aiohttp.ClientSession, token: str) -> bool:
    """Return the result of token introspection, as a mail server gets it."""
    async with session.post(INTROSPECT, data={"token": token}) as response:
        return bool((await response.json())["active"])


def code_form(code: str, /, **changes: str) -> dict[str, str]:
    """Return the form that exchanges a code for tokens."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }
    return form | changes


async def test_authorization_refresh_and_revocation(
    server: OAuthServer, session: aiohttp.ClientSession
) -> None:
    """A code and a refresh token work one time each, and revocation ends all tokens."""
    back = await allowed(session)
    assert back["state"] == "s"
    first = await request_token(session, **code_form(back["code"]))
    assert await is_active(session, first["access_token"])
    assert (await request_token(session, **code_form(back["code"])))[
        "error"
    ] == "invalid_grant"

    refresh = {
        "grant_type": "refresh_token",
        "refresh_token": first["refresh_token"],
    }
    second = await request_token(session, **refresh)
    assert (await request_token(session, **refresh))["error"] == "invalid_grant"
    assert await is_active(session, second["access_token"])

    revoked = {"token": second["refresh_token"]}
    async with session.post(REVOKE, data=revoked) as response:
        assert response.ok
    assert not await is_active(session, second["access_token"])
    refresh["refresh_token"] = second["refresh_token"]
    assert (await request_token(session, **refresh))["error"] == "invalid_grant"
    assert not server.secrets


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
        {"redirect_uri": "http://127.0.0.1:1/other"},
        {"code": "other"},
    ],
    ids=["wrong verifier", "no verifier", "another place", "another code"],
)
async def test_invalid_code_exchange(
    session: aiohttp.ClientSession, changes: dict[str, str]
) -> None:
    """A wrong verifier, redirect or code is refused."""
    back = await allowed(session)
    form = code_form(back["code"], **changes)
    assert (await request_token(session, **form))["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("answer", "changes", "error"),
    [
        ("deny", {}, "access_denied"),
        ("allow", {"client_id": "other"}, "invalid_request"),
        ("allow", {"code_challenge_method": "plain"}, "invalid_request"),
    ],
    ids=["denied", "another client", "PKCE without a hash"],
)
async def test_refused_authorization(
    session: aiohttp.ClientSession, answer: str, changes: dict[str, str], error: str
) -> None:
    """The redirect or the response contains the error."""
    assert (await allowed(session, answer, **changes))["error"] == error


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_id": "other"}, "invalid_client"),
        ({"client_secret": "other"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
    ids=["another client", "wrong secret", "another grant"],
)
async def test_refused_token_request(
    session: aiohttp.ClientSession, form: dict[str, str], error: str
) -> None:
    """The response contains the error."""
    assert (await request_token(session, **form))["error"] == error
