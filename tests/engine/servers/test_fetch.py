"""FETCH that is refused, leaves messages out, or is written in another way."""

from collections.abc import Callable, Iterable, Iterator
import re

import pytest

from custom_components.imap_push.imap import ConnectionLost, Unavailable

from .scenario import (
    AT_ONCE,
    EVERY_MODE,
    POLLED,
    Expected,
    Scenario,
    marks_at,
    play_and_check,
    table,
)

from tests.rig.light_client import Event
from tests.rig.odd import Answer, Hook, changed, dead, odd, requested, said, tagged

# NOTIFY announces messages without the messages, so that they have to be fetched.
ANNOUNCE_ONLY = odd(
    "NEWS", lambda event: [line for line in event.usual() if b" FETCH " not in line]
)
FIELDS = rb"BODY\[HEADER\.FIELDS \([^)]*\)\]<0>"
STRUCTURE = rb"BODYSTRUCTURE \(.*\)\)$"


# H2: refused for now

# With their sources, and the seconds that the server states.
FOR_NOW = (
    (
        b"NO [OVERQUOTA] Account exceeded command or bandwidth limits.",
        "ljmerza/ha-email-sensor#16 (Gmail)",
        0,
    ),
    (
        b"NO [UNAVAILABLE] UID FETCH Service is temporarily not available",
        "LukeSmithxyz/mutt-wizard#764 (Yahoo)",
        0,
    ),
    (
        b"NO Request is throttled. Suggested Backoff Time: 299910 milliseconds",
        "ikvk/imap_tools#135 (Exchange Online)",
        299,
    ),
    (b"NO [INUSE] Mailbox is in use", "RFC 5530", 0),
    (
        b"NO [SERVERBUG] UID FETCH Server error - Please try again later",
        "jstedfast/MailKit#358 (Yahoo)",
        0,
    ),
    (b"NO [LIMIT] UID FETCH Rate limit hit.", "RFC 5530", 0),
    (
        b"BAD Request is throttled. Suggested Backoff Time: 89117 milliseconds",
        "simonrob/email-oauth2-proxy#191 (Exchange Online)",
        89,
    ),
    (
        b"BAD User is authenticated but not connected.",
        "simonrob/email-oauth2-proxy#74 (Exchange Online)",
        0,
    ),
    (b"NO [UNAVAILABLE] Backend failure", "RFC 5530", 0),
    (b"NO [LIMIT] Too many commands, slow down", "RFC 5530", 0),
    (b"NO Server busy, temporarily overloaded", "a text without a code", 0),
)


def _for_now() -> Iterator[Scenario]:
    for refusal, source, stated in FOR_NOW:
        for mode in EVERY_MODE:
            yield _refused_for_a_minute(mode, refusal, source, stated)
    for mode in EVERY_MODE:
        scenario = _refused_for_a_minute(mode, *FOR_NOW[0])
        yield Scenario(
            row="H2",
            name="fifty messages",
            source=scenario.source,
            mode=mode,
            hooks=scenario.hooks,
            arrivals=((60.0, 50), (1500.0, 1)),
            expected=Expected(
                late=125.0, logins=6, off=90.0, errors=(Unavailable,), busiest=40
            ),
        )


def _refused_for_a_minute(
    mode: str, refusal: bytes, source: str, stated: int
) -> Scenario:
    waits = max(stated, 60)
    late = dict.fromkeys((4, 5, 6), waits + 65.0)
    late[7] = 65.0 if stated > 200 else POLLED
    return Scenario(
        row="H2",
        name=refusal.decode(),
        source=source,
        mode=mode,
        hooks=(odd("FETCH", tagged(refusal), during=(55, 120)), ANNOUNCE_ONLY),
        expected=Expected(
            late_for=late,
            # A poll is up to a minute later.
            silent=(61.5, 60.0 + stated) if stated and mode != "poll" else None,
            logins=6,
            off=waits + 30.0,
            errors=(Unavailable,),
        ),
    )


