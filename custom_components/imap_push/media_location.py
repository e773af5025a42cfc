"""Identifiers of media: an account, a folder, a mail or an attachment."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, NamedTuple, Self

import voluptuous as vol

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.service import async_get_config_entry

from .const import DOMAIN
from .coordinator import ImapPushConfigEntry
from .imap import Attachment, Client
from .mail.service_schemas import LINE, PART, number


class Location(NamedTuple):
    """An account, folder, mail or attachment. Fields of the levels below are empty."""

    entry: ImapPushConfigEntry
    folder: str = ""
    uid_validity: int = 0
    uid: int = 0
    part: str = ""

    @classmethod
    def parse(cls, hass: HomeAssistant, identifier: str) -> Self:
        """Parse an identifier. Raises HomeAssistantError if its format or account is invalid."""
        entry_id, *names = identifier.split("/")
        entry = async_get_config_entry(hass, DOMAIN, entry_id)
        try:
            return cls(entry=entry, **_parse(*names))
        except (TypeError, ValueError, vol.Invalid) as err:
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="unknown_media"
            ) from err

    def identifier(self, *, uid: int = 0, part: str = "") -> str:
        """Return the identifier of this location, or of a mail or part in it."""
        names = [self.entry.entry_id]
        if self.folder:
            names.append(_encode(self.folder))
        if uid or self.uid:
            names += [str(self.uid_validity), str(uid or self.uid)]
        if part or self.part:
            names.append(part or self.part)
        return "/".join(names)

    @property
    def client(self) -> Client:
        """Return the client of the account."""
        return self.entry.runtime_data.client

    async def attachment(self) -> Attachment:
        """Return the description of the attachment. Raises ImapError if it does not exist."""
        return await self.client.attachment(
            self.folder, self.uid_validity, self.uid, self.part
        )


def _encode(folder: str) -> str:
    """Encode a folder name, which may contain any character, as a path segment (base64url).

    The padding is removed: Home Assistant's security filter would reject the request.
    """
    return urlsafe_b64encode(folder.encode()).decode().rstrip("=")


def _decode(folder: str) -> str:
    return urlsafe_b64decode(folder + "=" * (-len(folder) % 4)).decode()


def _parse(
    folder: str = "", uid_validity: str = "", uid: str = "", part: str = ""
) -> dict[str, Any]:
    """Parse the segments after the account; return the other fields of _Location."""
    fields: dict[str, Any] = {}
    if folder:
        fields["folder"] = LINE(_decode(folder))
    if uid_validity:
        fields |= {"uid_validity": number(uid_validity), "uid": number(uid)}
    if part:
        fields["part"] = PART(part)
    return fields
