"""Forms of an account: nothing is lost, given away or asked twice, whatever happens meanwhile."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import CONF_CA, CONF_SECURITY, DOMAIN
from custom_components.imap_push.flows.oauth_flow import OAuthSteps
from custom_components.imap_push.helpers import (
    extract_certificates,
    unique_id_from_entry_data,
)
from custom_components.imap_push.imap import (
    Account,
    Certificate,
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
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .. import ACCOUNT_DATA, BY_OAUTH, BY_PASSWORD, ENTRY_DATA, open_form

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
CERTIFICATE = Certificate(
    fingerprint="aa" * 32,
    subject="imap.example.com",
    issuer="imap.example.com",
    not_after=None,
    problem=CertificateProblem.UNTRUSTED,
)


@pytest.fixture
async def signed_in(hass: HomeAssistant, entry: MockConfigEntry) -> MockConfigEntry:
    """Return an account with a token of the user's own client."""
    assert await async_setup_component(hass, "application_credentials", {})
    credential = ClientCredential("dj0yclient", "secret", "mine")
    await async_import_client_credential(hass, DOMAIN, credential, "mine")
    hass.config_entries.async_update_entry(entry, data=SIGNED_IN)
    return entry


@pytest.fixture
def rotating() -> Iterator[list[str]]:
    """Replace the provider: each refresh token is good once. Return those that were used."""
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


async def submit(hass: HomeAssistant, flow: Any, typed: dict[str, Any]) -> Any:
    """Submit a form or choose in a menu."""
    return await hass.config_entries.flow.async_configure(flow["flow_id"], typed)


async def test_token_renewed_by_a_form_that_fails(
    hass: HomeAssistant,
    signed_in: MockConfigEntry,
    check_account: AsyncMock,
    rotating: list[str],
) -> None:
    """The account goes on: the refresh token that the form used up was good only once."""

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
    """The newest token stays; the form's is used up by then."""
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


async def test_account_that_came_here_while_its_form_was_open(
    hass: HomeAssistant, entry: MockConfigEntry, check_account: AsyncMock
) -> None:
    """Home Assistant would remove the other entry, with its folders, options and marks."""
    moved = {**ENTRY_DATA, CONF_USERNAME: "john@example.com"}
    check_account.side_effect = CertificateError(CertificateProblem.UNTRUSTED, "")
    flow = {"flow_id": await open_form(hass)}
    with patch(
        "custom_components.imap_push.flows.account_steps.fetch_certificate",
        return_value=CERTIFICATE,
    ):
        menu = await submit(hass, flow, moved)
    assert menu["step_id"] == "certificate"
    check_account.side_effect = None
    form = await entry.start_reconfigure_flow(hass)
    hass.config_entries.async_update_entry(
        entry, data=moved, unique_id=unique_id_from_entry_data(moved)
    )
    hass.config_entries.flow.async_abort(form["flow_id"])
    await submit(hass, menu, {"next_step_id": "trust"})
    await hass.async_block_till_done()
    assert hass.config_entries.async_entries(DOMAIN) == [entry]


async def test_password_is_not_sent_to_another_host_unasked(
    hass: HomeAssistant, entry: MockConfigEntry, check_account: AsyncMock
) -> None:
    """As with trust and tokens: who mistypes the host gives the password away."""
    form = await entry.start_reconfigure_flow(hass)
    typed = ACCOUNT_DATA | BY_PASSWORD | {CONF_HOST: "imap.exmaple.com"}
    form = await submit(hass, form, typed)
    await hass.async_block_till_done()
    assert not check_account.await_count


@pytest.fixture
def sign_ins() -> Iterator[list[str]]:
    """Replace the sign-in at the provider; it succeeds at once. Return where it was."""
    made: list[str] = []

    async def sign_in(flow: OAuthSteps, key: str, _login: str) -> ConfigFlowResult:
        made.append(key)
        kept = {it: SIGNED_IN[it] for it in SIGNED_IN if it not in ACCOUNT_DATA}
        return await flow.async_handle_token(kept)

    with patch.object(OAuthSteps, "async_start_oauth", sign_in):
        yield made


