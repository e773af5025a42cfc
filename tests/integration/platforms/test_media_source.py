"""Authenticated users can browse and play attachments as media."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any
from unittest.mock import Mock

from aiohttp import ClientError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    WebSocketGenerator,
)

from custom_components.imap_push.imap import (
    Attachment,
    ConnectionLost,
    Criteria,
    FolderInfo,
    FolderNotFound,
    FolderRenumbered,
    ImapError,
    MailNotFound,
    PartNotFound,
    SearchResult,
)
from homeassistant.components.media_player import (
    BrowseError,
    MediaClass,
    SearchMediaQuery,
)
from homeassistant.components.media_source import (
    BrowseMediaSource,
    Unresolvable,
    async_browse_media,
    async_resolve_media,
    async_search_media,
)
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .. import USERNAME, make_mail
from ..conftest import FakeWatcher

ROOT = "media-source://imap_push"
ODD = 'Büro/50 % "sicher" & #1?'
PHOTO = Attachment(
    part="2.1", filename="me/\u202eyou.jpg", content_type="image/jpeg", size=10
)
PAGE = Attachment(
    part="3", filename="attachment-3.html", content_type="text/html", size=10
)
LOGO = Attachment(
    part="1.2", filename="logo.png", content_type="image/png", size=10, inline=True
)
IN_INBOX = "01IMAPPUSH/SU5CT1g/3/7"
PHOTO_OF_MAIL_9 = "01IMAPPUSH/QsO8cm8vNTAgJSAic2ljaGVyIiAmICMxPw/3/9/2.1"


@pytest.fixture(autouse=True)
async def _media_source(
    hass: HomeAssistant, imap_client: Mock, watcher: FakeWatcher
) -> None:
    """Set up the media source component, which loads the platform on first use."""
    assert await async_setup_component(hass, "media_source", {})
    assert await async_browse_media(hass, ROOT)


def send(imap_client: Mock, *pieces: bytes | Exception) -> None:
    """Let every part consist of these pieces, optionally followed by an error."""

    async def read_part(*_args: object) -> AsyncIterator[bytes]:
        for piece in pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    imap_client.read_part.side_effect = read_part


async def browse(hass: HomeAssistant, content_id: str) -> list[BrowseMediaSource]:
    """Return the children of a media item."""
    media = await async_browse_media(hass, content_id)
    children: Any = media.children
    return list(children)


async def test_browse_from_account_to_attachment(
    hass: HomeAssistant, imap_client: Mock
) -> None:
    """The levels are account, folder, mail and attachment."""
    imap_client.folders.return_value = [FolderInfo(name="INBOX"), FolderInfo(name=ODD)]
    imap_client.search.return_value = SearchResult(
        uid_validity=3, uids=(9, 8, 7), total=3
    )
    photo = make_mail(9, folder=ODD, attachments=(PHOTO, PAGE))
    nameless = make_mail(7, sender_name="", subject="", attachments=(PAGE,))
    nothing = make_mail(
        6, sender_name="", sender="", subject="", received=None, attachments=(PAGE,)
    )
    imap_client.mails.return_value = [photo, make_mail(8), nameless, nothing]

    [account] = await browse(hass, ROOT)
    assert account.title == USERNAME
    folders = await browse(hass, account.media_content_id)
    assert [folder.title for folder in folders] == ["INBOX", ODD]
    mails = await browse(hass, folders[1].media_content_id)
    imap_client.search.assert_awaited_once_with(
        ODD, Criteria(has_attachment=True), limit=50
    )
    assert [mail.title for mail in mails] == [
        "2026-11-03 04:30 · The Shop · Your order",
        "2026-11-03 04:30 · shop@example.org",
        "6",
    ]
    assert [bool(mail.thumbnail) for mail in mails] == [True, False, False]
    assert mails[0].thumbnail == f"/api/imap_push/attachment/{PHOTO_OF_MAIL_9}"
    imap_client.mails.return_value = [photo]
    attachments = await browse(hass, mails[0].media_content_id)
    imap_client.mails.assert_awaited_with(ODD, 3, [9])
    assert [(file.title, file.media_content_type) for file in attachments] == [
        ("you.jpg", "image/jpeg"),
        ("attachment-3.html", "text/html"),
    ]
    assert all(file.can_play and not file.can_expand for file in attachments)
    assert [bool(file.thumbnail) for file in attachments] == [True, False]

    imap_client.attachment.return_value = PHOTO
    media = await async_resolve_media(hass, attachments[0].media_content_id, None)
    imap_client.attachment.assert_awaited_once_with(ODD, 3, 9, "2.1")
    assert media.mime_type == "image/jpeg"
    assert media.url.isascii()


async def test_inline_images_are_not_listed(
    hass: HomeAssistant, imap_client: Mock
) -> None:
    """A mail with only a logo is not listed."""
    imap_client.search.return_value = SearchResult(uid_validity=3, uids=(8, 7), total=2)
    photo = make_mail(7, subject="Photo", attachments=(LOGO, PHOTO))
    imap_client.mails.return_value = [make_mail(8, attachments=(LOGO,)), photo]
    [mail] = await browse(hass, f"{ROOT}/01IMAPPUSH/SU5CT1g")
    assert mail.title == "2026-11-03 04:30 · The Shop · Photo"
    assert str(mail.thumbnail).endswith("/2.1")
    imap_client.mails.return_value = [photo]
    [file] = await browse(hass, mail.media_content_id)
    assert file.title == "you.jpg"


@pytest.mark.parametrize(
    "attachment",
    [
        pytest.param({"size": 1_000_001}, id="large"),
        pytest.param({"content_type": "image/svg+xml"}, id="SVG"),
        pytest.param({"content_type": "image/tiff"}, id="not shown by browsers"),
        pytest.param({"content_type": "application/pdf"}, id="no picture"),
    ],
)
async def test_attachment_without_a_thumbnail(
    hass: HomeAssistant, imap_client: Mock, attachment: dict[str, Any]
) -> None:
    """A thumbnail is the picture itself, so large pictures have none."""
    file = PHOTO._replace(**attachment)
    imap_client.search.return_value = SearchResult(uid_validity=3, uids=(7,), total=1)
    imap_client.mails.return_value = [make_mail(attachments=(file,))]
    [mail] = await browse(hass, f"{ROOT}/01IMAPPUSH/SU5CT1g")
    [shown] = await browse(hass, mail.media_content_id)
    assert (mail.thumbnail, shown.thumbnail) == (None, None)


@pytest.mark.parametrize(
    ("classes", "titles"),
    [
        pytest.param(None, ["2026-11-03 04:30 · The Shop · Your order"], id="mail"),
        pytest.param([MediaClass.IMAGE], ["you.jpg"], id="images"),
        pytest.param([MediaClass.MUSIC], [], id="music"),
    ],
)
async def test_search(
    hass: HomeAssistant,
    imap_client: Mock,
    hass_ws_client: WebSocketGenerator,
    classes: list[MediaClass] | None,
    titles: list[str],
) -> None:
    """By sender and subject, in the folder that is open."""
    imap_client.folders.return_value = [FolderInfo(name="INBOX")]
    [folder] = await browse(hass, f"{ROOT}/01IMAPPUSH")
    assert folder.can_search
    found = [SearchResult(3, (9, 7), 2), SearchResult(3, (8, 7), 2)]
    imap_client.search.side_effect = found
    imap_client.mails.return_value = [
        make_mail(9),
        make_mail(7, attachments=(PHOTO, PAGE)),
    ]
    client = await hass_ws_client()
    await client.send_json_auto_id(
        {
            "type": "media_source/search_media",
            "media_content_id": folder.media_content_id,
            "search_query": "order",
            **({"media_filter_classes": classes} if classes else {}),
        }
    )
    answer = await client.receive_json()
    assert [item["title"] for item in answer["result"]["result"]] == titles
    assert [call.args[1] for call in imap_client.search.await_args_list] == [
        Criteria(has_attachment=True, sender="order"),
        Criteria(has_attachment=True, subject="order"),
    ]
    imap_client.mails.assert_awaited_with("INBOX", 3, [9, 8, 7])


@pytest.mark.parametrize("place", ["", "/01IMAPPUSH", f"/{IN_INBOX}"])
async def test_only_folders_can_be_searched(
    hass: HomeAssistant, imap_client: Mock, place: str
) -> None:
    """The error says so."""
    with pytest.raises(BrowseError):
        await async_search_media(
            hass, f"{ROOT}{place}", SearchMediaQuery(search_query="a")
        )
    assert not imap_client.method_calls


async def test_mail_is_deleted_while_browsing(
    hass: HomeAssistant, imap_client: Mock
) -> None:
    """The folder is shown as empty, and the mail is reported as missing."""
    imap_client.search.return_value = SearchResult(uid_validity=3, uids=(7,), total=1)
    imap_client.mails.return_value = []
    assert await browse(hass, f"{ROOT}/01IMAPPUSH/SU5CT1g") == []
    with pytest.raises(BrowseError, match="no longer in the folder INBOX of"):
        await browse(hass, f"{ROOT}/{IN_INBOX}")


@pytest.mark.parametrize(
    "identifier",
    [
        pytest.param("nonsense", id="account"),
        pytest.param("01IMAPPUSH/%%%", id="folder that is not encoded"),
        pytest.param("01IMAPPUSH/_w", id="folder that is not UTF-8"),
        pytest.param("01IMAPPUSH/DQo", id="folder of two lines"),
        pytest.param("01IMAPPUSH/SU5CT1g/3", id="no mail"),
        pytest.param("01IMAPPUSH/SU5CT1g/3/x", id="UID that is not a number"),
        pytest.param("01IMAPPUSH/SU5CT1g/3/4294967296", id="large number"),
        pytest.param("01IMAPPUSH/SU5CT1g/3/7/1 2", id="invalid part"),
        pytest.param("01IMAPPUSH/SU5CT1g/3/7/1/2", id="too many segments"),
    ],
)
async def test_invalid_identifier_is_refused(
    hass: HomeAssistant,
    imap_client: Mock,
    hass_client: ClientSessionGenerator,
    identifier: str,
) -> None:
    """An error is raised, and no request is sent to the server."""
    with pytest.raises(BrowseError):
        await async_browse_media(hass, f"{ROOT}/{identifier}")
    with pytest.raises(Unresolvable):
        await async_resolve_media(hass, f"{ROOT}/{identifier}", None)
    browser = await hass_client()
    response = await browser.get(f"/api/imap_push/attachment/{identifier}")
    assert response.status == HTTPStatus.NOT_FOUND
    assert not imap_client.method_calls


async def test_account_that_is_not_loaded_is_not_listed(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """Its attachments are refused."""
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert await browse(hass, ROOT) == []
    with pytest.raises(BrowseError):
        await async_browse_media(hass, f"{ROOT}/01IMAPPUSH")


async def test_refusal_of_the_server_is_reported(
    hass: HomeAssistant, imap_client: Mock
) -> None:
    """The user sees the reason."""
    imap_client.folders.side_effect = ConnectionLost("secret")
    with pytest.raises(BrowseError, match="connection to the mail server") as raised:
        await async_browse_media(hass, f"{ROOT}/01IMAPPUSH")
    assert "secret" not in str(raised.value)
    imap_client.attachment.side_effect = PartNotFound
    with pytest.raises(Unresolvable, match="no such part"):
        await async_resolve_media(hass, f"{ROOT}/{IN_INBOX}/2", None)


async def test_play(
    hass: HomeAssistant,
    imap_client: Mock,
    hass_ws_client: WebSocketGenerator,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    """The frontend gets a signed URL, and only that opens the attachment."""
    imap_client.attachment.return_value = PHOTO
    send(imap_client, b"one", b"two")
    websocket = await hass_ws_client()
    await websocket.send_json_auto_id(
        {
            "type": "media_source/resolve_media",
            "media_content_id": f"{ROOT}/{IN_INBOX}/2.1",
        }
    )
    answer = await websocket.receive_json()
    assert answer["success"], answer
    url = answer["result"]["url"]
    browser = await hass_client_no_auth()
    response = await browser.get(url)
    assert response.status == HTTPStatus.OK
    assert await response.read() == b"onetwo"
    imap_client.read_part.assert_called_once_with("INBOX", 3, 7, "2.1")
    refused = await browser.get(url.partition("?")[0])
    assert refused.status == HTTPStatus.UNAUTHORIZED
    other = await browser.get(url.replace("/2.1?", "/3?"))
    assert other.status == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize(
    ("content_type", "served", "shown"),
    [
        pytest.param("image/jpeg", "image/jpeg", True, id="photo"),
        pytest.param("video/mp4", "video/mp4", True, id="video"),
        pytest.param("audio/mpeg", "audio/mpeg", True, id="music"),
        pytest.param("image/svg+xml", "image/svg+xml", False, id="SVG"),
        pytest.param("image/svg", "image/svg", False, id="SVG by another name"),
        pytest.param("text/html", "text/html", False, id="HTML"),
        pytest.param("application/pdf", "application/pdf", False, id="PDF"),
        pytest.param(
            "application/xhtml+xml", "application/xhtml+xml", False, id="XHTML"
        ),
        pytest.param(
            "image/png\r\nX-Evil: 1", "application/octet-stream", False, id="two lines"
        ),
        pytest.param("", "application/octet-stream", False, id="none"),
    ],
)
async def test_attachment_cannot_run_scripts(
    imap_client: Mock,
    hass_client: ClientSessionGenerator,
    content_type: str,
    served: str,
    shown: bool,
) -> None:
    """Browsers show harmless types, and download all others."""
    imap_client.attachment.return_value = Attachment(
        part="2", filename='a"; x=\r\nb.bin', content_type=content_type, size=1
    )
    send(imap_client, b"<script>")
    browser = await hass_client()
    response = await browser.get(f"/api/imap_push/attachment/{IN_INBOX}/2")
    assert response.status == HTTPStatus.OK
    assert response.headers["Content-Type"] == served
    disposition, _, name = response.headers["Content-Disposition"].partition("; ")
    assert disposition == ("inline" if shown else "attachment")
    assert name.startswith("filename*=UTF-8''a_%3B%20x%3D%20b.")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"].startswith("sandbox;")
    assert "no-store" in response.headers["Cache-Control"]
    assert "X-Evil" not in response.headers


async def test_empty_attachment(
    imap_client: Mock, hass_client: ClientSessionGenerator
) -> None:
    """It is served with an empty body."""
    imap_client.attachment.return_value = PHOTO
    send(imap_client)
    browser = await hass_client()
    response = await browser.get(f"/api/imap_push/attachment/{IN_INBOX}/2.1")
    assert response.status == HTTPStatus.OK
    assert await response.read() == b""


@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(FolderNotFound(), HTTPStatus.NOT_FOUND, id="no folder"),
        pytest.param(FolderRenumbered(), HTTPStatus.NOT_FOUND, id="other UIDVALIDITY"),
        pytest.param(MailNotFound(), HTTPStatus.NOT_FOUND, id="no mail"),
        pytest.param(PartNotFound(), HTTPStatus.NOT_FOUND, id="no part"),
        pytest.param(ConnectionLost(), HTTPStatus.SERVICE_UNAVAILABLE, id="lost"),
    ],
)
@pytest.mark.parametrize("late", [False, True], ids=["asked about it", "read"])
async def test_error_sets_the_http_status(
    imap_client: Mock,
    hass_client: ClientSessionGenerator,
    error: ImapError,
    status: HTTPStatus,
    late: bool,
) -> None:
    """The status depends on the error."""
    imap_client.attachment.return_value = PHOTO
    send(imap_client, error)
    if not late:
        imap_client.attachment.side_effect = error
    browser = await hass_client()
    response = await browser.get(f"/api/imap_push/attachment/{IN_INBOX}/2.1")
    assert response.status == status


async def test_connection_is_aborted_on_an_incomplete_attachment(
    imap_client: Mock, hass_client: ClientSessionGenerator
) -> None:
    """The client must not take the received part for the whole attachment."""
    imap_client.attachment.return_value = PHOTO
    send(imap_client, b"half", ConnectionLost())
    browser = await hass_client()
    response = await browser.get(f"/api/imap_push/attachment/{IN_INBOX}/2.1")
    with pytest.raises(ClientError):
        await response.read()
