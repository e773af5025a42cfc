"""A walk through the UI in the browser, from adding an account to removing a folder."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from playwright.async_api import Page, expect
import pytest
import pytest_asyncio

from .clicking import (
    INTEGRATION_PAGE,
    begin_setup,
    button,
    choose_action,
    choose_from_menu,
    close_dialog,
    field_of_action,
    fill_in,
    fill_in_action,
    paste_into_action,
    perform_action,
    save_automation,
    set_up_by_hand,
    submit,
)
from .conftest import ARTIFACTS
from .home import (
    MISTYPED,
    NEW_PASSWORD,
    Account,
    Home,
    account_title,
    credentials,
    object_id,
)
from .mailbox import Mailbox
from .waiting import Json, next_events, until_equal

from tests.required import require
from tests.rig.browser import Browser
from tests.rig.mails import plain, with_attachment
from tests.rig.proxy import Proxy

pytestmark = pytest.mark.browser

FOLDER: Final = "Invoices"
SEARCH: Final = "From the boss"
AUTOMATION: Final = "automation.boss"
BOSS: Final = "boss@example.com"
ATTACHMENT_SIZE: Final = 5000


@pytest_asyncio.fixture(loop_scope="session")
async def browser(home: Home) -> AsyncIterator[Browser]:
    """Run a browser that is logged in to Home Assistant."""
    require(Browser.available(), "Chromium")
    async with Browser(home.url, home.token, ARTIFACTS) as browser:
        yield browser


@dataclass(frozen=True, kw_only=True)
class Walk:
    """The Home Assistant, browser and mailbox of the walk."""

    home: Home
    browser: Browser
    mailbox: Mailbox
    proxy: Proxy

    @property
    def page(self) -> Page:
        """Return the browser's page."""
        return self.browser.page

    @property
    def user(self) -> str:
        """Return the username."""
        return self.mailbox.user

    @property
    def title(self) -> str:
        """Return the title of the account."""
        return account_title(self.user)


@pytest.fixture
def walk(home: Home, browser: Browser, mailbox: Mailbox, proxy: Proxy) -> Walk:
    """Return a walk without an account."""
    return Walk(home=home, browser=browser, mailbox=mailbox, proxy=proxy)


async def test_from_the_account_to_the_removed_folder(walk: Walk) -> None:
    """Each step checks its result, and the next one continues from it."""
    await walk.mailbox.deliver("Old", FOLDER)
    account = await _add_account(walk)
    await _watch_folder(walk)
    await _save_search(walk)
    await _build_automation(walk)
    mail = await _receive_mail(walk)
    await _see_trace(walk)
    await _fetch(walk, mail)
    await _save_attachment(walk, mail)
    await _change_password(walk, account)
    await _reconfigure_host(walk, account)
    await _remove_folder(walk, account)


async def _add_account(walk: Walk) -> Account:
    """Add the account after a wrong password."""
    page = await begin_setup(walk.browser)
    await walk.browser.screenshot("01_address")
    await set_up_by_hand(page)
    typed = credentials(walk.user, walk.proxy.port)
    await fill_in(page, {key: typed[key] for key in ("username", "host")})
    await fill_in(page, {"password": MISTYPED})
    await page.locator("input[type=number]").fill(str(typed["port"]))
    await walk.browser.screenshot("01_form")
    await submit(page)
    refused = page.get_by_text("The server rejected the username or password")
    await expect(refused).to_be_visible()
    await walk.browser.screenshot("02_wrong_password")

    await fill_in(page, {"password": typed["password"]})
    await submit(page)
    await expect(button(page, "Skip and finish")).to_be_visible()
    await walk.browser.screenshot("03_account_added")
    await button(page, "Skip and finish").click()
    [entry] = await walk.home.client.config_entries("imap_push")
    account = Account(walk.home, walk.user, entry["entry_id"])
    await account.until_state("connectivity", "on")
    return account


async def _watch_folder(walk: Walk) -> None:
    """Choose a folder from the list of the server."""
    page = walk.page
    await walk.browser.open(INTEGRATION_PAGE)
    await button(page, "Watch folders").click()
    await page.get_by_role("button", name="Add", exact=True).last.click()
    await walk.browser.screenshot("04_folders_offered")
    await page.get_by_role("option", name=FOLDER).click()
    await page.get_by_role("heading", name="Filter").click()
    await walk.browser.screenshot("05_folder")
    await submit(page)
    await close_dialog(page, f"Created configuration for {FOLDER}.", by="Finish")


