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

from aiohttp import web

from homeassistant.auth.models import User
from homeassistant.components.http import KEY_HASS_USER
from homeassistant.components.media_player.const import DATA_COMPONENT as MEDIA_PLAYERS
from homeassistant.components.websocket_api import current_connection
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.http import current_request

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
        """Raise ServiceValidationError unless `may` returns true."""
        if self.may(needed, entry):
            return
        if needed is Access.CHANGE:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="change_not_allowed",
                translation_placeholders={"account": entry.title},
            )
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="read_not_allowed",
            translation_placeholders={"account": entry.title},
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


async def async_requester_of_media(
    hass: HomeAssistant, player: str | None
) -> Requester:
    """Return who browses media, or plays it on a media player.

    Media sources do not get to know this. A media player has the context of the action that
    it carries out. Everything else belongs to the WebSocket connection or the request under
    way; a webhook has a request without a user.
    """
    if (context := _context_of_player(hass, player)) is not None:
        return await async_requester_of_action(hass, context)
    if (connection := current_connection.get()) is not None:
        return Requester(user=connection.user)
    if (request := current_request.get()) is not None:
        return Requester(user=request.get(KEY_HASS_USER))
    return AUTOMATION


def _context_of_player(hass: HomeAssistant, entity_id: str | None) -> Context | None:
    """Return the context that a media player acts in, None if it has none."""
    component = hass.data.get(MEDIA_PLAYERS)
    if component is None or entity_id is None:
        return None
    player = component.get_entity(entity_id)
    # There is no public way to read what async_set_context has set.
    return None if player is None else player._context  # noqa: SLF001


def requester_of_request(request: web.Request) -> Requester:
    """Return who sends a request; Home Assistant signs what automations play as a system user."""
    user: User = request[KEY_HASS_USER]
    return AUTOMATION if user.system_generated else Requester(user=user)
