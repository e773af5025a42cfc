"""Access to the mail of an account, for each row of the table in the documentation."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, override
from unittest.mock import Mock, patch

from aiohttp.test_utils import make_mocked_request
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockUser,
    async_capture_events,
)
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    MockHAClientWebSocket,
    WebSocketGenerator,
)

from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.imap import (
    Attachment,
    FolderInfo,
    MessageContent,
    SearchResult,
    StoreResult,
)
from homeassistant.auth.const import GROUP_ID_ADMIN, GROUP_ID_READ_ONLY, GROUP_ID_USER
from homeassistant.components.media_player import (
    BrowseError,
    MediaPlayerEntity,
    MediaPlayerEntityFeature,
    async_process_play_media_url,
)
from homeassistant.components.media_player.const import DATA_COMPONENT
from homeassistant.components.media_source import (
    Unresolvable,
    async_browse_media,
    async_resolve_media,
    is_media_source_id,
)
from homeassistant.core import Context, Event, EventOrigin, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.http import current_request
from homeassistant.setup import async_setup_component

from .. import make_arrival, make_mail
from ..conftest import FakeWatcher

PLACE = {"entry_id": "01IMAPPUSH", "folder": "INBOX", "uid_validity": 3, "uid": 7}
ACTIONS: dict[str, dict[str, Any]] = {
    "search": {"entry_id": "01IMAPPUSH"},
    "fetch": PLACE,
    "save_attachment": PLACE,
    "set_flags": PLACE | {"read": True},
    "mark_as_read": PLACE,
    "flag": PLACE,
    "move": PLACE | {"target_folder": "Archive"},
    "delete": PLACE | {"permanently": True},
}
READING = ("search", "fetch")
CHANGING = ("set_flags", "mark_as_read", "flag", "move", "delete")
PHOTO = Attachment(part="2", filename="me.jpg", content_type="image/jpeg", size=3)
ROOT = "media-source://imap_push"
MEDIA = f"{ROOT}/01IMAPPUSH/SU5CT1g/3/7"
PLAYER = "media_player.speaker"
PLAY_MEDIA = "media_player.play_media"
PLAY = {
    "entity_id": PLAYER,
    "media_content_id": f"{MEDIA}/2",
    "media_content_type": "image/jpeg",
}

OPTIONS = [
    pytest.param({}, id="default"),
    pytest.param({"access": "none"}, id="administrators only"),
    pytest.param({"access": "read"}, id="all may read"),
    pytest.param({"access": "change"}, id="all may change"),
]


@pytest.fixture(autouse=True)
def _mailbox(
    hass: HomeAssistant, imap_client: Mock, watcher: FakeWatcher, tmp_path: Path
) -> None:
    """Let the client return one mail with an attachment in INBOX."""

    async def read_part(*_args: object) -> AsyncIterator[bytes]:
        yield b"JPG"

    hass.config.media_dirs = {"local": str(tmp_path)}
    mail = make_mail(attachments=(PHOTO,))
    imap_client.folders.return_value = [
        FolderInfo(name="INBOX"),
        FolderInfo(name="Archive"),
    ]
    imap_client.search.return_value = SearchResult(uid_validity=3, uids=(7,), total=1)
    imap_client.mails.return_value = [mail]
    imap_client.content.return_value = MessageContent(mail=mail, text="Reset code 4711")
    imap_client.attachment.return_value = PHOTO
    imap_client.read_part.side_effect = read_part
    for name in ("set_flags", "move", "delete"):
        getattr(imap_client, name).return_value = StoreResult(uids=(7,), missing=())


async def _token(hass: HomeAssistant, group_id: str) -> tuple[MockUser, str]:
    """Return a new user of a group, and an access token."""
    group = await hass.auth.async_get_group(group_id)
    assert group is not None
    user = MockUser(groups=[group]).add_to_hass(hass)
    token = await hass.auth.async_create_refresh_token(user, "https://example.com/app")
    return user, hass.auth.async_create_access_token(token)


@pytest.fixture
async def user(hass: HomeAssistant) -> tuple[MockUser, str]:
    """Return a user without administrator rights, and an access token."""
    return await _token(hass, GROUP_ID_USER)


@pytest.fixture
async def browser(
    hass: HomeAssistant, user: tuple[MockUser, str], hass_ws_client: WebSocketGenerator
) -> MockHAClientWebSocket:
    """Return the user's WebSocket connection."""
    assert await async_setup_component(hass, "media_player", {})
    assert await async_setup_component(hass, "media_source", {})
    assert await async_browse_media(hass, ROOT)
    return await hass_ws_client(hass, user[1])


