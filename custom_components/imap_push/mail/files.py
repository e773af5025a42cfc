"""Saves attachments as files: only in allowed directories, and within limits of space.

A directory is opened without following links, and all operations use the open descriptor. So
replacing the directory with a link at the same time has no effect.
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

# Limits of a directory, including files that were there before: enough for years of invoices,
# less than a small memory card. Senders must not be able to fill a disk.
MAX_FILES: Final = 10_000
MAX_OCTETS: Final = 10_000_000_000
# Octets of a disk that stay free for the database and the backups of Home Assistant.
MIN_FREE_OCTETS: Final = 1_000_000_000

# Name of an incomplete file; the dot hides it from media players.
_PART: Final = re.compile(r"\.[0-9a-f]{32}\.part")
# O_PATH needs no permission to read the directory; only Linux has it.
_TRAVERSE: Final = getattr(os, "O_PATH", os.O_RDONLY)
_DIRECTORY: Final = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class DirectoryNotAllowed(Exception):
    """Home Assistant may not write in the directory."""


class DirectoryFull(Exception):
    """The directory has too many files or octets, or its disk has too little free space."""


class FileTooLarge(Exception):
    """The content exceeds the size that the user allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFile:
    """A saved file; `size` is in octets.

    `media_content_id` is its ID for media players, None outside of the media folders.
    """

    path: Path
    size: int
    media_content_id: str | None


def resolve_directory(hass: HomeAssistant, directory: str | None) -> Path:
    """Return the resolved path of a directory, by default the one for attachments.

    Raises DirectoryNotAllowed with the path. Blocking: reads the disk.
    """
    media = next(iter(hass.config.media_dirs.values()), hass.config.path("media"))
    requested = hass.config.path(directory) if directory else Path(media, DOMAIN)
    allowed = {*hass.config.allowlist_external_dirs, *hass.config.media_dirs.values()}
    try:
        resolved = Path(requested).resolve()
        roots = [Path(root).resolve() for root in allowed]
        public = _public_directory(hass).resolve()
    except (OSError, RuntimeError, ValueError) as err:
        raise DirectoryNotAllowed(requested) from err
    if not any(resolved.is_relative_to(root) for root in roots):
        raise DirectoryNotAllowed(requested)
    # Some file systems do not distinguish WWW from www.
    if Path(str(resolved).casefold()).is_relative_to(str(public).casefold()):
        raise DirectoryNotAllowed(requested)
    return resolved


def _public_directory(hass: HomeAssistant) -> Path:
    """Return the directory that Home Assistant serves without authentication."""
    return Path(hass.config.path("www"))


async def async_save(
    hass: HomeAssistant,
    path: Path,
    pieces: AsyncIterator[bytes],
    *,
    max_size: int,
    overwrite: bool,
) -> SavedFile:
    """Write the pieces to a file, which gets its name only when it is complete.

    `path` is in a directory that resolve_directory returned, `max_size` is in octets. If a
    file of that name exists, it is replaced with `overwrite`, otherwise a number is added to
    the name. Raises DirectoryFull, DirectoryNotAllowed, FileTooLarge or OSError.
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
    """Open a draft; on cancellation, wait for the thread that opens it, then close it."""
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
    """An incomplete file under a hidden name. All methods block.

    The file is locked with flock: an unlocked one is left from a process that was killed. If an
    action is cancelled, one thread may still write while another one closes the file; `_lock`
    serializes them.
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
        """Create the file, and the directory if it does not exist."""
        opened = _open_directory(directory, public)
        try:
            draft = cls(opened, *_create_part(opened))
        except BaseException:
            os.close(opened)
            raise
        try:
            draft._check_limits()
        except BaseException:
            draft.close()
            raise
        return draft

    def _check_limits(self) -> None:
        """Remove files of killed processes; raise DirectoryFull if a limit is exceeded then.

        This file is counted, so that parallel drafts cannot exceed the limit together.
        """
        files = octets = 0
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if _PART.fullmatch(entry.name) and entry.name != self._name:
                    _remove_leftover(self._directory, entry.name)
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
        """Append octets; raise FileTooLarge if the file exceeds `max_size` octets."""
        self.size += len(piece)
        if self.size > max_size:
            raise FileTooLarge
        rest = memoryview(piece)
        with self._lock:
            while rest and not self._is_closed:
                self._check_disk()
                rest = rest[os.write(self._file, rest) :]

    def complete(self, name: str, overwrite: bool) -> str:
        """Rename the file to this name, or the next free one; return the name."""
        with self._lock:
            if self._is_closed:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            self._check_limits()
            if overwrite:
                # os.replace replaces a link instead of following it.
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
        """Create an empty file under the first free name; return the name."""
        original, candidate = PurePath(name), name
        for number in count(1):
            with suppress(FileExistsError):
                os.close(_create(self._directory, candidate))
                break
            candidate = f"{original.stem} ({number}){original.suffix}"
        return candidate

    def close(self) -> None:
        """Close the file, and remove it if it is not complete."""
        with self._lock:
            self._is_closed = True
            try:
                with suppress(FileNotFoundError):
                    os.unlink(self._name, dir_fd=self._directory)
            finally:
                os.close(self._file)
                os.close(self._directory)


def _open_directory(path: Path, public: Path) -> int:
    """Open each directory of a path without following links; create missing ones.

    Raises DirectoryNotAllowed for the public directory and below; comparing inodes also finds
    it under another name.
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
    """Create and open a file; raise FileExistsError if it exists."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
    return os.open(name, flags, 0o666, dir_fd=directory)


def _create_part(directory: int) -> tuple[str, int]:
    """Create a locked file; return its name and its descriptor."""
    while True:
        name = f".{uuid4().hex}.part"
        file = _create(directory, name)
        # On a file system without locks, files of killed processes are not removed.
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            # Another process removed it as a leftover file before it was locked.
            os.close(file)
        else:
            return name, file


def _remove_leftover(directory: int, name: str) -> None:
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
    """Return the media content ID of a file, or None. Blocking: reads the disk."""
    for source, folder in hass.config.media_dirs.items():
        root = Path(folder).resolve()
        if path.is_relative_to(root):
            return f"media-source://media_source/{source}/{path.relative_to(root).as_posix()}"
    return None
