"""File names for attachments: safe on every file system, with a suffix for the content type."""

from pathlib import PurePath
import re
from typing import Final
import unicodedata

from ..imap import extensions, one_line, type_of_name, usual_extension

# Octets of a file name; the usual limit of a file system is 255.
_MAX_NAME: Final = 200
_MAX_SUFFIX: Final = 20
_SEPARATORS: Final = re.compile(r"[/\\]")
# Characters that Windows shares or Home Assistant's own media source do not allow.
_FORBIDDEN: Final = re.compile(r'[<>:"|?*~]')
_DOTS: Final = re.compile(r"\.{2,}")
# Device names of Windows, with and without a suffix.
_RESERVED: Final = re.compile(
    r"(con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)",
    re.IGNORECASE,
)

_UNKNOWN_SUFFIX: Final = ".bin"
# Other suffixes of files that senders declare with these content types.
_MORE_SUFFIXES: Final = {
    "application/gzip": frozenset({".tgz"}),
    "application/javascript": frozenset({".cjs", ".mjs"}),
    "application/msword": frozenset({".docx", ".rtf"}),
    "application/vnd.ms-excel": frozenset({".csv", ".xlsx"}),
    "application/vnd.ms-powerpoint": frozenset({".pptx"}),
    "application/xml": frozenset({".xml"}),
    "image/jpeg": frozenset({".jfif"}),
    "image/jpg": frozenset({".jfif", ".jpe", ".jpeg"}),
    "text/xml": frozenset({".rdf", ".wsdl", ".xsl"}),
}
_MEDIA: Final = ("audio/", "image/", "video/")
# Text formats whose content type does not begin with text/.
_TEXT_FORMATS: Final = {"application/json", "application/xml", "application/yaml"}

# Suffixes of files that can run scripts in a browser if a web server serves them. Not XML:
# invoices are XML, and Home Assistant's media folders serve no XML.
_ACTIVE_SUFFIXES: Final = frozenset(
    {
        *(".cjs", ".hta", ".htc", ".htm", ".html", ".js", ".jsx", ".mht", ".mhtml"),
        *(".mjs", ".shtm", ".shtml", ".svg", ".svgz", ".xht", ".xhtm", ".xhtml"),
    }
)


def safe_filename(name: str | None, content_type: str) -> str:
    """Return a file name, without a path, that has no special meaning on any file system.

    If the suffix does not match the content type, replace it; if it is unknown, append one.
    """
    base = _SEPARATORS.split(unicodedata.normalize("NFC", name or ""))[-1]
    tidy = _DOTS.sub(".", _FORBIDDEN.sub("_", one_line(base))).strip(". ")
    if not any(unicodedata.category(character)[0] in "LNPS" for character in tidy):
        tidy = f"attachment{usual_extension(content_type.lower()) or _UNKNOWN_SUFFIX}"
    made = _shorten(_with_matching_suffix(_shorten(tidy), content_type.lower()))
    return _shorten(f"_{made}") if _RESERVED.match(made) else made


def inert_filename(name: str | None, content_type: str) -> str:
    """Return a safe file name whose suffix makes no browser or server run the content.

    For HTML, SVG and scripts, the suffix .txt is appended.
    """
    made = safe_filename(name, content_type)
    if PurePath(made).suffix.lower() in _ACTIVE_SUFFIXES:
        return _shorten(f"{made}.txt")
    return made


def is_replaceable(name: str, content_type: str) -> bool:
    """Return whether an existing file may be overwritten with content of this type.

    False for an unknown or generic type, with which a sender could replace any file.
    """
    return PurePath(name).suffix.lower() in _suffixes(content_type.lower())


def _suffixes(content_type: str) -> frozenset[str]:
    """Return the suffixes of a content type, empty if the type is unknown or generic."""
    known = extensions(content_type)
    return known | _MORE_SUFFIXES.get(content_type, frozenset()) if known else known


def _with_matching_suffix(name: str, content_type: str) -> str:
    """Replace a known suffix of another type; after an unknown suffix, append one."""
    suffix = PurePath(name).suffix
    known = type_of_name(name)
    if _is_matching(suffix.lower(), known, content_type):
        return name
    is_suffix = known is not None or suffix.lower() in _ACTIVE_SUFFIXES
    base = PurePath(name).stem if is_suffix else name
    return f"{base}{usual_extension(content_type) or _UNKNOWN_SUFFIX}"


def _is_matching(suffix: str, known: str | None, content_type: str) -> bool:
    """Return whether a suffix matches a content type. `known` is the usual type of the suffix."""
    if suffix in (suffixes := _suffixes(content_type)):
        return True
    if content_type == "text/plain":
        # Senders declare logs, settings and tables as plain text.
        return suffix not in _ACTIVE_SUFFIXES and (
            known is None or known.startswith("text/") or known in _TEXT_FORMATS
        )
    if suffixes:
        return False
    # For an unknown subtype of audio, image or video, compare only the main type.
    kind = content_type.partition("/")[0] + "/"
    return kind not in _MEDIA or (
        suffix not in _ACTIVE_SUFFIXES and (known is None or known.startswith(kind))
    )


def _shorten(name: str) -> str:
    """Shorten the stem of a name that is longer than _MAX_NAME octets."""
    if len(name.encode()) <= _MAX_NAME:
        return name
    suffix = PurePath(name).suffix
    if len(suffix.encode()) > _MAX_SUFFIX:
        suffix = ""
    stem = name.removesuffix(suffix).encode()[: _MAX_NAME - len(suffix.encode())]
    return f"{stem.decode(errors='ignore').rstrip('. ')}{suffix}"
