"""A mail server, a real Home Assistant, and a light that flashes for every mail.

Called by scripts/demo, which installs the requirements.
"""

import argparse
import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
import fcntl
from importlib.metadata import version
import itertools
import os
from pathlib import Path
import shutil
import signal
import socket
import sys
import time
from typing import Any, Final

from aiohttp import ClientError

from tests.rig import mails
from tests.rig.certificate import make_certificate
from tests.rig.client import CallError, Client
from tests.rig.home_assistant import (
    PASSWORD as HOME_PASSWORD,
    USERNAME as HOME_USERNAME,
    HomeAssistant,
    StartError,
)
from tests.rig.ports import LOOPBACK
from tests.rig.pymap_server import PASSWORD, USER, PymapServer

type Json = dict[str, Any]

ROOT: Final = Path(__file__).parents[1]
HOME_TEMPLATE: Final = ROOT / "scripts" / "demo_home"
BLUEPRINTS: Final = ROOT / "blueprints" / "automation" / "imap_push"
FOLDER: Final = ROOT / ".demo"
HOME: Final = FOLDER / "home"

DASHBOARD: Final = "imap-push"
LIGHT: Final = "light.lamp"
AUTOMATION: Final = "automation.flash_the_lamp_when_mail_arrives"
UNREAD: Final = "sensor.demo_inbox_unread"
CONNECTIVITY: Final = "binary_sensor.demo_connectivity"

WATCH_SECONDS: Final = 30
MAIL_SECONDS: Final = 15
FLASH_SECONDS: Final = 15
PORTS_TO_TRY: Final = 50

MAILS: Final = (
    ("Ada Lovelace <ada@example.com>", "Notes on the Analytical Engine"),
    ("Grace Hopper <grace@example.com>", "Found a bug. It is a moth"),
    ("Café Zuse <tisch@example.com>", "Ihr Tisch für zwei, heute um 19 Uhr"),
    ("Parcel Service <track@example.com>", "Your parcel arrives today"),
    ("Katherine Johnson <katherine@example.com>", "Checked: the numbers are good"),
    ("Alan Turing <alan@example.com>", "Tea at five?"),
)


class DemoError(Exception):
    """The demo cannot continue; the text is shown to the user."""


@dataclass
class Delivery:
    """The effects of one mail; times are seconds since 1970."""

    appended: float
    message: EmailMessage
    light_before: Json
    fired: float | None = None
    light: list[Json] = field(default_factory=list)

    @property
    def flashes(self) -> int:
        """Return how often the light was turned off."""
        return sum(_state(change)["state"] == "off" for change in self.light)

    @property
    def is_restored(self) -> bool:
        """Return whether the light has its original state."""
        return bool(self.light) and _appearance(_state(self.light[-1])) == _appearance(
            self.light_before
        )

    @property
    def is_good(self) -> bool:
        """Return whether new_mail fired and the light flashed and was restored."""
        return self.fired is not None and self.flashes > 0 and self.is_restored


class Demo:
    """The mailbox, and the events of mail, light and automation."""

    def __init__(self, mail_server: PymapServer, client: Client) -> None:
        """Use a server and a client; call observe() next."""
        self._mail_server = mail_server
        self._client = client
        self._mails = itertools.cycle(MAILS)

    async def observe(self) -> None:
        """Subscribe to the events."""
        self._new_mails = await self._client.subscribe_events("new_mail")
        self._changes = await self._client.subscribe_events("state_changed")

    async def append_mail(self) -> Delivery:
        """Append one mail and record its effects."""
        sender, subject = next(self._mails)
        message = mails.plain(subject, sender=sender, recipient=USER)
        light_before = await self._client.get_state(LIGHT)
        if light_before is None:
            raise DemoError("Home Assistant has no lamp.")
        delivery = Delivery(time.time(), message, light_before)
        await self._mail_server.append(message)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MAIL_SECONDS):
                new_mail = await self._new_mail(message["Message-ID"])
            delivery.fired = _time(new_mail)
            async with asyncio.timeout(FLASH_SECONDS):
                await self._flash(new_mail["context"]["id"], delivery)
        return delivery

    async def _new_mail(self, message_id: str) -> Json:
        """Wait for the event of a message."""
        while True:
            event = await self._new_mails.get()
            if event["data"]["message_id"] == message_id:
                return event

    async def _flash(self, cause: str, delivery: Delivery) -> None:
        """Record the changes of the light that an event caused, until the automation has ended."""
        running = True
        while running or not delivery.is_restored:
            event = await self._changes.get()
            entity_id = event["data"]["entity_id"]
            if entity_id == LIGHT and event["context"]["parent_id"] == cause:
                delivery.light.append(event)
            elif entity_id == AUTOMATION and delivery.light:
                running = _is_running(event)


