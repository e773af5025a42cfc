"""Find the declared charset of an HTML document (HTML Standard, "prescan a byte stream")."""

import re
from typing import Final

from .charset import codec_of

# Octets at the start of a document that are searched.
_MAX_SEARCHED: Final = 1_024

_XML: Final = re.compile(rb"<\?xml[^>]*?\sencoding\s*=\s*[\"']([^\"'>]*)")
# A comment, a tag with quoted attributes, or other markup; its end may be missing.
_MARKUP: Final = re.compile(
    rb"""
      <!(?=--).*?(?:-->|\Z)
    | <(?P<name>/?[a-z][^\s/>]*+)(?P<attributes>(?:=\s*+"[^"]*+"?|=\s*+'[^']*+'?|[^>])*+)(?P<end>>?)
    | <[!/?][^>]*+
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE: Final = re.compile(
    rb"""([^\s/>=]++)\s*+(?:=\s*+(?:"([^"]*+)|'([^']*+)|([^\s>]++)))?""", re.DOTALL
)
_CHARSET: Final = re.compile(
    rb"""charset\s*+=\s*+(?:"([^"]++)"|'([^']++)'|([^\s;"']++))""", re.IGNORECASE
)


def html_charset(octets: bytes) -> str:
    """Return the first known label of the XML declaration and the meta elements, or "".

    A label that can be read as ASCII is not in UTF-16, so a label of UTF-16 means UTF-8.
    """
    octets = octets[:_MAX_SEARCHED]
    declaration = _XML.match(octets)
    labels = [declaration[1]] if declaration else []
    labels += [
        _label_in_meta(markup["attributes"])
        for markup in _MARKUP.finditer(octets)
        if markup["end"] and markup["name"].lower() == b"meta"
    ]
    for octets in labels:
        label = octets.decode("ascii", "replace").strip()
        if codec := codec_of(label):
            return "utf-8" if codec.startswith("utf-16") else label
    return ""


def _label_in_meta(attributes: bytes) -> bytes:
    values: dict[bytes, bytes] = {}
    for name, *quoted_or_plain in _ATTRIBUTE.findall(attributes):
        values.setdefault(name.lower(), b"".join(quoted_or_plain))
    if b"charset" in values:
        return values[b"charset"]
    is_type = values.get(b"http-equiv", b"").lower() == b"content-type"
    found = _CHARSET.search(values.get(b"content", b"")) if is_type else None
    return b"".join(filter(None, found.groups())) if found else b""
