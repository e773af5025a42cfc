"""Before a filter or a search is saved, the form shows which of the newest mails match."""

import asyncio
from datetime import UTC, datetime, timedelta
import re
from typing import Any
from unittest.mock import AsyncMock, create_autospec

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.flows import preview, subentry_flow
from custom_components.imap_push.imap import (
    Attachment,
    Client,
    ConnectionLost,
    Criteria,
    CriteriaRefused,
    Mail,
    MessageContent,
    SearchCount,
    SearchResult,
    TooManyConnections,
)
from custom_components.imap_push.server_text import escape_markdown
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .. import make_mail, suggested, with_sections
from ..conftest import FakeWatcher

NOW = datetime(2026, 11, 3, 12, 30, tzinfo=UTC)
FILE = Attachment(part="2", filename="a.pdf", content_type="application/pdf", size=4)
MAILS = [
    make_mail(9, subject="Your bill", received=NOW),
    make_mail(8, sender="ada@example.com", sender_name="", subject="Hello"),
    make_mail(7, received=None, subject="", attachments=(FILE,)),
]
# Subjects and names that must not become markup, a link, another row or an invisible text.
HOSTILE = [
    "a | b\n| c | d |",
    "<img src=x onerror=alert(1)>",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "**bold** `code` ~~gone~~",
    "\\| \\",
    "&lt;b&gt; &#124;",
    "\u202eetirw \u200b\u2066",
    "{mails} {{ states }} {field}",
    "x" * 5000,
    "\r\n\r\n# Heading\r\n---",
    "https://evil.example www.evil.example a@evil.example",
    "\0\ud800\ufffe",
]


@pytest.fixture
def client(entry: MockConfigEntry, watcher: FakeWatcher) -> AsyncMock:
    """Replace the client of the loaded account: a folder with three mails."""
    mock: AsyncMock = create_autospec(Client, instance=True)
    mock.folders.return_value = []
    _fill(mock, MAILS)
    entry.runtime_data.client = mock
    return mock


def _fill(client: AsyncMock, mails: list[Mail]) -> None:
    """Set the newest mails."""
    uids = tuple(mail.uid for mail in mails)
    client.search.return_value = SearchResult(3, uids, len(uids))
    client.mails.return_value = mails
    client.count.return_value = [SearchCount(1, frozenset({9}))]


async def _submit(
    hass: HomeAssistant, flow: Any, user_input: dict[str, Any] | None
) -> Any:
    """Submit a form or choose an option."""
    if user_input is not None:
        user_input = with_sections(flow, user_input)
    return await hass.config_entries.subentries.async_configure(
        flow["flow_id"], user_input
    )


