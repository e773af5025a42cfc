"""Filters on text and header: what the event does not have is fetched from the server."""

import asyncio
from types import MappingProxyType
from typing import Any
from unittest.mock import Mock

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.imap_push.const import MAX_TEXT_SIZE
from custom_components.imap_push.imap import (
    ConnectionLost,
    FolderRenumbered,
    MailNotFound,
    MessageContent,
)
from custom_components.imap_push.mail import content
from homeassistant.core import HomeAssistant

from .. import make_arrival, make_mail
from ..automations import automate, device_id, make_entry
from ..conftest import FakeWatcher

TRIGGER = "imap_push.new_mail"
CONTENT = MessageContent(
    make_mail(), headers=(("X-Alarm", "Zone 1"),), text="Your code is 12345"
)


@pytest.fixture
async def entry(
    hass: HomeAssistant, watchers: list[FakeWatcher], monkeypatch: pytest.MonkeyPatch
) -> MockConfigEntry:
    """Set up an account; attempts to fetch have no pauses."""
    monkeypatch.setattr(content, "ATTEMPTS", (0.0, 0.0, 0.0))
    entry = make_entry("work", "INBOX")
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    return entry


@pytest.fixture
def fetch(imap_client: Mock) -> Mock:
    """Return the mock that fetches the content of a mail."""
    imap_client.content.return_value = CONTENT
    return imap_client.content  # type: ignore[no-any-return]


async def _automate(hass: HomeAssistant, **options: Any) -> list[Any]:
    target = {"device_id": device_id(hass, "work")}
    return await automate(
        hass, {"trigger": TRIGGER, "target": target, "options": options}
    )


async def _deliver(hass: HomeAssistant, watcher: FakeWatcher, **mail: Any) -> None:
    """Deliver a mail, and let all tasks run."""
    await watcher.listener.mail_arrived(make_arrival(**mail))
    for _ in range(20):
        await asyncio.sleep(0)
    await hass.async_block_till_done()


async def _set_filter(hass: HomeAssistant, entry: MockConfigEntry, **data: Any) -> None:
    """Change the filter of the folder."""
    [subentry] = entry.subentries.values()
    data = {"folder": "INBOX", **data}
    hass.config_entries.async_update_subentry(
        entry, subentry, data=MappingProxyType(data)
    )
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("options", "mail", "fetches", "triggered"),
    [
        pytest.param({"text": "code"}, {}, 1, 1, id="text"),
        pytest.param({"text": "password"}, {}, 1, 0, id="other text"),
        pytest.param({"text": "code"}, {"text": "A code"}, 0, 1, id="text of the event"),
        pytest.param({"text": "code"}, {"text": "None"}, 0, 0, id="whole text of the event"),
        pytest.param({"text": "12345"}, {"text": "Your", "truncated": True}, 1, 1, id="rest of the text"),
        pytest.param({"header": "X-Alarm: zone"}, {}, 1, 1, id="header"),
        pytest.param({"header": "X-Alarm: zone 2"}, {}, 1, 0, id="other header"),
        pytest.param({"header": "X-Alarm", "text": "code"}, {}, 1, 1, id="both"),
        pytest.param({"header": "X-Alarm", "text": "no"}, {}, 1, 0, id="only one"),
        pytest.param({"text": "code", "subject": "bill"}, {}, 0, 0, id="other subject"),
    ],
)  # fmt: skip
async def test_trigger(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    fetch: Mock,
    options: dict[str, Any],
    mail: dict[str, Any],
    fetches: int,
    triggered: int,
) -> None:
    """Only mail that meets all other options is fetched; the event does not change."""
    done = await _automate(hass, **options)
    events = async_capture_events(hass, "new_mail")
    await _deliver(hass, watchers[-1], **mail)
    assert len(done) == triggered
    assert fetch.await_count == fetches
    assert events[0].data["text"] == mail.get("text")
    assert all(event.data["mail"] == events[0].data for event in done)


