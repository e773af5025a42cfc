"""The actions, with a mock of the client."""

from collections.abc import AsyncIterator
import logging
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.imap_push import imap
from custom_components.imap_push.const import CONF_READ_ONLY, DOMAIN
from custom_components.imap_push.imap import (
    Attachment,
    CommandRefused,
    Criteria,
    FolderInfo,
    FolderNotFound,
    FolderRole,
    ImapError,
    MailNotFound,
    MessageContent,
    PartNotFound,
    SearchResult,
    StoreResult,
)
from custom_components.imap_push.mail import errors, files
from custom_components.imap_push.mail.filter import FILTER_FIELDS
from custom_components.imap_push.mail.service_schemas import SAVE_ATTACHMENT_SCHEMA
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.setup import async_setup_component

from .. import USERNAME, make_arrival, make_mail
from ..conftest import FakeWatcher

pytestmark = pytest.mark.usefixtures("imap_client", "watcher")

NAMED = {"entry_id": "01IMAPPUSH", "folder": "INBOX", "uid_validity": 3, "uid": 7}
# The fields of the same mail in an automation that are used here.
MAIL = {**NAMED, "subject": "Your order", "catch_up": False, "attachments": []}
WRITING = [
    pytest.param("mark_as_read", {}, id="mark_as_read"),
    pytest.param("flag", {}, id="flag"),
    pytest.param("set_flags", {"read": True}, id="set_flags"),
    pytest.param("move", {"target_folder": "Archive"}, id="move"),
    pytest.param("delete", {}, id="delete"),
]
INVOICE = Attachment(
    part="2", filename="invoice.pdf", content_type="application/pdf", size=1400
)
PHOTO = Attachment(part="3", filename="me.jpg", content_type="image/jpeg", size=1400)
# Types that scanners and some mail clients declare for a PDF.
SCAN = Attachment(
    part="4", filename="scan.pdf", content_type="application/x-pdf", size=9
)
FAX = Attachment(
    part="5", filename="FAX.PDF", content_type="application/octet-stream", size=9
)
LOGO = Attachment(
    part="1.2",
    filename="logo.png",
    content_type="image/png",
    size=9,
    content_id="logo@example.org",
    inline=True,
)

# An action's data with a template for each field, and with one for all.
PART = "trigger.event.data.attachments[0].part"
FETCH_FIRST = {"mail": "{{ trigger.event.data }}", "part": f"{{{{ {PART} }}}}"}
FETCH_FILE = FETCH_FIRST | {"part": f"{{{{ {PART.removesuffix('.part')} }}}}"}