async def send(client: MockHAClientWebSocket, kind: str, **data: Any) -> dict[str, Any]:
    """Send a command; return the response."""
    await client.send_json_auto_id({"type": kind, **data})
    answer: dict[str, Any] = await client.receive_json()
    return answer


async def call(
    client: MockHAClientWebSocket, action: str, data: Any = None, **more: Any
) -> dict[str, Any]:
    """Call an action as the frontend does; return the response."""
    domain, _, service = action.partition(".")
    return await send(
        client,
        "call_service",
        domain=domain,
        service=service,
        service_data=data or {},
        **more,
    )


def allowed(options: dict[str, str]) -> tuple[str, ...]:
    """Return the actions that a user without administrator rights may call."""
    access = options.get("access")
    if access == "change":
        return (*READING, *CHANGING)
    return READING if access == "read" else ()


def refusal(action: str) -> str:
    """Return the translation key of the refusal for such a user."""
    if action == "save_attachment":
        return "administrators_only"
    return "read_not_allowed" if action in READING else "change_not_allowed"


@pytest.mark.parametrize("entry_options", OPTIONS)
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    "group_id",
    [
        pytest.param(GROUP_ID_USER, id="user"),
        pytest.param(GROUP_ID_READ_ONLY, id="read-only user"),
    ],
)
async def test_user_calls_an_action(
    hass: HomeAssistant,
    imap_client: Mock,
    hass_ws_client: WebSocketGenerator,
    entry_options: dict[str, str],
    action: str,
    group_id: str,
) -> None:
    """The option decides; a refusal is translated, and no request is sent."""
    _, token = await _token(hass, group_id)
    client = await hass_ws_client(hass, token)
    answer = await call(
        client, f"imap_push.{action}", ACTIONS[action], return_response=True
    )
    if action in allowed(entry_options):
        assert answer["success"], answer
        return
    assert not answer["success"]
    assert answer["error"]["translation_domain"] == DOMAIN
    assert answer["error"]["translation_key"] == refusal(action)
    assert not imap_client.method_calls


@pytest.mark.parametrize("action", ACTIONS)
async def test_administrator_calls_an_action(
    hass: HomeAssistant, hass_ws_client: WebSocketGenerator, action: str
) -> None:
    """It is always allowed, without the option."""
    client = await hass_ws_client(hass)
    answer = await call(
        client, f"imap_push.{action}", ACTIONS[action], return_response=True
    )
    assert answer["success"], answer


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("entry_options", [{"access": "change"}], ids=["all"])
async def test_option_does_not_override_read_only(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    browser: MockHAClientWebSocket,
    action: str,
) -> None:
    """A read-only account refuses changes to all users."""
    options = {**entry.options, "read_only": True}
    hass.config_entries.async_update_entry(entry, options=options)
    await hass.async_block_till_done()
    answer = await call(
        browser, f"imap_push.{action}", ACTIONS[action], return_response=True
    )
    assert answer["success"] is (action in READING)
    if action in CHANGING:
        assert answer["error"]["translation_key"] == "read_only"


