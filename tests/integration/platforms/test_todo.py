"""To-do lists with the real engine: the newest mails of a folder or a search as items."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any
from unittest.mock import Mock

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.imap.watch import supervisor
from homeassistant.auth.const import GROUP_ID_ADMIN, GROUP_ID_USER
from homeassistant.components.homeassistant.exposed_entities import (
    KNOWN_ASSISTANTS,
    async_expose_entity,
    async_should_expose,
)
from homeassistant.components.todo import TodoItem, TodoItemStatus, TodoListEntity
from homeassistant.components.todo.const import DATA_COMPONENT
from homeassistant.components.websocket_api import current_connection
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er, intent
from homeassistant.setup import async_setup_component

from .. import get_state
from ..light_account import (
    DEADLINE,
    ENTRY_ID,
    check_until,
    make_light_entry,
    wait_until,
)

from tests.rig.light_client import CAPABILITIES, Habits
from tests.rig.light_server import LightServer

pytestmark = pytest.mark.usefixtures("socket_enabled")

LIST = "todo.inbox"
COMPLETED = TodoItemStatus.COMPLETED
FOLDERS = ("INBOX", "Trash")
DISABLED_BY_DEFAULT = er.RegistryEntryDisabler.INTEGRATION
WRITABLE = CAPABILITIES + b" MOVE UIDPLUS"


@dataclass
class Account:
    """A watched account whose INBOX has an enabled to-do list."""

    hass: HomeAssistant
    server: LightServer
    entry: MockConfigEntry

    async def items(self, entity_id: str = LIST) -> list[dict[str, Any]]:
        """Return the items of a list."""
        found: Any = await self.hass.services.async_call(
            "todo",
            "get_items",
            {"entity_id": entity_id},
            blocking=True,
            return_response=True,
        )
        items: list[dict[str, Any]] = found[entity_id]["items"]
        return items

    async def summaries(self, entity_id: str = LIST) -> list[str]:
        """Return the summaries of the items."""
        return [item["summary"] for item in await self.items(entity_id)]

    async def until(self, count: int | str, entity_id: str = LIST) -> None:
        """Wait until a list has so many items."""
        await wait_until(lambda: get_state(self.hass, entity_id).state == str(count))

    async def until_listed(self, *summaries: str) -> None:
        """Wait until INBOX has these items."""
        async with asyncio.timeout(DEADLINE):
            while await self.summaries() != [*summaries]:
                await asyncio.sleep(0.05)

    async def complete(self, item: str, entity_id: str = LIST, **data: Any) -> None:
        """Complete an item."""
        await self.act("update_item", item, entity_id, status="completed", **data)

    async def act(
        self, action: str, item: str | list[str], entity_id: str = LIST, **data: Any
    ) -> None:
        """Run an action on an item."""
        await self.hass.services.async_call(
            "todo",
            action,
            {"entity_id": entity_id, "item": item, **data},
            blocking=True,
        )

    def enable(self, name: str, subentry_id: str) -> str:
        """Create the registry entry of a list, enabled, before the entity is created."""
        entity = er.async_get(self.hass).async_get_or_create(
            "todo",
            DOMAIN,
            f"{ENTRY_ID}_{subentry_id}_todo",
            suggested_object_id=name,
            config_entry=self.entry,
        )
        return entity.entity_id

    async def reconfigure(self, **data: Any) -> None:
        """Change the options of the folder."""
        subentry = self.entry.subentries[f"{ENTRY_ID}_INBOX"]
        self.hass.config_entries.async_update_subentry(
            self.entry, subentry, data={**subentry.data, **data}
        )
        await self.hass.async_block_till_done()

    async def add_search(self, name: str, **data: Any) -> str:
        """Add a saved search; return the entity ID of its list."""
        entity_id = self.enable(name, name)
        subentry = ConfigSubentry(
            data=MappingProxyType({"folders": ["INBOX"], **data}),
            subentry_id=name,
            subentry_type="search",
            title=name,
            unique_id=None,
        )
        self.hass.config_entries.async_add_subentry(self.entry, subentry)
        await self.hass.async_block_till_done()
        return entity_id


@pytest.fixture
def options() -> dict[str, Any]:
    """Return the options of the account; tests can parametrize them."""
    return {"access": "read"}


@pytest.fixture
def data() -> dict[str, Any]:
    """Return the options of INBOX; tests can parametrize them."""
    return {}


@pytest.fixture
async def account(
    hass: HomeAssistant, options: Mapping[str, Any], data: Mapping[str, Any]
) -> AsyncIterator[Account]:
    """Watch INBOX on a server with three mails, of which one was read."""
    assert await async_setup_component(hass, "homeassistant", {})
    async with LightServer(*FOLDERS, habits=Habits(capabilities=WRITABLE)) as server:
        server.slip_in(3)
        server.folder().seen.add(2)
        entry = make_light_entry(server.port, "INBOX", options=options)
        entry.add_to_hass(hass)
        account = Account(hass, server, entry)
        account.enable("inbox", f"{ENTRY_ID}_INBOX")
        await account.reconfigure(**data)
        assert await hass.config_entries.async_setup(ENTRY_ID)
        await wait_until(lambda: server.is_watched)
        yield account
        assert await hass.config_entries.async_unload(ENTRY_ID)


async def test_unread_mail_is_listed(account: Account) -> None:
    """The newest first: sender and subject, the text, and a stable ID."""
    await account.until(2)
    assert await account.items() == [
        {
            "summary": f"Ann: Mail nº {uid}",
            "uid": f"7-{uid}-INBOX",
            "status": "needs_action",
            "description": "Hello",
        }
        for uid in (3, 1)
    ]


async def test_list_follows_the_folder(account: Account) -> None:
    """Mail that arrives, is read or is deleted elsewhere; each mail is fetched once."""
    await account.until(2)
    account.server.deliver(2)
    await account.until(4)
    account.server.read(4)
    await account.until(3)
    account.server.expunge(3)
    await account.until(2)
    assert await account.summaries() == ["Ann: Mail nº 5", "Ann: Mail nº 1"]


async def test_item_is_completed(account: Account) -> None:
    """The mail is marked as read, and leaves the list at once."""
    await account.until(2)
    await account.complete("Ann: Mail nº 3", rename="Ann: Mail nº 3")
    assert account.server.folder().seen == {2, 3}
    assert await account.summaries() == ["Ann: Mail nº 1"]
    await account.until(1)


async def test_item_is_deleted(account: Account) -> None:
    """The mail is moved to Trash."""
    await account.until(2)
    await account.act("remove_item", ["Ann: Mail nº 3", "Ann: Mail nº 1"])
    assert account.server.folder().gone == {1, 3}
    assert account.server.folder("Trash").exists == 2
    assert await account.items() == []


@pytest.mark.parametrize("data", [{"todo": "flagged"}], ids=["flagged"])
async def test_flagged_mail_is_listed(account: Account) -> None:
    """Completing an item removes the flag and does not mark the mail as read."""
    await account.until(0)
    account.server.flag(1)
    await account.until(1)
    await account.complete("Ann: Mail nº 1")
    await account.until(0)
    folder = account.server.folder()
    assert (folder.flagged, folder.seen) == (set(), {2})


@pytest.mark.parametrize(
    ("search", "count", "is_completable"),
    [
        pytest.param({"subject": "Mail"}, 2, True, id="default: unread"),
        pytest.param({"unread": True}, 2, True, id="unread anyway"),
        pytest.param({"subject": "Mail", "todo": "flagged"}, 1, True, id="flagged"),
        pytest.param({"subject": "Mail", "todo": "matching"}, 3, False, id="all"),
        pytest.param(
            {"flagged": True, "todo": "matching"}, 1, True, id="all of flagged mail"
        ),
        pytest.param(
            {"unread": True, "todo": "matching"}, 2, True, id="all of unread mail"
        ),
        pytest.param({"unread": False}, 1, False, id="read mail is not unread"),
    ],
)
async def test_mail_that_matches_a_search_is_listed(
    account: Account, search: dict[str, Any], count: int, is_completable: bool
) -> None:
    """What is completed leaves the list; items that would stay cannot be completed."""
    account.server.flag(3)
    entity_id = await account.add_search("invoices", **search)
    await account.until(count, entity_id)
    newest = (await account.items(entity_id))[0]["uid"]
    if is_completable:
        await account.complete(newest, entity_id)
        await account.until(count - 1, entity_id)
    else:
        with pytest.raises(HomeAssistantError, match="does not support"):
            await account.complete(newest, entity_id)


@pytest.mark.parametrize(
    "data",
    [
        {"filter": {"sender": ["ann3@example.org"]}},
        {"filter": {"header": ["Message-ID: <3@example.org>"]}},
    ],
    ids=["from one sender", "a header field"],
)
async def test_filter_of_the_folder_decides(account: Account) -> None:
    """A change of the filter changes the list."""
    await account.until(1)
    assert await account.summaries() == ["Ann: Mail nº 3"]
    await account.reconfigure(filter={"subject": ["nº 1"]})
    await account.until_listed("Ann: Mail nº 1")


@pytest.mark.parametrize(
    "data",
    [
        {"todo": "matching", "filter": {"flagged": True}},
        {"todo": "flagged", "filter": {"unread": True}},
    ],
    ids=["flagged", "flagged and unread"],
)
async def test_flags_in_the_filter_of_the_folder(account: Account) -> None:
    """Mail enters and leaves the list when its flags change."""
    await account.until(0)
    account.server.flag(3)
    await account.until_listed("Ann: Mail nº 3")
    await account.complete("Ann: Mail nº 3")
    await account.until(0)


@pytest.mark.parametrize("options", [{"access": "read", "poll_interval": 10}])
async def test_search_in_a_folder_that_is_not_watched(account: Account) -> None:
    """It is read in the interval of polling."""
    account.server.slip_in(1, "Trash")
    entity_id = await account.add_search("deleted", folders=["Trash"], subject="Mail")
    await account.until(1, entity_id)


@pytest.mark.parametrize("options", [{"access": "read", "read_only": True}])
@pytest.mark.parametrize(
    ("action", "data"),
    [("update_item", {"status": "completed"}), ("remove_item", {})],
)
async def test_read_only_account(
    account: Account, action: str, data: dict[str, Any]
) -> None:
    """It shows the list and refuses changes."""
    await account.until(2)
    with pytest.raises(HomeAssistantError) as raised:
        await account.act(action, "Ann: Mail nº 3", **data)
    assert raised.value.translation_key == "read_only"
    assert account.server.asked[b"SELECT"] == 0
    await account.until(2)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"rename": "Buy milk"}, id="summary"),
        pytest.param({"description": "Two liters"}, id="text"),
        pytest.param({"rename": "Buy milk", "status": "completed"}, id="and status"),
    ],
)
async def test_mail_cannot_be_edited(account: Account, change: dict[str, str]) -> None:
    """The error says so, and the mail is not changed."""
    await account.until(2)
    with pytest.raises(HomeAssistantError) as raised:
        await account.act("update_item", "Ann: Mail nº 3", **change)
    assert raised.value.translation_key == "mail_not_editable"
    assert account.server.folder().seen == {2}


async def test_item_cannot_be_added(account: Account) -> None:
    """Assistants do not check which actions a list supports."""
    await account.until(2)
    with pytest.raises(HomeAssistantError) as raised:
        await list_entity(account.hass, LIST).async_create_todo_item(TodoItem())
    assert raised.value.translation_key == "mail_not_editable"


async def test_dialog_saves_an_item_without_a_change(account: Account) -> None:
    """The frontend then sends all fields; nothing happens."""
    await account.until(2)
    [item, _] = await account.items()
    fields = {"rename": item["summary"], "description": item["description"]}
    await account.act("update_item", item["uid"], status="needs_action", **fields)
    assert account.server.asked[b"SELECT"] == 0
    await account.complete(item["uid"], **fields)
    await account.until(1)


@pytest.mark.parametrize(
    ("break_it", "key", "count"),
    [
        pytest.param(
            lambda server: server.folder().gone.add(3), "mail_not_found", 1, id="gone"
        ),
        pytest.param(
            lambda server: server.folder().renumber(2),
            "folder_renumbered",
            2,
            id="renumbered",
        ),
        pytest.param(
            lambda server: server.remove("Trash"), "no_trash", 2, id="no Trash"
        ),
    ],
)
async def test_change_fails(
    account: Account, break_it: Callable[[LightServer], Any], key: str, count: int
) -> None:
    """The error has one reason, and the list is read again."""
    await account.until(2)
    break_it(account.server)
    with pytest.raises(HomeAssistantError) as raised:
        await account.act("remove_item", "Ann: Mail nº 3")
    assert raised.value.translation_key == key
    await account.until(count)


async def test_some_of_several_items_are_gone(account: Account) -> None:
    """The others are deleted."""
    await account.until(2)
    account.server.folder().gone.add(3)
    with pytest.raises(HomeAssistantError) as raised:
        await account.act("remove_item", ["Ann: Mail nº 3", "Ann: Mail nº 1"])
    assert raised.value.translation_key == "some_missing"
    assert account.server.folder("Trash").exists == 1
    await account.until(0)


async def test_server_refuses_a_change(account: Account) -> None:
    """The item stays."""
    await account.until(2)
    account.server.habits.twist = lambda line: (
        [line.split()[0] + b" NO [NOPERM] no"] if b"STORE" in line else None
    )
    with pytest.raises(HomeAssistantError) as raised:
        await account.complete("Ann: Mail nº 3")
    assert raised.value.translation_key == "command_refused"
    await account.until(2)


async def test_list_without_a_connection(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not available, and is read again afterwards."""
    await account.until(2)
    account.server.read(3)
    monkeypatch.setattr(supervisor, "OUTAGE_GRACE_SECONDS", 0)
    account.server.habits.greeting = b"BYE"
    account.server.close_all()
    await check_until(
        account.entry, lambda: get_state(account.hass, LIST).state == STATE_UNAVAILABLE
    )
    account.server.habits.greeting = b"OK"
    await check_until(account.entry, lambda: get_state(account.hass, LIST).state == "1")


