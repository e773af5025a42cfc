"""Filters of new mail for folders and triggers."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
import logging
import re
from typing import Any, Final, NamedTuple, Self

import voluptuous as vol

from homeassistant.helpers import config_validation as cv

from ..const import (
    CONF_ATTACHMENT_TYPE,
    CONF_AUTHENTICATED_BY,
    CONF_FLAGGED,
    CONF_HAS_ATTACHMENT,
    CONF_HEADER,
    CONF_IGNORE_BULK,
    CONF_IGNORE_CATCH_UP,
    CONF_INLINE_IMAGES,
    CONF_LARGER_THAN,
    CONF_RECIPIENT,
    CONF_SENDER,
    CONF_SMALLER_THAN,
    CONF_SUBJECT,
    CONF_TEXT,
    CONF_UNREAD,
)
from ..imap import MessageContent, type_of_name
from .event_data import NewMail
from .patterns import (
    Addresses,
    Header,
    PatternError,
    collapse,
    compile_addresses,
    compile_header,
    compile_patterns,
    expand_attachment,
    expand_body,
    expand_server,
    expand_text,
    fold,
    split_values,
    validate_patterns,
)

_LOGGER = logging.getLogger(__name__)

_OCTETS_PER_KILOBYTE: Final = 1000
_KILOBYTES: Final = vol.All(vol.Coerce(int), vol.Range(min=1, max=1_000_000))


def _each(
    expand: Callable[[str], Iterable[str]], *, is_list: bool = False
) -> Callable[[Iterable[str]], re.Pattern[str]]:
    """Return a function that compiles the patterns of each value to one expression."""

    def compile_values(texts: Iterable[str]) -> re.Pattern[str]:
        values = split_values(texts) if is_list else texts
        return compile_patterns(
            pattern for value in values for pattern in expand(fold(value))
        )

    return compile_values


# Compile the values of a field; raise PatternError for a value that no mail can match.
_COMPILE: Final[dict[str, Callable[[list[str]], Any]]] = {
    CONF_SENDER: partial(compile_addresses, has_names=True),
    CONF_RECIPIENT: partial(compile_addresses, has_names=False),
    CONF_SUBJECT: _each(expand_text),
    CONF_TEXT: _each(expand_body),
    CONF_HEADER: lambda texts: tuple(map(compile_header, texts)),
    CONF_ATTACHMENT_TYPE: _each(expand_attachment, is_list=True),
    CONF_AUTHENTICATED_BY: _each(expand_server, is_list=True),
}
# The field of a form that shows the error.
_FIELD_OF_ERROR: Final = {
    "filter_no_attachment": CONF_ATTACHMENT_TYPE,
    "filter_sizes": CONF_SMALLER_THAN,
}


def _validator(field: str) -> Callable[[Any], list[str]]:
    """Return a validator of the values of a field."""

    def validate(value: Any) -> list[str]:
        texts = validate_patterns(value)
        _COMPILE[field](texts)
        return texts

    return validate


# Schema of the fields of a filter.
FILTER_FIELDS: Final[dict[vol.Marker, Any]] = {
    vol.Optional(CONF_SENDER): _validator(CONF_SENDER),
    vol.Optional(CONF_RECIPIENT): _validator(CONF_RECIPIENT),
    vol.Optional(CONF_SUBJECT): _validator(CONF_SUBJECT),
    vol.Optional(CONF_TEXT): _validator(CONF_TEXT),
    vol.Optional(CONF_HEADER): _validator(CONF_HEADER),
    vol.Optional(CONF_HAS_ATTACHMENT): cv.boolean,
    vol.Optional(CONF_ATTACHMENT_TYPE): _validator(CONF_ATTACHMENT_TYPE),
    vol.Optional(CONF_INLINE_IMAGES): cv.boolean,
    vol.Optional(CONF_UNREAD): cv.boolean,
    vol.Optional(CONF_FLAGGED): cv.boolean,
    vol.Optional(CONF_LARGER_THAN): _KILOBYTES,
    vol.Optional(CONF_SMALLER_THAN): _KILOBYTES,
    vol.Optional(CONF_AUTHENTICATED_BY): _validator(CONF_AUTHENTICATED_BY),
    vol.Optional(CONF_IGNORE_BULK): cv.boolean,
    vol.Optional(CONF_IGNORE_CATCH_UP): cv.boolean,
}


def check_filter[T: Mapping[str, Any]](config: T) -> T:
    """Return the config of a filter; raise PatternError if two fields contradict each other."""
    if config.get(CONF_HAS_ATTACHMENT) is False and config.get(CONF_ATTACHMENT_TYPE):
        raise PatternError("filter_no_attachment")
    if CONF_LARGER_THAN in config and CONF_SMALLER_THAN in config:
        if config[CONF_LARGER_THAN] >= config[CONF_SMALLER_THAN]:
            raise PatternError("filter_sizes")
    return config


def find_error(config: Mapping[str, Any]) -> tuple[str, PatternError] | None:
    """Return the first field of a filter with a value that no mail can match, and the error."""
    try:
        for field in _COMPILE.keys() & config.keys():
            _validator(field)(config[field])
    except PatternError as error:
        return field, error
    try:
        check_filter(config)
    except PatternError as error:
        return _FIELD_OF_ERROR[error.key], error
    return None


class MailFilter(NamedTuple):
    """Conditions that a mail must all meet; a field that is not set matches every mail.

    `larger_than` and `smaller_than` are in kB.
    """

    sender: Addresses | None = None
    recipient: Addresses | None = None
    subject: re.Pattern[str] | None = None
    text: re.Pattern[str] | None = None
    header: tuple[Header, ...] | None = None
    has_attachment: bool | None = None
    attachment_type: re.Pattern[str] | None = None
    inline_images: bool = False
    unread: bool | None = None
    flagged: bool | None = None
    larger_than: int | None = None
    smaller_than: int | None = None
    authenticated_by: re.Pattern[str] | None = None
    ignore_bulk: bool = False
    ignore_catch_up: bool = False

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return the filter for values of FILTER_FIELDS."""
        fields = {field: config[field] for field in cls._fields if field in config}
        return cls(**fields | {field: _compile(config, field) for field in _COMPILE})

    def matches(self, mail: NewMail, recipients: Iterable[str]) -> bool:
        """Return whether a mail meets all conditions that the data of its event can decide.

        `recipients` are all addresses; `mail` may contain only some of them.
        """
        if self.ignore_bulk and mail["bulk"]:
            return False
        if self.ignore_catch_up and mail["catch_up"]:
            return False
        files = attached_files(mail, inline_images=self.inline_images)
        if self.has_attachment not in (None, bool(files)):
            return False
        return (
            (
                self.sender is None
                or self.sender.matches(mail["sender"], mail["sender_name"])
            )
            and (self.recipient is None or any(map(self.recipient.matches, recipients)))
            and _any_matches(self.subject, (mail["subject"],))
            and (
                self.attachment_type is None
                or any(matches_type(self.attachment_type, file) for file in files)
            )
            and self._matches_size_and_flags(mail)
            and _any_matches(self.authenticated_by, _authenticators(mail))
            and self._text_matches(mail) is not False
        )

    def _matches_size_and_flags(self, mail: NewMail) -> bool:
        return (
            (self.flagged is None or self.flagged is _has_flag(mail, r"\flagged"))
            and (self.unread is None or self.unread is not _has_flag(mail, r"\seen"))
            and (self.larger_than is None or mail["size"] > _octets(self.larger_than))
            and (self.smaller_than is None or mail["size"] < _octets(self.smaller_than))
        )

    def _text_matches(self, mail: NewMail) -> bool | None:
        """Return whether the text matches, None if the event has too little of it."""
        if self.text is None:
            return True
        text = mail["text"]
        if text is not None and self.text.match(fold(collapse(text))):
            return True
        return None if text is None or mail["truncated"] else False

    @property
    def reads_content(self) -> bool:
        """Return whether the text or the header is compared."""
        return self.text is not None or self.header is not None

    def needs_content(self, mail: NewMail) -> bool:
        """Return whether `matches` cannot decide: also call `matches_content` then."""
        return self.header is not None or self._text_matches(mail) is None

    def matches_content(self, content: MessageContent) -> bool:
        """Return whether text and header of a mail match."""
        return (
            self.text is None or bool(self.text.match(fold(collapse(content.text))))
        ) and (
            self.header is None
            or any(self._matches_header(name, text) for name, text in content.headers)
        )

    def _matches_header(self, name: str, text: str) -> bool:
        patterns = [
            header.pattern
            for header in self.header or ()
            if header.name == name.casefold()
        ]
        folded = fold(text) if patterns else ""
        return any(pattern.match(folded) for pattern in patterns)


