"""Convert config entry data and options to the types of the IMAP engine."""

from collections.abc import Callable, Mapping
import dataclasses
from datetime import UTC, datetime, timedelta
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
    MAJOR_VERSION,
    MINOR_VERSION,
)
from homeassistant.util import dt as dt_util
from homeassistant.util.ssl import client_context, client_context_no_verify

from .const import (
    CONF_CA,
    CONF_CATCH_UP,
    CONF_FINGERPRINT,
    CONF_HEADER,
    CONF_LARGER_THAN,
    CONF_MAILBOX,
    CONF_NOTIFY,
    CONF_POLL_INTERVAL,
    CONF_PUSH,
    CONF_RECIPIENT,
    CONF_SECURITY,
    CONF_SENDER,
    CONF_SMALLER_THAN,
    MAX_POLL_INTERVAL,
    MIN_POLL_INTERVAL,
    STANDARD_PORTS,
)
from .imap import (
    Account,
    CatchUp,
    CertificateError,
    CertificateProblem,
    Criteria,
    Security,
    TokenSource,
    WatchOptions,
)
from .mail.patterns import PatternError, search_texts

_LOGGER = logging.getLogger(__name__)

CRITERIA: Final = tuple(field.name for field in dataclasses.fields(Criteria))
OCTETS_PER_KILOBYTE: Final = 1000
# Ages of a Home Assistant release that a correct clock shows; a beta precedes its release.
MIN_RELEASE_AGE: Final = timedelta(days=-40)
MAX_RELEASE_AGE: Final = timedelta(days=3650)
_PEM_CERTIFICATE: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----"
)


def unique_id_from_entry_data(data: Mapping[str, Any]) -> str:
    """Return the unique ID of an account: its mailbox and host, and a non-standard port."""
    unique_id = f"{mailbox_of(data)}@{data[CONF_HOST]}".casefold()
    port = data[CONF_PORT]
    return unique_id if port in STANDARD_PORTS else f"{unique_id}:{port}"


def mailbox_of(data: Mapping[str, Any]) -> str:
    """Return the mailbox that is read: a shared one, or that of the login."""
    mailbox: str = data.get(CONF_MAILBOX) or data[CONF_USERNAME]
    return mailbox


def local_part(mailbox: str) -> str:
    """Return the part of a mail address before the @."""
    return mailbox.rpartition("@")[0] or mailbox


def is_clock_wrong(error: CertificateError) -> bool:
    """Return whether the clock of this system is the likely reason for a refused certificate.

    Without a battery for its clock, a computer starts with an old date until it reaches a time server.
    """
    if error.problem is not CertificateProblem.EXPIRED:
        return error.problem is CertificateProblem.NOT_YET_VALID
    age = dt_util.utcnow() - datetime(MAJOR_VERSION, MINOR_VERSION, 1, tzinfo=UTC)
    return not MIN_RELEASE_AGE <= age <= MAX_RELEASE_AGE


def format_time(moment: datetime) -> str:
    """Return date and time in the time zone of Home Assistant, for a message."""
    return dt_util.as_local(moment).strftime("%Y-%m-%d %H:%M")


def extract_certificates(text: str) -> str:
    """Return the certificates of a PEM text (RFC 7468 5) without other parts, such as a key.

    Raises ValueError if there is none.
    """
    blocks = _PEM_CERTIFICATE.findall(text)
    if not blocks:
        raise ValueError("no certificate")
    return "\n".join(blocks)


@functools.lru_cache
def ssl_context_for_ca(pem: str) -> ssl.SSLContext:
    """Return a context that trusts only these CA certificates.

    Raises ValueError if a certificate cannot be parsed. Not ssl.create_default_context():
    Home Assistant reports this function as blocking, and it sets VERIFY_X509_STRICT,
    which rejects many self-made CA certificates. Loading from `cadata` reads no file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=pem)
    except ssl.SSLError as err:
        raise ValueError from err
    return context


def name_for_log(entry: ConfigEntry) -> str:
    """Return the host and the end of the entry ID, to identify an account in the log.

    Not the title, which can contain the username.
    """
    return f"{entry.data[CONF_HOST]} ({entry.entry_id[-6:]})"


def account_from_entry_data(
    data: Mapping[str, Any], token: TokenSource | None = None
) -> Account:
    """Return the account for entry data. `token` provides access tokens if OAuth is used."""
    # Does not block: Home Assistant caches its contexts.
    if not data[CONF_VERIFY_SSL]:
        ssl_context = client_context_no_verify()
    elif CONF_CA in data:
        ssl_context = ssl_context_for_ca(data[CONF_CA])
    else:
        ssl_context = client_context()
    return Account(
        host=data[CONF_HOST],
        port=data[CONF_PORT],
        username=data[CONF_USERNAME],
        mailbox=data.get(CONF_MAILBOX, ""),
        password=data.get(CONF_PASSWORD, ""),
        token=token,
        security=Security(data[CONF_SECURITY]),
        ssl_context=ssl_context,
        fingerprint=data.get(CONF_FINGERPRINT),
    )


def without_none(value: Any) -> Any:
    """Drop the fields of a mapping that are None, as a field without a value is in YAML."""
    if not isinstance(value, Mapping):
        return value
    return {key: field for key, field in value.items() if field is not None}


def criteria_from_config(config: Mapping[str, Any]) -> Criteria:
    """Return search criteria. Empty values are ignored; sizes in `config` are in kB."""
    criteria = {
        key: config[key] for key in CRITERIA if config.get(key) not in (None, "")
    }
    for key, read in _CRITERIA_READERS.items():
        if key in criteria:
            criteria[key] = read(criteria[key])
    return Criteria(**criteria)


def _read_addresses(text: str) -> str | tuple[str, ...] | None:
    """Return the texts to search for, or the text itself if it is no list of addresses."""
    try:
        texts = search_texts(text)
    except PatternError:
        return text
    return texts[0] if len(texts) == 1 else texts or None


def _read_header(text: str) -> tuple[str, str]:
    name, _, value = text.partition(":")
    return name.strip(), value.strip()


def _read_kilobytes(size: float) -> int:
    return int(size * OCTETS_PER_KILOBYTE)


_CRITERIA_READERS: Final[dict[str, Callable[[Any], object]]] = {
    CONF_HEADER: _read_header,
    CONF_LARGER_THAN: _read_kilobytes,
    CONF_RECIPIENT: _read_addresses,
    CONF_SENDER: _read_addresses,
    CONF_SMALLER_THAN: _read_kilobytes,
}


def watch_options_from_entry(entry: ConfigEntry) -> WatchOptions:
    """Return the watch options. For an invalid value, log it and use the default."""
    options: dict[str, Any] = {}
    for option, read in _OPTION_READERS.items():
        if option not in entry.options:
            continue
        try:
            options[option] = read(entry.options[option])
        except TypeError, ValueError:
            _LOGGER.warning(
                "%s: invalid value for the option %s: %r; using the default",
                name_for_log(entry),
                option,
                entry.options[option],
            )
    return WatchOptions(**options)


def _read_bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _read_poll_interval(value: Any) -> float:
    if not MIN_POLL_INTERVAL <= (seconds := float(value)) <= MAX_POLL_INTERVAL:
        raise ValueError
    return seconds


_OPTION_READERS: Final[dict[str, Callable[[Any], object]]] = {
    CONF_CATCH_UP: CatchUp,
    CONF_NOTIFY: _read_bool,
    CONF_POLL_INTERVAL: _read_poll_interval,
    CONF_PUSH: _read_bool,
}