@pytest.fixture
def media(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Return the media folder, the only directory that may be written to."""
    folder = tmp_path / "media"
    folder.mkdir()
    hass.config.media_dirs = {"local": str(folder)}
    hass.config.allowlist_external_dirs = {str(folder)}
    return folder


async def act(hass: HomeAssistant, action: str, **data: Any) -> Any:
    """Run an action and return its response."""
    return await hass.services.async_call(
        DOMAIN, action, data, blocking=True, return_response=True
    )


def send(imap_client: Mock, *pieces: bytes, error: Exception | None = None) -> None:
    """Let every part consist of these pieces, optionally followed by an error."""

    async def read_part(*_args: object) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
        if error:
            raise error

    imap_client.read_part.side_effect = read_part


async def test_search(hass: HomeAssistant, imap_client: Mock) -> None:
    """All criteria are passed to the client; the mails have the fields of a new mail."""
    imap_client.search.return_value = SearchResult(
        uid_validity=3, uids=(9, 7), total=12
    )
    imap_client.mails.return_value = [make_mail(9), make_mail(7)]
    response = await act(
        hass,
        "search",
        entry_id="01IMAPPUSH",
        folder="Archive/2026",
        sender="shop",
        recipient="jane",
        subject="Bestellung für",
        text="42",
        unread="yes",
        flagged=False,
        larger_than=1.5,
        has_attachment=True,
        newer_than="7",
        raw="KEYWORD $Work",
        limit=2,
    )
    imap_client.search.assert_awaited_once_with(
        "Archive/2026",
        Criteria(
            sender="shop",
            recipient="jane",
            subject="Bestellung für",
            text="42",
            unread=True,
            flagged=False,
            larger_than=1500,
            has_attachment=True,
            newer_than=7,
            raw="KEYWORD $Work",
        ),
        limit=2,
    )
    imap_client.mails.assert_awaited_once_with("Archive/2026", 3, (9, 7))
    assert (response["uid_validity"], response["total"]) == (3, 12)
    assert [mail["uid"] for mail in response["mails"]] == [9, 7]
    assert (
        response["mails"][1].items()
        >= {
            **NAMED,
            "account": USERNAME,
            "sender": "shop@example.org",
            "subject": "Your order",
            "received": "2026-11-03T12:30:00+00:00",
            "attachments": [],
        }.items()
    )


async def test_search_without_criteria(hass: HomeAssistant, imap_client: Mock) -> None:
    """It returns the newest 20 mails of the inbox."""
    imap_client.search.return_value = SearchResult(uid_validity=3, uids=(7,), total=1)
    imap_client.mails.return_value = [make_mail()]
    await act(hass, "search", entry_id="01IMAPPUSH")
    imap_client.search.assert_awaited_once_with("INBOX", Criteria(), limit=20)


@pytest.mark.parametrize(
    "uids",
    [pytest.param((), id="nothing"), pytest.param((7,), id="deleted in between")],
)
async def test_search_finds_nothing(
    hass: HomeAssistant, imap_client: Mock, uids: tuple[int, ...]
) -> None:
    """The response is empty, without an error."""
    imap_client.search.return_value = SearchResult(
        uid_validity=3, uids=uids, total=len(uids)
    )
    imap_client.mails.return_value = []
    response = await act(hass, "search", entry_id="01IMAPPUSH")
    assert response == {"uid_validity": 3, "total": len(uids), "mails": []}


async def test_fetch(hass: HomeAssistant, imap_client: Mock) -> None:
    """It returns a mail with header, text and attachments."""
    imap_client.content.return_value = MessageContent(
        mail=make_mail(attachments=(INVOICE,)),
        headers=(("Received", "from a"), ("Received", "from b")),
        text="Hello",
        truncated=True,
    )
    response = await act(hass, "fetch", mail=MAIL, text_size=5)
    imap_client.content.assert_awaited_once_with(
        "INBOX", 3, 7, text_size=5, links=False, html=False, part=None
    )
    assert "html" not in response
    assert response.items() >= {**NAMED, "text": "Hello", "truncated": True}.items()
    assert response["headers"] == [
        {"name": "Received", "value": "from a"},
        {"name": "Received", "value": "from b"},
    ]
    assert response["attachments"] == [
        {
            "part": "2",
            "filename": "invoice.pdf",
            "content_type": "application/pdf",
            "size": 1400,
            "encoding": None,
            "disposition": None,
            "content_id": None,
            "inline": False,
        }
    ]


@pytest.mark.parametrize(
    ("data", "arguments", "html", "answer"),
    [
        pytest.param({"links": True}, {"links": True}, None, {}, id="links"),
        pytest.param(
            {"html": True}, {"html": True}, "<p>Hi", {"html": "<p>Hi"}, id="HTML"
        ),
        pytest.param(
            {"html": "on"}, {"html": True}, None, {"html": None}, id="mail without HTML"
        ),
        pytest.param({"part": "2"}, {"part": "2"}, None, {}, id="part"),
        pytest.param({"part": 1.2}, {"part": "1.2"}, None, {}, id="number as part"),
        pytest.param(
            {"part": "1.2", "html": True, "links": True},
            {"part": "1.2", "html": True, "links": True},
            "<b>",
            {"html": "<b>"},
            id="all",
        ),
    ],
)
async def test_fetch_more_than_the_text(
    hass: HomeAssistant,
    imap_client: Mock,
    data: dict[str, Any],
    arguments: dict[str, Any],
    html: str | None,
    answer: dict[str, Any],
) -> None:
    """The response has the field `html` only if it was requested."""
    imap_client.content.return_value = MessageContent(
        mail=make_mail(), text="Hi", html=html
    )
    response = await act(hass, "fetch", mail=MAIL, **data)
    imap_client.content.assert_awaited_once_with(
        "INBOX",
        3,
        7,
        **{"text_size": 10_000, "links": False, "html": False, "part": None}
        | arguments,
    )
    assert response["text"] == "Hi"
    assert {key: response[key] for key in response if key == "html"} == answer


@pytest.mark.parametrize(
    ("action", "request_name"),
    [
        pytest.param("fetch", "content", id="fetch"),
        pytest.param("save_attachment", "attachment", id="save_attachment"),
    ],
)
@pytest.mark.usefixtures("media")
async def test_unknown_part_is_an_error(
    hass: HomeAssistant, imap_client: Mock, action: str, request_name: str
) -> None:
    """Both actions report the same error."""
    getattr(imap_client, request_name).side_effect = PartNotFound
    with pytest.raises(HomeAssistantError) as raised:
        await act(hass, action, mail=MAIL, part="9")
    assert raised.value.translation_key == "part_not_found"
    assert "no such part" in str(raised.value)


@pytest.mark.parametrize(
    ("part", "data", "argument"),
    [
        pytest.param("2", FETCH_FIRST, "2", id="number"),
        pytest.param("1.2", FETCH_FIRST, "1.2", id="part of a part"),
        pytest.param("1.10", FETCH_FILE, "1.10", id="attachment"),
    ],
)
async def test_fetch_the_part_of_an_attachment(
    hass: HomeAssistant,
    imap_client: Mock,
    watcher: FakeWatcher,
    part: str,
    data: dict[str, str],
    argument: str,
) -> None:
    """A template passes it from the trigger, as in the documentation."""
    imap_client.content.return_value = MessageContent(mail=make_mail())
    trigger = {"trigger": "event", "event_type": "new_mail"}
    action = {"action": "imap_push.fetch", "data": data, "response_variable": "mail"}
    config = {"automation": {"triggers": trigger, "actions": action}}
    assert await async_setup_component(hass, "automation", config)
    arrival = make_arrival(attachments=(INVOICE._replace(part=part),))
    await watcher.listener.mail_arrived(arrival)
    await hass.async_block_till_done()
    assert imap_client.content.await_args.kwargs["part"] == argument


async def test_fetch_reports_a_truncated_header(
    hass: HomeAssistant, imap_client: Mock
) -> None:
    """The field `truncated` covers header and text."""
    imap_client.content.return_value = MessageContent(
        mail=make_mail(truncated=True), text="all"
    )
    response = await act(hass, "fetch", **NAMED)
    imap_client.content.assert_awaited_once_with(
        "INBOX", 3, 7, text_size=10_000, links=False, html=False, part=None
    )
    assert response["truncated"]


@pytest.mark.parametrize(
    ("data", "add", "remove"),
    [
        pytest.param({"read": True}, [r"\Seen"], [], id="read"),
        pytest.param({"read": False}, [], [r"\Seen"], id="unread"),
        pytest.param(
            {"flagged": "on", "answered": "off"},
            [r"\Flagged"],
            [r"\Answered"],
            id="flagged and not answered",
        ),
        pytest.param(
            {"add_keywords": "$Work", "remove_keywords": ["Later", "$Home"]},
            ["$Work"],
            ["Later", "$Home"],
            id="keywords",
        ),
    ],
)
async def test_set_flags(
    hass: HomeAssistant,
    imap_client: Mock,
    data: dict[str, Any],
    add: list[str],
    remove: list[str],
) -> None:
    """Only the given flags are changed."""
    imap_client.set_flags.return_value = StoreResult(uids=(7,))
    response = await act(hass, "set_flags", **NAMED, **data)
    imap_client.set_flags.assert_awaited_once_with(
        "INBOX", 3, [7], add=add, remove=remove
    )
    assert response == {"uids": [7], "missing": []}


async def test_move(hass: HomeAssistant, imap_client: Mock) -> None:
    """Several mails are moved in one request, without duplicates."""
    imap_client.move.return_value = StoreResult(uids=(7, 9), missing=(8,))
    response = await act(
        hass, "move", **NAMED | {"uid": [7, "8", 9, 7]}, target_folder="Archive"
    )
    imap_client.move.assert_awaited_once_with("INBOX", 3, [7, 8, 9], "Archive")
    assert response == {"uids": [7, 9], "missing": [8]}


@pytest.mark.parametrize("permanently", [False, True])
async def test_delete(
    hass: HomeAssistant, imap_client: Mock, permanently: bool
) -> None:
    """Mail is moved to the trash by default."""
    imap_client.delete.return_value = StoreResult(uids=(7,))
    data = {"permanently": True} if permanently else {}
    await act(hass, "delete", **NAMED, **data)
    imap_client.delete.assert_awaited_once_with(
        "INBOX", 3, [7], permanently=permanently
    )


async def test_mail_of_an_event_identifies_the_mail(
    hass: HomeAssistant, imap_client: Mock, watcher: FakeWatcher
) -> None:
    """Automations pass it as a whole, or field by field."""
    imap_client.set_flags.return_value = StoreResult(uids=(7,))
    imap_client.move.return_value = StoreResult(uids=(7,))
    named = {key: f"{{{{ trigger.event.data.{key} }}}}" for key in NAMED}
    assert await async_setup_component(
        hass,
        "automation",
        {
            "automation": {
                "triggers": {"trigger": "event", "event_type": "new_mail"},
                "actions": [
                    {
                        "action": "imap_push.set_flags",
                        "data": {"mail": "{{ trigger.event.data }}", "read": True},
                    },
                    {
                        "action": "imap_push.move",
                        "data": {**named, "target_folder": "Archive"},
                    },
                ],
            }
        },
    )
    subject = "{{ 1 + 1 }} 'it''s' \"quoted\" \\ naïve 😀"
    await watcher.listener.mail_arrived(make_arrival(subject=subject))
    await hass.async_block_till_done()
    imap_client.set_flags.assert_awaited_once_with(
        "INBOX", 3, [7], add=[r"\Seen"], remove=[]
    )
    imap_client.move.assert_awaited_once_with("INBOX", 3, [7], "Archive")


async def test_result_of_a_search_can_be_passed_to_actions(
    hass: HomeAssistant, imap_client: Mock
) -> None:
    """The list of mails is passed as a whole."""
    imap_client.search.return_value = SearchResult(uid_validity=3, uids=(9, 7), total=2)
    imap_client.mails.return_value = [make_mail(9), make_mail(7)]
    imap_client.delete.return_value = StoreResult(uids=(9, 7))
    found = await act(hass, "search", entry_id="01IMAPPUSH")
    await act(hass, "delete", mail=found["mails"])
    imap_client.delete.assert_awaited_once_with("INBOX", 3, [9, 7], permanently=False)


@pytest.mark.parametrize(("action", "data"), WRITING)
async def test_missing_mail_is_reported(
    hass: HomeAssistant, imap_client: Mock, action: str, data: dict[str, Any]
) -> None:
    """Without response data it is an error; the other mails are still changed."""
    imap_client.set_flags.return_value = StoreResult(uids=(7,), missing=(8, 9))
    imap_client.move.return_value = imap_client.set_flags.return_value
    imap_client.delete.return_value = imap_client.set_flags.return_value
    with pytest.raises(HomeAssistantError) as raised:
        await hass.services.async_call(
            DOMAIN, action, {**NAMED, "uid": [7, 8, 9], **data}, blocking=True
        )
    assert raised.value.translation_key == "some_missing"
    assert "2 of 3 emails" in str(raised.value)


@pytest.mark.parametrize(("action", "data"), WRITING)
async def test_read_only_account(
    hass: HomeAssistant,
    imap_client: Mock,
    entry: MockConfigEntry,
    action: str,
    data: dict[str, Any],
) -> None:
    """Actions that write are refused; those that read work."""
    hass.config_entries.async_update_entry(entry, options={CONF_READ_ONLY: True})
    await hass.async_block_till_done()
    with pytest.raises(ServiceValidationError) as raised:
        await act(hass, action, **NAMED, **data)
    assert raised.value.translation_key == "read_only"
    assert USERNAME in str(raised.value)
    for request_name in ("set_flags", "move", "delete"):
        getattr(imap_client, request_name).assert_not_called()
    imap_client.content.return_value = MessageContent(mail=make_mail())
    assert await act(hass, "fetch", **NAMED)


EVERY_ERROR = [
    kind
    for kind in vars(imap).values()
    if isinstance(kind, type) and issubclass(kind, ImapError)
]
TEXTS = {
    "CommandRefused": "command_refused",
    "CriteriaRefused": "criteria_refused",
    "FolderNotFound": "folder_not_found",
    "FolderReadOnly": "folder_read_only",
    "FolderRenumbered": "folder_renumbered",
    "ImapError": "request_failed",
    "LoginRefused": "login_refused",
    "MailNotFound": "mail_not_found",
    "NotMoved": "not_moved",
    "NoTrash": "no_trash",
    "PartNotFound": "part_not_found",
    "SameFolder": "same_folder",
    "ServerLeft": "connection_lost",
    "ServerSilent": "connection_lost",
    "Throttled": "unavailable",
    "TlsExpected": "tls_failed",
    "Unreachable": "cannot_connect",
    "Unsupported": "unsupported",
}


def make_error(kind: type[ImapError]) -> ImapError:
    """Return an error whose text must not be shown."""
    if kind is CommandRefused:
        return CommandRefused("UID MOVE", "NO", "OVERQUOTA", "secret")
    if kind is imap.CertificateError:
        return imap.CertificateError(imap.CertificateProblem.EXPIRED, "secret")
    return kind("secret")


@pytest.mark.parametrize("kind", EVERY_ERROR)
async def test_every_error_of_the_server_has_a_message(
    hass: HomeAssistant,
    imap_client: Mock,
    caplog: pytest.LogCaptureFixture,
    kind: type[ImapError],
) -> None:
    """It is translated, and does not contain the server's text."""
    caplog.set_level(logging.DEBUG)
    imap_client.move.side_effect = make_error(kind)
    with pytest.raises(HomeAssistantError) as raised:
        await act(hass, "move", **NAMED, target_folder="Archive")
    key = raised.value.translation_key
    assert key == TEXTS.get(kind.__name__, key)
    assert str(raised.value) != key
    assert "{" not in str(raised.value)
    assert raised.value.__suppress_context__
    assert "secret" not in caplog.text
    if kind is CommandRefused:
        assert "OVERQUOTA" in str(raised.value)


async def test_missing_folder_is_named(hass: HomeAssistant, imap_client: Mock) -> None:
    """The message says which of the two folders does not exist."""
    imap_client.move.side_effect = FolderNotFound("secret", "Archive")
    with pytest.raises(HomeAssistantError, match="The folder Archive of"):
        await act(hass, "move", **NAMED, target_folder="Archive")


def test_every_message_belongs_to_an_error() -> None:
    """A subclass without its own message has that of its base class."""
    assert set(errors.ERROR_TEXTS) <= set(EVERY_ERROR)


@pytest.mark.parametrize(
    ("action", "request_name"),
    [
        pytest.param("search", "search", id="search"),
        pytest.param("fetch", "content", id="fetch"),
        pytest.param("save_attachment", "mails", id="save_attachment"),
    ],
)
@pytest.mark.usefixtures("media")
async def test_errors_of_actions_that_read(
    hass: HomeAssistant, imap_client: Mock, action: str, request_name: str
) -> None:
    """They are reported like those of actions that write."""
    getattr(imap_client, request_name).side_effect = FolderNotFound
    data = {"entry_id": "01IMAPPUSH"} if action == "search" else NAMED
    with pytest.raises(HomeAssistantError) as raised:
        await act(hass, action, **data)
    assert raised.value.translation_key == "folder_not_found"


async def test_unknown_account_is_refused(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """It is unknown, of another integration, or not loaded."""
    other = MockConfigEntry(domain="other", title="Other")
    other.add_to_hass(hass)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert entry.state is ConfigEntryState.NOT_LOADED
    for entry_id, key in (
        ("nonsense", "service_config_entry_not_found"),
        (other.entry_id, "service_config_entry_wrong_domain"),
        (entry.entry_id, "service_config_entry_not_loaded"),
    ):
        with pytest.raises(ServiceValidationError) as raised:
            await act(hass, "fetch", **NAMED | {"entry_id": entry_id})
        assert raised.value.translation_key == key


BAD_NUMBERS = [0, -1, 2**32, 1.5, True, None, "", "1,2", "1:*", "*", "٣", [], [1, "x"]]
BAD_KEYWORDS = [[], "", r"\Deleted", "a b", "ä", "a(", "a]", "x" * 101]
BAD_TYPES = [
    "image",
    "PDF files",
    "image/",
    "/pdf",
    "image/png, .pdf",
    ".pdf;.zip",
    ".",
]
BAD_PARTS = [[], "0", "1.", "TEXT", "1]", "1.0", "1\n", "1." * 20 + "1"]


@pytest.mark.parametrize(
    ("action", "data"),
    [
        *(
            pytest.param("delete", NAMED | {"uid": uid}, id=f"uid {uid!r}")
            for uid in [*BAD_NUMBERS, [[7]]]
        ),
        pytest.param(
            "delete", NAMED | {"uid": list(range(1, 1002))}, id="too many uids"
        ),
        *(
            pytest.param(
                "delete", NAMED | {"uid_validity": value}, id=f"uid_validity {value!r}"
            )
            for value in BAD_NUMBERS
        ),
        pytest.param("delete", {**NAMED, "folder": ""}, id="no folder"),
        pytest.param("delete", {**NAMED, "folder": "a\r\nb"}, id="lines as folder"),
        pytest.param("delete", {**NAMED, "folder": "a\0"}, id="NUL in folder"),
        pytest.param("delete", {**NAMED, "folder": "x" * 1001}, id="long folder"),
        pytest.param("delete", {"uid": 7}, id="only a uid"),
        pytest.param("delete", {**NAMED, "mail": MAIL}, id="both ways"),
        pytest.param("delete", {"mail": []}, id="no mail"),
        pytest.param("delete", {"mail": "INBOX"}, id="text as mail"),
        pytest.param("delete", {"mail": None}, id="null as mail"),
        pytest.param("delete", {"mail": {"uid": 7}}, id="not all of a mail"),
        pytest.param(
            "delete", {"mail": {**NAMED, "entry_id": ["a"]}}, id="list as account"
        ),
        pytest.param(
            "delete", {"mail": [NAMED, {**NAMED, "folder": "B"}]}, id="two folders"
        ),
        pytest.param("fetch", {**NAMED, "uid": [7, 8]}, id="fetch two"),
        pytest.param("fetch", {**NAMED, "text_size": 100_001}, id="fetch too much"),
        pytest.param("search", {"entry_id": "01IMAPPUSH", "limit": 201}, id="limit"),
        pytest.param("search", {"entry_id": "01IMAPPUSH", "limit": 0}, id="no limit"),
        pytest.param(
            "search", {"entry_id": "01IMAPPUSH", "raw": "ALL\r\nA1 LOGOUT"}, id="raw"
        ),
        pytest.param("search", {"entry_id": "01IMAPPUSH", "sender": ""}, id="empty"),
        pytest.param("move", NAMED, id="move nowhere"),
        pytest.param("set_flags", NAMED, id="set no flag"),
        *(
            pytest.param(
                "set_flags",
                {**NAMED, "add_keywords": keyword},
                id=f"keyword {keyword!r}",
            )
            for keyword in BAD_KEYWORDS
        ),
        *(
            pytest.param(action, {**NAMED, "part": part}, id=f"{action} part {part!r}")
            for action in ("save_attachment", "fetch")
            for part in BAD_PARTS
        ),
        pytest.param("fetch", {**NAMED, "part": ["1", "2"]}, id="fetch two parts"),
        pytest.param("save_attachment", {**NAMED, "content_type": " "}, id="no type"),
        pytest.param("save_attachment", {**NAMED, "max_size": 0}, id="nothing allowed"),
        pytest.param("save_attachment", {**NAMED, "max_size": 101}, id="too much"),
    ],
)
async def test_invalid_data_is_refused(
    hass: HomeAssistant, imap_client: Mock, action: str, data: dict[str, Any]
) -> None:
    """No request is sent to the server."""
    with pytest.raises(vol.Invalid):
        await act(hass, action, **data)
    assert not imap_client.method_calls


async def test_part_of_the_fields_of_a_mail_is_refused(
    hass: HomeAssistant, imap_client: Mock
) -> None:
    """One message lists all four."""
    with pytest.raises(vol.Invalid, match=r"^expected all of entry_id, folder, "):
        await act(hass, "fetch", entry_id="01IMAPPUSH", uid=7)
    assert not imap_client.method_calls


async def test_text_as_mail_is_refused(hass: HomeAssistant, imap_client: Mock) -> None:
    """For example a template without braces; the message says what to do."""
    with pytest.raises(vol.Invalid, match="Omit mail to use the email that triggered"):
        await act(hass, "mark_as_read", mail="trigger.mail")
    assert not imap_client.method_calls


@pytest.mark.parametrize(
    ("action", "flag"),
    [
        pytest.param("mark_as_read", r"\Seen", id="mark_as_read"),
        pytest.param("flag", r"\Flagged", id="flag"),
    ],
)
async def test_actions_for_one_flag(
    hass: HomeAssistant, imap_client: Mock, action: str, flag: str
) -> None:
    """They do the same as `set_flags`, also for several mails."""
    imap_client.set_flags.return_value = StoreResult(uids=(7,), missing=(9,))
    response = await act(hass, action, **NAMED | {"uid": [7, 9]})
    imap_client.set_flags.assert_awaited_once_with(
        "INBOX", 3, [7, 9], add=[flag], remove=()
    )
    assert response == {"uids": [7], "missing": [9]}


FOLDERS = [
    FolderInfo(name="INBOX", role=FolderRole.INBOX),
    FolderInfo(name="Old/Ablage", delimiter="/", role=FolderRole.ARCHIVE),
    FolderInfo(name="Ablage", delimiter="/", role=FolderRole.ARCHIVE),
    FolderInfo(name="junk", role=None),
    FolderInfo(name="Spam", role=FolderRole.JUNK),
]


@pytest.mark.parametrize(
    ("target", "folder"),
    [
        pytest.param("archive", "Ablage", id="use, least nested"),
        pytest.param("Archive", "Ablage", id="capital letter"),
        pytest.param("\\Archive", "Ablage", id="as in RFC 6154"),
        pytest.param("junk", "junk", id="folder with this name"),
        pytest.param("Junk", "Spam", id="no folder with exactly this name"),
        pytest.param("Work/Invoices", "Work/Invoices", id="name"),
        pytest.param("inbox", "inbox", id="inbox"),
        pytest.param("sent", "sent", id="other use"),
    ],
)
async def test_target_of_a_move(
    hass: HomeAssistant, imap_client: Mock, target: str, folder: str
) -> None:
    """A name, or a use of a folder."""
    imap_client.folders.return_value = FOLDERS
    imap_client.move.return_value = StoreResult(uids=(7,))
    await act(hass, "move", **NAMED, target_folder=target)
    imap_client.move.assert_awaited_once_with("INBOX", 3, [7], folder)


@pytest.mark.parametrize("target", ["trash", "Trash", "\\Trash"])
async def test_target_that_the_account_does_not_have(
    hass: HomeAssistant, imap_client: Mock, target: str
) -> None:
    """The error says what to do."""
    imap_client.folders.return_value = FOLDERS
    with pytest.raises(
        ServiceValidationError, match="no folder of the type “trash”. Enter the name"
    ):
        await act(hass, "move", **NAMED, target_folder=target)
    imap_client.move.assert_not_called()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(
            imap.SameFolder(),
            "already in the folder INBOX of jane@example.com",
            id="same folder",
        ),
        pytest.param(
            FolderNotFound("", "Archiv"),
            "The folder Archiv of",
            id="no such folder",
        ),
        pytest.param(
            imap.NoTrash(), "has no trash folder.* “Permanently”", id="no trash"
        ),
        pytest.param(
            imap.AlreadyInTrash(), "in the trash of .* “Permanently”", id="in the trash"
        ),
        pytest.param(
            MailNotFound(), "no longer in the folder INBOX of", id="no such mail"
        ),
        pytest.param(
            imap.FolderReadOnly(), "folder INBOX of .* is read-only", id="read only"
        ),
    ],
)
async def test_error_states_the_one_reason(
    hass: HomeAssistant, imap_client: Mock, error: ImapError, message: str
) -> None:
    """It names the folder."""
    error.folder = error.folder or "INBOX"
    imap_client.move.side_effect = error
    with pytest.raises(HomeAssistantError, match=message):
        await act(hass, "move", **NAMED, target_folder="Work")


