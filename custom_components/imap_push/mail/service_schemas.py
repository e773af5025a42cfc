"""Schemas of the actions."""

from collections.abc import Mapping
from typing import Any, Final

import voluptuous as vol

from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import VolSchemaType

from ..const import (
    CONF_ATTACHMENT_TYPE,
    CONF_FLAGGED,
    CONF_FOLDER,
    CONF_HAS_ATTACHMENT,
    CONF_INLINE_IMAGES,
    CONF_LARGER_THAN,
    CONF_LINKS,
    CONF_NEWER_THAN,
    CONF_RAW,
    CONF_RECIPIENT,
    CONF_SENDER,
    CONF_SUBJECT,
    CONF_TEXT,
    CONF_TEXT_SIZE,
    CONF_UNREAD,
    DEFAULT_FOLDER,
)
from .filter import FILTER_FIELDS

ATTR_ADD_KEYWORDS: Final = "add_keywords"
ATTR_ANSWERED: Final = "answered"
ATTR_CONTENT_TYPE: Final = "content_type"
ATTR_DIRECTORY: Final = "directory"
ATTR_ENTRY_ID: Final = "entry_id"
ATTR_HTML: Final = "html"
ATTR_LIMIT: Final = "limit"
ATTR_MAIL: Final = "mail"
ATTR_MAX_SIZE: Final = "max_size"
ATTR_OVERWRITE: Final = "overwrite"
ATTR_PART: Final = "part"
ATTR_PERMANENTLY: Final = "permanently"
ATTR_READ: Final = "read"
ATTR_REMOVE_KEYWORDS: Final = "remove_keywords"
ATTR_TARGET_FOLDER: Final = "target_folder"
ATTR_UID: Final = "uid"
ATTR_UID_VALIDITY: Final = "uid_validity"

# The fields that identify mails: the folder, and the UIDs.
_LOCATION: Final = (ATTR_ENTRY_ID, CONF_FOLDER, ATTR_UID_VALIDITY)
_IDENTIFIERS: Final = (*_LOCATION, ATTR_UID)

_MAX_NUMBER: Final = 2**32 - 1
_MAX_MAILS: Final = 1000
_MAX_DAYS: Final = 36_500
_MAX_KILOBYTES: Final = 1_000_000


def number(value: Any) -> int:
    """Validate a UID or UIDVALIDITY (nz-number, RFC 3501 9). Floats are invalid."""
    text = str(value).strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        raise vol.Invalid("expected a whole number")
    if not 0 < (number := int(text)) <= _MAX_NUMBER:
        raise vol.Invalid(f"expected a number from 1 to {_MAX_NUMBER}")
    return number


def _numbers(value: Any) -> list[int]:
    """Validate a number or a list of numbers, and drop duplicates."""
    numbers = dict.fromkeys(map(number, cv.ensure_list(value)))
    if not 0 < len(numbers) <= _MAX_MAILS:
        raise vol.Invalid(f"expected 1 to {_MAX_MAILS} emails")
    return list(numbers)


def _expand_mail(data: dict[str, Any]) -> dict[str, Any]:
    """Replace `mail` (data of events or responses) with the fields that identify the mails.

    Without any of these, the action is for the mail that started it: see starting_mail.py.
    """
    given = [key for key in _IDENTIFIERS if key in data]
    if ATTR_MAIL not in data:
        if given and len(given) < len(_IDENTIFIERS):
            raise vol.Invalid(f"expected all of {', '.join(_IDENTIFIERS)}, or none")
        return data
    if given:
        raise vol.Invalid(f"expected either {ATTR_MAIL} or {', '.join(_IDENTIFIERS)}")
    mails = cv.ensure_list(data[ATTR_MAIL])
    for mail in mails:
        if not (isinstance(mail, Mapping) and all(key in mail for key in _IDENTIFIERS)):
            raise vol.Invalid(
                f"expected {', '.join(_IDENTIFIERS)} in {ATTR_MAIL}. Omit {ATTR_MAIL} to use"
                " the email that triggered the automation"
            )
    if not mails:
        raise vol.Invalid("expected at least one email")
    location = {key: mails[0][key] for key in _LOCATION}
    if any(mail[key] != location[key] for mail in mails for key in _LOCATION):
        raise vol.Invalid("expected emails of one folder")
    others = {key: value for key, value in data.items() if key != ATTR_MAIL}
    return {**others, **location, ATTR_UID: [mail[ATTR_UID] for mail in mails]}


