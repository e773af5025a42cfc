"""NOTIFY that does not cover what it was asked for, or says less than it should."""

from collections.abc import Iterable, Iterator
from functools import partial
import re

import pytest

from custom_components.imap_push.imap import PushMode
from custom_components.imap_push.imap.wire.mailbox_name import encode_folder

from .scenario import (
    AT_ONCE,
    CAPABILITIES,
    POLLED,
    Expected,
    Play,
    Scenario,
    play_and_check,
    table,
)

from tests.rig.light_client import Event
from tests.rig.odd import Hook, changed, odd, silent, tagged, without

NON_ASCII = ("Entwürfe", "AT&T", "日本語/☎", "emoji 🚨")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')


def _ignores_encoded(event: Event) -> Iterable[bytes]:
    """Neither know nor report folders whose encoded name has "&"."""
    return [line for line in event.usual() if not re.search(rb'STATUS "[^"]*&', line)]


def _knows_utf8(event: Event) -> Iterable[bytes]:
    """Compare the names in NOTIFY with UTF-8, as Dovecot 2.3 does, and report them like that."""
    known = {folder.decode() for folder in event.store.folders}
    names = {encode_folder(name): name for name in NON_ASCII}

    def translate(found: re.Match[bytes]) -> bytes:
        if b"&" not in found[1] and found[1].isascii():
            return found[0]
        by_utf8 = {name.encode(): encoded for encoded, name in names.items()}
        encoded = by_utf8.get(found[1].replace(b"\\", b""), "")
        return b'"%b"' % encoded.encode() if encoded in known else b""

    for line in event.usual(_QUOTED.sub(translate, event.arguments)):
        yield _in_utf8(line, names)


def _reports_utf8(event: Event) -> Iterable[bytes]:
    names = {encode_folder(name): name for name in NON_ASCII}
    return [_in_utf8(line, names) for line in event.usual()]


def _in_utf8(line: bytes, names: dict[str, str]) -> bytes:
    for encoded, name in names.items():
        octets = name.encode()
        quoted = b'STATUS "%b"' % encoded.encode()
        line = line.replace(quoted, b"STATUS {%d}\r\n%b" % (len(octets), octets))
    return line


def _deliver(name: str, play: Play) -> None:
    play.deliver(1, name)


def _covered_less() -> Iterator[Scenario]:
    """Yield servers that do not report some of the folders."""
    for name, source, hooks in (
        (
            "names in modified UTF-7 are ignored",
            "Dovecot 2.3.19, cmd-notify.c",
            (odd("NOTIFY NEWS", _ignores_encoded),),
        ),
        (
            "names are compared in UTF-8",
            "Dovecot 2.3.19, cmd-notify.c",
            (odd("NOTIFY", _knows_utf8), odd("NEWS", _reports_utf8)),
        ),
        (
            "all folders but the open one are ignored",
            "near Dovecot 2.3.19",
            (odd("NOTIFY NEWS", without(rb"^\* STATUS")),),
        ),
        (
            "a baseline, but no news",
            "near Dovecot 2.3.19",
            (odd("NEWS", without(rb"^\* STATUS")),),
        ),
    ):
        is_late = "baseline" in name
        folders = (*NON_ASCII, "Work")
        yield Scenario(
            row="HA-H1",
            name=name,
            source=source,
            mode="notify",
            folders=("INBOX", *folders),
            hooks=hooks,
            acts=tuple(
                (700.0 + 10 * number, partial(_deliver, name))
                for number, name in enumerate(folders)
            ),
            # Without a baseline the folder is polled, or has a connection of its own. With one,
            # only the next refresh shows that nothing is announced.
            expected=Expected(
                late=AT_ONCE,
                late_for={(name, 4): 286.0 if is_late else POLLED for name in folders},
                logins=7,
                # Each of five connections renews NOTIFY and IDLE with seven commands every 285 s,
                # and the sixth folder is polled with three commands a minute.
                commands=12.0 if name.startswith("all folders") else 10.0,
            ),
        )


@table(_covered_less())
def test_folder_that_is_not_covered(
    scenario: Scenario, caplog: pytest.LogCaptureFixture
) -> None:
    """It is watched in another way."""
    play_and_check(scenario, caplog)


