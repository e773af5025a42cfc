"""Asking an endpoint of OAuth2: forms go there, small JSON objects come back."""

import asyncio
from http import HTTPStatus
import json
from typing import Any, Final

from aiohttp import ClientError, ClientSession

DEFAULT_LIFETIME: Final = 3600  # seconds, where the provider tells none
MAX_LIFETIME: Final = 31_536_000  # seconds; what is longer is as good as for ever
MAX_ANSWER: Final = 65_536  # octets

# What is kept of an answer (RFC 6749 5.1): no ID token, which tells who the user is.
_TOKEN_FIELDS: Final = ("access_token", "refresh_token", "scope", "token_type")


class NoAnswer(Exception):
    """The endpoint says nothing of use: no network, an outage, something that is not JSON."""


async def post_form(
    session: ClientSession, url: str, form: dict[str, str], deadline: float
) -> dict[str, Any]:
    """Return what a form is answered with in `deadline` seconds; raise NoAnswer.

    An error in the sense of OAuth2 is an answer.
    """
    try:
        async with (
            asyncio.timeout(deadline),
            session.post(url, data=form, allow_redirects=False) as response,
        ):
            text = b""
            while len(text) < MAX_ANSWER and (
                chunk := await response.content.readany()
            ):
                text += chunk
        answer = json.loads(text[:MAX_ANSWER], parse_constant=_refuse)
    except (ClientError, OSError, ValueError, RecursionError) as error:
        raise NoAnswer(type(error).__name__) from error
    if not isinstance(answer, dict) or _is_passing(response.status):
        raise NoAnswer(str(response.status))
    return answer


def token_of(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of an answer; raise ValueError if there is no access token in it.

    A field that is not what RFC 6749 A says is none: it could be written neither to the
    server nor to the disk.
    """
    token = {key: answer[key] for key in _TOKEN_FIELDS if _is_text(answer.get(key))}
    if "access_token" not in token:
        raise ValueError
    return token | {"expires_in": _lifetime(answer)}


def reason_of(answer: dict[str, Any]) -> str:
    """Return the code of an error, with the numbers that Microsoft has for what it means."""
    numbers = answer.get("error_codes")
    if not isinstance(numbers, list):
        numbers = []
    return ", ".join([str(answer["error"]), *(f"AADSTS{it}" for it in numbers)])


def _lifetime(answer: dict[str, Any]) -> int:
    """Return the seconds that an access token lives."""
    try:
        seconds = int(answer["expires_in"])
    except KeyError, OverflowError, TypeError, ValueError:
        return DEFAULT_LIFETIME
    return min(max(seconds, 0), MAX_LIFETIME)


def _is_passing(status: int) -> bool:
    return status >= 500 or status == HTTPStatus.TOO_MANY_REQUESTS


def _is_text(value: object) -> bool:
    return (
        isinstance(value, str)
        and value != ""
        and value.isascii()
        and value.isprintable()
    )


def _refuse(constant: str) -> None:
    """Take no NaN and no Infinity, which JSON does not have (RFC 8259 6)."""
    raise ValueError(constant)
