"""The trigger `imap_push.new_mail` in automations."""

from typing import Any, cast
from unittest.mock import patch

import pytest
import voluptuous as vol

from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.imap import Attachment, Authentication
from custom_components.imap_push.mail.filter import FILTER_FIELDS
from custom_components.imap_push.mail.patterns import MAX_PATTERN
from custom_components.imap_push.mail.targets import MailTarget
from homeassistant.components.websocket_api.automation import (
    async_get_triggers_for_target,
)
from homeassistant.const import __version__
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    config_validation as cv,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
    label_registry as lr,
)
from homeassistant.helpers.icon import async_get_icons
from homeassistant.helpers.translation import async_get_translations
from homeassistant.helpers.trigger import (
    async_get_all_descriptions,
    async_validate_trigger_config,
)
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml

from .. import get_state, make_arrival
from ..automations import AUTOMATION, PICKED, automate, device_id, make_entry
from ..conftest import FakeWatcher

TRIGGER = "imap_push.new_mail"
TEXTS = {"name", "description"}
LOGO = Attachment(
    part="2", filename="logo.png", content_type="image/png", size=9, inline=True
)
SCAN = Attachment(
    part="2", filename="scan.pdf", content_type="application/x-pdf", size=9
)
MAILS = [("work", "INBOX"), ("work", "Bills"), ("home", "INBOX")]


@pytest.fixture
async def accounts(
    hass: HomeAssistant, watchers: list[FakeWatcher]
) -> dict[str, FakeWatcher]:
    """Set up an account with two folders and one with one; return their watchers."""
    for entry in (make_entry("work", "INBOX", "Bills"), make_entry("home", "INBOX")):
        entry.add_to_hass(hass)
        assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return dict(zip(("work", "home"), watchers, strict=True))


async def _deliver(hass: HomeAssistant, watcher: FakeWatcher, **mail: Any) -> None:
    """Deliver a mail, and let the automation run."""
    await watcher.listener.mail_arrived(make_arrival(**mail))
    await hass.async_block_till_done()


async def _deliver_all(hass: HomeAssistant, accounts: dict[str, FakeWatcher]) -> None:
    """Deliver one mail in each folder."""
    for account, folder in MAILS:
        await _deliver(hass, accounts[account], folder=folder)


def _folders(done: list[Any]) -> list[tuple[str, str]]:
    """Return account and folder of the mails that the automation ran for."""
    return [
        (event.data["mail"]["account"], event.data["mail"]["folder"]) for event in done
    ]


def _target(hass: HomeAssistant, target: dict[str, Any]) -> dict[str, Any]:
    """Return a target with device IDs instead of names of accounts and folders."""
    return {
        key: _target(hass, value)
        if key == "exclude"
        else [device_id(hass, *name) for name in value]
        if key == "device_id"
        else value
        for key, value in target.items()
    }


def _assign_areas(hass: HomeAssistant) -> None:
    """Assign areas and a label to devices and entities of both accounts."""
    floor = fr.async_get(hass).async_create("Upstairs")
    areas = ar.async_get(hass)
    office = areas.async_create("Office", floor_id=floor.floor_id)
    kitchen = areas.async_create("Kitchen")
    label = lr.async_get(hass).async_create("Important")
    devices = dr.async_get(hass)
    devices.async_update_device(device_id(hass, "work"), area_id=office.id)
    devices.async_update_device(device_id(hass, "home", "INBOX"), area_id=kitchen.id)
    devices.async_update_device(
        device_id(hass, "work", "Bills"), labels={label.label_id}
    )
    er.async_get(hass).async_update_entity(
        "sensor.home_inbox_unread", labels={label.label_id}
    )


