"""The value of a saved search: a template over the newest message that matches."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
import math
from typing import Any, Final, NamedTuple, Self

from homeassistant.components.sensor import (
    NON_NUMERIC_DEVICE_CLASSES,
    SensorDeviceClass,
    SensorStateClass,
)
from homeassistant.const import (
    CONF_DEVICE_CLASS,
    CONF_UNIT_OF_MEASUREMENT,
    CONF_VALUE_TEMPLATE,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template
from homeassistant.util import dt as dt_util

from ..const import CONF_CLEAR_AFTER, CONF_STATE_CLASS, CONF_VALUE
from ..imap import Mail, MessageContent
from ..mail.event_data import mail_fields

# Characters of a state, and of the text that the template gets.
MAX_LENGTH: Final = 255
TEXT_SIZE: Final = 100_000
RENDER_TIMEOUT_SECONDS: Final = 2.0

type Value = str | float | date | datetime | None


class ValueNotRendered(Exception):
    """The template takes too long, or its result is not a value of the device class."""


class ValueOptions(NamedTuple):
    """How a value is rendered and shown; `clear_after` is the time after the arrival."""

    template: str
    device_class: SensorDeviceClass | None = None
    unit: str | None = None
    state_class: SensorStateClass | None = None
    clear_after: timedelta | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self | None:
        """Return the options in the data of a search, None if it has no value."""
        if not (value := config.get(CONF_VALUE)):
            return None
        device_class = value.get(CONF_DEVICE_CLASS)
        state_class = value.get(CONF_STATE_CLASS)
        minutes = value.get(CONF_CLEAR_AFTER)
        return cls(
            template=value[CONF_VALUE_TEMPLATE],
            device_class=SensorDeviceClass(device_class) if device_class else None,
            unit=value.get(CONF_UNIT_OF_MEASUREMENT),
            state_class=SensorStateClass(state_class) if state_class else None,
            clear_after=timedelta(minutes=minutes) if minutes else None,
        )

    @property
    def is_numeric(self) -> bool:
        """Return whether Home Assistant requires a number."""
        if self.device_class in NON_NUMERIC_DEVICE_CLASSES:
            return False
        return bool(self.device_class or self.unit or self.state_class)

    def remaining(self, mail: Mail) -> timedelta | None:
        """Return the time until the value of a message is cleared, None if it never is."""
        arrived = mail.received or mail.date
        if self.clear_after is None or arrived is None:
            return None
        return arrived + self.clear_after - dt_util.utcnow()


def template_variables(content: MessageContent, account: str) -> dict[str, Any]:
    """Return the variable `mail` of a template."""
    mail = mail_fields(content.mail, entry_id="", account=account) | {
        "text": content.text,
        "html": content.html or "",
        "headers": [{"name": name, "value": value} for name, value in content.headers],
    }
    return {"mail": mail}


async def async_render(
    hass: HomeAssistant, options: ValueOptions, variables: Mapping[str, Any]
) -> Value:
    """Render the template in a thread. Raises TemplateError or ValueNotRendered."""
    results: list[str] = []
    # Home Assistant's method with a timeout returns no result, so the template passes it on.
    template = Template(
        "{% set imap_push_value %}"
        + options.template
        + "{% endset %}{{ imap_push_keep(imap_push_value) }}",
        hass,
    )
    variables = {**variables, "imap_push_keep": results.append}
    if await template.async_render_will_timeout(RENDER_TIMEOUT_SECONDS, variables):
        raise ValueNotRendered("the template takes too long")
    return _value(options, str(results[0]).strip() if results else "")


def _value(options: ValueOptions, text: str) -> Value:
    """Convert the result of a template; return None if it is empty or "None"."""
    if text in {"", "None", "none"}:
        return None
    if len(text) > MAX_LENGTH:
        raise ValueNotRendered(f"more than {MAX_LENGTH} characters")
    value: Value = text
    if options.device_class is SensorDeviceClass.TIMESTAMP:
        moment = dt_util.parse_datetime(text)
        value = moment and dt_util.as_local(moment)
    elif options.device_class is SensorDeviceClass.DATE:
        value = dt_util.parse_date(text)
    elif options.is_numeric:
        value = _number(text)
    if value is None:
        raise ValueNotRendered("not a value of the device class")
    return value


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and "." not in text else number
