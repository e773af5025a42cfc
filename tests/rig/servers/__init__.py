"""Mail servers of other projects in their own view of the file system, on loopback ports."""

from .server import (
    NAMES as NAMES,
    MailServer as MailServer,
    reason_against as reason_against,
    start as start,
    version_of as version_of,
)
