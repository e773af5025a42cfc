"""The Home Assistants that are measured, each a copy of a prepared one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
import shutil
import time
from typing import Final, override

from .entries import Json, store_entries

from tests.rig.certificate import Certificate
from tests.rig.home_assistant import INTEGRATION, HomeAssistant

LOOP_METER: Final = Path(__file__).parent / "components" / "bench_loop"


class Home(HomeAssistant):
    """A Home Assistant that has accounts at its first start."""

    def __init__(
        self,
        folder: Path,
        *,
        python: Path,
        certificate: Certificate | None = None,
        template: Path | None = None,
        entries: Iterable[Json] = (),
        has_loop_meter: bool = False,
        integration: Path = INTEGRATION,
    ) -> None:
        """Recreate the folder, from the template if there is one."""
        super().__init__(
            folder,
            python=python,
            configuration="bench_loop:\n" if has_loop_meter else "",
            ca=certificate.ca if certificate else None,
        )
        self._integration = integration
        shutil.rmtree(folder, ignore_errors=True)
        if template is not None:
            shutil.copytree(template, folder, symlinks=True)
            # It contains the template's port.
            (folder / ".storage" / "http").unlink()
        components = folder / "custom_components"
        components.mkdir(parents=True, exist_ok=True)
        if has_loop_meter:
            (components / LOOP_METER.name).symlink_to(LOOP_METER)
        store_entries(folder, list(entries))

    async def enable(self, entry: Json) -> None:
        """Enable an account."""
        await self._set_disabled(entry, None)

    async def disable(self, entry: Json) -> None:
        """Disable an account."""
        await self._set_disabled(entry, "user")

    async def start_loop_meter(self) -> None:
        """Start measuring how long the event loop is blocked."""
        await self.client.call("bench_loop/start")

    async def stop_loop_meter(self) -> dict[str, float]:
        """Stop and return the figures, in milliseconds."""
        figures: dict[str, float] = await self.client.call("bench_loop/stop")
        return figures

    async def loop_seconds(self) -> float:
        """Return the processor time of the event loop's thread so far."""
        seconds: float = await self.client.call("bench_loop/time")
        return seconds

    async def loop_ms_per_mail(
        self,
        deliver: Callable[[int], Awaitable[None]],
        *,
        mails: int,
        warm_up: int,
        quiet: float,
    ) -> float:
        """Return the milliseconds of the event loop's thread per mail.

        `deliver` delivers the mail of a number, and returns when Home Assistant has processed it.
        `warm_up` mails before are not measured. What the loop takes in `quiet` seconds without
        mail is subtracted.
        """
        for number in range(warm_up):
            await deliver(number)
        before = await self.loop_seconds()
        await asyncio.sleep(quiet)
        idle_share = (await self.loop_seconds() - before) / quiet
        before, began = await self.loop_seconds(), time.monotonic()
        for number in range(mails):
            await deliver(number)
        spent, seconds = await self.loop_seconds() - before, time.monotonic() - began
        return (spent - idle_share * seconds) / mails * 1000

    async def import_integration(self, domain: str, platforms: list[str]) -> float:
        """Import an integration that is not loaded; return the milliseconds."""
        milliseconds: float = await self.client.call(
            "bench_loop/import", domain=domain, platforms=platforms
        )
        return milliseconds

    @override
    def _write_files(self) -> None:
        super()._write_files()
        link = self.folder / "custom_components" / INTEGRATION.name
        link.unlink()
        link.symlink_to(self._integration)

    async def _set_disabled(self, entry: Json, by: str | None) -> None:
        await self.client.call(
            "config_entries/disable", entry_id=entry["entry_id"], disabled_by=by
        )
