"""What strangers send is saved under a name that harms nothing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import patch

import pytest

from custom_components.imap_push.files import (
    DirectoryNotAllowed,
    async_save,
    resolve_directory,
    safe_filename,
)
from homeassistant.core import HomeAssistant
from homeassistant.util import raise_if_invalid_filename, raise_if_invalid_path


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        pytest.param("invoice.pdf", "invoice.pdf", id="harmless"),
        pytest.param("Rechnung für März.pdf", "Rechnung für März.pdf", id="umlauts"),
        pytest.param("Ma\u0308rz.pdf", "März.pdf", id="decomposed"),
        pytest.param("請求書 😀.pdf", "請求書 😀.pdf", id="other scripts"),
        pytest.param("../../etc/passwd", "passwd", id="parent folders"),
        pytest.param("/etc/shadow", "shadow", id="absolute"),
        pytest.param(r"C:\Users\ada\report.doc", "report.doc", id="Windows path"),
        pytest.param(r"..\..\evil.bat", "evil.bat", id="Windows parents"),
        pytest.param("..", "attachment.pdf", id="only dots"),
        pytest.param("folder/", "attachment.pdf", id="ends with a separator"),
        pytest.param("...hidden", "hidden", id="leading dots"),
        pytest.param(".bashrc", "bashrc", id="hidden file"),
        pytest.param("name. . ", "name", id="trailing dots and blanks"),
        pytest.param("a..b.pdf", "a.b.pdf", id="dots within"),
        pytest.param("a\0b\r\nc\x7f\x85.pdf", "abc.pdf", id="control characters"),
        pytest.param("inv\u202efdp.exe", "invfdp.exe", id="direction turned"),
        pytest.param("a\u200f\u2066b\u2028.pdf", "ab.pdf", id="marks and line ends"),
        pytest.param("a\ud800b.pdf", "ab.pdf", id="lone surrogate"),
        pytest.param('a<b>:"|?*~.pdf', "a_b_______.pdf", id="not for Windows"),
        pytest.param("CON", "_CON", id="device"),
        pytest.param("nul.txt", "_nul.txt", id="device with a suffix"),
        pytest.param("Com1 .tar.gz", "_Com1 .tar.gz", id="device with a blank"),
        pytest.param("console.log", "console.log", id="no device"),
        pytest.param("", "attachment.pdf", id="empty"),
        pytest.param(None, "attachment.pdf", id="none"),
        pytest.param("\u200b \u202e", "attachment.pdf", id="nothing to see"),
        pytest.param("x" * 300 + ".pdf", "x" * 196 + ".pdf", id="long"),
        pytest.param("ä" * 300 + ".pdf", "ä" * 98 + ".pdf", id="long and not ASCII"),
        pytest.param("x." + "y" * 300, "x." + "y" * 198, id="long suffix"),
        pytest.param(
            "x" * 195 + " and more.pdf", "x" * 195 + ".pdf", id="cut at a blank"
        ),
    ],
)
def test_name_of_a_file(name: str | None, safe: str) -> None:
    """It is one name, that a person sees as it is, for every file system."""
    made = safe_filename(name, "application/pdf")
    assert made == safe
    assert Path(made).name == made
    assert len(made.encode()) <= 200
    raise_if_invalid_filename(made)
    raise_if_invalid_path(made)


@pytest.mark.parametrize(
    ("content_type", "safe"),
    [
        pytest.param("image/jpeg", "attachment.jpg", id="known"),
        pytest.param("x/y", "attachment.bin", id="unknown"),
        pytest.param("", "attachment.bin", id="none"),
        pytest.param("../..", "attachment.bin", id="no type"),
    ],
)
def test_file_without_a_name(content_type: str, safe: str) -> None:
    """Its type says the suffix."""
    assert safe_filename(None, content_type) == safe


@pytest.fixture
def media(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Return the media folder, reached by a link, which does not exist yet."""
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
def test_directory(
    hass: HomeAssistant, media: Path, directory: str | None, resolved: str
) -> None:
    """It is told without links and dots."""
    wanted = directory and directory.format(media=hass.config.media_dirs["local"])
    assert resolve_directory(hass, wanted) == media / resolved


def test_directory_below_the_configuration(hass: HomeAssistant) -> None:
    """A path that is not absolute starts there."""
    hass.config.allowlist_external_dirs = {hass.config.path("www")}
    expected = Path(hass.config.path("www")).resolve() / "mail"
    assert resolve_directory(hass, "www/mail") == expected


@pytest.mark.parametrize("directory", ["a\0b", "x" * 5000, "/{media}loop"])
def test_directory_that_is_none(
    hass: HomeAssistant, media: Path, directory: str
) -> None:
    """What the system does not take is not allowed."""
    loop = media.parent / "loop"
    loop.symlink_to(loop)
    with pytest.raises(DirectoryNotAllowed):
        resolve_directory(hass, directory.format(media=f"{media.parent}/"))


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_saving_is_cancelled(hass: HomeAssistant, tmp_path: Path) -> None:
    """As by an automation that starts anew: nothing of the file stays."""
    waits = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"beginning"
        waits.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(
        async_save(hass, tmp_path / "a.bin", endless(), max_size=1000, overwrite=False)
    )
    await waits.wait()
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not list(tmp_path.iterdir())


async def test_name_cannot_be_given(hass: HomeAssistant, tmp_path: Path) -> None:
    """The name that was taken for it is free again."""
    with (
        patch.object(Path, "replace", side_effect=OSError("read only")),
        pytest.raises(OSError, match="read only"),
    ):
        await async_save(
            hass, tmp_path / "a.bin", _pieces(b"x"), max_size=1000, overwrite=False
        )
    assert not list(tmp_path.iterdir())


async def test_two_files_of_one_name_at_the_same_time(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    """Both are kept."""
    saved = await asyncio.gather(
        *(
            async_save(
                hass,
                tmp_path / "a.bin",
                _pieces(bytes([number])),
                max_size=1000,
                overwrite=False,
            )
            for number in range(8)
        )
    )
    assert len({file.path for file in saved}) == 8
    assert {file.path.read_bytes()[0] for file in saved} == set(range(8))
