"""Actions on real servers affect the right mail or none, while other clients change the mailbox."""

# Fixtures are used by their names.
# ruff: noqa: F811
import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from functools import partial
from imaplib import IMAP4_SSL
from itertools import count
import json
from pathlib import Path
import threading
from typing import Any

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.imap_push.const import DOMAIN
from homeassistant.components.media_source import (
    async_browse_media,
    async_resolve_media,
)
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component

from ..account.test_real_servers import (  # noqa: F401
    Mailbox,
    Watched,
    certificate,
    mailbox,
    on_dovecot,
    watched,
)

from tests.rig.mails import plain

pytestmark = pytest.mark.usefixtures("socket_enabled")

only_on_dovecot = pytest.mark.parametrize(
    "mailbox",
    [pytest.param(on_dovecot, id="Dovecot", marks=pytest.mark.dovecot)],
    indirect=True,
)

_PAGE = """\
<p><img src="cid:logo@example.org" alt="Logo"> <a href="https://example.org/2">Open</a> it.
"""

# Errors after which nothing was changed.
GONE = {"mail_not_found", "folder_renumbered", "folder_not_found"}


@pytest.fixture
def media(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Return the media folder."""
    hass.config.media_dirs = {"local": str(tmp_path)}
    return tmp_path / "imap_push"


async def act(hass: HomeAssistant, action: str, **data: Any) -> Any:
    """Run an action and return its response."""
    return await hass.services.async_call(
        DOMAIN, action, data, blocking=True, return_response=True
    )


async def what_is(hass: HomeAssistant, mail: dict[str, Any]) -> str | None:
    """Return the subject of a mail, or the key of the error."""
    try:
        fetched = await act(hass, "fetch", mail=mail)
    except HomeAssistantError as err:
        return err.translation_key
    return str(fetched["subject"])


async def other_client(mailbox: Mailbox, use: Callable[[IMAP4_SSL], Any]) -> Any:
    """Run a function with the connection of another client."""
    return await asyncio.to_thread(mailbox._with_client, use)


def order(number: int, kind: str) -> Any:
    """Return a mail whose parts all contain its number."""
    subject = f"{kind} {number}"
    mail = plain(subject, text=f"This is {subject}.\n")
    mail.add_attachment(
        f"{subject}\n".encode() * 5000,
        maintype="application",
        subtype="pdf",
        filename=f"{subject}.pdf",
    )
    return mail


@asynccontextmanager
async def changing(mailbox: Mailbox) -> AsyncIterator[None]:
    """Let another client append mail, and delete its own and other mail, repeatedly."""
    stop = threading.Event()
    rounds = count()

    def change(client: IMAP4_SSL) -> None:
        client.select()
        while not stop.is_set():
            noise = bytes(plain(f"noise {next(rounds)}"))
            client.append("INBOX", "", "", noise)
            _, [theirs] = client.uid("SEARCH", "SUBJECT", "theirs")
            _, [noises] = client.uid("SEARCH", "SUBJECT", "noise")
            doomed = [*theirs.split()[:1], *noises.split()[:-3]]
            for uid in doomed:
                client.uid("STORE", uid.decode(), "+FLAGS", r"(\Deleted)")
            client.expunge()

    task = asyncio.create_task(other_client(mailbox, change))
    try:
        yield
        assert not task.done() or task.result()
    finally:
        stop.set()
        await task
    assert next(rounds) > 5


def subjects(client: IMAP4_SSL, folder: str, keys: str = "ALL") -> set[str]:
    """Return the subjects of the mails in a folder."""
    client.select(folder, readonly=True)
    _, found = client.search(None, keys)
    if not found[0]:
        return set()
    numbers = ",".join(found[0].decode().split())
    _, answers = client.fetch(numbers, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    return {
        str(message_from_bytes(answer[1])["Subject"])
        for answer in answers
        if isinstance(answer, tuple)
    }


async def test_every_action_affects_the_right_mail(
    hass: HomeAssistant, watched: Watched, mailbox: Mailbox, media: Path
) -> None:
    """Other mail before, between and after it is added and deleted."""
    await other_client(mailbox, lambda client: client.create("Archive"))
    await other_client(mailbox, lambda client: client.create("Trash"))
    ours = [f"ours {number}" for number in range(20)]
    await mailbox.deliver(
        [order(number, kind) for number in range(20) for kind in ("theirs", "ours")]
    )
    await watched.until(lambda: len(watched.events) >= 40)
    mails = {event.data["subject"]: dict(event.data) for event in watched.events}

    async with changing(mailbox):
        for number, subject in enumerate(ours):
            mail = mails[subject]
            fetched = await act(hass, "fetch", mail=mail)
            assert (fetched["subject"], fetched["uid"]) == (subject, mail["uid"])
            assert fetched["text"].strip() == f"This is {subject}."
            saved = await act(hass, "save_attachment", mail=mail, part="2")
            [file] = saved["files"]
            content = await hass.async_add_executor_job(Path(file["path"]).read_bytes)
            assert content == f"{subject}\n".encode() * 5000
            found = await act(
                hass, "search", entry_id=mail["entry_id"], subject=f"{subject} "[:-1]
            )
            assert mail["uid"] in [other["uid"] for other in found["mails"]]
            await act(hass, "set_flags", mail=mail, flagged=True, read=number % 2 == 0)
            if number % 4 == 1:
                await act(hass, "move", mail=mail, target_folder="Archive")
            if number % 4 == 2:
                await act(hass, "delete", mail=mail)
            if number % 4 == 3:
                await act(hass, "delete", mail=mail, permanently=True)
            # A mail of the other client is unchanged, or missing.
            theirs = mails[f"theirs {number}"]
            assert await what_is(hass, theirs) in {theirs["subject"], *GONE}

    def look(client: IMAP4_SSL) -> dict[str, set[str]]:
        return {
            "INBOX": {s for s in subjects(client, "INBOX") if "noise" not in s},
            "Archive": subjects(client, "Archive"),
            "Trash": subjects(client, "Trash"),
            "flagged": subjects(client, "INBOX", "FLAGGED"),
            "read": subjects(client, "INBOX", "SEEN"),
            "deleted": subjects(client, "INBOX", "DELETED"),
        }

    seen = await other_client(mailbox, look)
    left = {subject for subject in seen["INBOX"] if subject.startswith("ours")}
    assert left == {*ours[0::4]}
    assert seen["Archive"] == {*ours[1::4]}
    assert seen["Trash"] == {*ours[2::4]}
    assert seen["flagged"] == {*ours[0::4]}
    assert seen["read"] == {*ours[0::4]}
    assert seen["deleted"] == set()


@only_on_dovecot
async def test_mail_of_other_mail_clients(
    hass: HomeAssistant, watched: Watched, mailbox: Mailbox, media: Path
) -> None:
    """The event, fetch and save_attachment agree on the parts."""
    mail = EmailMessage()
    mail["Subject"] = "Your scan"
    mail["From"] = "scanner@example.org"
    mail.set_content(_PAGE, subtype="html")
    mail.add_related(b"logo", "image", "png", cid="<logo@example.org>")
    mail.add_attachment(b"%PDF", "application", "octet-stream", filename="scan.pdf")
    mail.add_attachment(b'{"pages": 2}', "application", "json", filename="scan.json")
    await mailbox.deliver([mail])
    await watched.until(lambda: len(watched.events) == 1)
    arrived = dict(watched.events[0].data)
    names = {file["filename"]: file["part"] for file in arrived["attachments"]}
    assert names == {"attachment-1-2.png": "1.2", "scan.pdf": "2", "scan.json": "3"}
    assert [file["inline"] for file in arrived["attachments"]] == [True, False, False]

    fetched = await act(hass, "fetch", mail=arrived, html=True, links=True)
    assert fetched["attachments"] == arrived["attachments"]
    assert fetched["html"].strip() == _PAGE.strip()
    assert fetched["text"].strip() == "[Logo] Open <https://example.org/2> it."
    fetched = await act(hass, "fetch", mail=arrived, part=names["scan.json"], html=True)
    assert json.loads(fetched["text"]) == {"pages": 2}
    assert fetched["html"] is None

    for data, saved in (
        ({}, {"scan.pdf": b"%PDF", "scan.json": b'{"pages": 2}'}),
        ({"content_type": "application/pdf"}, {"scan.pdf": b"%PDF"}),
        ({"content_type": "image/*"}, {}),
        (
            {"content_type": "image/*", "inline_images": True},
            {"attachment-1-2.png": b"logo"},
        ),
        ({"part": "1.2"}, {"attachment-1-2.png": b"logo"}),
    ):
        done = await act(hass, "save_attachment", mail=arrived, overwrite=True, **data)
        contents = {
            file["filename"]: await hass.async_add_executor_job(
                Path(file["path"]).read_bytes
            )
            for file in done["files"]
        }
        assert contents == saved, data

    for action in ("fetch", "save_attachment"):
        with pytest.raises(HomeAssistantError) as raised:
            await act(hass, action, mail=arrived, part="7")
        assert raised.value.translation_key == "part_not_found"


def _part(content_type: str, disposition: str, content: bytes) -> bytes:
    lines = [f"Content-Type: {content_type}"]
    if disposition:
        lines.append(f"Content-Disposition: {disposition}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


# Mails in which it is not obvious what is text and what is a file.
MIXED = {
    "text file shown inline first": (
        _part("text/plain; name=a.txt", "inline; filename=a.txt", b"file"),
        _part("text/plain", "", b"text"),
    ),
    "text file only": (
        _part("text/plain; name=a.txt", "inline; filename=a.txt", b"file"),
    ),
    "attached text first": (
        _part("text/plain", "attachment; filename=a.txt", b"file"),
        _part("text/html", "", b"<p>text</p>"),
    ),
    "text with a name": (
        _part("text/plain; name=body.txt", "", b"text"),
        _part("application/pdf; name=a.pdf", "attachment", b"%PDF"),
    ),
    "text, file, text": (
        _part("text/plain", "inline", b"one"),
        _part("text/csv; name=a.csv", "attachment", b"1,2"),
        _part("text/plain", "inline", b"two"),
    ),
    "blank text and HTML": (
        _part("text/plain", "", b"  "),
        _part("text/html", "", b"<p>text</p><p hidden>no</p>"),
    ),
}


@only_on_dovecot
async def test_event_and_fetch_have_the_same_text(
    hass: HomeAssistant, watched: Watched, mailbox: Mailbox
) -> None:
    """They also have the same attachments."""
    [folder] = watched.entry.subentries.values()
    data = {**folder.data, "text_size": 1000}
    hass.config_entries.async_update_subentry(watched.entry, folder, data=data)
    await watched.until_unread(0)

    def append(client: IMAP4_SSL) -> None:
        for subject, parts in MIXED.items():
            header = (
                f"Subject: {subject}\r\nContent-Type: multipart/mixed; boundary=b\r\n"
            )
            body = b"".join(b"\r\n--b\r\n" + part for part in parts) + b"\r\n--b--\r\n"
            client.append("INBOX", "", "", header.encode() + body)

    await other_client(mailbox, append)
    await watched.until(lambda: len(watched.events) == len(MIXED))
    texts = {}
    for event in watched.events:
        arrived = dict(event.data)
        fetched = await act(hass, "fetch", mail=arrived)
        for field in ("text", "attachments"):
            assert fetched[field] == arrived[field], arrived["subject"]
        texts[arrived["subject"]] = arrived["text"]
    assert "file" not in texts["text file shown inline first"]
    assert [texts[name].split() for name in MIXED if name != "text file only"] == [
        ["text"],
        ["text"],
        ["text"],
        ["one", "two"],
        ["text"],
    ]


async def test_automation_without_templates(
    hass: HomeAssistant, watched: Watched, mailbox: Mailbox, media: Path
) -> None:
    """Each of a burst of mails is marked, flagged, saved and archived by its own run."""
    await other_client(mailbox, lambda client: client.create("Archive"))
    config = {
        "mode": "parallel",
        "max": 50,
        "triggers": {
            "trigger": "imap_push.new_mail",
            "target": {"entity_id": hass.states.async_entity_ids("event")},
        },
        "actions": [
            {"action": "imap_push.mark_as_read"},
            {"action": "imap_push.flag"},
            {"action": "imap_push.save_attachment", "data": {"content_type": ".pdf"}},
            {"action": "imap_push.move", "data": {"target_folder": "archive"}},
        ],
    }
    assert await async_setup_component(hass, "automation", {"automation": config})
    await mailbox.deliver([order(number, "ours") for number in range(12)])
    await watched.until(lambda: len(watched.events) == 12)
    await hass.async_block_till_done()
    expected = {f"ours {number}" for number in range(12)}
    for keys in ("ALL", "SEEN FLAGGED"):
        found = await other_client(
            mailbox, partial(subjects, folder="Archive", keys=keys)
        )
        assert found == expected
    assert await other_client(mailbox, lambda c: subjects(c, "INBOX")) == set()
    saved = await hass.async_add_executor_job(lambda: {*media.iterdir()})
    assert {path.stem for path in saved} == expected


async def test_errors_state_the_one_reason(
    hass: HomeAssistant, watched: Watched, mailbox: Mailbox
) -> None:
    """They name the folder, and nothing is changed."""
    await mailbox.deliver([plain("mail")])
    await watched.until_unread(1)
    mail = dict(watched.events[0].data)
    for action, data, message in (
        ("delete", {}, "has no trash folder.* turn on “Permanently”"),
        ("move", {"target_folder": "inbox"}, "already in the folder INBOX"),
        (
            "move",
            {"target_folder": "trash"},
            "has no folder of the type “trash”. Enter the name",
        ),
        ("move", {"target_folder": "No/where"}, "The folder No/where of"),
        ("fetch", {"mail": mail | {"folder": "Gone"}}, "The folder Gone of"),
    ):
        with pytest.raises(HomeAssistantError, match=message):
            await act(hass, action, **{"mail": mail} | data)
    with pytest.raises(HomeAssistantError, match="The folder Gone of"):
        await act(hass, "search", entry_id=watched.entry.entry_id, folder="Gone")
    assert await mailbox.listing() == [(mail["uid"], "mail")]


async def test_several_mails_of_which_some_are_missing(
    hass: HomeAssistant, watched: Watched, mailbox: Mailbox
) -> None:
    """The others are changed, and the missing ones are reported."""
    await mailbox.deliver([plain(f"mail {number}") for number in range(5)])
    await watched.until_unread(5)
    await mailbox.delete_newest()
    mails = [dict(event.data) for event in watched.events]
    uids = [mail["uid"] for mail in mails]
    done = await act(hass, "set_flags", mail=mails, read=True)
    assert done == {"uids": uids[:4], "missing": uids[4:]}
    await watched.until_unread(0)
    with pytest.raises(HomeAssistantError) as raised:
        await act(hass, "delete", mail=mails[4], permanently=True)
    assert raised.value.translation_key == "mail_not_found"
    assert [uid for uid, _ in await mailbox.listing()] == uids[:4]


async def test_folder_that_was_deleted_and_created_again(
    hass: HomeAssistant, watched: Watched, mailbox: Mailbox, media: Path
) -> None:
    """Another mail has the same UID; it is not changed."""

    def fill(client: IMAP4_SSL, subject: str) -> None:
        client.create("Orders")
        client.append("Orders", "", "", bytes(order(1, subject)))

    await other_client(mailbox, lambda client: fill(client, "old"))
    found = await act(hass, "search", entry_id=watched.entry.entry_id, folder="Orders")
    [mail] = found["mails"]
    await act(hass, "fetch", mail=mail)
    # Dovecot derives UIDVALIDITY from the time in seconds.
    await asyncio.sleep(1.1)
    await other_client(mailbox, lambda client: client.delete("Orders"))
    await other_client(mailbox, lambda client: fill(client, "new"))
    for action, data in (
        ("fetch", {}),
        ("save_attachment", {}),
        ("set_flags", {"flagged": True}),
        ("move", {"target_folder": "INBOX"}),
        ("delete", {"permanently": True}),
    ):
        with pytest.raises(HomeAssistantError) as raised:
            await act(hass, action, mail=mail, **data)
        assert raised.value.translation_key in GONE, action
    assert not media.exists() or not list(media.iterdir())
    assert await other_client(mailbox, lambda c: subjects(c, "Orders")) == {"new 1"}
    flagged = await other_client(mailbox, lambda c: subjects(c, "Orders", "FLAGGED"))
    assert flagged == set()


# pymap sends a BODYSTRUCTURE for attachments that no RFC allows.
@only_on_dovecot
async def test_attachment_as_media(
    hass: HomeAssistant,
    watched: Watched,
    mailbox: Mailbox,
    hass_client: ClientSessionGenerator,
) -> None:
    """A browser gets the file unchanged."""
    assert await async_setup_component(hass, "media_source", {})
    await mailbox.deliver([plain("no attachment"), order(1, "ours")])
    await watched.until_unread(2)
    media = await async_browse_media(hass, "media-source://imap_push")
    for title in (watched.entry.title, "INBOX", "Ada Lovelace · ours 1", "ours 1.pdf"):
        children: Any = media.children
        [content_id] = [
            child.media_content_id for child in children if child.title.endswith(title)
        ]
        if title != "ours 1.pdf":
            media = await async_browse_media(hass, content_id)
    attachment = await async_resolve_media(hass, content_id, None)
    assert attachment.mime_type == "application/pdf"
    browser = await hass_client()
    response = await browser.get(attachment.url)
    assert await response.read() == b"ours 1\n" * 5000
    await watched.until_unread(2)


@only_on_dovecot
@pytest.mark.parametrize(
    "mode",
    [pytest.param("queued", id="queued"), pytest.param("parallel", id="parallel")],
)
async def test_automation_marks_a_burst_of_mail_as_read(
    hass: HomeAssistant, watched: Watched, mailbox: Mailbox, mode: str
) -> None:
    """None of 200 mails is missed."""
    assert await async_setup_component(
        hass,
        "automation",
        {
            "automation": {
                "mode": mode,
                "max": 200,
                "triggers": {"trigger": "event", "event_type": "new_mail"},
                "actions": {
                    "action": "imap_push.set_flags",
                    "data": {"mail": "{{ trigger.event.data }}", "read": True},
                },
            }
        },
    )
    await mailbox.deliver([plain(f"mail {number}") for number in range(200)])
    await watched.until(lambda: len(watched.events) == 200)
    await hass.async_block_till_done()
    assert (await mailbox.contents()).flags == [{rb"\Seen"}] * 200
    await watched.until_unread(0)
