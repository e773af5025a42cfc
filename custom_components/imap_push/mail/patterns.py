"""The values of filters: what users may write, and what they match.

A value that no mail can match raises `PatternError`: a filter must not be wrong in silence.
"""

from collections.abc import Iterable
import fnmatch
import re
from typing import Any, Final, NamedTuple
import unicodedata

import voluptuous as vol

from homeassistant.helpers import config_validation as cv

# Characters per value, and values per field.
MAX_PATTERN: Final = 200
MAX_PATTERNS: Final = 50

# The reasons of a PatternError by translation key.
REASONS: Final = {
    "filter_empty": "a value is empty",
    "filter_too_long": (
        f"a value can have up to {MAX_PATTERN} characters, and a field {MAX_PATTERNS} values"
    ),
    "filter_incomplete": "text is missing before or after the @, /, or dot",
    "filter_characters": "not allowed in an address, domain, or server name",
    "filter_no_text": "no letters or digits",
    "filter_no_names": "recipients are compared by address, not by name",
    "filter_header": "expected the name of a header field, a colon, and text",
    "filter_wildcards": "a mail server cannot search for * or ? in the middle",
    "filter_sizes": "no email is both larger and smaller than these sizes",
    "filter_no_attachment": "email without attachments has no attachment type",
}

# Wildcards and the characters that separate values are themselves after a backslash.
_ESCAPED: Final = re.compile(r"\\([*?\\,;])")
_ESCAPED_OR_BRACKET: Final = re.compile(r"\\[*?\\,;]|\[")
_AS_SET: Final = {"[": "[[]", "\\*": "[*]", "\\?": "[?]"}
# A value up to a comma or semicolon that is not quoted, in angle brackets or escaped.
_VALUE: Final = re.compile(r'((?:"[^"]*"|<[^>]*>|\\.|[^,;])*+)([,;]?)')
# `Ada <ada@example.com>`, which mail programs copy.
_BRACKETS: Final = re.compile(r"[^<>]*<([^<>]*)>")
_QUOTED: Final = re.compile(r'"([^"]*)"')
_DOMAIN: Final = re.compile(r"[\w-]+(?:\.[\w-]+)+")
_LABEL: Final = re.compile(r"[\w-]+")
_NOT_IN_ADDRESS: Final = re.compile(r'[\s<>()",;]')
_NOT_IN_SERVER: Final = re.compile(r'[\s<>()",;@/]')
_WORD: Final = re.compile(r"[^\W_]+")
# A word of a name, anywhere in a text.
_HAS_WORD: Final = r"(?=.*?(?<![^\W_]){}(?![^\W_]))"
# Half a content type, such as image in place of image/*.
_TOP_LEVEL_TYPES: Final = frozenset({"application", "audio", "image", "text", "video"})
_HEADER: Final = re.compile(r"([!-9;-~]+)[ \t]*(?::(.*))?", re.DOTALL)
# An A-label (RFC 5890), of at most 63 octets: decoding Punycode takes quadratic time.
_A_LABEL: Final = re.compile(r"(?<![\w*?-])xn--([a-z0-9-]{1,59})(?![\w*?-])", re.ASCII)
_NEVER: Final = re.compile(r"(?!)")


class PatternError(vol.Invalid):
    """A value that no mail can match; `key`, one of REASONS, is the translation key."""

    def __init__(self, key: str, value: str = "") -> None:
        """Describe the reason, and the value if there is one."""
        super().__init__(f"{REASONS[key]}: {value!r}" if value else REASONS[key])
        self.key = key
        self.value = value


class Addresses(NamedTuple):
    """Compiled addresses, domains, names, and patterns of them."""

    addresses: re.Pattern[str]
    names: re.Pattern[str]

    def matches(self, address: str, name: str = "") -> bool:
        """Return whether an address or its display name matches.

        Without a display name, the part before the @ is the name, as mail programs show it. A
        name without an address is also compared with addresses: devices send such mail.
        """
        folded = fold(address or name)
        if self.addresses.match(folded):
            return True
        return bool(self.names.match(fold(name) or folded.rpartition("@")[0] or folded))