async def test_burst_of_completions_and_arrivals(account: Account) -> None:
    """None of 200 is lost, over one command connection."""
    await account.until(2)
    account.server.deliver(198)
    await account.until(50)
    late = iter([100])
    connections = account.server.connections
    done: set[str] = set()
    while len(done) < 200:
        if len(done) == 100:
            account.server.deliver(next(late, 0))
        items = [item["uid"] for item in await account.items()][:10]
        assert done.isdisjoint(items)
        await asyncio.gather(*map(account.complete, items))
        done |= {*items}
        if len(items) < 10:
            await asyncio.sleep(0.05)
    assert account.server.connections == connections
    folder = account.server.folder()
    assert len(folder.seen) == 201
    assert {f"7-{uid}-INBOX" for uid in folder.seen - {2}} == done
    await account.until(50)
    left = sorted(set(range(1, 302)) - folder.seen)
    listed = [item["uid"] for item in await account.items()]
    assert listed == [f"7-{uid}-INBOX" for uid in reversed(left[-50:])]


@pytest.mark.parametrize("assistant", KNOWN_ASSISTANTS)
async def test_list_is_not_exposed(account: Account, assistant: str) -> None:
    """Home Assistant would expose new to-do lists to its voice assistant."""
    hass, registry = account.hass, er.async_get(account.hass)
    subentry = ConfigSubentry(
        data=MappingProxyType({"folders": ["INBOX"], "subject": "Mail"}),
        subentry_id="new",
        subentry_type="search",
        title="new",
        unique_id=None,
    )
    hass.config_entries.async_add_subentry(account.entry, subentry)
    await hass.async_block_till_done()
    entity_id = registry.async_get_entity_id("todo", DOMAIN, f"{ENTRY_ID}_new_todo")
    assert entity_id is not None
    assert registry.entities[entity_id].disabled_by is DISABLED_BY_DEFAULT
    registry.async_update_entity(entity_id, disabled_by=None)
    await hass.config_entries.async_reload(ENTRY_ID)
    await account.until(2, entity_id)
    assert not async_should_expose(hass, assistant, entity_id)
    async_expose_entity(hass, assistant, entity_id, True)
    await hass.config_entries.async_reload(ENTRY_ID)
    assert async_should_expose(hass, assistant, entity_id)


