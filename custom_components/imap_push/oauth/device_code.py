"""Signing in without a redirect: the user types a code on the provider's page (RFC 8628)."""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
import math
import re
import time
from typing import Any, Final

from aiohttp import ClientSession

from .endpoint import NoAnswer, post_form, reason_of, token_of

_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"

# Seconds
REQUEST_DEADLINE: Final = 20.0
DEFAULT_INTERVAL: Final = 5.0  # where the provider tells none
MIN_INTERVAL: Final = 1.0
MAX_INTERVAL: Final = 60.0
SLOW_DOWN: Final = 5.0
MAX_LIFETIME: Final = 3600.0

MAX_TEXT: Final = 200  # characters of what is shown

# Code and page are shown by Markdown: no character may be there that could make them more.
_CODE: Final = re.compile(rf"[A-Za-z0-9 -]{{1,{MAX_TEXT}}}")
_PAGE: Final = re.compile(rf"https?://[\w.~:/?#@!$&'+,;=%-]{{1,{MAX_TEXT}}}", re.ASCII)


class SignInProblem(StrEnum):
    """Why nothing came of a sign-in."""

    DENIED = "denied"
    EXPIRED = "expired"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


class SignInFailed(Exception):
    """Nothing came of a sign-in; its text is the provider's own error code, if there is one."""

    def __init__(self, problem: SignInProblem, reason: str = "") -> None:
        """Keep why."""
        super().__init__(reason[:MAX_TEXT])
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProvider:
    """Whom to ask, as which public client, and for what."""

    device_url: str
    token_url: str
    client_id: str
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """What the user types, and where; `interval` and `expires_in` are in seconds."""

    user_code: str
    verification_uri: str
    interval: float
    expires_in: float
    device_code: str = field(repr=False)


async def start(session: ClientSession, provider: DeviceProvider) -> DeviceCode:
    """Return a code that the user is to type on the provider's page; raise SignInFailed."""
    form = {"client_id": provider.client_id, "scope": provider.scope}
    answer = await _post(session, provider.device_url, form)
    if answer.get("error"):
        raise SignInFailed(SignInProblem.REFUSED, reason_of(answer))
    try:
        return DeviceCode(
            user_code=_text(_CODE, answer["user_code"]),
            # Google, and Microsoft long ago, have it by another name.
            verification_uri=_text(
                _PAGE, answer.get("verification_uri") or answer["verification_url"]
            ),
            interval=_interval(answer.get("interval", DEFAULT_INTERVAL)),
            expires_in=_within(answer["expires_in"], 0.0, MAX_LIFETIME),
            device_code=str(answer["device_code"]),
        )
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise SignInFailed(SignInProblem.UNREACHABLE, "no code") from error


async def poll(
    session: ClientSession, provider: DeviceProvider, code: DeviceCode
) -> dict[str, Any]:
    """Wait for the user, and return the token as Home Assistant keeps it; raise SignInFailed.

    An error on the way is waited out for as long as the code lives.
    """
    try:
        async with asyncio.timeout(code.expires_in):
            return await _poll(session, provider, code)
    except TimeoutError as error:
        raise SignInFailed(SignInProblem.EXPIRED) from error


async def _poll(
    session: ClientSession, provider: DeviceProvider, code: DeviceCode
) -> dict[str, Any]:
    form = {
        "client_id": provider.client_id,
        "grant_type": _GRANT,
        "device_code": code.device_code,
    }
    interval = code.interval
    while True:
        await asyncio.sleep(interval)
        try:
            answer = await _post(session, provider.token_url, form)
        except SignInFailed:
            interval = _interval(interval * 2)
            continue
        match answer.get("error"):
            case None:
                return _token(answer)
            case "authorization_pending":
                pass
            case "slow_down":
                interval = _interval(interval + SLOW_DOWN)
            case "expired_token":
                raise SignInFailed(SignInProblem.EXPIRED, "expired_token")
            # The second is what Microsoft says.
            case "access_denied" | "authorization_declined" as error:
                raise SignInFailed(SignInProblem.DENIED, error)
            case _:
                raise SignInFailed(SignInProblem.REFUSED, reason_of(answer))


async def _post(
    session: ClientSession, url: str, form: dict[str, str]
) -> dict[str, Any]:
    """Return the JSON object that a form is answered with; raise SignInFailed."""
    try:
        return await post_form(session, url, form, REQUEST_DEADLINE)
    except NoAnswer as error:
        raise SignInFailed(SignInProblem.UNREACHABLE, str(error)) from error


def _token(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a token as Home Assistant's helper wants it; one that cannot be renewed is none."""
    try:
        token = token_of(answer)
    except ValueError:
        raise SignInFailed(SignInProblem.REFUSED, "no token") from None
    if "refresh_token" not in token:
        raise SignInFailed(SignInProblem.REFUSED, "no refresh token")
    return token | {"expires_at": time.time() + token["expires_in"]}


def _interval(seconds: Any) -> float:
    return _within(seconds, MIN_INTERVAL, MAX_INTERVAL)


def _within(value: Any, least: float, most: float) -> float:
    """Return a number within limits; raise ValueError if it is none."""
    if math.isnan(number := float(value)):
        raise ValueError
    return min(max(number, least), most)


def _text(wanted: re.Pattern[str], value: Any) -> str:
    """Return what may be shown; raise ValueError for what may not."""
    if wanted.fullmatch(text := str(value)) is None:
        raise ValueError
    return text
