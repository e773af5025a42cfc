"""Images with the real engine: the newest attached picture of a folder or a search."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.imap_push.account import picture
from custom_components.imap_push.account.picture import (
    MAX_KEPT,
    MAX_PICTURE,
    MAX_TRANSFERRED,
    type_of_content,
)
from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.imap.watch import supervisor
from homeassistant.components.image import async_get_image
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er

from .. import get_state
from ..light_account import ENTRY_ID, check_until, make_light_entry, wait_until

from tests.rig.light_folder import LightFile
from tests.rig.light_server import LightServer

pytestmark = pytest.mark.usefixtures("socket_enabled")

IMAGE = "image.inbox"
JPEG = b"\xff\xd8\xff\xe0" + b"jpeg" * 100
PNG = b"\x89PNG\r\n\x1a\n" + b"png" * 100
GIF = b"GIF89a" + b"gif" * 100
WEBP = b"RIFF\0\0\0\0WEBP" + b"webp" * 100
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!DOCTYPE html><script>alert(1)</script>"
FETCHED = b"BODY.PEEK[2]"


class Account:
    """A watched account whose INBOX has an enabled image entity."""

    def __init__(self, hass: HomeAssistant, server: LightServer, entry: Any) -> None:
        """Record the parts that the account fetches."""
        self.hass = hass
        self.server = server
        self.entry: MockConfigEntry = entry
        self.fetched: list[bytes] = []
        server.habits.twist = self._record

    def _record(self, line: bytes) -> None:
        if FETCHED in line:
            self.fetched.append(line.split(b" ", 1)[1])

    def attach(self, content: bytes, **file: Any) -> None:
        """Deliver a mail with an attachment."""
        folder = self.server.folder()
        folder.files[folder.last + 1] = LightFile(content=content, **file)
        self.server.deliver(1)

    async def until(self, uid: int) -> None:
        """Wait until the picture is that of a mail; each one arrives in its own minute."""
        await wait_until(
            lambda: get_state(self.hass, IMAGE).state.startswith(
                f"2026-01-01T00:{uid:02}:00"
            )
        )

    async def quiet(self) -> None:
        """Wait until the list has been read after a change."""
        await asyncio.sleep(0.8)


def enable(hass: HomeAssistant, entry: MockConfigEntry, key: str, name: str) -> str:
    """Create the registry entry of an image, enabled, before the entity is created."""
    registry = er.async_get(hass)
    unique_id = f"{ENTRY_ID}_{key}_picture"
    return registry.async_get_or_create(
        "image", DOMAIN, unique_id, suggested_object_id=name, config_entry=entry
    ).entity_id


@asynccontextmanager
async def watch(
    hass: HomeAssistant, data: Mapping[str, Any], options: Mapping[str, Any]
) -> AsyncIterator[Account]:
    """Watch INBOX on a server with one mail without an attachment."""
    async with LightServer("INBOX") as server:
        server.slip_in(1)
        entry = make_light_entry(server.port, "INBOX", options=options)
        entry.add_to_hass(hass)
        key = f"{ENTRY_ID}_INBOX"
        subentry = entry.subentries[key]
        hass.config_entries.async_update_subentry(
            entry, subentry, data={**subentry.data, **data}
        )
        enable(hass, entry, key, "inbox")
        account = Account(hass, server, entry)
        assert await hass.config_entries.async_setup(ENTRY_ID)
        await wait_until(lambda: server.is_watched)
        yield account
        assert await hass.config_entries.async_unload(ENTRY_ID)


@pytest.fixture
def data() -> dict[str, Any]:
    """Return the options of INBOX; tests can parametrize them."""
    return {}


@pytest.fixture
def options() -> dict[str, Any]:
    """Return the options of the account; tests can parametrize them."""
    return {"access": "read"}


@pytest.fixture
async def account(
    hass: HomeAssistant, data: dict[str, Any], options: dict[str, Any]
) -> AsyncIterator[Account]:
    """Watch INBOX."""
    async with watch(hass, data, options) as account:
        yield account


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        pytest.param(JPEG, "image/jpeg", id="JPEG"),
        pytest.param(PNG, "image/png", id="PNG"),
        pytest.param(GIF, "image/gif", id="GIF"),
        pytest.param(WEBP, "image/webp", id="WebP"),
    ],
)
async def test_newest_picture_is_shown(
    account: Account,
    hass_client_no_auth: ClientSessionGenerator,
    content: bytes,
    content_type: str,
) -> None:
    """The type is that of the content, and the state is the time of arrival."""
    await wait_until(lambda: get_state(account.hass, IMAGE).state == STATE_UNKNOWN)
    account.attach(content, content_type=b"image/png")
    await account.until(2)
    assert not account.fetched
    url = get_state(account.hass, IMAGE).attributes["entity_picture"]
    client = await hass_client_no_auth()
    for _ in range(2):
        response = await client.get(url)
        assert response.status == HTTPStatus.OK
        assert response.content_type == content_type
        assert await response.read() == content
    assert len(account.fetched) == 1
    assert account.server.folder().seen == set()


@pytest.mark.parametrize("data", [{"picture": "on_arrival"}])
async def test_picture_is_fetched_on_arrival(account: Account) -> None:
    """It is not fetched again when it is shown."""
    account.attach(JPEG)
    await wait_until(lambda: account.fetched)
    await account.until(2)
    image = await async_get_image(account.hass, IMAGE)
    assert image.content == JPEG
    assert len(account.fetched) == 1


async def test_picture_changes(account: Account) -> None:
    """The next picture replaces it; deleted, the one before it is shown again."""
    account.attach(JPEG)
    await account.until(2)
    url = get_state(account.hass, IMAGE).attributes["entity_picture"]
    account.attach(PNG)
    await account.until(3)
    assert get_state(account.hass, IMAGE).attributes["entity_picture"] != url
    assert (await async_get_image(account.hass, IMAGE)).content == PNG
    account.server.deliver(1)
    await account.quiet()
    await account.until(3)
    account.server.expunge(3)
    await account.until(2)
    assert (await async_get_image(account.hass, IMAGE)).content == JPEG
    account.server.expunge(2)
    await wait_until(lambda: get_state(account.hass, IMAGE).state == STATE_UNKNOWN)
    with pytest.raises(HomeAssistantError):
        await async_get_image(account.hass, IMAGE)


@pytest.mark.parametrize(
    "file",
    [
        pytest.param({"content": SVG, "content_type": b"image/svg+xml"}, id="SVG"),
        pytest.param(
            {"content": SVG, "content_type": b"application/octet-stream"}
            | {"name": b"a.svg"},
            id="SVG by name",
        ),
        pytest.param({"content": HTML, "content_type": b"text/html"}, id="HTML"),
        pytest.param({"content": JPEG, "content_type": b"image/tiff"}, id="TIFF"),
        pytest.param(
            {"content": b"%PDF", "content_type": b"application/pdf"}, id="PDF"
        ),
        pytest.param({"content": JPEG, "size": MAX_TRANSFERRED + 1}, id="too large"),
    ],
)
async def test_other_attachments_are_not_fetched(
    account: Account, file: dict[str, Any]
) -> None:
    """The picture before it stays."""
    account.attach(JPEG)
    await account.until(2)
    account.attach(**file)
    await account.quiet()
    assert get_state(account.hass, IMAGE).state.startswith("2026-01-01T00:02:00")
    assert (await async_get_image(account.hass, IMAGE)).content == JPEG
    assert len(account.fetched) == 1


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(SVG, id="SVG"),
        pytest.param(HTML, id="HTML"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xd8", id="two octets"),
        pytest.param(b"RIFF\0\0\0\0WAVE", id="another RIFF"),
        pytest.param(b"BM" + JPEG, id="BMP"),
        pytest.param(JPEG + b"x" * 600_000, id="larger than declared"),
    ],
)
async def test_content_that_is_no_picture(
    account: Account,
    hass_client: ClientSessionGenerator,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
) -> None:
    """It is not served, whatever the mail declares, and is not fetched again."""
    monkeypatch.setattr(picture, "MAX_PICTURE", 300_000)
    account.attach(content, size=1000)
    await account.until(2)
    url = get_state(account.hass, IMAGE).attributes["entity_picture"]
    client = await hass_client()
    for _ in range(2):
        response = await client.get(url)
        assert response.status == HTTPStatus.INTERNAL_SERVER_ERROR
        assert b"<" not in (await response.read())[:1]
    assert len(account.fetched) == (2 if len(content) > 300_000 else 1)


async def test_no_picture_is_decoded(account: Account) -> None:
    """A decompression bomb is passed on as it is: small, with a huge size inside."""
    bomb = PNG[:8] + b"\0\0\0\rIHDR" + b"\x7f\xff\xff\xff" * 2 + b"\x08\x06\0\0\0"
    account.attach(bomb)
    await account.until(2)
    assert (await async_get_image(account.hass, IMAGE)).content == bomb


@pytest.mark.parametrize(
    ("data", "is_shown"),
    [
        pytest.param({}, False, id="default"),
        pytest.param({"filter": {"inline_images": True}}, True, id="counted"),
    ],
)
async def test_inline_image(account: Account, is_shown: bool) -> None:
    """The option of the folder decides whether an image within the text counts."""
    account.server.folder().text = b'<img src="cid:photo@example.org">\r\n'
    account.attach(JPEG, inline=True)
    await account.quiet()
    state = get_state(account.hass, IMAGE).state
    assert state.startswith("2026-01-01T00:02:00") is (
        is_shown or not _is_inline(account)
    )


def _is_inline(account: Account) -> bool:
    mail = account.entry.runtime_data.data.folders["INBOX"].last_mail
    return bool(mail and mail.attachments and mail.attachments[0].inline)


@pytest.mark.parametrize(
    "data", [{"filter": {"sender": ["ann2@example.org"]}}], ids=["sender"]
)
async def test_filter_of_the_folder_decides(account: Account) -> None:
    """A picture from another sender is not shown."""
    account.attach(JPEG)
    await account.until(2)
    account.attach(PNG)
    await account.quiet()
    assert get_state(account.hass, IMAGE).state.startswith("2026-01-01T00:02:00")


async def test_picture_of_a_search(account: Account) -> None:
    """Also in a folder that is not watched."""
    hass = account.hass
    account.attach(GIF)
    subentry = ConfigSubentry(
        data=MappingProxyType({"folders": ["INBOX"], "subject": "Mail"}),
        subentry_id="camera",
        subentry_type="search",
        title="camera",
        unique_id=None,
    )
    entity_id = enable(hass, account.entry, "camera", "camera")
    hass.config_entries.async_add_subentry(account.entry, subentry)
    await hass.async_block_till_done()
    await wait_until(
        lambda: get_state(hass, entity_id).state.startswith("2026-01-01T00:02")
    )
    assert (await async_get_image(hass, entity_id)).content == GIF


async def test_mail_that_is_gone(account: Account) -> None:
    """The error is the reason, and the next picture is shown."""
    account.attach(JPEG)
    await account.until(2)
    account.attach(PNG)
    await account.until(3)
    account.server.folder().gone.add(3)
    with pytest.raises(HomeAssistantError) as raised:
        await async_get_image(account.hass, IMAGE)
    assert raised.value.translation_key == "mail_not_found"
    await account.until(2)


async def test_prefetch_fails(hass: HomeAssistant) -> None:
    """The picture is fetched when it is shown."""
    async with watch(hass, {"picture": "on_arrival"}, {"access": "read"}) as account:
        record = account.server.habits.twist
        account.server.habits.twist = lambda line: (
            [line.split()[0] + b" NO broken"] if FETCHED in line else None
        )
        account.attach(JPEG)
        await account.until(2)
        await asyncio.sleep(0.1)
        account.server.habits.twist = record
        assert (await async_get_image(hass, IMAGE)).content == JPEG


async def test_picture_without_a_connection(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not available."""
    account.attach(JPEG)
    await account.until(2)
    monkeypatch.setattr(supervisor, "OUTAGE_GRACE_SECONDS", 0)
    account.server.habits.greeting = b"BYE"
    account.server.close_all()
    await check_until(
        account.entry,
        lambda: get_state(account.hass, IMAGE).state == STATE_UNAVAILABLE,
    )
    account.server.habits.greeting = b"OK"
    await check_until(
        account.entry,
        lambda: get_state(account.hass, IMAGE).state != STATE_UNAVAILABLE,
    )


