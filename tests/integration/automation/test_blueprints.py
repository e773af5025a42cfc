"""The blueprints in the automation component, with folders of two accounts.

The one that flashes a light has tests of its own.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
import shutil
from typing import Any
from unittest.mock import Mock, create_autospec, patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_fire_time_changed,
    async_mock_service,
)

from custom_components.imap_push.imap import (
    Attachment,
    Client,
    FolderState,
    SearchResult,
    Unavailable,
)
from homeassistant.components.automation.helpers import async_get_blueprints
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from .. import get_state, make_arrival, make_mail, make_state
from ..automations import device_id, make_entry
from ..conftest import FakeWatcher

BLUEPRINTS = Path(__file__).parents[3] / "blueprints" / "automation" / "imap_push"
NAMES = sorted(path.name for path in BLUEPRINTS.glob("*.yaml"))
PHONE = "notify.notifier"
# Three in the afternoon.
NOW = datetime(2026, 11, 3, 15, tzinfo=UTC)
INVOICE = Attachment(
    part="2", filename="invoice.pdf", content_type="application/pdf", size=1400
)
PHOTO = Attachment(part="3", filename="me.jpg", content_type="image/jpeg", size=1400)
# How scanners declare a PDF, and an image within the text.
SCAN = Attachment(
    part="2", filename="scan.pdf", content_type="application/x-pdf", size=7
)
FAX = Attachment(
    part="3", filename="FAX.PDF", content_type="application/octet-stream", size=7
)
LOGO = Attachment(
    part="1.2", filename="logo.png", content_type="image/png", size=7, inline=True
)


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Give Home Assistant a folder of its own with the blueprints in it."""
    shutil.copytree(BLUEPRINTS, tmp_path / "blueprints" / "automation" / "imap_push")
    return str(tmp_path)


@pytest.fixture
async def accounts(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, watchers: list[FakeWatcher]
) -> dict[str, FakeWatcher]:
    """Set up two accounts and a phone in the afternoon; return the watchers."""
    assert await async_setup_component(hass, "homeassistant", {})
    await hass.config.async_set_time_zone("UTC")
    freezer.move_to(NOW)
    for entry in (make_entry("work", "INBOX", "Bills"), make_entry("home", "INBOX")):
        entry.add_to_hass(hass)
        assert await hass.config_entries.async_setup(entry.entry_id)
    demo = MockConfigEntry(domain="demo")
    demo.add_to_hass(hass)
    with patch(
        "homeassistant.components.demo.COMPONENTS_WITH_CONFIG_ENTRY_DEMO_PLATFORM",
        [Platform.NOTIFY],
    ):
        assert await hass.config_entries.async_setup(demo.entry_id)
        await hass.async_block_till_done()
    return dict(zip(("work", "home"), watchers, strict=True))


@pytest.fixture(autouse=True)
async def _end(hass: HomeAssistant) -> AsyncIterator[None]:
    """Leave no automation that waits for a time of the day."""
    yield
    if "automation.mail" in hass.states.async_entity_ids():
        await hass.services.async_call(
            "automation", "turn_off", {"entity_id": "automation.mail"}, blocking=True
        )


@pytest.fixture
def client(hass: HomeAssistant, accounts: dict[str, FakeWatcher]) -> Mock:
    """Put a stand-in for the command connection of the account at work."""
    client: Mock = create_autospec(Client, instance=True)
    entry = hass.config_entries.async_get_entry("work")
    assert entry is not None
    entry.runtime_data.client = client
    return client


async def _automate(hass: HomeAssistant, name: str, **inputs: Any) -> None:
    """Make an automation from a blueprint."""
    assert await async_setup_component(
        hass,
        "automation",
        {
            "automation": {
                "alias": "Mail",
                "use_blueprint": {"path": f"imap_push/{name}.yaml", "input": inputs},
            }
        },
    )
    await hass.async_block_till_done()
    assert get_state(hass, "automation.mail").state == "on"


def _work(hass: HomeAssistant) -> dict[str, Any]:
    """Return what a user chooses for the account at work, and nothing of home."""
    return {"device_id": [device_id(hass, "work")]}


async def _deliver(hass: HomeAssistant, watcher: FakeWatcher, **mail: Any) -> None:
    """Let a mail arrive, and the automation run."""
    await watcher.listener.mail_arrived(make_arrival(**mail))
    await hass.async_block_till_done()


