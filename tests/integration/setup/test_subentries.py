"""Flows that add and change folders and saved searches."""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any
from unittest.mock import ANY, AsyncMock, call, create_autospec, patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import CONF_FOLDER
from custom_components.imap_push.helpers import account_from_entry_data
from custom_components.imap_push.imap import (
    CannotConnect,
    Client,
    CommandRefused,
    ConnectionLost,
    Criteria,
    CriteriaRefused,
    FolderInfo,
    FolderNotFound,
    FolderRole,
    LoginRefused,
    SearchCount,
    SearchResult,
    ServerSilent,
    Throttled,
    TooManyConnections,
)
from homeassistant.config_entries import SOURCE_USER, ConfigSubentry
from homeassistant.const import CONF_BASE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .. import ENTRY_DATA, suggested, with_sections
from ..conftest import FakeWatcher

FOLDERS = [
    FolderInfo(name="INBOX", delimiter="/", role=FolderRole.INBOX),
    FolderInfo(name="Archive", delimiter="/", role=FolderRole.ARCHIVE),
    FolderInfo(name="Gesendet", delimiter="/", role=FolderRole.SENT),
    FolderInfo(name="Entwürfe", delimiter="/", role=FolderRole.DRAFTS),
    FolderInfo(name="Work/Projects", delimiter="/"),
    FolderInfo(name="a.b", delimiter=None),
]
NO_FILTER: dict[str, Any] = {"filter": {}}
LISTS = {"lists": {"todo": "unread", "picture": "on_demand"}}
SEARCH = {
    "name": "Bills",
    "folders": ["INBOX"],
    "subject": "invoice",
    "more": {},
    "expert": {},
}


def _case(error: Exception, field: str, key: str, **placeholders: str) -> Any:
    """Return a row of the table; its ID is the translation key."""
    return pytest.param(error, field, key, placeholders, id=key)


REQUEST_ERRORS = [
    _case(LoginRefused("Bad password"), CONF_BASE, "login_refused"),
    _case(Throttled("Slow down"), CONF_BASE, "unavailable"),
    _case(ServerSilent(), CONF_BASE, "server_silent"),
    _case(ConnectionLost(), CONF_BASE, "cannot_connect"),
    _case(
        CommandRefused("EXAMINE", "NO", None, "Not\r\nnow"),
        CONF_BASE,
        "command_refused",
        answer="Not now",
    ),
    _case(RuntimeError("a bug"), CONF_BASE, "unknown"),
]


@pytest.fixture
def client(entry: MockConfigEntry, watcher: FakeWatcher) -> AsyncMock:
    """Replace the client of the loaded account."""
    mock: AsyncMock = create_autospec(Client, instance=True)
    mock.folders.return_value = FOLDERS
    mock.search.return_value = SearchResult(3, (), 0)
    mock.mails.return_value = []
    mock.count.return_value = [SearchCount(0)]
    entry.runtime_data.client = mock
    return mock


@pytest.fixture
def temporary_client(entry: MockConfigEntry) -> Iterator[AsyncMock]:
    """Replace the client of a form while the account is not loaded."""
    with patch(
        "custom_components.imap_push.flows.subentry_flow.Client", autospec=True
    ) as mock:
        mock.return_value.folders.return_value = FOLDERS
        yield mock


