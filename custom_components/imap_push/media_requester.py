"""Finds the requester of media: Home Assistant does not pass it to media sources."""

from homeassistant.components.http import KEY_HASS_USER
from homeassistant.components.media_player.const import DATA_COMPONENT as MEDIA_PLAYERS
from homeassistant.components.websocket_api import current_connection
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers.http import current_request

from .permissions import AUTOMATION, Requester, async_requester_of_action


async def async_requester_of_media(
    hass: HomeAssistant, player: str | None
) -> Requester:
    """Return the requester that browses media, or plays it on a media player.

    For a media player, the context of the action decides. Otherwise the current WebSocket
    connection or HTTP request does; a webhook is a request without a user.

    Some integrations play media for a user without passing the user's context. The new context
    then has no parent, but that of an automation which a user triggers has one.
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
    """Return the requester of the current connection or request, or AUTOMATION without one."""
    if (connection := current_connection.get()) is not None:
        return Requester(user=connection.user)
    if (request := current_request.get()) is not None:
        return Requester(user=request.get(KEY_HASS_USER))
    return AUTOMATION


def _context_of_player(hass: HomeAssistant, entity_id: str | None) -> Context | None:
    """Return the present context of a media player, None if it has none."""
    component = hass.data.get(MEDIA_PLAYERS)
    if component is None or entity_id is None:
        return None
    player = component.get_entity(entity_id)
    # There is no public way to read the context that async_set_context has set.
    return None if player is None else player._context  # noqa: SLF001
