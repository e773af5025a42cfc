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
    return _Builder().parse(text)


class _Builder:
    def __init__(self) -> None:
        self._depth = 0
        self._tree = TreeBuilder()

    def parse(self, text: bytes) -> Element:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.XmlDeclHandler = self._check_encoding
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._tree.data
        try:
            parser.Parse(text, True)
        except expat.ExpatError as error:
            raise UnsafeXml(str(error)) from error
        return self._tree.close()

    def _check_encoding(self, _version: str, encoding: str | None, _: int) -> None:
        if encoding is not None and encoding.upper() not in _ENCODINGS:
            raise UnsafeXml("an unusual encoding")

    def _refuse_doctype(self, *_: object) -> None:
        # Only a document type can declare entities other than the five of XML.
        raise UnsafeXml("a document type")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UnsafeXml("too deep")
        self._tree.start(tag, attributes)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        self._tree.end(tag)