async def test_one_fetch_for_all_triggers(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    fetch: Mock,
) -> None:
    """The other triggers do not wait for it."""
    target = {"device_id": device_id(hass, "work")}
    triggers = [
        {"trigger": TRIGGER, "target": target, "options": options}
        for options in ({"text": "code"}, {"header": "X-Alarm"}, {})
    ]
    waiting = asyncio.Event()

    async def slow(*_args: object, **_kwargs: object) -> MessageContent:
        await waiting.wait()
        return CONTENT

    fetch.side_effect = slow
    done = await automate(hass, {"triggers": triggers})
    await watchers[-1].listener.mail_arrived(make_arrival())
    await asyncio.sleep(0.01)
    assert len(done) == 1
    waiting.set()
    await hass.async_block_till_done()
    assert len(done) == 3
    fetch.assert_awaited_once_with("INBOX", 3, 7, text_size=MAX_TEXT_SIZE)


@pytest.mark.parametrize(
    ("errors", "triggered", "warns"),
    [
        pytest.param([ConnectionLost()] * 2, 1, False, id="third attempt"),
        pytest.param([ConnectionLost()] * 3, 0, True, id="no connection"),
        pytest.param([MailNotFound()], 0, False, id="gone"),
        pytest.param([FolderRenumbered()], 0, False, id="other UIDs"),
    ],
)
async def test_mail_that_cannot_be_read(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    fetch: Mock,
    caplog: pytest.LogCaptureFixture,
    errors: list[Exception],
    triggered: int,
    warns: bool,
) -> None:
    """It does not trigger; the log says why. A folder's filter lets it pass."""
    done = await _automate(hass, text="code")
    fetch.side_effect = [*errors, CONTENT]
    await _deliver(hass, watchers[-1])
    assert len(done) == triggered
    assert ("cannot read the text" in caplog.text) is warns
    assert "Your order" not in caplog.text

    await _set_filter(hass, entry, filter={"header": ["X-Other: no"]})
    events = async_capture_events(hass, "new_mail")
    fetch.side_effect = [*errors, CONTENT]
    await _deliver(hass, watchers[-1])
    assert len(events) == 1 - triggered


async def test_detached_trigger_does_not_run(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    fetch: Mock,
) -> None:
    """The check of its mail is canceled."""
    done = await _automate(hass, text="code")
    waiting = asyncio.Event()

    async def slow(*_args: object, **_kwargs: object) -> MessageContent:
        await waiting.wait()
        return CONTENT

    fetch.side_effect = slow
    await watchers[-1].listener.mail_arrived(make_arrival())
    service = {"entity_id": "automation.mail"}
    await hass.services.async_call("automation", "turn_off", service, blocking=True)
    waiting.set()
    await hass.async_block_till_done()
    assert not done


@pytest.mark.parametrize(
    ("data", "text", "size", "shown"),
    [
        pytest.param({}, None, 0, None, id="no filter"),
        pytest.param({"filter": {"text": ["code"]}}, "My code", MAX_TEXT_SIZE, None, id="no text in the event"),
        pytest.param({"text_size": 2, "filter": {"text": ["code"]}}, "My code", MAX_TEXT_SIZE, "My", id="some text in the event"),
        pytest.param({"text_size": 9, "filter": {"text": ["code"]}}, "My code", MAX_TEXT_SIZE, "My code", id="all text in the event"),
        pytest.param({"text_size": 9, "filter": {"subject": ["o"]}}, "My code", 9, "My code", id="other filter"),
    ],
)  # fmt: skip
async def test_folder_with_a_filter_on_text(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    fetch: Mock,
    data: dict[str, Any],
    text: str | None,
    size: int,
    shown: str | None,
) -> None:
    """The watcher fetches as much text as the filter needs; the event has what the user wants."""
    await _set_filter(hass, entry, **data)
    assert watchers[-1].folders["INBOX"].text_size == size
    events = async_capture_events(hass, "new_mail")
    await _deliver(hass, watchers[-1], text=text)
    assert [event.data["text"] for event in events] == [shown]
    assert events[0].data["truncated"] is (shown == "My")
    await _deliver(hass, watchers[-1], text="Nothing", subject="A bill")
    assert len(events) == (1 if data else 2)
    fetch.assert_not_awaited()


@pytest.mark.parametrize(
    ("field", "events"), [("X-Alarm: zone 1", 1), ("X-Alarm: zone 2", 0)]
)
async def test_folder_with_a_filter_on_a_header_field(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    fetch: Mock,
    field: str,
    events: int,
) -> None:
    """It is fetched before the event."""
    await _set_filter(hass, entry, filter={"header": [field]})
    captured = async_capture_events(hass, "new_mail")
    await _deliver(hass, watchers[-1])
    assert len(captured) == events
