"""Save attachments of a mail: as many as possible, with the reason for each other one."""

from collections.abc import AsyncIterator, Callable, Container, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util.json import JsonObjectType, JsonValueType

from ..const import DOMAIN
from ..imap import Attachment, CommandRefused
from .errors import error_for_user
from .file_names import inert_filename, is_replaceable
from .files import (
    MAX_FILES,
    MAX_OCTETS,
    MIN_FREE_OCTETS,
    DirectoryFull,
    DirectoryNotAllowed,
    FileTooLarge,
    async_save,
    resolve_directory,
)

_OCTETS_PER_MEGABYTE: Final = 1_000_000
_OCTETS_PER_GIGABYTE: Final = 1_000_000_000


class NotSaved(NamedTuple):
    """An attachment that was not saved, and the error that says why."""

    attachment: Attachment
    error: HomeAssistantError

    def as_dict(self) -> JsonObjectType:
        """Return the fields of the response."""
        return {
            "part": self.attachment.part,
            "filename": self.attachment.filename,
            "content_type": self.attachment.content_type,
            "reason": self.error.translation_key,
            "message": str(self.error),
        }


class Saver(NamedTuple):
    """Saves attachments of one mail; `read` yields the content of a part.

    `max_size` is in megabytes, for one file.
    """

    hass: HomeAssistant
    account: str
    read: Callable[[str], AsyncIterator[bytes]]
    directory: Path
    max_size: float
    overwrite: bool

    async def async_save(
        self, attachments: Iterable[Attachment]
    ) -> tuple[list[JsonValueType], list[NotSaved]]:
        """Save the attachments; return the fields of the files, and what was not saved.

        Raises an error that concerns all attachments: of the connection, the mail or the directory.
        """
        files: dict[str, JsonObjectType] = {}
        skipped: list[NotSaved] = []
        for attachment in attachments:
            try:
                file = await self._async_save_one(attachment, files)
            except ServiceValidationError:
                raise
            except HomeAssistantError as err:
                skipped.append(NotSaved(attachment, err))
            else:
                files[str(file["filename"])] = file
        return [*files.values()], skipped

    async def _async_save_one(
        self, attachment: Attachment, saved_names: Container[str]
    ) -> JsonObjectType:
        """Save an attachment; return the fields of the file. Never overwrite `saved_names`.

        Errors may be logged, so they do not contain the name of the attachment.
        """
        name = inert_filename(attachment.filename, attachment.content_type)
        try:
            saved = await async_save(
                self.hass,
                self.directory / name,
                self.read(attachment.part),
                max_size=int(self.max_size * _OCTETS_PER_MEGABYTE),
                overwrite=self.overwrite
                # A mail can have several attachments with the same name.
                and name not in saved_names
                and is_replaceable(name, attachment.content_type),
            )
        except CommandRefused as err:
            raise error_for_user(err, self.account) from None
        except DirectoryNotAllowed as err:
            raise directory_not_allowed(str(self.directory)) from err
        except DirectoryFull as err:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="directory_full",
                translation_placeholders={
                    "directory": str(self.directory),
                    "max_files": f"{MAX_FILES:,}",
                    "max_size": f"{MAX_OCTETS / _OCTETS_PER_GIGABYTE:g}",
                    "min_free": f"{MIN_FREE_OCTETS / _OCTETS_PER_GIGABYTE:g}",
                },
            ) from err
        except FileTooLarge as err:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="file_too_large",
                translation_placeholders={"max_size": f"{self.max_size:g}"},
            ) from err
        except OSError as err:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="file_not_written",
                translation_placeholders={"reason": err.strerror or type(err).__name__},
            ) from err
        return {
            "path": str(saved.path),
            "filename": saved.path.name,
            "content_type": attachment.content_type,
            "size": saved.size,
            "media_content_id": saved.media_content_id,
        }


async def async_directory(hass: HomeAssistant, directory: str | None) -> Path:
    """Return the directory for attachments. Raises ServiceValidationError if not allowed."""
    try:
        return await hass.async_add_executor_job(resolve_directory, hass, directory)
    except DirectoryNotAllowed as err:
        raise directory_not_allowed(str(err)) from err


def directory_not_allowed(directory: str) -> ServiceValidationError:
    """Return the error for a directory in which Home Assistant may not write."""
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="directory_not_allowed",
        translation_placeholders={"directory": directory},
    )
