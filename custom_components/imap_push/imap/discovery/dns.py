"""Query the DNS records for the mail of a domain (RFC 6186, RFC 8314, MX)."""

from collections.abc import Awaitable
from typing import Final, NamedTuple, Protocol

from aiodns.error import DNSError
import pycares

from ..models import Security
from .address import host_name
from .first_answer import gather_until

DEADLINE_SECONDS: Final = 4.0

_SERVICES: Final = (("_imaps._tcp", Security.TLS), ("_imap._tcp", Security.STARTTLS))


class Resolver(Protocol):
    """The part of the interface of aiodns.DNSResolver that discovery needs."""

    def query_dns(self, host: str, qtype: str, /) -> Awaitable[pycares.DNSResult]:
        """Query the records of a name; raise DNSError."""


class Service(NamedTuple):
    """Host, port and encryption of an IMAP service."""

    host: str
    port: int
    security: Security


async def find_services(resolver: Resolver, domain: str) -> list[Service]:
    """Return the IMAP services of a domain (SRV); implicit TLS comes first (RFC 8314 3)."""
    queries = [
        _services(resolver, f"{label}.{domain}", security)
        for label, security in _SERVICES
    ]
    results = await gather_until(queries, bool, DEADLINE_SECONDS)
    return [service for services in results for service in services]


async def find_mx_hosts(resolver: Resolver, domain: str) -> list[str]:
    """Return the hosts of the MX records of a domain, the preferred one first."""
    records = [
        record
        for record in await _query(resolver, domain, "MX")
        if isinstance(record, pycares.MXRecordData)
    ]
    records.sort(key=lambda record: record.priority)
    return [host for record in records if (host := host_name(record.exchange))]


async def find_alias(resolver: Resolver, name: str) -> str | None:
    """Return the target of the CNAME record of a name, or None."""
    for record in await _query(resolver, name, "CNAME"):
        if isinstance(record, pycares.CNAMERecordData):
            return host_name(record.cname)
    return None


async def _services(resolver: Resolver, name: str, security: Security) -> list[Service]:
    """Return the services of one name; the target "." means that there is none (RFC 6186 3.4).

    Within a priority, the record with the greatest weight comes first. RFC 2782 selects one at
    random to balance the load, which is not necessary for one user.
    """
    records = [
        record
        for record in await _query(resolver, name, "SRV")
        if isinstance(record, pycares.SRVRecordData)
    ]
    records.sort(key=lambda record: (record.priority, -record.weight))
    return [
        Service(host, record.port, security)
        for record in records
        if record.port and (host := host_name(record.target))
    ]


async def _query(resolver: Resolver, name: str, record_type: str) -> list[object]:
    """Return the records of a name; none if the query fails."""
    try:
        result = await resolver.query_dns(name, record_type)
    except DNSError:
        return []
    return [record.data for record in result.answer]