async def test_states_have_no_mail(account: Account) -> None:
    """Items are not part of the state, so they are not recorded."""
    await account.until(2)
    state = get_state(account.hass, LIST)
    assert not {"Mail", "Ann", "Hello"} & {*str(state.as_dict()).split()}
    assert state.attributes.keys() <= {"friendly_name", "icon", "supported_features"}


@pytest.mark.parametrize("options", [{}, {"access": "none"}, {"access": "nonsense"}])
async def test_list_exists_only_if_all_may_read(account: Account) -> None:
    """Home Assistant does not check who reads a to-do list."""
    assert account.hass.states.get(LIST) is None
    assert LIST.partition(".")[0] not in account.hass.config.components
    assert account.server.asked[b"UID SEARCH"] <= 1


async def test_disabled_list_costs_nothing(account: Account) -> None:
    """It is not read from the server."""
    await account.until(2)
    er.async_get(account.hass).async_update_entity(
        LIST, disabled_by=er.RegistryEntryDisabler.USER
    )
    await account.hass.config_entries.async_reload(ENTRY_ID)
    await wait_until(lambda: account.server.is_watched)
    asked = account.server.asked.copy()
    account.server.deliver(1)
    await wait_until(lambda: account.server.asked[b"UID FETCH"] > asked[b"UID FETCH"])
    await asyncio.sleep(0.7)
    assert account.server.connections == 1


