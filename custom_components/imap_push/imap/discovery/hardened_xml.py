"""Parse untrusted XML without document types, entities, deep nesting and unusual encodings."""

from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

MAX_DEPTH: Final = 20

# The encodings that expat supports itself: for others, Python would load a codec.
_ENCODINGS: Final = frozenset({"UTF-8", "UTF-16", "ISO-8859-1", "US-ASCII"})


class UnsafeXml(ValueError):
    """The text is not XML, or uses a feature that is rejected."""


def parse_xml(text: bytes) -> Element:
    """Return the root element; raise UnsafeXml."""
    parser, tree, depth = expat.ParserCreate(), TreeBuilder(), 0

    def check_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.upper() not in _ENCODINGS:
            raise UnsafeXml("an unusual encoding")

    def reject_doctype(*_: object) -> None:
        # Only a document type can declare entities other than the five of XML.
        raise UnsafeXml("a document type")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise UnsafeXml("too deep")
        tree.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        tree.end(tag)

    parser.buffer_text = True
    parser.XmlDeclHandler = check_encoding
    parser.StartDoctypeDeclHandler = reject_doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = tree.data
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise UnsafeXml(str(error)) from error
    return tree.close()