async def test_wrong_host_typed_by_who_signs_in(
    hass: HomeAssistant, check_account: AsyncMock, sign_ins: list[str]
) -> None:
    """They can type another one; signing in once more at the same host mends nothing."""
    check_account.side_effect = HostNotFound()
    flow = {"flow_id": await open_form(hass)}
    form = await submit(hass, flow, ACCOUNT_DATA | BY_OAUTH)
    assert form["errors"]
    assert CONF_HOST in form["data_schema"].schema


async def test_server_that_is_busy_when_somebody_has_signed_in(
    hass: HomeAssistant, check_account: AsyncMock, sign_ins: list[str]
) -> None:
    """They try again; they need not sign in again, or type another code."""
    check_account.side_effect = Unavailable("[UNAVAILABLE] try later")
    flow = {"flow_id": await open_form(hass)}
    form = await submit(hass, flow, ACCOUNT_DATA | BY_OAUTH)
    assert form["errors"] == {"base": "unavailable"}
    check_account.side_effect = None
    result = await submit(hass, form, {})
    await hass.async_block_till_done()
    assert result["type"] == "create_entry"
    assert len(sign_ins) == 1


async def test_password_renewed_of_an_account_without_encryption(
    hass: HomeAssistant, entry: MockConfigEntry, check_account: AsyncMock
) -> None:
    """What was confirmed once is not asked again for the same host."""
    data = {**ENTRY_DATA, CONF_SECURITY: "none"}
    hass.config_entries.async_update_entry(entry, data=data)
    form = await entry.start_reauth_flow(hass)
    typed = {CONF_PASSWORD: "new", "authentication": "password"}
    result = await submit(hass, form, typed)
    await hass.async_block_till_done()
    assert result.get("reason") == "reauth_successful"


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(" ", id="nothing"),
        pytest.param(
            "subject=O = M\u00fcller\n-----BEGIN CERTIFICATE-----", id="umlaut"
        ),
    ],
)
async def test_own_authority_that_is_no_certificate(
    hass: HomeAssistant, check_account: AsyncMock, typed: str
) -> None:
    """The form says so: it neither fails, nor trusts all that Home Assistant trusts."""
    check_account.side_effect = CertificateError(CertificateProblem.UNTRUSTED, "")
    flow = {"flow_id": await open_form(hass)}
    with patch(
        "custom_components.imap_push.flows.account_steps.fetch_certificate",
        return_value=CERTIFICATE,
    ):
        await submit(hass, flow, ENTRY_DATA | BY_PASSWORD)
        form = await submit(hass, flow, {"next_step_id": "own_ca"})
        form = await submit(hass, form, {CONF_CA: typed})
    assert form["errors"] == {CONF_CA: "ca_invalid"}


def test_of_a_pem_file_the_certificates_are_kept() -> None:
    """A key that was pasted along is not."""
    first = "-----BEGIN CERTIFICATE-----\nAB+/\nCD==\n-----END CERTIFICATE-----"
    key = "-----BEGIN PRIVATE KEY-----\nEF==\n-----END PRIVATE KEY-----"
    second = first.replace("AB", "GH")
    pasted = f"subject=O = Müller\n{first}\n{key}\n{second}\n"
    assert extract_certificates(pasted) == f"{first}\n{second}"


async def test_app_password_typed_after_signing_in(
    hass: HomeAssistant, signed_in: MockConfigEntry
) -> None:
    """Of the two ways to sign in one is kept, so that signing in again knows which."""
    data = {"key": ISSUE_APP_PASSWORD, "entry_id": signed_in.entry_id}
    flow: Any = await async_create_fix_flow(hass, ISSUE_APP_PASSWORD, dict(data))
    flow.hass = hass
    with patch("custom_components.imap_push.repairs.check_account"):
        await flow.async_step_password({CONF_PASSWORD: "app password"})
    await hass.async_block_till_done()
    assert (CONF_PASSWORD in signed_in.data) != (CONF_TOKEN in signed_in.data)