class Header(NamedTuple):
    """A field of the header: its name in lower case, and a pattern of its text."""

    name: str
    pattern: re.Pattern[str]


def validate_patterns(value: Any) -> list[str]:
    """Validate a text or a list of texts; return a list of stripped texts."""
    texts = [cv.string(text).strip() for text in cv.ensure_list(value)]
    if len(texts) > MAX_PATTERNS or any(len(text) > MAX_PATTERN for text in texts):
        raise PatternError("filter_too_long")
    if not all(texts):
        raise PatternError("filter_empty")
    return texts


def compile_patterns(patterns: Iterable[str]) -> re.Pattern[str]:
    """Compile patterns with * and ? to one expression that matches if any pattern does.

    A backslash before * or ? makes it literal. Brackets have no special meaning. The expressions of `fnmatch` do not backtrack across a *,
    so the time is at most proportional to the lengths of text and patterns, multiplied.
    """
    translated = (
        fnmatch.translate(_ESCAPED_OR_BRACKET.sub(_as_set, text)) for text in patterns
    )
    return re.compile("|".join(translated) or _NEVER.pattern)


def _as_set(match: re.Match[str]) -> str:
    """Return a literal character in the syntax of `fnmatch`."""
    return _AS_SET.get(match[0], match[0][-1])


def compile_addresses(texts: Iterable[str], *, has_names: bool) -> Addresses:
    """Compile the values of a field for addresses; raise PatternError.

    `has_names`: the field also knows display names.
    """
    addresses: list[str] = []
    names: list[str] = []
    for value in split_values(texts):
        found, name = _expand_address(value, has_names=has_names)
        addresses += found
        names += [name] if name else []
    return Addresses(
        compile_patterns(addresses),
        re.compile("|".join(names), re.DOTALL) if names else _NEVER,
    )


def split_values(texts: Iterable[str]) -> list[str]:
    """Return the values of texts that are separated by commas or semicolons."""
    values = [value for text in texts for value in _split(text)]
    if len(values) > MAX_PATTERNS:
        raise PatternError("filter_too_long")
    return values


def _split(text: str) -> list[str]:
    """Return the values of a text.

    `Lovelace, Ada <ada@example.com>` is one value: some programs do not quote such a name.
    """
    values: list[str] = []
    names = 0  # values in a row that may be the beginning of a name
    for found, separator in _VALUE.findall(text):
        if not (value := found.strip()):
            continue
        if _BRACKETS.fullmatch(value):
            values[len(values) - names :] = []
        values.append(value)
        is_name = separator == "," and not re.search(r'[@.*?<>"]', value)
        names = names + 1 if is_name else 0
    if not values:
        raise PatternError("filter_empty", text)
    return values


def _expand_address(
    value: str, *, has_names: bool
) -> tuple[tuple[str, ...], str | None]:
    """Return the patterns of addresses and the expression for names that a value means."""
    brackets, quoted = _BRACKETS.fullmatch(value), _QUOTED.fullmatch(value)
    text = fold((brackets or quoted or [value, value])[1].strip())
    text = text.removeprefix("mailto:")
    if not text:
        raise PatternError("filter_incomplete", value)
    if not quoted:
        if "@" in text:
            return _expand_addr_spec(text, value), None
        if re.search(r"[<>]|://", text):
            raise PatternError("filter_characters", value)
        if is_pattern(text):
            is_name = " " in text
            return (text,), compile_patterns([text]).pattern if is_name else None
        if _DOMAIN.fullmatch(domain := text.strip(".")):
            return (f"*@{domain}", f"*@*.{domain}", domain), None
    words = _WORD.findall(unescape(text))
    if not words:
        raise PatternError("filter_no_text", value)
    name = "".join(map(_HAS_WORD.format, dict.fromkeys(words)))
    if _LABEL.fullmatch(text):
        # Also a local part without a domain, such as root, and a domain without a dot.
        return (text, f"*@{text}", f"*@*.{text}"), name
    if not has_names:
        raise PatternError("filter_no_names", value)
    return (text,), name


