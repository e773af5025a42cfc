"""Make the pictures of README and docs.

Called by scripts/screenshots, which installs the requirements.
"""

import argparse
import asyncio
import base64
from collections.abc import AsyncIterator
import contextlib
from dataclasses import dataclass
from email.message import EmailMessage
import io
from itertools import pairwise
import json
from pathlib import Path
import shutil
import tempfile
from typing import Any, Final, Literal

from PIL import Image, ImageDraw, ImageFilter
from playwright.async_api import FloatRect, Locator, Page

from .demo import BLUEPRINTS, DASHBOARD, HOME_TEMPLATE, Demo, add_account, make_home
from .picture_sources import (
    ANIMATIONS,
    IMAGES,
    MAX_ANIMATION,
    MAX_PICTURE,
    PICTURES,
    RECORD,
    digest,
    read_texts,
)

from tests.e2e.clicking import (
    INTEGRATION_PAGE,
    add_option,
    begin_setup,
    button,
    choose,
    choose_folders,
    fill_in,
    submit,
    text,
)
from tests.e2e.waiting import until_equal
from tests.rig import local_hosts
from tests.rig.browser import Browser
from tests.rig.certificate import make_certificate
from tests.rig.dovecot import PASSWORD, Dovecot
from tests.rig.home_assistant import HomeAssistant
from tests.rig.lmtp import deliver
from tests.rig.mails import plain
from tests.rig.pymap_server import PymapServer

type Json = dict[str, Any]

ROOT: Final = Path(__file__).parents[1]
PYTHON: Final = ROOT / ".venv-2026.11.0" / "bin" / "python"
HOST: Final = "imap.mail.me.com"
USER: Final = "jane@icloud.com"
# What the provider takes as username, and the name of the account in Home Assistant.
NAME: Final = "jane"
FOLDERS: Final = ("Camera", "Invoices", "Parcels")
SHOP: Final = "The Shop <orders@shop.example.com>"
MAILS: Final = (
    ("Camera", "Door Camera <cam@example.com>", "The camera is online", ""),
    ("", "Ada Lovelace <ada@example.com>", "Notes on the Analytical Engine", "Dear Jane, the notes are attached. Please read them until Friday."),
    ("", "City Library <library@example.org>", "Two books are due on Thursday", "You can renew them once, in your account."),
    ("Parcels", "Parcel Service <track@example.com>", "Your parcel arrives today", "Between 14:00 and 16:00."),
    ("Parcels", SHOP, "Your order 1047 has shipped", "Thank you for your order.\nTotal: 48.90 EUR\n"),
    ("Invoices", "Power Company <billing@power.example.com>", "Your invoice for November", "Total: 81.20 EUR\n"),
)  # fmt: skip
TEMPLATE: Final = "{{ mail.text | regex_findall_index('Total: ([0-9.]+)') }}"
CONFIGURATION: Final = """
logger:
  default: warning
input_boolean:
  lamp:
    name: Desk lamp
    icon: mdi:lamp
template:
  - light:
      - name: Desk lamp
        unique_id: lamp
        turn_on: []
        turn_off: []
        set_level: []
        set_rgb: []
automation: !include automations.yaml
"""

SCALE: Final = 2
WIDTH, HEIGHT, SIDEBAR, HEADER = 1280, 860, 256, 56
MARGIN: Final = 16
SCHEMES: Final[dict[Literal["light", "dark"], str]] = {"light": "", "dark": "-dark"}
FRAME_SECONDS: Final = 0.08
LAST_FRAME_SECONDS: Final = 2.5


