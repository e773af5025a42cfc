"""The tree of body parts, and the role of each: text, a file, or an image within the text.

`body_structure` makes the tree from BODYSTRUCTURE, `multipart` from the octets of the message. The
roles are decided here for both.
"""

from collections.abc import Iterator
from enum import Enum, auto
from typing import Final, NamedTuple

from .budget import Budget
from .media_type import ANY_FILE, DEFAULT, valid_type
from .parameters import Parameters, has_parameter, parameter_octets

_TEXT_TYPES: Final = frozenset({"text/plain", "text/html"})
_CALENDAR: Final = "text/calendar"
# Octets of a parameter that is one word.
_MAX_WORD: Final = 128


class Role(Enum):
    """What a mail program does with a part."""

    TEXT = auto()
    FILE = auto()
    RESOURCE = auto()  # the HTML shows it by its Content-ID
    HIDDEN = auto()  # an alternative that is not shown, or a multipart without parts


class Part(NamedTuple):
    """A body part (RFC 2046), or the message itself.

    `number` is the section number for FETCH (RFC 3501 6.4.5), "" for a message that is a
    multipart. `content_type`, `disposition` and `encoding` are lower case. `size` is in octets,
    as encoded for transfer. `octets` is the encoded content, None where it was not fetched;
    `is_whole` says if that is all of it.
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
        """Return if the content is HTML."""
        return self.content_type == "text/html"

    @property
    def is_text_file(self) -> bool:
        """Return if a mail program shows the content, though it may be a file."""
        return self.content_type in _TEXT_TYPES and self.disposition != "attachment"

    @property
    def is_named(self) -> bool:
        """Return if the part has a file name in any form (RFC 2183 2.3, RFC 2231)."""
        return is_named(self.parameters, self.disposition_parameters)

    def parameter(self, name: bytes, budget: Budget) -> str:
        """Return a parameter of Content-Type that is one word, "" if there is none."""
        octets, _ = parameter_octets(self.parameters, name, budget)
        return octets[:_MAX_WORD].decode("ascii", "replace").strip()


def is_named(parameters: Parameters, disposition_parameters: Parameters) -> bool:
    """Return True if Content-Type or Content-Disposition has a file name."""
    in_disposition = has_parameter(disposition_parameters, b"filename")
    return in_disposition or has_parameter(parameters, b"name")


def type_of_part(
    kind: str, subtype: str, parameters: Parameters, disposition_parameters: Parameters
) -> str:
    """Return the content type of a part; a file with an invalid one can be of any type."""
    if found := valid_type(kind, subtype):
        return found
    return ANY_FILE if is_named(parameters, disposition_parameters) else DEFAULT


def roles(root: Part, budget: Budget) -> Iterator[tuple[Part, Role]]:
    """Yield each leaf of the tree in order, and its role."""
    if not root.children:
        yield root, role_of(root, None, is_main=True)
        return
    pending = [(root, child, main) for child, main in reversed(_children(root, budget))]
    while pending:
        parent, part, is_main = pending.pop()
        if part.children:
            inner = reversed(_children(part, budget))
            pending += [(part, child, main) for child, main in inner]
        else:
            yield part, role_of(part, parent, is_main=is_main)


def role_of(part: Part, parent: Part | None, *, is_main: bool) -> Role:
    """Return the role of a leaf; `is_main`: it is the root of its multipart/related.

    Text with a file name is a file: an attached log is not the text of the message. The message
    itself, an alternative and the root of a multipart/related are text even if they have a name:
    some mailers add one.
    """
    container = "" if parent is None else parent.content_type
    in_alternative = container == "multipart/alternative"
    in_related = container == "multipart/related"
    if part.content_type.startswith("multipart/"):
        return Role.HIDDEN
    # A resource that is declared as an attachment is one: some mailers put all parts into one
    # multipart/related and give each a Content-ID.
    if part.disposition == "attachment":
        return Role.FILE
    is_resource = in_related and not is_main and bool(part.content_id)
    is_body = parent is None or in_alternative or (in_related and is_main)
    if part.content_type in _TEXT_TYPES:
        is_text = is_body or not (is_resource or part.is_named)
        return Role.TEXT if is_text else Role.FILE
    if is_resource:
        return Role.RESOURCE
    # Other forms of the text: text/x-amp-html, text/watch-html, text/enriched.
    is_form = part.content_type.startswith("text/") and part.content_type != _CALENDAR
    return (
        Role.HIDDEN if in_alternative and is_form and not part.is_named else Role.FILE
    )


def _children(parent: Part, budget: Budget) -> list[tuple[Part, bool]]:
    """Return the parts of a multipart, and which of them is its root (RFC 2387 3.2)."""
    start = b""
    if parent.content_type == "multipart/related":
        start, _ = parameter_octets(parent.parameters, b"start", budget)
        start = start.strip(b"<> ")
    named = (child for child in parent.children if start and child.content_id == start)
    main = next(named, parent.children[0])
    return [(child, child is main) for child in parent.children]
