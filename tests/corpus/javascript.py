"""Read messages with postal-mime and mailparser, in one Node.js process."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
import json
from pathlib import Path
import subprocess
from typing import Any, Final

from .reading import Reading, Value, address, addresses, date, file, line, text_line

from tests.rig import npm

SOURCE: Final = Path(__file__).parent / "node"
FOLDER: Final = Path(__file__).parents[2] / ".artifacts" / "corpus"
PARSERS: Final = ("postal-mime", "mailparser")
_SECONDS: Final = 1_800


def install() -> str | None:
    """Install both parsers by npm; return why that is impossible, or None."""
    return npm.install(SOURCE, FOLDER)


def read_all(messages: Sequence[bytes]) -> list[dict[str, Reading]]:
    """Return what each parser reads in each message, by its name."""
    process = subprocess.run(
        ("node", FOLDER / "parse.js"),
        input=b"".join(b64encode(data) + b"\n" for data in messages),
        stdout=subprocess.PIPE,
        check=True,
        timeout=_SECONDS,
    )
    found = list(map(json.loads, process.stdout.splitlines()))
    assert len(found) == len(messages)
    return [
        {name: reading_of(read[name]) for name in PARSERS if read[name]}
        for read in found
    ]


def reading_of(read: dict[str, Any]) -> Reading:
    """Return the reading that a line of JSON holds."""
    name, sender = (read["from"] or [["", ""]])[0]
    values: dict[str, Value] = {
        "sender": address(sender),
        "sender_name": line(name),
        "subject": line(read["subject"]),
        "message_id": line(read["message_id"]),
        "text": text_line(read["text"]),
    }
    for field in ("to", "cc", "reply_to"):
        values[field] = addresses(it for _, it in read[field])
    seconds = read["date"]
    moment = None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    values["date"] = date(moment)
    files = tuple(
        file(it["name"], it["type"], b64decode(it["content"])) for it in read["files"]
    )
    return Reading(values=values, files=files)