async def _wait_until(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hour: int
) -> None:
    """Let it be that time of the day."""
    freezer.move_to(NOW.replace(hour=hour, second=1))
    async_fire_time_changed(hass, dt_util.utcnow())
    await hass.async_block_till_done()


@pytest.mark.parametrize("name", NAMES)
async def test_blueprint_is_one_that_people_can_import(
    hass: HomeAssistant, name: str
) -> None:
    """It is valid, and says where it comes from and what each of its inputs is for."""
    assert await async_setup_component(hass, "automation", {})
    blueprint = await async_get_blueprints(hass).async_get_blueprint(
        f"imap_push/{name}"
    )
    assert isinstance(blueprint, Blueprint)
    assert blueprint.validate() is None
    about = blueprint.metadata
    assert about["source_url"].endswith(f"/blueprints/automation/imap_push/{name}")
    assert about["description"].endswith(".")
    assert about["homeassistant"]["min_version"] == "2026.10.0"
    for field in about["input"].values():
        assert field["name"]
        assert field["description"].endswith(".")
        assert field["selector"]


@pytest.mark.parametrize(
    ("mail", "told"),
    [
        pytest.param(
            {},
            {"title": "Mail from The Shop", "message": "Your order (work)"},
            id="usual",
        ),
        pytest.param(
            {"sender_name": ""},
            {"title": "Mail from shop@example.org", "message": "Your order (work)"},
            id="sender without a name",
        ),
        pytest.param(
            {"sender_name": "", "sender": "", "subject": ""},
            {"title": "Mail from nobody", "message": "No subject (work)"},
            id="nothing in it",
        ),
        pytest.param(
            {"subject": "['a', 'list']"},
            {"title": "Mail from The Shop", "message": "['a', 'list'] (work)"},
            id="subject like a list",
        ),
        pytest.param(
            {"subject": "{{ states('sun.sun') }}"},
            {
                "title": "Mail from The Shop",
                "message": "{{ states('sun.sun') }} (work)",
            },
            id="subject like a template",
        ),
    ],
)
async def test_notify_phone(
    hass: HomeAssistant,
    accounts: dict[str, FakeWatcher],
    caplog: pytest.LogCaptureFixture,
    mail: dict[str, Any],
    told: dict[str, Any],
) -> None:
    """Subject and sender, whatever they are."""
    await _automate(hass, "notify_phone", mailboxes=_work(hass), notify=[PHONE])
    messages = async_capture_events(hass, "notify")
    await _deliver(hass, accounts["work"], **mail)
    assert [message.data for message in messages] == [told]
    assert "ERROR" not in caplog.text


@pytest.mark.parametrize(
    ("inputs", "mail", "told"),
    [
        pytest.param({"sender": ["example.org"]}, {}, True, id="domain"),
        pytest.param({"sender": ["example.com"]}, {}, False, id="another domain"),
        pytest.param({"subject": ["ORDER"]}, {}, True, id="subject"),
        pytest.param({"subject": ["invoice"]}, {}, False, id="another subject"),
        pytest.param({}, {"bulk": True}, False, id="newsletter"),
        pytest.param({"ignore_bulk": False}, {"bulk": True}, True, id="any mail"),
        pytest.param({}, {"folder": "Bills"}, True, id="another folder"),
    ],
)
async def test_notify_phone_only_of_the_wanted_mail(
    hass: HomeAssistant,
    accounts: dict[str, FakeWatcher],
    inputs: dict[str, Any],
    mail: dict[str, Any],
    told: bool,
) -> None:
    """Never of the other account's."""
    await _automate(
        hass, "notify_phone", mailboxes=_work(hass), notify=[PHONE], **inputs
    )
    messages = async_capture_events(hass, "notify")
    await _deliver(hass, accounts["home"], **mail | {"folder": "INBOX"})
    await _deliver(hass, accounts["work"], **mail)
    assert bool(messages) is told
    assert len(messages) <= 1


@pytest.mark.parametrize(
    ("hour", "mail", "said"),
    [
        pytest.param(15, {}, "New mail from The Shop.", id="by day"),
        pytest.param(15, {"sender_name": "[1]"}, "New mail from [1].", id="odd name"),
        pytest.param(23, {}, None, id="at night"),
        pytest.param(15, {"bulk": True}, None, id="newsletter"),
    ],
)
async def test_announce_sender(
    hass: HomeAssistant,
    accounts: dict[str, FakeWatcher],
    freezer: FrozenDateTimeFactory,
    hour: int,
    mail: dict[str, Any],
    said: str | None,
) -> None:
    """The voice says the name on all speakers, but wakes nobody."""
    await _automate(
        hass,
        "announce_sender",
        mailboxes=_work(hass),
        engine="tts.voice",
        players=["media_player.kitchen"],
    )
    calls = async_mock_service(hass, "tts", "speak")
    await _wait_until(hass, freezer, hour)
    await _deliver(hass, accounts["work"], **mail)
    assert [call.data.get("message") for call in calls] == ([said] if said else [])
    for call in calls:
        assert call.data["entity_id"] == ["tts.voice"]
        assert call.data["media_player_entity_id"] == ["media_player.kitchen"]