async def test_save_attachments(
    hass: HomeAssistant, imap_client: Mock, media: Path
) -> None:
    """All attachments are saved in the media folder, so media players find them."""
    imap_client.mails.return_value = [make_mail(attachments=(INVOICE, PHOTO))]
    send(imap_client, b"one", b"two")
    response = await act(hass, "save_attachment", mail=MAIL)
    imap_client.mails.assert_awaited_once_with("INBOX", 3, [7])
    assert [call.args for call in imap_client.read_part.call_args_list] == [
        ("INBOX", 3, 7, "2"),
        ("INBOX", 3, 7, "3"),
    ]
    assert response["files"] == [
        {
            "path": str(media / "imap_push" / name),
            "filename": name,
            "content_type": content_type,
            "size": 6,
            "media_content_id": f"media-source://media_source/local/imap_push/{name}",
        }
        for name, content_type in (
            ("invoice.pdf", "application/pdf"),
            ("me.jpg", "image/jpeg"),
        )
    ]
    assert (media / "imap_push/invoice.pdf").read_bytes() == b"onetwo"
    assert len(list((media / "imap_push").iterdir())) == 2


@pytest.mark.parametrize(
    ("content_type", "saved"),
    [
        pytest.param("application/pdf", ["invoice.pdf"], id="PDF"),
        pytest.param("Image/*", ["me.jpg"], id="images"),
        pytest.param(
            ["image/*", "application/pdf"], ["invoice.pdf", "me.jpg"], id="two"
        ),
        pytest.param("*/*", ["invoice.pdf", "me.jpg"], id="all"),
        pytest.param([], ["invoice.pdf", "me.jpg"], id="no types given"),
        pytest.param("audio/*", [], id="none"),
        pytest.param("*.zip", [], id="other names"),
        pytest.param(".PDF", ["invoice.pdf"], id="extension"),
        pytest.param("jpg", ["me.jpg"], id="extension without dot"),
        pytest.param("inv*.pdf", ["invoice.pdf"], id="file name"),
        pytest.param(" image/jpeg ", ["me.jpg"], id="blanks around"),
        pytest.param("*", ["invoice.pdf", "me.jpg"], id="any name"),
    ],
)
async def test_save_attachments_of_some_types(
    hass: HomeAssistant,
    imap_client: Mock,
    media: Path,
    content_type: Any,
    saved: list[str],
) -> None:
    """A mail without matching attachments is no error."""
    imap_client.mails.return_value = [make_mail(attachments=(INVOICE, PHOTO))]
    send(imap_client, b"content")
    response = await act(hass, "save_attachment", mail=MAIL, content_type=content_type)
    assert [file["filename"] for file in response["files"]] == saved