def _compile(config: Mapping[str, Any], field: str) -> Any:
    """Compile the values of a field; return None for a field without values.

    Versions before accepted values that no mail can match. They are left out.
    """
    texts = [text.strip() for text in config.get(field, ()) if text.strip()]
    valid = [text for text in texts if find_error({field: [text]}) is None]
    if valid != texts:
        _LOGGER.warning("A filter has a value in %r that no mail can match", field)
    return _COMPILE[field](valid) if texts else None


def _has_flag(mail: NewMail, flag: str) -> bool:
    """Return whether a mail has a flag, given in lower case (RFC 3501 2.3.2)."""
    return flag in map(str.casefold, mail["flags"])


def _octets(kilobytes: int) -> int:
    return kilobytes * _OCTETS_PER_KILOBYTE


def _any_matches(patterns: re.Pattern[str] | None, texts: Iterable[str]) -> bool:
    """Return True if any of the texts matches, or if there is no pattern."""
    return patterns is None or any(map(patterns.match, map(fold, texts)))


def _authenticators(mail: NewMail) -> Iterator[str]:
    """Yield the server that verified the sender's domain with DMARC, if any (RFC 8601 5)."""
    authentication = mail["authentication"]
    if authentication and authentication["dmarc"] == "pass":
        domain = fold(authentication["domain"])
        # DMARC may have passed for another domain, for example if From has several addresses.
        sender = "." + fold(mail["sender"]).rpartition("@")[2]
        if domain and sender.endswith("." + domain):
            yield authentication["server"]


def attached_files(
    mail: Mapping[str, Any], *, inline_images: bool = False
) -> list[Mapping[str, Any]]:
    """Return the attachments of a mail; inline images of its HTML only on request."""
    return [
        attachment
        for attachment in mail["attachments"]
        if inline_images or not attachment["inline"]
    ]


def type_patterns(texts: Iterable[str]) -> re.Pattern[str] | None:
    """Compile patterns of content types or file names; return None without patterns."""
    compiled: re.Pattern[str] | None = _compile(
        {CONF_ATTACHMENT_TYPE: texts}, CONF_ATTACHMENT_TYPE
    )
    return compiled


def matches_type(patterns: re.Pattern[str], attachment: Mapping[str, Any]) -> bool:
    """Return whether the content type or the file name of an attachment matches.

    Also compares the usual type for the name's extension: many clients declare another one,
    for example application/x-pdf.
    """
    filename = attachment["filename"]
    types = (attachment["content_type"], type_of_name(filename) or "", filename)
    return _any_matches(patterns, types)
