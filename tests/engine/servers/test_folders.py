"""A folder that cannot be opened does not affect the others."""

from collections.abc import Iterator
import math

import pytest

from custom_components.imap_push.imap import (
    CommandRefused,
    ConnectionLost,
    Mark,
    Unavailable,
)

from .scenario import (
    EVERY_MODE,
    POLLED,
    Expected,
    Scenario,
    marks_at,
    play_and_check,
    table,
)

from tests.rig.light_client import Event
from tests.rig.odd import dead, odd, said, tagged

# With their sources.
REFUSALS = {
    b"NO [SERVERBUG] Internal error occurred.": "imapsync/imapsync#346",
    b"NO Server Unavailable. 15": "OfflineIMAP/offlineimap#291 (Exchange)",
    b"NO Unable to open this mailbox.": "nylas/sync-engine#396",
    b"NO SELECT failed": "nylas/sync-engine#396",
    b"BAD Command Error. 10": "danchoi/vmail#68 (Exchange)",
    b"BAD Command received in Invalid state.": "RFC 3501 7.1.3",
    b"NO Mailbox is locked by another session": "POP3 and IMAP at the same mbox",
    b"NO [INUSE] Mailbox in use": "RFC 5530",
    b"NO [UNAVAILABLE] Backend down": "RFC 5530",
    b"NO [LIMIT] Mailbox too large": "RFC 5530",
    b"NO [CORRUPTION] index is broken": "RFC 5530",
    b"NO [CONTACTADMIN] quarantined": "RFC 5530",
    b"NO [PRIVACYREQUIRED] encrypted folder": "RFC 5530",
    b"NO Maildir is on a disk that is not mounted": "a text that no table has",
}
BROKEN = frozenset({"Work"})


def _refusals() -> Iterator[Scenario]:
    """Yield each refusal of Work: from the beginning, after a restart, after a reconnect."""
    for refusal, source in REFUSALS.items():
        text = refusal.decode()
        for mode in EVERY_MODE:
            yield _refused(mode, f"setup {text}", source, refusal)
            yield _refused(
                mode,
                f"restart {text}",
                source,
                refusal,
                marks=marks_at(3, "INBOX") | marks_at(4, "Work"),
            )
            yield _refused(
                mode,
                f"reconnect {text}",
                source,
                refusal,
                during=(100, math.inf),
                logins=4,
            )


def _logins(
    mode: str, without_retries: int | None = None, folders: int = 1
) -> int | None:
    """Return how many logins are allowed while so many folders cannot be opened.

    With IDLE, a broken folder may be tried on a connection of its own every five minutes.
    """
    if mode != "idle":
        return without_retries
    return (without_retries or 3) + 8 * folders


def _refused(
    mode: str,
    name: str,
    source: str,
    refusal: bytes,
    *,
    marks: dict[str, Mark] | None = None,
    during: tuple[float, float] | None = None,
    logins: int | None = None,
) -> Scenario:
    hook = odd("EXAMINE STATUS", tagged(refusal), folder="Work", during=during)
    return Scenario(
        row="H1",
        name=name,
        source=source,
        mode=mode,
        folders=("INBOX", "Work"),
        marks=marks or {},
        hooks=(hook,),
        acts=((100.0, lambda play: play.server.close_all()),) if during else (),
        expected=Expected(broken=BROKEN, logins=_logins(mode, logins)),
    )


def _disconnects() -> Iterator[Scenario]:
    """Yield servers that end the connection when Work is opened."""
    ends = {
        "BYE": said(b"* BYE Internal error occurred.", ends=True),
        "BYE and NO": tagged(
            b"NO Internal error", b"* BYE Internal error occurred.", ends=True
        ),
        "closed": dead,
    }
    for name, answer in ends.items():
        for mode in EVERY_MODE:
            for marks in ({}, marks_at(4, "INBOX", "Work")):
                yield Scenario(
                    row="H1",
                    name=f"{'restart' if marks else 'setup'} {name}",
                    source="imapsync/imapsync#276",
                    mode=mode,
                    folders=("INBOX", "Work"),
                    marks=marks,
                    hooks=(odd("EXAMINE", answer, folder="Work"),),
                    expected=Expected(
                        late=POLLED,
                        broken=BROKEN,
                        logins=18,
                        off=120.0,
                        errors=(ConnectionLost,),
                    ),
                )


