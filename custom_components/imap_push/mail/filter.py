"""Filters of new mail for folders and triggers."""

from collections.abc import Iterable, Iterator, Mapping
import fnmatch
import re
from typing import Any, Final, NamedTuple, Self
import unicodedata

import voluptuous as vol

from homeassistant.helpers import config_validation as cv

from ..const import (
    CONF_ATTACHMENT_TYPE,
    CONF_AUTHENTICATED_BY,
    CONF_HAS_ATTACHMENT,
    CONF_IGNORE_BULK,
    CONF_IGNORE_CATCH_UP,
    CONF_INLINE_IMAGES,
    CONF_RECIPIENT,
    CONF_SENDER,
    CONF_SUBJECT,
)
from ..imap import type_of_name
from .event_data import NewMail

# Characters per pattern, and patterns per field.
MAX_PATTERN: Final = 200
MAX_PATTERNS: Final = 50


def validate_patterns(value: Any) -> list[str]:
    """Validate a pattern or a list of patterns; return a list of stripped patterns."""
    texts = [cv.string(text).strip() for text in cv.ensure_list(value)]
    if len(texts) > MAX_PATTERNS:
        raise vol.Invalid(f"more than {MAX_PATTERNS} patterns")
    if not all(texts):
        raise vol.Invalid("a pattern is empty")
    if any(len(text) > MAX_PATTERN for text in texts):
        raise vol.Invalid(f"a pattern is longer than {MAX_PATTERN} characters")
    return texts


def is_bounded(config: Mapping[str, Any]) -> bool:
    """Return whether the patterns of a filter are within the limits."""
    try:
        for field in _EXPAND.keys() & config.keys():
            validate_patterns(config[field])
    except vol.Invalid:
        return False
    return True


# An A-label (RFC 5890), of at most 63 octets: decoding Punycode takes quadratic time.
_A_LABEL: Final = re.compile(r"(?<![\w*?-])xn--([a-z0-9-]{1,59})(?![\w*?-])", re.ASCII)

# Schema of the fields of a filter.
FILTER_FIELDS: Final[dict[vol.Marker, Any]] = {
    vol.Optional(CONF_SENDER): validate_patterns,
    vol.Optional(CONF_RECIPIENT): validate_patterns,
    vol.Optional(CONF_SUBJECT): validate_patterns,
    vol.Optional(CONF_HAS_ATTACHMENT): cv.boolean,
    vol.Optional(CONF_ATTACHMENT_TYPE): validate_patterns,
    vol.Optional(CONF_INLINE_IMAGES): cv.boolean,
    vol.Optional(CONF_AUTHENTICATED_BY): validate_patterns,
    vol.Optional(CONF_IGNORE_BULK): cv.boolean,
    vol.Optional(CONF_IGNORE_CATCH_UP): cv.boolean,
}


def compile_patterns(patterns: Iterable[str]) -> re.Pattern[str]:
    """Compile patterns with * and ? to one expression that matches if any pattern does.

    Brackets have no special meaning. The expressions of `fnmatch` do not backtrack across a *,
    so the time is at most proportional to the lengths of text and patterns, multiplied.
    """
    translated = (fnmatch.translate(text.replace("[", "[[]")) for text in patterns)
    return re.compile("|".join(translated))


