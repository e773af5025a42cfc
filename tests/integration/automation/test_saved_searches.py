"""Saved searches as targets of the trigger `imap_push.new_mail` and of `imap_push.unread`."""

import asyncio
from collections.abc import Sequence
from typing import Any
from unittest.mock import Mock

import pytest

from custom_components.imap_push.imap import (
    ConnectionLost,
    Criteria,
    FolderState,
    SearchCount,
)
from homeassistant.components.websocket_api.automation import (
    async_get_conditions_for_target,
    async_get_triggers_for_target,
)
from homeassistant.const import __version__
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, label_registry as lr
from homeassistant.helpers.condition import (
    async_from_config,
    async_validate_condition_config,
)

from .. import make_arrival, make_state
from ..automations import automate, device_id, make_entry
from ..conftest import FakeWatcher

TRIGGER = "imap_push.new_mail"
CONDITION = "imap_push.unread"
BILLS = Criteria(subject="bill")
BOSS = Criteria(sender="boss")
SEARCHES = {
    "Bills": {"folders": ["INBOX", "Lists"], "subject": "bill"},
    "Boss": {"folders": ["INBOX"], "sender": "boss"},
}
TOTALS = {BILLS: 4, BOSS: 2}


class Server:
    """Which new mail matches which search; the errors that come first."""

    def __init__(self) -> None:
        """Start without matching mail."""
        self.matching: dict[Criteria, set[int]] = {BILLS: set(), BOSS: set()}
        self.errors: list[Exception] = []

    def count(
        self, _folder: str, searches: Sequence[Criteria], among: Sequence[int]
    ) -> list[SearchCount]:
        """Return the result of a search."""
        if self.errors:
            raise self.errors.pop()
        return [
            SearchCount(TOTALS[criteria], frozenset(self.matching[criteria] & {*among}))
            for criteria in searches
        ]