async def _token(hass: HomeAssistant, group_id: str) -> str:
    """Return an access token of a new user."""
    group = await hass.auth.async_get_group(group_id)
    assert group is not None
    user = MockUser(groups=[group]).add_to_hass(hass)
    token = await hass.auth.async_create_refresh_token(user, "https://example.com/app")
    return hass.auth.async_create_access_token(token)


ACTIONS = {
    "update_item": {"item": "Ann: Mail nº 3", "status": "completed"},
    "remove_item": {"item": "Ann: Mail nº 3"},
}


@pytest.mark.parametrize(
    ("options", "group_id", "is_allowed"),
    [
        pytest.param({"access": "read"}, GROUP_ID_USER, False, id="user, read"),
        pytest.param({"access": "change"}, GROUP_ID_USER, True, id="user, change"),
        pytest.param({"access": "read"}, GROUP_ID_ADMIN, True, id="administrator"),
    ],
)
@pytest.mark.parametrize("action", ACTIONS)
async def test_user_changes_an_item(
    account: Account,
    hass_ws_client: WebSocketGenerator,
    group_id: str,
    is_allowed: bool,
    action: str,
) -> None:
    """The option decides for users who are no administrators."""
    await account.until(2)
    client = await hass_ws_client(account.hass, await _token(account.hass, group_id))
    await client.send_json_auto_id(
        {
            "type": "call_service",
            "domain": "todo",
            "service": action,
            "service_data": {"entity_id": LIST, **ACTIONS[action]},
        }
    )
    answer = await client.receive_json()
    assert answer["success"] is is_allowed
    if is_allowed:
        await account.until(1)
        return
    assert answer["error"]["translation_key"] == "change_not_allowed"
    assert account.server.asked[b"SELECT"] == 0


