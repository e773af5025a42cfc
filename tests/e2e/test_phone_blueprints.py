"""The blueprints that notify a phone, with a phone that Home Assistant believes to be real."""

import asyncio
from collections.abc import AsyncIterator
from email.message import EmailMessage
from typing import Any, Final

from aiohttp import ClientSession, web
import pytest
import pytest_asyncio

from .home import Account
from .mailbox import Mailbox

from tests.rig.mails import plain
from tests.rig.ports import LOOPBACK, free_port

type Json = dict[str, Any]

SECONDS: Final = 20
PHONE: Final = "Jane's phone"
PICTURE: Final = b"\xff\xd8\xff\xe0 picture"
SENDER: Final = "Ada Lovelace"


class Phone:
    """The service that delivers notifications to a phone with the Home Assistant app."""

    def __init__(self, account: Account) -> None:
        """Belong to a home."""
        self._home = account.home
        self.notifications: asyncio.Queue[Json] = asyncio.Queue()
        self.device_id = ""

    async def register(self, push_url: str) -> None:
        """Register as the app does."""
        await self._home.client.rest(
            "POST",
            "/api/mobile_app/registrations",
            {
                "app_id": "app",
                "app_name": "App",
                "app_version": "1",
                "device_name": PHONE,
                "device_id": "phone",
                "manufacturer": "Maker",
                "model": "One",
                "os_name": "System",
                "os_version": "1",
                "supports_encryption": False,
                "app_data": {"push_token": "token", "push_url": push_url},
            },
        )
        devices = await self._home.client.call("config/device_registry/list")
        (self.device_id,) = (each["id"] for each in devices if each["name"] == PHONE)

    async def push(self, request: web.Request) -> web.Response:
        """Receive a notification."""
        self.notifications.put_nowait(await request.json())
        return web.json_response({}, status=201)

    async def next(self) -> Json:
        """Return the next notification."""
        async with asyncio.timeout(SECONDS):
            return await self.notifications.get()

    async def open(self, path: str) -> bytes:
        """Open a file as the app does, which is signed in."""
        headers = {"Authorization": f"Bearer {self._home.token}"}
        async with (
            ClientSession(self._home.url, headers=headers) as session,
            session.get(path) as response,
        ):
            response.raise_for_status()
            return await response.read()


@pytest_asyncio.fixture(loop_scope="session")
async def phone(account: Account) -> AsyncIterator[Phone]:
    """Register a phone."""
    phone = Phone(account)
    app = web.Application()
    app.router.add_post("/push", phone.push)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, LOOPBACK, port).start()
    await phone.register(f"http://{LOOPBACK}:{port}/push")
    yield phone
    await account.home.remove_automations()
    for entry in await account.home.client.config_entries("mobile_app"):
        await account.home.client.delete_entry(entry["entry_id"])
    await runner.cleanup()


def _with_picture(subject: str) -> EmailMessage:
    mail = plain(subject)
    mail.add_attachment(PICTURE, maintype="image", subtype="jpeg", filename="a b.jpg")
    return mail


async def _title(account: Account) -> str:
    """Return the name of the account, which is in the messages."""
    entries = await account.home.client.config_entries("imap_push")
    (title,) = (
        entry["title"] for entry in entries if entry["entry_id"] == account.entry_id
    )
    assert isinstance(title, str)
    return title


async def _automate(account: Account, blueprint: str, **inputs: Any) -> None:
    await account.home.automate(
        "mail",
        blueprint,
        {"mailboxes": {"entity_id": account.entities["new_mail"]}, **inputs},
    )


async def test_notify_phone(account: Account, mailbox: Mailbox, phone: Phone) -> None:
    """By new mail, and by *Run*."""
    await _automate(account, "notify_phone", notify="notify.jane_s_phone")
    await mailbox.deliver("Hello")
    expected = {
        "title": f"Email from {SENDER}",
        "message": f"Hello ({await _title(account)})",
    }
    assert expected.items() <= (await phone.next()).items()
    await account.home.run_automation("mail")
    assert expected.items() <= (await phone.next()).items()


