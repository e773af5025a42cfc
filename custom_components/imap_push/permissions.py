"""Who may use the mail of an account.

| | administrator | other user | automation | assistant without a user |
|---|---|---|---|---|
| `search`, `fetch`, media | yes | option | yes | - |
| `set_flags`, `move`, `delete` | yes | option | yes | - |
| `save_attachment` | yes | no | yes | - |
| tools for assistants | yes | option | - | option |
| trigger, bus event | yes | no | yes | - |
| fields of mail in entities and in the activity log | option | option | option | option |

"Option" is the account's option `access`: nobody, read, or read and change. The switch
`assistant` has to be on for the tools, and `read_only` refuses changes to everybody.

An automation has no user in its context, also one that a user triggers. A script that a user
starts counts as that user. Home Assistant shows the states of entities and the activity log to
all users alike, so the option decides for all of them.
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
    """What users who are not administrators may do with the mail of an account."""

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
    """Return whether every user may see the fields of mail."""
    return access_of(entry) is not Access.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """Who asks for mail: a user, None if it is not known which, or an automation."""

    user: User | None = None
    is_automation: bool = False

    @property
    def is_trusted(self) -> bool:
        """Return whether no option restricts the requester."""
        return self.is_automation or (self.user is not None and self.user.is_admin)

    def may(self, needed: Access, entry: ConfigEntry) -> bool:
        """Return whether the mail of an account may be read, or changed."""
        return self.is_trusted or access_of(entry) in {needed, Access.CHANGE}

    def check(self, needed: Access, entry: ConfigEntry) -> None:
        """Raise ServiceValidationError unless `may` returns true.

        It does not name the account: Home Assistant logs it.
        """
        if self.may(needed, entry):
            return
        if needed is Access.CHANGE:
            raise ServiceValidationError(
                translation_domain=DOMAIN, translation_key="change_not_allowed"
            )
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="read_not_allowed"
        )

    def check_administrator(self) -> None:
        """Raise ServiceValidationError for a user who is not an administrator."""
        if not self.is_trusted:
            raise ServiceValidationError(
                translation_domain=DOMAIN, translation_key="administrators_only"
            )


AUTOMATION: Final = Requester(is_automation=True)


async def async_requester_of_action(hass: HomeAssistant, context: Context) -> Requester:
    """Return who calls an action; without a user it is an automation."""
    if context.user_id is None:
        return AUTOMATION
    return Requester(user=await hass.auth.async_get_user(context.user_id))


async def async_requester_of_tool(
    hass: HomeAssistant, context: Context | None
) -> Requester:
    """Return who talks to an assistant; a voice satellite does not know."""
    if context is None or context.user_id is None:
        return Requester()
    return Requester(user=await hass.auth.async_get_user(context.user_id))
