"""Other clients of a mailbox: they deliver, append, copy, move, flag and delete mail."""

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

# An unwatched folder: mail is moved to it and back.
UNWATCHED_FOLDER: Final = "Elsewhere"
CLIENT_SECONDS: Final = 10.0
# Most mails per action.
MAX_MAILS: Final = 4

# The UIDs that a server has just assigned are the last value of the code (RFC 4315).
_ASSIGNED: Final = re.compile(rb"(?:APPENDUID \d+|COPYUID \d+ [\d:,]+) ([\d:,]+)\]")
_COPIED: Final = re.compile(rb"\d+ [\d:,]+ ([\d:,]+)")
_UID: Final = re.compile(rb"UID (\d+)")
_SUBJECT: Final = re.compile(rb"Subject: (.*)\r\n")
_NUMBER: Final = re.compile(rb"(UIDNEXT|UIDVALIDITY) (\d+)")


class Mailbox:
    """A mailbox that clients use at the same time as the engine, without the proxy."""

    def __init__(
        self,
        server: MailServer,
        folders: Sequence[str],
        fired: Mapping[str, Sequence[Mail]],
    ) -> None:
        """Use these folders; only mail that has fired is moved or deleted."""
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
            self._append_and_expunge,
        )

    async def prepare(self) -> None:
        """Create the folders, each with a mail that is older than the watcher."""
        await self._with_client(self._prepare)

    async def run_random_action(self, rng: Random) -> None:
        """Run a random action; ignore errors of a server that is down."""
        with suppress(OSError, EOFError, SMTPException, IMAP4.error):
            if self._server.lmtp_port is not None and rng.random() < 0.3:
                await self._deliver(self._server.lmtp_port, rng)
            else:
                action = rng.choice(self._actions)
                await self._with_client(lambda client: action(client, rng))

    async def append_to_all(self) -> None:
        """Append a mail to each watched folder."""
        await self._with_client(self._append_to_all)

    async def record_contents(self) -> None:
        """Record which mails the server has."""
        await self._with_client(self._record_contents)

    async def _deliver(self, port: int, rng: Random) -> None:
        """Deliver some mails by LMTP without a pause."""
        folder = self._random_folder(rng)
        name, _, domain = self._server.user.partition("@")
        detail = "" if folder == "INBOX" else f"+{folder}"
        async with LmtpSender(port) as sender:
            for _ in range(rng.randint(1, MAX_MAILS)):
                subject = f"delivered {next(self._numbers)}"
                await sender.send(f"{name}{detail}@{domain}", bytes(plain(subject)))
                self.ledgers[folder].accepted.add(subject)

    def _prepare(self, client: IMAP4) -> None:
        for folder in (*self.ledgers, UNWATCHED_FOLDER):
            client.create(folder)
        for folder, ledger in self.ledgers.items():
            self._put(client, folder)
            numbers = self._numbers_of(client, folder)
            ledger.first_uid, ledger.uid_validity = numbers
            ledger.assigned.clear()

    def _append(self, client: IMAP4, rng: Random) -> None:
        folder = self._random_folder(rng)
        for _ in range(rng.randint(1, MAX_MAILS)):
            self._append_to(client, folder)

    def _append_to_all(self, client: IMAP4) -> None:
        for folder in self.ledgers:
            self._append_to(client, folder)

    def _append_to(self, client: IMAP4, folder: str) -> None:
        subject, _ = self._put(client, folder)
        self.ledgers[folder].accepted.add(subject)

    def _put(self, client: IMAP4, folder: str) -> tuple[str, set[int]]:
        """Append a mail; return its subject, and its UID if the server reports it."""
        subject = f"appended {next(self._numbers)}"
        status, answer = client.append(folder, "", "", bytes(plain(subject)))
        if status != "OK":
            raise IMAP4.error(answer)
        return subject, self._record_assigned(folder, answer)

    def _append_and_expunge(self, client: IMAP4, rng: Random) -> None:
        """Append a mail and expunge it immediately: it may fire or not."""
        folder = self._random_folder(rng)
        _, uids = self._put(client, folder)
        self.ledgers[folder].briefly_present |= uids
        self._expunge(client, folder, uids)

    def _delete(self, client: IMAP4, rng: Random) -> None:
        folder = self._random_folder(rng)
        uids = self._random_fired_uids(folder, rng)
        self.ledgers[folder].removed |= uids
        self._expunge(client, folder, uids)

    def _flag(self, client: IMAP4, rng: Random) -> None:
        client.select(self._random_folder(rng))
        sign, flag = rng.choice("+-"), rng.choice((r"\Seen", r"\Flagged", "$Work"))
        client.uid("STORE", "1:*", f"{sign}FLAGS", f"({flag})")

    def _copy(self, client: IMAP4, rng: Random) -> None:
        """Copy mails into a watched folder, possibly the one that they are in."""
        source, target = self._random_folder(rng), self._random_folder(rng)
        uids = self._random_fired_uids(source, rng)
        self._transfer(client, "COPY", source, uids, target)

    def _move_over(self, client: IMAP4, rng: Random) -> None:
        """Move mails from one watched folder to another."""
        source, target = rng.sample(list(self.ledgers), 2)
        self._move_out(client, source, target, rng)

    def _move_away(self, client: IMAP4, rng: Random) -> None:
        """Move mails to the unwatched folder."""
        self._move_out(client, self._random_folder(rng), UNWATCHED_FOLDER, rng)

    def _move_out(self, client: IMAP4, source: str, target: str, rng: Random) -> None:
        uids = self._random_fired_uids(source, rng)
        self.ledgers[source].removed |= uids
        self._transfer(client, "MOVE", source, uids, target)

    def _move_back(self, client: IMAP4, rng: Random) -> None:
        """Move mails from the unwatched folder to a watched one."""
        client.select(UNWATCHED_FOLDER, readonly=True)
        _, [found] = client.uid("SEARCH", "ALL")
        uids = sorted(map(int, found.split()))
        some = set(rng.sample(uids, min(len(uids), MAX_MAILS)))
        self._transfer(client, "MOVE", UNWATCHED_FOLDER, some, self._random_folder(rng))

    def _transfer(
        self, client: IMAP4, how: str, source: str, uids: set[int], target: str
    ) -> None:
        """COPY or MOVE mails; each gets a new UID."""
        if not uids:
            return
        client.select(source)
        _, answer = client.uid(how, _as_set(uids), target)
        if target in self.ledgers:
            self._record_assigned(target, answer)
            self._record_assigned(target, client.response("COPYUID")[1])

    def _expunge(self, client: IMAP4, folder: str, uids: set[int]) -> None:
        r"""Delete only these mails: another client may have copied one that has \Deleted set."""
        if uids:
            client.select(folder)
            client.uid("STORE", _as_set(uids), "+FLAGS", r"(\Deleted)")
            client.uid("EXPUNGE", _as_set(uids))

    def _record_assigned(self, folder: str, answers: Sequence[object]) -> set[int]:
        """Keep account of the UIDs that the server says it assigned."""
        uids: set[int] = set()
        for answer in answers:
            if isinstance(answer, bytes):
                found = _ASSIGNED.search(answer) or _COPIED.fullmatch(answer)
                uids |= _from_set(found[1]) if found else set()
        self.ledgers[folder].assigned |= uids
        return uids

    def _random_folder(self, rng: Random) -> str:
        return rng.choice(list(self.ledgers))

    def _random_fired_uids(self, folder: str, rng: Random) -> set[int]:
        fired = [mail.uid for mail in self._fired[folder]]
        return set(rng.sample(fired, min(len(fired), rng.randint(1, MAX_MAILS))))

    def _record_contents(self, client: IMAP4) -> None:
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
    """Return the UIDs of a sequence set like 1,4:6."""
    uids: set[int] = set()
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        uids |= set(range(int(first), int(last or first) + 1))
    return uids
