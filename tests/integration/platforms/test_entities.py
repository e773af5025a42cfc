"""The entities of an account and its folders."""

from datetime import UTC, datetime
import json
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    mock_restore_cache,
)

from custom_components.imap_push.const import EVENT_NEW_MAIL
from custom_components.imap_push.imap import (
    AccountState,
    Attachment,
    ConnectionLost,
    ConnectTimeout,
    FolderState,
    PushMode,
    ServerSilent,
)
from homeassistant.const import (
    MATCH_ALL,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
    EntityCategory,
)
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er

from .. import (
    CHECK_NOW,
    CONNECTIVITY,
    LAST_ERROR,
    LAST_MAIL,
    MESSAGES,
    NEW_MAIL,
    PUSH_MODE,
    READABLE,
    TOTAL_UNREAD,
    UNREAD,
    get_state,
    make_arrival,
    make_mail,
    make_state,
)
from ..conftest import FakeWatcher

# Attributes that the recorder excludes from every state.
UNRECORDED = {"device_class", "event_types", "friendly_name", "icon"}
# Fields that all users see without the option of the account.
PUBLIC = {
    *("account", "bulk", "catch_up", "device_id", "folder", "push", "received"),
}


def _inbox(**fields: Any) -> AccountState:
    """Return the state of a connected account with this state of INBOX."""
    return make_state({"INBOX": FolderState(available=True, **fields)})


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(
            make_state(),
            {
                UNREAD: "2",
                LAST_MAIL: "2026-11-03T12:30:00+00:00",
                PUSH_MODE: "idle",
                CONNECTIVITY: "on",
            },
            id="connected",
        ),
        pytest.param(
            AccountState(error=ConnectionLost()),
            {
                UNREAD: STATE_UNAVAILABLE,
                LAST_MAIL: STATE_UNAVAILABLE,
                PUSH_MODE: "off",
                CONNECTIVITY: "off",
            },
            id="never connected",
        ),
        pytest.param(
            make_state(
                {"INBOX": FolderState(unread=2, last_mail=make_mail())},
                connected=False,
                push_mode=PushMode.OFF,
                error=ConnectionLost(),
            ),
            {
                UNREAD: STATE_UNAVAILABLE,
                LAST_MAIL: STATE_UNAVAILABLE,
                PUSH_MODE: "off",
                CONNECTIVITY: "off",
            },
            id="connection lost",
        ),
        pytest.param(
            make_state({"Other": FolderState(available=True)}, push_mode=PushMode.POLL),
            {
                UNREAD: STATE_UNAVAILABLE,
                LAST_MAIL: STATE_UNAVAILABLE,
                PUSH_MODE: "poll",
                CONNECTIVITY: "on",
            },
            id="folder not watched yet",
        ),
        pytest.param(
            _inbox(unread=0),
            {UNREAD: "0", LAST_MAIL: STATE_UNKNOWN},
            id="empty folder",
        ),
        pytest.param(_inbox(), {UNREAD: STATE_UNKNOWN}, id="unknown count"),
        pytest.param(
            _inbox(
                last_mail=make_mail(
                    received=None, date=datetime(2026, 11, 1, tzinfo=UTC)
                )
            ),
            {LAST_MAIL: "2026-11-01T00:00:00+00:00"},
            id="mail without the server's date",
        ),
        pytest.param(
            _inbox(last_mail=make_mail(received=None)),
            {LAST_MAIL: STATE_UNKNOWN},
            id="mail without any date",
        ),
        pytest.param(
            make_state(push_mode=PushMode.NOTIFY), {PUSH_MODE: "notify"}, id="notify"
        ),
    ],
)
async def test_states_follow_the_account(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    state: AccountState,
    expected: dict[str, str],
) -> None:
    """All entities show the state that the watcher reports."""
    watcher.listener.state_changed(state)
    assert {
        entity_id: get_state(hass, entity_id).state for entity_id in expected
    } == expected


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
@pytest.mark.parametrize(
    ("entity_id", "name", "category", "attributes"),
    [
        pytest.param(
            UNREAD,
            "jane@example.com INBOX Unread",
            None,
            {"state_class": "measurement"},
            id="unread",
        ),
        pytest.param(
            LAST_MAIL,
            "jane@example.com INBOX Last mail",
            None,
            {"device_class": "timestamp"},
            id="last mail",
        ),
        pytest.param(
            NEW_MAIL,
            "jane@example.com INBOX New mail",
            None,
            {"event_types": ["new_mail"]},
            id="new mail",
        ),
        pytest.param(
            PUSH_MODE,
            "jane@example.com Push mode",
            EntityCategory.DIAGNOSTIC,
            {"options": ["notify", "idle", "poll", "off"], "device_class": "enum"},
            id="push mode",
        ),
        pytest.param(
            CONNECTIVITY,
            "jane@example.com Connectivity",
            EntityCategory.DIAGNOSTIC,
            {"device_class": "connectivity"},
            id="connectivity",
        ),
    ],
)
async def test_entities_have_names_and_classes(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    entity_registry: er.EntityRegistry,
    entity_id: str,
    name: str,
    category: EntityCategory | None,
    attributes: dict[str, Any],
) -> None:
    """Names, classes and categories are those that users see."""
    watcher.listener.state_changed(make_state())
    state = get_state(hass, entity_id)
    assert state.attributes["friendly_name"] == name
    assert attributes.items() <= state.attributes.items()
    assert entity_registry.entities[entity_id].entity_category is category


