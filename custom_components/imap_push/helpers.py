"""What a config entry says, in the engine's words."""

from collections.abc import Callable, Mapping
import dataclasses
import functools
import logging
import re
import ssl
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import (
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
)
from homeassistant.util.ssl import client_context, client_context_no_verify

from .const import (
    CONF_CA,
    CONF_CATCH_UP,
    CONF_FINGERPRINT,
    CONF_LARGER_THAN,
    CONF_NOTIFY,
    CONF_POLL_INTERVAL,
    CONF_PUSH,
    CONF_SECURITY,
    MAX_POLL_INTERVAL,
    MIN_POLL_INTERVAL,
)
from .imap import Account, CatchUp, Criteria, Security, TokenSource, WatchOptions

_LOGGER = logging.getLogger(__name__)

CRITERIA: Final = tuple(field.name for field in dataclasses.fields(Criteria))
OCTETS_PER_KILOBYTE: Final = 1000
_CERTIFICATE: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----"
)


def unique_id_from_entry_data(data: Mapping[str, Any]) -> str:
    """Return what tells this account from all others."""
    return f"{data[CONF_USERNAME]}@{data[CONF_HOST]}".casefold()


def certificates_in(text: str) -> str:
    """Return the certificates of a PEM file, and nothing else of it, such as a key.

    Raises ValueError if there is none (RFC 7468 5).
    """
    blocks = _CERTIFICATE.findall(text)
    if not blocks:
        raise ValueError("no certificate")
    return "\n".join(blocks)


@functools.lru_cache
def context_of_ca(pem: str) -> ssl.SSLContext:
    """Return a context that trusts what these authorities sign, and nothing else.

    Making it reads nothing from the disk; Home Assistant sees that by `cadata`, its only
    argument, while that of ssl.create_default_context is told as a blocking call. Authorities
    that were made at home seldom have every extension that its strict check asks for. Raises
    ValueError if a certificate cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=pem)
    except ssl.SSLError as err:
        raise ValueError from err
    return context


def _ssl_context(data: Mapping[str, Any]) -> ssl.SSLContext:
    """Return the context for an account; those of Home Assistant were made at import."""
    if not data[CONF_VERIFY_SSL]:
        return client_context_no_verify()
    return context_of_ca(data[CONF_CA]) if CONF_CA in data else client_context()


def name_for_log(entry: ConfigEntry) -> str:
    """Return the server's host and the end of the entry's ID.

    The title is not used: it can be, or contain, the login name.
    """
    return f"{entry.data[CONF_HOST]} ({entry.entry_id[-6:]})"


def account_from_entry_data(
    data: Mapping[str, Any], token: TokenSource | None = None
) -> Account:
    """Return the account; `token` is used where it has no password."""
    return Account(
        host=data[CONF_HOST],
        port=data[CONF_PORT],
        username=data[CONF_USERNAME],
        password=data.get(CONF_PASSWORD, ""),
        token=token,
        security=Security(data[CONF_SECURITY]),
        ssl_context=_ssl_context(data),
        fingerprint=data.get(CONF_FINGERPRINT),
    )


def criteria_from_config(config: Mapping[str, Any]) -> Criteria:
    """Return what is searched for; what is empty is not set, `larger_than` is in kilobytes."""
    criteria = {
        key: config[key] for key in CRITERIA if config.get(key) not in (None, "")
    }
    if CONF_LARGER_THAN in criteria:
        criteria[CONF_LARGER_THAN] = int(
            criteria[CONF_LARGER_THAN] * OCTETS_PER_KILOBYTE
        )
    return Criteria(**criteria)


def watch_options_from_entry(entry: ConfigEntry, *, pipelining: bool) -> WatchOptions:
    """Return how the account is to be watched; an option that cannot be used is not set."""
    usable: dict[str, Any] = {"pipeline": pipelining}
    for option, read in _READ_OPTION.items():
        if option not in entry.options:
            continue
        try:
            usable[option] = read(entry.options[option])
        except TypeError, ValueError:
            _LOGGER.warning(
                "%s: the option %s cannot be %r, so that its default is used",
                name_for_log(entry),
                option,
                entry.options[option],
            )
    return WatchOptions(**usable)


def _read_switch(value: Any) -> bool:
    """Return what is a boolean; raise TypeError for anything else."""
    if not isinstance(value, bool):
        raise TypeError
    return value


def _read_poll_interval(value: Any) -> float:
    """Return the seconds between two looks; raise ValueError outside of what is offered."""
    if not MIN_POLL_INTERVAL <= (seconds := float(value)) <= MAX_POLL_INTERVAL:
        raise ValueError
    return seconds


_READ_OPTION: Final[dict[str, Callable[[Any], object]]] = {
    CONF_CATCH_UP: CatchUp,
    CONF_NOTIFY: _read_switch,
    CONF_POLL_INTERVAL: _read_poll_interval,
    CONF_PUSH: _read_switch,
}