@dataclass(frozen=True)
class Studio:
    """A Home Assistant, a mail server and a browser."""

    home: HomeAssistant
    server: Dovecot
    browser: Browser
    wanted: frozenset[str]

    @property
    def page(self) -> Page:
        """Return the browser's page."""
        return self.browser.page

    async def take(self, name: str, area: FloatRect | None = None) -> None:
        """Save a picture of an area, or of the dialog that is open: light and dark."""
        if name not in self.wanted:
            return
        await self.browser.wait_until_still()
        main = self.page.locator("home-assistant-main")
        if area is None:
            dialog = self.page.locator("dialog[open]").last
            area = _around(await dialog.bounding_box())
            await main.evaluate("main => main.style.visibility = 'hidden'")
        for scheme, suffix in SCHEMES.items():
            await self.page.emulate_media(color_scheme=scheme)
            await self.browser.wait_until_still()
            picture = await self.page.screenshot(clip=area)
            _save(picture, IMAGES / f"{name}{suffix}.png")
        await self.page.emulate_media(color_scheme="light")
        await main.evaluate("main => main.style.visibility = ''")

    async def deliver(self, folder: str, mail: EmailMessage) -> None:
        """Deliver a mail to a folder."""
        user = f"{NAME}+{folder}" if folder else NAME
        await deliver(self.server.lmtp_port, user, mail)

    async def receive(self, folder: str, mail: EmailMessage) -> None:
        """Deliver a mail to a watched folder and wait for its event."""
        events = await self.home.client.subscribe_events("new_mail")
        await self.deliver(folder, mail)
        await events.get()

    async def take_device(self, picture: str, name: str) -> None:
        """Save a picture of the page of a folder or a search."""
        await self.browser.open(INTEGRATION_PAGE)
        await self.page.get_by_text(f"{NAME} {name}", exact=True).click()
        await self.page.locator("ha-device-entities-card").first.wait_for()
        cards = await self.page.locator("ha-card").all()
        await self.take(picture, await _union(*cards))

    async def until_state(self, entity_id: str, state: str) -> None:
        """Wait until an entity has a state."""

        async def get() -> str | None:
            found = await self.home.client.get_state(entity_id)
            return str(found["state"]) if found else None

        await until_equal(get, state)


def _around(box: FloatRect | None) -> FloatRect:
    """Return a box with a margin."""
    assert box is not None
    return {
        "x": box["x"] - MARGIN,
        "y": box["y"] - MARGIN,
        "width": box["width"] + 2 * MARGIN,
        "height": box["height"] + 2 * MARGIN,
    }


async def _union(*locators: Locator) -> FloatRect:
    """Return the area of several elements, with a margin."""
    boxes = [box for each in locators if (box := await each.bounding_box())]
    left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
    right = max(box["x"] + box["width"] for box in boxes)
    bottom = max(box["y"] + box["height"] for box in boxes)
    return _around({"x": left, "y": top, "width": right - left, "height": bottom - top})