def _others() -> Iterator[Scenario]:
    refusal = tagged(b"NO [SERVERBUG] Internal error occurred.")
    for mode in EVERY_MODE:
        yield Scenario(
            row="H1",
            name="the first folder is the broken one",
            source="OfflineIMAP/offlineimap#291",
            mode=mode,
            folders=("Work", "INBOX", "News"),
            marks=marks_at(4, "Work", "INBOX", "News"),
            hooks=(odd("EXAMINE STATUS", refusal, folder="Work"),),
            expected=Expected(broken=BROKEN, logins=_logins(mode)),
        )
        yield Scenario(
            row="H1",
            name="only one folder can be opened",
            source="OfflineIMAP/offlineimap#291",
            mode=mode,
            folders=("Work", "News", "INBOX"),
            hooks=(
                odd("EXAMINE STATUS", refusal, folder="Work"),
                odd("EXAMINE STATUS", refusal, folder="News"),
            ),
            expected=Expected(
                broken=frozenset({"Work", "News"}), logins=_logins(mode, folders=2)
            ),
        )
        yield Scenario(
            row="H1",
            name="works again",
            source="the cause is repaired",
            mode=mode,
            folders=("INBOX", "Work"),
            marks=marks_at(4, "INBOX", "Work"),
            hooks=(odd("EXAMINE STATUS", refusal, folder="Work", during=(0, 900)),),
            acts=(
                (800.0, lambda play: play.deliver(1, "Work")),
                (1400.0, lambda play: play.deliver(1, "Work")),
            ),
            # The folder is tried again at least every five minutes.
            expected=Expected(
                late_for={("Work", 4): 401.0, ("Work", 5): POLLED}, logins=_logins(mode)
            ),
        )
        yield Scenario(
            row="H1",
            name="no such folder",
            source="RFC 5530",
            mode=mode,
            folders=("INBOX", "Work"),
            marks=marks_at(4, "INBOX", "Work"),
            hooks=(
                odd("EXAMINE STATUS", tagged(b"NO [NONEXISTENT] no"), folder="Work"),
            ),
            expected=Expected(missing=BROKEN, logins=_logins(mode)),
        )
        yield Scenario(
            row="H1",
            name="only EXAMINE is refused",
            source="dovecot-uidlist that is a directory: STATUS from the list index",
            mode=mode,
            folders=("INBOX", "Work"),
            marks=marks_at(4, "INBOX", "Work"),
            hooks=(odd("EXAMINE", refusal, folder="Work"),),
            acts=((700.0, lambda play: play.server.deliver(1, "Work")),),
            expected=Expected(broken=BROKEN, logins=_logins(mode)),
        )
        yield Scenario(
            row="H1",
            name="INBOX alone",
            source="OfflineIMAP/offlineimap#291",
            mode=mode,
            marks=marks_at(4, "INBOX"),
            hooks=(odd("EXAMINE STATUS", refusal, during=(0, 650)),),
            expected=Expected(
                late_for={4: 951.0, 5: 951.0, 6: 951.0, 7: 601.0},
                logins=12,
                off=1000.0,
                errors=(Unavailable, CommandRefused),
            ),
        )
    for name, answer in (
        ("NO", refusal),
        ("NO Server Unavailable. 15", tagged(b"NO Server Unavailable. 15")),
        ("BAD", tagged(b"BAD Command Error. 10")),
        ("closed", dead),
    ):
        for folders in (
            ("INBOX", "Work"),
            ("Work", "INBOX"),
            ("INBOX", "Work", "News"),
        ):
            yield Scenario(
                row="H1",
                name=f"{name} on a connection of its own, {' '.join(folders)}",
                source="an index that broke while it was watched",
                folders=folders,
                hooks=(
                    odd(
                        "EXAMINE STATUS", answer, folder="Work", during=(100, math.inf)
                    ),
                    odd("IDLE", _end_after_100_s, folder="Work"),
                ),
                expected=Expected(
                    late=POLLED if answer is dead else None, broken=BROKEN, logins=16
                ),
            )


def _end_after_100_s(event: Event) -> list[bytes]:
    event.later(max(0.0, 100 - event.seconds), lambda client: client.close())
    return event.usual()


@table(_refusals(), _disconnects(), _others())
def test_folder_that_cannot_be_opened(
    scenario: Scenario, caplog: pytest.LogCaptureFixture
) -> None:
    """INBOX goes on, and the folder is reported as not available."""
    play_and_check(scenario, caplog)