WORK = [("work", "INBOX"), ("work", "Bills")]
BILLS = [("work", "Bills")]
HOME = [("home", "INBOX")]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param({"device_id": [("work",)]}, WORK, id="account"),
        pytest.param({"device_id": [("work", "Bills")]}, BILLS, id="folder"),
        pytest.param(
            {"device_id": [("work", "Bills"), ("home",)]}, BILLS + HOME, id="both kinds"
        ),
        pytest.param(
            {"entity_id": "event.work_bills_new_mail"}, BILLS, id="event entity"
        ),
        pytest.param(
            {"entity_id": "sensor.home_inbox_unread"}, HOME, id="other entity"
        ),
        pytest.param(
            {"entity_id": "binary_sensor.work_connectivity"},
            WORK,
            id="account's entity",
        ),
        pytest.param({"area_id": "office"}, WORK, id="area of an account"),
        pytest.param({"area_id": "kitchen"}, HOME, id="area of a folder"),
        pytest.param({"floor_id": "upstairs"}, WORK, id="floor"),
        pytest.param(
            {"label_id": "important"}, BILLS + HOME, id="label of device and entity"
        ),
        pytest.param({"device_id": "gone"}, [], id="unknown device"),
        pytest.param({"entity_id": "event.gone"}, [], id="unknown entity"),
        pytest.param({"area_id": "gone"}, [], id="unknown area"),
        pytest.param({"entity_id": "sun.sun"}, [], id="entity of something else"),
        pytest.param({}, [], id="nothing"),
    ],
)
async def test_mail_in_the_target_triggers(
    hass: HomeAssistant,
    accounts: dict[str, FakeWatcher],
    target: dict[str, Any],
    expected: list[tuple[str, str]],
) -> None:
    """Mail of other folders does not."""
    _assign_areas(hass)
    target = target if target.get("device_id") == "gone" else _target(hass, target)
    done = await automate(hass, {"trigger": TRIGGER, "target": target})
    await _deliver_all(hass, accounts)
    assert _folders(done) == expected


@pytest.mark.skipif(__version__ < "2026.11", reason="targets cannot exclude yet")
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(
            {"device_id": [("work",)], "exclude": {"device_id": [("work", "Bills")]}},
            [("work", "INBOX")],
            id="account without a folder",
        ),
        pytest.param(
            {"device_id": [("work", "Bills")], "exclude": {"area_id": "office"}},
            [],
            id="folder in an excluded account",
        ),
        pytest.param(
            {
                "device_id": [("work",), ("home",)],
                "exclude": {"label_id": "important"},
            },
            [("work", "INBOX")],
            id="without a label",
        ),
    ],
)
async def test_mail_in_an_excluded_folder_does_not_trigger(
    hass: HomeAssistant,
    accounts: dict[str, FakeWatcher],
    target: dict[str, Any],
    expected: list[tuple[str, str]],
) -> None:
    """A folder is excluded by itself or by its account."""
    _assign_areas(hass)
    done = await automate(hass, {"trigger": TRIGGER, "target": _target(hass, target)})
    await _deliver_all(hass, accounts)
    assert _folders(done) == expected


async def test_target_is_resolved_for_each_mail(
    hass: HomeAssistant, accounts: dict[str, FakeWatcher]
) -> None:
    """Areas and labels may change after the automation is set up."""
    _assign_areas(hass)
    done = await automate(hass, {"trigger": TRIGGER, "target": {"area_id": "office"}})
    devices = dr.async_get(hass)
    devices.async_update_device(device_id(hass, "home"), area_id="office")
    devices.async_update_device(device_id(hass, "work"), area_id=None)
    await _deliver_all(hass, accounts)
    assert _folders(done) == HOME


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, ["a", "b", "c"], id="no filter"),
        pytest.param({"sender": "example.org"}, ["a", "b", "c"], id="all match"),
        pytest.param({"sender": ["Shop@Example.org"]}, ["a", "b"], id="sender"),
        pytest.param({"subject": ["order", "bill"]}, ["a", "c"], id="subjects"),
        pytest.param({"ignore_bulk": True}, ["a", "c"], id="no bulk mail"),
        pytest.param(
            {"sender": "shop@*", "ignore_bulk": True}, ["a"], id="all of several"
        ),
        pytest.param({"has_attachment": True}, [], id="none matches"),
        pytest.param({"recipient": "last@home.example"}, ["b"], id="any recipient"),
        pytest.param({"authenticated_by": "mx.example.net"}, ["c"], id="authenticated"),
    ],
)
async def test_only_mail_that_matches_triggers(
    hass: HomeAssistant,
    accounts: dict[str, FakeWatcher],
    options: dict[str, Any],
    expected: list[str],
) -> None:
    """The table of test_mail_filter.py also applies to the trigger's options."""
    target = {"device_id": device_id(hass, "home")}
    done = await automate(
        hass, {"trigger": TRIGGER, "target": target, "options": options}
    )
    home = accounts["home"]
    await _deliver(hass, home, message_id="a", subject="Your order")
    recipients = ("me@home.example", "last@home.example")
    await _deliver(
        hass, home, message_id="b", subject="News", bulk=True, recipients=recipients
    )
    authentication = Authentication(
        server="mx.example.net", dmarc="pass", domain="example.org"
    )
    await _deliver(
        hass,
        home,
        message_id="c",
        subject="The bill",
        sender="bank@example.org",
        authentication=authentication,
    )
    assert [event.data["mail"]["message_id"] for event in done] == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({"has_attachment": True}, ["file"], id="has attachment"),
        pytest.param({"has_attachment": False}, ["logo"], id="has no attachment"),
        pytest.param({"attachment_type": "image/*"}, [], id="type"),
        pytest.param({"attachment_type": ".pdf"}, ["file"], id="extension"),
        pytest.param(
            {"attachment_type": "application/pdf"}, ["file"], id="type by name"
        ),
        pytest.param(
            {"has_attachment": True, "inline_images": True},
            ["logo", "file"],
            id="has attachment, inline images count",
        ),
        pytest.param(
            {"attachment_type": "image/*", "inline_images": True},
            ["logo"],
            id="type, inline images count",
        ),
    ],
)
async def test_attachment_options(
    hass: HomeAssistant,
    accounts: dict[str, FakeWatcher],
    options: dict[str, Any],
    expected: list[str],
) -> None:
    """A logo in a signature does not count as an attachment."""
    target = {"device_id": device_id(hass, "home")}
    done = await automate(
        hass, {"trigger": TRIGGER, "target": target, "options": options}
    )
    for message_id, attachment in {"logo": LOGO, "file": SCAN}.items():
        await _deliver(
            hass, accounts["home"], message_id=message_id, attachments=(attachment,)
        )
    assert [event.data["mail"]["message_id"] for event in done] == expected