async def _save_search(walk: Walk) -> None:
    """Save a search for a sender in both folders; one of them has a mail for the preview."""
    page = walk.page
    await button(page, "Save a search").click()
    await page.get_by_role("button", name="Add", exact=True).last.click()
    await page.get_by_role("option", name=FOLDER).click()
    await fill_in(page, {"name": SEARCH, "sender": BOSS})
    await walk.browser.screenshot("06_search")
    await page.get_by_role("heading", name="More conditions").click()
    await page.get_by_text("Only email that arrived").scroll_into_view_if_needed()
    await walk.browser.screenshot("07_search_criteria")
    await submit(page)
    await expect(page.get_by_role("table")).to_be_visible()
    await walk.browser.screenshot("07_search_preview")
    await page.get_by_text("Save", exact=True).click()
    await close_dialog(page, f"Created configuration for {SEARCH}.", by="Finish")
    await expect(page.get_by_text(f"{walk.title} {SEARCH}")).to_be_visible()
    await walk.browser.screenshot("08_integration")


async def _build_automation(walk: Walk) -> None:
    """Create an automation for new mail from one sender."""
    page = walk.page
    await walk.browser.open("/config/automation/edit/new")
    await page.get_by_text("Add trigger").click()
    await page.get_by_text("Services", exact=True).click()
    await page.get_by_text(walk.title, exact=True).first.click()
    await walk.browser.screenshot("09_trigger_offered")
    await page.get_by_text("New mail").first.click()
    await page.locator("ha-checkbox").first.click()
    await button(page, "Add").first.click()
    await page.locator("ha-selector-text input").first.fill(BOSS)
    await walk.browser.screenshot("10_trigger_filter")

    await save_automation(page, "Boss")
    await until_equal(lambda: walk.home.state(AUTOMATION), "on")


async def _receive_mail(walk: Walk) -> Json:
    """Watch the search while mail arrives: only a match changes it, without a reload."""
    arrivals = await walk.home.new_mail()
    await walk.browser.open(f"/config/devices/device/{await _device(walk, SEARCH)}")
    matches = walk.page.locator("ha-card").filter(has_text="Sensors")
    await expect(matches).to_contain_text("0")
    await walk.mailbox.deliver(plain("Not from the boss"))
    await walk.mailbox.deliver(
        with_attachment(
            "Come in",
            ATTACHMENT_SIZE,
            filename="invoice.pdf",
            sender=f"The Boss <{BOSS}>",
        )
    )
    _, mail = await next_events(arrivals, 2)
    await expect(matches).to_contain_text("1")
    await expect(walk.page.get_by_text("Unknown")).to_be_hidden()
    await walk.browser.screenshot("11_mail_matches")
    await walk.browser.open(f"/config/devices/device/{await _device(walk, 'Inbox')}")
    unread = walk.page.locator("ha-card").filter(has_text="Sensors")
    await expect(unread).to_contain_text("2")
    await walk.browser.screenshot("12_folder_device")
    return mail


async def _see_trace(walk: Walk) -> None:
    """Check that the automation ran one time, and its trigger."""
    client = walk.home.client
    state = await client.get_state(AUTOMATION)
    assert state is not None
    automation = state["attributes"]["id"]
    traces = await client.call("trace/list", domain="automation", item_id=automation)
    assert [trace["trigger"] for trace in traces] == [
        f"new mail in INBOX of {walk.title}"
    ]
    await walk.browser.open(f"/config/automation/trace/{automation}")
    await walk.page.get_by_text("Trace timeline").click()
    await expect(walk.page.get_by_text("new mail in INBOX").first).to_be_visible()
    await walk.browser.screenshot("13_trace")
    await client.rest("DELETE", f"/api/config/automation/config/{automation}")


async def _fetch(walk: Walk, mail: Json) -> None:
    """Fetch the mail by folder and UID."""
    page = walk.page
    await walk.browser.open("/config/tools/action")
    await choose_action(page, "Fetch email")
    await page.get_by_text("Which email").click()
    await walk.browser.screenshot("14_fetch")
    account = field_of_action(page, "Account")
    await account.locator("ha-checkbox").click()
    await button(account, "Integration").click()
    await page.get_by_role("option", name=walk.title).click()
    await fill_in_action(page, "Folder", mail["folder"])
    await fill_in_action(page, "UID", mail["uid"])
    await fill_in_action(page, "UID validity", mail["uid_validity"])
    response = await perform_action(page)
    await expect(response).to_contain_text("subject: Come in")
    await walk.browser.screenshot("15_fetched")