async def test_unique_ids_do_not_depend_on_what_can_be_changed(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    entity_registry: er.EntityRegistry,
) -> None:
    """All entities stay when host or username change."""
    assert {
        entity.entity_id: entity.unique_id
        for entity in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    } == {
        UNREAD: "01IMAPPUSH_01INBOX_unread",
        MESSAGES: "01IMAPPUSH_01INBOX_messages",
        LAST_MAIL: "01IMAPPUSH_01INBOX_last_mail",
        NEW_MAIL: "01IMAPPUSH_01INBOX_new_mail",
        PUSH_MODE: "01IMAPPUSH_push_mode",
        CONNECTIVITY: "01IMAPPUSH_connectivity",
        TOTAL_UNREAD: "01IMAPPUSH_total_unread",
        LAST_ERROR: "01IMAPPUSH_last_error",
        CHECK_NOW: "01IMAPPUSH_check_now",
    }


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
@pytest.mark.parametrize(
    ("entry_options", "is_shown"),
    [
        pytest.param({}, False, id="default"),
        pytest.param({"access": "none"}, False, id="administrators only"),
        pytest.param({"access": "everything"}, False, id="unknown"),
        pytest.param({"access": None}, False, id="not set"),
        pytest.param({"access": ["read"]}, False, id="no text"),
        pytest.param({"access": "read"}, True, id="all may read"),
        pytest.param({"access": "change"}, True, id="all may change"),
    ],
)
async def test_option_decides_which_fields_all_users_see(
    hass: HomeAssistant, watcher: FakeWatcher, is_shown: bool
) -> None:
    """Either all fields, or time and origin only; the bus event has all fields."""
    assert get_state(hass, NEW_MAIL).state == STATE_UNKNOWN
    events = async_capture_events(hass, EVENT_NEW_MAIL)
    arrival = make_arrival(
        message_id="<1@example.org>",
        to=("jane@example.com",),
        attachments=(
            Attachment(
                part="2", filename="a.pdf", content_type="application/pdf", size=1
            ),
        ),
        text="Thank you.",
    )
    await watcher.listener.mail_arrived(arrival)
    watcher.listener.state_changed(_inbox(last_mail=arrival.mail))
    [event] = events
    attributes = get_state(hass, NEW_MAIL).attributes
    shown = attributes.keys() - {"event_type", *UNRECORDED}
    last_mail = get_state(hass, LAST_MAIL)
    assert last_mail.state == "2026-11-03T12:30:00+00:00"
    assert attributes["event_type"] == "new_mail"
    assert event.data["subject"] == "Your order"
    assert {key: attributes[key] for key in shown}.items() <= event.data.items()
    if is_shown:
        assert shown == event.data.keys()
        assert last_mail.attributes["sender"] == "shop@example.org"
    else:
        assert shown == PUBLIC
        assert not {"sender", "sender_name", "subject"} & last_mail.attributes.keys()


