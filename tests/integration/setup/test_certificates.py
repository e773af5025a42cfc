"""Certificates that are not accepted: the user decides with the data that is shown."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
import ssl
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import CONF_CA, CONF_FINGERPRINT
from custom_components.imap_push.helpers import (
    account_from_entry_data,
    extract_certificates,
)
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

from .. import BY_PASSWORD, ENTRY_DATA, HOST, open_form, suggested
from ..flow_forms import choose, submit
from . import UNTRUSTED_CERTIFICATE as CERTIFICATE

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
    """Replace the request for the certificate."""
    with patch(
        "custom_components.imap_push.flows.account_steps.fetch_certificate",
        return_value=SEEN,
    ) as mock:
        yield mock


@pytest.fixture
def ca(tmp_path: Path) -> str:
    """Return a CA certificate (PEM)."""
    return make_certificate(tmp_path).ca.read_text().strip()


async def _submit_untrusted(hass: HomeAssistant, check_account: AsyncMock) -> Any:
    """Submit an account with an untrusted certificate; return the menu."""
    check_account.side_effect = UNTRUSTED
    flow = {"flow_id": await open_form(hass)}
    menu = await submit(hass, flow, ENTRY_DATA)
    assert menu["type"] is FlowResultType.MENU
    assert menu["step_id"] == "certificate"
    return menu


async def test_exactly_this_certificate_is_trusted(
    hass: HomeAssistant, check_account: AsyncMock
) -> None:
    """The menu shows the data that the user compares."""
    menu = await _submit_untrusted(hass, check_account)
    assert menu["menu_options"] == ["trust", "own_ca", "go_back"]
    assert menu["description_placeholders"] == {
        "fingerprint": " ".join(["ABAB"] * 16),
        "host": HOST,
        "issuer": "nas.local",
        "not_after": "2030-01-02",
        "subject": "nas.local",
    }
    check_account.side_effect = None
    result = await choose(hass, menu, "trust")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == ENTRY_DATA | {CONF_FINGERPRINT: FINGERPRINT}
    assert check_account.await_args is not None
    assert check_account.await_args.args[0].fingerprint == FINGERPRINT
    await hass.async_block_till_done()


async def test_missing_certificate_data_is_shown_as_a_dash(
    hass: HomeAssistant, check_account: AsyncMock, fetch_certificate: AsyncMock
) -> None:
    """Subject, issuer and expiry may be missing."""
    fetch_certificate.return_value = SEEN._replace(
        subject="", issuer="", not_after=None
    )
    menu = await _submit_untrusted(hass, check_account)
    shown = menu["description_placeholders"]
    assert {shown[key] for key in ("subject", "issuer", "not_after")} == {"\N{EM DASH}"}


async def test_custom_ca_is_trusted(
    hass: HomeAssistant, check_account: AsyncMock, ca: str
) -> None:
    """An invalid certificate is refused. A CA that did not sign the server certificate shows the menu again."""
    form = await choose(hass, await _submit_untrusted(hass, check_account), "own_ca")
    assert form["step_id"] == "own_ca"
    form = await submit(hass, form, {CONF_CA: "a certificate"})
    assert form["errors"] == {CONF_CA: "ca_invalid"}
    assert suggested(form) == {CONF_CA: "a certificate"}

    menu = await submit(hass, form, {CONF_CA: ca})
    assert menu["step_id"] == "certificate"
    form = await choose(hass, menu, "own_ca")
    check_account.side_effect = None
    result = await submit(hass, form, {CONF_CA: f"\n{ca}\n"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == ENTRY_DATA | {CONF_CA: ca}
    assert check_account.await_args is not None
    context = check_account.await_args.args[0].ssl_context
    assert [ca["subject"] for ca in context.get_ca_certs()] == [
        ((("commonName", "IMAP Push test CA"),),)
    ]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    await hass.async_block_till_done()


async def test_going_back_shows_the_error(
    hass: HomeAssistant, check_account: AsyncMock
) -> None:
    """The form keeps its values; verification can be turned off there."""
    form = await choose(hass, await _submit_untrusted(hass, check_account), "go_back")
    assert form["step_id"] == "server"
    assert form["errors"] == {CONF_VERIFY_SSL: "certificate_untrusted"}
    assert suggested(form) == ENTRY_DATA | BY_PASSWORD
    check_account.side_effect = None
    result = await submit(hass, form, ENTRY_DATA | {CONF_VERIFY_SSL: False})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_certificate_that_cannot_be_fetched(
    hass: HomeAssistant, check_account: AsyncMock, fetch_certificate: AsyncMock
) -> None:
    """The form shows the first error."""
    fetch_certificate.side_effect = Unreachable("no way")
    check_account.side_effect = UNTRUSTED
    flow = {"flow_id": await open_form(hass)}
    form = await submit(hass, flow, ENTRY_DATA)
    assert form["errors"] == {CONF_VERIFY_SSL: "certificate_untrusted"}


async def test_error_after_trusting_is_shown_in_the_form(
    hass: HomeAssistant, check_account: AsyncMock
) -> None:
    """The flow continues."""
    menu = await _submit_untrusted(hass, check_account)
    check_account.side_effect = LoginRefused()
    form = await choose(hass, menu, "trust")
    assert form["step_id"] == "server"
    assert form["errors"] == {CONF_BASE: "login_refused"}


async def test_changed_certificate_is_trusted_during_reauth(
    hass: HomeAssistant, entry: MockConfigEntry, check_account: AsyncMock
) -> None:
    """The new fingerprint replaces the old one."""
    old = ENTRY_DATA | {CONF_FINGERPRINT: "cd" * 32}
    hass.config_entries.async_update_entry(entry, data=old)
    form = await entry.start_reauth_flow(hass)
    check_account.side_effect = CertificateChanged(FINGERPRINT)
    menu = await submit(hass, form, {CONF_PASSWORD: "battery staple"})
    assert menu["step_id"] == "certificate_changed"
    assert menu["menu_options"] == ["trust", "go_back"]
    form = await choose(hass, menu, "go_back")
    assert form["step_id"] == "reauth_confirm"
    assert form["errors"] == {CONF_BASE: "certificate_changed"}

    menu = await submit(hass, form, {CONF_PASSWORD: "battery staple"})
    check_account.side_effect = None
    result = await choose(hass, menu, "trust")
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
async def test_trust_is_kept_only_for_the_same_host_with_verification(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    check_account: AsyncMock,
    ca: str,
    changes: dict[str, Any],
    keeps_trust: bool,
) -> None:
    """All other changes keep CA and fingerprint."""
    trust = {CONF_CA: ca, CONF_FINGERPRINT: FINGERPRINT}
    hass.config_entries.async_update_entry(entry, data=ENTRY_DATA | trust)
    form = await entry.start_reconfigure_flow(hass)
    result = await submit(hass, form, ENTRY_DATA | changes)
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == ENTRY_DATA | changes | (trust if keeps_trust else {})
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    "user_input",
    [
        pytest.param(" ", id="nothing"),
        pytest.param(
            "subject=O = M\u00fcller\n-----BEGIN CERTIFICATE-----", id="umlaut"
        ),
    ],
)
async def test_text_without_a_certificate_is_refused(
    hass: HomeAssistant, check_account: AsyncMock, user_input: str
) -> None:
    """It does not fall back to the CA certificates of Home Assistant."""
    check_account.side_effect = CertificateError(CertificateProblem.UNTRUSTED, "")
    flow = {"flow_id": await open_form(hass)}
    with patch(
        "custom_components.imap_push.flows.account_steps.fetch_certificate",
        return_value=CERTIFICATE,
    ):
        await submit(hass, flow, ENTRY_DATA | BY_PASSWORD)
        form = await submit(hass, flow, {"next_step_id": "own_ca"})
        form = await submit(hass, form, {CONF_CA: user_input})
    assert form["errors"] == {CONF_CA: "ca_invalid"}


def test_only_the_certificates_of_a_pem_text_are_kept() -> None:
    """A private key in it is removed."""
    first = "-----BEGIN CERTIFICATE-----\nAB+/\nCD==\n-----END CERTIFICATE-----"
    key = "-----BEGIN PRIVATE KEY-----\nEF==\n-----END PRIVATE KEY-----"
    second = first.replace("AB", "GH")
    pasted = f"subject=O = Müller\n{first}\n{key}\n{second}\n"
    assert extract_certificates(pasted) == f"{first}\n{second}"


def test_context_of_a_ca_is_cached(ca: str) -> None:
    """Accounts with the same CA share it."""
    first = account_from_entry_data(ENTRY_DATA | {CONF_CA: ca})
    second = account_from_entry_data(ENTRY_DATA | {CONF_CA: ca})
    assert first.ssl_context is second.ssl_context


@pytest.mark.parametrize(
    "self_made",
    [
        pytest.param(False, id="by the book"),
        pytest.param(True, id="with the extensions that are needed, and no other"),
    ],
)
def test_certificate_of_a_custom_ca_is_accepted(
    tmp_path: Path, self_made: bool
) -> None:
    """Python's strict verification would refuse many self-made CA certificates."""
    mine = make_certificate(tmp_path / "mine", made_at_home=self_made)
    other = make_certificate(tmp_path / "other", made_at_home=self_made)
    account = account_from_entry_data(ENTRY_DATA | {CONF_CA: mine.ca.read_text()})
    assert account.ssl_context is not None
    _handshake(account.ssl_context, mine.server_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(account.ssl_context, other.server_context())


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Complete a TLS handshake in memory."""
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
