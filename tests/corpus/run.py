"""One run: read all messages with all parsers and compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from email.message import EmailMessage
from hashlib import sha256

from . import engine, javascript, standard_library
from .browser import Html, inner_texts
from .compare import Comparison, compare
from .engine import Push, Read
from .messages import Message
from .reading import Reading, html_line
from .standard_library import body_parts, is_html, text_of

BROWSER = "Chromium"
_STANDARD_LIBRARY = "email"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All comparisons, and the names of the messages that were not delivered."""

    comparisons: list[Comparison]
    lost: list[str]


async def run(
    messages: Sequence[Message],
    pages: Sequence[Message],
    push: Push,
    text_size: int,
) -> Result:
    """Read all messages with all parsers and compare what they say; so for HTML pages."""
    with engine.server() as account:
        data = [message.data for message in messages]
        reads = await engine.read_all(account, data, push, text_size)
    parsed = [standard_library.parse(read.data) for read in reads]
    documents = _documents(messages, parsed)
    documents |= {page.name: Html.of_page(page.name, page.data) for page in pages}
    shown = dict(
        zip(documents, await inner_texts(list(documents.values())), strict=True)
    )
    scripts = javascript.read_all([read.data for read in reads])
    comparisons: list[Comparison] = []
    for message, read, tree, script in zip(
        messages, reads, parsed, scripts, strict=True
    ):
        if read.mail is not None:
            comparisons += _compare(message.name, read, tree, script, shown, text_size)
    comparisons += await _compare_documents(documents, shown)
    lost = [
        it.name for it, read in zip(messages, reads, strict=True) if read.mail is None
    ]
    return Result(comparisons=comparisons, lost=lost)


def _compare(
    name: str,
    read: Read,
    tree: EmailMessage,
    script: Mapping[str, Reading],
    shown: Mapping[str, str],
    text_size: int,
) -> list[Comparison]:
    """Compare what all parsers read in a message.

    Where HTML is what a mail program shows, the text is compared with Chromium's: the other
    parsers make HTML into text each in its own way.
    """
    ours = engine.reading_of(read, text_size)
    theirs = {_STANDARD_LIBRARY: standard_library.read(tree), **script}
    try:
        parts = body_parts(tree)
    except Exception:  # noqa: BLE001
        parts = []
    if any(map(is_html, parts)):
        ours = engine.reading_of(read, text_size, html_line)
        theirs = {it: _without_text(reading) for it, reading in theirs.items()}
        theirs[BROWSER] = Reading(values={"text": _browser_text(parts, shown)})
    return list(compare(name, ours, theirs))


def _without_text(reading: Reading) -> Reading:
    values = {name: it for name, it in reading.values.items() if name != "text"}
    return replace(reading, values=values)


def _browser_text(parts: Sequence[EmailMessage], shown: Mapping[str, str]) -> str:
    texts = [shown[_key(part)] if is_html(part) else text_of(part) for part in parts]
    return html_line("\n".join(texts))


def _documents(
    messages: Sequence[Message], parsed: Sequence[EmailMessage]
) -> dict[str, Html]:
    """Return each different HTML part of the messages that is not attached, by its key."""
    documents: dict[str, Html] = {}
    for message, tree in zip(messages, parsed, strict=True):
        for part in standard_library.leaves(tree):
            if is_html(part):
                documents.setdefault(_key(part), _html(message.name, part))
    return documents


def _html(name: str, part: EmailMessage) -> Html:
    return Html(
        name=name,
        octets=standard_library.content(part),
        charset=part.get_content_charset(""),
    )


def _key(part: EmailMessage) -> str:
    octets = standard_library.content(part)
    return sha256(part.get_content_charset("").encode() + b"\n" + octets).hexdigest()


async def _compare_documents(
    documents: Mapping[str, Html], shown: Mapping[str, str]
) -> list[Comparison]:
    """Compare the text of each HTML document, sent as a message of its own."""
    with engine.server() as account:
        data = [document.as_message() for document in documents.values()]
        reads = await engine.read_all(account, data, Push.NOTIFY, 0)
    comparisons: list[Comparison] = []
    for (key, document), read in zip(documents.items(), reads, strict=True):
        assert read.content is not None
        ours = Reading(
            values={"html": html_line(read.content.text)},
            cut=frozenset({"html"} if read.content.truncated else ()),
        )
        theirs = {BROWSER: Reading(values={"html": html_line(shown[key])})}
        comparisons += compare(document.name, ours, theirs)
    return comparisons