def _state(change: Json) -> Json:
    """Return the state that a change led to."""
    state: Json = change["data"]["new_state"]
    return state


def _appearance(light: Json) -> tuple[Any, ...]:
    """Return state, brightness and color of a light."""
    attributes = light["attributes"]
    return light["state"], attributes["brightness"], attributes["rgb_color"]


def _is_running(change: Json) -> bool:
    """Return whether the automation runs after this change."""
    return bool(_state(change)["attributes"]["current"])


def _time(event: Json) -> float:
    """Return when an event was fired."""
    return datetime.fromisoformat(event["time_fired"]).timestamp()


# Output.

HEADER: Final = (
    f"{'mail appended':<14}{'new_mail fired':<16}{'latency':>8}   {'light':<44}mail"
)


def say(text: str = "") -> None:
    """Print a line and flush, even if stdout is a pipe."""
    print(text, flush=True)


def describe(delivery: Delivery) -> str:
    """Return one line about a mail."""
    fired, latency = "not fired", ""
    if delivery.fired is not None:
        fired = _clock(delivery.fired)
        latency = f"{(delivery.fired - delivery.appended) * 1000:.0f} ms"
    return (
        f"{_clock(delivery.appended):<14}{fired:<16}{latency:>8}   "
        f"{_describe_light(delivery):<44}{delivery.message['Subject']}"
    )


def _describe_light(delivery: Delivery) -> str:
    """Return what the light did."""
    if not delivery.light:
        return "did not flash"
    first, last = (_time(delivery.light[at]) - delivery.appended for at in (0, -1))
    end = "restored" if delivery.is_restored else "NOT restored"
    return (
        f"{delivery.flashes} flashes from {first * 1000:.0f} ms, {end} at {last:.1f} s"
    )


def _clock(seconds: float) -> str:
    """Return a time of day with milliseconds."""
    return datetime.fromtimestamp(seconds).strftime("%H:%M:%S.%f")[:-3]


# Setup.


def make_home(folder: Path) -> None:
    """Replace Home Assistant's folder of the last demo with a new one."""
    if _is_in_use(folder / ".ha_run.lock"):
        raise DemoError("A demo is running already in this folder. End it first.")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HOME_TEMPLATE, folder)
    shutil.copytree(BLUEPRINTS, folder / "blueprints" / "automation" / BLUEPRINTS.name)


def _is_in_use(lock: Path) -> bool:
    """Return whether a Home Assistant holds the lock of its folder."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def choose_port(preferred: int) -> int:
    """Return the preferred port or the next one that is free."""
    for port in range(preferred, min(preferred + PORTS_TO_TRY, 65536)):
        with contextlib.suppress(OSError), socket.create_server((LOOPBACK, port)):
            if port != preferred:
                say(f"  Port {preferred} cannot be used, so it will be {port}.")
            return port
    raise DemoError(f"There is no free port from {preferred} on.")


async def add_account(client: Client, port: int) -> None:
    """Add the account as the UI does and wait until it is watched."""
    form = await client.start_flow("imap_push")
    form = await client.configure_flow(form["flow_id"], {"manual": True})
    result = await client.configure_flow(
        form["flow_id"],
        {
            "username": USER,
            "password": PASSWORD,
            "host": "localhost",
            "port": port,
            "security": "tls",
            "verify_ssl": True,
        },
    )
    if result["type"] != "create_entry":
        raise DemoError(f"The account was not accepted: {result.get('errors')}")
    # The dashboard shows sender and subject of each mail.
    entry_id = result["result"]["entry_id"]
    form = await client.start_options_flow(entry_id)
    await client.configure_options_flow(
        form["flow_id"], {"access": "read", "record_mail": True, "connection": {}}
    )
    # This ends after the reload that the options cause.
    await client.reload_entry(entry_id)
    async with asyncio.timeout(WATCH_SECONDS):
        while not await _is_watched(client):
            await asyncio.sleep(0.1)


async def _is_watched(client: Client) -> bool:
    """Return whether the account is connected, and the number of unread mails is known."""
    states = await client.states()
    unread, connected = (states.get(name) for name in (UNREAD, CONNECTIVITY))
    return bool(
        unread
        and unread["state"].isdecimal()
        and connected
        and connected["state"] == "on"
    )


async def choose_dashboard(client: Client) -> None:
    """Make the demo's dashboard the default page."""
    await client.call(
        "frontend/set_system_data", key="core", value={"default_panel": DASHBOARD}
    )