async def test_restored_event_respects_the_present_option(
    hass: HomeAssistant, entry: MockConfigEntry, watchers: list[FakeWatcher]
) -> None:
    """A restart restores the last mail without its sender and subject."""
    hass.config_entries.async_update_entry(entry, options={"access": "read"})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await watchers[-1].listener.mail_arrived(make_arrival())
    before = get_state(hass, NEW_MAIL)
    assert before.attributes["subject"] == "Your order"
    hass.config_entries.async_update_entry(entry, options={})
    await hass.async_block_till_done()
    after = get_state(hass, NEW_MAIL)
    assert after.state == before.state
    assert after.attributes.keys() - UNRECORDED == {"event_type", *PUBLIC}


async def test_event_without_stored_fields_is_not_restored(
    hass: HomeAssistant, entry: MockConfigEntry, watchers: list[FakeWatcher]
) -> None:
    """The storage then has only the state of the event entity."""
    mock_restore_cache(hass, [State(NEW_MAIL, "2026-11-03T12:30:00.000+00:00")])
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert get_state(hass, NEW_MAIL).state == STATE_UNKNOWN


@READABLE
async def test_event_entity_is_available_without_a_connection(
    hass: HomeAssistant, watcher: FakeWatcher
) -> None:
    """Triggers ignore a change from unavailable, so they would miss mail of the catch-up."""
    watcher.listener.state_changed(AccountState(error=ConnectionLost()))
    await watcher.listener.mail_arrived(make_arrival(1))
    first = get_state(hass, NEW_MAIL)
    await watcher.listener.mail_arrived(make_arrival(2))
    second = get_state(hass, NEW_MAIL)
    assert (first.attributes["uid"], second.attributes["uid"]) == (1, 2)
    assert first.state != second.state


async def test_event_entity_is_restored_after_a_restart(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher
) -> None:
    """The restart is not reported as new mail."""
    await watcher.listener.mail_arrived(make_arrival())
    before = get_state(hass, NEW_MAIL)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert get_state(hass, NEW_MAIL).state == STATE_UNAVAILABLE
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    after = get_state(hass, NEW_MAIL)
    assert (after.state, after.attributes) == (before.state, before.attributes)


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
@pytest.mark.parametrize(
    ("entry_options", "recorded", "of_last_mail"),
    [
        pytest.param(
            {},
            set(),
            set(),
            id="default",
        ),
        pytest.param(
            {"record_mail": True},
            {"event_type", "bulk", "catch_up", "folder", "push", "received"},
            set(),
            id="recorded, administrators only",
        ),
        pytest.param(
            {"access": "read"},
            set(),
            set(),
            id="all users, not recorded",
        ),
        pytest.param(
            {"access": "read", "record_mail": True},
            {"event_type", "bulk", "catch_up", "folder", "push", "received"}
            | {"uid", "uid_validity", "sender", "sender_name", "subject"},
            {"sender", "sender_name", "subject"},
            id="recorded, all users",
        ),
    ],
)
async def test_recorded_attributes_of_the_largest_mail_are_small(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    recorded: set[str],
    of_last_mail: set[str],
) -> None:
    """Far below the limit of 16 KB; sender and subject only with the option."""
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    address = "a" * 64 + "@" + "example." * 20 + "org"
    attachment = Attachment(
        part="1.2.3", filename="f" * 255, content_type="application/pdf", size=1
    )
    arrival = make_arrival(
        message_id="<" + "m" * 998 + ">",
        sender=address,
        sender_name="ß" * 1000,
        subject="ß" * 1000,
        to=(address,) * 50,
        cc=(address,) * 50,
        attachments=(attachment,) * 50,
        text="ß" * 10_000,
        truncated=True,
    )
    await watchers[0].listener.mail_arrived(arrival)
    watchers[0].listener.state_changed(_inbox(last_mail=arrival.mail))
    attributes = _recorded(get_state(hass, NEW_MAIL))
    assert attributes.keys() == recorded
    assert len(json.dumps(attributes, ensure_ascii=False).encode()) < 8192
    shown = {"sender", "sender_name", "subject"}
    assert _recorded(get_state(hass, LAST_MAIL)).keys() & shown == of_last_mail