async def test_refusal_does_not_depend_on_the_data(
    browser: MockHAClientWebSocket,
) -> None:
    """A user who not allowed to change mail gets no other information."""
    data = PLACE | {"target_folder": "INBOX"}
    answer = await call(browser, "imap_push.move", data)
    assert answer["error"]["translation_key"] == "change_not_allowed"


@pytest.mark.parametrize("action", ACTIONS)
async def test_user_calls_an_action_by_rest(
    hass: HomeAssistant,
    imap_client: Mock,
    user: tuple[MockUser, str],
    hass_client: ClientSessionGenerator,
    action: str,
) -> None:
    """It is refused as over WebSocket."""
    assert await async_setup_component(hass, "api", {})
    client = await hass_client(user[1])
    response = await client.post(
        f"/api/services/imap_push/{action}?return_response", json=ACTIONS[action]
    )
    assert response.status == HTTPStatus.BAD_REQUEST
    assert not imap_client.method_calls


async def test_deleted_user_has_no_access(hass: HomeAssistant) -> None:
    """It is unknown whether the user was an administrator."""
    with pytest.raises(HomeAssistantError) as raised:
        await hass.services.async_call(
            DOMAIN,
            "fetch",
            PLACE,
            blocking=True,
            return_response=True,
            context=Context(user_id="0" * 32),
        )
    assert raised.value.translation_key == "read_not_allowed"


async def _make_script(
    hass: HomeAssistant, action: str, data: dict[str, Any]
) -> list[Event[dict[str, Any]]]:
    """Create a script, and automations that run it or do the same; return the calls."""
    step = {"action": action, "data": data}
    if action != PLAY_MEDIA:
        step["response_variable"] = "response"
    sequence = [step, {"event": "done"}]
    done = async_capture_events(hass, "done")
    assert await async_setup_component(
        hass, "script", {"script": {"do_it": {"sequence": sequence}}}
    )
    automations = [
        {
            "alias": "do_it",
            "triggers": {"trigger": "event", "event_type": "never"},
            "actions": sequence,
        },
        {
            "alias": "run_script",
            "triggers": {"trigger": "event", "event_type": "never"},
            "actions": {"action": "script.do_it"},
        },
        {
            "alias": "on_mail",
            "triggers": {"trigger": "event", "event_type": "new_mail"},
            "actions": sequence,
        },
        {
            "alias": "on_switch",
            "triggers": {
                "trigger": "state",
                "entity_id": "input_boolean.switch",
                "to": "on",
            },
            "actions": sequence,
        },
    ]
    assert await async_setup_component(hass, "automation", {"automation": automations})
    assert await async_setup_component(
        hass, "input_boolean", {"input_boolean": {"switch": {}}}
    )
    await hass.async_block_till_done()
    return done


@pytest.mark.parametrize("action", ACTIONS)
async def test_script_that_a_user_starts(
    hass: HomeAssistant, imap_client: Mock, browser: MockHAClientWebSocket, action: str
) -> None:
    """It has the permissions of that user."""
    done = await _make_script(hass, f"imap_push.{action}", ACTIONS[action])
    answer = await call(browser, "script.do_it")
    assert answer["error"]["translation_key"] == refusal(action)
    assert not done
    assert not imap_client.method_calls


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("service", "entity_id"),
    [
        pytest.param("automation.trigger", "automation.do_it", id="automation"),
        pytest.param("automation.trigger", "automation.run_script", id="its script"),
        pytest.param("input_boolean.toggle", "input_boolean.switch", id="by a switch"),
    ],
)
async def test_automation_that_a_user_triggers(
    hass: HomeAssistant,
    imap_client: Mock,
    browser: MockHAClientWebSocket,
    action: str,
    service: str,
    entity_id: str,
) -> None:
    """An administrator has created it, so it is allowed everything, as are its scripts."""
    done = await _make_script(hass, f"imap_push.{action}", ACTIONS[action])
    answer = await call(browser, service, {"entity_id": entity_id})
    assert answer["success"], answer
    await hass.async_block_till_done()
    assert len(done) == 1
    assert imap_client.method_calls