async def _start(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> Any:
    """Open the form for a new folder or search."""
    result = await hass.config_entries.subentries.async_init(
        (entry.entry_id, kind), context={"source": SOURCE_USER}
    )
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "user"
    return result


async def _submit(hass: HomeAssistant, form: Any, user_input: dict[str, Any]) -> Any:
    """Submit a form and wait for the changes."""
    if isinstance(folder := user_input.get("folder"), str):
        user_input = user_input | {"folder": [folder]}
    result = await hass.config_entries.subentries.async_configure(
        form["flow_id"], with_sections(form, user_input)
    )
    await hass.async_block_till_done()
    return result


async def _submit_and_save(
    hass: HomeAssistant, form: Any, user_input: dict[str, Any]
) -> Any:
    """Submit a form, and save after the preview."""
    menu = await _submit(hass, form, user_input)
    assert menu["type"] is FlowResultType.MENU
    assert menu["step_id"].startswith("preview")
    return await _submit(hass, menu, {"next_step_id": "save"})


def _options(form: Any, field: str) -> dict[str, str]:
    """Return the labels of the options by value."""
    config = form["data_schema"].schema[field].config
    return {option["value"]: option["label"] for option in config["options"]}


def _is_expanded(form: Any, name: str) -> bool:
    """Return whether a section is expanded."""
    return not form["data_schema"].schema[name].options["collapsed"]


def _newest(entry: MockConfigEntry) -> ConfigSubentry:
    """Return the subentry that was added last."""
    return list(entry.subentries.values())[-1]


def _add(hass: HomeAssistant, entry: MockConfigEntry, **subentry: Any) -> str:
    """Add a folder or search to an account; return its ID."""
    added = ConfigSubentry(
        data=MappingProxyType(subentry.pop("data")),
        unique_id=subentry.pop("unique_id", None),
        **subentry,
    )
    hass.config_entries.async_add_subentry(entry, added)
    return added.subentry_id


async def test_folders_of_the_server_are_offered(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock
) -> None:
    """Hierarchies are readable, special folders are marked, watched folders are left out.

    None is preselected.
    """
    form = await _start(hass, entry, "folder")
    assert not form["errors"]
    assert _options(form, "folder") == {
        "Archive": "Archive",
        "Gesendet": "Gesendet (sent)",
        "Entwürfe": "Entwürfe (drafts)",
        "Work/Projects": "Work / Projects",
        "a.b": "a.b",
    }
    assert suggested(form) == {"folder": [], "filter": {}, "lists": {}}
    assert not _is_expanded(form, "filter")
    assert not _is_expanded(form, "lists")


@pytest.mark.parametrize(
    ("user_input", "data"),
    [
        pytest.param(
            {"folder": "Work/Projects", **NO_FILTER},
            {"folder": "Work/Projects", "text_size": 0, "links": False, "filter": {}},
            id="as it is offered",
        ),
        pytest.param(
            {
                "folder": "Archive",
                "text_size": 500.0,
                "links": True,
                "filter": {
                    "sender": ["boss@example.com"],
                    "recipient": ["jane@example.com"],
                    "subject": ["invoice", "Order *"],
                    "has_attachment": "yes",
                    "attachment_type": ["application/pdf"],
                    "inline_images": True,
                    "authenticated_by": ["mx.example.net"],
                    "ignore_bulk": True,
                },
                "lists": {"todo": "flagged", "picture": "on_arrival"},
            },
            {
                "folder": "Archive",
                "text_size": 500,
                "links": True,
                "todo": "flagged",
                "picture": "on_arrival",
                "filter": {
                    "sender": ["boss@example.com"],
                    "recipient": ["jane@example.com"],
                    "subject": ["invoice", "Order *"],
                    "has_attachment": True,
                    "attachment_type": ["application/pdf"],
                    "inline_images": True,
                    "authenticated_by": ["mx.example.net"],
                    "ignore_bulk": True,
                },
            },
            id="with text and filter",
        ),
        pytest.param(
            {
                "folder": " Hidden ",
                "filter": {
                    "sender": [" ", " example.com "],
                    "subject": [],
                    "has_attachment": "no",
                },
            },
            {
                "folder": "Hidden",
                "text_size": 0,
                "links": False,
                "filter": {"sender": ["example.com"], "has_attachment": False},
            },
            id="not listed, and typed with blanks",
        ),
    ],
)
async def test_folder_is_added(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    client: AsyncMock,
    user_input: dict[str, Any],
    data: dict[str, Any],
) -> None:
    """The folder is opened first, which proves that it exists."""
    form = await _start(hass, entry, "folder")
    save = _submit_and_save if data["filter"] else _submit
    result = await save(hass, form, user_input)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["description"] is None
    subentry = _newest(entry)
    assert subentry.subentry_type == "folder"
    assert subentry.data == data
    assert subentry.title == subentry.unique_id == data["folder"]
    client.count.assert_awaited_once_with(data["folder"], [Criteria(unread=True)])


async def test_several_folders_are_added(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock
) -> None:
    """One form adds them all, each with its own subentry; those that are watched are left out."""
    form = await _start(hass, entry, "folder")
    names = ["INBOX", "Archive", " Archive ", "Work/Projects", "a.b"]
    result = await _submit(hass, form, {"folder": names, **NO_FILTER})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    folders = [
        (item.title, item.unique_id, item.data["folder"])
        for item in entry.get_subentries_of_type("folder")
    ]
    assert result["description"] == "several"
    assert result["description_placeholders"] == {
        "folders": "Archive, Work/Projects, a.b"
    }
    added = [(name, name, name) for name in ("Archive", "Work/Projects", "a.b")]
    assert sorted(folders) == sorted([(folders[0][0], "INBOX", "INBOX"), *added])
    assert client.count.await_count == 3


@pytest.mark.parametrize(
    ("names", "errors", "reason"),
    [
        (["INBOX"], None, "already_configured"),
        ([], {"folder": "no_folders"}, None),
        ([" "], {"folder": "no_folders"}, None),
    ],
    ids=["watched already", "none", "blank"],
)
async def test_no_folder_to_add(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    client: AsyncMock,
    names: list[str],
    errors: dict[str, str] | None,
    reason: str | None,
) -> None:
    """The form says so."""
    form = await _start(hass, entry, "folder")
    result = await _submit(hass, form, {"folder": names, **NO_FILTER})
    assert (result.get("errors"), result.get("reason")) == (errors, reason)
    client.count.assert_not_awaited()


async def test_second_of_several_folders_cannot_be_opened(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock
) -> None:
    """None is added, and the error names it."""
    form = await _start(hass, entry, "folder")
    client.count.side_effect = [[SearchCount(0)], FolderNotFound()]
    user_input = {"folder": ["Archive", "Lost", "a.b"], **NO_FILTER}
    result = await _submit(hass, form, user_input)
    assert result["errors"] == {"folder": "folder_not_found"}
    assert result["description_placeholders"] == {"folder": "Lost"}
    assert len(entry.get_subentries_of_type("folder")) == 1


@pytest.mark.parametrize(
    "patterns",
    [
        pytest.param(["x" * 201], id="a long one"),
        pytest.param(["x"] * 51, id="many"),
    ],
)
@pytest.mark.parametrize("source", ["user", "reconfigure"])
async def test_size_of_the_filter_is_limited(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    client: AsyncMock,
    patterns: list[str],
    source: str,
) -> None:
    """The time to match a pattern depends on its length. Triggers have the same limit."""
    user_input: dict[str, Any] = {
        "filter": {"subject": patterns, "has_attachment": "any"}
    }
    if source == "user":
        form = await _start(hass, entry, "folder")
        user_input |= {"folder": "Archive"}
    else:
        form = await entry.start_subentry_reconfigure_flow(hass, "01INBOX")
    result = await _submit(hass, form, user_input)
    assert result["errors"] == {"filter": "filter_too_long"}
    assert suggested(result)["filter"]["subject"] == patterns
    assert not entry.subentries["01INBOX"].data.get("filter")
    client.count.assert_not_awaited()


@pytest.mark.parametrize("name", ["INBOX", " inbox "])
async def test_folder_is_not_watched_twice(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock, name: str
) -> None:
    """INBOX is case-insensitive."""
    form = await _start(hass, entry, "folder")
    result = await _submit(hass, form, {"folder": name, **NO_FILTER})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    client.count.assert_not_awaited()


@pytest.mark.parametrize(
    ("error", "field", "key", "placeholders"),
    [
        *REQUEST_ERRORS,
        _case(FolderNotFound(), CONF_FOLDER, "folder_not_found", folder="Lost"),
    ],
)
async def test_folder_error_is_shown_and_the_flow_continues(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    client: AsyncMock,
    error: Exception,
    field: str,
    key: str,
    placeholders: dict[str, str],
) -> None:
    """The form keeps its values; after the error is fixed, the folder is added."""
    form = await _start(hass, entry, "folder")
    user_input = {
        "folder": ["Lost"],
        "text_size": 100,
        "links": True,
        **LISTS,
        "filter": {
            "sender": ["example.com"],
            "has_attachment": "any",
            "unread": "any",
            "flagged": "any",
        },
    }
    client.count.side_effect = error
    result = await _submit(hass, form, user_input)
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {field: key}
    assert (result["description_placeholders"] or {}) == placeholders
    assert suggested(result) == user_input
    assert _is_expanded(result, "filter")

    client.count.side_effect = None
    result = await _submit_and_save(hass, result, user_input)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_folder_can_be_typed_if_the_list_is_not_available(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock
) -> None:
    """The form shows the error, and requests the list again."""
    client.folders.side_effect = CannotConnect()
    form = await _start(hass, entry, "folder")
    assert form["errors"] == {CONF_BASE: "cannot_connect"}
    assert _options(form, "folder") == {}

    client.folders.side_effect = None
    client.count.side_effect = FolderNotFound()
    form = await _submit(hass, form, {"folder": "Lost", **NO_FILTER})
    assert form["errors"] == {"folder": "folder_not_found"}
    assert "Archive" in _options(form, "folder")

    client.count.side_effect = None
    result = await _submit(hass, form, {"folder": "Archive", **NO_FILTER})
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_folder_is_added_without_a_second_connection(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    client: AsyncMock,
    watcher: FakeWatcher,
) -> None:
    """A server may allow only that of the watcher: the form says that the name is not checked."""
    client.folders.side_effect = client.count.side_effect = TooManyConnections("1")
    form = await _start(hass, entry, "folder")
    assert form["errors"] == {CONF_BASE: "too_many_connections"}
    assert _options(form, "folder") == {}
    too_long = {"filter": {"sender": ["x" * 999]}}
    form = await _submit(hass, form, {"folder": "Work", **too_long})
    assert form["errors"] == {"filter": "filter_too_long"}
    result = await _submit(hass, form, {"folder": "Work", **NO_FILTER})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert watcher.calls == [("add", "Work")]


async def test_no_second_request_after_a_timeout(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock
) -> None:
    """The list is not requested after the folder could not be opened."""
    client.folders.side_effect = client.count.side_effect = ServerSilent()
    form = await _start(hass, entry, "folder")
    form = await _submit(hass, form, {"folder": "Archive", **NO_FILTER})
    assert form["errors"] == {CONF_BASE: "server_silent"}
    assert client.folders.await_count == client.count.await_count == 1


async def test_account_that_is_not_loaded_uses_a_temporary_client(
    hass: HomeAssistant, entry: MockConfigEntry, temporary_client: AsyncMock
) -> None:
    """It is closed after each request, also after an error."""
    form = await _start(hass, entry, "folder")
    assert "Archive" in _options(form, "folder")
    temporary_client.assert_called_once_with(account_from_entry_data(ENTRY_DATA))
    temporary_client.return_value.close.assert_awaited_once_with()

    temporary_client.return_value.count.side_effect = FolderNotFound()
    form = await _submit(hass, form, {"folder": "Lost", **NO_FILTER})
    assert form["errors"] == {"folder": "folder_not_found"}
    assert temporary_client.return_value.close.await_count == 2


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        pytest.param({}, {"filter": {}, "lists": {}}, id="as set-up made it"),
        pytest.param(
            {
                "text_size": 500,
                "filter": {"has_attachment": False, "sender": ["example.com"]},
            },
            {
                "text_size": 500,
                "filter": {"has_attachment": "no", "sender": ["example.com"]},
                "lists": {},
            },
            id="with options of an older version",
        ),
        pytest.param(
            {
                "text_size": 500,
                "links": True,
                "todo": "flagged",
                "picture": "on_arrival",
                "filter": {"has_attachment": True, "inline_images": True},
            },
            {
                "text_size": 500,
                "links": True,
                "filter": {"has_attachment": "yes", "inline_images": True},
                "lists": {"todo": "flagged", "picture": "on_arrival"},
            },
            id="with all options",
        ),
    ],
)
async def test_folder_is_changed(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    client: AsyncMock,
    stored: dict[str, Any],
    shown: dict[str, Any],
) -> None:
    """The form shows the options; the folder itself cannot be changed."""
    subentry_id = _add(
        hass,
        entry,
        data={"folder": "Archive", **stored},
        subentry_type="folder",
        title="Old mail",
        unique_id="Archive",
    )
    await hass.async_block_till_done()
    form: Any = await entry.start_subentry_reconfigure_flow(hass, subentry_id)
    assert form["step_id"] == "reconfigure"
    assert form["description_placeholders"] == {"folder": "Archive"}
    assert "folder" not in form["data_schema"].schema
    assert suggested(form) == shown
    for section in ("filter", "lists"):
        assert _is_expanded(form, section) is bool(shown[section])

    result = await _submit_and_save(
        hass,
        form,
        {"text_size": 0, "filter": {"subject": ["invoice"], "has_attachment": "any"}},
    )
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reconfigure_successful"
    subentry = entry.subentries[subentry_id]
    assert subentry.data == {
        "folder": "Archive",
        "text_size": 0,
        "links": False,
        "filter": {"subject": ["invoice"]},
    }
    assert (subentry.title, subentry.unique_id) == ("Old mail", "Archive")


