"""Attachments are saved only in allowed directories, and within limits of space."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
import fcntl
import os
from pathlib import Path
import threading
from typing import Any
from unittest.mock import patch

import pytest

from custom_components.imap_push.mail import files
from custom_components.imap_push.mail.files import (
    DirectoryFull,
    DirectoryNotAllowed,
    FileTooLarge,
    SavedFile,
    async_save,
    resolve_directory,
)
from homeassistant.core import HomeAssistant


@pytest.fixture
def media(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Return the media folder, which is reached by a link and does not exist yet."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "media").symlink_to(tmp_path / "disk")
    hass.config.media_dirs = {"local": str(tmp_path / "media/deep")}
    return tmp_path / "disk/deep"


@pytest.mark.parametrize(
    ("directory", "resolved"),
    [
        pytest.param(None, "imap_push", id="default"),
        pytest.param("{media}/a/./b", "a/b", id="absolute"),
        pytest.param("{media}", "", id="media folder itself"),
        pytest.param("{media}/a/../b", "b", id="dots that stay inside"),
    ],
)
def test_directory_is_resolved(
    hass: HomeAssistant, media: Path, directory: str | None, resolved: str
) -> None:
    """The result has no links and no dots."""
    path = directory and directory.format(media=hass.config.media_dirs["local"])
    assert resolve_directory(hass, path) == media / resolved


def test_relative_directory_is_in_the_configuration(hass: HomeAssistant) -> None:
    """It is resolved from the configuration directory."""
    hass.config.allowlist_external_dirs = {hass.config.path("files")}
    expected = Path(hass.config.path("files")).resolve() / "mail"
    assert resolve_directory(hass, "files/mail") == expected


@pytest.mark.parametrize(
    ("media", "directory"),
    [
        pytest.param("media", "www", id="itself"),
        pytest.param("media", "www/community", id="below"),
        pytest.param("media", "www/../www/a", id="with dots"),
        pytest.param("media", "WWW/a", id="in upper case"),
        pytest.param("media", "link", id="by a link"),
        pytest.param("media", "link/community", id="below a link"),
        pytest.param("www/media", None, id="media folder in it"),
        pytest.param("www", None, id="media folder"),
    ],
)
@pytest.mark.parametrize("is_there", [True, False], ids=["is there", "is not there"])
def test_public_directory_is_refused(
    hass: HomeAssistant,
    tmp_path: Path,
    media: str,
    directory: str | None,
    is_there: bool,
) -> None:
    """It is refused even if Home Assistant allows www or the whole configuration directory."""
    hass.config.config_dir = str(tmp_path)
    hass.config.allowlist_external_dirs = {str(tmp_path), str(tmp_path / "www")}
    hass.config.media_dirs = {"local": str(tmp_path / media)}
    (tmp_path / "link").symlink_to(tmp_path / "www")
    if is_there:
        (tmp_path / "www").mkdir()
    wanted = tmp_path / (directory or f"{media}/imap_push")
    with pytest.raises(DirectoryNotAllowed, match=f"^{wanted}$"):
        resolve_directory(hass, directory)


@pytest.mark.parametrize("directory", ["www2", "my/www", "wwwx/a"])
def test_folders_with_a_similar_name_are_not_public(
    hass: HomeAssistant, tmp_path: Path, directory: str
) -> None:
    """Only www itself is."""
    hass.config.config_dir = str(tmp_path)
    hass.config.allowlist_external_dirs = {str(tmp_path)}
    assert resolve_directory(hass, directory) == tmp_path / directory


@pytest.mark.parametrize("directory", ["a\0b", "x" * 5000, "/{media}loop"])
def test_invalid_directory_is_refused(
    hass: HomeAssistant, media: Path, directory: str
) -> None:
    """Paths that the operating system rejects are not allowed."""
    loop = media.parent / "loop"
    loop.symlink_to(loop)
    with pytest.raises(DirectoryNotAllowed):
        resolve_directory(hass, directory.format(media=f"{media.parent}/"))


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def save(
    hass: HomeAssistant,
    path: Path,
    pieces: AsyncIterator[bytes] | None = None,
    *,
    overwrite: bool = False,
) -> SavedFile:
    """Save a file of at most 1,000 octets, by default of one octet."""
    return await async_save(
        hass, path, pieces or _pieces(b"x"), max_size=1000, overwrite=overwrite
    )


async def test_cancelled_save_leaves_no_file(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    """For example, the automation is restarted."""
    waits = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"beginning"
        waits.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(save(hass, tmp_path / "a.bin", endless()))
    await waits.wait()
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fails", [False, True], ids=["made", "not made"])
async def test_save_is_cancelled_while_the_file_is_created(
    hass: HomeAssistant, tmp_path: Path, fails: bool
) -> None:
    """A slow disk leaves no file, either."""
    goes_on = threading.Event()
    create = files._create_part

    def create_slowly(directory: int) -> tuple[str, int]:
        goes_on.wait(10)
        if fails:
            raise OSError("read only")
        return create(directory)

    with patch.object(files, "_create_part", create_slowly):
        task = asyncio.create_task(save(hass, tmp_path / "a.bin"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        goes_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not list(tmp_path.iterdir())


async def test_save_is_cancelled_while_the_disk_writes(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    """The thread does not write to another file that reuses the descriptor."""
    writes, goes_on = threading.Event(), threading.Event()
    write = os.write

    def write_slowly(file: int, octets: memoryview) -> int:
        writes.set()
        goes_on.wait(10)
        return write(file, octets[:1])

    with patch.object(os, "write", write_slowly):
        task = asyncio.create_task(save(hass, tmp_path / "a.bin", _pieces(b"xyz")))
        await hass.async_add_executor_job(writes.wait, 10)
        task.cancel()
        await asyncio.sleep(0)
        goes_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("overwrite", [False, True])
def test_save_is_cancelled_before_the_rename(tmp_path: Path, overwrite: bool) -> None:
    """A late thread does not touch another directory that reuses the descriptor."""
    draft = files._Draft.open(tmp_path, tmp_path / "www")
    draft.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        draft.complete("a.bin", overwrite)
    draft.write(b"x", 1000)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("overwrite", [False, True])
async def test_failed_rename_removes_the_reserved_name(
    hass: HomeAssistant, tmp_path: Path, overwrite: bool
) -> None:
    """The name is free again."""
    with (
        patch.object(os, "replace", side_effect=OSError("read only")),
        pytest.raises(OSError, match="read only"),
    ):
        await save(hass, tmp_path / "a.bin", overwrite=overwrite)
    assert not list(tmp_path.iterdir())


async def test_two_files_with_the_same_name_at_the_same_time(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    """Both are kept."""
    saved = await asyncio.gather(
        *(
            save(hass, tmp_path / "a.bin", _pieces(bytes([number])))
            for number in range(8)
        )
    )
    assert len({file.path for file in saved}) == 8
    assert {file.path.read_bytes()[0] for file in saved} == set(range(8))
    assert len(list(tmp_path.iterdir())) == 8


def _link(place: Path, evil: Path) -> None:
    place.symlink_to(evil)


def _swap(place: Path, evil: Path) -> None:
    place.rmdir()
    place.symlink_to(evil)


def _swap_parent(place: Path, evil: Path) -> None:
    place.parent.rename(place.parent.with_name("moved"))
    (evil / place.name).mkdir()
    place.parent.symlink_to(evil)


@pytest.mark.parametrize(
    ("is_there", "change"),
    [
        pytest.param(False, _link, id="made as a link"),
        pytest.param(True, _swap, id="swapped for a link"),
        pytest.param(True, _swap_parent, id="in a folder that is swapped for a link"),
    ],
)
async def test_directory_is_replaced_with_a_link_before_saving(
    hass: HomeAssistant,
    tmp_path: Path,
    is_there: bool,
    change: Callable[[Path, Path], None],
) -> None:
    """The link is not followed."""
    media, evil = tmp_path / "media", tmp_path / "custom_components"
    hass.config.media_dirs = {"local": str(media)}
    (media / "a").mkdir(parents=True)
    evil.mkdir()
    if is_there:
        (media / "a/b").mkdir()
    directory = resolve_directory(hass, str(media / "a/b"))
    change(media / "a/b", evil)
    with pytest.raises(NotADirectoryError):
        await save(hass, directory / "x.py")
    assert not list(evil.rglob("*.p*"))


@pytest.mark.parametrize("seam", ["write", "complete"])
async def test_directory_is_replaced_while_saving(
    hass: HomeAssistant, tmp_path: Path, seam: str
) -> None:
    """The file is written to the directory that was checked, at its new path."""
    media, evil = tmp_path / "media", tmp_path / "custom_components"
    for folder in (media, evil):
        folder.mkdir()
    original = getattr(files._Draft, seam)

    def swap_first(self: Any, *args: Any) -> Any:
        media.rename(tmp_path / "moved")
        media.symlink_to(evil)
        return original(self, *args)

    with patch.object(files._Draft, seam, swap_first):
        await save(hass, media / "x.py")
    assert not list(evil.iterdir())
    assert [path.name for path in (tmp_path / "moved").iterdir()] == ["x.py"]


async def test_public_directory_is_recognized_by_its_inode(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    """For example, it is mounted under a second name."""
    hass.config.config_dir = str(tmp_path / "config")
    (tmp_path / "media/a").mkdir(parents=True)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/www").symlink_to(tmp_path / "media")
    with pytest.raises(DirectoryNotAllowed):
        await save(hass, tmp_path / "media/a/x.png")
    with pytest.raises(DirectoryNotAllowed):
        await save(hass, tmp_path / "media/x.png")
    assert [path.name for path in (tmp_path / "media").rglob("*")] == ["a"]


@pytest.mark.parametrize("overwrite", [False, True])
async def test_existing_link_is_not_followed(
    hass: HomeAssistant, tmp_path: Path, overwrite: bool
) -> None:
    """A link with the name of the file is replaced or kept."""
    (tmp_path / "secret").write_text("keep")
    (tmp_path / "media").mkdir()
    (tmp_path / "media/a.bin").symlink_to(tmp_path / "secret")
    saved = await save(hass, tmp_path / "media/a.bin", overwrite=overwrite)
    assert saved.path.name == ("a.bin" if overwrite else "a (1).bin")
    assert (tmp_path / "secret").read_text() == "keep"
    assert not saved.path.is_symlink()


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        pytest.param("MAX_FILES", 3, id="files"),
        pytest.param("MAX_OCTETS", 14, id="octets"),
    ],
)
async def test_full_directory_is_refused(
    hass: HomeAssistant, tmp_path: Path, limit: str, value: int
) -> None:
    """Existing files are kept, also if several files are saved at a time."""
    for number in range(2):
        (tmp_path / f"{number}.bin").write_bytes(b"12345")
    with patch.object(files, limit, value):
        results = await asyncio.gather(
            *(save(hass, tmp_path / "a.bin", _pieces(b"123")) for _ in range(6)),
            return_exceptions=True,
        )
        with suppress(DirectoryFull):
            await save(hass, tmp_path / "a.bin", _pieces(b"123"))
        with pytest.raises(DirectoryFull):
            await save(hass, tmp_path / "a.bin", _pieces(b"123"))
    saved = [result for result in results if isinstance(result, SavedFile)]
    assert len(saved) <= 1
    assert all(isinstance(result, SavedFile | DirectoryFull) for result in results)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left[:2] == ["0.bin", "1.bin"]
    assert len(left) == 3


@pytest.mark.parametrize("at", [0, 1, 2], ids=["at first", "at a piece", "at the next"])
async def test_full_disk_is_refused(
    hass: HomeAssistant, tmp_path: Path, at: int
) -> None:
    """Some space is reserved for Home Assistant's database."""
    real = os.statvfs(tmp_path)
    free = [files.MIN_FREE_OCTETS] * at + [files.MIN_FREE_OCTETS - 1]

    def fstatvfs(_file: int) -> os.statvfs_result:
        values = [*real]
        values[1], values[4] = 1, free.pop(0)
        return os.statvfs_result(values)

    with (
        patch.object(os, "fstatvfs", fstatvfs),
        pytest.raises(DirectoryFull),
    ):
        await save(hass, tmp_path / "a.bin", _pieces(b"1", b"2"))
    assert not list(tmp_path.iterdir())