async def test_event_that_a_user_fires_does_not_trigger(
    hass: HomeAssistant,
    imap_client: Mock,
    user: tuple[MockUser, str],
    watcher: FakeWatcher,
) -> None:
    """The companion app lets all users fire events; only real mail triggers."""
    automation = {
        "triggers": {
            "trigger": "imap_push.new_mail",
            "target": {"entity_id": "event.jane_example_com_inbox_new_mail"},
        },
        "actions": {
            "action": "imap_push.delete",
            "data": {"mail": "{{ trigger.mail }}"},
        },
    }
    assert await async_setup_component(hass, "automation", {"automation": automation})
    await hass.async_block_till_done()
    await watcher.listener.mail_arrived(make_arrival())
    await hass.async_block_till_done()
    assert imap_client.delete.call_count == 1
    [device] = hass.states.async_all("event")
    forged = PLACE | {"device_id": device.attributes["device_id"]}
    hass.bus.async_fire(
        "new_mail", forged, EventOrigin.remote, Context(user_id=user[0].id)
    )
    await hass.async_block_till_done()
    assert imap_client.delete.call_count == 1


def is_readable(options: dict[str, str]) -> bool:
    """Return whether all users may read the mail."""
    return options.get("access") in {"read", "change"}


@pytest.mark.parametrize("entry_options", OPTIONS)
async def test_user_browses_media(
    hass: HomeAssistant,
    imap_client: Mock,
    browser: MockHAClientWebSocket,
    hass_client_no_auth: ClientSessionGenerator,
    entry: MockConfigEntry,
    entry_options: dict[str, str],
) -> None:
    """The user sees the accounts with access, until the access is withdrawn."""
    imap_client.reset_mock()
    answer = await send(
        browser, "media_source/browse_media", media_content_id=f"{ROOT}"
    )
    assert bool(answer["result"]["children"]) is is_readable(entry_options)
    places = [f"{ROOT}/01IMAPPUSH", f"{ROOT}/01IMAPPUSH/SU5CT1g", MEDIA]
    answers = [
        await send(browser, "media_source/browse_media", media_content_id=place)
        for place in places
    ]
    search = await send(
        browser,
        "media_source/search_media",
        media_content_id=f"{ROOT}/01IMAPPUSH/SU5CT1g",
        search_query="order",
    )
    answers.append(search)
    play = await send(
        browser, "media_source/resolve_media", media_content_id=f"{MEDIA}/2"
    )
    if not is_readable(entry_options):
        for answer in (*answers, play):
            assert not answer["success"]
            assert "not allowed to read the email" in answer["error"]["message"]
        assert not imap_client.method_calls
        return
    assert all(answer["success"] for answer in answers)
    web = await hass_client_no_auth()
    response = await web.get(play["result"]["url"])
    assert response.status == HTTPStatus.OK
    assert await response.read() == b"JPG"
    hass.config_entries.async_update_entry(entry, options={})
    await hass.async_block_till_done()
    response = await web.get(play["result"]["url"])
    assert response.status == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("entry_options", OPTIONS)
async def test_user_opens_a_url(
    hass: HomeAssistant,
    imap_client: Mock,
    browser: MockHAClientWebSocket,
    user: tuple[MockUser, str],
    hass_client: ClientSessionGenerator,
    hass_client_no_auth: ClientSessionGenerator,
    entry_options: dict[str, str],
) -> None:
    """Neither a token nor a user's own signature gives access that the option refuses."""
    imap_client.reset_mock()
    path = "/api/imap_push/attachment/01IMAPPUSH/SU5CT1g/3/7/2"
    signed = (await send(browser, "auth/sign_path", path=path))["result"]["path"]
    by_token = await (await hass_client(user[1])).get(path)
    by_signature = await (await hass_client_no_auth()).get(signed)
    expected = HTTPStatus.OK if is_readable(entry_options) else HTTPStatus.FORBIDDEN
    assert by_token.status == by_signature.status == expected
    assert imap_client.method_calls or not is_readable(entry_options)
    assert (await (await hass_client()).get(path)).status == HTTPStatus.OK


