"""What the name servers say of a domain's mail (RFC 6186, RFC 8314, MX)."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, Protocol

from aiodns.error import DNSError
import pycares

from ..models import Security
from .address import host_name
from .ranked import ask

DEADLINE: Final = 4.0  # seconds

_SERVICES: Final = (("_imaps._tcp", Security.TLS), ("_imap._tcp", Security.STARTTLS))


class Resolver(Protocol):
    """As much of aiodns.DNSResolver as is needed."""

    def query_dns(self, host: str, qtype: str, /) -> Awaitable[pycares.DNSResult]:
        """Ask for records; raise DNSError."""


@dataclass(frozen=True, slots=True)
class Service:
    """Where IMAP is offered."""

    host: str
    port: int
    security: Security


async def find_services(resolver: Resolver, domain: str) -> list[Service]:
    """Return where a domain offers IMAP: TLS from the first byte comes first (RFC 8314 3)."""
    questions = [
        _services(resolver, f"{label}.{domain}", security)
        for label, security in _SERVICES
    ]
    answers = await ask(questions, bool, DEADLINE)
    return [service for answer in answers for service in answer]


async def find_exchanges(resolver: Resolver, domain: str) -> list[str]:
    """Return the hosts that take in the mail of a domain, the preferred one first."""
    records = [
        record
        for record in await _answers(resolver, domain, "MX")
        if isinstance(record, pycares.MXRecordData)
    ]
    records.sort(key=lambda record: record.priority)
    return [host for record in records if (host := host_name(record.exchange))]


async def find_alias(resolver: Resolver, name: str) -> str | None:
    """Return which host a name stands for (CNAME)."""
    for record in await _answers(resolver, name, "CNAME"):
        if isinstance(record, pycares.CNAMERecordData):
            return host_name(record.cname)
    return None


async def _services(resolver: Resolver, name: str, security: Security) -> list[Service]:
    """Return the services of one name; a target of "." says that there is none (RFC 6186 3.4).

    Of equals the heaviest comes first: one user needs no balance (RFC 2782).
    """
    records = [
        record
        for record in await _answers(resolver, name, "SRV")
        if isinstance(record, pycares.SRVRecordData)
    ]
    records.sort(key=lambda record: (record.priority, -record.weight))
    return [
        Service(host, record.port, security)
        for record in records
        if record.port and (host := host_name(record.target))
    ]


async def _answers(resolver: Resolver, name: str, kind: str) -> list[object]:
    """Return the records of a name; none where there are none, or no name server."""
    try:
        result = await resolver.query_dns(name, kind)
    except DNSError:
        return []
    return [record.data for record in result.answer]
