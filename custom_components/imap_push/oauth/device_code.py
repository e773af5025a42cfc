"""Device authorization grant (RFC 8628).

device_url  <- client_id, scope       -> user_code, verification_uri, device_code
token_url   <- device_code            -> authorization_pending   (until the user is done)
token_url   <- device_code            -> access_token, refresh_token
"""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
import math
import re
import time
from typing import Any, Final, NamedTuple

from aiohttp import ClientSession

from .endpoint import EndpointError, error_code_from, post_form, token_from

_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"

DEFAULT_INTERVAL_SECONDS: Final = 5.0  # RFC 8628 3.2
MIN_INTERVAL_SECONDS: Final = 1.0
MAX_INTERVAL_SECONDS: Final = 60.0
SLOW_DOWN_SECONDS: Final = 5.0
MAX_LIFETIME_SECONDS: Final = 3600.0

MAX_TEXT: Final = 200  # characters of provider text

# Code and URI are shown as Markdown, so characters of Markdown syntax are not allowed.
_USER_CODE: Final = re.compile(rf"[A-Za-z0-9 -]{{1,{MAX_TEXT}}}")
_VERIFICATION_URI: Final = re.compile(
    rf"https?://[\w.~:/?#@!$&'+,;=%-]{{1,{MAX_TEXT}}}", re.ASCII
)


class SignInProblem(StrEnum):
    """Why a sign-in failed."""

    DENIED = "denied"
    EXPIRED = "expired"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


class SignInFailed(Exception):
    """A sign-in failed; the text is the error code of the provider or a short reason."""

    def __init__(self, problem: SignInProblem, reason: str = "") -> None:
        """Store the problem and the shortened reason."""
        super().__init__(reason[:MAX_TEXT])
        self.problem = problem


class DeviceProvider(NamedTuple):
    """The data of a device authorization request. No client secret: the client is public."""

    device_url: str
    token_url: str
    client_id: str
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """The response with the code to enter at `verification_uri`; times are in seconds."""

    user_code: str
    verification_uri: str
    interval: float
    expires_in: float
    device_code: str = field(repr=False)


async def request_code(session: ClientSession, provider: DeviceProvider) -> DeviceCode:
    """Request a device code (RFC 8628 3.1). Raises SignInFailed."""
    form = {"client_id": provider.client_id, "scope": provider.scope}
    response = await _post(session, provider.device_url, form)
    if response.get("error"):
        raise SignInFailed(SignInProblem.REFUSED, error_code_from(response))
    try:
        return DeviceCode(
            user_code=_check_text(_USER_CODE, response["user_code"]),
            # Google, and formerly Microsoft, use the name verification_url.
            verification_uri=_check_text(
                _VERIFICATION_URI,
                response.get("verification_uri") or response["verification_url"],
            ),
            interval=_interval(response.get("interval", DEFAULT_INTERVAL_SECONDS)),
            expires_in=_clamp(response["expires_in"], 0.0, MAX_LIFETIME_SECONDS),
            device_code=str(response["device_code"]),
        )
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise SignInFailed(SignInProblem.UNREACHABLE, "no code") from error


async def poll_for_token(
    session: ClientSession, provider: DeviceProvider, code: DeviceCode
) -> dict[str, Any]:
    """Poll until the user has entered the code; return the token (RFC 8628 3.4).

    The token has the format of Home Assistant, with `expires_at`. A request without a usable
    response is retried until the code expires. Raises SignInFailed.
    """
    try:
        async with asyncio.timeout(code.expires_in):
            return await _poll_until_answer(session, provider, code)
    except TimeoutError as error:
        raise SignInFailed(SignInProblem.EXPIRED) from error


async def _poll_until_answer(
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
            response = await _post(session, provider.token_url, form)
        except SignInFailed:
            interval = _interval(interval * 2)
            continue
        match response.get("error"):
            case None:
                return _renewable_token(response)
            case "authorization_pending":
                pass
            case "slow_down":
                interval = _interval(interval + SLOW_DOWN_SECONDS)
            case "expired_token":
                raise SignInFailed(SignInProblem.EXPIRED, "expired_token")
            # authorization_declined is from Microsoft.
            case "access_denied" | "authorization_declined" as error:
                raise SignInFailed(SignInProblem.DENIED, error)
            case _:
                raise SignInFailed(SignInProblem.REFUSED, error_code_from(response))


async def _post(
    session: ClientSession, url: str, form: dict[str, str]
) -> dict[str, Any]:
    """Send a form; return the JSON response. Raises SignInFailed."""
    try:
        return await post_form(session, url, form)
    except EndpointError as error:
        raise SignInFailed(SignInProblem.UNREACHABLE, str(error)) from error


def _renewable_token(response: dict[str, Any]) -> dict[str, Any]:
    """Return the token with `expires_at`. Raises SignInFailed without a refresh token."""
    try:
        token = token_from(response)
    except ValueError:
        raise SignInFailed(SignInProblem.REFUSED, "no token") from None
    if "refresh_token" not in token:
        raise SignInFailed(SignInProblem.REFUSED, "no refresh token")
    return token | {"expires_at": time.time() + token["expires_in"]}


def _interval(seconds: Any) -> float:
    return _clamp(seconds, MIN_INTERVAL_SECONDS, MAX_INTERVAL_SECONDS)


def _clamp(value: Any, minimum: float, maximum: float) -> float:
    """Limit a value to a range. Raises ValueError or TypeError if it is not a number."""
    if math.isnan(number := float(value)):
        raise ValueError
    return min(max(number, minimum), maximum)


def _check_text(allowed: re.Pattern[str], value: Any) -> str:
    if allowed.fullmatch(text := str(value)) is None:
        raise ValueError
    return text