@pytest.mark.parametrize(
    ("inputs", "saved"),
    [
        pytest.param({}, ["imap_push/invoice.pdf"], id="usual"),
        pytest.param(
            {"content_type": ["*/*"]},
            ["imap_push/invoice.pdf", "imap_push/me.jpg"],
            id="all",
        ),
        pytest.param({"content_type": ["text/calendar"]}, [], id="none of that type"),
        pytest.param({"directory": "bills"}, ["bills/invoice.pdf"], id="directory"),
        pytest.param({"sender": ["bank.example"]}, [], id="another sender"),
    ],
)
async def test_save_attachments(
    hass: HomeAssistant,
    accounts: dict[str, FakeWatcher],
    client: Mock,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    inputs: dict[str, Any],
    saved: list[str],
) -> None:
    """Only those of the types, each where it should be."""
    media = tmp_path / "media"
    media.mkdir()
    hass.config.media_dirs = {"local": str(media)}
    if "directory" in inputs:
        inputs = inputs | {"directory": str(media / inputs["directory"])}
    mail: dict[str, Any] = {
        "attachments": (INVOICE, PHOTO),
        "subject": "'quoted', \\ {{ 1 }}",
    }
    client.mails.return_value = [make_mail(**mail)]
    client.read_part.side_effect = _content
    await _automate(hass, "save_attachments", mailboxes=_work(hass), **inputs)
    await _deliver(hass, accounts["work"], **mail)
    files = sorted(media.glob("*/*"))
    assert [str(file.relative_to(media)) for file in files] == saved
    assert all(file.read_bytes() == b"content" for file in files)
    assert "ERROR" not in caplog.text


@pytest.mark.parametrize(
    ("inputs", "attachments", "saved"),
    [
        pytest.param({}, (SCAN, PHOTO), ["scan.pdf"], id="another type of PDF"),
        pytest.param({}, (FAX,), ["FAX.PDF"], id="PDF without a type"),
        pytest.param({"content_type": [".pdf"]}, (SCAN,), ["scan.pdf"], id="extension"),
        pytest.param(
            {"content_type": ["inv*.pdf"]}, (INVOICE, SCAN), ["invoice.pdf"], id="name"
        ),
        pytest.param({"content_type": ["image/*"]}, (LOGO,), [], id="only a logo"),
        pytest.param(
            {"content_type": ["image/*"]},
            (LOGO, PHOTO),
            ["me.jpg"],
            id="photo and logo",
        ),
        pytest.param(
            {"content_type": ["image/*"], "inline_images": True},
            (LOGO,),
            ["logo.png"],
            id="inline image",
        ),
    ],
)
async def test_save_attachments_that_match(
    hass: HomeAssistant,
    accounts: dict[str, FakeWatcher],
    client: Mock,
    tmp_path: Path,
    inputs: dict[str, Any],
    attachments: tuple[Attachment, ...],
    saved: list[str],
) -> None:
    """What triggers the automation is what it saves."""
    hass.config.media_dirs = {"local": str(tmp_path / "media")}
    client.mails.return_value = [make_mail(attachments=attachments)]
    client.read_part.side_effect = _content
    await _automate(hass, "save_attachments", mailboxes=_work(hass), **inputs)
    await _deliver(hass, accounts["work"], attachments=attachments)
    files = (tmp_path / "media").glob("*/*")
    assert sorted(file.name for file in files) == saved
    assert client.mails.called is bool(saved)