class Speaker(MediaPlayerEntity):
    """A media player that resolves media like most media players of Home Assistant."""

    _attr_name = "Speaker"
    _attr_supported_features = (
        MediaPlayerEntityFeature.PLAY_MEDIA | MediaPlayerEntityFeature.BROWSE_MEDIA
    )

    def __init__(self) -> None:
        """Play nothing at first."""
        self.urls: list[str] = []

    @override
    async def async_play_media(
        self, media_type: str, media_id: str, **kwargs: Any
    ) -> None:
        """Resolve and sign the URL."""
        if is_media_source_id(media_id):
            media = await async_resolve_media(self.hass, media_id, self.entity_id)
            media_id = media.url
        self.urls.append(
            async_process_play_media_url(self.hass, media_id, allow_relative_url=True)
        )

    @override
    async def async_browse_media(
        self,
        media_content_type: str | None = None,
        media_content_id: str | None = None,
    ) -> Any:
        """Browse media sources."""
        return await async_browse_media(self.hass, media_content_id)


class Wrapper(Speaker):
    """A media player that forwards media, like a universal media player with commands."""

    _attr_name = "Wrapper"

    @override
    async def async_play_media(
        self, media_type: str, media_id: str, **kwargs: Any
    ) -> None:
        """Call the action of another media player, without a context."""
        await self.hass.services.async_call("media_player", "play_media", PLAY, True)


@pytest.fixture
async def speaker(hass: HomeAssistant, browser: MockHAClientWebSocket) -> Speaker:
    """Set up a media player, and one that forwards to it."""
    speaker = Speaker()
    await hass.data[DATA_COMPONENT].async_add_entities([speaker, Wrapper()])
    return speaker


@pytest.mark.parametrize("entry_options", OPTIONS)
@pytest.mark.parametrize(
    "service",
    [
        pytest.param(PLAY_MEDIA, id="media player"),
        pytest.param("script.do_it", id="by a script"),
        pytest.param("wrapper", id="by another media player"),
    ],
)
async def test_user_plays_media(
    hass: HomeAssistant,
    browser: MockHAClientWebSocket,
    speaker: Speaker,
    hass_client_no_auth: ClientSessionGenerator,
    entry_options: dict[str, str],
    service: str,
) -> None:
    """Playing needs read access to the mail."""
    await _make_script(hass, PLAY_MEDIA, PLAY)
    if service == "wrapper":
        wrapped = PLAY | {"entity_id": "media_player.wrapper"}
        answer = await call(browser, PLAY_MEDIA, wrapped)
    else:
        answer = await call(browser, service, PLAY if service == PLAY_MEDIA else {})
    assert answer["success"] is is_readable(entry_options)
    if is_readable(entry_options):
        [url] = speaker.urls
        response = await (await hass_client_no_auth()).get(url)
        assert response.status == HTTPStatus.OK
    else:
        assert not speaker.urls
        assert answer["error"]["translation_key"] == "read_not_allowed"


@pytest.mark.parametrize("entry_options", OPTIONS)
async def test_user_plays_a_url_by_a_webhook(
    hass: HomeAssistant,
    user: tuple[MockUser, str],
    speaker: Speaker,
    hass_client_no_auth: ClientSessionGenerator,
    entry_options: dict[str, str],
) -> None:
    """Home Assistant signs it as for automations, but that gives no access here."""
    path = "/api/imap_push/attachment/01IMAPPUSH/SU5CT1g/3/7/2"
    request = make_mocked_request("POST", "/api/webhook/1234")
    token = current_request.set(request)
    try:
        await hass.services.async_call(
            "media_player",
            "play_media",
            PLAY | {"media_content_id": path},
            blocking=True,
            context=Context(user_id=user[0].id),
        )
    finally:
        current_request.reset(token)
    [url] = speaker.urls
    response = await (await hass_client_no_auth()).get(url)
    expected = HTTPStatus.OK if is_readable(entry_options) else HTTPStatus.FORBIDDEN
    assert response.status == expected