async def _open(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> Any:
    """Open the form for a new folder or search."""
    return await hass.config_entries.subentries.async_init(
        (entry.entry_id, kind), context={"source": SOURCE_USER}
    )


async def _preview_folder(
    hass: HomeAssistant, entry: MockConfigEntry, **filter_: Any
) -> Any:
    """Submit the form for a folder with a filter."""
    form = await _open(hass, entry, "folder")
    return await _submit(hass, form, {"folder": ["Archive"], "filter": filter_})


async def _preview_search(
    hass: HomeAssistant, entry: MockConfigEntry, *folders: str, **more: Any
) -> Any:
    """Submit the form for a search."""
    form = await _open(hass, entry, "search")
    search = {"name": "Bills", "folders": list(folders), "subject": "bill"}
    return await _submit(hass, form, {**search, "more": more, "expert": {}})


def _matches(menu: Any, step_id: str = "preview") -> list[bool]:
    """Return the first column of the table."""
    assert menu["type"] is FlowResultType.MENU
    assert menu["step_id"] == step_id
    assert menu["menu_options"] == ["save", "change"]
    rows = menu["description_placeholders"]["mails"].splitlines()
    return [row.startswith("| ✔ |") for row in rows]


@pytest.mark.parametrize(
    ("filter_", "matches"),
    [
        pytest.param({"sender": ["Ada <ada@example.com>"]}, [0, 1, 0], id="sender"),
        pytest.param({"subject": ["bill"]}, [1, 0, 0], id="subject"),
        pytest.param({"has_attachment": "yes"}, [0, 0, 1], id="attachment"),
        pytest.param({"recipient": ["alias.example"]}, [0, 0, 0], id="recipient"),
        pytest.param({"ignore_bulk": True}, [1, 1, 1], id="bulk"),
        pytest.param({"text": ["code"]}, [0, 1, 0], id="text"),
        pytest.param({"header": ["X-A: 1"], "subject": ["hello"]}, [0, 1, 0], id="both"),
        pytest.param({"header": ["X-A: 1"], "subject": ["bill"]}, [0, 0, 0], id="one"),
    ],
)  # fmt: skip
async def test_table_of_a_filter(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    client: AsyncMock,
    filter_: dict[str, Any],
    matches: list[int],
) -> None:
    """Text and header are fetched only of mail that meets the other conditions."""

    async def content(_folder: str, _validity: int, uid: int, **_: Any) -> Any:
        return MessageContent(
            MAILS[1],
            headers=(("X-A", "1" if uid == 8 else "0"),),
            text="Your code" if uid == 8 else "",
        )

    client.content.side_effect = content
    menu = await _preview_folder(hass, entry, **filter_)
    assert _matches(menu) == [bool(match) for match in matches]
    assert menu["description_placeholders"]["total"] == "3"
    assert menu["description_placeholders"]["matching"] == str(sum(matches))
    client.search.assert_awaited_once_with("Archive", Criteria(), limit=20)
    client.mails.assert_awaited_once_with("Archive", 3, (9, 8, 7), recipients=True)
    fetched = {("text",): 3, ("header", "subject"): 1}
    assert client.content.await_count == fetched.get(tuple(filter_), 0)


async def test_rows_of_the_table(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock
) -> None:
    """Missing values are dashes, and the time is that of Home Assistant."""
    await hass.config.async_set_time_zone("Europe/Berlin")
    menu = await _preview_folder(hass, entry, subject=["bill"])
    assert menu["description_placeholders"]["mails"].splitlines() == [
        "| ✔ | 2026-11-03 13:30 | The Shop | Your bill |",
        "| — | 2026-11-03 13:30 | ada\N{WORD JOINER}@example.com | Hello |",
        "| — | — | The Shop | — |",
    ]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
async def test_hostile_mail_is_one_row_of_plain_text(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock, text: str
) -> None:
    """Every character of Markdown and HTML is escaped, and each cell is short."""
    _fill(client, [make_mail(9, subject=text, sender_name=text)])
    menu = await _preview_folder(hass, entry, ignore_bulk=True)
    [row] = menu["description_placeholders"]["mails"].splitlines()
    cells = re.split(r"(?<!\\)(?:\\\\)*\|", row)
    assert len(cells) == 6
    assert all(len(cell) <= 130 for cell in cells)
    bare = re.sub(r"\\[^\w\s]", "", row)
    assert not re.search(r"[<>\[\]`*_~#]", bare)
    assert "://" not in bare
    assert all(character.isprintable() for character in row.replace("\u2060", ""))


async def test_number_of_rows_is_limited(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock
) -> None:
    """Also if a server returns more, and of all folders of a search together."""
    _fill(client, [make_mail(uid) for uid in range(1, 100)])
    client.mails.side_effect = lambda _folder, _validity, uids, **_: [
        make_mail(uid) for uid in uids
    ]
    assert len(_matches(await _preview_folder(hass, entry, ignore_bulk=True))) == 20
    client.mails.reset_mock()
    folders = [f"Folder {number}" for number in range(9)]
    menu = await _preview_search(hass, entry, *folders)
    assert len(_matches(menu, "preview_not_watched")) == 20
    assert client.mails.await_count == preview.MAX_FOLDERS


async def test_table_of_a_search(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock
) -> None:
    """The server compares; the newest mails of all folders come first."""
    mails = {
        "INBOX": [make_mail(9, subject="A", received=NOW)],
        "Lists": [
            make_mail(9, subject="B", received=NOW + timedelta(hours=1)),
            make_mail(5, subject="C", received=NOW - timedelta(hours=1)),
        ],
    }
    client.mails.side_effect = lambda folder, *_args, **_: mails[folder]
    menu = await _preview_search(hass, entry, "INBOX", "Lists")
    assert _matches(menu, "preview_not_watched") == [True, True, False]
    shown = menu["description_placeholders"]
    assert re.findall(r"\| (\w) \|$", shown["mails"], re.MULTILINE) == ["B", "A", "C"]
    assert shown["not_watched"] == "Lists"


@pytest.mark.parametrize("folder", ["*INBOX*", "a | b"])
async def test_search_in_folders_that_are_not_watched(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock, folder: str
) -> None:
    """Their names are escaped. When all folders are watched, nothing is said about it."""
    menu = await _preview_search(hass, entry, "INBOX", folder, "Lists")
    assert _matches(menu, "preview_not_watched")
    names = menu["description_placeholders"]["not_watched"]
    assert names == f"{escape_markdown(folder)}, Lists"
    assert _matches(await _submit(hass, menu, None), "preview_not_watched")


@pytest.mark.parametrize("kind", ["folder", "search"])
async def test_folder_without_mail(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock, kind: str
) -> None:
    """There is a sentence instead of an empty table."""
    _fill(client, [])
    menu = await (
        _preview_folder(hass, entry, subject=["bill"])
        if kind == "folder"
        else _preview_search(hass, entry, "Lists")
    )
    assert menu["step_id"] == "preview_empty"
    assert (await _submit(hass, menu, None))["step_id"] == "preview_empty"
    result = await _submit(hass, menu, {"next_step_id": "save"})
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    ("choice", "matches"), [("yes", [False]), ("no", [True]), ("any", [True])]
)
async def test_attachments_of_a_search(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    client: AsyncMock,
    choice: str,
    matches: list[bool],
) -> None:
    """They are compared as for new mail, not by the Content-Type."""
    _fill(client, MAILS[:1])
    menu = await _preview_search(hass, entry, "INBOX", has_attachment=choice)
    assert _matches(menu) == matches
    client.count.assert_awaited_once_with("INBOX", [Criteria(subject="bill")], [9])


