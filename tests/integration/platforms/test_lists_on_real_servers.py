"""To-do lists and pictures on real servers, which other clients use at the same time."""

# Fixtures are used by their names.
# ruff: noqa: F811
import asyncio
from email.message import EmailMessage
from imaplib import IMAP4_SSL
from typing import Any

import pytest

from homeassistant.components.image import async_get_image
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from .. import get_state
from ..account.test_real_servers import (  # noqa: F401
    Mailbox,
    Watched,
    certificate,
    mailbox,
    on_dovecot,
    on_dovecot_without_notify,
    watched,
)

from tests.rig.mails import plain, with_attachment

pytestmark = pytest.mark.usefixtures("socket_enabled")

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 2000


@pytest.fixture
async def lists(
    hass: HomeAssistant, watched: Watched, entity_registry: er.EntityRegistry
) -> dict[str, str]:
    """Enable the to-do list and the picture of INBOX; return entity IDs by domain."""
    entry: ConfigEntry = watched.entry
    hass.config_entries.async_update_entry(
        entry, options={**entry.options, "access": "read"}
    )
    await hass.async_block_till_done()
    found = {
        entity.domain: entity.entity_id
        for entity in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
        if entity.domain in {"todo", "image"}
    }
    for entity_id in found.values():
        assert entity_registry.entities[entity_id].disabled
        entity_registry.async_update_entity(entity_id, disabled_by=None)
    await hass.config_entries.async_reload(entry.entry_id)
    await watched.until_unread(0)
    await watched.until(lambda: get_state(hass, found["todo"]).state == "0")
    return found


async def _items(hass: HomeAssistant, entity_id: str) -> list[dict[str, Any]]:
    found: Any = await hass.services.async_call(
        "todo",
        "get_items",
        {"entity_id": entity_id},
        blocking=True,
        return_response=True,
    )
    items: list[dict[str, Any]] = found[entity_id]["items"]
    return items


# pymap disconnects while mail is appended and flags are changed at the same time.
@pytest.mark.parametrize(
    "mailbox",
    [
        pytest.param(on_dovecot, id="NOTIFY", marks=pytest.mark.dovecot),
        pytest.param(on_dovecot_without_notify, id="IDLE", marks=pytest.mark.dovecot),
    ],
    indirect=True,
)
async def test_burst_of_completions_and_arrivals(
    hass: HomeAssistant, watched: Watched, mailbox: Mailbox, lists: dict[str, str]
) -> None:
    """All of 200 mails are completed and read, while they arrive."""
    entity_id = lists["todo"]
    arriving = asyncio.gather(
        mailbox.deliver([plain(f"mail {number}") for number in range(100)]),
        mailbox.deliver([plain(f"mail {number}") for number in range(100, 200)]),
    )
    done: set[str] = set()
    async with asyncio.timeout(60):
        while len(done) < 200:
            items = (await _items(hass, entity_id))[:20]
            calls = [
                hass.services.async_call(
                    "todo",
                    "update_item",
                    {
                        "entity_id": entity_id,
                        "item": item["uid"],
                        "status": "completed",
                    },
                    blocking=True,
                )
                for item in items
            ]
            await asyncio.gather(*calls)
            assert done.isdisjoint(item["summary"] for item in items)
            done |= {item["summary"] for item in items}
            await asyncio.sleep(0 if items else 0.05)
    await arriving
    assert done == {f"Ada Lovelace: mail {number}" for number in range(200)}
    assert (await mailbox.contents()).flags == [{rb"\Seen"}] * 200
    await watched.until_unread(0)
    await watched.until(lambda: len(watched.events) == 200)


async def test_item_is_deleted(
    hass: HomeAssistant, watched: Watched, mailbox: Mailbox, lists: dict[str, str]
) -> None:
    """Only the mail of the item is moved to Trash; what another client reads leaves the list."""

    def prepare(client: IMAP4_SSL) -> None:
        client.create("Trash")

    def read(client: IMAP4_SSL) -> None:
        client.select()
        client.store("1", "+FLAGS", r"(\Seen)")

    await asyncio.to_thread(mailbox._with_client, prepare)
    await mailbox.deliver([plain(f"mail {number}") for number in range(3)])
    entity_id = lists["todo"]
    await watched.until(lambda: get_state(hass, entity_id).state == "3")
    item = next(
        item for item in await _items(hass, entity_id) if "mail 1" in item["summary"]
    )
    assert item["description"] == "Hello."
    await hass.services.async_call(
        "todo", "remove_item", {"entity_id": entity_id, "item": item["uid"]}, True
    )
    await asyncio.to_thread(mailbox._with_client, read)
    await watched.until(lambda: get_state(hass, entity_id).state == "1")
    assert sorted(name for _, name in await mailbox.listing()) == ["mail 0", "mail 2"]


def camera(content: bytes) -> EmailMessage:
    """Return the mail of a camera."""
    mail = plain("Motion detected")
    mail.add_attachment(content, maintype="image", subtype="png", filename="cam.png")
    return mail


async def test_picture_of_a_camera(
    hass: HomeAssistant, watched: Watched, mailbox: Mailbox, lists: dict[str, str]
) -> None:
    """It is unchanged, and nothing is marked as read; other attachments are not fetched."""
    entity_id = lists["image"]
    before = get_state(hass, entity_id).state
    await mailbox.deliver([camera(PNG)])
    await watched.until(lambda: get_state(hass, entity_id).state != before)
    image = await async_get_image(hass, entity_id)
    assert (image.content_type, image.content) == ("image/png", PNG)
    await watched.until_unread(1)
    down = mailbox.proxy.bytes_down
    shown = get_state(hass, entity_id).state
    await mailbox.deliver([with_attachment("big", 3_000_000)])
    await watched.until_unread(2)
    await watched.until(lambda: get_state(hass, lists["todo"]).state == "2")
    assert mailbox.proxy.bytes_down - down < 60_000
    assert get_state(hass, entity_id).state == shown