@pytest.mark.parametrize(
    "texts",
    [
        *("application/pdf", "image/*", "*/*", ".pdf", "pdf", "invoice*.pdf", "*"),
        *("", " ", "image", "image/", "/pdf", ".", "a" * 201, "a.pdf", ".pdf, .zip"),
        *(["image/*", " .pdf "], [""], []),
    ],
    ids=repr,
)
def test_types_are_those_of_the_trigger(texts: Any) -> None:
    """Action and trigger accept the same values, and refuse the same."""

    def outcome(schema: Any, field: str, **more: Any) -> Any:
        try:
            return schema({field: texts, **more})[field]
        except vol.Invalid as err:
            return type(err)

    trigger = vol.Schema(FILTER_FIELDS)
    of_trigger = outcome(trigger, "attachment_type")
    assert outcome(SAVE_ATTACHMENT_SCHEMA, "content_type", **NAMED) == of_trigger


@pytest.mark.parametrize(
    "attachment", [INVOICE, SCAN, FAX], ids=lambda file: file.filename
)
@pytest.mark.parametrize("content_type", ["application/pdf", ".pdf", "*.pdf"])
async def test_save_pdf_with_another_declared_type(
    hass: HomeAssistant,
    imap_client: Mock,
    media: Path,
    attachment: Attachment,
    content_type: str,
) -> None:
    """Its file name has the suffix."""
    imap_client.mails.return_value = [make_mail(attachments=(PHOTO, attachment))]
    send(imap_client, b"content")
    response = await act(hass, "save_attachment", mail=MAIL, content_type=content_type)
    assert [file["filename"] for file in response["files"]] == [attachment.filename]


