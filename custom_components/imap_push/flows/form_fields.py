"""Fields that several forms have, and the conversion of their values for storage."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import voluptuous as vol

from homeassistant.const import UnitOfInformation
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from ..account.picture import PictureFetch
from ..account.todo_list import TodoKind
from ..const import (
    CONF_FLAGGED,
    CONF_HAS_ATTACHMENT,
    CONF_PICTURE,
    CONF_TODO,
    CONF_UNREAD,
)

type UserInput = dict[str, Any] | None

# Fields with the options yes and no, stored as a boolean, and "any", which is not stored.
CHOICES: Final = (CONF_FLAGGED, CONF_HAS_ATTACHMENT, CONF_UNREAD)
ANY: Final = "any"
CHOICE_VALUES: Final = {"yes": True, "no": False}
CHOICE_NAMES: Final = {value: name for name, value in CHOICE_VALUES.items()}


def dropdown(field: str, options: list[str]) -> SelectSelector:
    """Return a selector for one of `options`, translated under the name of the field."""
    return SelectSelector(
        SelectSelectorConfig(
            options=options, mode=SelectSelectorMode.DROPDOWN, translation_key=field
        )
    )


def choice(field: str) -> dict[vol.Marker, Any]:
    """Return a field with the options any, yes and no."""
    return {vol.Required(field, default=ANY): dropdown(field, [ANY, *CHOICE_VALUES])}


# Fields for the to-do list and the picture, stored unless they have the default.
LIST_FIELDS: Final[dict[str, tuple[type[StrEnum], StrEnum]]] = {
    CONF_TODO: (TodoKind, TodoKind.UNREAD),
    CONF_PICTURE: (PictureFetch, PictureFetch.ON_DEMAND),
}
LIST_SCHEMA: Final = vol.Schema(
    {
        vol.Required(field, default=default.value): dropdown(
            field, [kind.value for kind in kinds]
        )
        for field, (kinds, default) in LIST_FIELDS.items()
    }
)
SECTION_LISTS: Final = "lists"


def list_section(values: Mapping[str, Any]) -> dict[vol.Marker, Any]:
    """Return a section with these fields, expanded if one does not have the default."""
    is_default = not list_config(values.get(SECTION_LISTS, {}))
    fields = section(LIST_SCHEMA, {"collapsed": is_default})
    return {vol.Required(SECTION_LISTS): fields}


def list_config(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of LIST_SCHEMA for storage."""
    return {
        field: values[field]
        for field, (_, default) in LIST_FIELDS.items()
        if values.get(field, default) != default
    }


def whole_number(config: NumberSelectorConfig) -> vol.All[int]:
    """Return an input box for an integer."""
    return vol.All(
        NumberSelector({**config, "mode": NumberSelectorMode.BOX}), vol.Coerce(int)
    )


# kB of a mail.
KILOBYTES: Final = whole_number(
    NumberSelectorConfig(
        min=1, max=1_000_000, unit_of_measurement=UnitOfInformation.KILOBYTES
    )
)


def collapsible(schema: vol.Schema, values: Mapping[str, Any]) -> section:
    """Return a form section that is expanded if `values` sets one of its fields."""
    fields = {str(marker) for marker in schema.schema}
    config = config_from_form({key: values[key] for key in values if key in fields})
    return section(schema, {"collapsed": not config})


def config_from_form(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert form values for storage: strip texts, and omit fields that are not set."""
    config = {key: _value_to_store(key, value) for key, value in values.items()}
    return {key: config[key] for key in config if config[key] not in (None, "", [])}


def form_from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Convert stored values to form values."""
    return {
        key: CHOICE_NAMES[value] if key in CHOICES else value
        for key, value in config.items()
    }


def _value_to_store(field: str, value: Any) -> Any:
    """Convert the value of a field for storage; None or empty if the field is not set."""
    if field in CHOICES:
        return CHOICE_VALUES.get(value)
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return [text.strip() for text in value if text.strip()]
    return value
