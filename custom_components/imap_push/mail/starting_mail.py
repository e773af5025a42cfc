"""The mail that started an automation, which its actions read or change by default.

New mail is delivered with a context. The automation that it triggers has a new context with this
one as the parent, and passes it to its actions and to the scripts that it calls.
"""

from typing import Any, Final, NamedTuple

from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from .event_data import NewMail

MAX_MAILS: Final = 1000


class StartingMail(NamedTuple):
    """The fields that identify a mail, named like those of an action."""

    entry_id: str
    folder: str
    uid_validity: int
    uid: int


class _Known:
    """Mails by context ID, None for a context of several mails; the oldest first.

    `forgotten` is the ID of the newest context that was removed. IDs are ULIDs, in order of time.
    """

    def __init__(self) -> None:
        self.mails: dict[str, StartingMail | None] = {}
        self.forgotten = ""


_KEY: Final = HassKey[_Known](f"{DOMAIN}_starting_mails")


@callback
def async_remember_mail(hass: HomeAssistant, context: Context, mail: NewMail) -> None:
    """Store which mail is delivered with a context; remove the oldest above MAX_MAILS."""
    known = hass.data.setdefault(_KEY, _Known())
    new = StartingMail(**{field: mail[field] for field in StartingMail._fields})
    is_same = known.mails.get(context.id, new) == new
    known.mails[context.id] = new if is_same else None
    if len(known.mails) > MAX_MAILS:
        known.forgotten = next(iter(known.mails))
        del known.mails[known.forgotten]


@callback
def async_starting_mail(hass: HomeAssistant, context: Context) -> dict[str, Any]:
    """Return the fields of the mail that started an action, `uid` as a list.

    Raises ServiceValidationError if it is not known, or could be one of several.
    """
    known = hass.data.get(_KEY) or _Known()
    for context_id in (context.parent_id, context.id):
        if context_id in known.mails:
            if mail := known.mails[context_id]:
                return {**mail._asdict(), "uid": [mail.uid]}
            raise ServiceValidationError(
                translation_domain=DOMAIN, translation_key="several_starting_mails"
            )
    if context.parent_id and context.parent_id <= known.forgotten:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="starting_mail_forgotten",
            translation_placeholders={"max_mails": f"{MAX_MAILS:,}"},
        )
    raise ServiceValidationError(
        translation_domain=DOMAIN, translation_key="no_starting_mail"
    )
