"""Saves attachments as files, only in allowed directories and with limits on disk space.

The directory is opened without following links, and all operations use the open descriptor:
a link that replaces the directory in the meantime has no effect.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
import errno
import fcntl
from itertools import count
import os
from pathlib import Path, PurePath
import re
import stat
from threading import Lock
from typing import Final, NamedTuple, Self
from uuid import uuid4

from homeassistant.core import HomeAssistant

from ..const import DOMAIN

# Limits of all files in a directory, so that senders cannot fill the disk: enough for years of
# invoices, less than a small memory card.
MAX_FILES: Final = 10_000
MAX_OCTETS: Final = 10_000_000_000
# Octets of the disk that stay free for the database and the backups of Home Assistant.
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
    """The attachment is larger than `max_size`."""


class SavedFile(NamedTuple):
    """A saved file; `size` is in octets.

    `media_content_id` is for media players, None if the file is in no media folder.
    """

    path: Path
    size: int
    media_content_id: str | None


def resolve_directory(hass: HomeAssistant, directory: str | None) -> Path:
    """Return the resolved path of an allowed directory, by default `imap_push` in media.

    Raises DirectoryNotAllowed with the requested path. Blocks: reads the disk.
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
    """Write the pieces to a hidden file; when it is complete, rename it to `path`.

    The directory of `path` must be from resolve_directory(). `max_size` is in octets. If `path`
    exists, replace it if `overwrite` is True, otherwise add a number to the name. Raises
    DirectoryFull, DirectoryNotAllowed, FileTooLarge or OSError.
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
    """Open a draft. If cancelled, wait until it is open, then close it."""
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
    """An incomplete file with a hidden name. All methods block: run them in an executor.

    The file is locked with flock(): a hidden file without a lock was left by a killed process.
    `_lock` is for threads: after a cancellation, one may still write while another closes.
    """

    def __init__(self, directory: int, name: str, file: int) -> None:
        """Store the descriptors of the directory and of the file `name` in it."""
        self._directory = directory
        self._name = name
        self._file = file
        self._lock = Lock()
        self._is_closed = False
        self.size = 0

    @classmethod
    def open(cls, directory: Path, public: Path) -> Self:
        """Create the hidden file, and missing directories. Raises DirectoryFull."""
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
        """Remove files of killed processes. Raises DirectoryFull if a limit is still exceeded.

        Drafts are counted, so that parallel ones cannot exceed the limits together.
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
        # Some network file systems report no size.
        if disk.f_blocks and disk.f_bavail * disk.f_frsize < MIN_FREE_OCTETS:
            raise DirectoryFull

    def write(self, piece: bytes, max_size: int) -> None:
        """Append octets. Raises FileTooLarge if the file would exceed `max_size` octets."""
        self.size += len(piece)
        if self.size > max_size:
            raise FileTooLarge
        rest = memoryview(piece)
        with self._lock:
            while rest and not self._is_closed:
                self._check_disk()
                rest = rest[os.write(self._file, rest) :]

    def complete(self, name: str, overwrite: bool) -> str:
        """Rename the file to `name`, or to the next free name; return the new name."""
        with self._lock:
            if self._is_closed:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            self._check_limits()
            if overwrite:
                # os.replace() replaces a link instead of following it.
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
        """Create an empty file with the next free name, such as "a (1).pdf"; return the name."""
        original, candidate = PurePath(name), name
        for number in count(1):
            with suppress(FileExistsError):
                os.close(_create(self._directory, candidate))
                break
            candidate = f"{original.stem} ({number}){original.suffix}"
        return candidate

    def close(self) -> None:
        """Close the file, and remove it if complete() was not successful."""
        with self._lock:
            self._is_closed = True
            try:
                with suppress(FileNotFoundError):
                    os.unlink(self._name, dir_fd=self._directory)
            finally:
                os.close(self._file)
                os.close(self._directory)


def _open_directory(path: Path, public: Path) -> int:
    """Open a directory, one level after another, without following links; create missing ones.

    Raises DirectoryNotAllowed for the `public` directory and those below. The comparison of
    inodes detects other names of `public`, too.
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
    """Create a file and return its descriptor. Raises FileExistsError."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
    return os.open(name, flags, 0o666, dir_fd=directory)


def _create_part(directory: int) -> tuple[str, int]:
    """Create a locked, hidden file; return its name and descriptor."""
    while True:
        name = f".{uuid4().hex}.part"
        file = _create(directory, name)
        # Without locks in the file system, files of killed processes are never removed.
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            # Another process removed the file as a leftover before it was locked.
            os.close(file)
        else:
            return name, file


def _remove_leftover(directory: int, name: str) -> None:
    """Remove an incomplete file if no process has locked it."""
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
    """Return the media content ID of a file, or None. Blocks: reads the disk."""
    for source, folder in hass.config.media_dirs.items():
        root = Path(folder).resolve()
        if path.is_relative_to(root):
            return f"media-source://media_source/{source}/{path.relative_to(root).as_posix()}"
    return None
