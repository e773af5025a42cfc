"""The to-do list and the picture of a folder on a dashboard, in the browser."""

from playwright.async_api import expect
import pytest

from .conftest import ARTIFACTS
from .home import Account, Home, object_id
from .mailbox import Mailbox
from .waiting import until_equal

from tests.required import require
from tests.rig.browser import Browser
from tests.rig.mails import camera

pytestmark = pytest.mark.browser


async def test_mail_on_a_dashboard(
    home: Home, account: Account, mailbox: Mailbox
) -> None:
    """Ticking an item off marks the mail as read; the picture is shown."""
    require(Browser.available(), "Chromium")
    await account.set_options(access="read", connection={})
    name = object_id(account.user)
    todo, image = f"todo.{name}_inbox_to_do_list", f"image.{name}_inbox_picture"
    registered = "config/entity_registry/list"

    async def is_registered() -> bool:
        found = await home.client.call(registered)
        return {todo, image} <= {entity["entity_id"] for entity in found}

    await until_equal(is_registered, True)
    for entity_id in (todo, image):
        await home.client.call(
            "config/entity_registry/update", entity_id=entity_id, disabled_by=None
        )
    await home.client.call_service(
        "homeassistant", "reload_config_entry", {"entry_id": account.entry_id}
    )
    await mailbox.deliver("An invoice")
    await mailbox.deliver(camera())
    await until_equal(lambda: home.state(todo), "2")
    await home.client.call(
        "lovelace/dashboards/create",
        url_path="mail-board",
        title="Mail",
        mode="storage",
    )
    cards = [
        {"type": "todo-list", "entity": todo},
        {"type": "picture-entity", "entity": image, "show_state": True},
    ]
    await home.client.call(
        "lovelace/config/save",
        url_path="mail-board",
        config={"views": [{"title": "Mail", "cards": cards}]},
    )
    async with Browser(home.url, home.token, ARTIFACTS) as browser:
        page = browser.page
        await browser.open("/mail-board")
        await expect(page.get_by_text("Ada Lovelace: Motion")).to_be_visible()
        text = page.get_by_text("Somebody came!")
        await expect(text).to_be_visible()
        assert await page.locator("hui-todo-list-card img").count() == 0
        shown = page.locator("hui-picture-entity-card img").first
        await expect(shown).to_be_visible()
        assert await shown.evaluate("image => image.naturalWidth") == 1
        await browser.screenshot("20_dashboard")
        item = page.locator("ha-check-list-item").filter(has_text="An invoice")
        await item.locator("ha-checkbox, mwc-checkbox, md-checkbox").first.click()
        await expect(page.get_by_text("Ada Lovelace: An invoice")).to_be_hidden()
        await until_equal(lambda: account.state("unread"), "1")
        await page.get_by_text("Ada Lovelace: Motion").click()
        await browser.wait_until_still()
        await browser.screenshot("21_item")
