"""The tree of body parts, and the role of each: text, file, or inline image.

`body_structure` parses the tree from BODYSTRUCTURE, `multipart` from the octets of the message. The
roles are the same for both.
"""

from collections.abc import Iterator
from enum import Enum, auto
from typing import Final, NamedTuple

from .budget import Budget
from .media_type import ANY_FILE, DEFAULT, valid_type
from .parameters import Parameters, has_parameter, parameter_octets

_TEXT_TYPES: Final = frozenset({"text/plain", "text/html"})
_CALENDAR: Final = "text/calendar"
# Maximum number of octets of a parameter that is a token.
_MAX_TOKEN: Final = 128


class Role(Enum):
    """How a mail program displays a part."""

    TEXT = auto()
    FILE = auto()
    RESOURCE = auto()  # part of the HTML, which refers to it by its Content-ID
    HIDDEN = (
        auto()
    )  # an alternative that is not displayed, or a multipart without parts


class Part(NamedTuple):
    """A body part (RFC 2046), or the message itself.

    `number` is the section number for FETCH (RFC 3501 6.4.5), "" for a message that is a
    multipart. `content_type`, `disposition` and `encoding` are in lower case. `size` is the size
    in octets before decoding. `octets` is the content before decoding, None if it was not
    fetched; `is_whole` is True if it is complete.
    """

    number: str = ""
    content_type: str = "text/plain"
    parameters: Parameters = ()
    disposition: str = ""
    disposition_parameters: Parameters = ()
    content_id: bytes = b""
    encoding: str = ""
    size: int = 0
    octets: bytes | None = None
    is_whole: bool = False
    children: tuple[Part, ...] = ()

    @property
    def is_html(self) -> bool:
        """Return True if the content is HTML."""
        return self.content_type == "text/html"

    @property
    def is_text_file(self) -> bool:
        """Return True if a mail program displays the content although the part may be a file."""
        return self.content_type in _TEXT_TYPES and self.disposition != "attachment"

    @property
    def is_named(self) -> bool:
        """Return True if the part has a file name in any form (RFC 2183 2.3, RFC 2231)."""
        return is_named(self.parameters, self.disposition_parameters)

    def parameter(self, name: bytes, budget: Budget) -> str:
        """Return a parameter of Content-Type that is a token, "" if there is none."""
        octets, _ = parameter_octets(self.parameters, name, budget)
        return octets[:_MAX_TOKEN].decode("ascii", "replace").strip()


def is_named(parameters: Parameters, disposition_parameters: Parameters) -> bool:
    """Return True if Content-Type or Content-Disposition has a file name."""
    in_disposition = has_parameter(disposition_parameters, b"filename")
    return in_disposition or has_parameter(parameters, b"name")


def type_of_part(
    kind: str, subtype: str, parameters: Parameters, disposition_parameters: Parameters
) -> str:
    """Return the content type of a part; if it is invalid, the default for a file or for text."""
    if found := valid_type(kind, subtype):
        return found
    return ANY_FILE if is_named(parameters, disposition_parameters) else DEFAULT


def roles(root: Part, budget: Budget) -> Iterator[tuple[Part, Role]]:
    """Yield each leaf of the tree in order, with its role."""
    pending: list[tuple[Part | None, Part, bool]] = [(None, root, True)]
    while pending:
        parent, part, is_main = pending.pop()
        if not part.children:
            yield part, role_of(part, parent, is_main=is_main)
            continue
        main = _main_child(part, budget)
        pending += [(part, child, child is main) for child in reversed(part.children)]


def role_of(part: Part, parent: Part | None, *, is_main: bool) -> Role:
    """Return the role of a leaf; `is_main` is True for the root of a multipart/related.

    Text with a file name is a file: an attached log is not the text of the message. The message
    itself, an alternative and the root of a multipart/related are text even if they have a file
    name, as some mailers add one.
    """
    container = "" if parent is None else parent.content_type
    in_alternative = container == "multipart/alternative"
    in_related = container == "multipart/related"
    if part.content_type.startswith("multipart/"):
        return Role.HIDDEN
    # An attachment is not a resource, even with a Content-ID: some mailers put all parts into one
    # multipart/related and add a Content-ID to each.
    if part.disposition == "attachment":
        return Role.FILE
    is_resource = in_related and not is_main and bool(part.content_id)
    is_body = parent is None or in_alternative or (in_related and is_main)
    if part.content_type in _TEXT_TYPES:
        is_text = is_body or not (is_resource or part.is_named)
        return Role.TEXT if is_text else Role.FILE
    if is_resource:
        return Role.RESOURCE
    # Alternative formats of the text: text/x-amp-html, text/watch-html, text/enriched.
    is_format = part.content_type.startswith("text/") and part.content_type != _CALENDAR
    is_hidden = in_alternative and is_format and not part.is_named
    return Role.HIDDEN if is_hidden else Role.FILE


def _main_child(parent: Part, budget: Budget) -> Part | None:
    """Return the root of a multipart/related (RFC 2387 3.2), None for another multipart."""
    if parent.content_type != "multipart/related":
        return None
    start, _ = parameter_octets(parent.parameters, b"start", budget)
    start = start.strip(b"<> ")
    named = (child for child in parent.children if start and child.content_id == start)
    return next(named, parent.children[0])
