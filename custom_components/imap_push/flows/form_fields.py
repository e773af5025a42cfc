"""Fields that several forms have, and how their values are stored."""

from collections.abc import Mapping
from typing import Any, Final

import voluptuous as vol

from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from ..const import CONF_FLAGGED, CONF_HAS_ATTACHMENT, CONF_UNREAD

# Fields that are yes, no, or do not matter; stored as a boolean, or not at all.
CHOICES: Final = (CONF_FLAGGED, CONF_HAS_ATTACHMENT, CONF_UNREAD)
ANY: Final = "any"
MEANINGS: Final = {"yes": True, "no": False}
WORDS: Final = {meaning: word for word, meaning in MEANINGS.items()}


def dropdown(field: str, options: list[str]) -> SelectSelector:
    """Return a choice of one option, whose texts are found by the field's name."""
    return SelectSelector(
        SelectSelectorConfig(
            options=options, mode=SelectSelectorMode.DROPDOWN, translation_key=field
        )
    )


def choice(field: str) -> dict[vol.Marker, Any]:
    """Return a field that is yes, no, or does not matter."""
    return {vol.Required(field, default=ANY): dropdown(field, [ANY, *MEANINGS])}


def whole_number(config: NumberSelectorConfig) -> vol.All[int]:
    """Return a box for a whole number."""
    return vol.All(
        NumberSelector({**config, "mode": NumberSelectorMode.BOX}), vol.Coerce(int)
    )


def folding(schema: vol.Schema, values: Mapping[str, Any]) -> section:
    """Return a section that is open if something in it is set."""
    fields = {str(marker) for marker in schema.schema}
    config = config_from_form({key: values[key] for key in values if key in fields})
    return section(schema, {"collapsed": not config})


def config_from_form(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is to be stored: only what is set, without the blanks around it."""
    config = {key: _meaning(key, value) for key, value in values.items()}
    return {key: config[key] for key in config if config[key] not in (None, "", [])}


def form_from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a form shows of what is stored."""
    return {
        key: WORDS[value] if key in CHOICES else value for key, value in config.items()
    }


def _meaning(field: str, value: Any) -> Any:
    """Return what the value of a field stands for, None or empty if for nothing."""
    if field in CHOICES:
        return MEANINGS.get(value)
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return [text.strip() for text in value if text.strip()]
    return value
