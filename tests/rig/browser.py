"""A headless Chromium that is logged in to a Home Assistant."""

import json
from pathlib import Path
import shutil
from typing import Final, override

from playwright.async_api import (
    Browser as Chromium,
    Error,
    Page,
    Playwright,
    async_playwright,
)

from .running import Running

PROGRAMS: Final = ("chromium", "google-chrome", "chromium-browser")
ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_MILLISECONDS: Final = 60_000
# How long animations of the frontend go on after its data has arrived.
ANIMATION_MILLISECONDS: Final = 400


class Browser(Running):
    """A Chromium with one page, logged in with a long-lived token."""

    def __init__(
        self,
        url: str,
        token: str,
        screenshots: Path,
        *,
        width: int = 1280,
        height: int = 800,
        scale: int = 1,
        dark: bool = False,
    ) -> None:
        """Log in to the Home Assistant at `url`; save screenshots in a folder.

        `scale` is the number of pixels of a CSS pixel.
        """
        self._url = url
        self._token = token
        self._screenshots = screenshots
        self._width = width
        self._height = height
        self._scale = scale
        self._dark = dark

    @staticmethod
    def available() -> bool:
        """Return whether a Chromium is installed."""
        return program() is not None

    @property
    def page(self) -> Page:
        """Return the Playwright page."""
        return self._page

    @override
    async def start(self) -> None:
        """Start Chromium with an empty profile and a page that is logged in."""
        self._playwright: Playwright = await async_playwright().start()
        self._chromium: Chromium = await self._playwright.chromium.launch(
            executable_path=program(), args=ARGUMENTS
        )
        context = await self._chromium.new_context(
            viewport={"width": self._width, "height": self._height},
            device_scale_factor=self._scale,
            color_scheme="dark" if self._dark else "light",
            reduced_motion="reduce",
            locale="en-GB",
        )
        context.set_default_timeout(TIMEOUT_MILLISECONDS)
        await context.add_init_script(_login_script(self._url, self._token))
        self._page = await context.new_page()

    @override
    async def stop(self) -> None:
        """Stop Chromium."""
        await self._chromium.close()
        await self._playwright.stop()

    async def open(self, path: str) -> None:
        """Open a page of the frontend, for example `/config/integrations`."""
        url = f"{self._url}{path}"
        try:
            await self._page.goto(url)
        except Error as error:
            # The frontend navigates, too, for example when a dialog is closed.
            if "ERR_ABORTED" not in error.message:
                raise
            await self._page.goto(url)
        await self._page.locator("home-assistant-main").wait_for()

    async def wait_until_still(self) -> None:
        """Wait until the page has loaded and its animations have ended."""
        # An open websocket does not prevent this state.
        await self._page.wait_for_load_state("networkidle")
        await self._page.wait_for_timeout(ANIMATION_MILLISECONDS)

    async def screenshot(self, name: str) -> Path:
        """Save a screenshot as NAME.png after animations have ended, and return its path."""
        await self.wait_until_still()
        self._screenshots.mkdir(parents=True, exist_ok=True)
        path = self._screenshots / f"{name}.png"
        await self._page.screenshot(path=path)
        return path


def program() -> str | None:
    """Return the path of Chromium, None if it is not installed."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def _login_script(url: str, token: str) -> str:
    """Return a script that stores the token where the frontend looks for it."""
    tokens = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": 31_536_000,
        "expires": 4_102_444_800_000,
        "hassUrl": url,
        "clientId": f"{url}/",
        "refresh_token": "",
    }
    return f"localStorage.setItem('hassTokens', {json.dumps(json.dumps(tokens))});"
