"""Helpers for forms, menus and actions of Home Assistant's frontend."""

from collections.abc import Iterable
import json
from typing import Any, Final

from playwright.async_api import Locator, Page, expect

from tests.rig.browser import Browser
from tests.rules import ENGLISH, strings

TEXTS: Final = dict(strings(ENGLISH))
INTEGRATION_PAGE = "/config/integrations/integration/imap_push"


def text(path: str) -> str:
    """Return a text of the integration in English: `config.step.user.title`."""
    return TEXTS[path]


def button(page: Page | Locator, name: str) -> Locator:
    """Return a button by its label."""
    return page.get_by_role("button", name=name, exact=True)


async def begin_setup(browser: Browser) -> Page:
    """Open the first form."""
    page = browser.page
    await browser.open("/config/integrations/dashboard")
    await button(page, "Add integration").click()
    await page.get_by_placeholder("Search for a brand name").fill("IMAP Push")
    await page.get_by_text("IMAP Push", exact=True).first.click()
    await page.locator("input[name=address]").wait_for()
    return page


async def set_up_by_hand(page: Page) -> None:
    """Go from the first form to the form for all settings."""
    await page.locator("ha-switch, ha-checkbox").first.click()
    await submit(page)
    await page.get_by_text(text("config.step.server.title"), exact=True).wait_for()


async def choose(page: Page, field: str, option: str) -> None:
    """Choose an option of a field."""
    trigger = page.locator(f'ha-picker-field[aria-label="{field}"]')
    await trigger.click()
    menu = page.locator("ha-select").filter(has=trigger)
    await menu.get_by_role("menuitem", name=option, exact=True).click()


async def add_option(page: Page, option: str) -> None:
    """Add an option to a field that takes several, such as folders."""
    await button(page, "Add").last.click()
    await page.get_by_role("option", name=option, exact=True).click()


async def submit(page: Page) -> None:
    """Submit the form that is shown."""
    await button(page, "Submit").click()


async def close_dialog(page: Page, text: str, *, by: str) -> None:
    """Check the text with which a form ended, and close it."""
    await expect(page.get_by_text(text)).to_be_visible()
    await button(page, by).last.click()
    await expect(page.get_by_text(text)).to_be_hidden()


async def fill_in(page: Page, values: dict[str, Any]) -> None:
    """Fill in text fields by name; again if a form that is still loading loses a value."""
    is_complete = False
    while not is_complete:
        is_complete = True
        for name, value in values.items():
            field = page.locator(f"input[name={name}]")
            if await field.input_value() != str(value):
                await field.fill(str(value))
                is_complete = False


async def choose_from_menu(page: Page, row: Locator, choice: str) -> None:
    """Choose from the menu of an account or one of its subentries."""
    await button(row, "Menu").first.click()
    # Every row has a menu, but only one is visible.
    await page.get_by_text(choice, exact=True).filter(visible=True).click()


async def choose_action(page: Page, action: str) -> None:
    """Choose an action in the developer tools."""
    await page.locator("ha-service-picker").click()
    await page.get_by_placeholder("Search").last.wait_for()
    await page.keyboard.type(action)
    await page.get_by_role("option").filter(has_text=action).first.click()


def field_of_action(page: Page, name: str) -> Locator:
    """Return the row of an action's field."""
    label = page.get_by_text(name, exact=True)
    return page.locator("ha-settings-row").filter(has=label)


async def fill_in_action(page: Page, name: str, value: Any) -> None:
    """Enable an optional field of an action and type its value."""
    row = field_of_action(page, name)
    await row.locator("ha-checkbox").click()
    await row.locator("input:not([type=checkbox])").fill(str(value))


async def paste_into_action(page: Page, name: str, value: Any) -> None:
    """Enable an optional field of an action and paste an object into its editor."""
    row = field_of_action(page, name)
    await row.locator("ha-checkbox").click()
    await row.locator(".cm-content").click()
    await page.keyboard.insert_text(json.dumps(value))


async def perform_action(page: Page) -> Locator:
    """Perform the action; return its response."""
    await button(page, "Perform action").click()
    response = page.locator("ha-card").filter(has_text="Response")
    await response.scroll_into_view_if_needed()
    return response.locator(".cm-content")


async def choose_folders(browser: Browser, folders: Iterable[str]) -> None:
    """Open the form that watches folders, and choose some."""
    await browser.open(INTEGRATION_PAGE)
    form = text("config_subentries.folder.initiate_flow.user")
    await button(browser.page, form).click()
    for folder in folders:
        await add_option(browser.page, folder)


async def save_automation(page: Page, name: str) -> None:
    """Save a new automation, and wait until the editor lets the page be left."""
    await page.get_by_text("Save", exact=True).first.click()
    await page.locator("ha-dialog-automation-save input").first.fill(name)
    await button(page, "Save").last.click()
    await page.wait_for_url(lambda url: "/edit/new" not in url)