def _counts() -> Iterator[Scenario]:
    """Yield servers that leave numbers out of STATUS; the scenario ends soon after a change."""
    source = "Cyrus IMAP 3.12.4"
    no_unseen = changed(rb" ?UNSEEN \d+", b"")
    no_messages = changed(rb"MESSAGES \d+ ?", b"")
    for name, hooks, act in (
        (
            "no UNSEEN after an expunge",
            (odd("NEWS", no_unseen, folder="Work", during=(300, 900)),),
            lambda play: play.server.expunge(2, "Work"),
        ),
        (
            "no UNSEEN after a new message",
            (odd("NEWS", no_unseen, folder="Work", during=(300, 900)),),
            lambda play: play.deliver(1, "Work"),
        ),
        (
            "no UNSEEN when a message is read",
            (odd("NEWS", no_unseen, folder="Work", during=(300, 900)),),
            lambda play: play.server.read(2, "Work"),
        ),
        (
            "no UNSEEN in the baseline",
            (odd("NOTIFY", no_unseen),),
            lambda play: None,
        ),
        (
            "no MESSAGES after an expunge",
            (odd("NEWS", no_messages, folder="Work", during=(300, 900)),),
            lambda play: play.server.expunge(2, "Work"),
        ),
        (
            "UNSEEN and MESSAGES in lines of their own",
            (odd("NEWS", _in_two_lines, folder="Work"),),
            lambda play: play.server.expunge(2, "Work"),
        ),
        (
            "no UNSEEN in the baseline, and a message is read before it",
            (odd("NOTIFY", _read_before_baseline, about=rb"^SET", during=(300, 900)),),
            lambda play: play.deliver(1, "Work"),
        ),
        (
            "a message is read before the baseline, and another one is unread again",
            (
                odd("SEARCH", _read_before_search, folder="Work", during=(300, 301)),
                odd("NOTIFY", _unread_before_baseline, about=rb"^SET"),
            ),
            lambda play: play.deliver(1, "Work"),
        ),
    ):
        yield Scenario(
            row="F6",
            name=name,
            source=source,
            mode="notify",
            capabilities=CAPABILITIES["notify"] + b" CONDSTORE",
            folders=("INBOX", "Work"),
            hooks=hooks,
            arrivals=((60.0, 1),),
            acts=((300.0, act),),
            minutes=310 / 60,
        )


def _read_before_baseline(event: Event) -> Iterable[bytes]:
    """Do not announce that a message is read while NOTIFY is not set."""
    folder = event.store.folders[b"Work"]
    folder.seen.add(2)
    for line in event.usual():
        yield re.sub(rb"UNSEEN \d+", b"HIGHESTMODSEQ %d" % folder.modseq, line)


def _read_before_search(event: Event) -> Iterable[bytes]:
    event.store.folders[b"Work"].seen.add(2)
    return event.usual()


def _unread_before_baseline(event: Event) -> Iterable[bytes]:
    event.store.folders[b"Work"].seen.discard(2)
    return event.usual()


def _in_two_lines(event: Event) -> Iterable[bytes]:
    for line in event.usual():
        numbers = re.findall(rb"[A-Z]+ \d+", line.partition(b"(")[2])
        for some in (numbers[2:], numbers[:2]):
            yield line.partition(b"(")[0] + b"(" + b" ".join(some) + b")"


def _refused() -> Iterator[Scenario]:
    """Yield servers that refuse NOTIFY; these are held."""
    for text in (b"NO [BADEVENT (MessageNew)] x", b"NO not for you", b"BAD what?"):
        yield Scenario(
            row="M1",
            name=f"NOTIFY is answered {text.decode()}",
            source="RFC 5465 8",
            mode="notify",
            folders=("INBOX", "Work"),
            hooks=(odd("NOTIFY", tagged(text)),),
            acts=((700.0, lambda play: play.deliver(1, "Work")),),
            expected=Expected(modes=(PushMode.IDLE,)),
        )
    hook: Hook = odd("NEWS", silent)
    yield Scenario(
        row="M1",
        name="NOTIFY announces nothing",
        source="iroco-co/aioimaplib#110, near",
        mode="notify",
        hooks=(hook,),
        expected=Expected(
            late=286.0, modes=(PushMode.NOTIFY, PushMode.IDLE, PushMode.POLL)
        ),
    )


@table(_counts(), _refused())
def test_numbers_of_notify(
    scenario: Scenario, caplog: pytest.LogCaptureFixture
) -> None:
    """Numbers that NOTIFY leaves out are asked for."""
    play_and_check(scenario, caplog)
