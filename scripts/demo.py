"""A mail server, a real Home Assistant, and a light that flashes for every mail.

Run by scripts/demo, which sets up what this needs.
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
UNREAD: Final = "sensor.demo_example_org_inbox_unread"

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
    """The demo cannot go on; the text is for people."""


@dataclass
class Round:
    """What one mail set off; times are seconds since 1970."""

    put_in: float
    message: EmailMessage
    light_before: Json
    fired: float | None = None
    light: list[Json] = field(default_factory=list)

    @property
    def flashes(self) -> int:
        """Return how often the light went off again."""
        return sum(_state(change)["state"] == "off" for change in self.light)

    @property
    def restored(self) -> bool:
        """Say whether the light looks as it did before."""
        return bool(self.light) and _look(_state(self.light[-1])) == _look(
            self.light_before
        )

    @property
    def good(self) -> bool:
        """Say whether the mail was noticed, and the light flashed and was restored."""
        return self.fired is not None and self.flashes > 0 and self.restored


class Stage:
    """The mailbox, and what Home Assistant tells of mails, light and automation."""

    def __init__(self, mail_server: PymapServer, client: Client) -> None:
        """Bring the parts together; observe() comes next."""
        self._mail_server = mail_server
        self._client = client
        self._mails = itertools.cycle(MAILS)

    async def observe(self) -> None:
        """Begin to listen."""
        self._new_mails = await self._client.subscribe_events("new_mail")
        self._changes = await self._client.subscribe_events("state_changed")

    async def put_mail(self) -> Round:
        """Put one mail into the mailbox and see what happens."""
        sender, subject = next(self._mails)
        message = mails.plain(subject, sender=sender, recipient=USER)
        light_before = await self._client.get_state(LIGHT)
        if light_before is None:
            raise DemoError("Home Assistant has no lamp.")
        round_ = Round(time.time(), message, light_before)
        await self._mail_server.append(message)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MAIL_SECONDS):
                new_mail = await self._new_mail(message["Message-ID"])
            round_.fired = _time(new_mail)
            async with asyncio.timeout(FLASH_SECONDS):
                await self._flash(new_mail["context"]["id"], round_)
        return round_

    async def _new_mail(self, message_id: str) -> Json:
        """Wait for the event of a message."""
        while True:
            event = await self._new_mails.get()
            if event["data"]["message_id"] == message_id:
                return event

    async def _flash(self, cause: str, round_: Round) -> None:
        """Write down how the light changes because of an event, until all is over."""
        running = True
        while running or not round_.restored:
            event = await self._changes.get()
            entity_id = event["data"]["entity_id"]
            if entity_id == LIGHT and event["context"]["parent_id"] == cause:
                round_.light.append(event)
            elif entity_id == AUTOMATION and round_.light:
                running = _is_running(event)


def _state(change: Json) -> Json:
    """Return the state that a change led to."""
    state: Json = change["data"]["new_state"]
    return state


def _look(light: Json) -> tuple[Any, ...]:
    """Return what one sees of a light."""
    attributes = light["attributes"]
    return light["state"], attributes["brightness"], attributes["rgb_color"]


def _is_running(change: Json) -> bool:
    """Say whether the automation runs after this change."""
    return bool(_state(change)["attributes"]["current"])


def _time(event: Json) -> float:
    """Return when an event was fired."""
    return datetime.fromisoformat(event["time_fired"]).timestamp()


# What is printed.

HEADER: Final = (
    f"{'mail put in':<14}{'new_mail fired':<16}{'latency':>8}   {'light':<44}mail"
)


def say(text: str = "") -> None:
    """Print a line at once, whatever stdout is."""
    print(text, flush=True)


def describe(round_: Round) -> str:
    """Return one line about a mail."""
    fired, latency = "not fired", ""
    if round_.fired is not None:
        fired = _clock(round_.fired)
        latency = f"{(round_.fired - round_.put_in) * 1000:.0f} ms"
    return (
        f"{_clock(round_.put_in):<14}{fired:<16}{latency:>8}   "
        f"{_describe_light(round_):<44}{round_.message['Subject']}"
    )


def _describe_light(round_: Round) -> str:
    """Return what the light did."""
    if not round_.light:
        return "did not flash"
    first, last = (_time(round_.light[at]) - round_.put_in for at in (0, -1))
    end = "restored" if round_.restored else "NOT restored"
    return f"{round_.flashes} flashes from {first * 1000:.0f} ms, {end} at {last:.1f} s"


def _clock(seconds: float) -> str:
    """Return a time of day with milliseconds."""
    return datetime.fromtimestamp(seconds).strftime("%H:%M:%S.%f")[:-3]


# Setting the stage.


def make_home() -> None:
    """Make a new folder for Home Assistant in place of the last demo's."""
    if _is_in_use(HOME / ".ha_run.lock"):
        raise DemoError("A demo is running already in this folder. End it first.")
    shutil.rmtree(HOME, ignore_errors=True)
    shutil.copytree(HOME_TEMPLATE, HOME)
    shutil.copytree(BLUEPRINTS, HOME / "blueprints" / "automation" / BLUEPRINTS.name)


