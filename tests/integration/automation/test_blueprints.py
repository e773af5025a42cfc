"""The blueprints in automations, with folders of two accounts.

The blueprint that flashes lights has its own tests.
"""

from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
import shutil
from typing import Any
from unittest.mock import Mock, create_autospec, patch
from urllib.parse import unquote

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
    Criteria,
    FolderState,
    Mail,
    MessageContent,
    SearchResult,
    Unavailable,
)
from homeassistant.components.automation.helpers import async_get_blueprints
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.components.persistent_notification import (
    _async_get_or_create_notifications,
)
from homeassistant.const import Platform
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
)
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    floor_registry as fr,
    label_registry as lr,
)
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import load_yaml_dict

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
            {"title": "Email from The Shop", "message": "Your order (work)"},
            id="usual",
        ),
        pytest.param(
            {"sender_name": ""},
            {"title": "Email from shop@example.org", "message": "Your order (work)"},
            id="sender without a name",
        ),
        pytest.param(
            {"sender_name": "", "sender": "", "subject": ""},
            {"title": "Email from an unknown sender", "message": "No subject (work)"},
            id="nothing in it",
        ),
        pytest.param(
            {"subject": "['a', 'list']"},
            {"title": "Email from The Shop", "message": "['a', 'list'] (work)"},
            id="subject like a list",
        ),
        pytest.param(
            {"subject": "{{ states('sun.sun') }}"},
            {
                "title": "Email from The Shop",
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
        pytest.param(15, {}, "New email from The Shop.", id="by day"),
        pytest.param(15, {"sender_name": "[1]"}, "New email from [1].", id="odd name"),
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
    ("response", "message"),
    [
        pytest.param({"files": [], "skipped": []}, None, id="all saved"),
        pytest.param(
            {
                "files": [],
                "skipped": [
                    {"filename": "big.pdf", "reason": "large", "message": "Too large"},
                    {"filename": "['b']", "reason": "file_not_written"},
                ],
            },
            'Not saved from the email "\\!\\[1\\]\\(\\/x\\)" from The Shop:\n\n'
            "- big.pdf: Too large\n- \\[\\'b\\'\\]: file_not_written",
            id="some",
        ),
        pytest.param(
            None,
            'Nothing was saved from the email "\\!\\[1\\]\\(\\/x\\)" from The Shop. The log of Home '
            "Assistant has the reason.",
            id="none",
        ),
    ],
)
async def test_files_that_are_not_saved_are_named(
    hass: HomeAssistant,
    accounts: dict[str, FakeWatcher],
    response: ServiceResponse,
    message: str | None,
) -> None:
    """In a notification."""
    saving = async_mock_service(
        hass,
        "imap_push",
        "save_attachment",
        response=response,
        supports_response=SupportsResponse.OPTIONAL,
        raise_exception=None if response else HomeAssistantError("disk full"),
    )
    notifications = async_mock_service(hass, "persistent_notification", "create")
    await _automate(hass, "save_attachments", mailboxes=_work(hass))
    await _deliver(hass, accounts["work"], subject="![1](/x)", attachments=(INVOICE,))
    assert len(saving) == 1
    lines = [
        [line.strip() for line in call.data["message"].splitlines() if line.strip()]
        for call in notifications
    ]
    expected = message and [line for line in message.splitlines() if line]
    assert lines == ([expected] if expected else [])


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
        ["There is unread email."] if expected else []
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
    _search(client, [old, undated, *mails])
    await _automate(hass, "daily_summary", account="work", notify=[PHONE])
    messages = async_capture_events(hass, "notify")
    await _wait_until(hass, freezer, 19)
    client.search.assert_not_awaited()
    await _wait_until(hass, freezer, 20)
    assert client.search.await_args.args[0] == "INBOX"
    assert [
        (message.data["title"], message.data["message"]) for message in messages
    ] == ([(f"Email of the day: {expected[0]}", expected[1])] if expected else [])
    assert "ERROR" not in caplog.text


@pytest.mark.parametrize("count", [200, 201, 294, 1000])
async def test_daily_summary_counts_all_mail(
    hass: HomeAssistant, client: Mock, freezer: FrozenDateTimeFactory, count: int
) -> None:
    """A search returns at most 200."""
    received = NOW.replace(hour=19)
    mails = [make_mail(2 + uid, received=received) for uid in range(count)]
    old = make_mail(1, received=received - timedelta(days=1))
    _search(client, [old, *mails])
    await _automate(hass, "daily_summary", account="work", notify=[PHONE])
    messages = async_capture_events(hass, "notify")
    await _wait_until(hass, freezer, 20)
    assert [message.data for message in messages] == [
        {
            "title": f"Email of the day: {count}",
            "message": f"From The Shop ({count})",
        }
    ]


TODAY = NOW.replace(hour=7)


@pytest.mark.parametrize(
    ("mails", "expected"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"Your order": TODAY}, None, id="other mail"),
        pytest.param({"Out for delivery": TODAY - timedelta(days=1)}, None, id="old"),
        pytest.param(
            {"Parcel 1 is out for delivery": TODAY},
            ("1", "- The Shop: Parcel 1 is out for delivery"),
            id="one",
        ),
        pytest.param(
            {"Out for delivery, arriving today": TODAY, "arriving today: [1]": TODAY},
            (
                "2",
                "- The Shop: arriving today: [1]\n"
                "- The Shop: Out for delivery, arriving today",
            ),
            id="each of them one time",
        ),
    ],
)
async def test_parcels_of_the_day(
    hass: HomeAssistant,
    client: Mock,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
    mails: dict[str, datetime],
    expected: tuple[str, str] | None,
) -> None:
    """At ten, the mail of this day."""
    _search(
        client,
        [
            make_mail(uid, subject=subject, received=received)
            for uid, (subject, received) in enumerate(mails.items(), 1)
        ],
    )
    freezer.move_to(NOW.replace(hour=9))
    await _automate(hass, "parcels_of_the_day", account="work", notify=[PHONE])
    messages = async_capture_events(hass, "notify")
    await _wait_until(hass, freezer, 10)
    assert [
        (message.data["title"], message.data["message"]) for message in messages
    ] == ([(f"Parcels today: {expected[0]}", expected[1])] if expected else [])
    assert "ERROR" not in caplog.text


