"""Provider facts as data: what a server does not say of itself."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """How a provider differs. `idle_refresh` is in seconds and counts from the last byte.

    `idle_is_deaf`: IDLE is offered but announces nothing worth waiting for. `wants_id`: no
    folder is opened before the client has named itself (ID, RFC 2971).
    """

    idle_refresh: float = 285.0
    idle_is_deaf: bool = False
    wants_id: bool = False


_STANDARD: Final = Quirks()
_MICROSOFT: Final = Quirks(idle_refresh=240.0)
_YAHOO: Final = Quirks(idle_refresh=120.0)
_MINUTE: Final = Quirks(idle_refresh=55.0)
# NOOP and IDLE keep nothing alive there and show no new mail.
_COREMAIL: Final = Quirks(idle_refresh=55.0, idle_is_deaf=True, wants_id=True)

# What Coremail offers alone: companies and universities run it under names of their own.
COREMAIL: Final = "X-CM-EXT-1"

# By the end of the host's name. GMX, web.de and Ionos want a sign of life in 9 to 12 minutes,
# Gmail in 10, Stalwart in 30: the standard is well within. Sources: EmailEngine (Yahoo 3 min, Rambler and 163.com 55 s),
# FairEmail (4 min for Outlook, iCloud and o2; Yahoo every minute or two since 2024-11).
_BY_DOMAIN: Final = {
    "outlook.com": _MICROSOFT,
    "office365.com": _MICROSOFT,
    "hotmail.com": _MICROSOFT,
    "live.com": _MICROSOFT,
    "me.com": Quirks(idle_refresh=240.0),
    "icloud.com": Quirks(idle_refresh=240.0),
    "o2.pl": Quirks(idle_refresh=240.0),
    "yahoo.com": _YAHOO,
    "yahoo.co.jp": _YAHOO,
    "aol.com": _YAHOO,
    "yandex.com": Quirks(idle_refresh=180.0),
    "yandex.ru": Quirks(idle_refresh=180.0),
    "rambler.ru": _MINUTE,
    "163.com": _COREMAIL,
    "126.com": _COREMAIL,
    "yeah.net": _COREMAIL,
    "188.com": _COREMAIL,
    "qq.com": Quirks(idle_is_deaf=True),
    "naver.com": Quirks(idle_is_deaf=True),
}


def quirks_of(host: str) -> Quirks:
    """Return the quirks of the provider that a host belongs to."""
    labels = host.casefold().rstrip(".").split(".")
    for start in range(len(labels) - 1):
        if quirks := _BY_DOMAIN.get(".".join(labels[start:])):
            return quirks
    return _STANDARD