async def test_picture_to_phone(
    account: Account, mailbox: Mailbox, phone: Phone
) -> None:
    """The app can open the picture."""
    await _automate(account, "picture_to_phone", phones=[phone.device_id])
    await mailbox.deliver("No picture")
    await mailbox.deliver(_with_picture("At the door"))
    notification = await phone.next()
    assert notification["title"] == f"Picture from {SENDER}"
    assert notification["message"] == f"At the door ({await _title(account)})"
    assert await phone.open(notification["data"]["image"]) == PICTURE


async def test_code_to_phone(account: Account, mailbox: Mailbox, phone: Phone) -> None:
    """Other mail has no code."""
    await _automate(account, "code_to_phone", notify="notify.jane_s_phone")
    await mailbox.deliver("Your order 1234567")
    await mailbox.deliver(plain("Sign in", text="Your code is:\n\n482 913\n"))
    notification = await phone.next()
    assert notification["title"] == f"Code from {SENDER}"
    assert notification["message"] == f"482 913 ({await _title(account)})"


@pytest.mark.parametrize(
    ("blueprint", "title", "message"),
    [
        ("daily_summary", "Email of the day: 205", f"From {SENDER} (205)"),
        (
            "parcels_of_the_day",
            "Parcels today: 1",
            f"- {SENDER}: Parcel 1 is out for delivery",
        ),
    ],
)
async def test_of_the_day(
    account: Account,
    mailbox: Mailbox,
    phone: Phone,
    blueprint: str,
    title: str,
    message: str,
) -> None:
    """The server finds the mail, also where it takes two searches."""
    subjects = [f"Parcel {number} arrives" for number in range(2, 206)]
    await mailbox.deliver_all([*subjects, "Parcel 1 is out for delivery"])
    await account.home.automate(
        "mail",
        blueprint,
        {"account": account.entry_id, "notify": "notify.jane_s_phone"},
    )
    await account.home.run_automation("mail")
    notification = await phone.next()
    assert (notification["title"], notification["message"]) == (title, message)


async def test_remind_unread(account: Account, mailbox: Mailbox, phone: Phone) -> None:
    """Only if there is unread mail."""
    await _automate(account, "remind_unread", notify="notify.jane_s_phone")
    await account.home.run_automation("mail", skip_condition=False)
    await mailbox.deliver("Hello")
    await account.until_state("unread", "1")
    await account.home.run_automation("mail", skip_condition=False)
    assert (await phone.next())["message"] == "There is unread email."
    assert phone.notifications.empty()


async def test_save_attachments(
    account: Account, mailbox: Mailbox, phone: Phone
) -> None:
    """In the media folder."""
    await _automate(account, "save_attachments", content_type=["image/*"])
    await mailbox.deliver(_with_picture("At the door"))
    folder = account.home.folder / "media" / "imap_push"
    async with asyncio.timeout(SECONDS):
        while not [file for file in folder.glob("*.jpg") if file.stat().st_size]:
            await asyncio.sleep(0.05)
    assert PICTURE in [file.read_bytes() for file in folder.glob("*.jpg")]


async def test_announce_sender(
    account: Account, mailbox: Mailbox, phone: Phone
) -> None:
    """At any time of the day."""
    account.home.expect_warnings("Referenced entities tts.voice are missing")
    calls = await account.home.client.subscribe_events("call_service")
    await _automate(
        account,
        "announce_sender",
        engine="tts.voice",
        players=["media_player.kitchen"],
        after="00:00:00",
        before="00:00:00",
    )
    await mailbox.deliver("Hello")
    async with asyncio.timeout(SECONDS):
        while (call := (await calls.get())["data"])["domain"] != "tts":
            pass
    assert call["service_data"]["message"] == f"New email from {SENDER}."