async def test_way_back_to_the_form(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock
) -> None:
    """The form has the values; nothing is saved before."""
    menu = await _preview_folder(hass, entry, subject=["bill"])
    assert _matches(await _submit(hass, menu, None)) == [True, False, False]
    form = await _submit(hass, menu, {"next_step_id": "change"})
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "user")
    assert not form["errors"]
    assert suggested(form)["folder"] == ["Archive"]
    assert suggested(form)["filter"]["subject"] == ["bill"]
    assert len(entry.subentries) == 1

    change = {"folder": ["Archive"], "filter": {"subject": ["hello"]}}
    menu = await _submit(hass, form, change)
    assert _matches(menu) == [False, True, False]
    result = await _submit(hass, menu, {"next_step_id": "save"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"]["filter"] == {"subject": ["hello"]}


async def test_way_back_when_a_folder_is_changed(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock
) -> None:
    """The form keeps its placeholder."""
    form = await entry.start_subentry_reconfigure_flow(hass, "01INBOX")
    menu = await _submit(hass, form, {"filter": {"subject": ["bill"]}})
    form = await _submit(hass, menu, {"next_step_id": "change"})
    assert form["step_id"] == "reconfigure"
    assert form["description_placeholders"] == {"folder": "INBOX"}
    assert suggested(form)["filter"]["subject"] == ["bill"]


async def test_way_back_when_a_search_is_changed(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock
) -> None:
    """It has the name and all criteria."""
    menu = await _preview_search(hass, entry, "INBOX")
    form = await _submit(hass, menu, {"next_step_id": "change"})
    assert (form["step_id"], suggested(form)["subject"]) == ("user", "bill")
    menu = await _submit(hass, menu, suggested(form))
    result = await _submit(hass, menu, {"next_step_id": "save"})
    assert result["type"] is FlowResultType.CREATE_ENTRY

    subentry_id = list(entry.subentries)[-1]
    await hass.async_block_till_done()
    entry.runtime_data.client = client
    form = await entry.start_subentry_reconfigure_flow(hass, subentry_id)
    menu = await _submit(hass, form, suggested(form) | {"subject": "order"})
    form = await _submit(hass, menu, {"next_step_id": "change"})
    assert (form["step_id"], suggested(form)["subject"]) == ("reconfigure", "order")
    assert entry.subentries[subentry_id].data["subject"] == "bill"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ConnectionLost(), id="connection lost"),
        pytest.param(TooManyConnections("1"), id="no second connection"),
        pytest.param(RuntimeError("bug"), id="a bug"),
        pytest.param(None, id="no answer"),
    ],
)
async def test_mails_that_cannot_be_read(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    client: AsyncMock,
    monkeypatch: pytest.MonkeyPatch,
    error: Any,
) -> None:
    """The filter can be saved nevertheless."""
    monkeypatch.setattr(subentry_flow, "MAX_SECONDS", 0.05)

    async def never(*_args: object, **_kwargs: object) -> None:
        await asyncio.Event().wait()

    client.mails.side_effect = error or never
    menu = await _preview_folder(hass, entry, subject=["bill"])
    assert menu["step_id"] == "no_preview"
    assert menu["menu_options"] == ["save", "change"]
    assert (await _submit(hass, menu, None))["step_id"] == "no_preview"
    form = await _submit(hass, menu, {"next_step_id": "change"})
    assert not form["errors"]
    menu = await _submit(
        hass, form, {"folder": ["Archive"], "filter": {"subject": ["bill"]}}
    )
    result = await _submit(hass, menu, {"next_step_id": "save"})
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_search_that_only_the_preview_refuses(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock
) -> None:
    """For example because the server changes its mind."""
    client.count.return_value = [CriteriaRefused("no")]
    menu = await _preview_search(hass, entry, "INBOX")
    assert menu["step_id"] == "no_preview"