def _save(picture: bytes, path: Path) -> None:
    """Save a small PNG."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    _check_size(path, MAX_PICTURE)


def _check_size(path: Path, limit: int) -> None:
    size = path.stat().st_size
    assert size <= limit, f"{path.name} has {size} bytes"


def camera_picture() -> bytes:
    """Return the picture of a camera at the front door, at night: a person with a parcel."""
    width, height = 960, 540
    image = Image.new("L", (width, height), 46)
    draw = ImageDraw.Draw(image)
    for row in range(height):
        draw.line((0, row, width, row), fill=70 - row // 14 if row < 400 else 62)
    draw.polygon([(0, 540), (300, 400), (660, 400), (960, 540)], fill=92)
    draw.rectangle((90, 40, 330, 412), fill=104)
    draw.rectangle((110, 60, 310, 412), fill=58)
    draw.rectangle((130, 80, 290, 220), fill=120)
    draw.ellipse((284, 250, 298, 264), fill=200)
    draw.rectangle((700, 0, 960, 405), fill=80)
    draw.ellipse((492, 96, 572, 190), fill=188)
    draw.rounded_rectangle((452, 184, 612, 400), 54, fill=150)
    draw.rectangle((476, 380, 526, 500), fill=132)
    draw.rectangle((540, 380, 590, 500), fill=132)
    draw.rectangle((446, 262, 618, 360), fill=206)
    draw.line((532, 262, 532, 360), fill=170, width=12)
    image = image.filter(ImageFilter.GaussianBlur(2.2))
    draw = ImageDraw.Draw(image)
    draw.text((28, 20), "Front door", fill=240, font_size=30)
    draw.text((760, 20), "18:42:07", fill=240, font_size=30)
    content = io.BytesIO()
    image.save(content, "JPEG", quality=80)
    return content.getvalue()


def camera_mail() -> EmailMessage:
    """Return the mail of a camera."""
    mail = plain("Motion at the front door", sender="Door Camera <cam@example.com>")
    mail.add_attachment(
        camera_picture(), maintype="image", subtype="jpeg", filename="door.jpg"
    )
    return mail


# The pictures, in an order in which each step needs the last one.


async def take_setup(studio: Studio) -> None:
    """Add the account from its address."""
    page = await begin_setup(studio.browser)
    await fill_in(page, {"address": USER})
    await studio.take("setup-1")
    await submit(page)
    await page.locator("input[name=password]").wait_for()
    await fill_in(page, {"password": PASSWORD})
    await studio.take("setup-2")
    await submit(page)
    await button(page, "Skip and finish").wait_for()
    await studio.take("setup-3")
    await button(page, "Skip and finish").click()
    await studio.until_state(f"sensor.{NAME}_inbox_unread", "2")
    await studio.receive(
        "",
        plain(
            "Found a bug. It is a moth",
            sender="Grace Hopper <grace@example.com>",
            text="It was in relay 70. See the photo in the logbook.",
        ),
    )
    await studio.take_device("setup-4", "Inbox")


async def set_options(studio: Studio) -> None:
    """Let all users use the mail, so that all entities exist."""
    [entry] = await studio.home.client.config_entries("imap_push")
    form = await studio.home.client.start_options_flow(entry["entry_id"])
    await studio.home.client.configure_options_flow(
        form["flow_id"], {"access": "change", "connection": {}}
    )


async def take_folders(studio: Studio) -> None:
    """Watch three folders."""
    page = studio.page
    await choose_folders(studio.browser, FOLDERS)
    await studio.take("folders")
    await submit(page)
    await button(page, "Finish").last.click()


async def take_search(studio: Studio) -> None:
    """Save a search with a value."""
    page = studio.page
    form = "config_subentries.search.step.user"
    await studio.browser.open(INTEGRATION_PAGE)
    await button(page, text("config_subentries.search.initiate_flow.user")).click()
    await fill_in(page, {"name": "Shopping", "sender": "shop.example.com"})
    await add_option(page, "Invoices")
    await add_option(page, "Parcels")
    await studio.take("search")
    section = page.get_by_role("heading", name=text(f"{form}.sections.value.name"))
    await section.click()
    await page.locator("ha-form .cm-content").click()
    await page.keyboard.insert_text(TEMPLATE)
    fields = f"{form}.sections.value.data"
    await choose(page, text(f"{fields}.device_class"), "Monetary balance")
    await fill_in(page, {"unit_of_measurement": "EUR"})
    await section.evaluate("heading => heading.scrollIntoView()")
    await studio.take("value")
    await submit(page)
    await page.get_by_role("table").wait_for()
    await studio.take("preview")
    save = text("config_subentries.search.step.preview.menu_options.save")
    await page.get_by_text(save, exact=True).click()
    await button(page, "Finish").last.click()
    await studio.until_state(f"sensor.{NAME}_shopping_value", "48.9")
    await studio.receive(
        "Invoices",
        plain("Your invoice for order 1047", sender=SHOP, text="Total: 48.90 EUR\n"),
    )
    await studio.until_state(f"sensor.{NAME}_shopping_matches", "2")
    await studio.take_device("search-device", "Shopping")


async def enable_entities(studio: Studio) -> None:
    """Enable the to-do lists and the picture, and show two new mails."""
    client = studio.home.client
    for entity_id in (
        f"todo.{NAME}_inbox_to_do_list",
        f"image.{NAME}_camera_picture",
    ):
        await client.call(
            "config/entity_registry/update", entity_id=entity_id, disabled_by=None
        )
    [entry] = await client.config_entries("imap_push")
    await client.reload_entry(entry["entry_id"])
    await studio.until_state(f"todo.{NAME}_inbox_to_do_list", "3")
    await studio.receive("Camera", camera_mail())
    await studio.receive(
        "",
        plain(
            "Lunch on Sunday?",
            sender="Katherine Johnson <katherine@example.com>",
            text="I will bring the cake.",
        ),
    )
    await studio.until_state(f"todo.{NAME}_inbox_to_do_list", "4")


async def take_dashboard(studio: Studio) -> None:
    """Show a to-do list, tiles and a picture."""
    client = studio.home.client
    await client.call(
        "lovelace/dashboards/create",
        url_path="mail-board",
        title="Mail",
        mode="storage",
    )
    unread, orders = f"sensor.{NAME}_inbox_unread", f"sensor.{NAME}_shopping_value"
    left = [
        {"type": "heading", "heading": "Inbox", "icon": "mdi:email"},
        {"type": "tile", "entity": unread, "name": "Unread"},
        {"type": "tile", "entity": orders, "name": "Last order"},
        {
            "type": "tile",
            "entity": f"event.{NAME}_inbox_new_mail",
            "name": "Last email",
            "state_content": ["sender_name", "subject"],
            "grid_options": {"columns": 12},
        },
        {
            "type": "todo-list",
            "entity": f"todo.{NAME}_inbox_to_do_list",
            "hide_create": True,
            "hide_section_headers": True,
        },
    ]
    right = [
        {"type": "heading", "heading": "Front door", "icon": "mdi:cctv"},
        {
            "type": "picture-entity",
            "entity": f"image.{NAME}_camera_picture",
            "name": "Last motion",
            "show_state": True,
        },
    ]
    view = {
        "title": "Mail",
        "type": "sections",
        "max_columns": 2,
        "sections": [{"type": "grid", "cards": cards} for cards in (left, right)],
    }
    await client.call(
        "lovelace/config/save", url_path="mail-board", config={"views": [view]}
    )
    page = studio.page
    await studio.browser.open("/mail-board")
    await page.locator("hui-picture-entity-card img").first.wait_for()
    await page.locator("ha-check-list-item").nth(3).wait_for()
    await studio.take(
        "dashboard", await _union(*await page.locator("hui-section, ha-card").all())
    )


async def take_automations(studio: Studio) -> None:
    """Show the editor with a trigger for new mail, and with a blueprint."""
    client, page = studio.home.client, studio.page
    await client.rest(
        "POST",
        "/api/config/automation/config/parcel",
        {
            "alias": "Parcel arrives",
            "triggers": [
                {
                    "trigger": "imap_push.new_mail",
                    "target": {"entity_id": f"event.{NAME}_parcels_new_mail"},
                    "options": {"subject": ["arrives today"]},
                }
            ],
            "actions": [
                {"action": "light.turn_on", "target": {"entity_id": "light.desk_lamp"}},
                {"action": "imap_push.mark_as_read"},
            ],
        },
    )
    await client.rest(
        "POST",
        "/api/config/automation/config/flash",
        {
            "alias": "Flash the desk lamp",
            "use_blueprint": {
                "path": "imap_push/flash_light.yaml",
                "input": {
                    "mailboxes": {"entity_id": f"event.{NAME}_inbox_new_mail"},
                    "lights": ["light.desk_lamp"],
                },
            },
        },
    )
    area: FloatRect = {
        "x": SIDEBAR,
        "y": HEADER,
        "width": WIDTH - SIDEBAR,
        "height": HEIGHT - HEADER,
    }
    await studio.browser.open("/config/automation/edit/parcel")
    await page.locator("ha-automation-trigger-row ha-automation-row").first.click()
    await page.get_by_text(text("triggers.new_mail.description")).first.wait_for()
    await studio.take("automation", area)
    await studio.browser.open("/config/automation/edit/flash")
    await page.locator("blueprint-automation-editor").wait_for()
    await studio.take("blueprint", area)


# The animation.


@contextlib.asynccontextmanager
async def _screencast(page: Page) -> AsyncIterator[list[tuple[float, bytes]]]:
    """Collect the frames that a page shows, with the time of each."""
    frames: list[tuple[float, bytes]] = []
    session = await page.context.new_cdp_session(page)

    async def keep(frame: Json) -> None:
        frames.append((frame["metadata"]["timestamp"], base64.b64decode(frame["data"])))
        await session.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    session.on("Page.screencastFrame", lambda frame: asyncio.ensure_future(keep(frame)))
    await session.send("Page.startScreencast", {"format": "png"})
    yield frames
    await session.send("Page.stopScreencast")
    await session.detach()


def _save_animation(
    frames: list[tuple[float, bytes]], area: FloatRect, path: Path
) -> None:
    """Save a small WebP of an area; the last frame stays longer."""
    left, top = round(area["x"]), round(area["y"])
    corners = (left, top, left + round(area["width"]), top + round(area["height"]))
    # Of the frames of one interval, the last one is kept.
    kept = {int(time / FRAME_SECONDS): frame for time, frame in frames}
    numbers = [*kept, max(kept) + round(LAST_FRAME_SECONDS / FRAME_SECONDS)]
    first, *others = [
        Image.open(io.BytesIO(frame)).convert("RGB").crop(corners)
        for frame in kept.values()
    ]
    first.save(
        path,
        save_all=True,
        append_images=others,
        duration=[
            round((end - begin) * FRAME_SECONDS * 1000)
            for begin, end in pairwise(numbers)
        ],
        loop=0,
        quality=75,
    )
    _check_size(path, MAX_ANIMATION)


async def make_animation(folder: Path) -> None:
    """Record the dashboard of the demo while a mail arrives."""
    certificate = make_certificate(folder / "demo_certificate")
    make_home(folder / "demo")
    home = HomeAssistant(
        folder / "demo",
        python=PYTHON,
        configuration=(HOME_TEMPLATE / "configuration.yaml").read_text(),
        ca=certificate.ca,
    )
    async with PymapServer(certificate) as server, home:
        await add_account(home.client, server.tls_port)
        demo = Demo(server, home.client)
        await demo.observe()
        for _ in range(3):
            await demo.append_mail()
        async with Browser(home.url, home.token, IMAGES) as browser:
            await browser.open(f"/{DASHBOARD}")
            await browser.page.locator("hui-logbook-card").wait_for()
            await browser.wait_until_still()
            cards = await browser.page.locator("hui-section, ha-card").all()
            area = await _union(*cards)
            async with _screencast(browser.page) as frames:
                await browser.page.wait_for_timeout(1000)
                delivery = await demo.append_mail()
                await browser.wait_until_still()
            assert delivery.is_good
            _save_animation(frames, area, IMAGES / "demo.webp")


# All of it.


async def make_pictures(folder: Path, wanted: frozenset[str]) -> None:
    """Use a mailbox at a well-known provider from its setup to automations."""
    certificate = make_certificate(folder / "certificate", host=HOST)
    with Dovecot(certificate, users={NAME: PASSWORD}) as server:
        home = HomeAssistant(
            _prepare(folder / "home"),
            python=PYTHON,
            configuration=CONFIGURATION
            + f"{local_hosts.DOMAIN}:\n  imap_port: {server.imaps_port}\n",
            ca=certificate.ca,
        )
        async with (
            home,
            Browser(
                home.url,
                home.token,
                IMAGES,
                width=WIDTH,
                height=HEIGHT,
                scale=SCALE,
            ) as browser,
        ):
            studio = Studio(home, server, browser, wanted)
            for name, sender, subject, content in MAILS:
                await studio.deliver(name, plain(subject, sender=sender, text=content))
            await take_setup(studio)
            await set_options(studio)
            await take_folders(studio)
            await take_search(studio)
            await enable_entities(studio)
            await take_dashboard(studio)
            await take_automations(studio)


def _prepare(folder: Path) -> Path:
    """Create the folder of a Home Assistant with our blueprints and without automations."""
    shutil.copytree(BLUEPRINTS, folder / "blueprints" / "automation" / BLUEPRINTS.name)
    (folder / "automations.yaml").write_text("[]")
    components = folder / "custom_components"
    components.mkdir()
    source = Path(local_hosts.__file__).parent
    (components / local_hosts.DOMAIN).symlink_to(source)
    return folder


def record(wanted: frozenset[str]) -> None:
    """Note what the new pictures show."""
    known: dict[str, str] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    texts = read_texts()
    sources = PICTURES | ANIMATIONS
    known |= {name: digest(sources[name], texts) for name in wanted}
    current = {name: known[name] for name in sorted(known) if name in sources}
    RECORD.write_text(json.dumps(current, indent=2) + "\n")


async def make(wanted: frozenset[str]) -> None:
    """Make the pictures and note what they show."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        if wanted & PICTURES.keys():
            await make_pictures(Path(folder), wanted)
        if wanted & ANIMATIONS.keys():
            await make_animation(Path(folder))
    record(wanted)


def main() -> None:
    """Make all pictures, or some."""
    names = sorted(PICTURES | ANIMATIONS)
    parser = argparse.ArgumentParser(prog="scripts/screenshots")
    parser.add_argument("names", nargs="*", choices=[*names, []], metavar="NAME")
    asyncio.run(make(frozenset(parser.parse_args().names or names)))


if __name__ == "__main__":
    main()