@pytest.mark.parametrize(
    ("subject", "text", "code"),
    [
        pytest.param("Sign in", "Your code is 482913.", "482913", id="plain"),
        pytest.param("482913 is your code", "Or call 5551234.", "482913", id="subject"),
        pytest.param("Your code", "482 913", "482 913", id="groups"),
        pytest.param("Code", "G-482913 is your code. (c) 2026", "482913", id="prefix"),
        pytest.param("PIN", "2026 Inc. Your PIN: 4711", "4711", id="year"),
        pytest.param("Your PIN", "PIN 2019", "2019", id="like a year"),
        pytest.param("Kennwort", "Ihr Kennwort lautet: 0815", "0815", id="German"),
        pytest.param("Code", "Total 1,299.00, 30.11.2026", None, id="amount and date"),
        pytest.param("Code", "https://a.example/123456", None, id="link"),
        pytest.param("Your order", "Number 482913", None, id="no word"),
        pytest.param("Barcodes", "Number 482913", None, id="part of a word"),
        pytest.param("Your code", "none", None, id="no number"),
        pytest.param("", "", None, id="empty"),
    ],
)
async def test_code_to_phone(
    hass: HomeAssistant,
    accounts: dict[str, FakeWatcher],
    client: Mock,
    caplog: pytest.LogCaptureFixture,
    subject: str,
    text: str,
    code: str | None,
) -> None:
    """The code is found in subject and text."""
    client.content.return_value = MessageContent(
        mail=make_mail(subject=subject),
        headers=(),
        text=text,
        html=None,
        truncated=False,
    )
    await _automate(hass, "code_to_phone", mailboxes=_work(hass), notify=[PHONE])
    messages = async_capture_events(hass, "notify")
    await _deliver(hass, accounts["work"], subject=subject)
    assert [message.data for message in messages] == (
        [{"title": "Code from The Shop", "message": f"{code} (work)"}] if code else []
    )
    assert "ERROR" not in caplog.text


async def test_code_to_phone_with_a_pattern(
    hass: HomeAssistant, accounts: dict[str, FakeWatcher], client: Mock
) -> None:
    """The pattern replaces the usual one."""
    client.content.return_value = MessageContent(
        mail=make_mail(),
        headers=(),
        text="Key: AB-12. 1234",
        html=None,
        truncated=False,
    )
    await _automate(
        hass,
        "code_to_phone",
        mailboxes=_work(hass),
        notify=[PHONE],
        words=["key"],
        pattern="[A-Z]{2}-[0-9]{2}",
    )
    messages = async_capture_events(hass, "notify")
    await _deliver(hass, accounts["work"])
    assert [message.data["message"] for message in messages] == ["AB-12 (work)"]


