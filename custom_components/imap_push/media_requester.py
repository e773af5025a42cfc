"""Finds out who requests media: Home Assistant does not tell media sources."""

from homeassistant.components.http import KEY_HASS_USER
from homeassistant.components.media_player.const import DATA_COMPONENT as MEDIA_PLAYERS
from homeassistant.components.websocket_api import current_connection
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers.http import current_request

from .permissions import AUTOMATION, Requester, async_requester_of_action


async def async_requester_of_media(
    hass: HomeAssistant, player: str | None
) -> Requester:
    """Return who browses media, or plays media on the entity `player`.

    With a player, the context of the player's last action decides. Otherwise the user of the
    current WebSocket connection or HTTP request decides (no user for a webhook).

    Some integrations play media for a user with a new context, which has neither user nor
    parent. Then a restricted user of the connection decides, not the context. The context of an
    automation that a user triggers has a parent.
    """
    context = _context_of_player(hass, player)
    sender = _sender()
    if context is None:
        return sender
    is_bare = context.user_id is None and context.parent_id is None
    if is_bare and sender.user is not None and not sender.is_trusted:
        return sender
    return await async_requester_of_action(hass, context)


def _sender() -> Requester:
    """Return the user of the current connection or request; AUTOMATION if there is none."""
    if (connection := current_connection.get()) is not None:
        return Requester(user=connection.user)
    if (request := current_request.get()) is not None:
        return Requester(user=request.get(KEY_HASS_USER))
    return AUTOMATION


def _context_of_player(hass: HomeAssistant, entity_id: str | None) -> Context | None:
    """Return the current context of a media player, None if it has none."""
    component = hass.data.get(MEDIA_PLAYERS)
    if component is None or entity_id is None:
        return None
    player = component.get_entity(entity_id)
    # Home Assistant has no public way to read what async_set_context() has set.
    return None if player is None else player._context  # noqa: SLF001