@pytest.mark.parametrize(
    ("data", "saved"),
    [
        pytest.param({}, ["me.jpg"], id="left out"),
        pytest.param({"inline_images": False}, ["me.jpg"], id="off"),
        pytest.param({"inline_images": True}, ["logo.png", "me.jpg"], id="on"),
        pytest.param({"content_type": "image/png"}, [], id="not by its type"),
        pytest.param(
            {"inline_images": True, "content_type": ".png"},
            ["logo.png"],
            id="of a type",
        ),
        pytest.param({"part": "1.2"}, ["logo.png"], id="by its part"),
        pytest.param(
            {"part": "1.2", "content_type": ".jpg"}, [], id="part of another type"
        ),
    ],
)
async def test_save_inline_images(
    hass: HomeAssistant,
    imap_client: Mock,
    media: Path,
    data: dict[str, Any],
    saved: list[str],
) -> None:
    """They are saved only with the option."""
    imap_client.mails.return_value = [make_mail(attachments=(LOGO, PHOTO))]
    imap_client.attachment.return_value = LOGO
    send(imap_client, b"content")
    response = await act(hass, "save_attachment", mail=MAIL, **data)
    assert [file["filename"] for file in response["files"]] == saved


async def test_save_one_part(
    hass: HomeAssistant, imap_client: Mock, media: Path
) -> None:
    """The part may be one that is not among the attachments."""
    imap_client.attachment.return_value = Attachment(
        part="1.2", filename="attachment-1-2.html", content_type="text/html", size=10
    )
    send(imap_client, b"<p>")
    response = await act(
        hass, "save_attachment", mail=MAIL, part="1.2", directory=str(media / "a/b")
    )
    imap_client.attachment.assert_awaited_once_with("INBOX", 3, 7, "1.2")
    [file] = response["files"]
    assert file["path"] == str(media / "a/b/attachment-1-2.html.txt")
    assert file["content_type"] == "text/html"


