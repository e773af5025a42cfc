"""Tokens while forms are open: renewals, failed logins, retries."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.flows.oauth_flow import OAuthSteps
from custom_components.imap_push.imap import (
    Account,
    CertificateError,
    CertificateProblem,
    HostNotFound,
    Unavailable,
)
from custom_components.imap_push.issues import ISSUE_APP_PASSWORD
from custom_components.imap_push.oauth import tokens as oauth
from custom_components.imap_push.oauth.tokens import token_source_for_entry
from custom_components.imap_push.repairs import async_create_fix_flow
from homeassistant.components.application_credentials import (
    ClientCredential,
    async_import_client_credential,
)
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .. import ACCOUNT_DATA, BY_OAUTH, open_form
from ..flow_forms import submit
from ..setup import UNTRUSTED_CERTIFICATE as CERTIFICATE

pytestmark = pytest.mark.usefixtures("watchers")

SIGNED_IN = {
    **ACCOUNT_DATA,
    "auth_implementation": "mine",
    "oauth_device": False,
    "oauth_provider": "yahoo",
    "oauth_signed_in": "2026-11-24T12:00:00+00:00",
    "token": {
        "access_token": "access 0",
        "refresh_token": "refresh 0",
        "expires_at": 9e9,
        "expires_in": 3600,
    },
}
RECONFIGURED = ACCOUNT_DATA | BY_OAUTH


@pytest.fixture
async def signed_in(hass: HomeAssistant, entry: MockConfigEntry) -> MockConfigEntry:
    """Return an account with a token of client credentials of the user."""
    assert await async_setup_component(hass, "application_credentials", {})
    credential = ClientCredential("dj0yclient", "secret", "mine")
    await async_import_client_credential(hass, DOMAIN, credential, "mine")
    hass.config_entries.async_update_entry(entry, data=SIGNED_IN)
    return entry


@pytest.fixture
def rotating() -> Iterator[list[str]]:
    """Replace the provider: each refresh token is valid once. Return the used ones."""
    used: list[str] = []

    async def answer(
        _session: object, _url: str, form: dict[str, str]
    ) -> dict[str, Any]:
        if form["refresh_token"] != f"refresh {len(used)}":
            return {"error": "invalid_grant"}
        used.append(form["refresh_token"])
        return {
            "access_token": f"access {len(used)}",
            "refresh_token": f"refresh {len(used)}",
            "expires_in": 3600,
        }

    with patch.object(oauth, "post_form", answer):
        yield used


@pytest.fixture
def sign_ins() -> Iterator[list[str]]:
    """Replace the sign-in by one that succeeds at once; return the providers."""
    made: list[str] = []

    async def sign_in(flow: OAuthSteps, key: str, _login: str) -> ConfigFlowResult:
        made.append(key)
        kept = {
            field: SIGNED_IN[field] for field in SIGNED_IN if field not in ACCOUNT_DATA
        }
        return await flow.async_handle_token(kept)

    with patch.object(OAuthSteps, "async_start_oauth", sign_in):
        yield made


async def test_token_renewed_by_a_form_that_fails_is_stored(
    hass: HomeAssistant,
    signed_in: MockConfigEntry,
    check_account: AsyncMock,
    rotating: list[str],
) -> None:
    """The form has used the refresh token, which is valid only once."""

    async def refuse_first_token(account: Account, _folder: str) -> None:
        assert account.token is not None
        await account.token.token(renew=True)
        raise HostNotFound

    check_account.side_effect = refuse_first_token
    form = await signed_in.start_reconfigure_flow(hass)
    form = await submit(hass, form, RECONFIGURED)
    assert form["errors"]
    source = token_source_for_entry(hass, signed_in)
    assert source is not None
    await source.token(renew=True)  # TokenRevoked: the user has to sign in again.


async def test_token_renewed_by_the_watcher_while_a_form_is_open(
    hass: HomeAssistant,
    signed_in: MockConfigEntry,
    check_account: AsyncMock,
    rotating: list[str],
) -> None:
    """The newest token is kept; the form's refresh token is used by then."""
    untrusted = CertificateError(CertificateProblem.UNTRUSTED, "")
    check_account.side_effect = untrusted
    form = await signed_in.start_reconfigure_flow(hass)
    with patch(
        "custom_components.imap_push.flows.account_steps.fetch_certificate",
        return_value=CERTIFICATE,
    ):
        menu = await submit(hass, form, RECONFIGURED)
    assert menu["step_id"] == "certificate"
    source = token_source_for_entry(hass, signed_in)
    assert source is not None
    await source.token(renew=True)
    check_account.side_effect = None
    result = await submit(hass, menu, {"next_step_id": "trust"})
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert signed_in.data[CONF_TOKEN]["refresh_token"] == "refresh 1"


async def test_wrong_host_after_a_sign_in_can_be_corrected(
    hass: HomeAssistant, check_account: AsyncMock, sign_ins: list[str]
) -> None:
    """Signing in again at the same host would not help."""
    check_account.side_effect = HostNotFound()
    flow = {"flow_id": await open_form(hass)}
    form = await submit(hass, flow, ACCOUNT_DATA | BY_OAUTH)
    assert form["errors"]
    assert CONF_HOST in form["data_schema"].schema


async def test_retry_after_a_sign_in_needs_no_new_sign_in(
    hass: HomeAssistant, check_account: AsyncMock, sign_ins: list[str]
) -> None:
    """The server was unavailable; the token is valid."""
    check_account.side_effect = Unavailable("[UNAVAILABLE] try later")
    flow = {"flow_id": await open_form(hass)}
    form = await submit(hass, flow, ACCOUNT_DATA | BY_OAUTH)
    assert form["errors"] == {"base": "unavailable"}
    check_account.side_effect = None
    result = await submit(hass, form, {})
    await hass.async_block_till_done()
    assert result["type"] == "create_entry"
    assert len(sign_ins) == 1


async def test_app_password_replaces_the_token(
    hass: HomeAssistant, signed_in: MockConfigEntry
) -> None:
    """An entry has either a password or a token, which decides how reauthentication works."""
    data = {"key": ISSUE_APP_PASSWORD, "entry_id": signed_in.entry_id}
    flow: Any = await async_create_fix_flow(hass, ISSUE_APP_PASSWORD, dict(data))
    flow.hass = hass
    with patch("custom_components.imap_push.repairs.imap.check_account"):
        await flow.async_step_password({CONF_PASSWORD: "app password"})
    await hass.async_block_till_done()
    assert (CONF_PASSWORD in signed_in.data) != (CONF_TOKEN in signed_in.data)