class MailFilter(NamedTuple):
    """Conditions that a mail must all meet; a field that is not set matches every mail."""

    sender: re.Pattern[str] | None = None
    recipient: re.Pattern[str] | None = None
    subject: re.Pattern[str] | None = None
    has_attachment: bool | None = None
    attachment_type: re.Pattern[str] | None = None
    inline_images: bool = False
    authenticated_by: re.Pattern[str] | None = None
    ignore_bulk: bool = False
    ignore_catch_up: bool = False

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return the filter for values of FILTER_FIELDS."""
        return cls(
            sender=_compile(config, CONF_SENDER),
            recipient=_compile(config, CONF_RECIPIENT),
            subject=_compile(config, CONF_SUBJECT),
            has_attachment=config.get(CONF_HAS_ATTACHMENT),
            attachment_type=_compile(config, CONF_ATTACHMENT_TYPE),
            inline_images=config.get(CONF_INLINE_IMAGES, False),
            authenticated_by=_compile(config, CONF_AUTHENTICATED_BY),
            ignore_bulk=config.get(CONF_IGNORE_BULK, False),
            ignore_catch_up=config.get(CONF_IGNORE_CATCH_UP, False),
        )

    def matches(self, mail: NewMail, recipients: Iterable[str]) -> bool:
        """Return whether a mail meets all conditions.

        `recipients` are all addresses of To and Cc; `mail` may contain only some of them.
        """
        if self.ignore_bulk and mail["bulk"]:
            return False
        if self.ignore_catch_up and mail["catch_up"]:
            return False
        files = attached_files(mail, inline_images=self.inline_images)
        if self.has_attachment not in (None, bool(files)):
            return False
        return (
            _any_matches(self.sender, (mail["sender"] or mail["sender_name"],))
            and _any_matches(self.recipient, recipients)
            and _any_matches(self.subject, (mail["subject"],))
            and (
                self.attachment_type is None
                or any(matches_type(self.attachment_type, file) for file in files)
            )
            and _any_matches(self.authenticated_by, _authenticators(mail))
        )


def _compile(config: Mapping[str, Any], field: str) -> re.Pattern[str] | None:
    """Compile the patterns of a field; return None for a field without patterns."""
    expand = _EXPAND[field]
    patterns = [
        pattern
        for text in config.get(field, ())
        if (folded := _fold(text.strip()))
        for pattern in expand(folded)
    ]
    return compile_patterns(patterns) if patterns else None


def _any_matches(patterns: re.Pattern[str] | None, texts: Iterable[str]) -> bool:
    """Return True if any of the texts matches, or if there is no pattern."""
    return patterns is None or any(map(patterns.match, map(_fold, texts)))


def _fold(text: str) -> str:
    """Normalize a text for comparison: fold case, compose characters (Unicode NFC).

    A-labels of a domain (RFC 5890 2.3.2.1) become Unicode: filters may use either form.
    """
    text = unicodedata.normalize("NFC", text.casefold())
    if "xn--" not in text:
        return text
    local_part, at, domain = text.rpartition("@")
    return local_part + at + _A_LABEL.sub(_u_label, domain)


def _u_label(match: re.Match[str]) -> str:
    """Return the Unicode form of an A-label, or the label itself if it is invalid."""
    try:
        label = match[1].encode().decode("punycode")
    except OverflowError, UnicodeError, ValueError:
        return match[0]
    return unicodedata.normalize("NFC", label.casefold())


def _authenticators(mail: NewMail) -> Iterator[str]:
    """Yield the server that verified the sender's domain with DMARC, if any (RFC 8601 5)."""
    authentication = mail["authentication"]
    if authentication and authentication["dmarc"] == "pass":
        domain = _fold(authentication["domain"])
        # DMARC may have passed for another domain, for example if From has several addresses.
        sender = "." + _fold(mail["sender"]).rpartition("@")[2]
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
    return _compile({CONF_ATTACHMENT_TYPE: texts}, CONF_ATTACHMENT_TYPE)


def matches_type(patterns: re.Pattern[str], attachment: Mapping[str, Any]) -> bool:
    """Return whether the content type or the file name of an attachment matches.

    Also compares the usual type for the name's extension: many clients declare another one,
    for example application/x-pdf.
    """
    filename = attachment["filename"]
    types = (attachment["content_type"], type_of_name(filename) or "", filename)
    return _any_matches(patterns, types)


def _is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def _address_patterns(text: str) -> tuple[str, ...]:
    """Return the patterns for an address, a domain with its subdomains, or a pattern."""
    domain = text.removeprefix("@")
    if "@" in domain:
        return (domain,)
    if _is_pattern(domain):
        return (f"*{text}",) if text.startswith("@") else (text,)
    return (f"*@{domain}", f"*@*.{domain}", text)


def _subject_patterns(text: str) -> tuple[str, ...]:
    """Return the pattern for a subject; text without wildcards matches any part of it."""
    return (text,) if _is_pattern(text) else (f"*{text}*",)


def _server_patterns(text: str) -> tuple[str, ...]:
    """Return the patterns for a server name or a domain, with subdomains."""
    return (text,) if _is_pattern(text) else (text, f"*.{text}")


def _attachment_patterns(text: str) -> tuple[str, ...]:
    """Return the pattern for a content type, a file name with wildcards, or an extension."""
    if "/" in text or (_is_pattern(text) and not text.startswith(".")):
        return (text,)
    return (f"*.{text.removeprefix('.')}",)


_EXPAND: Final = {
    CONF_SENDER: _address_patterns,
    CONF_RECIPIENT: _address_patterns,
    CONF_SUBJECT: _subject_patterns,
    CONF_ATTACHMENT_TYPE: _attachment_patterns,
    CONF_AUTHENTICATED_BY: _server_patterns,
}