@pytest.mark.parametrize(
    ("options", "is_allowed"),
    [
        pytest.param({"access": "read"}, False, id="read"),
        pytest.param({"access": "change"}, True, id="change"),
    ],
)
async def test_assistant_without_a_user_changes_an_item(
    account: Account, options: dict[str, str], is_allowed: bool
) -> None:
    """Once exposed, the option decides, even after an action of an administrator."""
    hass = account.hass
    assert await async_setup_component(hass, "intent", {})
    await account.until(2)
    await account.items()  # without a user, as in an automation
    slots = {"item": {"value": "ann: mail nº 3"}, "name": {"value": "Inbox"}}
    er.async_get(hass).async_update_entity(LIST, name="Inbox")
    await hass.async_block_till_done()
    slots["name"]["value"] = get_state(hass, LIST).name
    for kind in ("HassListCompleteItem", "HassListRemoveItem"):
        before = get_state(hass, LIST).state
        call = intent.async_handle(hass, "test", kind, slots)
        if is_allowed:
            await call
            await account.until(int(before) - 1)
            slots["item"]["value"] = "Ann: Mail nº 1"
        else:
            with pytest.raises(intent.IntentError):
                await call
    if not is_allowed:
        assert account.server.asked[b"SELECT"] == 0


@pytest.mark.parametrize(
    ("user", "is_allowed"),
    [
        pytest.param(GROUP_ID_USER, False, id="user"),
        pytest.param(GROUP_ID_ADMIN, True, id="administrator"),
    ],
)
async def test_user_talks_to_an_assistant(
    account: Account, user: str, is_allowed: bool
) -> None:
    """The user of the WebSocket connection decides."""
    hass = account.hass
    assert await async_setup_component(hass, "intent", {})
    await account.until(2)
    group = await hass.auth.async_get_group(user)
    assert group is not None
    connection = Mock(user=MockUser(groups=[group]).add_to_hass(hass))
    name = get_state(hass, LIST).name
    slots = {"item": {"value": "Ann: Mail nº 3"}, "name": {"value": name}}
    token = current_connection.set(connection)
    try:
        call = intent.async_handle(hass, "test", "HassListCompleteItem", slots)
        if is_allowed:
            await call
        else:
            with pytest.raises(intent.IntentError):
                await call
    finally:
        current_connection.reset(token)
    assert (3 in account.server.folder().seen) is is_allowed


