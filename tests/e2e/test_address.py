"""Setup from a mail address in the browser: the texts of the forms and the resulting accounts."""

from pathlib import Path

from playwright.async_api import expect
import pytest

from .clicking import (
    INTEGRATION_PAGE,
    button,
    choose_from_menu,
    close_dialog,
    fill_in,
    submit,
)
from .home import MISTYPED
from .world import GMX_USER, GOOGLE_USER, World

from tests.rig.certificate import make_certificate
from tests.rig.dovecot import PASSWORD, Dovecot

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("world", ["google"], indirect=True),
]


async def test_setup_with_address_and_password(world: World) -> None:
    """Errors can be corrected in the form; a reconfiguration changes the account to OAuth2."""
    page = await world.begin()
    await page.locator("input[name=address]").fill("jane")
    await submit(page)
    await expect(page.get_by_text("Enter a valid email address.")).to_be_visible()
    await world.browser.screenshot("address_1_wrong")

    await page.locator("input[name=address]").fill(GMX_USER)
    await submit(page)
    await expect(page.get_by_text("The mail server of GMX is")).to_be_visible()
    await expect(
        page.get_by_role("link", name="enable IMAP in your mailbox settings")
    ).to_be_visible()
    await world.browser.screenshot("address_2_password")
    await submit(page)
    await expect(page.get_by_text("Enter the password.")).to_be_visible()
    await page.get_by_text("Other username or server").click()
    await world.browser.screenshot("address_3_section")
    await fill_in(page, {"password": MISTYPED})
    await submit(page)
    await expect(page.get_by_text("requires an app password")).to_be_visible()
    await world.browser.screenshot("address_4_refused")
    await fill_in(page, {"password": PASSWORD})
    await submit(page)
    await expect(
        page.get_by_text("new email triggers automations immediately")
    ).to_be_visible()
    await world.browser.screenshot("address_5_added")
    await world.until_added(GMX_USER)

    await world.browser.open(INTEGRATION_PAGE)
    row = page.locator("ha-config-entry-row").first
    await choose_from_menu(page, row, "Reconfigure")
    world.issuer.user = GMX_USER
    method = page.locator("ha-select").last
    await method.click()
    await page.get_by_text("On the provider's website (OAuth2)").last.click()
    await world.browser.screenshot("address_6_reconfigure")
    await world.allow(button(page, "Submit"))
    await close_dialog(page, "Reconfiguration was successful", by="Close")
    await world.until_connected(GMX_USER)
    assert world.leaks({PASSWORD, MISTYPED, *world.issuer.secrets}) == []


async def test_setup_with_a_private_server(world: World, tmp_path: Path) -> None:
    """Its certificate is shown before it is trusted; an unencrypted connection must be confirmed."""
    certificate = make_certificate(tmp_path / "own", self_signed=True)
    with Dovecot(certificate, users={GOOGLE_USER: PASSWORD}) as server:
        page = await world.type_address(GOOGLE_USER)
        await page.get_by_text("Enter server settings").click()
        await page.get_by_text("Mail server", exact=True).wait_for()
        await fill_in(page, {"password": PASSWORD})
        await page.locator("input[type=number]").fill(str(server.imaps_port))
        await page.locator("ha-select").first.click()
        await page.get_by_text("None (not encrypted)").last.click()
        await submit(page)
        await expect(page.get_by_text("Continue without encryption?")).to_be_visible()
        await world.browser.screenshot("own_1_not_encrypted")
        await page.get_by_text("Go back").click()
        await expect(page.get_by_text("Select TLS or STARTTLS")).to_be_visible()
        await world.browser.screenshot("own_2_back")
        await page.locator("ha-select").first.click()
        await page.get_by_text("TLS", exact=True).last.click()
        await submit(page)
        await expect(page.get_by_text("Do you trust this server?")).to_be_visible()
        await world.browser.screenshot("own_3_certificate")
        await page.get_by_text("Use my own certificate authority (CA)").click()
        await page.locator("textarea").fill("nothing")
        await submit(page)
        await expect(page.get_by_text("This is not a certificate.")).to_be_visible()
        await world.browser.screenshot("own_4_authority")
        await page.locator("textarea").fill(certificate.cert.read_text())
        await submit(page)
        await expect(
            page.get_by_text("new email triggers automations immediately")
        ).to_be_visible()
        await button(page, "Skip and finish").click()
        await world.until_connected(GOOGLE_USER)
        assert world.leaks({PASSWORD}) == []
