"""The other clients of a mailbox: they deliver, append, copy, move, flag and delete."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from imaplib import IMAP4
import itertools
from random import Random
import re
from smtplib import SMTPException
from typing import Final

from custom_components.imap_push.imap import Mail

from .oracle import Ledger
from .servers import MailServer

from tests.rig.lmtp import LmtpSender
from tests.rig.mails import plain
from tests.rig.ports import LOOPBACK

type Action = Callable[[IMAP4, Random], None]

# Where mail is moved to, and comes back from. Nobody watches it.
ELSEWHERE: Final = "Elsewhere"
CLIENT_SECONDS: Final = 10.0
# A client takes so many mails at once.
MOST_AT_ONCE: Final = 4

# What a server says of the UIDs that it has just assigned, always last (RFC 4315).
_ASSIGNED: Final = re.compile(rb"(?:APPENDUID \d+|COPYUID \d+ [\d:,]+) ([\d:,]+)\]")
_COPIED: Final = re.compile(rb"\d+ [\d:,]+ ([\d:,]+)")
_UID: Final = re.compile(rb"UID (\d+)")
_SUBJECT: Final = re.compile(rb"Subject: (.*)\r\n")
_NUMBER: Final = re.compile(rb"(UIDNEXT|UIDVALIDITY) (\d+)")


class Mailbox:
    """A mailbox that clients use at the same time as the engine, past the proxy."""

    def __init__(
        self,
        server: MailServer,
        folders: Sequence[str],
        fired: Mapping[str, Sequence[Mail]],
    ) -> None:
        """Use these folders; only what has fired is taken out of them."""
        self.ledgers = {folder: Ledger() for folder in folders}
        self._server = server
        self._fired = fired
        self._numbers = itertools.count(1)
        self._actions: tuple[Action, ...] = (
            self._append,
            self._append,
            self._copy,
            self._delete,
            self._flag,
            self._move_away,
            self._move_back,
            self._move_over,
            self._snatch,
        )

    async def prepare(self) -> None:
        """Make the folders, with a mail in each that is there before anybody watches."""
        await self._with_client(self._prepare)

    async def act(self, dice: Random) -> None:
        """Do something; a server that is down is somebody else's affair."""
        with suppress(OSError, EOFError, SMTPException, IMAP4.error):
            if self._server.lmtp_port is not None and dice.random() < 0.3:
                await self._deliver(self._server.lmtp_port, dice)
            else:
                action = dice.choice(self._actions)
                await self._with_client(lambda client: action(client, dice))

    async def append_to_all(self) -> None:
        """Append a mail to each watched folder."""
        await self._with_client(self._append_to_all)

    async def take_stock(self) -> None:
        """Note what the server holds."""
        await self._with_client(self._take_stock)

    async def _deliver(self, port: int, dice: Random) -> None:
        """Deliver some mails by LMTP, one right after the other."""
        folder = self._any_folder(dice)
        name, _, domain = self._server.user.partition("@")
        detail = "" if folder == "INBOX" else f"+{folder}"
        async with LmtpSender(port) as sender:
            for _ in range(dice.randint(1, MOST_AT_ONCE)):
                subject = f"delivered {next(self._numbers)}"
                await sender.send(f"{name}{detail}@{domain}", bytes(plain(subject)))
                self.ledgers[folder].accepted.add(subject)

    def _prepare(self, client: IMAP4) -> None:
        for folder in (*self.ledgers, ELSEWHERE):
            client.create(folder)
        for folder, ledger in self.ledgers.items():
            self._put(client, folder)
            numbers = self._numbers_of(client, folder)
            ledger.first_uid, ledger.uid_validity = numbers
            ledger.told.clear()

    def _append(self, client: IMAP4, dice: Random) -> None:
        folder = self._any_folder(dice)
        for _ in range(dice.randint(1, MOST_AT_ONCE)):
            self._append_to(client, folder)

    def _append_to_all(self, client: IMAP4) -> None:
        for folder in self.ledgers:
            self._append_to(client, folder)

    def _append_to(self, client: IMAP4, folder: str) -> None:
        subject, _ = self._put(client, folder)
        self.ledgers[folder].accepted.add(subject)

    def _put(self, client: IMAP4, folder: str) -> tuple[str, set[int]]:
        """Append a mail; return its subject, and its UID if the server tells it."""
        subject = f"appended {next(self._numbers)}"
        status, answer = client.append(folder, "", "", bytes(plain(subject)))
        if status != "OK":
            raise IMAP4.error(answer)
        return subject, self._note(folder, answer)

    def _snatch(self, client: IMAP4, dice: Random) -> None:
        """Append a mail and take it out at once: it may fire or not."""
        folder = self._any_folder(dice)
        _, uids = self._put(client, folder)
        self.ledgers[folder].snatched |= uids
        self._expunge(client, folder, uids)

    def _delete(self, client: IMAP4, dice: Random) -> None:
        folder = self._any_folder(dice)
        uids = self._some_that_fired(folder, dice)
        self.ledgers[folder].removed |= uids
        self._expunge(client, folder, uids)

    def _flag(self, client: IMAP4, dice: Random) -> None:
        client.select(self._any_folder(dice))
        sign, flag = dice.choice("+-"), dice.choice((r"\Seen", r"\Flagged", "$Work"))
        client.uid("STORE", "1:*", f"{sign}FLAGS", f"({flag})")

    def _copy(self, client: IMAP4, dice: Random) -> None:
        """Copy mails into a watched folder, which may be the one that they are in."""
        source, target = self._any_folder(dice), self._any_folder(dice)
        uids = self._some_that_fired(source, dice)
        self._transfer(client, "COPY", source, uids, target)

    def _move_over(self, client: IMAP4, dice: Random) -> None:
        """Move mails out of one watched folder into another."""
        source, target = dice.sample(list(self.ledgers), 2)
        self._move_out(client, source, target, dice)

    def _move_away(self, client: IMAP4, dice: Random) -> None:
        """Move mails to where nobody watches."""
        self._move_out(client, self._any_folder(dice), ELSEWHERE, dice)

    def _move_out(self, client: IMAP4, source: str, target: str, dice: Random) -> None:
        uids = self._some_that_fired(source, dice)
        self.ledgers[source].removed |= uids
        self._transfer(client, "MOVE", source, uids, target)

    def _move_back(self, client: IMAP4, dice: Random) -> None:
        """Move mails from where nobody watches to a watched folder."""
        client.select(ELSEWHERE, readonly=True)
        _, [found] = client.uid("SEARCH", "ALL")
        uids = sorted(map(int, found.split()))
        some = set(dice.sample(uids, min(len(uids), MOST_AT_ONCE)))
        self._transfer(client, "MOVE", ELSEWHERE, some, self._any_folder(dice))

    def _transfer(
        self, client: IMAP4, how: str, source: str, uids: set[int], target: str
    ) -> None:
        """COPY or MOVE mails; each gets a new UID."""
        if not uids:
            return
        client.select(source)
        _, answer = client.uid(how, _as_set(uids), target)
        if target in self.ledgers:
            self._note(target, answer)
            self._note(target, client.response("COPYUID")[1])

    def _expunge(self, client: IMAP4, folder: str, uids: set[int]) -> None:
        """Delete just these mails: another client may have copied one that was marked already."""
        if uids:
            client.select(folder)
            client.uid("STORE", _as_set(uids), "+FLAGS", r"(\Deleted)")
            client.uid("EXPUNGE", _as_set(uids))

    def _note(self, folder: str, answers: Sequence[object]) -> set[int]:
        """Keep account of the UIDs that the server says it assigned."""
        uids: set[int] = set()
        for answer in answers:
            if isinstance(answer, bytes):
                found = _ASSIGNED.search(answer) or _COPIED.fullmatch(answer)
                uids |= _from_set(found[1]) if found else set()
        self.ledgers[folder].told |= uids
        return uids

    def _any_folder(self, dice: Random) -> str:
        return dice.choice(list(self.ledgers))

    def _some_that_fired(self, folder: str, dice: Random) -> set[int]:
        fired = [mail.uid for mail in self._fired[folder]]
        return set(dice.sample(fired, min(len(fired), dice.randint(1, MOST_AT_ONCE))))

    def _take_stock(self, client: IMAP4) -> None:
        for folder, ledger in self.ledgers.items():
            ledger.next_uid, _ = self._numbers_of(client, folder)
            client.select(folder, readonly=True)
            subjects = _subjects(client)
            ledger.present = {
                uid: subject
                for uid, subject in subjects.items()
                if uid >= ledger.first_uid
            }

    def _numbers_of(self, client: IMAP4, folder: str) -> tuple[int, int]:
        """Return UIDNEXT and UIDVALIDITY."""
        _, [answer] = client.status(folder, "(UIDNEXT UIDVALIDITY)")
        numbers = {name: int(number) for name, number in _NUMBER.findall(answer)}
        return numbers[b"UIDNEXT"], numbers[b"UIDVALIDITY"]

    async def _with_client(self, use: Callable[[IMAP4], None]) -> None:
        await asyncio.to_thread(self._use, use)

    def _use(self, use: Callable[[IMAP4], None]) -> None:
        with self._client() as client:
            use(client)

    @contextmanager
    def _client(self) -> Iterator[IMAP4]:
        with IMAP4(LOOPBACK, self._server.port, timeout=CLIENT_SECONDS) as client:
            client.login(self._server.user, self._server.password)
            yield client


def _subjects(client: IMAP4) -> dict[int, str]:
    """Return the subjects in the selected folder by UID."""
    subjects: dict[int, str] = {}
    _, answers = client.fetch("1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    for answer in answers:
        if isinstance(answer, tuple):
            uid, subject = _UID.search(answer[0]), _SUBJECT.search(answer[1])
            assert uid is not None
            assert subject is not None
            subjects[int(uid[1])] = subject[1].decode()
    return subjects


def _as_set(uids: set[int]) -> str:
    return ",".join(map(str, sorted(uids)))


def _from_set(text: bytes) -> set[int]:
    """Return the UIDs in a set such as 1,4:6."""
    uids: set[int] = set()
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        uids |= set(range(int(first), int(last or first) + 1))
    return uids
