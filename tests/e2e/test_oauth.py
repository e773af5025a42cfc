"""OAuth2 sign-in in the browser, with tokens that expire soon."""

from playwright.async_api import expect
import pytest

from custom_components.imap_push.const import DOMAIN

from .clicking import button, close_dialog
from .home import account_title
from .waiting import next_events, until_equal
from .world import GOOGLE_USER, MICROSOFT_USER, World

from tests.rig.lmtp import deliver
from tests.rig.mails import plain
from tests.rig.oauth_server import CLIENT_SECRET, TOKEN

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("world", ["google"], indirect=True)
async def test_sign_in_in_the_browser(world: World) -> None:
    """From the mail address through the provider's page to the first mail; tokens survive a restart."""
    page = await world.type_address(GOOGLE_USER)
    await page.get_by_text("How to sign in").wait_for()
    await world.browser.screenshot("oauth_1_choose")
    await world.allow(page.get_by_text("Sign in with Gmail"))
    await world.until_added(GOOGLE_USER)
    await world.browser.screenshot("oauth_2_added")

    secrets = {CLIENT_SECRET, *world.issuer.secrets}
    world.issuer.expire_access()
    requests_before = world.issuer.asked[TOKEN]
    assert await world.home.stop() == 0
    await world.home.start()
    await world.until_connected(GOOGLE_USER)
    await world.until_mail_comes(GOOGLE_USER)
    assert world.issuer.asked[TOKEN] > requests_before

    secrets |= {*world.issuer.secrets}
    world.issuer.revoke_all()
    [entry] = await world.home.client.config_entries(DOMAIN)
    await world.home.client.reload_entry(entry["entry_id"])
    await until_equal(world.reauth_flows, [account_title(GOOGLE_USER)])
    await deliver(world.dovecot.lmtp_port, GOOGLE_USER, plain("Meanwhile"))
    mails = await world.home.client.subscribe_events("new_mail")
    await world.browser.open("/config/repairs")
    await page.get_by_text(
        f"Authentication expired for {account_title(GOOGLE_USER)}"
    ).click()
    await expect(
        page.get_by_text("Your sign-in has expired or was revoked")
    ).to_be_visible()
    await world.browser.screenshot("oauth_4_again")
    await world.allow(button(page, "Submit"))
    await close_dialog(page, "Re-authentication was successful", by="Close")
    await world.until_connected(GOOGLE_USER)
    [mail] = await next_events(mails)
    assert (mail["subject"], mail["catch_up"]) == ("Meanwhile", True)
    assert world.leaks(secrets | {*world.issuer.secrets}) == []


@pytest.mark.parametrize("world", ["microsoft"], indirect=True)
async def test_sign_in_with_a_code(world: World) -> None:
    """No redirect is needed: the user types the code on another page."""
    page = await world.type_address(MICROSOFT_USER)
    code_option = page.get_by_text("Sign in with a code")
    await code_option.wait_for()
    await world.browser.screenshot("oauth_3_ways")
    await code_option.click()
    link = page.get_by_role("link", name=world.issuer.url)
    await link.wait_for()
    await world.browser.screenshot("oauth_5_code")
    code = await page.locator("ha-markdown strong").inner_text()
    world.issuer.answer_device(code, allow=True)
    await world.until_added(MICROSOFT_USER)
    assert world.leaks({CLIENT_SECRET, *world.issuer.secrets}) == []