def _expand_addr_spec(text: str, value: str) -> tuple[str, ...]:
    """Return the patterns for an address, or for a domain after an @, with its subdomains."""
    local_part, _, domain = text.rpartition("@")
    domain = domain.strip(".")
    is_local_part_quoted = (
        len(local_part) > 1 and local_part[0] == local_part[-1] == '"'
    )
    rest = domain if is_local_part_quoted else text
    if _NOT_IN_ADDRESS.search(rest):
        raise PatternError("filter_characters", value)
    if not domain or ".." in domain:
        raise PatternError("filter_incomplete", value)
    if local_part or is_pattern(domain):
        return (f"{local_part or '*'}@{domain}",)
    return (f"*@{domain}", f"*@*.{domain}")


def expand_text(text: str) -> tuple[str, ...]:
    """Return the pattern for a line; it matches any part, with a * the whole line."""
    return (text,) if "*" in _ESCAPED.sub("", text) else (f"*{text}*",)


def expand_body(text: str) -> tuple[str, ...]:
    """Return the pattern for a part of a text, in which line breaks are spaces."""
    return (f"*{collapse(text)}*",)


def expand_server(text: str) -> tuple[str, ...]:
    """Return the patterns for a server name or a domain, with subdomains."""
    server = text.strip(".")
    if not server or _NOT_IN_SERVER.search(server):
        raise PatternError("filter_characters", text)
    return (server,) if is_pattern(server) else (server, f"*.{server}")


def expand_attachment(text: str) -> tuple[str, ...]:
    """Return the patterns for a content type, a file name or an extension."""
    is_half = (
        text.startswith("/") or text.endswith(("/", ".")) or text in _TOP_LEVEL_TYPES
    )
    # Not a type, a name or an extension: PDF files.
    if is_half or (" " in text and not re.search(r"[./*?]", text)):
        raise PatternError("filter_incomplete", text)
    if "/" in text or (is_pattern(text) and not text.startswith(".")):
        return (text,)
    return (f"*.{text.removeprefix('.')}", text)


def compile_header(text: str) -> Header:
    """Compile `Name: text`; without a text, the field only has to exist."""
    if not (match := _HEADER.fullmatch(text)):
        raise PatternError("filter_header", text)
    value = fold((match[2] or "").strip())
    return Header(match[1].casefold(), compile_patterns(expand_text(value)))


def search_texts(text: str) -> tuple[str, ...]:
    """Return the texts to search for in an address field, one of which has to be in it.

    Empty if any address matches. A server finds a text anywhere in the field, including names,
    so that it needs no * at the ends.
    """
    texts = tuple(_search_text(value) for value in split_values([text]))
    return texts if all(texts) else ()


def _search_text(value: str) -> str:
    _expand_address(value, has_names=True)
    found = _BRACKETS.fullmatch(value) or _QUOTED.fullmatch(value) or [value, value]
    text = found[1].strip().removeprefix("mailto:").removeprefix("@")
    if is_pattern(text := text.strip("*").strip(".")):
        raise PatternError("filter_wildcards", value)
    return unescape(text)


def is_pattern(text: str) -> bool:
    """Return whether a text has a wildcard."""
    return not {"*", "?"}.isdisjoint(_ESCAPED.sub("", text))


def unescape(text: str) -> str:
    """Return a text without the backslashes that make wildcards literal."""
    return _ESCAPED.sub(r"\1", text)


def collapse(text: str) -> str:
    """Return a text with one space in place of white space of any length."""
    return " ".join(text.split())


def fold(text: str) -> str:
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