async def test_disk_of_unknown_size_is_accepted(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    """Some network file systems report zero for all sizes."""
    unknown = os.statvfs_result([0] * 10)
    with patch.object(os, "fstatvfs", return_value=unknown):
        await save(hass, tmp_path / "a.bin")
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


async def test_too_large_file_is_refused(hass: HomeAssistant, tmp_path: Path) -> None:
    """The number of pieces makes no difference."""
    with pytest.raises(FileTooLarge):
        await save(hass, tmp_path / "a.bin", _pieces(*[b"x" * 100] * 11))
    assert not list(tmp_path.iterdir())


async def test_leftover_of_a_killed_process_is_removed(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    """The next save removes it, but neither incomplete files of running saves nor other files."""
    left, used = f".{'0' * 32}.part", f".{'1' * 32}.part"
    for name in (left, used, ".hidden.part", "my.part"):
        (tmp_path / name).write_bytes(b"beginning")
    (tmp_path / f".{'2' * 32}.part").symlink_to(tmp_path / "my.part")
    with (tmp_path / used).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        await save(hass, tmp_path / "a.bin")
    names = {path.name for path in tmp_path.iterdir()}
    assert left not in names
    assert names >= {used, ".hidden.part", "my.part", "a.bin"}


async def test_file_that_is_removed_before_it_is_locked_is_created_again(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    """Another process can take it for a leftover."""
    removed: list[Path] = []
    lock = fcntl.flock

    def remove_first(file: int, operation: int) -> None:
        if not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].unlink()
        lock(file, operation)

    with patch.object(fcntl, "flock", remove_first):
        saved = await save(hass, tmp_path / "a.bin", _pieces(b"content"))
    assert saved.path.read_bytes() == b"content"
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


async def test_file_system_without_locks_is_supported(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    """Files are saved, but no leftover is removed."""
    left = tmp_path / f".{'0' * 32}.part"
    left.touch()
    with patch.object(fcntl, "flock", side_effect=OSError("not supported")):
        await save(hass, tmp_path / "a.bin")
    assert {path.name for path in tmp_path.iterdir()} == {"a.bin", left.name}
