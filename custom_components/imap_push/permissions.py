"""Access to the mail of an account.

| | administrator | other user | automation | assistant without a user |
|---|---|---|---|---|
| `search`, `fetch`, media | yes | option | yes | - |
| actions that change mail | yes | option | yes | - |
| `save_attachment` | yes | no | yes | - |
| tools for assistants | yes | option | - | option |
| trigger, bus event | yes | no | yes | - |
| fields of mail in entities and in the activity log | option | option | option | option |
| reading to-do lists, pictures and values | option | option | option | option |
| changing items of to-do lists | yes | option | yes | option |

"Option": the account's option `access` (none, read, or read and change) decides. The tools also
need the option `assistant`, and the option `read_only` refuses all changes. To-do lists,
pictures and values exist only if the option `access` allows all users to read the mail.

The context of an automation has no user, even if a user triggers the automation. A script that
a user starts has the permissions of that user. All users see the same entities and the same
activity log, so the option applies to all users there.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from homeassistant.auth.models import User
from homeassistant.components.websocket_api import current_connection
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError

from .const import CONF_ACCESS, CONF_READ_ONLY, DEFAULT_READ_ONLY, DOMAIN


class Access(StrEnum):
    """What users without administrator rights may do with the mail of an account."""

    NONE = "none"
    READ = "read"
    CHANGE = "change"


def access_of(entry: ConfigEntry) -> Access:
    """Return the option `access` of an account; NONE if it is missing or invalid."""
    try:
        return Access(entry.options.get(CONF_ACCESS, Access.NONE))
    except ValueError:
        return Access.NONE


def is_mail_shown(entry: ConfigEntry) -> bool:
    """Return whether entities and the logbook, which all users see, show fields of mail."""
    return access_of(entry) is not Access.NONE


def check_not_read_only(entry: ConfigEntry) -> None:
    """Raise ServiceValidationError if the option `read_only` of the account is on."""
    if entry.options.get(CONF_READ_ONLY, DEFAULT_READ_ONLY):
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="read_only",
            translation_placeholders={"account": entry.title},
        )


class Requester(NamedTuple):
    """Who requests mail: an automation, or a user (None if unknown)."""

    user: User | None = None
    is_automation: bool = False

    @property
    def is_trusted(self) -> bool:
        """Return whether the option `access` does not restrict the requester."""
        return self.is_automation or (self.user is not None and self.user.is_admin)

    def has_access(self, needed: Access, entry: ConfigEntry) -> bool:
        """Return whether the requester has the `needed` access to the mail of an account."""
        return self.is_trusted or access_of(entry) in {needed, Access.CHANGE}

    def check_access(self, needed: Access, entry: ConfigEntry) -> None:
        """Raise ServiceValidationError if the requester does not have the `needed` access.

        Home Assistant logs the error, so it does not contain the account's name.
        """
        if self.has_access(needed, entry):
            return
        if needed is Access.CHANGE:
            raise ServiceValidationError(
                translation_domain=DOMAIN, translation_key="change_not_allowed"
            )
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="read_not_allowed"
        )

    def check_administrator(self) -> None:
        """Raise ServiceValidationError for a user without administrator rights."""
        if not self.is_trusted:
            raise ServiceValidationError(
                translation_domain=DOMAIN, translation_key="administrators_only"
            )


AUTOMATION: Final = Requester(is_automation=True)


async def async_requester_of_action(hass: HomeAssistant, context: Context) -> Requester:
    """Return who calls an action: AUTOMATION if the context has no user."""
    if context.user_id is None:
        return AUTOMATION
    return Requester(user=await hass.auth.async_get_user(context.user_id))


async def async_requester_of_tool(
    hass: HomeAssistant, context: Context | None
) -> Requester:
    """Return who uses a tool. The user is None for a voice satellite."""
    if context is None or context.user_id is None:
        return Requester()
    return Requester(user=await hass.auth.async_get_user(context.user_id))


async def async_requester_of_todo(
    hass: HomeAssistant, context: Context | None
) -> Requester:
    """Return who changes an item of a to-do list.

    Without the context of an action, it is an assistant: the user of its WebSocket connection,
    if any, decides.
    """
    if context is not None:
        return await async_requester_of_action(hass, context)
    connection = current_connection.get()
    return Requester(user=connection.user if connection else None)
