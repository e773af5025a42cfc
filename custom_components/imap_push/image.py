"""The newest attached picture of each folder and saved search."""

import logging
from typing import Final, override

from homeassistant.components.image import ImageEntity
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .account.mail_list import MailSource
from .account.picture import PictureFetch, picture_fetch, picture_source
from .coordinator import AccountCoordinator, ImapPushConfigEntry
from .entity import MailListEntity, async_add_subentry_entities
from .imap import ImapError, Mail
from .mail.errors import error_for_user

_LOGGER = logging.getLogger(__name__)

PARALLEL_UPDATES = 0

PICTURE: Final = EntityDescription(
    key="picture", translation_key="picture", entity_registry_enabled_default=False
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ImapPushConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the pictures of all folders and searches."""
    async_add_subentry_entities(
        entry,
        async_add_entities,
        lambda entry, subentry: [MailPicture(entry.runtime_data, subentry, PICTURE)],
    )


class MailPicture(MailListEntity, ImageEntity):
    """The newest attached picture; its state is the time when the message arrived."""

    _mail: Mail | None = None

    def __init__(
        self,
        coordinator: AccountCoordinator,
        subentry: ConfigSubentry,
        description: EntityDescription,
    ) -> None:
        """Create the entity without a picture."""
        MailListEntity.__init__(self, coordinator, subentry, description)
        ImageEntity.__init__(self, coordinator.hass)

    @override
    def source_of(self, subentry: ConfigSubentry) -> MailSource:
        """Return the newest message with a picture."""
        self._fetch = picture_fetch(subentry.data)
        return picture_source(subentry)

    @override
    def show(self, mails: tuple[Mail, ...] | None) -> None:
        """Set the message with the picture; fetch it if the option says so."""
        if mails is None or (mail := next(iter(mails), None)) == self._mail:
            return
        self._mail = mail
        self._attr_image_last_updated = (mail.received or mail.date) if mail else None
        # Frontends load the new picture, even if it arrived in the same second as the last one.
        self.async_update_token()
        if mail is not None and self._fetch is PictureFetch.ON_ARRIVAL:
            self.coordinator.config_entry.async_create_background_task(
                self.hass, self._async_prefetch(), f"{self.coordinator.name}_picture"
            )

    async def _async_prefetch(self) -> None:
        try:
            await self._async_fetch()
        except ImapError as err:
            _LOGGER.debug("A picture was not fetched: %s", type(err).__name__)

    async def _async_fetch(self) -> bytes | None:
        """Return the picture, and set its type by its content."""
        mail, accepts = self._mail, self._source.accepts
        file = accepts(mail) if mail and accepts else None
        if mail is None or file is None:
            return None
        picture = await self.coordinator.pictures.fetch(mail, file)
        if picture is None:
            return None
        self._attr_content_type = picture.content_type
        return picture.content

    @override
    async def async_image(self) -> bytes | None:
        """Return the picture, None if the attachment is none. Raises HomeAssistantError."""
        try:
            return await self._async_fetch()
        except ImapError as err:
            self.mail_list.refresh()
            account = self.coordinator.config_entry.title
            raise error_for_user(err, account) from None