async def test_save_outside_of_the_media_folder(
    hass: HomeAssistant, imap_client: Mock, media: Path, tmp_path: Path
) -> None:
    """This needs an allowed directory, and the file has no media content ID."""
    hass.config.allowlist_external_dirs.add(str(tmp_path / "allowed"))
    imap_client.mails.return_value = [make_mail(attachments=(INVOICE,))]
    send(imap_client, b"content")
    response = await act(
        hass, "save_attachment", mail=MAIL, directory=str(tmp_path / "allowed")
    )
    [file] = response["files"]
    assert file["path"] == str(tmp_path / "allowed/invoice.pdf")
    assert file["media_content_id"] is None


async def test_save_in_a_directory_that_is_not_allowed(
    hass: HomeAssistant, imap_client: Mock, media: Path, tmp_path: Path
) -> None:
    """No request is sent to the server."""
    (media / "link").symlink_to(tmp_path)
    for directory in (
        str(tmp_path),
        "/",
        "/etc",
        ".",
        "..",
        f"{media}/..",
        f"{media}/a/../..",
        f"{media}/link",
        f"{media}/link/deeper",
        f"{media}2",
        "x" * 900,
    ):
        with pytest.raises(ServiceValidationError) as raised:
            await act(hass, "save_attachment", mail=MAIL, directory=directory)
        assert raised.value.translation_key == "directory_not_allowed", directory
    assert not imap_client.method_calls
    assert [path.name for path in tmp_path.iterdir()] == ["media"]