async def test_trigger_data_equals_the_event_data(
    hass: HomeAssistant, accounts: dict[str, FakeWatcher]
) -> None:
    """The description names the folder, and neither sender nor subject."""
    target = {"device_id": device_id(hass, "work")}
    done = await automate(hass, {"trigger": TRIGGER, "target": target})
    events: list[Event] = []
    hass.bus.async_listen("new_mail", events.append)
    await _deliver(hass, accounts["work"], subject="{{ states }} <b>", uid=9)
    assert [event.data for event in done] == [
        {"mail": events[0].data, "description": "new mail in INBOX of work"}
    ]


async def test_automation_in_yaml(
    hass: HomeAssistant, accounts: dict[str, FakeWatcher]
) -> None:
    """A single value needs no list."""
    done = await automate(
        hass,
        cast(
            dict[str, Any],
            parse_yaml(
                """
                trigger: imap_push.new_mail
                target:
                  entity_id: event.work_bills_new_mail
                options:
                  sender: example.org
                  subject: "*order"
                  has_attachment: false
                """
            ),
        ),
    )
    await _deliver_all(hass, accounts)
    assert _folders(done) == BILLS


async def test_automation_is_set_up_before_the_account(
    hass: HomeAssistant, watchers: list[FakeWatcher]
) -> None:
    """The account does not have to be loaded, or even exist."""
    target = {"entity_id": "event.work_inbox_new_mail"}
    done = await automate(hass, {"trigger": TRIGGER, "target": target})
    assert get_state(hass, AUTOMATION).state == "on"
    assert DOMAIN not in hass.config.components

    entry = make_entry("work", "INBOX")
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await _deliver(hass, watchers[-1])
    assert _folders(done) == [("work", "INBOX")]


async def test_mail_triggers_one_time_after_a_reload(
    hass: HomeAssistant, accounts: dict[str, FakeWatcher], watchers: list[FakeWatcher]
) -> None:
    """The number of reloads makes no difference."""
    target = {"device_id": [device_id(hass, "work"), device_id(hass, "home")]}
    done = await automate(hass, {"trigger": TRIGGER, "target": target})
    for _ in range(2):
        await hass.config_entries.async_reload("work")
        await hass.async_block_till_done()
    await _deliver(hass, watchers[-1])
    assert _folders(done) == [("work", "INBOX")]

    await hass.config_entries.async_remove("work")
    await hass.async_block_till_done()
    assert get_state(hass, AUTOMATION).state == "on"
    await _deliver(hass, accounts["home"])
    assert _folders(done) == [("work", "INBOX"), ("home", "INBOX")]


