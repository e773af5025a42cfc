"""The blueprints in automations, with folders of two accounts.

The blueprint that flashes lights has its own tests.
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
# 3 p.m.
NOW = datetime(2026, 11, 3, 15, tzinfo=UTC)
INVOICE = Attachment(
    part="2", filename="invoice.pdf", content_type="application/pdf", size=1400
)
PHOTO = Attachment(part="3", filename="me.jpg", content_type="image/jpeg", size=1400)
# A PDF as declared by scanners, and an inline image.
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
    """Return a configuration directory with the blueprints."""
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
    """Turn off the automations, which would wait for a time of the day."""
    yield
    if "automation.mail" in hass.states.async_entity_ids():
        await hass.services.async_call(
            "automation", "turn_off", {"entity_id": "automation.mail"}, blocking=True
        )


@pytest.fixture
def client(hass: HomeAssistant, accounts: dict[str, FakeWatcher]) -> Mock:
    """Replace the client of the account "work" with a mock."""
    client: Mock = create_autospec(Client, instance=True)
    entry = hass.config_entries.async_get_entry("work")
    assert entry is not None
    entry.runtime_data.client = client
    return client


async def _automate(hass: HomeAssistant, name: str, **inputs: Any) -> None:
    """Create an automation from a blueprint."""
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
    """Return the inputs for the account "work"."""
    return {"device_id": [device_id(hass, "work")]}


async def _deliver(hass: HomeAssistant, watcher: FakeWatcher, **mail: Any) -> None:
    """Deliver a mail, and let the automation run."""
    await watcher.listener.mail_arrived(make_arrival(**mail))
    await hass.async_block_till_done()


async def _wait_until(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hour: int
) -> None:
    """Move the clock to a time of the day."""
    freezer.move_to(NOW.replace(hour=hour, second=1))
    async_fire_time_changed(hass, dt_util.utcnow())
    await hass.async_block_till_done()


@pytest.mark.parametrize("name", NAMES)
async def test_blueprint_can_be_imported(hass: HomeAssistant, name: str) -> None:
    """It is valid, has its source URL, and describes each input."""
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
    ("mail", "expected"),
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
    expected: dict[str, Any],
) -> None:
    """The message has subject and sender unchanged."""
    await _automate(hass, "notify_phone", mailboxes=_work(hass), notify=[PHONE])
    messages = async_capture_events(hass, "notify")
    await _deliver(hass, accounts["work"], **mail)
    assert [message.data for message in messages] == [expected]
    assert "ERROR" not in caplog.text


@pytest.mark.parametrize(
    ("inputs", "mail", "expected"),
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
async def test_notify_phone_only_of_matching_mail(
    hass: HomeAssistant,
    accounts: dict[str, FakeWatcher],
    inputs: dict[str, Any],
    mail: dict[str, Any],
    expected: bool,
) -> None:
    """Mail of the other account never matches."""
    await _automate(
        hass, "notify_phone", mailboxes=_work(hass), notify=[PHONE], **inputs
    )
    messages = async_capture_events(hass, "notify")
    await _deliver(hass, accounts["home"], **mail | {"folder": "INBOX"})
    await _deliver(hass, accounts["work"], **mail)
    assert bool(messages) is expected
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
    """All speakers announce the name, but not at night."""
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
    """Only the selected types are saved, in the selected directory."""
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
    """The attachments that trigger the automation are the ones that are saved."""
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
async def test_save_attachments_with_a_wrong_type(
    hass: HomeAssistant,
    accounts: dict[str, FakeWatcher],
    client: Mock,
    tmp_path: Path,
    directory: str,
    saved: list[str],
) -> None:
    """With images selected, no page or script is saved, and nothing is saved in www."""
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
    ("unread", "inputs", "expected"),
    [
        pytest.param(2, {}, True, id="two"),
        pytest.param(0, {}, False, id="none"),
        pytest.param(2, {"above": 2}, False, id="few"),
        pytest.param(None, {}, False, id="unknown"),
    ],
)
async def test_remind_unread(
    hass: HomeAssistant,
    accounts: dict[str, FakeWatcher],
    freezer: FrozenDateTimeFactory,
    unread: int | None,
    inputs: dict[str, Any],
    expected: bool,
) -> None:
    """At six, with the number of unread mails at that time."""
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
        ["There is unread mail."] if expected else []
    )


@pytest.mark.parametrize(
    ("senders", "expected"),
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
    expected: tuple[str, str] | None,
) -> None:
    """At eight, with the mail of the last 24 hours."""
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
    ] == ([(f"Mail of the day: {expected[0]}", expected[1])] if expected else [])
    assert "ERROR" not in caplog.text


async def test_daily_summary_fails_without_a_response(
    hass: HomeAssistant,
    client: Mock,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The automation fails instead of reporting that there is no mail."""
    client.search.side_effect = Unavailable("busy")
    await _automate(hass, "daily_summary", account="work", notify=[PHONE])
    messages = async_capture_events(hass, "notify")
    await _wait_until(hass, freezer, 20)
    assert not messages
    assert "Error executing script" in caplog.text


async def _content(*_args: object) -> AsyncIterator[bytes]:
    """Return the content of each part."""
    yield b"con"
    yield b"tent"
