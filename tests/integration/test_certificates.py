"""A certificate that is not accepted: the user decides, and is told all that is needed for it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
import ssl
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import CONF_CA, CONF_FINGERPRINT
from custom_components.imap_push.helpers import account_from_entry_data
from custom_components.imap_push.imap import (
    Certificate,
    CertificateChanged,
    CertificateError,
    CertificateProblem,
    LoginRefused,
    Unreachable,
)
from homeassistant.const import (
    CONF_BASE,
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_VERIFY_SSL,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from . import BY_PASSWORD, ENTRY_DATA, HOST, open_form, suggested

from tests.rig.certificate import make_certificate

pytestmark = pytest.mark.usefixtures("watchers")

FINGERPRINT = "ab" * 32
SEEN = Certificate(
    fingerprint=FINGERPRINT,
    subject="nas.local",
    issuer="nas.local",
    not_after=datetime(2030, 1, 2, tzinfo=UTC),
    problem=CertificateProblem.UNTRUSTED,
)
UNTRUSTED = CertificateError(CertificateProblem.UNTRUSTED, "self-signed")


@pytest.fixture(autouse=True)
def fetch_certificate() -> Iterator[AsyncMock]:
    """Replace the look at the certificate."""
    with patch(
        "custom_components.imap_push.flows.account_steps.fetch_certificate",
        return_value=SEEN,
    ) as mock:
        yield mock


@pytest.fixture
def ca(tmp_path: Path) -> str:
    """Return the certificate of an authority."""
    return make_certificate(tmp_path).ca.read_text().strip()


async def _choose(hass: HomeAssistant, flow: Any, option: str) -> Any:
    return await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"next_step_id": option}
    )


async def _submit(hass: HomeAssistant, flow: Any, typed: dict[str, Any]) -> Any:
    return await hass.config_entries.flow.async_configure(flow["flow_id"], typed)


async def _refused(hass: HomeAssistant, check_account: AsyncMock) -> Any:
    """Type an account whose certificate is not accepted; return the menu."""
    check_account.side_effect = UNTRUSTED
    flow = {"flow_id": await open_form(hass)}
    menu = await _submit(hass, flow, ENTRY_DATA)
    assert menu["type"] is FlowResultType.MENU
    assert menu["step_id"] == "certificate"
    return menu


async def test_exactly_this_certificate_is_trusted(
    hass: HomeAssistant, check_account: AsyncMock
) -> None:
    """What the user compares is shown."""
    menu = await _refused(hass, check_account)
    assert menu["menu_options"] == ["trust", "own_ca", "go_back"]
    assert menu["description_placeholders"] == {
        "fingerprint": " ".join(["ABAB"] * 16),
        "host": HOST,
        "issuer": "nas.local",
        "not_after": "2030-01-02",
        "subject": "nas.local",
    }
    check_account.side_effect = None
    result = await _choose(hass, menu, "trust")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == ENTRY_DATA | {CONF_FINGERPRINT: FINGERPRINT}
    assert check_account.await_args is not None
    assert check_account.await_args.args[0].fingerprint == FINGERPRINT
    await hass.async_block_till_done()


async def test_certificate_that_tells_nothing(
    hass: HomeAssistant, check_account: AsyncMock, fetch_certificate: AsyncMock
) -> None:
    """A dash stands for it."""
    fetch_certificate.return_value = replace(
        SEEN, subject="", issuer="", not_after=None
    )
    menu = await _refused(hass, check_account)
    told = menu["description_placeholders"]
    assert {told[key] for key in ("subject", "issuer", "not_after")} == {"\N{EM DASH}"}


async def test_an_own_authority_is_trusted(
    hass: HomeAssistant, check_account: AsyncMock, ca: str
) -> None:
    """What is no certificate is told; a server that it did not sign is asked about again."""
    form = await _choose(hass, await _refused(hass, check_account), "own_ca")
    assert form["step_id"] == "own_ca"
    form = await _submit(hass, form, {CONF_CA: "a certificate"})
    assert form["errors"] == {CONF_CA: "ca_invalid"}
    assert suggested(form) == {CONF_CA: "a certificate"}

    menu = await _submit(hass, form, {CONF_CA: ca})
    assert menu["step_id"] == "certificate"
    form = await _choose(hass, menu, "own_ca")
    check_account.side_effect = None
    result = await _submit(hass, form, {CONF_CA: f"\n{ca}\n"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == ENTRY_DATA | {CONF_CA: ca}
    assert check_account.await_args is not None
    context = check_account.await_args.args[0].ssl_context
    assert [it["subject"] for it in context.get_ca_certs()] == [
        ((("commonName", "IMAP Push test CA"),),)
    ]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    await hass.async_block_till_done()


async def test_going_back_says_what_is_wrong(
    hass: HomeAssistant, check_account: AsyncMock
) -> None:
    """The form is as it was typed; the check can be turned off there."""
    form = await _choose(hass, await _refused(hass, check_account), "go_back")
    assert form["step_id"] == "server"
    assert form["errors"] == {CONF_VERIFY_SSL: "certificate_untrusted"}
    assert suggested(form) == ENTRY_DATA | BY_PASSWORD
    check_account.side_effect = None
    result = await _submit(hass, form, ENTRY_DATA | {CONF_VERIFY_SSL: False})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_certificate_cannot_be_looked_at(
    hass: HomeAssistant, check_account: AsyncMock, fetch_certificate: AsyncMock
) -> None:
    """The form says what was wrong."""
    fetch_certificate.side_effect = Unreachable("no way")
    check_account.side_effect = UNTRUSTED
    flow = {"flow_id": await open_form(hass)}
    form = await _submit(hass, flow, ENTRY_DATA)
    assert form["errors"] == {CONF_VERIFY_SSL: "certificate_untrusted"}


async def test_error_after_trusting_is_told_in_the_form(
    hass: HomeAssistant, check_account: AsyncMock
) -> None:
    """The flow goes on."""
    menu = await _refused(hass, check_account)
    check_account.side_effect = LoginRefused()
    form = await _choose(hass, menu, "trust")
    assert form["step_id"] == "server"
    assert form["errors"] == {CONF_BASE: "login_refused"}


async def test_changed_certificate_is_trusted_while_the_password_is_renewed(
    hass: HomeAssistant, entry: MockConfigEntry, check_account: AsyncMock
) -> None:
    """The new one replaces the old one."""
    old = ENTRY_DATA | {CONF_FINGERPRINT: "cd" * 32}
    hass.config_entries.async_update_entry(entry, data=old)
    form = await entry.start_reauth_flow(hass)
    check_account.side_effect = CertificateChanged(FINGERPRINT)
    menu = await _submit(hass, form, {CONF_PASSWORD: "battery staple"})
    assert menu["step_id"] == "certificate_changed"
    assert menu["menu_options"] == ["trust", "go_back"]
    form = await _choose(hass, menu, "go_back")
    assert form["step_id"] == "reauth_confirm"
    assert form["errors"] == {CONF_BASE: "certificate_changed"}

    menu = await _submit(hass, form, {CONF_PASSWORD: "battery staple"})
    check_account.side_effect = None
    result = await _choose(hass, menu, "trust")
    assert result["reason"] == "reauth_successful"
    changes = {CONF_PASSWORD: "battery staple", CONF_FINGERPRINT: FINGERPRINT}
    assert entry.data == ENTRY_DATA | changes
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("changes", "keeps_trust"),
    [
        pytest.param({CONF_PORT: 143}, True, id="another port"),
        pytest.param({CONF_PASSWORD: "battery staple"}, True, id="another password"),
        pytest.param({CONF_HOST: "nas2.local"}, False, id="another host"),
        pytest.param({CONF_VERIFY_SSL: False}, False, id="no check at all"),
    ],
)
async def test_trust_is_kept_for_the_server_that_has_it(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    check_account: AsyncMock,
    ca: str,
    changes: dict[str, Any],
    keeps_trust: bool,
) -> None:
    """Whatever else of the account is changed."""
    trust = {CONF_CA: ca, CONF_FINGERPRINT: FINGERPRINT}
    hass.config_entries.async_update_entry(entry, data=ENTRY_DATA | trust)
    form = await entry.start_reconfigure_flow(hass)
    result = await _submit(hass, form, ENTRY_DATA | changes)
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == ENTRY_DATA | changes | (trust if keeps_trust else {})
    await hass.async_block_till_done()


def test_the_context_of_an_authority_is_made_once(ca: str) -> None:
    """And then shared by all that need it."""
    first = account_from_entry_data(ENTRY_DATA | {CONF_CA: ca})
    second = account_from_entry_data(ENTRY_DATA | {CONF_CA: ca})
    assert first.ssl_context is second.ssl_context


@pytest.mark.parametrize(
    "made_at_home",
    [
        pytest.param(False, id="by the book"),
        pytest.param(True, id="with the extensions that are needed, and no other"),
    ],
)
def test_what_an_own_authority_has_signed_is_accepted(
    tmp_path: Path, made_at_home: bool
) -> None:
    """Python's strict check would refuse most authorities that were made at home."""
    mine = make_certificate(tmp_path / "mine", made_at_home=made_at_home)
    other = make_certificate(tmp_path / "other", made_at_home=made_at_home)
    account = account_from_entry_data(ENTRY_DATA | {CONF_CA: mine.ca.read_text()})
    assert account.ssl_context is not None
    _shake_hands(account.ssl_context, mine.server_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(account.ssl_context, other.server_context())


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Let both sides talk TLS until they are done."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(back, there, server_hostname="localhost"),
        server.wrap_bio(there, back, server_side=True),
    ]
    while sides:
        side = sides.pop(0)
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            sides.append(side)
