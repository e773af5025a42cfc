"""An OAuth2 authorization server on loopback: authorization code, device code and refresh."""

import asyncio
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
import hashlib
from html import escape
import secrets
import time
from typing import Final, override

from aiohttp import web
from yarl import URL

from .ports import LOOPBACK
from .running import Running

CLIENT_ID: Final = "imap_push_client"
CLIENT_SECRET: Final = "client-secret"
USER: Final = "user@example.org"

# The paths of the endpoints, also the keys of `faults`.
AUTHORIZE: Final = "/authorize"
TOKEN: Final = "/token"
DEVICE: Final = "/device"
ACTIVATE: Final = "/activate"
REVOKE: Final = "/revoke"
INTROSPECT: Final = "/introspect"

_DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_PAGE: Final = """\
<!doctype html>
<title>{title}</title>
<h1>{title}</h1>
<form method="post">
<input type="hidden" name="user_code" value="{user_code}">
<button id="allow" name="answer" value="allow">Allow</button>
<button id="deny" name="answer" value="deny">Deny</button>
</form>
"""


class Fault(Enum):
    """How an endpoint fails without an OAuth2 error response."""

    SERVER_ERROR = auto()
    NO_JSON = auto()
    SILENT = auto()
    THROTTLED = auto()


class OAuthError(Exception):
    """An error response of an endpoint (RFC 6749 5.2)."""


@dataclass(eq=False)
class Grant:
    """A permission that a user gave; all its tokens refer to it."""

    user: str
    scope: str
    challenge: str = ""  # of PKCE (RFC 7636)
    redirect_uri: str = ""
    is_revoked: bool = False


@dataclass(eq=False)
class _Device:
    """A device that waits for a grant (RFC 8628)."""

    grant: Grant
    expires_at: float
    interval: float
    asked_at: float = 0.0
    is_allowed: bool | None = None


@dataclass
class _Issued:
    """Codes and tokens that are valid."""

    codes: dict[str, Grant] = field(default_factory=dict)
    refresh: dict[str, Grant] = field(default_factory=dict)
    access: dict[str, tuple[Grant, float]] = field(default_factory=dict)
    devices: dict[str, _Device] = field(default_factory=dict)
    user_codes: dict[str, _Device] = field(default_factory=dict)