@pytest.mark.parametrize(
    ("failure", "key"),
    [
        pytest.param(None, "file_too_large", id="too large"),
        pytest.param(
            OSError(28, "No space left on device"), "file_not_written", id="disk full"
        ),
        pytest.param(OSError(), "file_not_written", id="disk broken"),
        pytest.param(MailNotFound(), "mail_not_found", id="mail deleted"),
        pytest.param(PartNotFound(), "part_not_found", id="no such part"),
        pytest.param(imap.ConnectionLost(), "connection_lost", id="connection lost"),
    ],
)
async def test_failed_save_leaves_no_file(
    hass: HomeAssistant,
    imap_client: Mock,
    media: Path,
    failure: Exception | None,
    key: str,
) -> None:
    """The declared size of the attachment is not used."""
    imap_client.mails.return_value = [make_mail(attachments=(INVOICE,))]
    send(imap_client, b"x" * 600, b"x" * 600, error=failure)
    with pytest.raises(HomeAssistantError) as raised:
        await act(
            hass,
            "save_attachment",
            mail=MAIL,
            max_size=0.0012 if failure else 0.001,
        )
    assert raised.value.translation_key == key
    assert not list((media / "imap_push").iterdir())


SIZES = {"2": 600, "3": 2_000_000, "4": 20}


def send_sizes(imap_client: Mock, failures: dict[str, Exception]) -> None:
    """Let the parts have different sizes, or fail."""

    async def read_part(*args: Any) -> AsyncIterator[bytes]:
        if error := failures.get(args[-1]):
            raise error
        yield b"x" * SIZES[args[-1]]

    imap_client.mails.return_value = [make_mail(attachments=(INVOICE, PHOTO, SCAN))]
    imap_client.read_part.side_effect = read_part


@pytest.mark.parametrize(
    ("failures", "saved", "skipped"),
    [
        pytest.param(
            {}, ["invoice.pdf", "scan.pdf"], {"3": "file_too_large"}, id="too large"
        ),
        pytest.param(
            {"2": OSError(5, "I/O error")},
            ["scan.pdf"],
            {"2": "file_not_written", "3": "file_too_large"},
            id="first one not written",
        ),
        pytest.param(
            {"4": CommandRefused("UID FETCH", "NO", "SERVERBUG", "secret")},
            ["invoice.pdf"],
            {"3": "file_too_large", "4": "command_refused"},
            id="refused by the server",
        ),
        pytest.param(
            {"2": files.DirectoryFull()},
            ["scan.pdf"],
            {"2": "directory_full", "3": "file_too_large"},
            id="no room for one",
        ),
    ],
)
async def test_other_attachments_are_saved(
    hass: HomeAssistant,
    imap_client: Mock,
    media: Path,
    failures: dict[str, Exception],
    saved: list[str],
    skipped: dict[str, str],
) -> None:
    """The response names those that were not, with the reason."""
    send_sizes(imap_client, failures)
    response = await act(hass, "save_attachment", mail=MAIL, max_size=1)
    assert [file["filename"] for file in response["files"]] == saved
    assert sorted(path.name for path in (media / "imap_push").iterdir()) == saved
    assert {file["part"]: file["reason"] for file in response["skipped"]} == skipped
    [photo] = [file for file in response["skipped"] if file["part"] == "3"]
    assert photo == {
        "part": "3",
        "filename": "me.jpg",
        "content_type": "image/jpeg",
        "reason": "file_too_large",
        "message": "The attachment was not saved because it is larger than 1 MB",
    }


async def test_attachment_that_is_not_saved_is_an_error_without_a_response(
    hass: HomeAssistant, imap_client: Mock, media: Path
) -> None:
    """The others are saved before. The message, which is logged, has no text of the sender."""
    send_sizes(imap_client, {})
    with pytest.raises(HomeAssistantError) as raised:
        await hass.services.async_call(
            DOMAIN, "save_attachment", {"mail": MAIL, "max_size": 1}, blocking=True
        )
    assert raised.value.translation_key == "file_too_large"
    assert "me.jpg" not in str(raised.value)
    names = {path.name for path in (media / "imap_push").iterdir()}
    assert names == {"invoice.pdf", "scan.pdf"}


