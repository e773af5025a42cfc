"""Asking an endpoint of OAuth2: forms go there, small JSON objects come back."""

import asyncio
import json
from typing import Any, Final

from aiohttp import ClientError, ClientSession

DEFAULT_LIFETIME: Final = 3600  # seconds, where the provider tells none
MAX_ANSWER: Final = 65_536  # octets


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
    if not isinstance(answer, dict) or response.status >= 500:
        raise NoAnswer(str(response.status))
    return answer


def lifetime(answer: dict[str, Any]) -> int:
    """Return the seconds that an access token lives."""
    try:
        return int(answer["expires_in"])
    except KeyError, OverflowError, TypeError, ValueError:
        return DEFAULT_LIFETIME


def _refuse(constant: str) -> None:
    """Take no NaN and no Infinity, which JSON does not have (RFC 8259 6)."""
    raise ValueError(constant)