@pytest.mark.parametrize("options", [{}, {"access": "none"}])
async def test_picture_exists_only_if_all_may_read(account: Account) -> None:
    """Home Assistant does not check who loads an image."""
    account.attach(JPEG)
    await account.quiet()
    assert account.hass.states.get(IMAGE) is None
    assert IMAGE.partition(".")[0] not in account.hass.config.components


async def test_state_has_no_text_of_the_mail(account: Account) -> None:
    """Neither subject, sender nor file name is recorded."""
    account.attach(JPEG)
    await account.until(2)
    attributes = get_state(account.hass, IMAGE).attributes
    assert attributes.keys() <= {"access_token", "entity_picture", "friendly_name"}


async def test_kept_pictures_are_limited(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest ones are dropped."""
    monkeypatch.setattr(picture, "MAX_KEPT", len(JPEG) * 2)
    kept = account.entry.runtime_data.pictures._kept
    for uid in range(2, 6):
        account.attach(JPEG)
        await account.until(uid)
        assert (await async_get_image(account.hass, IMAGE)).content == JPEG
    assert [key[0][2] for key in kept] == [4, 5]
    assert MAX_KEPT == 2 * MAX_PICTURE


def test_type_needs_the_whole_signature() -> None:
    """No prefix of a signature has a type."""
    for content in (JPEG[:2], PNG[:7], GIF[:5], WEBP[:11]):
        assert type_of_content(content) is None


@pytest.mark.parametrize("data", [{"picture": "nonsense"}, {"picture": None}])
async def test_unknown_time_to_fetch(account: Account) -> None:
    """A changed storage fetches on demand."""
    account.attach(JPEG)
    await account.until(2)
    assert not account.fetched