@table(_for_now())
def test_refused_for_now(scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    """The messages come with all fields, after the time that the server asks for."""
    play_and_check(scenario, caplog)


# H3 and M4: one message that the server cannot show

REFUSALS = {
    b"BAD Command Error. 10": "danchoi/vmail#68 (Exchange)",
    b"BAD Error in IMAP command UID FETCH: internal": "a text that no table has",
    b"NO FETCH Server error while fetching messages": "jstedfast/MailKit#358 (Yahoo)",
    b"NO Some messages could not be FETCHed": "a text that no table has",
}
BODY = rb"BODY"
WITH_STRUCTURE = rb"BODYSTRUCTURE"


def _one_refused() -> Iterator[Scenario]:
    for refusal, source in REFUSALS.items():
        for mode in EVERY_MODE:
            for uid in (4, 5, 6, 8):
                yield _one(
                    "H3",
                    f"{refusal.decode()} for {uid}",
                    source,
                    mode,
                    odd("FETCH", tagged(refusal), about=BODY, includes=uid),
                    Expected(bare=frozenset({uid}), late=_soon(mode)),
                )
            yield _one(
                "M4",
                f"{refusal.decode()} for BODYSTRUCTURE",
                source,
                mode,
                odd("FETCH", tagged(refusal), about=WITH_STRUCTURE, includes=5),
                Expected(late=_soon(mode)),
            )
            yield _one(
                "M4",
                f"{refusal.decode()} for every BODYSTRUCTURE",
                source,
                mode,
                odd("FETCH", tagged(refusal), about=WITH_STRUCTURE),
                Expected(late=_soon(mode)),
            )
    for mode in EVERY_MODE:
        yield _one(
            "H3",
            "BAD whatever is fetched of it",
            "danchoi/vmail#68 (Exchange)",
            mode,
            odd("FETCH", tagged(b"BAD Command Error. 10"), includes=5),
            Expected(bare=frozenset({5}), given_up=frozenset({5}), late=_soon(mode)),
        )
        yield Scenario(
            row="H3",
            name="one message that is refused for now, always",
            source="jstedfast/MailKit#358 (Yahoo)",
            mode=mode,
            hooks=(
                ANNOUNCE_ONLY,
                odd(
                    "FETCH",
                    tagged(
                        b"NO [SERVERBUG] FETCH Server error - Please try again later"
                    ),
                    about=BODY,
                    includes=5,
                ),
            ),
            minutes=150,
            # It may be waited for, but not for longer than an hour.
            expected=Expected(
                bare=frozenset({5}),
                late=4_000.0,
                logins=40,
                off=4_000.0,
                errors=(Unavailable,),
            ),
        )


def _soon(mode: str) -> float:
    """Return the seconds within which a message is found that a server cannot show."""
    return (POLLED if mode == "poll" else 0) + 10.0


def _one(
    row: str, name: str, source: str, mode: str, hook: Hook, expected: Expected
) -> Scenario:
    return Scenario(
        row=row,
        name=name,
        source=source,
        mode=mode,
        hooks=(ANNOUNCE_ONLY, hook),
        expected=expected,
    )


def _deadly() -> Iterator[Scenario]:
    ends: dict[str, Answer] = {
        "closed": dead,
        "BYE": said(b"* BYE Internal error occurred.", ends=True),
    }
    for word, answer in ends.items():
        for mode in EVERY_MODE:
            for name, about, bare in (
                ("header", BODY, {5}),
                ("structure", WITH_STRUCTURE, set[int]()),
            ):
                yield _one(
                    "H3",
                    f"{word} at the {name} of one message",
                    "hmailserver/hmailserver#475, cyrusimap/cyrus-imapd#1577",
                    mode,
                    odd("FETCH", answer, about=about, includes=5),
                    _after_reconnects(bare, mode),
                )
            yield _one(
                "H3",
                f"{word} at a FETCH of more than three messages",
                "jstedfast/MailKit#183",
                mode,
                _limited_to_three(answer),
                Expected(late=POLLED, logins=8, off=60.0, errors=(ConnectionLost,)),
            )


def _after_reconnects(bare: set[int], mode: str) -> Expected:
    usual = POLLED if mode == "poll" else AT_ONCE
    return Expected(
        bare=frozenset(bare),
        late=usual,
        late_for={4: 305.0, 5: 305.0, 6: 305.0},
        logins=9,
        off=270.0,
        errors=(ConnectionLost,),
    )


def _limited_to_three(answer: Answer) -> Hook:
    def hook(event: Event) -> Iterable[bytes] | None:
        if len(requested(event)) <= 3 or BODY not in event.arguments:
            return None
        return answer(event)

    return hook


def _sets() -> Iterator[Scenario]:
    """Yield servers that refuse a UID set or a section in a FETCH as such."""
    invalid = tagged(b"BAD The specified message set is invalid.")
    refused = tagged(b"NO The specified message set is invalid.")
    for word, answer in (("BAD", invalid), ("NO", refused)):
        for mode in EVERY_MODE:
            for name, source, hook, exists in (
                (
                    "empty folder",
                    "mscdex/node-imap#554, #615",
                    _if_set(lambda uids, last: not last, answer),
                    0,
                ),
                (
                    "first UID above the last",
                    "modern-email/defects#40 (exmail.qq.com)",
                    _if_set(lambda uids, last: uids[0] > last, answer),
                    3,
                ),
                (
                    "any UID above the last",
                    "modern-email/defects#40 (exmail.qq.com), stricter",
                    _if_set(lambda uids, last: max(uids) > last, answer),
                    3,
                ),
                (
                    "comma in front of *",
                    "zone-eu/wildduck#539",
                    odd("FETCH", answer, about=rb"^\S*,\*"),
                    3,
                ),
                (
                    "4294967295",
                    "a server that reads a UID as a signed number",
                    odd("FETCH", answer, about=rb"^\S*4294967295"),
                    3,
                ),
                (
                    "a set with a comma",
                    "stricter than zone-eu/wildduck#539",
                    odd("FETCH", answer, about=rb"^\S*,"),
                    3,
                ),
            ):
                row = "F1" if "comma" in name or "4294" in name else "H3"
                scenario = _one(
                    row, f"{word} for {name}", source, mode, hook, Expected()
                )
                yield _with_exists(scenario, exists)
            yield _one(
                "H3",
                f"{word} for a partial of the header",
                "mscdex/node-imap#554",
                mode,
                odd("FETCH", answer, about=rb"\]<0\."),
                Expected(
                    bare=frozenset(range(4, 9)),
                    unlogged=True,
                    late=_soon(mode),
                    warnings=10,
                ),
            )


def _with_exists(scenario: Scenario, exists: int) -> Scenario:
    return Scenario(
        row=scenario.row,
        name=scenario.name,
        source=scenario.source,
        mode=scenario.mode,
        hooks=scenario.hooks,
        exists=exists,
        expected=Expected(late=_soon(scenario.mode)),
    )


def _if_set(condition: Callable[[list[int], int], bool], answer: Answer) -> Hook:
    def hook(event: Event) -> Iterable[bytes] | None:
        selected = event.client.selected
        if event.name != b"UID FETCH" or selected is None:
            return None
        numbers = event.arguments.partition(b" ")[0]
        uids = [int(uid) for uid in re.findall(rb"\d+", numbers)] or [0]
        return answer(event) if condition(uids, selected.last) else None

    return hook


@table(_one_refused(), _deadly(), _sets())
def test_refused_for_good(scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    """Only what the server cannot show is missing; the log names it."""
    play_and_check(scenario, caplog)


# H4: an OK that is not complete


def _left_out(
    uid: int, *, times: int = 0, about: bytes = BODY, names: str = "FETCH"
) -> Hook:
    """Return a hook that leaves a message out of the responses, but not out of SEARCH."""
    answer = _without(rb"FETCH \(UID %d\b" % uid)
    if "NEWS" in names:
        return odd(names, answer, times=times)
    return odd(names, answer, about=about, includes=uid, times=times)


def _without(pattern: bytes) -> Answer:
    return lambda event: [
        line for line in event.usual() if not re.search(pattern, line)
    ]


def _incomplete() -> Iterator[Scenario]:
    gmail = "MailCore/mailcore2#1256, #1279 (Gmail)"
    for mode in EVERY_MODE:
        for uid in (4, 5, 6, 8):
            for times in (1, 2):
                yield _one(
                    "H4",
                    f"without {uid}, {times} times",
                    gmail,
                    mode,
                    _left_out(uid, times=times),
                    Expected(late=_soon(mode)),
                )
            yield _one(
                "H4",
                f"without {uid}, always",
                "OfflineIMAP/offlineimap#62 (Exchange), #429",
                mode,
                _left_out(uid),
                Expected(bare=frozenset({uid}), late=_after_retries(mode)),
            )
            yield _one(
                "H4",
                f"without {uid}, whatever is fetched of it",
                "OfflineIMAP/offlineimap#62 (Exchange), #429",
                mode,
                _left_out(uid, about=b""),
                Expected(
                    bare=frozenset({uid}),
                    given_up=frozenset({uid}),
                    late=_after_retries(mode),
                    messages=False,
                    unread=False,
                ),
            )
        for uid in (10, 20, 23):
            scenario = _one(
                "H4",
                f"without {uid} of twenty, once",
                gmail,
                mode,
                _left_out(uid, times=1),
                Expected(late=_soon(mode)),
            )
            yield Scenario(
                row="H4",
                name=scenario.name,
                source=gmail,
                mode=mode,
                hooks=scenario.hooks,
                arrivals=((60.0, 20),),
                expected=scenario.expected,
            )
        yield _one(
            "H4",
            "nothing at all, once",
            "chatmail/core#4331",
            mode,
            odd("FETCH", _without(rb" FETCH \("), about=BODY, includes=4, times=1),
            Expected(late=_soon(mode)),
        )
        yield _one(
            "H4",
            "without 5 for two minutes",
            "MailCore/mailcore2#1256 (Gmail)",
            mode,
            odd("FETCH", _without(rb"FETCH \(UID 5\b"), includes=5, during=(0, 180)),
            # It may be given up before that, but not in silence.
            Expected(
                bare=frozenset({5}),
                given_up=frozenset({5}),
                late=POLLED,
                late_for=dict.fromkeys((5, 6), 200.0),
            ),
        )
        yield Scenario(
            row="H4",
            name="without 4 at a restart",
            source=gmail,
            mode=mode,
            exists=8,
            marks=marks_at(4, "INBOX"),
            hooks=(_left_out(4, times=1),),
            arrivals=((400.0, 1),),
            expected=Expected(late=_soon(mode)),
        )
    for uid in (4, 5, 6):
        for times in (1, 0):
            word = "once" if times else "always"
            yield Scenario(
                row="H4",
                name=f"{uid} is not pushed, {word}",
                source="RFC 5465 5.1: FETCH follows EXISTS",
                mode="notify",
                hooks=(_left_out(uid, times=times and 3, names="NEWS"),),
                expected=Expected(),
            )
        yield Scenario(
            row="H4",
            name=f"{uid} is neither pushed nor fetched, once",
            source=gmail,
            mode="notify",
            hooks=(_left_out(uid, times=3, names="NEWS"), _left_out(uid, times=1)),
            expected=Expected(late=_soon("notify")),
        )


def _after_retries(mode: str) -> float:
    return POLLED + (POLLED if mode == "poll" else 0)


@table(_incomplete())
def test_incomplete_answer(
    scenario: Scenario, caplog: pytest.LogCaptureFixture
) -> None:
    """A message that is left out is fetched again; if that is in vain, the log names it."""
    play_and_check(scenario, caplog)


# M3, L7 and L8: answers in other forms


def _moved_uid(structure: bytes) -> Answer:
    """Put UID at the end of each FETCH response, and another BODYSTRUCTURE in that of 5."""

    def move(line: bytes) -> bytes:
        if re.search(rb"\(UID 5 ", line) and b"BODYSTRUCTURE" in line:
            line = re.sub(
                STRUCTURE, lambda _: b"BODYSTRUCTURE " + structure + b")", line
            )
        return re.sub(rb"\((UID \d+) (.*)\)$", rb"(\2 \1)", line, flags=re.DOTALL)

    return lambda event: [move(line) for line in event.usual()]


UNBALANCED = {
    "a quote too many (MailKit#485)": b'("TEXT" "HTML"" NIL NIL NIL "8bit" 74 2)',
    "quotes in a file name": b'("APPLICATION" "PDF" ("NAME" "5" (x).pdf") NIL NIL "BASE64" 9)',
    "a backslash (MailKit#422)": b'("APPLICATION" "PDF" ("NAME" "C:\\dir\\") NIL NIL "BASE64" 9)',
    "a parenthesis missing": b'("text" "plain" ("charset" "utf-8" NIL NIL "7bit" 10 1)',
    "a parenthesis too many (Domino)": b'("text" "plain" NIL NIL NIL "7bit" 10 1))',
}


def _forms() -> Iterator[tuple[str, str, str, Answer, Expected]]:
    """Yield the row, name, source, answer and result of each form of a FETCH response."""
    every = frozenset(range(4, 9))
    yield (
        "M3",
        "no UID at all",
        "nextcloud/mail#13507",
        changed(rb"\(UID \d+ ?", b"("),
        Expected(bare=every, unlogged=True, late=POLLED * 2, warnings=10),
    )
    yield (
        "M3",
        "no UID unless one message is fetched",
        "nextcloud/mail#13507",
        _without_uid_of_many,
        Expected(late=POLLED * 2),
    )
    yield (
        "M3",
        "UID in a response of its own, first",
        "RFC 3501 7.4.2 allows it",
        changed(
            rb"^\* (\d+) FETCH \(UID (\d+) (.*)$",
            rb"* \1 FETCH (UID \2)\r\n* \1 FETCH (\3",
        ),
        Expected(),
    )
    yield (
        "M3",
        "UID in a response of its own, last",
        "RFC 3501 7.4.2 allows it",
        changed(
            rb"^\* (\d+) FETCH \(UID (\d+) (.*)$",
            rb"* \1 FETCH (\3\r\n* \1 FETCH (UID \2)",
        ),
        Expected(),
    )
    for name, pattern, replacement in (
        ("two blanks", rb"^\* (\d+) FETCH \(UID", rb"* \1  FETCH  ( UID"),
        ("two blanks after the star", rb"^\* (\d+ FETCH)", rb"*  \1"),
        ("tabs", rb"^\* (\d+) FETCH \(UID (\d+)", rb"* \1\tFETCH\t(UID\t\2"),
        ("a tab after the star", rb"^\* (\d+ FETCH)", rb"*\t\1"),
        ("no blank before the parenthesis", rb" FETCH \(", b" FETCH("),
        ("lower case", rb" FETCH \(UID", b" fetch (uid"),
        ("a blank before the last parenthesis", rb"\)$", b" )"),
    ):
        yield (
            "M3",
            name,
            "mguessan/davmail#343, nearby",
            changed(pattern, replacement),
            Expected(),
        )
    for name, structure in UNBALANCED.items():
        yield (
            "M3",
            f"UID after {name}",
            "kisli/vmime#317, karastojko/mailio#135",
            _moved_uid(structure),
            Expected(bare=frozenset({5}), unlogged=True, late=POLLED),
        )
    for name, section in (
        ("BODY.PEEK", b"BODY.PEEK[HEADER.FIELDS (FROM)]"),
        ("RFC822.HEADER", b"RFC822.HEADER"),
        ("BODY[HEADER]", b"BODY[HEADER]"),
        ("the partial as requested", b"BODY[HEADER.FIELDS (FROM TO)]<0.65536>"),
        ("no partial", b"BODY[HEADER.FIELDS (FROM TO)]"),
        ("blanks", b"BODY[HEADER.FIELDS ( FROM TO )]<0>"),
        ("quoted names", b'BODY[HEADER.FIELDS ("FROM" "TO")]<0>'),
        ("names as literals", b"BODY[HEADER.FIELDS ({4}\r\nFROM {2}\r\nTO)]<0>"),
        ("lower case", b"body[header.fields (from to)]<0>"),
        ("RFC822.HEADER in lower case", b"rfc822.header"),
    ):
        yield (
            "L7",
            f"header as {name}",
            "jstedfast/MailKit#954 (Domino)",
            changed(rb"BODY\[[^\]]*\](<0>)?(?= \{)", section),
            Expected(),
        )
    for name, literal in (("literal8", rb"~{\1}"), ("{n+}", rb"{\1+}")):
        yield (
            "L7",
            f"header as {name}",
            "jstedfast/MailKit#954 (Domino), RFC 3516",
            changed(rb"\{(\d+)\}", literal),
            Expected(),
        )
    for name, status in (
        ("NO", b"NO Some of the requested messages no longer exist"),
        ("NO [EXPUNGEISSUED]", b"NO [EXPUNGEISSUED] Some messages are gone"),
        ("BAD", b"BAD Some of the requested messages no longer exist"),
    ):
        yield (
            "L8",
            f"data and {name}",
            "ikvk/imap_tools#203 (Scalix), RFC 2180 4.1.2",
            changed(rb"^(\w+) OK FETCH$", rb"\1 " + status),
            Expected(),
        )
    line_break = b'("APPLICATION" "PDF" ("NAME" "a\r\n b.pdf") NIL NIL "BASE64" 9)'
    yield (
        "M4",
        "a line break in a quoted file name",
        "greenmail-mail-test/greenmail#498, roundcube/roundcubemail#10295",
        changed(STRUCTURE, b"BODYSTRUCTURE " + line_break + b")", uid=5),
        Expected(late=POLLED * 2, logins=4),
    )
    yield (
        "M4",
        "a line break after the literal",
        "mjs/imapclient#162",
        changed(rb" BODYSTRUCTURE", b"\r\n BODYSTRUCTURE", uid=5),
        Expected(late=POLLED * 2, logins=4),
    )
    yield (
        "M4",
        "literals that are two octets too short",
        "jstedfast/MailKit#361",
        _short_literals,
        Expected(late=POLLED * 2, logins=4, off=60.0, errors=(ConnectionLost,)),
    )


def _without_uid_of_many(event: Event) -> Iterable[bytes]:
    lines = event.usual()
    if sum(b" FETCH (" in line for line in lines) < 2:
        return lines
    return [re.sub(rb"\(UID \d+ ?", b"(", line) for line in lines]


def _short_literals(event: Event) -> Iterable[bytes]:
    return [
        re.sub(rb"\{(\d+)\}", lambda found: b"{%d}" % (int(found[1]) - 2), line)
        for line in event.usual()
    ]


def _in_each_mode() -> Iterator[Scenario]:
    for row, name, source, answer, expected in _forms():
        for mode in EVERY_MODE:
            yield Scenario(
                row=row,
                name=name,
                source=source,
                mode=mode,
                hooks=(odd("FETCH NEWS", answer),),
                expected=expected,
            )


@table(_in_each_mode())
def test_form_of_answer(scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    """A message is delivered, with its fields if they can be read."""
    play_and_check(scenario, caplog)