def _recorded(state: State) -> dict[str, Any]:
    """Return the attributes that are recorded."""
    assert state.state_info is not None
    ignored = {*state.state_info["unrecorded_attributes"], *UNRECORDED}
    if MATCH_ALL in ignored:
        return {}
    return {key: it for key, it in state.attributes.items() if key not in ignored}


@pytest.mark.parametrize(
    ("entity_id", "state", "expected"),
    [
        pytest.param(MESSAGES, _inbox(messages=12), "12", id="messages"),
        pytest.param(
            MESSAGES, _inbox(), STATE_UNKNOWN, id="unknown number of messages"
        ),
        pytest.param(
            LAST_MAIL,
            _inbox(last_mail=make_mail()),
            "2026-11-03T12:30:00+00:00",
            id="last mail",
        ),
        pytest.param(LAST_ERROR, make_state(), STATE_UNKNOWN, id="never an error"),
        pytest.param(
            LAST_ERROR,
            AccountState(error=ServerSilent()),
            "server_silent",
            id="an error",
        ),
        pytest.param(
            LAST_ERROR,
            AccountState(error=ConnectTimeout()),
            "connect_timeout",
            id="subclass of an error",
        ),
    ],
)
async def test_rare_entities_can_be_enabled(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    entity_registry: er.EntityRegistry,
    entity_id: str,
    state: AccountState,
    expected: str,
) -> None:
    """They exist, but are disabled by default."""
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert hass.states.get(entity_id) is None
    entity_registry.async_update_entity(entity_id, disabled_by=None)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    watchers[-1].listener.state_changed(state)
    assert get_state(hass, entity_id).state == expected
    watchers[-1].listener.state_changed(make_state())
    if entity_id == LAST_ERROR:
        assert get_state(hass, entity_id).state == expected


@pytest.mark.parametrize(
    ("state", "total"),
    [
        pytest.param(
            make_state(
                {
                    "INBOX": FolderState(available=True, unread=2),
                    "Lists": FolderState(available=True, unread=40),
                }
            ),
            "42",
            id="two folders",
        ),
        pytest.param(
            make_state(
                {
                    "INBOX": FolderState(available=True, unread=2),
                    "Lists": FolderState(unread=40),
                }
            ),
            "2",
            id="one is not watched",
        ),
        pytest.param(_inbox(unread=0), "0", id="no unread mail"),
        pytest.param(AccountState(), STATE_UNKNOWN, id="all unknown"),
    ],
)
async def test_total_unread(
    hass: HomeAssistant, watcher: FakeWatcher, state: AccountState, total: str
) -> None:
    """The sum of the known counts of all folders."""
    watcher.listener.state_changed(make_state())
    watcher.listener.state_changed(state)
    assert get_state(hass, TOTAL_UNREAD).state == total


async def test_check_now_checks_all_folders(
    hass: HomeAssistant, watcher: FakeWatcher
) -> None:
    """The watcher is called for each press."""
    await hass.services.async_call(
        "button", "press", {"entity_id": CHECK_NOW}, blocking=True
    )
    assert watcher.calls == [("check_now",)]


async def test_unchanged_state_is_not_written(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    freezer: FrozenDateTimeFactory,
) -> None:
    """An equal state is not even reported."""
    watcher.listener.state_changed(make_state())
    before = {state.entity_id: state.last_reported for state in hass.states.async_all()}
    freezer.tick(1)
    watcher.listener.state_changed(make_state())
    watcher.listener.state_changed(make_state(capabilities=frozenset()))
    after = {state.entity_id: state.last_reported for state in hass.states.async_all()}
    assert after == before
    watcher.listener.state_changed(make_state(push_mode=PushMode.POLL))
    assert [
        state.entity_id
        for state in hass.states.async_all()
        if state.last_reported != before[state.entity_id]
    ] == [PUSH_MODE]