async def test_card_is_updated(
    account: Account, hass_ws_client: WebSocketGenerator
) -> None:
    """Also if the number of items stays the same."""
    await account.until(2)
    client = await hass_ws_client(account.hass)
    await client.send_json_auto_id({"type": "todo/item/subscribe", "entity_id": LIST})
    assert (await client.receive_json())["success"]
    first = (await client.receive_json())["event"]["items"]
    assert [item["summary"] for item in first] == ["Ann: Mail nº 3", "Ann: Mail nº 1"]
    account.server.folder().seen.add(1)
    account.server.deliver(1)
    second = (await client.receive_json())["event"]["items"]
    assert [item["summary"] for item in second] == ["Ann: Mail nº 4", "Ann: Mail nº 3"]


async def test_text_shows_no_markdown(account: Account) -> None:
    """The card renders Markdown: a remote image would tell the sender who reads."""
    account.server.folder().text = (
        b"![x](https://x.example/1.gif) <img src=//x> *b*\r\n"
    )
    await account.hass.config_entries.async_reload(ENTRY_ID)
    await account.until(2)
    text = (await account.items())[0]["description"]
    assert "\\!\\[x\\](" in text
    assert "\\<img" in text
    assert "\\*b\\*" in text
    assert "://" not in text


@pytest.mark.parametrize("options", [{"access": "change"}], ids=["change"])
async def test_assistant_completes_what_stays_in_the_list(account: Account) -> None:
    """Assistants do not check which actions a list supports."""
    hass = account.hass
    entity_id = await account.add_search("all", subject="Mail", todo="matching")
    await account.until(3, entity_id)
    [item, *_] = (entity := list_entity(hass, entity_id)).todo_items or []
    with pytest.raises(HomeAssistantError) as raised:
        await entity.async_update_todo_item(replace(item, status=COMPLETED))
    assert raised.value.translation_key == "mail_not_completable"
    assert account.server.folder().seen == {2}