LINE: Final = vol.All(cv.string, vol.Match(r"[^\x00-\x1f\x7f]{1,1000}\Z"))
# A section-part (RFC 3501 9), or the data of an attachment that contains one: Home Assistant
# converts the result "1.10" of a template to the number 1.1.
PART: Final = vol.All(
    lambda value: value.get(ATTR_PART) if isinstance(value, Mapping) else value,
    cv.string,
    vol.Match(
        r"[1-9][0-9]{0,3}(\.[1-9][0-9]{0,3}){0,19}\Z",
        msg="expected the number of a part, such as 2 or 1.2",
    ),
)
# A flag-keyword is an atom (RFC 3501 9). This excludes system flags such as \Deleted.
_KEYWORDS: Final = vol.All(
    cv.ensure_list,
    [vol.All(cv.string, vol.Match(r"[!#$&'+-\[^-z|}~]{1,100}\Z"))],
    vol.Length(min=1),
)
_ATTACHMENT_TYPE: Final = vol.Optional(CONF_ATTACHMENT_TYPE)
_DAYS: Final = vol.All(vol.Coerce(int), vol.Range(min=1, max=_MAX_DAYS))
_KILOBYTES: Final = vol.All(vol.Coerce(float), vol.Range(min=0, max=_MAX_KILOBYTES))


def _mail_schema(
    fields: Mapping[vol.Marker, Any], *, max_mails: int = _MAX_MAILS
) -> VolSchemaType:
    """Return the schema of an action on existing mails, with additional `fields`."""
    uids = vol.All(_numbers, vol.Length(max=max_mails))
    return vol.All(
        _expand_mail,
        vol.Schema(
            {
                vol.Optional(ATTR_ENTRY_ID): cv.string,
                vol.Optional(CONF_FOLDER): LINE,
                vol.Optional(ATTR_UID_VALIDITY): number,
                vol.Optional(ATTR_UID): uids,
                **fields,
            }
        ),
    )


SEARCH_SCHEMA: Final = vol.Schema(
    {
        vol.Required(ATTR_ENTRY_ID): cv.string,
        vol.Optional(CONF_FOLDER, default=DEFAULT_FOLDER): LINE,
        vol.Optional(CONF_SENDER): LINE,
        vol.Optional(CONF_RECIPIENT): LINE,
        vol.Optional(CONF_SUBJECT): LINE,
        vol.Optional(CONF_TEXT): LINE,
        vol.Optional(CONF_UNREAD): cv.boolean,
        vol.Optional(CONF_FLAGGED): cv.boolean,
        vol.Optional(CONF_LARGER_THAN): _KILOBYTES,
        vol.Optional(CONF_HAS_ATTACHMENT): cv.boolean,
        vol.Optional(CONF_NEWER_THAN): _DAYS,
        vol.Optional(CONF_RAW): LINE,
        vol.Optional(ATTR_LIMIT, default=20): vol.All(
            vol.Coerce(int), vol.Range(min=1, max=200)
        ),
    }
)

FETCH_SCHEMA: Final = _mail_schema(
    {
        # Characters.
        vol.Optional(CONF_TEXT_SIZE, default=10_000): vol.All(
            vol.Coerce(int), vol.Range(min=0, max=100_000)
        ),
        vol.Optional(CONF_LINKS, default=False): cv.boolean,
        vol.Optional(ATTR_HTML, default=False): cv.boolean,
        vol.Optional(ATTR_PART): PART,
    },
    max_mails=1,
)

SAVE_ATTACHMENT_SCHEMA: Final = _mail_schema(
    {
        vol.Optional(ATTR_PART): vol.All(
            cv.ensure_list,
            [PART],
            vol.Length(min=1, max=100),
        ),
        vol.Optional(ATTR_CONTENT_TYPE): FILTER_FIELDS[_ATTACHMENT_TYPE],
        vol.Optional(CONF_INLINE_IMAGES, default=False): cv.boolean,
        vol.Optional(ATTR_DIRECTORY): LINE,
        # Megabytes.
        vol.Optional(ATTR_MAX_SIZE, default=25): vol.All(
            vol.Coerce(float), vol.Range(min=0, min_included=False, max=100)
        ),
        vol.Optional(ATTR_OVERWRITE, default=False): cv.boolean,
    },
    max_mails=1,
)

SET_FLAGS_SCHEMA: Final = vol.All(
    cv.has_at_least_one_key(
        ATTR_READ, CONF_FLAGGED, ATTR_ANSWERED, ATTR_ADD_KEYWORDS, ATTR_REMOVE_KEYWORDS
    ),
    _mail_schema(
        {
            vol.Optional(ATTR_READ): cv.boolean,
            vol.Optional(CONF_FLAGGED): cv.boolean,
            vol.Optional(ATTR_ANSWERED): cv.boolean,
            vol.Optional(ATTR_ADD_KEYWORDS): _KEYWORDS,
            vol.Optional(ATTR_REMOVE_KEYWORDS): _KEYWORDS,
        }
    ),
)

MARK_AS_READ_SCHEMA: Final = _mail_schema({})
FLAG_SCHEMA: Final = MARK_AS_READ_SCHEMA

MOVE_SCHEMA: Final = _mail_schema({vol.Required(ATTR_TARGET_FOLDER): LINE})

DELETE_SCHEMA: Final = _mail_schema(
    {vol.Optional(ATTR_PERMANENTLY, default=False): cv.boolean}
)