def enter_pressed() -> asyncio.Event:
    """Return an event that is set when Enter is pressed in a terminal."""
    pressed = asyncio.Event()
    if sys.stdin.isatty():
        asyncio.get_running_loop().add_reader(sys.stdin, _read_line, pressed)
    return pressed


def _read_line(pressed: asyncio.Event) -> None:
    """Read a line; stop reading at end of file (Ctrl-D)."""
    if sys.stdin.readline():
        pressed.set()
    else:
        asyncio.get_running_loop().remove_reader(sys.stdin)


# The demo.


async def repeat(demo: Demo, interval: float) -> None:
    """Append a mail at each interval and each Enter, until cancelled."""
    pressed = enter_pressed()
    while True:
        began = time.monotonic()
        pressed.clear()
        say(describe(await demo.append_mail()))
        left = interval - (time.monotonic() - began)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await pressed.wait()


async def run_once(demo: Demo) -> None:
    """Append one mail; raise DemoError if the light did not flash."""
    delivery = await demo.append_mail()
    say(describe(delivery))
    if delivery.fired is None:
        raise DemoError(f"No new_mail was fired within {MAIL_SECONDS} s.")
    if not delivery.is_good:
        raise DemoError("The light did not flash, or was not left as it was.")
    say("\nThe mail was noticed, the light flashed and is as it was.")


async def run(options: argparse.Namespace) -> None:
    """Start everything, run the demo, and stop everything."""
    make_home(HOME)
    say(f"IMAP Push with Home Assistant {version('homeassistant')}\n")
    certificate = make_certificate(FOLDER / "certificate")
    home = HomeAssistant(
        HOME,
        port=choose_port(options.port),
        configuration=(HOME_TEMPLATE / "configuration.yaml").read_text(),
        ca=certificate.ca,
    )
    say(
        "  Starting; the very first time this installs packages, which can take minutes."
    )
    try:
        async with PymapServer(certificate) as mail_server, home:
            await add_account(home.client, mail_server.tls_port)
            await choose_dashboard(home.client)
            print_introduction(home, mail_server, options)
            demo = Demo(mail_server, home.client)
            await demo.observe()
            if options.once:
                await run_once(demo)
            else:
                await repeat(demo, options.interval)
    except (DemoError, StartError, CallError, TimeoutError) as err:
        reason = str(err) or "Home Assistant is too slow."
        raise DemoError(with_warnings(reason, home)) from err
    except (ClientError, asyncio.QueueShutDown) as err:
        reason = "The connection to Home Assistant has ended."
        raise DemoError(with_warnings(f"{reason} {err}", home)) from err


def print_introduction(
    home: HomeAssistant, mail_server: PymapServer, options: argparse.Namespace
) -> None:
    """Print the addresses and logins."""
    say(f"""
  Open       {home.url}
  Log in     user {HOME_USERNAME}, password {HOME_PASSWORD}
  Mailbox    {USER} on localhost:{mail_server.tls_port}, password {PASSWORD}, TLS with a verified certificate
""")
    if not options.once:
        enter = ", and one when you press Enter" if sys.stdin.isatty() else ""
        say(f"A mail every {options.interval:g} s{enter}. Ctrl-C ends everything.\n")
    say(HEADER)


def with_warnings(reason: str, home: HomeAssistant) -> str:
    """Return the reason with the warnings of Home Assistant."""
    lines = [reason]
    with contextlib.suppress(FileNotFoundError):
        lines += home.warnings()
        lines.append(f"The whole log: {home.log_path.relative_to(ROOT)}")
    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    """Return the command line options."""
    parser = argparse.ArgumentParser(prog="scripts/demo")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--interval", type=float, default=8, metavar="SECONDS")
    parser.add_argument("--port", type=int, default=8123)
    return parser.parse_args()


async def run_until_interrupted(options: argparse.Namespace) -> int:
    """Run, and return the exit code."""
    task = asyncio.create_task(run(options))
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, _interrupt, task)
    await asyncio.wait([task])
    if task.cancelled():
        return 130
    await task
    return 0


def _interrupt(task: asyncio.Task[None]) -> None:
    """Cancel the task at the first signal; a second one must not interrupt the cleanup."""
    if not task.cancelling():
        task.cancel()
        say("\nEnding everything.")


def main() -> int:
    """Run the demo and return the exit code."""
    options = parse_arguments()
    try:
        return asyncio.run(run_until_interrupted(options))
    except DemoError as err:
        print(f"\n{err}", file=sys.stderr)
    except BrokenPipeError:
        # The reader of stdout is gone. Without this, Python reports it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


if __name__ == "__main__":
    sys.exit(main())
