"""Access to the mail of an account.

| | administrator | other user | automation | assistant without a user |
|---|---|---|---|---|
| `search`, `fetch`, media | yes | option | yes | - |
| `set_flags`, `move`, `delete` | yes | option | yes | - |
| `save_attachment` | yes | no | yes | - |
| tools for assistants | yes | option | - | option |
| trigger, bus event | yes | no | yes | - |
| fields of mail in entities and in the activity log | option | option | option | option |

"Option" is the account's option `access`: none, read, or read and change. The tools also need
the option `assistant`, and `read_only` refuses all changes.

The context of an automation has no user, even if a user triggers the automation. A script that
a user starts has the permissions of that user. All users see the same entities and the same
activity log, so the option applies to all users there.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from homeassistant.auth.models import User
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError

from .const import CONF_ACCESS, DOMAIN


class Access(StrEnum):
    """Access of users without administrator rights to the mail of an account."""

    NONE = "none"
    READ = "read"
    CHANGE = "change"


def access_of(entry: ConfigEntry) -> Access:
    """Return the option of an account; NONE if it is not set or has an unknown value."""
    try:
        return Access(entry.options.get(CONF_ACCESS, Access.NONE))
    except ValueError:
        return Access.NONE


def is_mail_shown(entry: ConfigEntry) -> bool:
    """Return whether all users may see the fields of mail."""
    return access_of(entry) is not Access.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """The source of a request for mail: a user, None if unknown, or an automation."""

    user: User | None = None
    is_automation: bool = False

    @property
    def is_trusted(self) -> bool:
        """Return whether no option restricts the requester."""
        return self.is_automation or (self.user is not None and self.user.is_admin)

    def has_access(self, needed: Access, entry: ConfigEntry) -> bool:
        """Return whether the requester has the `needed` access to the mail of an account."""
        return self.is_trusted or access_of(entry) in {needed, Access.CHANGE}

    def check_access(self, needed: Access, entry: ConfigEntry) -> None:
        """Raise ServiceValidationError unless `has_access` returns True.

        The error does not contain the account's name, because Home Assistant logs it.
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
    """Return the requester of an action; a context without a user is an automation."""
    if context.user_id is None:
        return AUTOMATION
    return Requester(user=await hass.auth.async_get_user(context.user_id))


async def async_requester_of_tool(
    hass: HomeAssistant, context: Context | None
) -> Requester:
    """Return the requester of a tool; the context of a voice satellite has no user."""
    if context is None or context.user_id is None:
        return Requester()
    return Requester(user=await hass.auth.async_get_user(context.user_id))
