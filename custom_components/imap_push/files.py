"""Saves what strangers sent: where the user allows it, under a safe name, never over a file."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
import mimetypes
from pathlib import Path
import re
from typing import IO, Final
import unicodedata
from uuid import uuid4

from homeassistant.core import HomeAssistant

from .const import DOMAIN

# Octets of a file name; the usual limit of a file system is 255.
_MAX_NAME: Final = 200
_MAX_SUFFIX: Final = 20
_SEPARATORS: Final = re.compile(r"[/\\]")
# What Windows shares do not take, and what Home Assistant's own media source refuses.
_UNWANTED: Final = re.compile(r'[<>:"|?*~]')
_DOTS: Final = re.compile(r"\.{2,}")
_RESERVED: Final = re.compile(
    r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)", re.IGNORECASE
)


class DirectoryNotAllowed(Exception):
    """Home Assistant may not write there."""


class FileTooLarge(Exception):
    """There is more than the user allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFile:
    """A file that was written; `size` is in octets.

    `media_content_id` is what media players call it, None outside of the media folders.
    """

    path: Path
    size: int
    media_content_id: str | None


def safe_filename(name: str | None, content_type: str) -> str:
    """Return a name that means nothing but itself on any file system."""
    base = _SEPARATORS.split(unicodedata.normalize("NFC", name or ""))[-1]
    visible = "".join(character for character in base if _is_visible(character))
    tidy = _DOTS.sub(".", _UNWANTED.sub("_", visible)).strip(". ")
    if not tidy:
        return f"attachment{mimetypes.guess_extension(content_type) or '.bin'}"
    if _RESERVED.match(tidy):
        tidy = f"_{tidy}"
    return _shorten(tidy)


def _is_visible(character: str) -> bool:
    """Return if a character is neither control, direction nor line end, nor none at all."""
    category = unicodedata.category(character)
    return category[0] != "C" and category not in {"Zl", "Zp"}


def _shorten(name: str) -> str:
    """Cut a name, not its suffix, to what a file system takes."""
    if len(name.encode()) <= _MAX_NAME:
        return name
    suffix = Path(name).suffix
    if len(suffix.encode()) > _MAX_SUFFIX:
        suffix = ""
    stem = name.removesuffix(suffix).encode()[: _MAX_NAME - len(suffix.encode())]
    return f"{stem.decode(errors='ignore').rstrip('. ')}{suffix}"


def resolve_directory(hass: HomeAssistant, directory: str | None) -> Path:
    """Return where to save, without links and dots; raise DirectoryNotAllowed.

    This reads the disk.
    """
    media = next(iter(hass.config.media_dirs.values()), hass.config.path("media"))
    wanted = hass.config.path(directory) if directory else Path(media, DOMAIN)
    try:
        resolved = Path(wanted).resolve()
        roots = [Path(root).resolve() for root in _allowed_roots(hass)]
    except (OSError, RuntimeError, ValueError) as err:
        raise DirectoryNotAllowed from err
    if not any(resolved.is_relative_to(root) for root in roots):
        raise DirectoryNotAllowed
    return resolved


def _allowed_roots(hass: HomeAssistant) -> set[str]:
    return {*hass.config.allowlist_external_dirs, *hass.config.media_dirs.values()}


async def async_save(
    hass: HomeAssistant,
    path: Path,
    pieces: AsyncIterator[bytes],
    *,
    max_size: int,
    overwrite: bool,
) -> SavedFile:
    """Write a file as its pieces come, all of it or nothing; raise FileTooLarge, OSError.

    `max_size` is in octets. Where there is such a file, another name is found, or the file
    is replaced if `overwrite` says so.
    """
    # Hidden from media players until it is complete.
    temporary = path.with_name(f".{uuid4().hex}.part")
    file = await hass.async_add_executor_job(_create, temporary)
    try:
        size = await _async_write(hass, file, pieces, max_size)
        saved = await hass.async_add_executor_job(
            _complete, file, temporary, path, overwrite
        )
    except BaseException:
        await hass.async_add_executor_job(_discard, file, temporary)
        raise
    content_id = await hass.async_add_executor_job(_media_content_id, hass, saved)
    return SavedFile(path=saved, size=size, media_content_id=content_id)


async def _async_write(
    hass: HomeAssistant, file: IO[bytes], pieces: AsyncIterator[bytes], max_size: int
) -> int:
    """Write the pieces; return how many octets they were."""
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > max_size:
            raise FileTooLarge
        await hass.async_add_executor_job(file.write, piece)
    return size


def _create(path: Path) -> IO[bytes]:
    """Open a file that was not there, in a directory that need not be there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("xb")


def _complete(file: IO[bytes], temporary: Path, path: Path, overwrite: bool) -> Path:
    """Give a written file its name."""
    file.close()
    if overwrite:
        # This replaces a link, and does not follow it.
        return temporary.replace(path)
    reserved = _reserve(path)
    try:
        return temporary.replace(reserved)
    except OSError:
        reserved.unlink()
        raise


def _reserve(path: Path) -> Path:
    """Create an empty file under the first name that is free."""
    candidate = path
    for number in count(1):
        try:
            candidate.open("xb").close()
        except FileExistsError:
            candidate = path.with_name(f"{path.stem} ({number}){path.suffix}")
        else:
            break
    return candidate


def _discard(file: IO[bytes], temporary: Path) -> None:
    """Leave nothing behind."""
    try:
        file.close()
    finally:
        temporary.unlink(missing_ok=True)


def _media_content_id(hass: HomeAssistant, path: Path) -> str | None:
    """Return what media players call a file; this reads the disk."""
    for source, folder in hass.config.media_dirs.items():
        root = Path(folder).resolve()
        if path.is_relative_to(root):
            return f"media-source://media_source/{source}/{path.relative_to(root).as_posix()}"
    return None
