"""What the debug log shows of a conversation: names and numbers, never a word of a message.

A server may frame header fields and text in any way: as literals, as quoted strings or, where
it gets a size wrong, as lines of their own. So nothing that a server sends is shown as it is,
but for one of our tags, which are random.
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
_NAMES: Final = frozenset(
    [
        "BYE",
        "CAPABILITY",
        "ENABLED",
        "ESEARCH",
        "EXISTS",
        "EXPUNGE",
        "FETCH",
        "FLAGS",
        "ID",
        "LIST",
        "LSUB",
        "NAMESPACE",
        "RECENT",
        "SEARCH",
        "STATUS",
        "VANISHED",
    ]
)
_CODES: Final = frozenset(
    [
        "ALERT",
        "ALREADYEXISTS",
        "APPENDUID",
        "AUTHENTICATIONFAILED",
        "AUTHORIZATIONFAILED",
        "BADCHARSET",
        "CANNOT",
        "CAPABILITY",
        "CLIENTBUG",
        "CLOSED",
        "CONTACTADMIN",
        "COPYUID",
        "CORRUPTION",
        "EXPIRED",
        "EXPUNGEISSUED",
        "HASCHILDREN",
        "HIGHESTMODSEQ",
        "INUSE",
        "LIMIT",
        "MODIFIED",
        "NOMODSEQ",
        "NONEXISTENT",
        "NOPERM",
        "NOTIFICATIONOVERFLOW",
        "NOTSAVED",
        "NOUPDATE",
        "OVERQUOTA",
        "PARSE",
        "PERMANENTFLAGS",
        "PRIVACYREQUIRED",
        "READ-ONLY",
        "READ-WRITE",
        "REFERRAL",
        "SERVERBUG",
        "TEMPFAIL",
        "THROTTLED",
        "TOOBIG",
        "TRYCREATE",
        "UIDNEXT",
        "UIDNOTSTICKY",
        "UIDVALIDITY",
        "UNAVAILABLE",
        "UNKNOWN-CTE",
        "UNSEEN",
        "USEATTR",
    ]
)
_UID: Final = re.compile(rb"\(UID (\d{1,10})[ )]")
_STATUS_ITEM: Final = re.compile(
    rb"(?:MESSAGES|UIDNEXT|UIDVALIDITY|UNSEEN|RECENT|HIGHESTMODSEQ) \d{1,20}"
)


def describe_sent(command: Command) -> str:
    """Return a command as it is sent, without secrets and without the names in addresses."""
    line = f"{command.tag.decode()} {command.name}"
    if command.secrets:
        mechanism = _MECHANISM.match(command.arguments)
        return f"{line} {mechanism[0]}***" if mechanism else f"{line} ***"
    arguments = _LOCAL_PART.sub("***@", command.arguments[:MAX_LOGGED])
    return f"{line} {ascii(arguments)[1:-1]}".rstrip()


def describe_received(
    response: Response, octets: int, tags: Container[bytes | None]
) -> str:
    """Return what kind of response so many octets are, with its numbers.

    `tags` are those of the commands under way: any other may be a word of a message.
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
    """Knows the secrets of a connection; none of them gets into a log, an error or a form."""

    def __init__(self) -> None:
        """Start without secrets."""
        self._secrets: set[str] = set()

    def add(self, secrets: Iterable[str]) -> None:
        """Take secrets that are about to be sent."""
        self._secrets.update(filter(None, secrets))

    def redact(self, text: str, most: int) -> str:
        """Return at most so many characters of a text, with *** for each secret."""
        if self._secrets:
            longest_first = sorted(self._secrets, key=len, reverse=True)
            # A server may change the case of what it repeats: capabilities have none.
            pattern = "|".join(map(re.escape, longest_first))
            text = re.sub(pattern, "***", text, flags=re.IGNORECASE)
        return text[:most]
