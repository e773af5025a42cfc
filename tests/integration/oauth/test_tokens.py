"""Tokens of an account: expiry, renewal, errors, storage."""

import asyncio
import logging
import time
from typing import Any
from unittest.mock import patch

import pytest

from custom_components.imap_push.flows import oauth_flow
from custom_components.imap_push.imap import TokenRevoked, TokenUnavailable
from custom_components.imap_push.oauth import tokens as oauth
from custom_components.imap_push.oauth.tokens import (
    token_source_for_data,
    token_source_for_entry,
)
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ImplementationUnavailableError

from .. import ENTRY_DATA
from ..conftest import FakeWatcher
from .conftest import SignInPage, start_with_code, wait_for_result

from tests.rig.oauth_server import CLIENT_SECRET, TOKEN, Fault, OAuthServer


def data_with_token(oauth_entry: ConfigEntry, **token: Any) -> dict[str, Any]:
    """Return the data of an entry with a changed token."""
    return {**oauth_entry.data, "token": {**oauth_entry.data["token"], **token}}


def set_expiry(hass: HomeAssistant, oauth_entry: ConfigEntry, seconds: float) -> None:
    """Let the token of an entry expire in some seconds."""
    data = data_with_token(oauth_entry, expires_at=time.time() + seconds)
    hass.config_entries.async_update_entry(oauth_entry, data=data)


@pytest.mark.parametrize(
    ("seconds", "is_renewed"),
    [
        pytest.param(600, False, id="fresh"),
        pytest.param(30, True, id="ends soon"),
        pytest.param(-30, True, id="ended"),
    ],
)
async def test_token_is_renewed_before_it_expires(
    hass: HomeAssistant,
    oauth_entry: ConfigEntry,
    watchers: list[FakeWatcher],
    seconds: float,
    is_renewed: bool,
) -> None:
    """The new token is stored in the entry, without a reload."""
    old = oauth_entry.data["token"]["access_token"]
    set_expiry(hass, oauth_entry, seconds)
    source = watchers[0].account.token
    assert source is not None
    new = await source.token()
    await hass.async_block_till_done()
    assert (new != old) is is_renewed
    assert oauth_entry.data["token"]["access_token"] == new
    assert len(watchers) == 1


async def test_concurrent_callers_share_one_renewal(
    hass: HomeAssistant, oauth_entry: ConfigEntry, server: OAuthServer
) -> None:
    """A refresh token can be used once, also if a reload happens meanwhile."""
    requests = server.asked[TOKEN]
    sources = [
        token_source_for_entry(hass, oauth_entry),
        token_source_for_entry(hass, oauth_entry),
    ]
    tokens = await asyncio.gather(
        *(source.token(renew=True) for source in sources if source)
    )
    assert len(tokens) == 2
    assert len({*tokens}) == 1
    assert server.asked[TOKEN] == requests + 1


async def test_renewal_continues_after_its_caller_is_cancelled(
    hass: HomeAssistant, oauth_entry: ConfigEntry
) -> None:
    """The new token must not get lost."""
    source = token_source_for_entry(hass, oauth_entry)
    assert source is not None
    old = oauth_entry.data["token"]
    request = asyncio.create_task(source.token(renew=True))
    await asyncio.sleep(0)
    request.cancel()
    await hass.async_block_till_done()
    assert request.cancelled()
    assert oauth_entry.data["token"] != old