@pytest.mark.parametrize("options", [{"access": "change"}], ids=["change"])
async def test_item_that_has_left_the_list(account: Account) -> None:
    """The mail may still exist, but what the user saw is out of date."""
    await account.until(2)
    with pytest.raises(HomeAssistantError) as raised:
        await list_entity(account.hass, LIST).async_delete_todo_items(["7-2-INBOX"])
    assert raised.value.translation_key == "mail_not_found"
    assert account.server.folder().gone == set()


def list_entity(hass: HomeAssistant, entity_id: str) -> TodoListEntity:
    """Return a to-do list."""
    entity = hass.data[DATA_COMPONENT].get_entity(entity_id)
    assert entity is not None
    return entity


@pytest.mark.parametrize("data", [{"todo": "nonsense"}, {"todo": ["unread"]}])
async def test_unknown_kind_of_list(account: Account) -> None:
    """A changed storage shows unread mail."""
    await account.until(2)


@pytest.mark.parametrize("data", [{"todo": "matching"}], ids=["all"])
async def test_all_mail_of_a_folder(account: Account) -> None:
    """Items can only be deleted."""
    await account.until(3)
    await account.act("remove_item", "Ann: Mail nº 2")
    await account.until(2)


async def test_refused_login_asks_for_credentials(account: Account) -> None:
    """The command connection signs in later than the watching one."""
    account.server.habits.twist = lambda line: (
        [line.split()[0] + b" NO [AUTHENTICATIONFAILED] no"]
        if b"AUTHENTICATE" in line or b"LOGIN" in line
        else None
    )
    await wait_until(lambda: account.server.logins > 1)
    await wait_until(
        lambda: [*account.entry.async_get_active_flows(account.hass, {"reauth"})]
    )
    await account.until(STATE_UNAVAILABLE)


async def test_permission_is_withdrawn(account: Account) -> None:
    """The items are no longer shown; allowed again, they are."""
    hass, entry = account.hass, account.entry
    await account.until(2)
    hass.config_entries.async_update_entry(entry, options={})
    await hass.async_block_till_done()
    await account.until(STATE_UNAVAILABLE)
    assert hass.data[DATA_COMPONENT].get_entity(LIST) is None
    hass.config_entries.async_update_entry(entry, options={"access": "read"})
    await hass.async_block_till_done()
    await account.until(2)


async def test_server_that_allows_one_connection(hass: HomeAssistant) -> None:
    """The list uses the watching connection, but only after changes."""
    habits = Habits(capabilities=WRITABLE, limit=1)
    async with LightServer(*FOLDERS, habits=habits) as server:
        server.slip_in(3)
        options = {"access": "read"}
        entry = make_light_entry(server.port, "INBOX", options=options)
        entry.add_to_hass(hass)
        account = Account(hass, server, entry)
        account.enable("inbox", f"{ENTRY_ID}_INBOX")
        assert await hass.config_entries.async_setup(ENTRY_ID)
        await account.until(3)
        await asyncio.sleep(1)
        asked = server.asked[b"UID SEARCH"]
        await asyncio.sleep(3)
        assert server.asked[b"UID SEARCH"] == asked
        server.deliver(1)
        await account.until(4)
        await account.complete("Ann: Mail nº 4")
        await account.until(3)
        assert await hass.config_entries.async_unload(ENTRY_ID)
