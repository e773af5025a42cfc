"""Map content types to file name extensions and back (RFC 2046, RFC 6838)."""

from functools import lru_cache
import mimetypes
from pathlib import PurePath
import re
from typing import Final

# RFC 2045 5.1 and, for the length, RFC 6838 4.2.
_TOKEN: Final = r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]{1,127}"
_MEDIA_TYPE: Final = re.compile(f"{_TOKEN}/{_TOKEN}")
# Maximum length of an extension, with the dot: a file name may have 255 characters.
_MAX_EXTENSION: Final = 20

# Content types that mailers declare for files of any type.
_GENERIC: Final = frozenset(
    {
        *("application/binary", "application/download", "application/force-download"),
        *("application/octet-stream", "application/octetstream", "application/unknown"),
        *("application/x-download", "application/x-force-download"),
        *("application/x-octet-stream", "application/x-unknown-content-type"),
        *("binary/octet-stream", "content/unknown", "unknown/unknown"),
    }
)
DEFAULT: Final = "text/plain"
ANY_FILE: Final = "application/octet-stream"

# Types that mailers declare but Python's table lacks. If an extension has several types, the last
# one is the type of a file with that extension.
_MORE_TYPES: Final = {
    ".3gp": "video/3gpp",
    ".amr": "audio/amr",
    ".asc": "application/pgp-signature",
    ".avi": "video/avi video/x-msvideo",
    ".bmp": "image/x-ms-bmp image/bmp",
    ".gpx": "application/gpx+xml",
    ".gz": "application/x-gzip application/gzip",
    ".ics": "application/ics text/calendar",
    ".jpg": "image/pjpeg image/jpg image/jpeg",
    ".log": "text/x-log",
    ".m4a": "audio/m4a audio/x-m4a audio/mp4",
    ".mkv": "video/x-matroska",
    ".mp3": "audio/mp3 audio/x-mp3 audio/mpeg",
    ".p7m": "application/x-pkcs7-mime application/pkcs7-mime",
    ".p7s": "application/x-pkcs7-signature application/pkcs7-signature",
    ".pdf": "application/x-pdf application/pdf",
    ".png": "image/x-png image/png",
    ".rar": "application/x-rar-compressed application/vnd.rar",
    ".tif": "image/tif image/tiff",
    ".vcf": "text/directory text/x-vcard text/vcard",
    ".wav": "audio/vnd.wave audio/wave audio/x-wav audio/wav",
    ".yaml": "application/x-yaml application/yaml",
    ".zip": "application/x-zip application/x-zip-compressed application/zip",
}
# The usual extension of a type if the table has none, or has an unusual one first.
_USUAL_EXTENSION: Final = {
    "application/javascript": ".js",
    "application/xhtml+xml": ".xhtml",
    "application/xml": ".xml",
    "message/delivery-status": ".txt",
    "message/disposition-notification": ".txt",
    "message/feedback-report": ".txt",
    "message/global": ".eml",
    "message/rfc822": ".eml",
    "text/rfc822-headers": ".txt",
}


def _table() -> mimetypes.MimeTypes:
    """Return Python's own table with the types above, without those of the operating system."""
    table = mimetypes.MimeTypes(filenames=())
    for extension, types in _MORE_TYPES.items():
        for content_type in types.split():
            table.add_type(content_type, extension)
    return table


_TYPES: Final = _table()


@lru_cache(maxsize=256)
def valid_type(kind: str, subtype: str) -> str | None:
    """Return a content type in lower case, None if it is invalid."""
    found = f"{kind}/{subtype}".lower()
    return found if _MEDIA_TYPE.fullmatch(found) else None


def media_type(kind: str, subtype: str) -> str:
    """Return a content type in lower case; text/plain for an invalid one (RFC 2045 5.2)."""
    return valid_type(kind, subtype) or DEFAULT


def is_generic(content_type: str) -> bool:
    """Return True if mailers declare this content type for files of any type."""
    return content_type in _GENERIC


def type_of_name(filename: str) -> str | None:
    """Return the content type for the extension of a file name, None if it is unknown."""
    extension = PurePath(filename).suffix
    if not 1 < len(extension) <= _MAX_EXTENSION:
        return None
    return _TYPES.guess_type(f"x{extension}", strict=False)[0]


def type_of_file(content_type: str, filename: str) -> str:
    """Return the declared type of a file, or the type of its name if the declared one is generic.

    For example, scanners and cameras declare their files as application/octet-stream.
    """
    return (is_generic(content_type) and type_of_name(filename)) or content_type


def usual_extension(content_type: str) -> str | None:
    """Return the usual extension for a content type, None if it is unknown or generic."""
    if is_generic(content_type):
        return None
    return _USUAL_EXTENSION.get(content_type) or _TYPES.guess_extension(
        content_type, strict=False
    )


def extensions(content_type: str) -> frozenset[str]:
    """Return all extensions for a content type; empty if it is unknown or generic."""
    if (usual := usual_extension(content_type)) is None:
        return frozenset()
    known = _TYPES.guess_all_extensions(content_type, strict=False)
    return frozenset({usual, *known})
