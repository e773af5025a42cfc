"""The fields for the value of a saved search."""

from collections.abc import Mapping
from typing import Any, Final

import voluptuous as vol

from homeassistant.components.sensor import (
    DEVICE_CLASS_STATE_CLASSES,
    DEVICE_CLASS_UNITS,
    DOMAIN as SENSOR_DOMAIN,
    SensorDeviceClass,
    SensorStateClass,
)
from homeassistant.const import (
    CONF_DEVICE_CLASS,
    CONF_UNIT_OF_MEASUREMENT,
    CONF_VALUE_TEMPLATE,
    UnitOfTime,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    NumberSelectorConfig,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TemplateSelector,
    TextSelector,
)
from homeassistant.helpers.translation import async_get_translations

from ..account.value import ValueOptions
from ..const import CONF_CLEAR_AFTER, CONF_STATE_CLASS, CONF_VALUE
from .form_fields import config_from_form, dropdown, whole_number

_CLASSES: Final = sorted({*SensorDeviceClass} - {SensorDeviceClass.ENUM})


async def device_class_options(hass: HomeAssistant) -> list[SelectOptionDict]:
    """Return the device classes with the names that Home Assistant gives them."""
    names = await async_get_translations(
        hass, hass.config.language, "entity_component", {SENSOR_DOMAIN}
    )
    prefix = f"component.{SENSOR_DOMAIN}.entity_component"
    options = [
        SelectOptionDict(
            value=device_class.value,
            label=names.get(f"{prefix}.{device_class}.name", device_class.value),
        )
        for device_class in _CLASSES
    ]
    return sorted(options, key=lambda option: option["label"].casefold())


def value_schema(device_classes: list[SelectOptionDict]) -> vol.Schema:
    """Return the fields of the section."""
    return vol.Schema(
        {
            vol.Optional(CONF_VALUE_TEMPLATE): TemplateSelector(),
            vol.Optional(CONF_DEVICE_CLASS): SelectSelector(
                SelectSelectorConfig(
                    options=device_classes, mode=SelectSelectorMode.DROPDOWN
                )
            ),
            vol.Optional(CONF_UNIT_OF_MEASUREMENT): TextSelector(),
            vol.Optional(CONF_STATE_CLASS): dropdown(
                CONF_STATE_CLASS,
                [
                    SensorStateClass.MEASUREMENT.value,
                    SensorStateClass.TOTAL.value,
                    SensorStateClass.TOTAL_INCREASING.value,
                ],
            ),
            vol.Optional(CONF_CLEAR_AFTER): whole_number(
                NumberSelectorConfig(
                    min=1, max=525_600, unit_of_measurement=UnitOfTime.MINUTES
                )
            ),
        }
    )


def value_config(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the section for storage, nothing without a value."""
    value = config_from_form(values)
    return {CONF_VALUE: value} if value else {}


def value_error(config: Mapping[str, Any]) -> tuple[str, dict[str, str]] | None:
    """Return the error of the section and its placeholders, None if it is valid.

    Home Assistant itself rejects a template with a wrong syntax.
    """
    if not (value := config.get(CONF_VALUE)):
        return None
    if not value.get(CONF_VALUE_TEMPLATE):
        return "no_template", {}
    options = ValueOptions.from_config(config)
    return _class_error(options) if options else None


def _class_error(options: ValueOptions) -> tuple[str, dict[str, str]] | None:
    """Return an error if Home Assistant would reject unit or state class."""
    if (device_class := options.device_class) is None:
        return None
    units = DEVICE_CLASS_UNITS.get(device_class)
    if not options.is_numeric:
        units = {None}
    if units is not None and options.unit not in units:
        return "wrong_unit", {"units": ", ".join(sorted(str(u or "–") for u in units))}
    state_classes = DEVICE_CLASS_STATE_CLASSES.get(device_class)
    if options.state_class and options.state_class not in (state_classes or ()):
        return "wrong_state_class", {}
    return None