async def test_watched_folders_are_first_in_the_search_form(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock
) -> None:
    """The first is preselected; other sections are collapsed."""
    _add(
        hass,
        entry,
        data={"folder": "Work/Projects"},
        subentry_type="folder",
        title="Work",
    )
    await hass.async_block_till_done()
    entry.runtime_data.client = client
    form = await _start(hass, entry, "search")
    assert list(_options(form, "folders").items()) == [
        ("INBOX", "Inbox"),
        ("Work/Projects", "Work / Projects"),
        ("Archive", "Archive"),
        ("Gesendet", "Gesendet (sent)"),
        ("Entwürfe", "Entwürfe (drafts)"),
        ("a.b", "a.b"),
    ]
    assert suggested(form) == {
        "folders": ["INBOX"],
        "more": {},
        "value": {},
        "lists": {},
        "expert": {},
    }
    for section in ("more", "value", "lists", "expert"):
        assert not _is_expanded(form, section)


@pytest.mark.parametrize(
    ("user_input", "data", "criteria"),
    [
        pytest.param(
            SEARCH,
            {"folders": ["INBOX"], "subject": "invoice"},
            Criteria(subject="invoice"),
            id="one criterion",
        ),
        pytest.param(
            {
                "name": " Everything ",
                "folders": ["inbox", "Archive", " INBOX ", " "],
                "sender": " boss@example.com ",
                "subject": "Rechnung für März",
                "text": "overdue",
                "unread": "yes",
                "more": {
                    "recipient": "jane@example.com",
                    "flagged": "no",
                    "has_attachment": "yes",
                    "larger_than": 100.0,
                    "newer_than": 7.0,
                },
                "expert": {"raw": "KEYWORD $Work"},
                "lists": {"todo": "matching", "picture": "on_arrival"},
            },
            {
                "folders": ["INBOX", "Archive"],
                "todo": "matching",
                "picture": "on_arrival",
                "sender": "boss@example.com",
                "recipient": "jane@example.com",
                "subject": "Rechnung für März",
                "text": "overdue",
                "unread": True,
                "flagged": False,
                "has_attachment": True,
                "larger_than": 100,
                "newer_than": 7,
                "raw": "KEYWORD $Work",
            },
            Criteria(
                sender="boss@example.com",
                recipient="jane@example.com",
                subject="Rechnung für März",
                text="overdue",
                unread=True,
                flagged=False,
                has_attachment=True,
                larger_than=100_000,
                newer_than=7,
                raw="KEYWORD $Work",
            ),
            id="all criteria",
        ),
        pytest.param(
            {
                "name": "Read",
                "folders": ["INBOX"],
                "sender": " ",
                "unread": "no",
                "more": {},
                "expert": {"raw": ""},
            },
            {"folders": ["INBOX"], "unread": False},
            Criteria(unread=False),
            id="a no is a criterion",
        ),
    ],
)
async def test_search_is_added(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    client: AsyncMock,
    user_input: dict[str, Any],
    data: dict[str, Any],
    criteria: Criteria,
) -> None:
    """Only criteria that are set are stored, after one search in each folder."""
    form = await _start(hass, entry, "search")
    result = await _submit_and_save(hass, form, user_input)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    subentry = _newest(entry)
    assert subentry.subentry_type == "search"
    assert subentry.title == user_input["name"].strip()
    assert subentry.unique_id is None
    assert subentry.data == data
    folders = data["folders"]
    assert client.search.await_args_list[: len(folders)] == [
        call(folder, criteria, limit=1) for folder in folders
    ]