@pytest.mark.parametrize(
    ("service", "entity_id"),
    [
        pytest.param("automation.trigger", "automation.do_it", id="automation"),
        pytest.param("automation.trigger", "automation.run_script", id="its script"),
        pytest.param("input_boolean.toggle", "input_boolean.switch", id="by a switch"),
        pytest.param(None, None, id="by new mail"),
    ],
)
async def test_automation_plays_media(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    browser: MockHAClientWebSocket,
    speaker: Speaker,
    hass_client_no_auth: ClientSessionGenerator,
    service: str | None,
    entity_id: str | None,
) -> None:
    """The media player can open the URL, even if a user triggered the automation."""
    done = await _make_script(hass, PLAY_MEDIA, PLAY)
    if service:
        assert (await call(browser, service, {"entity_id": entity_id}))["success"]
    else:
        await watcher.listener.mail_arrived(make_arrival())
    await hass.async_block_till_done()
    assert len(done) == 1
    [url] = speaker.urls
    response = await (await hass_client_no_auth()).get(url)
    assert response.status == HTTPStatus.OK
    assert await response.read() == b"JPG"


async def test_user_browses_by_a_media_player(
    browser: MockHAClientWebSocket, speaker: Speaker
) -> None:
    """The rules are those of the media panel, even while an automation uses the player."""
    speaker.async_set_context(Context())
    for command in ("browse_media", "search_media"):
        answer = await send(
            browser,
            f"media_player/{command}",
            entity_id=PLAYER,
            media_content_type="",
            media_content_id=MEDIA,
            **({"search_query": "a"} if command == "search_media" else {}),
        )
        assert not answer["success"]


async def test_request_without_a_user(
    hass: HomeAssistant, imap_client: Mock, browser: MockHAClientWebSocket
) -> None:
    """An example is a webhook: companion apps call actions by one."""
    request = make_mocked_request("POST", "/api/webhook/1234")
    token = current_request.set(request)
    imap_client.reset_mock()
    try:
        root = await async_browse_media(hass, ROOT)
        with pytest.raises(BrowseError, match="not allowed to read"):
            await async_browse_media(hass, f"{ROOT}/01IMAPPUSH")
        with pytest.raises(Unresolvable, match="not allowed to read"):
            await async_resolve_media(hass, f"{MEDIA}/2", None)
    finally:
        current_request.reset(token)
    assert not root.children
    assert not imap_client.method_calls


async def test_browsing_without_a_request(
    hass: HomeAssistant, browser: MockHAClientWebSocket
) -> None:
    """Like an automation, it has no user, no connection and no request."""
    media = await async_browse_media(hass, MEDIA)
    assert [child.title for child in media.children or ()] == ["me.jpg"]
    with patch.dict(hass.data):
        hass.data.pop("media_player", None)
        resolved = await async_resolve_media(hass, f"{MEDIA}/2", PLAYER)
    assert "authSig" in resolved.url


@pytest.mark.parametrize(
    ("group_id", "is_refused"), [(GROUP_ID_ADMIN, False), (GROUP_ID_USER, True)]
)
async def test_bus_event_and_trigger_are_for_administrators(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    group_id: str,
    is_refused: bool,
) -> None:
    """Home Assistant itself refuses both to other users."""
    _, token = await _token(hass, group_id)
    client = await hass_ws_client(hass, token)
    event = await send(client, "subscribe_events", event_type="new_mail")
    trigger = await send(
        client,
        "subscribe_trigger",
        trigger={"trigger": "event", "event_type": "new_mail"},
    )
    assert event["success"] is trigger["success"] is not is_refused
