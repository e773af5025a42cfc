"""An automation for new mail, built by clicking, without a template."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from playwright.async_api import Page
import pytest
import pytest_asyncio

from .clicking import save_automation
from .conftest import ARTIFACTS
from .home import Account, Home
from .mailbox import Mailbox
from .waiting import until_equal

from tests.required import require
from tests.rig.browser import Browser

pytestmark = pytest.mark.browser

AUTOMATION: Final = "automation.put_mail_away"


@pytest_asyncio.fixture(loop_scope="session")
async def browser(home: Home) -> AsyncIterator[Browser]:
    """Run a browser that is logged in to Home Assistant."""
    require(Browser.available(), "Chromium")
    async with Browser(home.url, home.token, ARTIFACTS) as browser:
        yield browser


async def test_mark_as_read_and_move_to_the_archive(
    browser: Browser, account: Account, mailbox: Mailbox
) -> None:
    """The fields for the email stay empty; the folder is chosen from a list."""
    await asyncio.to_thread(mailbox.create, "Archive")
    page = browser.page
    await browser.open("/config/automation/edit/new")
    await page.get_by_text("Add trigger").click()
    await page.get_by_text("Services", exact=True).click()
    await page.get_by_text(account.title, exact=True).first.click()
    await page.get_by_text("New mail").first.click()
    await _add_action(page, "Mark as read")
    await browser.screenshot("30_mark_as_read")
    await _add_action(page, "Move email")
    await browser.screenshot("31_move")
    await page.locator("ha-selector-select").last.click()
    await browser.screenshot("32_folders")
    await page.get_by_role("option", name="Archive").click()
    await browser.screenshot("33_archive")
    await save_automation(page, "Put mail away")
    await until_equal(lambda: account.home.state(AUTOMATION), "on")
    await mailbox.deliver("Order")
    await until_equal(
        lambda: asyncio.to_thread(mailbox.found, "Archive", "SEEN SUBJECT Order"), 1
    )
    assert await mailbox.listing() == []


async def _add_action(page: Page, name: str) -> None:
    """Search for an action, and add it."""
    await page.get_by_text("Add action").last.click()
    await page.get_by_placeholder("Search").last.fill(name)
    await page.get_by_text(f"IMAP Push: {name}", exact=True).last.click()
