"""What people do with their mail: set up and used by clicking only, on a desktop and a phone."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from playwright.async_api import Page, expect
import pytest
import pytest_asyncio

from .clicking import (
    INTEGRATION_PAGE,
    add_option,
    begin_setup,
    button,
    choose,
    choose_folders,
    choose_from_menu,
    close_dialog,
    fill_in,
    save_automation,
    set_up_by_hand,
    submit,
    text,
)
from .conftest import ARTIFACTS
from .home import Account, Home, credentials, object_id
from .mailbox import Mailbox
from .waiting import until_equal

from tests.required import require
from tests.rig.browser import Browser
from tests.rig.mails import camera, plain

pytestmark = pytest.mark.browser

FOLDERS: Final = ("Invoices", "Parcels", "Camera")
SEARCH: Final = "Orders"
SUBJECT: Final = "Your order"
TEMPLATE: Final = "{{ mail.text | regex_findall_index('Total: ([0-9.]+)') }}"
SIZES: Final = {"desktop": (1280, 800), "phone": (390, 844)}


@dataclass(frozen=True, kw_only=True)
class Day:
    """A Home Assistant, a browser of some size, and a mailbox."""

    home: Home
    browser: Browser
    mailbox: Mailbox
    size: str

    @property
    def page(self) -> Page:
        """Return the browser's page."""
        return self.browser.page

    @property
    def name(self) -> str:
        """Return the name of the account."""
        return object_id(self.mailbox.user)

    async def screenshot(self, name: str) -> None:
        """Save a screenshot of this size."""
        await self.browser.screenshot(f"{self.size}_{name}")

    async def open_device(self, name: str) -> None:
        """Open the page of a folder or a search."""
        await self.browser.open(INTEGRATION_PAGE)
        await self.page.get_by_text(f"{self.name} {name}", exact=True).click()
        await self.page.locator("ha-device-entities-card").first.wait_for()

    async def is_read(self, folder: str, subject: str) -> None:
        """Wait until another client finds that a mail was read."""
        keys = f'SEEN SUBJECT "{subject}"'
        await until_equal(
            lambda: asyncio.to_thread(self.mailbox.found, folder, keys), 1
        )


@pytest_asyncio.fixture(loop_scope="session", params=SIZES)
async def day(
    request: pytest.FixtureRequest, home: Home, mailbox: Mailbox
) -> AsyncIterator[Day]:
    """Run a browser; at the end, remove what was built."""
    require(Browser.available(), "Chromium")
    width, height = SIZES[request.param]
    async with Browser(
        home.url, home.token, ARTIFACTS, width=width, height=height
    ) as browser:
        yield Day(home=home, browser=browser, mailbox=mailbox, size=request.param)
    await home.remove_automations()
    for dashboard in await home.client.call("lovelace/dashboards/list"):
        if dashboard["title"] == "Mail":
            await home.client.call(
                "lovelace/dashboards/delete", dashboard_id=dashboard["id"]
            )


async def test_mail_in_the_house(day: Day) -> None:
    """Each step checks its result, and the next one continues from it."""
    for folder in FOLDERS:
        await asyncio.to_thread(day.mailbox.create, folder)
    await day.mailbox.deliver("Tax return")
    await day.mailbox.deliver(
        plain(f"{SUBJECT} 17", text="Total: 12.50 EUR\n"), "Parcels"
    )
    await _add_account(day)
    await _watch_three_folders(day)
    await _let_the_household_use_it(day)
    await _save_search_with_value(day)
    await _enable_entities(day)
    await day.mailbox.deliver(camera(), "Camera")
    await _build_dashboard(day)
    await _complete_item(day)
    await _mark_orders_as_read(day)


async def _add_account(day: Day) -> None:
    """Add the account with the settings of the server."""
    page = await begin_setup(day.browser)
    await day.screenshot("01_address")
    await set_up_by_hand(page)
    typed = credentials(day.mailbox.user, day.mailbox.server.imaps_port)
    await fill_in(page, {key: typed[key] for key in ("username", "host", "password")})
    await page.locator("input[type=number]").fill(str(typed["port"]))
    await day.screenshot("02_server")
    await submit(page)
    await expect(button(page, "Skip and finish")).to_be_visible()
    await day.screenshot("03_account_added")
    await button(page, "Skip and finish").click()
    [entry] = await day.home.client.config_entries("imap_push")
    account = Account(day.home, day.mailbox.user, entry["entry_id"])
    await account.until_state("connectivity", "on")


async def _watch_three_folders(day: Day) -> None:
    """Choose them from the list of the server, in one form."""
    page = day.page
    await choose_folders(day.browser, FOLDERS)
    await day.screenshot("04_folders")
    await submit(page)
    await expect(page.get_by_text(", ".join(FOLDERS))).to_be_visible()
    await day.screenshot("05_folders_watched")
    await button(page, "Finish").last.click()
    for folder in FOLDERS:
        name = page.get_by_text(f"{day.name} {folder}", exact=True)
        await expect(name).to_be_visible()


async def _let_the_household_use_it(day: Day) -> None:
    """Without this, lists, pictures and values would show mail to people who may not read it."""
    page = day.page
    row = page.locator("ha-config-entry-row").first
    await button(row, "Configure").first.click()
    await choose(
        page,
        text("options.step.init.data.access"),
        text("selector.access.options.change"),
    )
    await day.screenshot("06_permission")
    await submit(page)
    await close_dialog(page, "Options successfully saved.", by="Finish")


