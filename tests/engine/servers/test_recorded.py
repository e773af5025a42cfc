"""How providers write their responses to EXAMINE, FETCH and IDLE, played to watcher and client.

The lines are facts from public transcripts, with their sources; `recorded` has the same providers
from the greeting to the login.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
import re

import pytest

from custom_components.imap_push.imap import Client, Criteria, Mail

from .. import recorded
from ..conftest import account
from ..light import served
from ..virtual import VirtualLoop, run
from .scenario import POLLED, Expected, Scenario, case, marks_at, play_and_check, table

from tests.rig.light_client import Event
from tests.rig.light_folder import UID_VALIDITY
from tests.rig.odd import Hook, also, changed, odd, said, tagged, without

# The items of a FETCH response of LightFolder.
_ITEM = re.compile(
    rb'UID \d+|FLAGS \([^)]*\)|INTERNALDATE "[^"]*"|RFC822\.SIZE \d+'
    rb"|BODY\[HEADER[^\]]*\](?:<\d+>)? \{\d+\}\r\n.*?\r\n\r\n"
    rb"|BODYSTRUCTURE \(.*\)(?=\)$)",
    re.DOTALL,
)


def _in_order(
    *names: bytes, form: Callable[[bytes, bytes], bytes] | None = None
) -> Hook:
    """Write the items of FETCH in this order, each in the form of the server; others come last."""

    def write(line: bytes) -> bytes:
        start, _, rest = line.partition(b"(")
        found = _ITEM.findall(rest)
        if b" FETCH " not in line or b" ".join(found) + b")" != rest:
            return line
        by_name = {re.split(rb"[ \[]", item)[0]: item for item in found}
        order = [*filter(by_name.__contains__, names)]
        order += [name for name in by_name if name not in order]
        items = (by_name[name] for name in order)
        written = [form(item, line) if form else item for item in items]
        return start + b"(" + b" ".join(written) + b")"

    return odd("FETCH NEWS", lambda event: [write(line) for line in event.usual()])


@dataclass(frozen=True, kw_only=True)
class Dialog:
    """How a provider writes its responses; `bare` are messages whose fields it does not show."""

    provider: recorded.Provider
    source: str
    hooks: tuple[Hook, ...]
    name: str = "usual"
    bare: frozenset[int] = frozenset()
    expected: Expected = field(default_factory=Expected)


def _examined(provider: recorded.Provider) -> Hook:
    """Write EXAMINE like the provider, with the numbers of the light server."""

    def answer(event: Event) -> Iterable[bytes]:
        usual = event.usual()
        numbers = dict(re.findall(rb"\[(\w+) (\d+)\]", b" ".join(usual)))
        exists = next(line for line in usual if line.endswith(b" EXISTS"))
        for line in provider.examined:
            if line.endswith(b" EXISTS"):
                yield exists
                continue
            if code := re.match(rb"\* OK \[(UIDNEXT|UIDVALIDITY|HIGHESTMODSEQ) ", line):
                line = re.sub(rb" \d+\]", b" %b]" % numbers.get(code[1], b"1"), line)
            yield line
        yield usual[-1]

    return odd("EXAMINE", answer)


def _structure_of_5(structure: bytes) -> Callable[[bytes, bytes], bytes]:
    """Return a form in which message 5 has this structure."""

    def write(item: bytes, line: bytes) -> bytes:
        is_structure = item.startswith(b"BODYSTRUCTURE") and b"(UID 5 " in line
        return b"BODYSTRUCTURE " + structure if is_structure else item

    return write


# Two blanks and an empty list (MailKit#944).
_DOMINO = _structure_of_5(
    b'(("text" "plain"  ("charset" "UTF-8") NIL NIL "base64" 232 4 NIL NIL NIL)'
    b'("message" "delivery-status"  NIL NIL NIL "7BIT" 421 NIL NIL NIL)'
    b'("message" "rfc822"  NIL NIL NIL "7BIT" 787 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) () 0 NIL NIL NIL)'
    b' "report" ("report-type" "delivery-status" "boundary" "==x") NIL NIL)'
)


def _domino(item: bytes, line: bytes) -> bytes:
    """BODY.PEEK and {n+} (MailKit#954)."""
    item = re.sub(rb"^BODY\[HEADER", b"BODY.PEEK[HEADER", item)
    return _DOMINO(re.sub(rb"\{(\d+)\}", rb"{\1+}", item), line)


def _domino_trash(item: bytes, line: bytes) -> bytes:
    """FLAGS in parentheses of their own (MailKit#943, with ENVELOPE)."""
    return b"(" + item + b")" if item.startswith(b"FLAGS") else item


# A multipart without parts (MailKit#878).
_GMX = _structure_of_5(
    b'(("multipart" "related" ("boundary" "x") NIL NIL "7BIT" 400'
    b' ("boundary" "x") NIL NIL NIL)("TEXT" "html" ("charset" "UTF8") NIL NIL "7BIT" 1115 70'
    b' NIL NIL NIL NIL) "mixed" ("boundary" "y") NIL NIL NIL)'
)
# A multipart without parts (MailKit#371, #1841).
_GMAIL = _structure_of_5(
    b'(("TEXT" "PLAIN" NIL NIL NIL "7BIT" 344 2)("MESSAGE" "RFC822" NIL NIL'
    b' NIL "7BIT" 2942 ("d" "s" NIL NIL NIL NIL NIL NIL NIL "<x>") ("ALTERNATIVE") 51)'
    b' "REPORT")'
)
# A disposition that is a string (MailKit#919).
_EXCHANGE = _structure_of_5(
    b'(("text" "plain" ("charset" "ISO-8859-1") NIL NIL "QUOTED-PRINTABLE" 850'
    b' 31 NIL "inline" NIL NIL)("application" "pdf" ("name" "a.pdf") NIL NIL "BASE64" 14692'
    b' NIL "attachment" NIL NIL) "mixed" ("boundary" "x") NIL NIL)'
)


def _too_long(event: Event) -> Iterable[bytes]:
    """Refuse long lines (Mailspring-Sync#5)."""
    if len(event.arguments) > 2_000:
        return [event.tag + b" BAD Command Error. 12"]
    return event.usual()


def _descending(event: Event) -> Iterable[bytes]:
    """Answer in another order than that of the numbers (MailKit, domino/fetch-extra-parens)."""
    lines = event.usual()
    fetched = [line for line in lines if b" FETCH (" in line]
    return fetched[::-1] + [line for line in lines if line not in fetched]


def _two_sections(event: Event) -> Iterable[bytes] | None:
    """Refuse two HEADER.FIELDS in one FETCH (mailcore2#826)."""
    if event.name != b"UID FETCH" or event.arguments.count(b"HEADER.FIELDS") < 2:
        return None
    return tagged(b"NO [UNAVAILABLE] FETCH Server error while fetching messages")(event)


def _dialogs() -> Iterator[Dialog]:
    yield Dialog(
        provider=recorded.EXCHANGE,
        source="MailKit#638, #919, Foundry376/Mailspring-Sync#5",
        hooks=(
            odd(
                "IDLE", changed(rb"^\+ .*", b"+ IDLE accepted, awaiting DONE command.")
            ),
            odd("NEWS", also(b"* <exists> RECENT")),
            odd("FETCH SEARCH", _too_long, about=b".{2000}"),
            odd(
                "LOGOUT",
                changed(rb"BYE .*", b"BYE Microsoft Exchange Server 2016 IMAP4"),
            ),
            _in_order(b"FLAGS", b"UID", form=_EXCHANGE),
        ),
    )
    yield Dialog(
        provider=recorded.EXCHANGE,
        name="a message without BODY",
        source="OfflineIMAP/offlineimap#62",
        hooks=(odd("FETCH", without(rb"UID 5 .*BODY\[")),),
        bare=frozenset({5}),
    )
    yield Dialog(
        provider=recorded.OUTLOOK,
        source="Webklex/php-imap#258",
        hooks=(
            odd("IDLE", lambda event: sorted(event.usual())),
            odd("NEWS", also(b"* 1 RECENT")),
        ),
    )
    yield Dialog(
        provider=recorded.GMAIL,
        source="mobizt/ESP-Mail-Client#275, MailKit#371, #1841, modern-email/defects#39",
        hooks=(
            odd("FETCH SEARCH", changed(rb" OK (FETCH|SEARCH)$", b" OK Success")),
            odd("FETCH NEWS", _written_twice),
            _in_order(b"INTERNALDATE", b"RFC822.SIZE", b"FLAGS", form=_GMAIL),
        ),
    )
    yield Dialog(
        provider=recorded.GMAIL,
        name="some UIDs are missing once",
        source="MailCore/mailcore2#1256",
        hooks=(odd("FETCH", without(rb"UID 5 .*BODY\["), includes=5, times=1),),
    )
    yield Dialog(
        provider=recorded.YAHOO,
        source="MailKit#358, MailCore/mailcore2#826",
        hooks=(
            _two_sections,
            _in_order(b"FLAGS", b"UID", b"INTERNALDATE", b"RFC822.SIZE"),
        ),
    )
    yield Dialog(
        provider=recorded.YAHOO,
        name="a message is refused",
        source="MailKit#358",
        hooks=(
            odd(
                "FETCH",
                tagged(b"NO FETCH Server error while fetching messages"),
                includes=5,
                about=b"BODY",
            ),
        ),
        bare=frozenset({5}),
    )
    yield Dialog(
        provider=recorded.ICLOUD,
        source="nextcloud/mail#3401, smiley22/S22.Imap#107, acme_email#50",
        hooks=(
            odd(
                "FETCH SEARCH STATUS",
                changed(rb" OK (\w+)$", rb" OK \1 completed (took 3 ms)"),
            ),
            odd("IDLE", also(b"* 2 FETCH (UID 2 FLAGS (\\Seen))"), times=3),
            odd("NEWS", also(b"* 1 RECENT")),
        ),
    )
    yield Dialog(
        provider=recorded.ICLOUD,
        name="only UID for one section",
        source="modern-email/defects#36, NousResearch/hermes-agent#98666",
        hooks=(
            odd("FETCH", changed(rb"\(UID 5 .*\)$", b"(UID 5)", uid=5), about=b"BODY"),
        ),
        bare=frozenset({5}),
        expected=Expected(late=POLLED),
    )
    yield Dialog(
        provider=recorded.GMX,
        source="MailKit#878",
        hooks=(
            _in_order(
                *(b"UID", b"RFC822.SIZE", b"INTERNALDATE", b"BODY", b"BODYSTRUCTURE"),
                form=_GMX,
            ),
        ),
    )
    yield Dialog(
        provider=recorded.ZOHO,
        source="chatmail/core#1834, ikvk/imap_tools#9",
        hooks=(
            odd(
                "IDLE",
                also(recorded.ZOHO.arrival[0], recorded.ZOHO.arrival[1], first=True),
            ),
            _in_order(b"FLAGS", b"BODYSTRUCTURE", b"RFC822.SIZE", b"UID"),
        ),
    )
    yield Dialog(
        provider=recorded.YANDEX,
        source="MailKit, UnitTests/Net/Imap/Resources/yandex",
        hooks=(odd("FETCH", changed(rb" OK FETCH$", b" OK FETCH Completed.")),),
    )
    yield Dialog(
        provider=recorded.YANDEX,
        name="a section without a value",
        source="MailKit#1708 (getbodypart-missing-content)",
        hooks=(
            odd(
                "FETCH", changed(rb"(\](<0>)?) \{\d+\}\r\n.*?\r\n\r\n", rb"\1 ", uid=5)
            ),
        ),
        bare=frozenset({5}),
        expected=Expected(late=POLLED),
    )
    yield Dialog(
        provider=recorded.DOMINO,
        source="MailKit#944, #954, UnitTests/Net/Imap/Resources/domino",
        hooks=(_in_order(b"UID", b"BODYSTRUCTURE", form=_domino),),
    )
    yield Dialog(
        provider=recorded.DOMINO,
        name="items in parentheses of their own",
        source="MailKit#943, MailCore/mailcore2#614",
        hooks=(_in_order(b"UID", form=_domino_trash),),
    )
    yield Dialog(
        provider=recorded.DOMINO,
        name="another order",
        source="MailKit, UnitTests/Net/Imap/Resources/domino",
        hooks=(odd("FETCH", _descending),),
    )
    yield Dialog(
        provider=recorded.NETEASE,
        source="getmail6/getmail6#194, modern-email/defects#15, #43",
        hooks=(
            odd("STATUS", said(b'* STATUS "INBOX" ()', b"<tag> OK STATUS completed")),
            odd("ID", tagged(b"OK ID completed", recorded.NETEASE.identity)),
        ),
    )
    yield Dialog(
        provider=recorded.QQ,
        source="MailKit#1241, modern-email/defects#40, a blank before the last parenthesis",
        hooks=(odd("FETCH", changed(rb"\)$", b" )")),),
    )
    yield Dialog(
        provider=recorded.PROTON,
        source="Wh1isper/mcp-email-server#112: UID after the header",
        hooks=(_in_order(b"BODY", b"UID"),),
    )


def _written_twice(event: Event) -> Iterable[bytes]:
    """Write each message twice, then its flags (modern-email/defects#39)."""
    for line in event.usual():
        yield line
        if found := re.match(rb"(\* \d+ FETCH )\((UID \d+ ).*BODY\[", line, re.DOTALL):
            yield line
            yield found[1] + b"(" + found[2] + b"FLAGS ())"


def _without_tls(provider: recorded.Provider) -> bytes:
    """Return the capabilities after the login, for a connection without TLS."""
    return provider.capabilities.replace(b" STARTTLS", b"")


DIALOGS = tuple(_dialogs())


def _scenarios() -> Iterator[Scenario]:
    for dialog in DIALOGS:
        provider = dialog.provider
        for marks in ({}, marks_at(3, "INBOX")):
            expected = dialog.expected
            yield Scenario(
                row="recorded",
                name=f"{provider.name}, {dialog.name}{', restart' if marks else ''}",
                source=dialog.source,
                mode=provider.push.value,
                capabilities=_without_tls(provider),
                host=provider.host,
                hooks=(*dialog.hooks, _examined(provider)),
                marks=marks,
                expected=Expected(
                    late=expected.late or (POLLED if not provider.refresh else 10.0),
                    bare=dialog.bare,
                    modes=(provider.push,),
                    unread=provider is not recorded.NETEASE,
                ),
            )


@table(_scenarios())
def test_watched(scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    """New messages are delivered with their fields."""
    play_and_check(scenario, caplog)


@pytest.mark.parametrize(
    "dialog",
    [case(f"action {it.provider.name}, {it.name}", it) for it in DIALOGS],
)
def test_messages_for_an_action(dialog: Dialog) -> None:
    """An action gets the fields of all messages, but for those that the server does not show."""

    async def main(loop: VirtualLoop) -> None:
        hooks = [*dialog.hooks, _examined(dialog.provider)]
        capabilities = _without_tls(dialog.provider)
        server = served(loop, capabilities=capabilities, hooks=hooks)
        server.slip_in(8)
        client = Client(account(993, host=dialog.provider.host))
        try:
            async with asyncio.timeout(30):
                found = await client.search("INBOX", Criteria(), limit=500)
                mails = await client.mails("INBOX", UID_VALIDITY, range(1, 9))
        finally:
            await client.close()
        assert found.total == 8
        shown = [mail for mail in mails if mail.uid not in dialog.bare]
        assert [mail.uid for mail in shown] == sorted(set(range(1, 9)) - dialog.bare)
        assert all(_has_fields(mail) for mail in shown)

    run(main)


def _has_fields(mail: Mail) -> bool:
    return (mail.sender, mail.subject) == (
        f"ann{mail.uid}@example.org",
        f"Mail nº {mail.uid}",
    )