class OAuthServer(Running):
    """Issues tokens for `user` that are valid for `lifetime` seconds of its clock.

    It listens on `port` or a free one, and on the same after a restart. `faults` makes
    endpoints fail, with a Fault or an OAuth2 error code. `asked` counts the requests by path.
    With `rotates`, each refresh token can be used only one time. A device code is valid for
    `device_lifetime` seconds and may be polled every `interval` seconds.
    """

    def __init__(
        self,
        *,
        user: str = USER,
        port: int = 0,
        lifetime: float = 3600.0,
        interval: int = 5,
        device_lifetime: int = 900,
        rotates: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start without grants."""
        self.user = user
        self.lifetime = lifetime
        self.interval = interval
        self.device_lifetime = device_lifetime
        self.rotates = rotates
        self.faults: dict[str, Fault | str] = {}
        self.asked: Counter[str] = Counter()
        self._clock = clock
        self._issued = _Issued()
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()
        self._port = port

    @property
    def url(self) -> str:
        """Return the URL of the server, without a slash at the end."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def secrets(self) -> list[str]:
        """Return all tokens that have not been revoked."""
        return [*self._issued.refresh, *self._issued.access]

    @override
    async def start(self) -> None:
        """Listen on a free port."""
        self._stopping.clear()
        app = web.Application(middlewares=[self._fail])
        app.add_routes(
            [
                web.get(AUTHORIZE, self._show_page),
                web.post(AUTHORIZE, self._authorize),
                web.get(ACTIVATE, self._show_page),
                web.post(ACTIVATE, self._activate),
                web.post(TOKEN, self._token),
                web.post(DEVICE, self._device),
                web.post(REVOKE, self._revoke),
                web.post(INTROSPECT, self._introspect),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    @override
    async def stop(self) -> None:
        """Stop listening and end pending requests."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def issue(self, scope: str = "mail") -> dict[str, object]:
        """Return new tokens, without a request."""
        return self._issue(Grant(self.user, scope))

    def answer_device(self, user_code: str, *, allow: bool) -> None:
        """Allow or deny a device, as the user does on the page."""
        self._issued.user_codes[user_code].is_allowed = allow

    def expire_access(self) -> None:
        """Expire all access tokens; refresh tokens stay valid."""
        self._issued.access.clear()

    def revoke_all(self) -> None:
        """Revoke all grants."""
        self._issued = _Issued()

    @web.middleware
    async def _fail(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Answer a request, or fail as `faults` says."""
        self.asked[request.path] += 1
        match self.faults.get(request.path):
            case Fault.SERVER_ERROR:
                return web.Response(status=500, text="internal error")
            case Fault.THROTTLED:
                return web.json_response({"error": "too_many_requests"}, status=429)
            case Fault.NO_JSON:
                return web.Response(text="<html>", content_type="text/html")
            case Fault.SILENT:
                await self._stopping.wait()
            case str() as error:
                return _refusal(error)
        try:
            return await handler(request)
        except OAuthError as error:
            return _refusal(str(error))

    async def _show_page(self, request: web.Request) -> web.StreamResponse:
        page = _PAGE.format(
            title="Let IMAP Push read your mail?",
            user_code=escape(request.query.get("user_code", "")),
        )
        return web.Response(text=page, content_type="text/html")

    async def _authorize(self, request: web.Request) -> web.StreamResponse:
        """Redirect the user with a code (RFC 6749 4.1.2)."""
        query, form = request.query, await request.post()
        if query.get("client_id") != CLIENT_ID or query.get("response_type") != "code":
            raise OAuthError("invalid_request")
        if query.get("code_challenge_method", "S256") != "S256":
            raise OAuthError("invalid_request")
        back = URL(query["redirect_uri"])
        answer = {"state": query["state"]} if "state" in query else {}
        if form.get("answer") != "allow":
            raise web.HTTPFound(back.update_query(answer | {"error": "access_denied"}))
        code = secrets.token_urlsafe()
        self._issued.codes[code] = Grant(
            self.user,
            query.get("scope", ""),
            query.get("code_challenge", ""),
            query["redirect_uri"],
        )
        raise web.HTTPFound(back.update_query(answer | {"code": code}))

    async def _device(self, request: web.Request) -> web.StreamResponse:
        """Issue a device code and a user code (RFC 8628 3.2)."""
        form = await request.post()
        if form.get("client_id") != CLIENT_ID:
            raise OAuthError("invalid_client")
        device_code = secrets.token_urlsafe()
        user_code = f"{secrets.randbelow(10**4):04}-{secrets.randbelow(10**4):04}"
        device = _Device(
            Grant(self.user, str(form.get("scope", ""))),
            self._clock() + self.device_lifetime,
            self.interval,
        )
        self._issued.devices[device_code] = device
        self._issued.user_codes[user_code] = device
        page = f"{self.url}{ACTIVATE}"
        return web.json_response(
            {
                "device_code": device_code,
                "user_code": user_code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?user_code={user_code}",
                "expires_in": self.device_lifetime,
                "interval": self.interval,
            }
        )

    async def _activate(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        user_code = str(form.get("user_code", ""))
        if user_code not in self._issued.user_codes:
            raise OAuthError("invalid_request")
        self.answer_device(user_code, allow=form.get("answer") == "allow")
        return web.Response(text="You can close this page.")

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = {key: str(value) for key, value in (await request.post()).items()}
        if form.get("client_id") != CLIENT_ID:
            raise OAuthError("invalid_client")
        if form.get("client_secret", CLIENT_SECRET) != CLIENT_SECRET:
            raise OAuthError("invalid_client")
        match form.get("grant_type"):
            case "authorization_code":
                grant = self._grant_of_code(form)
            case "refresh_token":
                grant = self._grant_of_refresh(form)
            case str(kind) if kind == _DEVICE_GRANT:
                grant = self._grant_of_device(form)
            case _:
                raise OAuthError("unsupported_grant_type")
        return web.json_response(self._issue(grant, form.get("refresh_token")))

    def _grant_of_code(self, form: dict[str, str]) -> Grant:
        grant = self._issued.codes.pop(form.get("code", ""), None)
        if grant is None or grant.redirect_uri != form.get("redirect_uri"):
            raise OAuthError("invalid_grant")
        if grant.challenge != _challenge(form.get("code_verifier", "")):
            raise OAuthError("invalid_grant")
        return grant

    def _grant_of_refresh(self, form: dict[str, str]) -> Grant:
        token = form.get("refresh_token", "")
        grant = self._issued.refresh.get(token)
        if grant is None:
            raise OAuthError("invalid_grant")
        if self.rotates:
            del self._issued.refresh[token]
        return grant

    def _grant_of_device(self, form: dict[str, str]) -> Grant:
        device = self._issued.devices.get(form.get("device_code", ""))
        if device is None:
            raise OAuthError("invalid_grant")
        now = self._clock()
        asked_at, device.asked_at = device.asked_at, now
        if now > device.expires_at:
            raise OAuthError("expired_token")
        if asked_at and now - asked_at < device.interval * 0.9:
            device.interval += 5
            raise OAuthError("slow_down")
        if device.is_allowed is None:
            raise OAuthError("authorization_pending")
        del self._issued.devices[form["device_code"]]
        if not device.is_allowed:
            raise OAuthError("access_denied")
        return device.grant

    def _issue(self, grant: Grant, refresh: str | None = None) -> dict[str, object]:
        if refresh is None or self.rotates:
            refresh = secrets.token_urlsafe()
            self._issued.refresh[refresh] = grant
        access = secrets.token_urlsafe()
        self._issued.access[access] = (grant, self._clock() + self.lifetime)
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "refresh_token": refresh,
            "scope": grant.scope,
        }

    async def _revoke(self, request: web.Request) -> web.StreamResponse:
        """Revoke the grant of a token (RFC 7009)."""
        token = str((await request.post()).get("token", ""))
        issued = self._issued
        grant = issued.refresh.get(token) or issued.access.get(token, (None,))[0]
        issued.refresh = {
            name: owner for name, owner in issued.refresh.items() if owner is not grant
        }
        issued.access = {
            name: entry
            for name, entry in issued.access.items()
            if entry[0] is not grant
        }
        return web.Response()

    async def _introspect(self, request: web.Request) -> web.StreamResponse:
        """Report to a mail server whether a token is valid (RFC 7662)."""
        token = str((await request.post()).get("token", ""))
        grant, expires_at = self._issued.access.get(token, (None, 0.0))
        if grant is None or expires_at <= self._clock():
            return web.json_response({"active": False})
        return web.json_response(
            {"active": True, "username": grant.user, "scope": grant.scope}
        )


def _refusal(error: str) -> web.Response:
    return web.json_response({"error": error}, status=400)


def _challenge(verifier: str) -> str:
    """Return the PKCE challenge (S256) of a verifier, "" for no verifier."""
    if not verifier:
        return ""
    digest = hashlib.sha256(verifier.encode()).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")