async def _save_search_with_value(day: Day) -> None:
    """The preview shows what matches, and the sensor shows the value of that mail."""
    page = day.page
    form = "config_subentries.search.step.user"
    await button(page, text("config_subentries.search.initiate_flow.user")).click()
    await fill_in(page, {"name": SEARCH, "subject": SUBJECT})
    await add_option(page, "Parcels")
    await day.screenshot("07_search")
    section = text(f"{form}.sections.value.name")
    await page.get_by_role("heading", name=section).click()
    await page.locator("ha-form .cm-content").click()
    await page.keyboard.insert_text(TEMPLATE)
    fields = f"{form}.sections.value.data"
    await choose(page, text(f"{fields}.device_class"), "Monetary balance")
    await fill_in(page, {"unit_of_measurement": "EUR"})
    await choose(page, text(f"{fields}.state_class"), "Total")
    await day.screenshot("08_value")
    await submit(page)
    await expect(page.get_by_role("table")).to_contain_text(f"{SUBJECT} 17")
    await day.screenshot("09_preview")
    save = text("config_subentries.search.step.preview.menu_options.save")
    await page.get_by_text(save, exact=True).click()
    await close_dialog(page, f"Created configuration for {SEARCH}.", by="Finish")
    await day.open_device(SEARCH)
    sensors = page.locator("ha-device-entities-card").filter(
        has_text=text("entity.sensor.value.name")
    )
    await expect(sensors).to_contain_text("€12.50")
    await day.screenshot("10_search_device")


async def _enable_entities(day: Day) -> None:
    """The to-do list of the inbox and the picture of the camera are disabled by default."""
    for device, entity in (
        ("Inbox", text("entity.todo.todo.name")),
        ("Camera", text("entity.image.picture.name")),
    ):
        await day.open_device(device)
        disabled = day.page.get_by_text("disabled entit")
        await disabled.first.wait_for()
        for card in await day.page.locator("ha-device-entities-card").all():
            if await card.filter(has=disabled).count():
                await card.locator(disabled).click()
        await day.page.get_by_text(entity, exact=True).first.click()
        dialog = day.page.locator("ha-more-info-dialog")
        await button(dialog, "Settings").click()
        await button(dialog, "Enable").click()
        await day.screenshot(f"11_enable_{device}")
        await button(day.page, "OK").click()
    await day.browser.open(INTEGRATION_PAGE)
    row = day.page.locator("ha-config-entry-row").first
    await choose_from_menu(day.page, row, "Reload")
    await until_equal(lambda: day.home.state(f"todo.{day.name}_inbox_to_do_list"), "1")


async def _build_dashboard(day: Day) -> None:
    """Home Assistant suggests its own cards for the entities."""
    page = day.page
    await day.browser.open("/config/lovelace/dashboards")
    await button(page, "Add dashboard").click()
    await page.get_by_text("New dashboard from scratch").click()
    details = page.locator("dialog-lovelace-dashboard-detail")
    await details.locator("input").first.fill("Mail")
    await button(details, "Create").click()
    await expect(button(details, "Create")).to_be_hidden()
    await day.browser.open("/dashboard-mail")
    if day.size == "phone":
        await button(page, "Open dashboard menu").click()
        await page.get_by_role("menuitem", name="Edit dashboard").click()
    else:
        await button(page, "Edit dashboard").click()
    for device, entity, card in (
        ("Inbox", text("entity.todo.todo.name"), "To-do list"),
        ("Camera", text("entity.image.picture.name"), "Picture"),
    ):
        await button(page, "Add card").first.click()
        await page.get_by_placeholder("Search entities").fill(entity)
        await page.get_by_text(f"{day.name} {device}").last.click()
        await day.screenshot(f"12_card_of_{device}")
        await button(page, card).last.click()
    await button(page, "Done").click()
    shown = page.locator("hui-picture-card img, hui-picture-entity-card img").first
    await expect(shown).to_be_visible()
    assert await shown.evaluate("image => image.naturalWidth") == 1
    await day.screenshot("13_dashboard")


async def _complete_item(day: Day) -> None:
    """The mail is marked as read on the server."""
    item = day.page.locator("ha-check-list-item").filter(has_text="Tax return")
    await item.locator("ha-checkbox, mwc-checkbox, md-checkbox").first.click()
    await expect(item).to_be_hidden()
    await day.is_read("INBOX", "Tax return")
    await day.screenshot("14_completed")


async def _mark_orders_as_read(day: Day) -> None:
    """Build an automation from the search, and run it by a mail."""
    page = day.page
    await day.open_device(SEARCH)
    await button(page, "Add to…").click()
    await page.get_by_text("Create as a new trigger").click()
    await page.get_by_text(text("triggers.new_mail.name")).first.click()
    await day.screenshot("15_trigger")
    await page.get_by_text("Add action").last.click()
    action = text("services.mark_as_read.name")
    await page.get_by_placeholder("Search").last.fill(action)
    await page.get_by_text(f"IMAP Push: {action}", exact=True).last.click()
    await day.screenshot("16_action")
    await save_automation(page, "Orders seen")
    await until_equal(lambda: day.home.state("automation.orders_seen"), "on")
    await day.mailbox.deliver(
        plain(f"{SUBJECT} 18", text="Total: 99.00 EUR\n"), "Parcels"
    )
    await day.is_read("Parcels", f"{SUBJECT} 18")
    await until_equal(lambda: day.home.state(f"sensor.{day.name}_orders_value"), "99.0")
    await day.open_device(SEARCH)
    await day.screenshot("17_search_device")