async def _save_attachment(walk: Walk, mail: Json) -> None:
    """Save attachments of the mail in the event data."""
    page = walk.page
    await choose_action(page, "Save attachments")
    await page.get_by_text("Which email").click()
    await paste_into_action(page, "Email", mail)
    await walk.browser.screenshot("16_save_attachment")
    response = await perform_action(page)
    await expect(response).to_contain_text("filename: invoice.pdf")
    await walk.browser.screenshot("17_attachment_saved")
    saved = walk.home.folder / "media" / "imap_push" / "invoice.pdf"
    assert saved.stat().st_size == ATTACHMENT_SIZE


async def _change_password(walk: Walk, account: Account) -> None:
    """Change the password on the server and follow the repair."""
    page = walk.page
    walk.mailbox.server.set_password(walk.user, NEW_PASSWORD)
    # The connection that counts matches has to log in again and is refused. The push
    # connection would need three refusals in a row, which take a minute.
    walk.proxy.reset_newest()
    await walk.mailbox.deliver(plain("After the change", sender=BOSS))
    await walk.browser.open("/config/repairs")
    repair = page.get_by_text(f"Authentication expired for {walk.title}")
    await expect(repair).to_be_visible()
    await walk.browser.screenshot("18_repair")
    await repair.click()
    await expect(page.get_by_text("The server rejected the sign-in")).to_be_visible()
    await walk.browser.screenshot("19_log_in_again")
    await fill_in(page, {"password": NEW_PASSWORD})
    await submit(page)
    await close_dialog(page, "Re-authentication was successful", by="Close")
    await expect(page.get_by_text("There are currently no repairs")).to_be_visible()
    await account.until_state("connectivity", "on")
    await until_equal(
        lambda: walk.home.state(f"sensor.{object_id(walk.user)}_from_the_boss_matches"),
        "2",
    )


async def _reconfigure_host(walk: Walk, account: Account) -> None:
    """Change host and port, so that the account connects without the proxy."""
    page = walk.page
    connections = walk.proxy.connections
    await walk.browser.open(INTEGRATION_PAGE)
    row = page.locator("ha-config-entry-row").first
    await choose_from_menu(page, row, "Reconfigure")
    await fill_in(page, {"password": NEW_PASSWORD, "host": "localhost"})
    await page.locator("input[type=number]").fill(str(walk.mailbox.server.imaps_port))
    await walk.browser.screenshot("20_reconfigure")
    await submit(page)
    await close_dialog(page, "Reconfiguration was successful", by="Close")
    await account.until_state("connectivity", "on")
    assert walk.proxy.connections == connections


async def _remove_folder(walk: Walk, account: Account) -> None:
    """Remove a folder; its entities disappear, and the other folder is still watched."""
    page = walk.page
    removed = f"sensor.{object_id(walk.user)}_invoices_unread"
    assert await walk.home.state(removed) == "1"
    row = page.locator("ha-config-sub-entry-row").filter(has_text=FOLDER)
    await choose_from_menu(page, row, "Delete")
    await expect(page.get_by_text(f"Delete {FOLDER}?")).to_be_visible()
    await walk.browser.screenshot("21_remove_folder")
    await button(page, "Delete").last.click()
    await expect(row).to_be_hidden()
    # The open page keeps an outdated number of entities.
    await walk.browser.open(INTEGRATION_PAGE)
    await expect(page.get_by_role("link", name="11 entities")).to_be_visible()
    await walk.browser.screenshot("22_folder_removed")
    assert await walk.home.state(removed) is None
    arrivals = await walk.home.new_mail()
    await walk.mailbox.deliver("Still watched")
    [mail] = await next_events(arrivals)
    assert mail["subject"] == "Still watched"


async def _device(walk: Walk, name: str) -> str:
    """Return the device ID of a folder or a search."""
    devices = await walk.home.client.call("config/device_registry/list")
    [device_id] = [
        device["id"] for device in devices if device["name"] == f"{walk.title} {name}"
    ]
    return str(device_id)
