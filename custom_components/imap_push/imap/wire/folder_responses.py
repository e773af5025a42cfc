"""Parse LIST and STATUS responses (RFC 3501 7.2.2, 7.2.4)."""

import re
from typing import Final

from .parser import MAX_NUMBERS, Data, Value, parse_number, parse_values

# Attributes and delimiter of a LIST whose name is not quoted; the data that may follow the name.
_BEFORE_UNQUOTED: Final = re.compile(
    rb'\([^)]*+\)[ \t]*+(?:"(?:[^"\\]++|\\.)*+"|[^ \t"()]++)[ \t]++(?!")', re.DOTALL
)
_EXTENDED_LIST: Final = re.compile(rb' \("?(?:CHILDINFO|OLDNAME)[" ]', re.IGNORECASE)


def parse_list(data: Data) -> tuple[Value, Value, bytes]:
    """Return attributes, delimiter and name (b"" if missing) of a LIST (RFC 3501 7.2.2).

    A name that is not quoted ends with the line: some servers send spaces in it, and NIL is a name.
    """
    attributes, delimiter, name = (*parse_values(data.parts), None, None, None)[:3]
    line = data.parts[0]
    if len(data.parts) == 1 and (unquoted := _BEFORE_UNQUOTED.match(line)):
        name = _EXTENDED_LIST.split(line[unquoted.end() :], 1)[0].rstrip()
    return attributes, delimiter, name if isinstance(name, bytes) else b""


def parse_status(data: Data) -> tuple[bytes, dict[str, int]]:
    """Return the encoded folder name and the numbers of a STATUS (RFC 3501 7.2.4)."""
    line = data.parts[0]
    values: tuple[Value, ...]
    if len(data.parts) == 1 and b"(" in line and not line.startswith(b'"'):
        # grommunio sends names with spaces without quotes (gromox#5).
        unquoted, _, rest = line.rpartition(b"(")
        values = (unquoted.rstrip(), *parse_values([b"(" + rest], MAX_NUMBERS))
    else:
        values = parse_values(data.parts, MAX_NUMBERS)
    name, items = (*values, None, None)[:2]
    numbers = items if isinstance(items, tuple) else ()
    return name if isinstance(name, bytes) else b"", {
        key.decode("ascii", "replace").upper(): parse_number(number)
        for key, number in zip(numbers[::2], numbers[1::2], strict=False)
        if isinstance(key, bytes)
    }
