"""Permissions of users without administrator rights."""

from collections.abc import Awaitable
from typing import Any, Final

from aiohttp import ClientSession
import pytest

from .home import Account, Home
from .mailbox import Mailbox
from .waiting import Json, next_events, until_equal

from tests.rig.client import CallError, Client
from tests.rig.mails import plain

SECRET: Final = "Your reset code"
NAME, PASSWORD = "child", "child-5T9QD"
CARD: Final = "// a card of the dashboard"


async def _sign_in(home: Home) -> str:
    """Add a user without administrator rights; return an access token."""
    made = await home.client.call(
        "config/auth/create", name=NAME, group_ids=["system-users"]
    )
    await home.client.call(
        "config/auth_provider/homeassistant/create",
        user_id=made["user"]["id"],
        username=NAME,
        password=PASSWORD,
    )
    client_id = f"{home.url}/"

    async def post(path: str, **body: Any) -> Any:
        async with session.post(path, **body) as response:
            return await response.json()

    async with ClientSession(home.url) as session:
        flow = await post(
            "/auth/login_flow",
            json={
                "client_id": client_id,
                "handler": ["homeassistant", None],
                "redirect_uri": client_id,
            },
        )
        done = await post(
            f"/auth/login_flow/{flow['flow_id']}",
            json={"client_id": client_id, "username": NAME, "password": PASSWORD},
        )
        tokens = await post(
            "/auth/token",
            data={
                "grant_type": "authorization_code",
                "client_id": client_id,
                "code": done["result"],
            },
        )
    token: str = tokens["access_token"]
    return token


async def _refused(call: Awaitable[Any], *parts: str) -> None:
    with pytest.raises(CallError) as raised:
        await call
    assert all(part in str(raised.value) for part in parts), raised.value


def _requests(client: Client, mail: Json) -> dict[str, Awaitable[Any]]:
    """Return the possible requests for a mail by name."""
    place = {key: mail[key] for key in ("entry_id", "folder", "uid", "uid_validity")}

    def act(action: str, **data: Any) -> Awaitable[Any]:
        return client.call_service(
            "imap_push", action, place | data, return_response=True
        )

    return {
        "search": client.call_service(
            "imap_push", "search", {"entry_id": mail["entry_id"]}, return_response=True
        ),
        "fetch": act("fetch"),
        "set_flags": act("set_flags", flagged=True),
        "delete": act("delete", permanently=True),
        "browse": client.call(
            "media_source/browse_media",
            media_content_id=f"media-source://imap_push/{mail['entry_id']}",
        ),
    }


async def _accounts(client: Client) -> list[str]:
    """Return the accounts that the media browser shows to a user."""
    root = await client.call(
        "media_source/browse_media", media_content_id="media-source://imap_push"
    )
    return [child["title"] for child in root["children"]]


@pytest.mark.newest
async def test_user_without_administrator_rights(
    home: Home, account: Account, mailbox: Mailbox
) -> None:
    """All requests are refused with a translated message, and work after the option is set."""
    for part in (
        "You are not allowed to",
        "Only administrators",
        "not allowed to save files",
    ):
        home.expect_warnings(part)
    community = home.folder / "www/community"
    community.mkdir(parents=True)
    (community / "card.js").write_text(CARD)
    arrivals = await home.new_mail()
    message = plain(SECRET)
    message.add_attachment(
        b"alert('owned')", maintype="image", subtype="png", filename="card.js"
    )
    await mailbox.deliver(message)
    [mail] = await next_events(arrivals, 1)
    place = {key: mail[key] for key in ("entry_id", "folder", "uid", "uid_validity")}
    save = ("imap_push", "save_attachment")

    async with Client(home.url, await _sign_in(home)) as child:
        states = await child.states()
        assert account.entities["new_mail"] in states
        assert await _accounts(child) == []
        assert not [state for state in states.values() if SECRET in str(state)]
        for name, request in _requests(child, mail).items():
            kind = "change" if name in {"set_flags", "delete"} else "read"
            await _refused(request, f"You are not allowed to {kind} the email")
        await _refused(
            child.call_service(*save, place), "administrators_only", "imap_push"
        )
        for client in (child, home.client):
            data = place | {"directory": "www/community", "overwrite": True}
            await _refused(client.call_service(*save, data), "translation_key")
        assert (community / "card.js").read_text() == CARD
        assert [path.name for path in community.iterdir()] == ["card.js"]

        saved = await home.client.call_service(*save, place, return_response=True)
        assert saved is not None
        assert [file["filename"] for file in saved["files"]] == ["card.png"]

        await account.set_options(access="change", connection={})
        await until_equal(lambda: _accounts(child), [account.title])
        requests = _requests(child, mail)
        delete = requests.pop("delete")
        for request in requests.values():
            await request
        await delete
        assert await mailbox.listing() == []
        await _refused(child.call_service(*save, place), "administrators_only")
