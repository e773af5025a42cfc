"""A Home Assistant with automations, a lamp and accounts."""

import asyncio
from dataclasses import dataclass
import json
from pathlib import Path
import shutil
from typing import Any, Final, override

from custom_components.imap_push.const import DOMAIN, EVENT_NEW_MAIL

from .waiting import WAIT_SECONDS, Json, until_equal

from tests.rig import event_log
from tests.rig.certificate import Certificate
from tests.rig.dovecot import PASSWORD
from tests.rig.home_assistant import HomeAssistant
from tests.rig.ports import LOOPBACK

BLUEPRINTS: Final = Path(__file__).parents[2] / "blueprints" / "automation"
EVENT_LOG: Final = Path(event_log.__file__).parent

# Passwords that tests type in addition to the correct one.
MISTYPED: Final = "mistyped-8J4WK"
NEW_PASSWORD: Final = "changed-3M6ZP"

# The automation reacts only to mails with this subject.
COUNT_SUBJECT: Final = "For the counter"
COUNTER: Final = "counter.mails"
LAMP: Final = "light.lamp"
CONFIGURATION: Final = f"""
logger:
  default: info
  logs:
    custom_components.{DOMAIN}: debug
    # Each account registers entities. Home Assistant warns of a module that logs a lot.
    homeassistant.helpers.entity_registry: warning
event_log:
mobile_app:
tts:
  - platform: demo
counter:
  mails:
template:
  - light:
      - name: Lamp
        turn_on: []
        turn_off: []
        set_level: []
        set_rgb: []
automation:
  - alias: Count mail
    mode: queued
    max: 100
    triggers:
      - trigger: event
        event_type: {EVENT_NEW_MAIL}
        event_data:
          subject: {COUNT_SUBJECT}
    actions:
      - action: counter.increment
        target:
          entity_id: {COUNTER}
automation clicked: !include automations.yaml
"""


class Home(HomeAssistant):
    """A Home Assistant that must not log unexpected warnings."""

    def __init__(self, folder: Path, *, python: Path, certificate: Certificate) -> None:
        """Run in this folder, with a Python in which Home Assistant is installed."""
        super().__init__(
            folder, python=python, configuration=CONFIGURATION, ca=certificate.ca
        )
        self._expected = [
            f"custom integration {event_log.DOMAIN} which has not been",
            # aiohttp logs this if a browser closes the connection during a response.
            "ClientConnectionResetError exception in shielded future",
        ]
        components = folder / "custom_components"
        components.mkdir()
        (components / event_log.DOMAIN).symlink_to(EVENT_LOG)
        (folder / "automations.yaml").write_text("[]")
        shutil.copytree(BLUEPRINTS, folder / "blueprints" / "automation")

    def expect_warnings(self, part: str) -> None:
        """Accept warnings with this text, which the test provokes."""
        self._expected.append(part)

    @override
    def warnings(self) -> list[str]:
        """Return the unexpected warnings and errors."""
        return [
            line
            for line in super().warnings()
            if not any(part in line for part in self._expected)
        ]

    def stored(self, key: str) -> Json:
        """Return the stored data of a key, or an empty dict."""
        path = self.folder / ".storage" / key
        if not path.exists():
            return {}
        data: Json = json.loads(path.read_text())["data"]
        return data

    async def new_mail(self) -> asyncio.Queue[Json]:
        """Return a queue of the next `new_mail` events."""
        return await self.client.subscribe_events(EVENT_NEW_MAIL)

    async def state(self, entity_id: str) -> str | None:
        """Return the state of an entity, None if it does not exist."""
        state = await self.client.get_state(entity_id)
        return str(state["state"]) if state else None

    async def reset_counter(self) -> None:
        """Reset the counter of the automation."""
        await self.client.call_service(
            "counter", "reset", target={"entity_id": COUNTER}
        )

    async def automate(self, name: str, blueprint: str, inputs: Json) -> None:
        """Create or change an automation, as the UI does, and wait until it is on."""
        use = {"path": f"imap_push/{blueprint}.yaml", "input": inputs}
        await self.client.rest(
            "POST",
            f"/api/config/automation/config/{name}",
            {"alias": name, "use_blueprint": use},
        )
        while (state := await self.state(f"automation.{name}")) != "on":
            # One with the same ID that was removed may have been off.
            if state == "off":
                await self.client.call_service(
                    "automation", "turn_on", target={"entity_id": f"automation.{name}"}
                )
            await asyncio.sleep(0.05)

    async def run_automation(self, name: str, *, skip_condition: bool = True) -> None:
        """Choose *Run* in the menu of an automation."""
        await self.client.call_service(
            "automation",
            "trigger",
            {"skip_condition": skip_condition},
            target={"entity_id": f"automation.{name}"},
        )

    async def remove_automations(self) -> None:
        """Remove all automations that `automate` has created."""
        if not self.is_running:
            await self.start()
        for name, state in (await self.client.states()).items():
            if name.startswith("automation.") and (
                key := state["attributes"].get("id")
            ):
                await self.client.rest("DELETE", f"/api/config/automation/config/{key}")

    async def remove_accounts(self) -> None:
        """Remove all accounts."""
        for entry in await self.client.config_entries(DOMAIN):
            await self.client.delete_entry(entry["entry_id"])

    async def open_form(self) -> Json:
        """Open the form for manual setup."""
        form = await self.client.start_flow(DOMAIN)
        return await self.client.configure_flow(form["flow_id"], {"manual": True})

    async def add_account(self, user: str, port: int, **changes: Any) -> Account:
        """Add an account as the UI does, and wait until it is watched."""
        form = await self.open_form()
        result = await self.client.configure_flow(
            form["flow_id"], credentials(user, port, **changes)
        )
        assert result["type"] == "create_entry", result
        account = Account(self, user, result["result"]["entry_id"])
        await account.until_state("connectivity", "on")
        return account


