"""What a user sees and clicks in the browser."""

from collections.abc import AsyncIterator

from playwright.async_api import expect
import pytest
import pytest_asyncio

from .conftest import ARTIFACTS
from .home import Account, Home, credentials
from .mailbox import Mailbox

from tests.required import require
from tests.rig.browser import Browser

pytestmark = pytest.mark.browser


@pytest_asyncio.fixture(loop_scope="session")
async def browser(home: Home) -> AsyncIterator[Browser]:
    """Run a browser that is logged in."""
    require(Browser.available(), "Chromium")
    async with Browser(home.url, home.token, ARTIFACTS) as browser:
        yield browser


async def test_from_clicking_to_the_first_mail(
    home: Home, browser: Browser, mailbox: Mailbox
) -> None:
    """The account is added by clicking, and its number moves without a reload."""
    page = browser.page
    await browser.open("/config/integrations/dashboard")
    await page.get_by_role("button", name="Add integration").click()
    await page.get_by_text("Set up a new integration").wait_for()
    await browser.settle()
    await page.keyboard.type("IMAP Push")
    await page.get_by_text("IMAP Push", exact=True).first.click()
    await _fill_in(browser, mailbox, password="wrong")
    await expect(
        page.get_by_text("The server refused username or password")
    ).to_be_visible()
    await browser.screenshot("2_wrong_password")

    await page.locator("input[name=password]").fill(
        credentials(mailbox.user, 0)["password"]
    )
    await page.get_by_role("button", name="Submit").click()
    finish = page.get_by_role("button", name="Skip and finish")
    await finish.wait_for()
    await browser.screenshot("3_added")
    await finish.click()

    [entry] = await home.client.config_entries("imap_push")
    account = Account(home, mailbox.user, entry["entry_id"])
    await account.until_state("unread", "0")
    await browser.open(f"/config/devices/device/{await _folder_device(home)}")
    await browser.screenshot("4_device")
    await expect(page.get_by_text("0 mails")).to_be_visible()
    await mailbox.deliver("Hello")
    await expect(page.get_by_text("1 mails")).to_be_visible()
    await browser.screenshot("5_mail_has_come")


async def _fill_in(browser: Browser, mailbox: Mailbox, *, password: str) -> None:
    """Fill in the form and submit it."""
    page = browser.page
    typed = credentials(mailbox.user, mailbox.server.imaps_port, password=password)
    await page.get_by_text("Add a mail account").wait_for()
    await page.locator("ha-switch, ha-checkbox").first.click()
    await page.get_by_role("button", name="Submit").click()
    await page.get_by_text("The mail server", exact=True).wait_for()
    for field in ("username", "password", "host"):
        await page.locator(f"input[name={field}]").fill(typed[field])
    await page.locator("input[type=number]").fill(str(typed["port"]))
    await browser.settle()
    await browser.screenshot("1_form")
    await page.get_by_role("button", name="Submit").click()


async def _folder_device(home: Home) -> str:
    """Return the device of the inbox."""
    devices = await home.client.call("config/device_registry/list")
    [device] = [device["id"] for device in devices if device["model"] == "IMAP folder"]
    return str(device)
