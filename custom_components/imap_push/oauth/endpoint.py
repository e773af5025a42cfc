"""Requests to OAuth2 endpoints: send a form, receive a small JSON object."""

import asyncio
from http import HTTPStatus
import json
from typing import Any, Final

from aiohttp import ClientError, ClientSession

REQUEST_TIMEOUT_SECONDS: Final = 20.0
DEFAULT_LIFETIME_SECONDS: Final = 3600  # if `expires_in` is missing
MAX_LIFETIME_SECONDS: Final = 31_536_000  # one year
MAX_RESPONSE_SIZE: Final = 65_536  # octets

# Fields of a response to store (RFC 6749 5.1). Not the ID token, which identifies the user.
_TOKEN_FIELDS: Final = ("access_token", "refresh_token", "scope", "token_type")


class EndpointError(Exception):
    """No usable response: timeout, network error, outage, rate limit or invalid JSON."""


async def post_form(
    session: ClientSession, url: str, form: dict[str, str]
) -> dict[str, Any]:
    """Send a form; return the JSON response, which may be an OAuth2 error (RFC 6749 5.2).

    Raises EndpointError if there is no usable response.
    """
    try:
        async with (
            asyncio.timeout(REQUEST_TIMEOUT_SECONDS),
            session.post(url, data=form, allow_redirects=False) as response,
        ):
            text = b""
            while len(text) < MAX_RESPONSE_SIZE and (
                chunk := await response.content.readany()
            ):
                text += chunk
        body = json.loads(text[:MAX_RESPONSE_SIZE], parse_constant=_reject_constant)
    except (ClientError, OSError, ValueError, RecursionError) as error:
        raise EndpointError(type(error).__name__) from error
    is_outage = (
        response.status >= 500 or response.status == HTTPStatus.TOO_MANY_REQUESTS
    )
    if is_outage or not isinstance(body, dict):
        raise EndpointError(str(response.status))
    return body


def token_from(response: dict[str, Any]) -> dict[str, Any]:
    """Return the fields to store from a response. Raises ValueError without an access token.

    Fields that are not printable ASCII (RFC 6749 A) are ignored: they could be neither sent to
    the server nor stored.
    """
    token = {key: response[key] for key in _TOKEN_FIELDS if _is_text(response.get(key))}
    if "access_token" not in token:
        raise ValueError
    return token | {"expires_in": _lifetime(response)}


def error_code_from(response: dict[str, Any]) -> str:
    """Return the error code of a response, with Microsoft's more specific error numbers."""
    numbers = response.get("error_codes")
    if not isinstance(numbers, list):
        numbers = []
    return ", ".join(
        [str(response["error"]), *(f"AADSTS{number}" for number in numbers)]
    )


def _lifetime(response: dict[str, Any]) -> int:
    """Return the lifetime of an access token in seconds."""
    try:
        seconds = int(response["expires_in"])
    except KeyError, OverflowError, TypeError, ValueError:
        return DEFAULT_LIFETIME_SECONDS
    return min(max(seconds, 0), MAX_LIFETIME_SECONDS)


def _is_text(value: object) -> bool:
    return (
        isinstance(value, str)
        and value != ""
        and value.isascii()
        and value.isprintable()
    )


def _reject_constant(constant: str) -> None:
    """Reject NaN and Infinity, which are not valid JSON (RFC 8259 6)."""
    raise ValueError(constant)
