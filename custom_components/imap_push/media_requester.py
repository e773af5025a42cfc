"""Who browses media, or plays it: media sources do not get to know this."""

from homeassistant.components.http import KEY_HASS_USER
from homeassistant.components.media_player.const import DATA_COMPONENT as MEDIA_PLAYERS
from homeassistant.components.websocket_api import current_connection
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers.http import current_request

from .permissions import AUTOMATION, Requester, async_requester_of_action


async def async_requester_of_media(
    hass: HomeAssistant, player: str | None
) -> Requester:
    """Return who browses media, or plays it on a media player.

    A media player has the context of the action that it carries out. Everything else belongs to
    the WebSocket connection or the request under way; a webhook has a request without a user.

    Some integrations pass on what a user plays without its context: that context has no
    parent. The context of an automation that a user triggers has one.
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
    """Return whose WebSocket connection or request is under way; without one, AUTOMATION."""
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
