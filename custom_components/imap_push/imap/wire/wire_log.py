"""The debug log of a connection: commands, response names and numbers, no message text.

    > XYZ12 LOGIN ***
    < XYZ12 OK [CAPABILITY], 79 octets
    < * 5 FETCH UID 12, 431 octets

A server may send header fields and text as literals, as quoted strings or, if it reports a
wrong size, as separate lines. So text from a server is never logged, only known names, numbers
and our own tags, which are random.
"""

from collections.abc import Container, Iterable
import re
from typing import Final

from .command import Command
from .parser import Continuation, Data, Response, Status

MAX_LOGGED: Final = 500  # characters of a line

_MECHANISM: Final = re.compile(
    "(?:PLAIN|LOGIN|X?OAUTH[A-Z0-9]*|SCRAM[A-Z0-9-]*)(?: |$)"
)
_LOCAL_PART: Final = re.compile(r"(?:\"[^\"]*\"|[^\s\"<>()@]{1,100})@")
# Untagged responses (RFC 3501 7, RFC 9051 7) and response codes (RFC 3501 7.1, RFC 5530, IANA).
_NAMES: Final = frozenset([
    "BYE", "CAPABILITY", "ENABLED", "ESEARCH", "EXISTS", "EXPUNGE", "FETCH", "FLAGS",
    "ID", "LIST", "LSUB", "NAMESPACE", "RECENT", "SEARCH", "STATUS", "VANISHED",
])  # fmt: skip
_CODES: Final = frozenset([
    "ALERT", "ALREADYEXISTS", "APPENDUID", "AUTHENTICATIONFAILED",
    "AUTHORIZATIONFAILED", "BADCHARSET", "CANNOT", "CAPABILITY", "CLIENTBUG", "CLOSED",
    "CONTACTADMIN", "COPYUID", "CORRUPTION", "EXPIRED", "EXPUNGEISSUED", "HASCHILDREN",
    "HIGHESTMODSEQ", "INUSE", "LIMIT", "MODIFIED", "NOMODSEQ", "NONEXISTENT", "NOPERM",
    "NOTIFICATIONOVERFLOW", "NOTSAVED", "NOUPDATE", "OVERQUOTA", "PARSE",
    "PERMANENTFLAGS", "PRIVACYREQUIRED", "READ-ONLY", "READ-WRITE", "REFERRAL",
    "SERVERBUG", "TEMPFAIL", "THROTTLED", "TOOBIG", "TRYCREATE", "UIDNEXT",
    "UIDNOTSTICKY", "UIDVALIDITY", "UNAVAILABLE", "UNKNOWN-CTE", "UNSEEN", "USEATTR",
])  # fmt: skip
_UID: Final = re.compile(rb"\(UID (\d{1,10})[ )]")
_STATUS_ITEM: Final = re.compile(
    rb"(?:MESSAGES|UIDNEXT|UIDVALIDITY|UNSEEN|RECENT|HIGHESTMODSEQ) \d{1,20}"
)


def describe_sent(command: Command) -> str:
    """Return a command without secrets and without the local parts of mail addresses."""
    line = f"{command.tag.decode()} {command.name}"
    if command.secrets:
        mechanism = _MECHANISM.match(command.arguments)
        return f"{line} {mechanism[0]}***" if mechanism else f"{line} ***"
    arguments = _LOCAL_PART.sub("***@", command.arguments[:MAX_LOGGED])
    return f"{line} {ascii(arguments)[1:-1]}".rstrip()


def describe_received(
    response: Response, octets: int, tags: Container[bytes | None]
) -> str:
    """Return the kind, the numbers and the size of a response.

    `tags` are those of the running commands: any other tag may be text of a message.
    """
    match response:
        case Continuation():
            shown = "+"
        case Status(tag=None):
            shown = f"* {response.status}{_code(response)}"
        case Status():
            is_ours = response.tag in tags
            tag = response.tag.decode() if response.tag and is_ours else "?"
            shown = f"{tag} {response.status}{_code(response)}"
        case Data():
            shown = _describe_data(response)
    return f"{shown}, {octets} octets"


def _code(status: Status) -> str:
    if status.code is None:
        return ""
    return f" [{status.code if status.code in _CODES else '?'}]"


def _describe_data(data: Data) -> str:
    number = "" if data.number is None else f"{data.number} "
    shown = f"* {number}{data.name if data.name in _NAMES else '?'}"
    line = data.parts[0][:MAX_LOGGED]
    if data.name == "FETCH" and (uid := _UID.match(line)):
        shown += f" UID {uid[1].decode()}"
    if data.name == "STATUS":
        items = line.rpartition(b"(")[2]
        shown += "".join(f" {item.decode()}" for item in _STATUS_ITEM.findall(items))
    return f"{shown}, cut" if data.cut else shown


class Redactor:
    """Removes the secrets of a connection from text for logs, errors and forms."""

    def __init__(self) -> None:
        """Start without secrets."""
        self._secrets: set[str] = set()

    def add(self, secrets: Iterable[str]) -> None:
        """Add secrets, before they are sent."""
        self._secrets.update(filter(None, secrets))

    def redact(self, text: str, limit: int) -> str:
        """Return at most `limit` characters of a text, with *** for each secret."""
        if self._secrets:
            longest_first = sorted(self._secrets, key=len, reverse=True)
            # Ignore case: a server may repeat a secret in upper case, like a capability.
            pattern = "|".join(map(re.escape, longest_first))
            text = re.sub(pattern, "***", text, flags=re.IGNORECASE)
        return text[:limit]