@pytest.fixture
def server(imap_client: Mock, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Replace the answers of the server, and count without a pause."""
    module = "custom_components.imap_push.account.saved_searches"
    for name in ("MIN_COUNT_INTERVAL_SECONDS", "RETRY_SECONDS", "CHANGE_DELAY_SECONDS"):
        monkeypatch.setattr(f"{module}.{name}", 0.0)
    made = Server()
    imap_client.count.side_effect = made.count
    return made


@pytest.fixture
async def watcher(
    hass: HomeAssistant, server: Server, watchers: list[FakeWatcher]
) -> FakeWatcher:
    """Set up an account with two folders and two searches."""
    entry = make_entry("work", "INBOX", "Lists", searches=SEARCHES)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    folders = {
        name: FolderState(available=True, unread=1) for name in ("INBOX", "Lists")
    }
    watchers[-1].listener.state_changed(make_state(folders))
    await hass.async_block_till_done()
    return watchers[-1]


async def _deliver(hass: HomeAssistant, watcher: FakeWatcher, **mail: Any) -> None:
    """Deliver a mail, wait for the search, and let the automation run."""
    await watcher.listener.mail_arrived(make_arrival(**mail))
    for _ in range(5):
        await asyncio.sleep(0)
    await hass.async_block_till_done()


def _target(hass: HomeAssistant, *names: str) -> dict[str, Any]:
    """Return a target: a label, an entity, or devices of folders, searches and the account."""
    if names == ("label",):
        label = lr.async_get(hass).async_create("Money")
        dr.async_get(hass).async_update_device(
            device_id(hass, "work", "Bills"), labels={label.label_id}
        )
        return {"label_id": label.label_id}
    if "." in names[0]:
        return {"entity_id": names[0]}
    return {"device_id": [device_id(hass, "work", name or None) for name in names]}


@pytest.mark.parametrize(
    ("target", "triggered"),
    [
        pytest.param(["Bills"], [1, 3], id="device"),
        pytest.param(["event.work_bills_matching_mail"], [1, 3], id="event entity"),
        pytest.param(["sensor.work_bills_matches"], [1, 3], id="other entity"),
        pytest.param(["label"], [1, 3], id="label"),
        pytest.param(["Boss"], [2, 3], id="another search"),
        pytest.param(["Bills", "Boss"], [1, 2, 3], id="two searches, one time each"),
        pytest.param(["Bills", "INBOX"], [1, 2, 3, 4], id="with its folder"),
        pytest.param(["Bills", "Lists"], [1, 3], id="with another folder"),
        pytest.param([""], [1, 2, 3, 4], id="account: its folders"),
        pytest.param(["", "Bills"], [1, 2, 3, 4], id="account and search"),
    ],
)
async def test_mail_that_matches_triggers_one_time(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    server: Server,
    target: list[str],
    triggered: list[int],
) -> None:
    """With all fields of the mail, whatever else the target selects."""
    done = await automate(hass, {"trigger": TRIGGER, "target": _target(hass, *target)})
    server.matching = {BILLS: {1, 3}, BOSS: {2, 3}}
    for uid in range(1, 5):
        await _deliver(hass, watcher, uid=uid, message_id=f"<{uid}@x>")
    mails = [event.data["mail"] for event in done]
    assert sorted(mail["uid"] for mail in mails) == triggered
    assert {mail["subject"] for mail in mails} == {"Your order"}
    inbox = device_id(hass, "work", "INBOX")
    assert {mail["device_id"] for mail in mails} == {inbox}


@pytest.mark.parametrize(
    ("options", "triggered"),
    [
        pytest.param({}, 1, id="none"),
        pytest.param({"sender": "example.org"}, 1, id="sender"),
        pytest.param({"sender": "example.com"}, 0, id="another sender"),
        pytest.param({"recipient": "last@home.example"}, 1, id="any recipient"),
    ],
)
async def test_options_of_the_trigger_apply_too(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    server: Server,
    options: dict[str, Any],
    triggered: int,
) -> None:
    """The mail has to match the search and the options."""
    target = _target(hass, "Bills")
    done = await automate(
        hass, {"trigger": TRIGGER, "target": target, "options": options}
    )
    server.matching[BILLS] = {7}
    await _deliver(hass, watcher, recipients=("a@b.example", "last@home.example"))
    assert len(done) == triggered


async def test_catch_up_and_a_lost_connection(
    hass: HomeAssistant, watcher: FakeWatcher, server: Server
) -> None:
    """The mail waits for the next connection, and other mail does not trigger again."""
    done = await automate(hass, {"trigger": TRIGGER, "target": _target(hass, "Bills")})
    server.matching[BILLS] = {1, 2}
    server.errors = [ConnectionLost()]
    arrival = make_arrival(uid=1)._replace(catch_up=True)
    await watcher.listener.mail_arrived(arrival)
    await _deliver(hass, watcher, uid=2)
    for _ in range(5):
        await asyncio.sleep(0)
    await hass.async_block_till_done()
    assert [event.data["mail"]["uid"] for event in done] == [1, 2]
    assert [event.data["mail"]["catch_up"] for event in done] == [True, False]


@pytest.mark.parametrize(
    ("errors", "triggered"),
    [
        pytest.param([], 1, id="connected"),
        pytest.param([ConnectionLost(), ConnectionLost()], 0, id="connection lost"),
    ],
)
async def test_reload_right_after_the_arrival(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    server: Server,
    errors: list[Exception],
    triggered: int,
) -> None:
    """The mail is checked before the account is unloaded."""
    done = await automate(hass, {"trigger": TRIGGER, "target": _target(hass, "Bills")})
    server.matching[BILLS] = {7}
    server.errors = errors
    await watcher.listener.mail_arrived(make_arrival())
    await hass.config_entries.async_reload("work")
    await hass.async_block_till_done()
    assert len(done) == triggered


async def test_mail_that_matches_later_does_not_trigger(
    hass: HomeAssistant, watcher: FakeWatcher, server: Server
) -> None:
    """It is counted, but it is not new: for example a mail that is flagged."""
    done = await automate(hass, {"trigger": TRIGGER, "target": _target(hass, "Bills")})
    await _deliver(hass, watcher)
    server.matching[BILLS] = {7}
    folders = {"INBOX": FolderState(available=True, unread=1, changes=5)}
    watcher.listener.state_changed(make_state(folders))
    await asyncio.sleep(0.01)
    await hass.async_block_till_done()
    assert not done


@pytest.mark.skipif(__version__ < "2026.11", reason="targets cannot exclude yet")
@pytest.mark.parametrize("excluded", ["Boss", ""], ids=["search", "account"])
async def test_excluded_search(
    hass: HomeAssistant, watcher: FakeWatcher, server: Server, excluded: str
) -> None:
    """An account excludes its searches."""
    target = _target(hass, "Boss") | {"exclude": _target(hass, excluded)}
    done = await automate(hass, {"trigger": TRIGGER, "target": target})
    server.matching[BOSS] = {7}
    await _deliver(hass, watcher)
    assert not done


@pytest.mark.parametrize(
    ("target", "total"),
    [
        pytest.param(["Bills"], 8, id="all its folders"),
        pytest.param(["event.work_boss_matching_mail"], 2, id="event entity"),
        pytest.param(["Bills", "Boss"], 10, id="two searches"),
        pytest.param(["INBOX", "Boss"], 3, id="with a folder"),
        pytest.param([""], 2, id="account: its folders"),
    ],
)
async def test_condition_counts_matches(
    hass: HomeAssistant, watcher: FakeWatcher, target: list[str], total: int
) -> None:
    """The matches of searches are added to the unread mail of folders."""
    for above, expected in ((total - 1, True), (total, False)):
        config = await async_validate_condition_config(
            hass,
            {
                "condition": CONDITION,
                "target": _target(hass, *target),
                "options": {"above": above},
            },
        )
        condition = await async_from_config(hass, config)
        assert condition.async_check() is expected
        condition.async_unload()


async def test_the_editor_offers_both_for_a_search(
    hass: HomeAssistant, watcher: FakeWatcher
) -> None:
    """And neither for an entity of an account that is in no list, such as its button."""
    for selection, expected in (
        (_target(hass, "Bills"), True),
        (_target(hass, "event.work_bills_matching_mail"), True),
        (_target(hass, "button.work_check_now"), False),
    ):
        triggers = await async_get_triggers_for_target(hass, selection, True)
        conditions = await async_get_conditions_for_target(hass, selection, True)
        assert (TRIGGER in triggers, CONDITION in conditions) == (expected, expected)