@pytest.mark.parametrize(
    ("changes", "error", "field", "key", "placeholders"),
    [
        pytest.param(
            {"subject": " "}, None, CONF_BASE, "no_criteria", {}, id="nothing to find"
        ),
        pytest.param(
            {"folders": []}, None, "folders", "no_folders", {}, id="nowhere to look"
        ),
        pytest.param({"name": " "}, None, "name", "no_name", {}, id="no name"),
        pytest.param(
            {},
            CriteriaRefused("Unknown charset"),
            CONF_BASE,
            "criteria_refused",
            {"answer": "Unknown charset"},
            id="not understood",
        ),
        pytest.param(
            {"expert": {"raw": "BOGUS"}},
            CriteriaRefused("Unknown argument BOGUS"),
            "expert",
            "criteria_refused",
            {"answer": "Unknown argument BOGUS"},
            id="search key not understood",
        ),
        pytest.param(
            {"folders": ["Lost"]},
            FolderNotFound(),
            "folders",
            "folder_not_found",
            {"folder": "Lost"},
            id="no such folder",
        ),
        pytest.param(
            {},
            TooManyConnections("1"),
            CONF_BASE,
            "too_many_connections",
            {},
            id="no further connection",
        ),
        *(pytest.param({}, *case.values, id=case.id) for case in REQUEST_ERRORS),
    ],
)
async def test_search_error_is_shown_and_the_flow_continues(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    client: AsyncMock,
    changes: dict[str, Any],
    error: Exception | None,
    field: str,
    key: str,
    placeholders: dict[str, str],
) -> None:
    """The form keeps its values; after the error is fixed, the search is added."""
    form = await _start(hass, entry, "search")
    client.search.side_effect = error
    result = await _submit(hass, form, SEARCH | changes)
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {field: key}
    assert (result["description_placeholders"] or {}) == placeholders
    choices = LISTS | {
        "unread": "any",
        "value": {},
        "more": {"flagged": "any", "has_attachment": "any"},
    }
    assert suggested(result) == SEARCH | choices | changes
    assert not _is_expanded(result, "more")
    assert _is_expanded(result, "expert") is ("expert" in changes)

    client.search.side_effect = None
    result = await _submit_and_save(hass, result, SEARCH)
    assert result["type"] is FlowResultType.CREATE_ENTRY