def _is_in_use(lock: Path) -> bool:
    """Say whether a Home Assistant holds the lock of its folder."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def choose_port(wanted: int) -> int:
    """Return the wanted port or the next one that is free."""
    for port in range(wanted, min(wanted + PORTS_TO_TRY, 65536)):
        with contextlib.suppress(OSError), socket.create_server((LOOPBACK, port)):
            if port != wanted:
                say(f"  Port {wanted} cannot be used, so it will be {port}.")
            return port
    raise DemoError(f"There is no free port from {wanted} on.")


async def add_account(client: Client, port: int) -> None:
    """Add the account as the dialogue of the UI does, and wait until it is watched."""
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
    async with asyncio.timeout(WATCH_SECONDS):
        while not await _is_watched(client):
            await asyncio.sleep(0.1)


async def _is_watched(client: Client) -> bool:
    """Say whether the number of unread mails is known."""
    state = await client.get_state(UNREAD)
    return state is not None and state["state"].isdecimal()


async def choose_dashboard(client: Client) -> None:
    """Make the demo's dashboard the first page."""
    await client.call(
        "frontend/set_system_data", key="core", value={"default_panel": DASHBOARD}
    )


def enter_pressed() -> asyncio.Event:
    """Return what is set when Enter is pressed; never, where there is no terminal."""
    pressed = asyncio.Event()
    if sys.stdin.isatty():
        asyncio.get_running_loop().add_reader(sys.stdin, _read_line, pressed)
    return pressed


def _read_line(pressed: asyncio.Event) -> None:
    """Take what was typed; at its end (Ctrl-D) listen no more."""
    if sys.stdin.readline():
        pressed.set()
    else:
        asyncio.get_running_loop().remove_reader(sys.stdin)


# The demo.


async def play(stage: Stage, interval: float) -> None:
    """Put mails in until someone has seen enough."""
    pressed = enter_pressed()
    while True:
        began = time.monotonic()
        pressed.clear()
        say(describe(await stage.put_mail()))
        left = interval - (time.monotonic() - began)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await pressed.wait()


async def play_once(stage: Stage) -> None:
    """Put one mail in, and fail if the light did not flash for it."""
    round_ = await stage.put_mail()
    say(describe(round_))
    if round_.fired is None:
        raise DemoError(f"No new_mail was fired within {MAIL_SECONDS} s.")
    if not round_.good:
        raise DemoError("The light did not flash, or was not left as it was.")
    say("\nThe mail was noticed, the light flashed and is as it was.")


async def run(options: argparse.Namespace) -> None:
    """Start everything, play, and end everything."""
    make_home()
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
            introduce(home, mail_server, options)
            stage = Stage(mail_server, home.client)
            await stage.observe()
            if options.once:
                await play_once(stage)
            else:
                await play(stage, options.interval)
    except (DemoError, StartError, CallError, TimeoutError) as err:
        reason = str(err) or "Home Assistant is too slow."
        raise DemoError(explain(reason, home)) from err
    except (ClientError, asyncio.QueueShutDown) as err:
        reason = "The connection to Home Assistant has ended."
        raise DemoError(explain(f"{reason} {err}", home)) from err


def introduce(
    home: HomeAssistant, mail_server: PymapServer, options: argparse.Namespace
) -> None:
    """Tell what there is to see."""
    say(f"""
  Open       {home.url}
  Log in     user {HOME_USERNAME}, password {HOME_PASSWORD}
  Mailbox    {USER} on localhost:{mail_server.tls_port}, password {PASSWORD}, TLS with a verified certificate
""")
    if not options.once:
        enter = ", and one when you press Enter" if sys.stdin.isatty() else ""
        say(f"A mail every {options.interval:g} s{enter}. Ctrl-C ends everything.\n")
    say(HEADER)


def explain(reason: str, home: HomeAssistant) -> str:
    """Return what went wrong, with what Home Assistant says about it."""
    lines = [reason]
    with contextlib.suppress(FileNotFoundError):
        lines += home.warnings()
        lines.append(f"The whole log: {home.log_path.relative_to(ROOT)}")
    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    """Return the options."""
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
    """Have everything ended, once: whoever is impatient must not leave half of it."""
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
        # Nobody reads along any more, and Python would complain of it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


if __name__ == "__main__":
    sys.exit(main())
