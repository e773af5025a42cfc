r"""A filter that a user or an automation enters, and the texts of a sender that it compares.

The first line of an input is the value of each field, the rest is name, subject, text and header.
"""

import contextlib
import re
from types import SimpleNamespace
from typing import Any, Final

from custom_components.imap_push.flows.preview import Candidate, table_rows
from custom_components.imap_push.imap import Mail
from custom_components.imap_push.mail.filter import MailFilter, find_error
from custom_components.imap_push.mail.patterns import (
    MAX_PATTERN,
    PatternError,
    search_texts,
)

from ..target import Stopwatch, Target, Violation

_FIELDS: Final = (
    *("sender", "recipient", "subject", "text", "header"),
    *("attachment_type", "authenticated_by"),
)
# Characters that the engine passes on: of a subject and a name, and of a text.
_MAX_LINE: Final = 2_000
_MAX_TEXT: Final = 10_000
_SEEDS: Final = (
    "Ada Lovelace <ada@example.com>; example.org\nAda Lovelace",
    '"Lovelace, Ada" <ada@xn--mller-kva.example>, b*@x.org\nada',
    "Motion detected\\?\nAlarm: Motion detected?",
    "[Ticket ????]*\n[Ticket 1234] Printer",
    "X-Priority: 1\nX-Priority 1",
    "ada@\n<img src=x>|[a](https://b.example)",
    "*a*a*a*b\n" + "a" * 3_000,
    "a" * 199 + "b\n" + "a" * 3_000,
)
_WORDS: Final = (
    *("<", ">", '"', ",", ";", "\\", "@", "*", "?", "[", "]", ":", ".", "(", ")", "|"),
    *("xn--", "mailto:", "://", "&lt;", "**", "`", "\u0130", "\xdf", "\u202e", "\0", "\n"),
    *("\U0001f514", "e\u0301", "\u200b", "a a a", "*a" * 20, "aaaaaaaaaaaaaaaa"),
)  # fmt: skip


def execute(data: bytes) -> float:
    """Enter a value in each field, and compare a mail."""
    value, _, rest = data.decode("utf-8", "replace").partition("\n")
    value, line, text = value[:MAX_PATTERN], rest[:_MAX_LINE], rest[:_MAX_TEXT]
    mail: dict[str, Any] = {
        "sender": line[:400],
        "sender_name": line[:500],
        "subject": line,
        "text": text,
        "truncated": True,
        "flags": [line],
        "size": 1,
        "bulk": False,
        "catch_up": False,
        "authentication": None,
        "attachments": [{"filename": line, "content_type": line, "inline": False}],
    }
    content: Any = SimpleNamespace(text=text, headers=((line, line),) * 50)
    watch = Stopwatch()
    for field in _FIELDS:
        with watch.step():
            is_refused = find_error({field: [value]}) is not None
        if is_refused:
            continue
        with watch.step():
            mail_filter = MailFilter.from_config({field: [value]})
        with watch.step():
            mail_filter.matches(mail, [line[:400]] * 50)
        with watch.step():
            mail_filter.matches_content(content)
    with watch.step(), contextlib.suppress(PatternError):
        search_texts(value)
    with watch.step():
        rows = table_rows([Candidate(_mail(line), is_match=True)] * 20)
    _check_rows(rows)
    return watch.longest


def _mail(line: str) -> Mail:
    return Mail(
        folder="INBOX", uid_validity=1, uid=1, sender_name=line[:500], subject=line
    )


def _check_rows(rows: str) -> None:
    """Raise Violation unless each row of the preview is one line of plain text."""
    lines = rows.split("\n")
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", " ", rows)
    if len(lines) != 20 or bare.count("|") != 20 * 5:
        raise Violation("a cell of the preview is another cell or row")
    if re.search(r"[<>\[\]`*_~#]|://", bare):
        raise Violation("a cell of the preview has markup")


TARGET: Final = Target(
    name="filter",
    execute=execute,
    seeds=lambda: [seed.encode() for seed in _SEEDS],
    words=tuple(word.encode() for word in _WORDS),
)