VALUE = {
    "value_template": "{{ mail.text | regex_findall_index('[0-9]+') }}",
    "device_class": "monetary",
    "unit_of_measurement": " EUR ",
    "state_class": "total",
    "clear_after": 10.0,
}


async def test_search_with_a_value(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock
) -> None:
    """The fields are stored together, shown again, and can be cleared."""
    form = await _start(hass, entry, "search")
    classes = _options_of(form, "value", "device_class")
    assert classes["monetary"] == "Monetary balance"
    await _submit_and_save(hass, form, SEARCH | {"value": VALUE})
    subentry = _newest(entry)
    stored = VALUE | {"unit_of_measurement": "EUR", "clear_after": 10}
    assert subentry.data["value"] == stored
    await hass.async_block_till_done()
    entry.runtime_data.client = client
    form = await entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    assert suggested(form)["value"] == stored
    assert _is_expanded(form, "value")
    await _submit_and_save(hass, form, SEARCH | {"value": {}})
    assert "value" not in entry.subentries[subentry.subentry_id].data


def _options_of(form: Any, name: str, field: str) -> dict[str, str]:
    """Return the options of a field in a section."""
    fields = form["data_schema"].schema[name].schema.schema
    return {
        option["value"]: option["label"] for option in fields[field].config["options"]
    }


