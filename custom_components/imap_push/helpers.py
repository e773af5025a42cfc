"""What a config entry says, in the engine's words."""

from collections.abc import Mapping
from typing import Any

from homeassistant.const import (
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
)
from homeassistant.util.ssl import client_context, client_context_no_verify

from .const import (
    CONF_CATCH_UP,
    CONF_NOTIFY,
    CONF_POLL_INTERVAL,
    CONF_PUSH,
    CONF_SECURITY,
    DEFAULT_NOTIFY,
    DEFAULT_POLL_INTERVAL,
    DEFAULT_PUSH,
)
from .imap import Account, CatchUp, Security, WatchOptions


def account_from_entry_data(data: Mapping[str, Any]) -> Account:
    """Return the account; its SSL context is one that Home Assistant made at import."""
    return Account(
        host=data[CONF_HOST],
        port=data[CONF_PORT],
        username=data[CONF_USERNAME],
        password=data[CONF_PASSWORD],
        security=Security(data[CONF_SECURITY]),
        ssl_context=(
            client_context() if data[CONF_VERIFY_SSL] else client_context_no_verify()
        ),
    )


def watch_options_from_entry_options(
    options: Mapping[str, Any], *, pipelining: bool
) -> WatchOptions:
    """Return how the account is to be watched."""
    return WatchOptions(
        push=options.get(CONF_PUSH, DEFAULT_PUSH),
        notify=options.get(CONF_NOTIFY, DEFAULT_NOTIFY),
        pipeline=pipelining,
        catch_up=CatchUp(options.get(CONF_CATCH_UP, CatchUp.ALL)),
        poll_interval=options.get(CONF_POLL_INTERVAL, DEFAULT_POLL_INTERVAL),
    )