@pytest.mark.parametrize(
    ("directory", "saved"),
    [
        pytest.param("", ["card.png", "logo.svg.txt", "photo.png"], id="usual"),
        pytest.param("www/community", [], id="public folder"),
    ],
)
async def test_save_attachments_that_are_not_what_they_are_declared_as(
    hass: HomeAssistant,
    accounts: dict[str, FakeWatcher],
    client: Mock,
    tmp_path: Path,
    directory: str,
    saved: list[str],
) -> None:
    """Who chose pictures gets no page and no script, and nothing reaches the folder www."""
    www, media = tmp_path / "www", tmp_path / "media"
    for folder in (www, media):
        folder.mkdir()
    hass.config.config_dir = str(tmp_path)
    hass.config.media_dirs = {"local": str(media)}
    hass.config.allowlist_external_dirs = {str(www), str(media)}
    mail: dict[str, Any] = {
        "attachments": tuple(
            Attachment(part="2", filename=name, content_type=content_type, size=7)
            for name, content_type in (
                ("photo.html", "image/png"),
                ("card.js", "image/png"),
                ("logo.svg", "image/svg+xml"),
                ("page.html", "text/html"),
            )
        )
    }
    client.mails.return_value = [make_mail(**mail)]
    client.read_part.side_effect = _content
    await _automate(
        hass,
        "save_attachments",
        mailboxes=_work(hass),
        content_type=["image/*"],
        directory=directory,
    )
    await _deliver(hass, accounts["work"], **mail)
    assert not list(www.iterdir())
    assert sorted(path.name for path in media.glob("*/*")) == saved


@pytest.mark.parametrize(
    ("unread", "inputs", "told"),
    [
        pytest.param(2, {}, True, id="two"),
        pytest.param(0, {}, False, id="none"),
        pytest.param(2, {"above": 2}, False, id="few"),
        pytest.param(None, {}, False, id="not known"),
    ],
)
async def test_remind_unread(
    hass: HomeAssistant,
    accounts: dict[str, FakeWatcher],
    freezer: FrozenDateTimeFactory,
    unread: int | None,
    inputs: dict[str, Any],
    told: bool,
) -> None:
    """At six, of what is unread then."""
    await _automate(
        hass, "remind_unread", mailboxes=_work(hass), notify=[PHONE], **inputs
    )
    messages = async_capture_events(hass, "notify")
    accounts["work"].listener.state_changed(
        make_state({"INBOX": FolderState(available=True, unread=unread)})
    )
    await _wait_until(hass, freezer, 17)
    assert not messages
    await _wait_until(hass, freezer, 18)
    assert [message.data["message"] for message in messages] == (
        ["There is unread mail."] if told else []
    )


@pytest.mark.parametrize(
    ("senders", "told"),
    [
        pytest.param([], None, id="no mail"),
        pytest.param(["Ann"], ("1", "From Ann"), id="one"),
        pytest.param(
            ["Zoe", "Ann", "Zoe", ""],
            ("4", "From Ann, shop@example.org, Zoe (2)"),
            id="several",
        ),
        pytest.param(["[1]", "'"], ("2", "From ', [1]"), id="odd names"),
    ],
)
async def test_daily_summary(
    hass: HomeAssistant,
    client: Mock,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
    senders: list[str],
    told: tuple[str, str] | None,
) -> None:
    """At eight, of the last 24 hours and no longer."""
    at_eight = NOW.replace(hour=20)
    old = make_mail(1, sender_name="Old", received=at_eight - timedelta(hours=25))
    undated = make_mail(2, sender_name="Undated", received=None)
    mails = [
        make_mail(3 + number, sender_name=name, received=at_eight - timedelta(hours=23))
        for number, name in enumerate(senders)
    ]
    client.search.return_value = SearchResult(uid_validity=3, uids=(1, 2, 3), total=3)
    client.mails.return_value = [old, undated, *mails]
    await _automate(hass, "daily_summary", account="work", notify=[PHONE])
    messages = async_capture_events(hass, "notify")
    await _wait_until(hass, freezer, 19)
    client.search.assert_not_awaited()
    await _wait_until(hass, freezer, 20)
    assert client.search.await_args.args[0] == "INBOX"
    assert [
        (message.data["title"], message.data["message"]) for message in messages
    ] == ([(f"Mail of the day: {told[0]}", told[1])] if told else [])
    assert "ERROR" not in caplog.text


async def test_daily_summary_says_when_the_server_does_not_answer(
    hass: HomeAssistant,
    client: Mock,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The automation fails, and tells nobody of no mail."""
    client.search.side_effect = Unavailable("busy")
    await _automate(hass, "daily_summary", account="work", notify=[PHONE])
    messages = async_capture_events(hass, "notify")
    await _wait_until(hass, freezer, 20)
    assert not messages
    assert "Error executing script" in caplog.text


async def _content(*_args: object) -> AsyncIterator[bytes]:
    """Be the content of every part."""
    yield b"con"
    yield b"tent"
