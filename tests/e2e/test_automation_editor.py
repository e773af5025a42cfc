"""An automation for new mail that is built by clicking."""

from collections.abc import AsyncIterator

from playwright.async_api import expect
import pytest
import pytest_asyncio

from .conftest import ARTIFACTS
from .home import Account, Home
from .mailbox import Mailbox
from .waiting import until_equal

from tests.required import require
from tests.rig.browser import Browser
from tests.rig.client import Client
from tests.rig.mails import plain

pytestmark = pytest.mark.browser


@pytest_asyncio.fixture(loop_scope="session")
async def browser(home: Home) -> AsyncIterator[Browser]:
    """Run a browser that is logged in."""
    require(Browser.available(), "Chromium")
    async with Browser(home.url, home.token, ARTIFACTS) as browser:
        yield browser


async def test_from_clicking_to_the_trace(
    account: Account, browser: Browser, mailbox: Mailbox
) -> None:
    """The trigger is offered for the account, and the automation runs for one sender."""
    await _build(browser, mailbox.user, sender="boss@example.com")
    client = account.home.client
    await until_equal(lambda: account.home.state("automation.boss"), "on")
    state = await client.get_state("automation.boss")
    assert state is not None
    automation = state["attributes"]["id"]

    await mailbox.deliver(plain("Not from the boss"))
    await mailbox.deliver(plain("Come in", sender="The Boss <boss@example.com>"))
    await until_equal(lambda: _triggers(client, automation), ["new mail in INBOX of"])

    await browser.open(f"/config/automation/trace/{automation}")
    await browser.page.get_by_text("Trace timeline").click()
    await expect(browser.page.get_by_text("new mail in INBOX").first).to_be_visible()
    await browser.screenshot("trigger_4_trace")
    await client.rest("DELETE", f"/api/config/automation/config/{automation}")


async def _build(browser: Browser, account: str, *, sender: str) -> None:
    """Make an automation for new mail of an account."""
    page = browser.page
    await browser.open("/config/automation/edit/new")
    await page.get_by_text("Add trigger").click()
    await page.get_by_text("Services", exact=True).click()
    await page.get_by_text(account, exact=True).first.click()
    await browser.screenshot("trigger_1_offered")
    await page.get_by_text("New mail").first.click()
    await page.locator("ha-checkbox").first.click()
    await page.get_by_role("button", name="Add", exact=True).first.click()
    await page.locator("ha-selector-text input").first.fill(sender)
    await browser.settle()
    await browser.screenshot("trigger_2_filter")

    await page.get_by_text("Save", exact=True).first.click()
    await page.locator("ha-dialog-automation-save input").first.fill("Boss")
    await browser.settle()
    await browser.screenshot("trigger_3_name")
    await page.get_by_role("button", name="Save", exact=True).last.click()


async def _triggers(client: Client, automation: str) -> list[str]:
    """Return what an automation was started by, each time, without the account."""
    traces = await client.call("trace/list", domain="automation", item_id=automation)
    return [trace["trigger"].rpartition(" ")[0] for trace in traces]
