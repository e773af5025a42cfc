"""The value of a saved search with the real engine: a template over the newest mail."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
import re
from types import MappingProxyType
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push import value_sensor
from custom_components.imap_push.account import value
from custom_components.imap_push.account.value import (
    ValueNotRendered,
    ValueOptions,
    async_render,
)
from custom_components.imap_push.flows.value_fields import value_error
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import TemplateError
from homeassistant.helpers import entity_registry as er

from .. import get_state, make_mail
from ..light_account import ENTRY_ID, make_light_entry, wait_until

from tests.rig.light_server import LightServer

VALUE = "sensor.jane_example_com_code_value"
CODE = r"{{ mail.text | regex_findall_index('code is ([0-9]+)') }}"
MAIL: dict[str, Any] = {"text": "Total: 12.50 EUR", "subject": "Invoice"}


def options(template: str, **value: Any) -> ValueOptions:
    """Return the options of a value."""
    made = ValueOptions.from_config({"value": {"value_template": template, **value}})
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        pytest.param(options("{{ mail.subject }}"), "Invoice", id="text"),
        pytest.param(options(" constant "), "constant", id="no template"),
        pytest.param(options("{{ 'a' * 255 }}"), "a" * 255, id="255 characters"),
        pytest.param(options("{{ none }}"), None, id="none"),
        pytest.param(options("{% if false %}x{% endif %}"), None, id="empty"),
        pytest.param(
            options(
                r"{{ mail.text | regex_findall_index('[0-9.]+') }}",
                device_class="monetary",
                unit_of_measurement="EUR",
            ),
            12.5,
            id="amount",
        ),
        pytest.param(options("007", state_class="total"), 7, id="integer"),
        pytest.param(options("007"), "007", id="digits as text"),
        pytest.param(
            options("2026-12-01", device_class="date"), date(2026, 12, 1), id="date"
        ),
        pytest.param(
            options("2026-12-01T10:00:00Z", device_class="timestamp"),
            datetime(2026, 12, 1, 10, tzinfo=UTC),
            id="timestamp",
        ),
        pytest.param(options("{{ states('sun.sun') }}"), "unknown", id="states"),
        pytest.param(
            options("{% set x = 1 %}{% macro y() %}z{% endmacro %}{{ y() }}{{ x }}"),
            "z1",
            id="statements",
        ),
    ],
)
async def test_value_is_rendered(
    hass: HomeAssistant, made: ValueOptions, expected: object
) -> None:
    """As text, or as the device class requires it."""
    assert await async_render(hass, made, {"mail": MAIL}) == expected


@pytest.mark.parametrize(
    ("made", "error"),
    [
        pytest.param(options("{{ 'a' * 256 }}"), ValueNotRendered, id="long"),
        pytest.param(options("x", state_class="total"), ValueNotRendered, id="number"),
        pytest.param(options("nan", state_class="total"), ValueNotRendered, id="NaN"),
        pytest.param(options("x", device_class="date"), ValueNotRendered, id="date"),
        pytest.param(
            options("31.12.", device_class="timestamp"),
            ValueNotRendered,
            id="timestamp",
        ),
        pytest.param(options("{{ 1 / 0 }}"), TemplateError, id="division"),
        pytest.param(
            options("{{ mail.text | regex_findall_index('x') }}"),
            TemplateError,
            id="no match",
        ),
    ],
)
async def test_template_gives_no_value(
    hass: HomeAssistant, made: ValueOptions, error: type[Exception]
) -> None:
    """The caller gets an error."""
    with pytest.raises(error):
        await async_render(hass, made, {"mail": MAIL})


async def test_endless_template_is_stopped(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop continues meanwhile."""
    monkeypatch.setattr(value, "RENDER_TIMEOUT_SECONDS", 0.2)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.01)

    task = asyncio.create_task(tick())
    loop = (
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    )
    with pytest.raises(ValueNotRendered, match="too long"):
        await async_render(hass, options(loop), {"mail": MAIL})
    task.cancel()
    assert ticks > 3


