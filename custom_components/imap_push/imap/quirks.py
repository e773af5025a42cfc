"""Facts about providers that their servers do not report."""

from typing import Final, NamedTuple


class Quirks(NamedTuple):
    """How a provider deviates from the standard.

    `idle_refresh`: seconds after the last received octet until IDLE is restarted. `idle_is_deaf`:
    the server offers IDLE but does not announce new mail. `wants_id`: the server opens no folder
    before the client sends ID (RFC 2971).
    """

    idle_refresh: float = 285.0
    idle_is_deaf: bool = False
    wants_id: bool = False


_STANDARD: Final = Quirks()
_MICROSOFT: Final = Quirks(idle_refresh=240.0)
_YAHOO: Final = Quirks(idle_refresh=120.0)
_MINUTE: Final = Quirks(idle_refresh=55.0)
# NOOP and IDLE neither keep the connection open nor announce new mail.
_COREMAIL: Final = Quirks(idle_refresh=55.0, idle_is_deaf=True, wants_id=True)

# A capability that only Coremail has: companies and universities run it under their own domains.
COREMAIL: Final = "X-CM-EXT-1"

# By the domain of the host. GMX, web.de and Ionos close an idle connection after 9 to 12 minutes,
# Gmail after 10, Stalwart after 30: the default is shorter. Sources: EmailEngine (Yahoo 3 min,
# Rambler and 163.com 55 s), FairEmail (4 min for Outlook, iCloud and o2; Yahoo every minute or two
# since 2024-11).
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