@pytest.fixture
def phones(hass: HomeAssistant) -> tuple[list[str], list[ServiceCall]]:
    """Return the devices of two phones, and the notifications that they get."""
    entry = MockConfigEntry(domain="mobile_app")
    entry.add_to_hass(hass)
    devices = [
        dr.async_get(hass).async_get_or_create(
            config_entry_id=entry.entry_id,
            identifiers={("mobile_app", name)},
            name=name,
        )
        for name in ("Jane's Phone", "Joe")
    ]
    calls = async_mock_service(hass, "notify", "mobile_app_jane_s_phone")
    async_mock_service(hass, "notify", "mobile_app_joe")
    return [device.id for device in devices], calls


@pytest.mark.parametrize(
    ("inputs", "attachments", "images"),
    [
        pytest.param({}, (PHOTO,), ["me.jpg"], id="picture"),
        pytest.param({}, (INVOICE, PHOTO), ["me.jpg"], id="other files"),
        pytest.param({}, (LOGO,), ["logo.png"], id="inline"),
        pytest.param({"inline_images": False}, (LOGO,), [], id="not inline"),
        pytest.param({"max_pictures": 1}, (PHOTO, LOGO), ["me.jpg"], id="one of two"),
        pytest.param({}, (INVOICE,), [], id="no picture"),
        pytest.param(
            {},
            (PHOTO._replace(filename="at 9%, (1).jpg"),),
            ["at%209%25%2C%20%281%29.jpg"],
            id="odd name",
        ),
        pytest.param(
            {},
            (LOGO._replace(filename="x.svg", content_type="image/svg+xml"),),
            [],
            id="SVG",
        ),
    ],
)
async def test_picture_to_phone(
    hass: HomeAssistant,
    accounts: dict[str, FakeWatcher],
    client: Mock,
    phones: tuple[list[str], list[ServiceCall]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    inputs: dict[str, Any],
    attachments: tuple[Attachment, ...],
    images: list[str],
) -> None:
    """The app can open the pictures, which are in the media folder."""
    hass.config.media_dirs = {"local": str(tmp_path / "media")}
    client.mails.return_value = [make_mail(attachments=attachments)]
    client.read_part.side_effect = _content
    devices, calls = phones
    await _automate(
        hass, "picture_to_phone", mailboxes=_work(hass), phones=devices, **inputs
    )
    await _deliver(hass, accounts["work"], attachments=attachments)
    assert [call.data for call in calls] == [
        {
            "title": "Picture from The Shop",
            "message": "Your order (work)",
            "data": {"image": f"/media/local/imap_push/{image}"},
        }
        for image in images
    ]
    for image in images:
        file = tmp_path / "media" / "imap_push" / unquote(image)
        assert file.read_bytes() == b"content"
    assert "ERROR" not in caplog.text


RUN: dict[str, dict[str, Any]] = {
    "announce_sender": {"engine": "tts.voice", "players": ["media_player.kitchen"]},
    "code_to_phone": {"notify": [PHONE]},
    "daily_summary": {"account": "work", "notify": [PHONE]},
    "notify_phone": {"notify": [PHONE]},
    "parcels_of_the_day": {"account": "work", "notify": [PHONE]},
    "picture_to_phone": {},
    "remind_unread": {"notify": [PHONE]},
    "save_attachments": {},
}
assert [f"{name}.yaml" for name in RUN] == [
    name for name in NAMES if name != "flash_light.yaml"
]


async def _run(hass: HomeAssistant) -> None:
    """Choose *Run* in the menu of the automation."""
    await hass.services.async_call(
        "automation", "trigger", {"entity_id": "automation.mail"}, blocking=True
    )
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    "empty", [pytest.param(False, id="usual"), pytest.param(True, id="empty inputs")]
)
@pytest.mark.parametrize("name", RUN)
async def test_run_in_the_menu(
    hass: HomeAssistant,
    client: Mock,
    phones: tuple[list[str], list[ServiceCall]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
    empty: bool,
) -> None:
    """The newest mail is used. Inputs that are left empty in YAML have their defaults."""
    hass.config.media_dirs = {"local": str(tmp_path / "media")}
    mail = make_mail(
        subject="Out for delivery: code 482913",
        received=NOW,
        attachments=(INVOICE, PHOTO),
    )
    _search(client, [mail])
    client.read_part.side_effect = _content
    client.content.return_value = MessageContent(
        mail=mail, headers=(), text="", html=None, truncated=False
    )
    spoken = async_mock_service(hass, "tts", "speak")
    messages = async_capture_events(hass, "notify")
    inputs = dict(RUN[name])
    if "account" not in inputs:
        inputs["mailboxes"] = _work(hass)
    if name == "picture_to_phone":
        inputs["phones"] = phones[0]
    if empty:
        inputs = dict.fromkeys(_optional_inputs(name)) | inputs
    await _automate(hass, name, **inputs)
    await _run(hass)
    done = [
        *messages,
        *spoken,
        *phones[1],
        *(tmp_path / "media").glob("*/*.pdf"),
    ]
    assert len(done) == 1
    assert "ERROR" not in caplog.text


def _optional_inputs(name: str) -> list[str]:
    blueprint = load_yaml_dict(str(BLUEPRINTS / f"{name}.yaml"))["blueprint"]
    return [key for key, field in blueprint["input"].items() if "default" in field]


@pytest.mark.parametrize(
    ("target", "folder"),
    [
        pytest.param(
            {"entity_id": "event.work_bills_new_mail"}, "INBOX", id="no mail yet"
        ),
        pytest.param({"area_id": "office"}, "INBOX", id="area"),
        pytest.param({"floor_id": "attic"}, "INBOX", id="floor"),
        pytest.param({"label_id": ["mail"]}, "INBOX", id="label"),
    ],
)
async def test_run_uses_the_target(
    hass: HomeAssistant, client: Mock, target: dict[str, Any], folder: str
) -> None:
    """An account, or one of its folders."""
    floor = fr.async_get(hass).async_create("Attic")
    area = ar.async_get(hass).async_create("Office", floor_id=floor.floor_id)
    label = lr.async_get(hass).async_create("Mail")
    dr.async_get(hass).async_update_device(
        device_id(hass, "work"), area_id=area.id, labels={label.label_id}
    )
    _search(client, [make_mail()])
    await _automate(hass, "notify_phone", mailboxes=target, notify=[PHONE])
    messages = async_capture_events(hass, "notify")
    await _run(hass)
    assert client.search.await_args.args[0] == folder
    assert len(messages) == 1


async def test_run_uses_the_folder_of_the_target(
    hass: HomeAssistant, accounts: dict[str, FakeWatcher], client: Mock
) -> None:
    """It is known from its last mail."""
    await _deliver(hass, accounts["work"], folder="Bills")
    _search(client, [make_mail(folder="Bills")])
    target = {"device_id": device_id(hass, "work", "Bills")}
    await _automate(hass, "notify_phone", mailboxes=target, notify=[PHONE])
    await _run(hass)
    assert client.search.await_args.args[0] == "Bills"


async def test_run_without_mail(
    hass: HomeAssistant, client: Mock, caplog: pytest.LogCaptureFixture
) -> None:
    """A notification says that the automation waits for mail."""
    assert await async_setup_component(hass, "persistent_notification", {})
    _search(client, [])
    await _automate(hass, "notify_phone", mailboxes=_work(hass), notify=[PHONE])
    messages = async_capture_events(hass, "notify")
    await _run(hass)
    assert not messages
    (notification,) = _async_get_or_create_notifications(hass).values()
    assert notification["title"] == "Mail"
    assert notification["message"].startswith("There is no email yet.")
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


def _search(client: Mock, mails: list[Mail]) -> None:
    """Let the client find these mails, as a server does."""

    async def search(_: str, criteria: Criteria, *, limit: int) -> SearchResult:
        below = int(criteria.raw.split(":")[1]) if criteria.raw else None
        found = [
            mail.uid
            for mail in mails
            if (criteria.subject or "").lower() in mail.subject.lower()
            and (below is None or mail.uid <= below)
        ]
        newest = tuple(sorted(found, reverse=True)[:limit])
        return SearchResult(uid_validity=3, uids=newest, total=len(found))

    async def read(_: str, __: int, uids: Collection[int]) -> list[Mail]:
        return sorted(
            (mail for mail in mails if mail.uid in uids), key=lambda mail: -mail.uid
        )

    client.search.side_effect = search
    client.mails.side_effect = read


async def _content(*_args: object) -> AsyncIterator[bytes]:
    """Return the content of each part."""
    yield b"con"
    yield b"tent"