@asynccontextmanager
async def watch(
    hass: HomeAssistant, account: Mapping[str, Any] | None = None, **fields: Any
) -> AsyncIterator[tuple[LightServer, MockConfigEntry]]:
    """Watch an empty INBOX with a saved search that has a value."""
    async with LightServer("INBOX") as server:
        server.folder().text = b"Your code is 4711.\r\n"
        access = {"access": "read"} if account is None else account
        entry = make_light_entry(server.port, "INBOX", options=access)
        entry.add_to_hass(hass)
        fields = {"value_template": CODE} | fields
        add_search(hass, entry, value=fields)
        assert await hass.config_entries.async_setup(ENTRY_ID)
        await wait_until(lambda: server.is_watched)
        yield server, entry
        assert await hass.config_entries.async_unload(ENTRY_ID)


def add_search(hass: HomeAssistant, entry: MockConfigEntry, **data: Any) -> None:
    """Add a saved search."""
    subentry = ConfigSubentry(
        data=MappingProxyType({"folders": ["INBOX"], "subject": "Mail"} | data),
        subentry_id="code",
        subentry_type="search",
        title="code",
        unique_id=None,
    )
    hass.config_entries.async_add_subentry(entry, subentry)


async def until(hass: HomeAssistant, state: str) -> None:
    """Wait until the sensor has a state."""
    await wait_until(lambda: get_state(hass, VALUE).state == state)


@pytest.mark.usefixtures("socket_enabled")
async def test_value_of_the_newest_mail(hass: HomeAssistant) -> None:
    """The next mail replaces it; deleted, the one before it gives the value again."""
    async with watch(hass) as (server, _):
        await until(hass, STATE_UNKNOWN)
        server.deliver(1)
        await until(hass, "4711")
        server.folder().text = b"Your code is 0815.\r\n"
        server.deliver(1)
        await until(hass, "0815")
        server.folder().text = b"Your code is 1.\r\n"
        server.expunge(2)
        await until(hass, "1")
        server.expunge(1)
        await until(hass, STATE_UNKNOWN)


@pytest.mark.usefixtures("socket_enabled")
async def test_value_has_class_and_unit(hass: HomeAssistant) -> None:
    """Statistics and cards need them."""
    fields: dict[str, Any] = {"device_class": "energy", "unit_of_measurement": "kWh"}
    fields["state_class"] = "total_increasing"
    async with watch(hass, **fields) as (server, _):
        server.deliver(1)
        await until(hass, "4711")
        attributes = get_state(hass, VALUE).attributes
        assert attributes["device_class"] == "energy"
        assert attributes["unit_of_measurement"] == "kWh"
        assert attributes["state_class"] == "total_increasing"