async def test_mail_of_a_folder_whose_device_was_removed(
    hass: HomeAssistant, accounts: dict[str, FakeWatcher]
) -> None:
    """The folder is still identified by the device ID."""
    inbox = device_id(hass, "work", "INBOX")
    targets = {"device_id": [inbox, device_id(hass, "work")]}
    done = await automate(hass, {"trigger": TRIGGER, "target": targets})
    dr.async_get(hass).async_remove_device(inbox)
    await _deliver(hass, accounts["work"])
    assert _folders(done) == [("work", "INBOX")]


async def test_disabled_automation_is_unsubscribed(
    hass: HomeAssistant, accounts: dict[str, FakeWatcher]
) -> None:
    """No listener remains."""
    target = {"device_id": device_id(hass, "home")}
    done = await automate(hass, {"trigger": TRIGGER, "target": target})
    service = {"entity_id": AUTOMATION}
    await hass.services.async_call("automation", "turn_off", service, blocking=True)
    await _deliver(hass, accounts["home"])
    assert done == []

    await hass.services.async_call("automation", "turn_on", service, blocking=True)
    await _deliver(hass, accounts["home"])
    assert _folders(done) == HOME


async def test_target_is_not_resolved_for_mail_that_does_not_match(
    hass: HomeAssistant, accounts: dict[str, FakeWatcher]
) -> None:
    """The filter is the cheaper check."""
    await automate(
        hass,
        {
            "trigger": TRIGGER,
            "target": {"area_id": "office"},
            "options": {"sender": "bank.example"},
        },
    )
    with patch.object(MailTarget, "async_select", return_value=set()) as select:
        await _deliver(hass, accounts["work"])
        assert select.call_count == 0
        await _deliver(hass, accounts["work"], sender="a@bank.example")
        assert select.call_count == 1


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({}, id="no target"),
        pytest.param({"target": {"device": "a"}}, id="unknown kind of target"),
        pytest.param({"target": {}, "options": {"sender": ""}}, id="empty sender"),
        pytest.param({"target": {}, "options": {"subject": [" "]}}, id="blank subject"),
        pytest.param(
            {"target": {}, "options": {"recipient": "a" * (MAX_PATTERN + 1)}},
            id="recipient too long",
        ),
        pytest.param(
            {"target": {}, "options": {"has_attachment": "perhaps"}}, id="not a boolean"
        ),
        pytest.param({"target": {}, "options": {"body": "a"}}, id="unknown option"),
        pytest.param({"target": {}, "sender": "a"}, id="option in the wrong place"),
    ],
)
async def test_invalid_config_is_refused(
    hass: HomeAssistant, config: dict[str, Any]
) -> None:
    """The editor shows the error before the automation is saved."""
    with pytest.raises(vol.Invalid):
        await async_validate_trigger_config(
            hass, cv.TRIGGER_SCHEMA({"trigger": TRIGGER, **config})
        )


async def test_editor_has_texts_and_selectors(hass: HomeAssistant) -> None:
    """Every option is a field with a selector, a name and a description."""
    assert await async_setup_component(hass, DOMAIN, {})
    description = (await async_get_all_descriptions(hass))[TRIGGER]
    assert description is not None
    assert description["target"]["entity"] == PICKED
    fields = description["fields"]
    assert set(fields) == {str(marker) for marker in FILTER_FIELDS}
    assert all(field["selector"] for field in fields.values())

    texts = await async_get_translations(hass, "en", "triggers", [DOMAIN])
    expected = {f"fields.{field}.{text}" for field in fields for text in TEXTS}
    assert {
        key.removeprefix("component.imap_push.triggers.new_mail.") for key in texts
    } == {*TEXTS, *expected}
    icons = await async_get_icons(hass, "triggers", [DOMAIN])
    assert icons == {DOMAIN: {"new_mail": {"trigger": "mdi:email-fast"}}}


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(("work",), id="account"),
        pytest.param(("work", "INBOX"), id="folder"),
    ],
)
async def test_the_editor_offers_the_trigger_for_a_device(
    hass: HomeAssistant, accounts: dict[str, FakeWatcher], target: tuple[str, ...]
) -> None:
    """This includes the account, whose own entities are diagnostic."""
    selection = {"device_id": [device_id(hass, *target)]}
    assert TRIGGER in await async_get_triggers_for_target(hass, selection, True)