@pytest.mark.parametrize(
    ("value", "key", "placeholders"),
    [
        pytest.param({"clear_after": 5}, "no_template", {}, id="no template"),
        pytest.param(
            VALUE | {"device_class": "energy"},
            "wrong_unit",
            {"units": ANY},
            id="unit of another class",
        ),
        pytest.param(
            VALUE | {"device_class": "date"},
            "wrong_unit",
            {"units": "–"},
            id="unit of a date",
        ),
        pytest.param(
            VALUE | {"state_class": "measurement"},
            "wrong_state_class",
            {},
            id="state class",
        ),
        pytest.param(
            {"value_template": "a", "device_class": "date", "state_class": "total"},
            "wrong_state_class",
            {},
            id="state class of a date",
        ),
    ],
)
async def test_value_that_home_assistant_would_refuse(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    client: AsyncMock,
    value: dict[str, Any],
    key: str,
    placeholders: dict[str, Any],
) -> None:
    """The error is shown at the section, and corrected."""
    form = await _start(hass, entry, "search")
    form = await _submit(hass, form, SEARCH | {"value": value})
    assert form["errors"] == {"value": key}
    assert (form["description_placeholders"] or {}) == placeholders
    assert _is_expanded(form, "value")
    client.search.assert_not_awaited()
    result = await _submit_and_save(hass, form, SEARCH | {"value": VALUE})
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_first_folder_that_fails_is_shown(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock
) -> None:
    """The remaining folders are not searched."""
    form = await _start(hass, entry, "search")
    client.search.side_effect = [None, FolderNotFound()]
    result = await _submit(hass, form, SEARCH | {"folders": ["INBOX", "Lost", "Gone"]})
    assert result["description_placeholders"] == {"folder": "Lost"}
    assert client.search.await_count == 2