@pytest.mark.usefixtures("socket_enabled")
async def test_template_with_an_error(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    """The value is unknown, and the log has no text of the mail."""
    template = "{{ mail.text | float }}"
    async with watch(hass, value_template=template) as (server, _):
        server.deliver(1)
        await wait_until(lambda: "gives no value" in caplog.text)
        await until(hass, STATE_UNKNOWN)
    assert "4711" not in "".join(
        record.getMessage() for record in caplog.records if record.levelname != "DEBUG"
    )


@pytest.mark.usefixtures("socket_enabled")
async def test_value_is_cleared(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some time after the arrival, which the server reports."""
    later = timedelta(seconds=1)
    monkeypatch.setattr(ValueOptions, "remaining", lambda *_: later)
    async with watch(hass, clear_after=10) as (server, _):
        server.deliver(1)
        await until(hass, "4711")
        await until(hass, STATE_UNKNOWN)
        server.deliver(1)
        await until(hass, "4711")


@pytest.mark.parametrize(
    ("clear_after", "received", "expected"),
    [
        pytest.param(None, True, None, id="never"),
        pytest.param(10, True, 6, id="in six minutes"),
        pytest.param(3, True, -1, id="a minute ago"),
        pytest.param(10, False, None, id="unknown arrival"),
    ],
)
def test_time_until_a_value_is_cleared(
    freezer: FrozenDateTimeFactory,
    clear_after: int | None,
    received: bool,
    expected: int | None,
) -> None:
    """It depends on the arrival of the mail, not on that of the event."""
    arrival = datetime(2026, 11, 1, 12, tzinfo=UTC)
    freezer.move_to(arrival + timedelta(minutes=4))
    mail = make_mail(received=arrival if received else None)
    made = options("x", clear_after=clear_after)
    remaining = None if expected is None else timedelta(minutes=expected)
    assert made.remaining(mail) == remaining


@pytest.mark.usefixtures("socket_enabled")
async def test_old_mail_has_no_value(hass: HomeAssistant) -> None:
    """After a restart, for example; its text is not fetched."""
    async with watch(hass, clear_after=10) as (server, _):
        server.deliver(1)
        await asyncio.sleep(0.8)
        assert get_state(hass, VALUE).state == STATE_UNKNOWN


@pytest.mark.usefixtures("socket_enabled")
async def test_failed_fetch_is_repeated(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the attempts are used up; the next mail is read again."""
    monkeypatch.setattr(value_sensor, "RETRY_SECONDS", (0.05, 0.05))
    async with watch(hass) as (server, _):
        attempts = 0

        def refuse(line: bytes) -> list[bytes] | None:
            nonlocal attempts
            if b"BODY.PEEK[TEXT]" not in line:
                return None
            attempts += 1
            return [line.split()[0] + b" NO [SERVERBUG] broken"]

        server.habits.twist = refuse
        server.deliver(1)
        await wait_until(lambda: attempts >= 3)
        await asyncio.sleep(0.2)
        assert get_state(hass, VALUE).state == STATE_UNKNOWN
        server.habits.twist = None
        server.deliver(1)
        await until(hass, "4711")


@pytest.mark.usefixtures("socket_enabled")
async def test_value_is_changed_and_removed(hass: HomeAssistant) -> None:
    """Another template applies at once; without one, the entity is removed."""
    async with watch(hass) as (server, entry):
        server.deliver(1)
        await until(hass, "4711")
        subentry = entry.subentries["code"]
        template = {"value_template": "{{ mail.subject }}"}
        changed = {**subentry.data, "value": template}
        hass.config_entries.async_update_subentry(entry, subentry, data=changed)
        await hass.async_block_till_done()
        await until(hass, "Mail nº 1")
        rest = {key: changed[key] for key in changed if key != "value"}
        hass.config_entries.async_update_subentry(entry, subentry, data=rest)
        await wait_until(lambda: VALUE not in er.async_get(hass).entities)
        await wait_until(lambda: server.is_watched)


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize("account", [{}, {"access": "none"}])
async def test_value_exists_only_if_all_may_read(
    hass: HomeAssistant, account: dict[str, Any]
) -> None:
    """Home Assistant does not check who reads a state."""
    async with watch(hass, account) as (server, _):
        server.deliver(1)
        await asyncio.sleep(0.8)
        assert hass.states.get(VALUE) is None


PAGE = (Path(__file__).parents[3] / "docs" / "values.md").read_text()
RECIPES = dict(re.findall(r"### (.*?)\n.*?```jinja\n(.*?)```", PAGE, re.DOTALL))
ENERGY = {
    "device_class": "energy",
    "unit_of_measurement": "kWh",
    "state_class": "total_increasing",
}
EURO = {"device_class": "monetary", "unit_of_measurement": "EUR"}


@pytest.mark.parametrize(
    ("recipe", "fields", "mail", "expected"),
    [
        ("One-time code", {}, "Your code: 471108. Call 0800123456789.", "471108"),
        ("One-time code", {}, "No code today, call 0800123456789.", None),
        ("Parcel status", {}, "Your parcel was Delivered", "delivered"),
        ("Parcel status", {}, "Out for delivery: parcel 7", "out for delivery"),
        ("Parcel status", {}, "Newsletter", None),
        ("Meter reading", ENERGY, "Reading: 12,345.5 kWh.", 12345.5),
        ("Meter reading", ENERGY, "No reading", None),
        ("Price", EURO, "Total: 1.234,50 €", 1234.5),
        ("Price", EURO, "Total: free", None),
        (
            "Next collection day",
            {"device_class": "date"},
            "Bins: 01.12.2026",
            date(2026, 12, 1),
        ),
        ("Next collection day", {"device_class": "date"}, "No bins", None),
    ],
)
async def test_documented_recipe(
    hass: HomeAssistant,
    recipe: str,
    fields: dict[str, Any],
    mail: str,
    expected: object,
) -> None:
    """Users can paste it."""
    made = options(RECIPES[recipe].strip(), **fields)
    variables = {"mail": {"text": mail, "subject": mail}}
    assert await async_render(hass, made, variables) == expected
    assert value_error({"value": {"value_template": RECIPES[recipe], **fields}}) is None


def test_every_recipe_is_tested() -> None:
    """The table above has each one."""
    assert len(RECIPES) == 5
