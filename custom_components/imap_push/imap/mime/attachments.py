"""List the attachments of a message: all parts that a mail program shows as files."""

import re
from typing import Final

from ..models import Attachment
from .budget import Budget, json_size
from .characters import one_line
from .media_type import type_of_file, usual_extension
from .parameters import parameter
from .part import Part, Role, roles

# Limits in octets of JSON: for all attachments, one file name and one Content-ID.
_MAX_ATTACHMENTS: Final = 7_000
_MAX_NAME: Final = 500
_MAX_CONTENT_ID: Final = 200
# Octets of JSON of the field names and the short values of one attachment.
_OVERHEAD: Final = 150
_UNKNOWN_EXTENSION: Final = ".bin"
_DISPOSITION: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")


def attachments_of(root: Part | None, budget: Budget) -> tuple[Attachment, ...]:
    """Return the attachments of a message in order, as many as fit into an event."""
    attachments: list[Attachment] = []
    remaining = _MAX_ATTACHMENTS
    for part, role in roles(root, budget) if root else ():
        if role is not Role.FILE and role is not Role.RESOURCE:
            continue
        found = describe(part, budget, is_resource=role is Role.RESOURCE)
        texts = f"{found.filename}{found.content_type}{found.part}{found.content_id}"
        remaining -= _OVERHEAD + json_size(texts)
        if remaining < 0 or budget.is_spent:
            budget.truncated = True
            break
        attachments.append(found)
    return tuple(attachments)


def describe(part: Part, budget: Budget, *, is_resource: bool = False) -> Attachment:
    """Return a part as an attachment; if it has no name, one with the part number is generated."""
    name = filename_of(part, budget)
    content_type = type_of_file(part.content_type, name)
    content_id = ""
    if part.content_id:
        text = part.content_id[:_MAX_CONTENT_ID].decode("utf-8", "replace")
        content_id = one_line(text)
    is_disposition = _DISPOSITION.fullmatch(part.disposition)
    return Attachment(
        part=part.number,
        filename=name or default_filename(part.number, content_type),
        content_type=content_type,
        size=part.size,
        encoding=part.encoding if _DISPOSITION.fullmatch(part.encoding) else None,
        disposition=part.disposition if is_disposition else None,
        content_id=content_id or None,
        inline=is_resource and content_type.startswith("image/"),
    )


def filename_of(part: Part, budget: Budget) -> str:
    """Return the declared file name of a part, "" if it has none.

    `filename` of Content-Disposition (RFC 2183) has priority over `name` of Content-Type.
    """
    name = parameter(part.disposition_parameters, b"filename", budget)
    return budget.text(name or parameter(part.parameters, b"name", budget), _MAX_NAME)


def default_filename(number: str, content_type: str) -> str:
    """Return the generated file name of a part without one; it is always the same."""
    extension = usual_extension(content_type) or _UNKNOWN_EXTENSION
    return f"attachment-{number.replace('.', '-')}{extension}"