async def test_lost_connection_ends_the_action(
    hass: HomeAssistant, imap_client: Mock, media: Path
) -> None:
    """It concerns all attachments; those that were saved before remain."""
    send_sizes(imap_client, {"3": imap.ConnectionLost()})
    with pytest.raises(HomeAssistantError) as raised:
        await act(hass, "save_attachment", mail=MAIL)
    assert raised.value.translation_key == "connection_lost"
    assert [path.name for path in (media / "imap_push").iterdir()] == ["invoice.pdf"]


async def test_save_in_a_full_directory(
    hass: HomeAssistant, imap_client: Mock, media: Path
) -> None:
    """The error message has the limits."""
    imap_client.mails.return_value = [make_mail(attachments=(INVOICE,))]
    send(imap_client, b"content")
    with (
        patch.object(files, "MAX_FILES", 0),
        pytest.raises(HomeAssistantError) as raised,
    ):
        await act(hass, "save_attachment", mail=MAIL)
    assert raised.value.translation_key == "directory_full"
    assert "up to 10,000 files and 10 GB, and at least 1 GB of the disk" in str(
        raised.value
    )


async def test_directory_that_becomes_public_is_refused(
    hass: HomeAssistant, imap_client: Mock, media: Path
) -> None:
    """It is checked again when the file is opened."""
    imap_client.mails.return_value = [make_mail(attachments=(INVOICE,))]
    send(imap_client, b"content")
    with (
        patch.object(files, "_public_directory", side_effect=[media / "www", media]),
        pytest.raises(ServiceValidationError) as raised,
    ):
        await act(hass, "save_attachment", mail=MAIL)
    assert raised.value.translation_key == "directory_not_allowed"
    assert not list(media.rglob("*"))


async def test_sender_cannot_replace_a_file_of_another_type(
    hass: HomeAssistant, imap_client: Mock, media: Path
) -> None:
    """A file with a generic type gets a number, even with `overwrite`."""
    folder = media / "imap_push"
    folder.mkdir()
    (folder / "scenes.yaml").write_bytes(b"mine")
    imap_client.mails.return_value = [
        make_mail(
            attachments=(
                Attachment(
                    part="2",
                    filename="scenes.yaml",
                    content_type="application/octet-stream",
                    size=1,
                ),
            )
        )
    ]
    send(imap_client, b"theirs")
    response = await act(hass, "save_attachment", mail=MAIL, overwrite=True)
    assert response["files"][0]["filename"] == "scenes (1).yaml"
    assert (folder / "scenes.yaml").read_bytes() == b"mine"


@pytest.mark.parametrize("action", ["fetch", "save_attachment"])
async def test_file_name_as_part_is_refused(hass: HomeAssistant, action: str) -> None:
    """The error message explains the format of a part."""
    with pytest.raises(vol.Invalid, match="the number of a part, such as 2 or 1.2"):
        await act(hass, action, **NAMED, part="report.json")


async def test_files_of_one_mail_do_not_replace_each_other(
    hass: HomeAssistant, imap_client: Mock, media: Path
) -> None:
    """Phones use the name image.jpg several times; `overwrite` is for files of other mails."""
    folder = media / "imap_push"
    folder.mkdir()
    (folder / "me.jpg").write_bytes(b"of an earlier mail")
    pictures = tuple(PHOTO._replace(part=part) for part in ("2", "3"))
    imap_client.mails.return_value = [make_mail(attachments=pictures)]
    send(imap_client, b"new")
    response = await act(hass, "save_attachment", mail=MAIL, overwrite=True)
    names = [file["filename"] for file in response["files"]]
    assert names == ["me.jpg", "me (1).jpg"]
    assert [path.read_bytes() for path in folder.iterdir()] == [b"new", b"new"]


async def test_save_of_missing_mail_is_an_error(
    hass: HomeAssistant, imap_client: Mock, media: Path
) -> None:
    """The result is not just an empty list."""
    imap_client.mails.return_value = []
    with pytest.raises(HomeAssistantError) as raised:
        await act(hass, "save_attachment", mail=MAIL)
    assert raised.value.translation_key == "mail_not_found"


async def test_save_replaces_a_file_only_with_overwrite(
    hass: HomeAssistant, imap_client: Mock, media: Path
) -> None:
    """Even then it does not replace the target of a link."""
    folder = media / "imap_push"
    folder.mkdir()
    (folder / "invoice.pdf").write_bytes(b"mine")
    (folder / "invoice (1).pdf").symlink_to(media / "nowhere")
    imap_client.mails.return_value = [make_mail(attachments=(INVOICE,))]
    send(imap_client, b"theirs")
    response = await act(hass, "save_attachment", mail=MAIL)
    assert response["files"][0]["filename"] == "invoice (2).pdf"
    assert (folder / "invoice.pdf").read_bytes() == b"mine"
    (folder / "invoice.pdf").unlink()
    (folder / "invoice.pdf").symlink_to(media / "precious")
    (media / "precious").write_bytes(b"mine")
    await act(hass, "save_attachment", mail=MAIL, overwrite=True)
    assert (folder / "invoice.pdf").read_bytes() == b"theirs"
    assert not (folder / "invoice.pdf").is_symlink()
    assert (media / "precious").read_bytes() == b"mine"
    assert not (media / "nowhere").exists()


async def test_save_does_not_replace_a_directory(
    hass: HomeAssistant, imap_client: Mock, media: Path
) -> None:
    """The directory is kept, and no incomplete file remains."""
    (media / "imap_push/invoice.pdf").mkdir(parents=True)
    imap_client.mails.return_value = [make_mail(attachments=(INVOICE,))]
    send(imap_client, b"theirs")
    with pytest.raises(HomeAssistantError) as raised:
        await act(hass, "save_attachment", mail=MAIL, overwrite=True)
    assert raised.value.translation_key == "file_not_written"
    assert [path.name for path in (media / "imap_push").iterdir()] == ["invoice.pdf"]
