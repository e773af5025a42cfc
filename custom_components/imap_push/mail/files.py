"""Saves what strangers send: only where the user allows it, and never more than fits.

A directory is opened once, without following links, and everything is done relative to what was
opened. A directory that is swapped for a link meanwhile changes nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
import errno
import fcntl
from itertools import count
import os
from pathlib import Path, PurePath
import re
import stat
from threading import Lock
from typing import Final, Self
from uuid import uuid4

from homeassistant.core import HomeAssistant

from ..const import DOMAIN
from .file_names import safe_filename

__all__ = [
    "DirectoryFull",
    "DirectoryNotAllowed",
    "FileTooLarge",
    "SavedFile",
    "async_save",
    "resolve_directory",
    "safe_filename",
]

# What a directory takes, with the files that were there before: years of invoices, and less
# than the memory card of a small computer. Senders must not be able to fill a disk.
MAX_FILES: Final = 10_000
MAX_OCTETS: Final = 10_000_000_000
# Octets of a disk that stay free, for the database and the backups of Home Assistant.
MIN_FREE_OCTETS: Final = 1_000_000_000

# Hidden from media players until it is complete.
_PART: Final = re.compile(r"\.[0-9a-f]{32}\.part")
# To pass through a directory takes no right to list it. Only Linux knows the difference.
_TRAVERSE: Final = getattr(os, "O_PATH", os.O_RDONLY)
_DIRECTORY: Final = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class DirectoryNotAllowed(Exception):
    """Home Assistant may not write there."""


class DirectoryFull(Exception):
    """There are too many files in the directory, or there is too little room on its disk."""


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


def resolve_directory(hass: HomeAssistant, directory: str | None) -> Path:
    """Return where to save, without links and dots; raise DirectoryNotAllowed with its name.

    This reads the disk.
    """
    media = next(iter(hass.config.media_dirs.values()), hass.config.path("media"))
    wanted = hass.config.path(directory) if directory else Path(media, DOMAIN)
    try:
        resolved = Path(wanted).resolve()
        roots = [Path(root).resolve() for root in _allowed_roots(hass)]
        public = _public_directory(hass).resolve()
    except (OSError, RuntimeError, ValueError) as err:
        raise DirectoryNotAllowed(wanted) from err
    if not any(resolved.is_relative_to(root) for root in roots):
        raise DirectoryNotAllowed(wanted)
    # On some file systems WWW is www.
    if Path(str(resolved).casefold()).is_relative_to(str(public).casefold()):
        raise DirectoryNotAllowed(wanted)
    return resolved


def _allowed_roots(hass: HomeAssistant) -> set[str]:
    return {*hass.config.allowlist_external_dirs, *hass.config.media_dirs.values()}


def _public_directory(hass: HomeAssistant) -> Path:
    """Return the directory whose files can be opened without signing in."""
    return Path(hass.config.path("www"))


async def async_save(
    hass: HomeAssistant,
    path: Path,
    pieces: AsyncIterator[bytes],
    *,
    max_size: int,
    overwrite: bool,
) -> SavedFile:
    """Write a file as its pieces come, all of it or nothing.

    `path` is in a directory that resolve_directory returned, `max_size` is in octets. Where
    there is a file of that name, another name is found, or the file is replaced if `overwrite`
    says so. Raises DirectoryFull, DirectoryNotAllowed, FileTooLarge or OSError.
    """
    draft = await _async_open(hass, path.parent)
    try:
        async for piece in pieces:
            await hass.async_add_executor_job(draft.write, piece, max_size)
        name = await hass.async_add_executor_job(draft.complete, path.name, overwrite)
    finally:
        await hass.async_add_executor_job(draft.close)
    saved = path.with_name(name)
    content_id = await hass.async_add_executor_job(_media_content_id, hass, saved)
    return SavedFile(path=saved, size=draft.size, media_content_id=content_id)


async def _async_open(hass: HomeAssistant, directory: Path) -> _Draft:
    """Start a file; a thread that is at it goes on when the action is cancelled."""
    public = _public_directory(hass)
    opening = hass.async_add_executor_job(_Draft.open, directory, public)
    try:
        await asyncio.wait({opening})
    except asyncio.CancelledError:
        with suppress(DirectoryFull, DirectoryNotAllowed, OSError):
            draft = await opening
            await hass.async_add_executor_job(draft.close)
        raise
    return await opening


class _Draft:
    """A file under way, under a hidden name. All methods block.

    The file is locked: one that is not belongs to a process that was killed. When an action is
    cancelled, a thread may still be writing while another one closes the file.
    """

    def __init__(self, directory: int, name: str, file: int) -> None:
        """Keep the open directory, and the open file in it."""
        self._directory = directory
        self._name = name
        self._file = file
        self._lock = Lock()
        self._is_closed = False
        self.size = 0

    @classmethod
    def open(cls, directory: Path, public: Path) -> Self:
        """Create the file, and the directory if it is not there."""
        opened = _open_directory(directory, public)
        try:
            draft = cls(opened, *_create_part(opened))
        except BaseException:
            os.close(opened)
            raise
        try:
            draft._check_room()
        except BaseException:
            draft.close()
            raise
        return draft

    def _check_room(self) -> None:
        """Remove what killed processes left; raise DirectoryFull if there is no room then.

        This file counts, so that of several at a time none gets past the limit.
        """
        files = octets = 0
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if _PART.fullmatch(entry.name) and entry.name != self._name:
                    _remove_left_part(self._directory, entry.name)
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    files += 1
                    octets += status.st_size if stat.S_ISREG(status.st_mode) else 0
        if files > MAX_FILES or octets > MAX_OCTETS:
            raise DirectoryFull
        self._check_disk()

    def _check_disk(self) -> None:
        disk = os.fstatvfs(self._directory)
        # Some network file systems do not know their size.
        if disk.f_blocks and disk.f_bavail * disk.f_frsize < MIN_FREE_OCTETS:
            raise DirectoryFull

    def write(self, piece: bytes, max_size: int) -> None:
        """Append octets, up to so many in the whole file."""
        self.size += len(piece)
        if self.size > max_size:
            raise FileTooLarge
        rest = memoryview(piece)
        with self._lock:
            while rest and not self._is_closed:
                self._check_disk()
                rest = rest[os.write(self._file, rest) :]

    def complete(self, name: str, overwrite: bool) -> str:
        """Give the file its name, or the next that is free; return it."""
        with self._lock:
            if self._is_closed:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            self._check_room()
            if overwrite:
                # This replaces a link, and does not follow it.
                self._rename(name)
                return name
            name = self._reserve(name)
            try:
                self._rename(name)
            except OSError:
                os.unlink(name, dir_fd=self._directory)
                raise
            return name

    def _rename(self, name: str) -> None:
        os.replace(
            self._name, name, src_dir_fd=self._directory, dst_dir_fd=self._directory
        )

    def _reserve(self, name: str) -> str:
        """Create an empty file under the first name that is free."""
        wanted, candidate = PurePath(name), name
        for number in count(1):
            with suppress(FileExistsError):
                os.close(_create(self._directory, candidate))
                break
            candidate = f"{wanted.stem} ({number}){wanted.suffix}"
        return candidate

    def close(self) -> None:
        """Leave nothing behind but a complete file."""
        with self._lock:
            self._is_closed = True
            try:
                with suppress(FileNotFoundError):
                    os.unlink(self._name, dir_fd=self._directory)
            finally:
                os.close(self._file)
                os.close(self._directory)


def _open_directory(path: Path, public: Path) -> int:
    """Open a directory from the root on, without following links; create what is missing.

    Raises DirectoryNotAllowed if it is the public directory, or in it, under whatever name.
    """
    try:
        forbidden = public.stat()
    except OSError:
        forbidden = None
    directory = os.open(path.anchor, _DIRECTORY | _TRAVERSE)
    try:
        for name in path.parts[1:]:
            inner = _open_inner(directory, name)
            os.close(directory)
            directory = inner
            if forbidden and os.path.samestat(os.fstat(directory), forbidden):
                raise DirectoryNotAllowed
        return os.open(".", _DIRECTORY | os.O_RDONLY, dir_fd=directory)
    finally:
        os.close(directory)


def _open_inner(directory: int, name: str) -> int:
    try:
        return os.open(name, _DIRECTORY | _TRAVERSE, dir_fd=directory)
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=directory)
        return os.open(name, _DIRECTORY | _TRAVERSE, dir_fd=directory)


def _create(directory: int, name: str) -> int:
    """Open a file that was not there."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
    return os.open(name, flags, 0o666, dir_fd=directory)


def _create_part(directory: int) -> tuple[str, int]:
    """Create a locked file; return its name and its descriptor."""
    while True:
        name = f".{uuid4().hex}.part"
        file = _create(directory, name)
        # A file system without locks keeps what a killed process left.
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            # It was taken for one that was left behind in the moment before it was locked.
            os.close(file)
        else:
            return name, file


def _remove_left_part(directory: int, name: str) -> None:
    """Remove an incomplete file that no process has locked."""
    with suppress(OSError):
        file = os.open(
            name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory
        )
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(name, dir_fd=directory)
        finally:
            os.close(file)


def _media_content_id(hass: HomeAssistant, path: Path) -> str | None:
    """Return what media players call a file; this reads the disk."""
    for source, folder in hass.config.media_dirs.items():
        root = Path(folder).resolve()
        if path.is_relative_to(root):
            return f"media-source://media_source/{source}/{path.relative_to(root).as_posix()}"
    return None
