"""A whole run: Dovecot, Chromium and Python's email; the others are replaced."""

from collections.abc import Sequence

import pytest

from ..required import require
from . import javascript
from .engine import Push
from .messages import Message
from .reading import Reading
from .run import run
from .standard_library import parse, read

from tests.rig.browser import Browser
from tests.rig.dovecot import Dovecot

PLAIN = Message("plain.eml", b"From: ada@example.org\nSubject: door\n\nopen\n")
HTML = Message(
    "html.eml",
    b"From: ada@example.org\nSubject: door\nContent-Type: text/html\n\n<p>two<br>words\n",
)
PAGE = Message("page.html", b"<p>a<p>b")


@pytest.mark.dovecot
@pytest.mark.browser
async def test_planted_difference_is_found(
    monkeypatch: pytest.MonkeyPatch, socket_enabled: None
) -> None:
    """All else is equal, in messages, in the text of HTML and in pages."""
    require(Dovecot.available(), "Dovecot")
    require(Browser.available(), "Chromium")

    def planted(messages: Sequence[bytes]) -> list[dict[str, Reading]]:
        readings = [read(parse(data)) for data in messages]
        first = readings[0]
        other = Reading(values={**first.values, "subject": "gate"}, files=first.files)
        return [{"mailparser": it} for it in (other, *readings[1:])]

    monkeypatch.setattr(javascript, "read_all", planted)
    result = await run([PLAIN, HTML], [PAGE], Push.NOTIFY, 100)
    assert not result.lost
    unlike = [
        (it.message, it.field)
        for it in result.comparisons
        if len(it.same) < len(it.theirs)
    ]
    assert unlike == [("plain.eml", "subject")]
    compared = [
        (it.message, it.ours) for it in result.comparisons if "Chromium" in it.theirs
    ]
    assert compared == [
        ("html.eml", "two words"),  # the event
        ("html.eml", "two words"),
        ("html.eml", "two words"),  # the document alone
        ("page.html", "a b"),
    ]