@dataclass(frozen=True)
class Account:
    """An account that Home Assistant watches."""

    home: Home
    user: str
    entry_id: str

    @property
    def title(self) -> str:
        """Return the title."""
        return account_title(self.user)

    @property
    def entities(self) -> dict[str, str]:
        """Return the entity IDs by key."""
        return entities(self.user)

    async def states(self) -> dict[str, str]:
        """Return the states of the existing entities by key."""
        states = await self.home.client.states()
        return {
            key: states[entity_id]["state"]
            for key, entity_id in self.entities.items()
            if entity_id in states
        }

    async def state(self, key: str) -> str | None:
        """Return one state, None if the entity does not exist."""
        return (await self.states()).get(key)

    async def until_state(
        self, key: str, value: str, *, seconds: float = WAIT_SECONDS
    ) -> None:
        """Wait until a state has this value."""
        await until_equal(lambda: self.state(key), value, seconds=seconds)

    def fired_uids(self) -> list[tuple[int, bool]]:
        """Return UID and `catch_up` of every event so far."""
        return [(event["uid"], event["catch_up"]) for event in self.events()]

    def events(self) -> list[Json]:
        """Return every event so far, from the file to which event_log appends them."""
        lines = (self.home.folder / event_log.FILE).read_text().splitlines()
        events: list[Json] = [json.loads(line) for line in lines]
        return [event for event in events if event["entry_id"] == self.entry_id]

    async def set_options(self, **options: Any) -> None:
        """Change these options as the UI does; the others keep their defaults."""
        client = self.home.client
        form = await client.start_options_flow(self.entry_id)
        result = await client.configure_options_flow(form["flow_id"], options)
        assert result["type"] == "create_entry", result

    async def remove(self) -> None:
        """Remove the account, if it still exists."""
        entries = await self.home.client.config_entries(DOMAIN)
        if self.entry_id in [entry["entry_id"] for entry in entries]:
            await self.home.client.delete_entry(self.entry_id)


def credentials(user: str, port: int, **changes: Any) -> Json:
    """Return the input of a user for the form."""
    return {
        "username": user,
        "password": PASSWORD,
        "host": LOOPBACK,
        "port": port,
        "security": "tls",
        "verify_ssl": True,
        "authentication": "password",
        **changes,
    }


def entities(user: str) -> dict[str, str]:
    """Return the entity IDs of an account by key."""
    name = object_id(user)
    return {
        "connectivity": f"binary_sensor.{name}_connectivity",
        "push_mode": f"sensor.{name}_push_mode",
        "unread": f"sensor.{name}_inbox_unread",
        "new_mail": f"event.{name}_inbox_new_mail",
    }


def object_id(user: str) -> str:
    """Return the prefix of the object IDs of an account."""
    return account_title(user).replace(".", "_")


def account_title(user: str) -> str:
    """Return the title of an account."""
    return user.partition("@")[0]
