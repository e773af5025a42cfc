"""Parse the Authentication-Results field (RFC 8601)."""

from collections.abc import Iterable, Iterator
import re
from typing import Final

from ..models import Authentication
from .characters import one_line
from .lexemes import lexemes, unquoted, without_common_comments

# Maximum number of octets of the authserv-id and of the domain.
_MAX_NAME: Final = 255

_VALUE: Final = rb'("(?:[^"\\]|\\.)*+"|[^\s";=]++)'
_SERVER: Final = re.compile(rb"\s*+" + _VALUE + rb"(?:\s++\d++)?\s*+", re.DOTALL)
_RESULT: Final = re.compile(
    rb"\s*+([a-z][a-z0-9-]*+)\s*+(?:/\s*+\d++\s*+)?=\s*+([a-z]{1,20})(?![\w-])",
    re.IGNORECASE,
)
# Other quoted strings, for example a reason, are skipped.
_HEADER_FROM: Final = re.compile(
    rb'"(?:[^"\\]|\\.)*+"|(?<!\S)header\s*+\.\s*+from\s*+=\s*+' + _VALUE,
    re.IGNORECASE | re.DOTALL,
)


def parse_authentication(field: bytes) -> Authentication | None:
    """Return the results of an Authentication-Results field; None for an empty field.

    `server` is "" if the authserv-id is missing, as in fields of Microsoft, or not ASCII: a server
    removes forged fields with its own name, but not those with a name that only looks the same.
    """
    if not field.strip():
        return None
    clauses = list(_clauses(field))
    server = ""
    if named := _SERVER.fullmatch(clauses[0]):
        server = _text(named[1]) if named[1].isascii() else ""
        del clauses[0]
    results: dict[str, list[str]] = {}
    domain = ""
    for clause in clauses:
        if match := _RESULT.match(clause):
            method, result = match[1].lower().decode(), match[2].lower().decode()
            results.setdefault(method, []).append(result)
            if method == "dmarc":
                domain = domain or _header_from(clause)
    return Authentication(
        server=server,
        spf=_worst(results.get("spf")),
        # One valid signature is sufficient.
        dkim="pass"
        if "pass" in results.get("dkim", ())
        else _worst(results.get("dkim")),
        dmarc=_worst(results.get("dmarc")),
        domain=domain,
    )


def _clauses(field: bytes) -> Iterable[bytes]:
    """Return the text between the semicolons, without comments.

    A comment or quoted string that is not closed ends the field: the rest may be text that the
    sender injected.
    """
    found = without_common_comments(field)
    return _clauses_of_any_form(field) if found is None else found.split(b";")


def _clauses_of_any_form(field: bytes) -> Iterator[bytes]:
    clause: list[bytes] = []
    for kind, octets in lexemes(field):
        if kind in {"(", '"'}:
            break
        if kind == ";":
            yield b"".join(clause)
            clause = []
        else:
            clause.append(b" " if kind == "comment" else octets)
    yield b"".join(clause)


def _header_from(clause: bytes) -> str:
    """Return the From domain of a DMARC result, "" if it is not given."""
    values = (match[1] for match in _HEADER_FROM.finditer(clause))
    return _text(next(filter(None, values), b"")).rpartition("@")[2]


def _worst(results: list[str] | None) -> str | None:
    """Return the first result that is not "pass"; "pass" only if there is no other."""
    if not results:
        return None
    return next((result for result in results if result != "pass"), "pass")


def _text(value: bytes) -> str:
    """Return a value; "" if it has invisible characters: without them, it would be another one."""
    octets = unquoted(value) if value.startswith(b'"') else value
    text = octets[:_MAX_NAME].decode("utf-8", "replace")
    return text if one_line(text) == text else ""