async def test_failed_renewal_of_a_cancelled_caller(
    hass: HomeAssistant,
    oauth_entry: ConfigEntry,
    server: OAuthServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The exception is retrieved, and the next caller gets its own."""
    server.faults[TOKEN] = "invalid_grant"
    source = token_source_for_entry(hass, oauth_entry)
    assert source is not None
    request = asyncio.create_task(source.token(renew=True))
    await asyncio.sleep(0)
    request.cancel()
    await hass.async_block_till_done()
    assert "never retrieved" not in caplog.text
    with pytest.raises(TokenRevoked):
        await source.token(renew=True)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param("invalid_grant", TokenRevoked, id="revoked"),
        pytest.param("invalid_client", TokenRevoked, id="client gone"),
        pytest.param("temporarily_unavailable", TokenUnavailable, id="busy"),
        pytest.param(Fault.SERVER_ERROR, TokenUnavailable, id="server error"),
        pytest.param(Fault.NO_JSON, TokenUnavailable, id="no JSON"),
        pytest.param(Fault.SILENT, TokenUnavailable, id="silent"),
        pytest.param(Fault.THROTTLED, TokenUnavailable, id="throttled"),
        pytest.param(None, TokenUnavailable, id="no network"),
    ],
)
async def test_renewal_fails(
    hass: HomeAssistant,
    oauth_entry: ConfigEntry,
    server: OAuthServer,
    fault: Fault | str | None,
    error: type[Exception],
) -> None:
    """Only an OAuth2 error revokes the token; other failures are temporary."""
    source = token_source_for_entry(hass, oauth_entry)
    assert source is not None
    if fault is None:
        await server.stop()
    else:
        server.faults[TOKEN] = fault
    with pytest.raises(error):
        await source.token(renew=True)
    assert not hass.config_entries.flow.async_progress()
    if fault is None:
        await server.start()
    server.faults.clear()
    assert await source.token(renew=True)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(
            {"error": {"errorId": "INVALID_REFRESH_TOKEN"}},
            TokenRevoked,
            id="Yahoo's object",
        ),
        pytest.param({}, TokenUnavailable, id="nothing"),
        pytest.param({"access_token": ["a"]}, TokenUnavailable, id="list"),
        pytest.param({"access_token": "\ud800"}, TokenUnavailable, id="no character"),
        pytest.param({"access_token": "a\1b"}, TokenUnavailable, id="control"),
    ],
)
async def test_response_without_a_valid_token(
    hass: HomeAssistant,
    oauth_entry: ConfigEntry,
    answer: dict[str, Any],
    error: type[Exception],
) -> None:
    """The stored token does not change."""
    source = token_source_for_entry(hass, oauth_entry)
    assert source is not None
    old = oauth_entry.data["token"]
    with (
        patch.object(oauth, "post_form", return_value=answer),
        pytest.raises(error),
    ):
        await source.token(renew=True)
    assert oauth_entry.data["token"] == old


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="no new one"),
        pytest.param({"refresh_token": None}, id="null"),
        pytest.param({"refresh_token": ""}, id="empty"),
        pytest.param({"id_token": "jane", "expires_in": 10**400}, id="too much"),
    ],
)
async def test_stored_fields_after_a_renewal(
    hass: HomeAssistant, oauth_entry: ConfigEntry, answer: dict[str, Any]
) -> None:
    """The refresh token is kept if there is no new one; other fields are not stored."""
    source = token_source_for_entry(hass, oauth_entry)
    assert source is not None
    old = oauth_entry.data["token"]
    answer = {"access_token": "new", **answer}
    with patch.object(oauth, "post_form", return_value=answer):
        assert await source.token(renew=True) == "new"
    assert oauth_entry.data["token"].keys() == old.keys()
    assert oauth_entry.data["token"]["refresh_token"] == old["refresh_token"]
    assert oauth_entry.data["token"]["expires_in"] < 2**31


async def test_removed_credentials_revoke_the_token(
    hass: HomeAssistant, oauth_entry: ConfigEntry
) -> None:
    """Only the user can fix it."""
    data = {**oauth_entry.data, "auth_implementation": "gone"}
    with pytest.raises(TokenRevoked):
        await token_source_for_data(hass, data).token(renew=True)


async def test_entry_removed_during_a_renewal(
    hass: HomeAssistant, oauth_entry: ConfigEntry
) -> None:
    """Nothing is stored."""
    source = token_source_for_entry(hass, oauth_entry)
    assert source is not None
    request = asyncio.create_task(source.token(renew=True))
    await asyncio.sleep(0)
    await hass.config_entries.async_remove(oauth_entry.entry_id)
    await request


async def test_new_sign_in_during_a_renewal(
    hass: HomeAssistant, oauth_entry: ConfigEntry, server: OAuthServer
) -> None:
    """The token of the new sign-in is kept."""
    source = token_source_for_entry(hass, oauth_entry)
    assert source is not None
    requests = server.asked[TOKEN]
    request = asyncio.create_task(source.token(renew=True))
    while server.asked[TOKEN] == requests:
        await asyncio.sleep(0)
    data = data_with_token(oauth_entry, access_token="of the user")
    hass.config_entries.async_update_entry(oauth_entry, data=data)
    assert await request == "of the user"


async def test_password_stored_during_a_renewal(
    hass: HomeAssistant, oauth_entry: ConfigEntry
) -> None:
    """Callers get no token, and only the password is stored."""
    source = token_source_for_entry(hass, oauth_entry)
    assert source is not None
    request = asyncio.create_task(source.token(renew=True))
    await asyncio.sleep(0)
    hass.config_entries.async_update_entry(oauth_entry, data=ENTRY_DATA)
    with pytest.raises(TokenUnavailable):
        await request
    with pytest.raises(TokenUnavailable):
        await source.token()
    assert oauth_entry.data == ENTRY_DATA


async def test_unavailable_credentials_are_temporary(
    hass: HomeAssistant, page: SignInPage, oauth_entry: ConfigEntry
) -> None:
    """The error is temporary."""
    source = token_source_for_entry(hass, oauth_entry)
    assert source is not None
    error = ImplementationUnavailableError()
    with (
        patch.object(oauth, "async_get_implementations", side_effect=error),
        pytest.raises(TokenUnavailable),
    ):
        await source.token(renew=True)
    with patch.object(oauth_flow, "async_get_implementations", side_effect=error):
        result = await page.start()
    assert result["reason"] == "oauth_implementation_unavailable"


async def test_token_without_an_entry(
    hass: HomeAssistant, oauth_entry: ConfigEntry
) -> None:
    """A renewed token is stored in the data that the new entry gets."""
    data = {**oauth_entry.data}
    source = token_source_for_data(hass, data)
    assert await source.token() == oauth_entry.data["token"]["access_token"]
    assert await source.token(renew=True) == data["token"]["access_token"]
    assert data["token"] != oauth_entry.data["token"]


async def test_renewal_after_a_reload(
    hass: HomeAssistant,
    oauth_entry: ConfigEntry,
    watchers: list[FakeWatcher],
) -> None:
    """Provider and client are found by the data of the entry."""
    assert await hass.config_entries.async_reload(oauth_entry.entry_id)
    source = watchers[-1].account.token
    assert source is not None
    old = await source.token()
    assert await source.token(renew=True) != old


async def test_no_secret_in_the_log(
    hass: HomeAssistant,
    server: OAuthServer,
    page: SignInPage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither a token nor a client secret."""
    caplog.set_level(logging.DEBUG)
    oauth_entry = (await page.answer(await page.start()))["result"]
    await hass.async_block_till_done()
    secrets = {CLIENT_SECRET, *server.secrets}
    source = token_source_for_entry(hass, oauth_entry)
    assert source is not None
    await source.token(renew=True)
    secrets |= {*server.secrets}
    for fault in (*Fault, "invalid_grant"):
        server.faults[TOKEN] = fault
        with pytest.raises((TokenRevoked, TokenUnavailable)):
            await source.token(renew=True)
    server.faults.clear()
    shown = await start_with_code(page)
    server.answer_device(shown["description_placeholders"]["code"], allow=True)
    await wait_for_result(hass, page, shown)
    secrets |= {*server.secrets}
    assert not [secret for secret in secrets if secret in caplog.text]