async def test_search_is_changed(
    hass: HomeAssistant, entry: MockConfigEntry, client: AsyncMock
) -> None:
    """A field that is cleared is no criterion any more."""
    subentry_id = _add(
        hass,
        entry,
        data={
            "folders": ["INBOX", "Gone"],
            "sender": "boss",
            "unread": False,
            "flagged": True,
            "larger_than": 5,
            "raw": "DELETED",
        },
        subentry_type="search",
        title="Boss",
    )
    await hass.async_block_till_done()
    entry.runtime_data.client = client
    form = await entry.start_subentry_reconfigure_flow(hass, subentry_id)
    assert form["step_id"] == "reconfigure"
    assert suggested(form) == {
        "name": "Boss",
        "folders": ["INBOX", "Gone"],
        "sender": "boss",
        "unread": "no",
        "more": {"flagged": "yes", "larger_than": 5},
        "value": {},
        "lists": {},
        "expert": {"raw": "DELETED"},
    }
    assert "Gone" in _options(form, "folders")
    assert _is_expanded(form, "more")
    assert _is_expanded(form, "expert")

    client.search.side_effect = CriteriaRefused("What?")
    user_input = {
        "name": "Bills",
        "folders": ["INBOX"],
        "text": "invoice",
        "more": {},
        "lists": {},
        "expert": {},
    }
    form = await _submit(hass, form, user_input)
    assert form["step_id"] == "reconfigure"
    assert form["errors"] == {CONF_BASE: "criteria_refused"}

    client.search.side_effect = None
    result = await _submit_and_save(hass, form, user_input)
    assert result["reason"] == "reconfigure_successful"
    subentry = entry.subentries[subentry_id]
    assert subentry.title == "Bills"
    assert subentry.data == {"folders": ["INBOX"], "text": "invoice"}


async def test_only_an_unexpected_exception_is_logged_with_its_text(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    client: AsyncMock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The text of a server may contain the criteria."""
    form = await _start(hass, entry, "search")
    client.search.side_effect = CriteriaRefused("no secret here")
    form = await _submit(hass, form, SEARCH)
    assert "secret" not in caplog.text

    client.search.side_effect = RuntimeError("a bug")
    await _submit(hass, form, SEARCH)
    assert "RuntimeError: a bug" in caplog.text
