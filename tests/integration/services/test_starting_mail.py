"""Without a mail, an action uses the one that started the automation."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any
from unittest.mock import Mock

import pytest
from pytest_homeassistant_custom_component.common import (
    MockUser,
    async_capture_events,
    async_mock_service,
)

from custom_components.imap_push.const import DOMAIN, EVENT_NEW_MAIL
from custom_components.imap_push.imap import MessageContent, SearchCount, StoreResult
from custom_components.imap_push.mail import starting_mail
from custom_components.imap_push.mail.starting_mail import async_remember_mail
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.setup import async_setup_component

from .. import NEW_MAIL, READABLE, make_arrival, make_mail, make_state
from ..conftest import FakeWatcher

pytestmark = pytest.mark.usefixtures("imap_client", "watcher")

MARK = {"action": "imap_push.mark_as_read"}
DEFAULT_TRIGGER = {
    "trigger": "imap_push.new_mail",
    "target": {"entity_id": NEW_MAIL},
}
TRIGGERS = [
    pytest.param(DEFAULT_TRIGGER, id="trigger"),
    pytest.param({"trigger": "state", "entity_id": NEW_MAIL}, id="state of the entity"),
    pytest.param(
        {
            "trigger": "event.received",
            "target": {"entity_id": NEW_MAIL},
            "options": {"event_type": ["new_mail"]},
        },
        id="event of the entity",
    ),
    pytest.param({"trigger": "event", "event_type": EVENT_NEW_MAIL}, id="bus event"),
]
SCRIPTS = {
    "mark": {"sequence": [MARK]},
    "mark_in_script": {"sequence": [{"action": "script.mark"}]},
    "mark_later": {"sequence": [{"delay": 0}, MARK]},
}
ACTIONS = [
    pytest.param([MARK], id="action"),
    pytest.param([{"if": "{{ true }}", "then": [MARK]}], id="if"),
    pytest.param(
        [{"choose": [{"conditions": "{{ true }}", "sequence": [MARK]}]}], id="choose"
    ),
    pytest.param([{"choose": [], "default": [MARK]}], id="default of choose"),
    pytest.param([{"repeat": {"count": 1, "sequence": [MARK]}}], id="repeat"),
    pytest.param([{"parallel": [MARK]}], id="parallel"),
    pytest.param([{"delay": 0}, MARK], id="after a delay"),
    pytest.param([{"action": "script.mark"}], id="script"),
    pytest.param([{"action": "script.mark_in_script"}], id="script in a script"),
    pytest.param(
        [{"action": "script.turn_on", "target": {"entity_id": "script.mark_later"}}],
        id="script in the background",
    ),
]


@pytest.fixture(autouse=True)
def _store_flags(imap_client: Mock) -> None:
    """Let each change succeed."""
    for name in ("set_flags", "move", "delete"):
        getattr(imap_client, name).side_effect = (
            lambda _folder, _validity, uids, *_, **__: StoreResult(uids=tuple(uids))
        )


async def automate(hass: HomeAssistant, trigger: Any, actions: Any) -> None:
    """Set up the scripts and an automation."""
    config = {"mode": "queued", "max": 50, "triggers": trigger, "actions": actions}
    assert await async_setup_component(hass, "script", {"script": SCRIPTS})
    assert await async_setup_component(hass, "automation", {"automation": config})
    await hass.async_block_till_done()


def marked(imap_client: Mock) -> list[tuple[str, int, list[int]]]:
    """Return folder, UIDVALIDITY and UIDs of the mails that were marked."""
    return [call.args for call in imap_client.set_flags.await_args_list]


@READABLE
@pytest.mark.parametrize("trigger", TRIGGERS)
async def test_every_way_in_which_new_mail_starts_an_automation(
    hass: HomeAssistant, imap_client: Mock, watcher: FakeWatcher, trigger: Any
) -> None:
    """Each of two mails that arrive together is marked by its own run."""
    await automate(hass, trigger, [MARK])
    for uid in (7, 8):
        await watcher.listener.mail_arrived(make_arrival(uid))
    await hass.async_block_till_done()
    assert marked(imap_client) == [("INBOX", 3, [7]), ("INBOX", 3, [8])]


@pytest.mark.parametrize("actions", ACTIONS)
async def test_everywhere_in_an_automation(
    hass: HomeAssistant, imap_client: Mock, watcher: FakeWatcher, actions: Any
) -> None:
    """Blocks and scripts pass the context on."""
    await automate(hass, DEFAULT_TRIGGER, actions)
    await watcher.listener.mail_arrived(make_arrival(9))
    await hass.async_block_till_done()
    assert marked(imap_client) == [("INBOX", 3, [9])]


async def test_entity_that_hides_the_mail(
    hass: HomeAssistant, imap_client: Mock, watcher: FakeWatcher
) -> None:
    """By default the entity does not show UIDs, but an automation may use the mail."""
    await automate(hass, {"trigger": "state", "entity_id": NEW_MAIL}, [MARK])
    await watcher.listener.mail_arrived(make_arrival(7))
    await hass.async_block_till_done()
    assert marked(imap_client) == [("INBOX", 3, [7])]


async def test_saved_search(
    hass: HomeAssistant, imap_client: Mock, watcher: FakeWatcher
) -> None:
    """Its entity starts an automation for the mail that matches."""
    imap_client.count.side_effect = None
    imap_client.count.return_value = [SearchCount(total=1, matching=frozenset({8}))]
    watcher.listener.state_changed(make_state())
    [entry] = hass.config_entries.async_loaded_entries(DOMAIN)
    search = ConfigSubentry(
        data=MappingProxyType({"folders": ["INBOX"], "subject": "order"}),
        subentry_type="search",
        title="Orders",
        unique_id=None,
    )
    hass.config_entries.async_add_subentry(entry, search)
    await hass.async_block_till_done()
    [entity_id] = {*hass.states.async_entity_ids("event")} - {NEW_MAIL}
    trigger = {"trigger": "state", "entity_id": entity_id, "not_to": "unavailable"}
    await automate(hass, trigger, [MARK])
    entry.runtime_data.searches._folders["INBOX"].not_before = 0.0
    await watcher.listener.mail_arrived(make_arrival(8))
    await hass.async_block_till_done()
    assert marked(imap_client) == [("INBOX", 3, [8])]


async def act(
    hass: HomeAssistant, action: str, context: Context | None = None, **data: Any
) -> Any:
    """Run an action in a context and return its response."""
    return await hass.services.async_call(
        DOMAIN, action, data, blocking=True, return_response=True, context=context
    )


def remember(hass: HomeAssistant, uid: int = 7, **changes: Any) -> Context:
    """Deliver a mail; return the context of an automation that it starts."""
    context = Context()
    mail = {"entry_id": "01IMAPPUSH", "folder": "INBOX", "uid_validity": 3, "uid": uid}
    async_remember_mail(hass, context, mail | changes)
    return Context(parent_id=context.id)


@pytest.mark.parametrize(
    ("action", "data", "request_name"),
    [
        pytest.param("fetch", {}, "content", id="fetch"),
        pytest.param("save_attachment", {}, "mails", id="save_attachment"),
        pytest.param("set_flags", {"read": True}, "set_flags", id="set_flags"),
        pytest.param("mark_as_read", {}, "set_flags", id="mark_as_read"),
        pytest.param("flag", {}, "set_flags", id="flag"),
        pytest.param("move", {"target_folder": "Work"}, "move", id="move"),
        pytest.param("delete", {}, "delete", id="delete"),
    ],
)
async def test_every_action(
    hass: HomeAssistant,
    imap_client: Mock,
    action: str,
    data: dict[str, Any],
    request_name: str,
) -> None:
    """Only `search` needs no mail."""
    imap_client.content.return_value = MessageContent(mail=make_mail())
    imap_client.mails.return_value = [make_mail()]
    await act(hass, action, remember(hass), **data)
    request = getattr(imap_client, request_name)
    request.assert_awaited_once()
    assert request.await_args.args[:2] == ("INBOX", 3)
    assert request.await_args.args[2] in (7, [7])


async def test_context_of_the_mail_itself(
    hass: HomeAssistant, imap_client: Mock
) -> None:
    """A Python script can pass on the context of the event."""
    context = Context(id=remember(hass).parent_id)
    await act(hass, "mark_as_read", context)
    assert marked(imap_client) == [("INBOX", 3, [7])]


async def test_given_mail_takes_precedence(
    hass: HomeAssistant, imap_client: Mock
) -> None:
    """The automation can still use another one."""
    other = {"entry_id": "01IMAPPUSH", "folder": "Work", "uid_validity": 4, "uid": 1}
    await act(hass, "mark_as_read", remember(hass), mail=other)
    await act(hass, "mark_as_read", remember(hass), **other)
    assert marked(imap_client) == [("Work", 4, [1])] * 2


def _forget(hass: HomeAssistant) -> Context:
    oldest = remember(hass, 1)
    for uid in range(2, starting_mail.MAX_MAILS + 2):
        remember(hass, uid)
    return oldest


def _two(hass: HomeAssistant) -> Context:
    context = remember(hass, 1)
    assert context.parent_id
    for uid in (2, 1):
        mail = {"entry_id": "01IMAPPUSH", "folder": "INBOX", "uid_validity": 3}
        async_remember_mail(hass, Context(id=context.parent_id), mail | {"uid": uid})
    return context


@pytest.mark.parametrize("action", ["fetch", "delete", "mark_as_read"])
@pytest.mark.parametrize(
    ("start", "message"),
    [
        pytest.param(lambda _hass: Context(), "no new email started", id="by hand"),
        pytest.param(
            lambda _hass: Context(parent_id=Context().id),
            "no new email started",
            id="automation started by something else",
        ),
        pytest.param(
            lambda hass: [remember(hass), Context(parent_id=Context().id)][1],
            "no new email started",
            id="the same after new mail",
        ),
        pytest.param(
            lambda hass: Context(parent_id=remember(hass).id),
            "no new email started",
            id="automation started by the first automation",
        ),
        pytest.param(
            lambda hass: [_forget(hass), Context(parent_id=Context().id)][1],
            "no new email started",
            id="started by something else after many mails",
        ),
        pytest.param(_forget, "only the last 1,000 new emails", id="too long ago"),
        pytest.param(_two, "several emails started", id="two mails in one context"),
    ],
)
async def test_mail_that_is_not_known(
    hass: HomeAssistant,
    imap_client: Mock,
    start: Callable[[HomeAssistant], Context],
    message: str,
    action: str,
) -> None:
    """The error states the one reason; nothing is done."""
    with pytest.raises(ServiceValidationError, match=message):
        await act(hass, action, start(hass))
    imap_client.set_flags.assert_not_called()
    imap_client.delete.assert_not_called()
    imap_client.content.assert_not_called()


async def test_same_mail_twice_in_one_context(
    hass: HomeAssistant, imap_client: Mock
) -> None:
    """A folder and a saved search can deliver it."""
    context = remember(hass)
    mail = {"entry_id": "01IMAPPUSH", "folder": "INBOX", "uid_validity": 3, "uid": 7}
    async_remember_mail(hass, Context(id=context.parent_id), mail)
    await act(hass, "delete", context)
    imap_client.delete.assert_awaited_once_with("INBOX", 3, [7], permanently=False)


async def test_memory_is_bounded(hass: HomeAssistant) -> None:
    """Only the newest mails are stored, without their content."""
    _forget(hass)
    known = hass.data[starting_mail._KEY].mails
    assert len(known) == starting_mail.MAX_MAILS
    assert [mail.uid for mail in known.values() if mail][:1] == [2]


async def test_user_cannot_forge_the_mail(
    hass: HomeAssistant, imap_client: Mock, hass_read_only_user: MockUser
) -> None:
    """A fired event starts the automation, but no action."""
    await automate(hass, {"trigger": "event", "event_type": EVENT_NEW_MAIL}, [MARK])
    forged = {"entry_id": "01IMAPPUSH", "folder": "INBOX", "uid_validity": 3, "uid": 7}
    context = Context(user_id=hass_read_only_user.id)
    started = async_capture_events(hass, "automation_triggered")
    hass.bus.async_fire(EVENT_NEW_MAIL, forged, context=context)
    await hass.async_block_till_done()
    assert len(started) == 1
    imap_client.set_flags.assert_not_called()


async def test_script_of_a_user_without_administrator_rights(
    hass: HomeAssistant, imap_client: Mock, hass_read_only_user: MockUser
) -> None:
    """The account's option still applies, also if the context were that of new mail."""
    remembered = remember(hass)
    context = Context(user_id=hass_read_only_user.id, parent_id=remembered.parent_id)
    with pytest.raises(ServiceValidationError, match="not allowed to change"):
        await act(hass, "mark_as_read", context)
    imap_client.set_flags.assert_not_called()


async def test_automation_without_a_mail_says_so(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the message in plain words."""
    async_mock_service(hass, "test", "done")
    await automate(hass, {"trigger": "event", "event_type": "button"}, [MARK])
    hass.bus.async_fire("button")
    await hass.async_block_till_done()
    assert "The Email field is empty, and no new email" in caplog.text
