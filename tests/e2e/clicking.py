"""Helpers for forms, menus and actions of Home Assistant's frontend."""

import json
from typing import Any

from playwright.async_api import Locator, Page, expect

INTEGRATION_PAGE = "/config/integrations/integration/imap_push"


def button(page: Page | Locator, name: str) -> Locator:
    """Return a button by its label."""
    return page.get_by_role("button", name=name, exact=True)


async def submit(page: Page) -> None:
    """Submit the form that is shown."""
    await button(page, "Submit").click()


async def close_dialog(page: Page, text: str, *, by: str) -> None:
    """Check the text with which a form ended, and close it."""
    await expect(page.get_by_text(text)).to_be_visible()
    await button(page, by).last.click()
    await expect(page.get_by_text(text)).to_be_hidden()


async def fill_in(page: Page, values: dict[str, Any]) -> None:
    """Fill in text fields by name."""
    for name, value in values.items():
        await page.locator(f"input[name={name}]").fill(str(value))


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