@pytest.mark.parametrize(
    ("filter_", "key", "placeholders"),
    [
        pytest.param(
            {"sender": ["ada@"]},
            "filter_incomplete",
            {"field": "Sender", "value": "ada@"},
            id="address",
        ),
        pytest.param(
            {"recipient": ["Ada Lovelace"]},
            "filter_no_names",
            {"field": "Recipient", "value": "Ada Lovelace"},
            id="name of a recipient",
        ),
        pytest.param(
            {"sender": ["<"]},
            "filter_characters",
            {"field": "Sender", "value": "<"},
            id="bracket",
        ),
        pytest.param(
            {"header": ["X Priority"]},
            "filter_header",
            {"field": "Header field", "value": "X Priority"},
            id="header",
        ),
        pytest.param(
            {"has_attachment": "no", "attachment_type": ["pdf"]},
            "filter_no_attachment",
            {"field": "Attachment type", "value": ""},
            id="contradiction",
        ),
        pytest.param(
            {"larger_than": 5, "smaller_than": 4},
            "filter_sizes",
            {"field": "Smaller than", "value": ""},
            id="sizes",
        ),
    ],
)
@pytest.mark.parametrize("source", ["user", "reconfigure"])
async def test_filter_that_no_mail_can_match_is_refused(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    client: AsyncMock,
    filter_: dict[str, Any],
    key: str,
    placeholders: dict[str, str],
    source: str,
) -> None:
    """The section shows the field, the value and the reason."""
    if source == "user":
        form = await _preview_folder(hass, entry, **filter_)
    else:
        form = await entry.start_subentry_reconfigure_flow(hass, "01INBOX")
        form = await _submit(hass, form, {"filter": filter_})
        placeholders = placeholders | {"folder": "INBOX"}
    assert form["type"] is FlowResultType.FORM
    assert form["errors"] == {"filter": key}
    assert form["description_placeholders"] == placeholders
    client.search.assert_not_awaited()


@pytest.mark.parametrize(
    ("criteria", "field", "key", "name"),
    [
        pytest.param({"sender": "ada@"}, "sender", "filter_incomplete", "Sender", id="address"),
        pytest.param({"sender": "a*b@x.org"}, "sender", "filter_wildcards", "Sender", id="wildcard"),
        pytest.param({"more": {"recipient": "<"}}, "more", "filter_characters", "Recipient", id="recipient"),
        pytest.param({"more": {"header": "a b"}}, "more", "filter_header", "Header field", id="header"),
        pytest.param({"more": {"larger_than": 5, "smaller_than": 5}}, "more", "filter_sizes", "Smaller than", id="sizes"),
    ],
)  # fmt: skip
async def test_search_that_no_mail_can_match_is_refused(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    client: AsyncMock,
    criteria: dict[str, Any],
    field: str,
    key: str,
    name: str,
) -> None:
    """The field or its section shows the reason."""
    form = await _open(hass, entry, "search")
    search = {"name": "Bills", "folders": ["INBOX"], "more": {}, "expert": {}}
    form = await _submit(hass, form, search | criteria)
    assert form["errors"] == {field: key}
    assert form["description_placeholders"]["field"] == name
    client.search.assert_not_awaited()
