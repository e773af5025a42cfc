"""Other clients of a mailbox: they deliver, copy, move, flag and delete mail, and change folders."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from imaplib import IMAP4
import itertools
from random import Random
import re
from smtplib import SMTPException
import time
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
# Most mails per action, and in a burst.
MAX_MAILS: Final = 4
BURST: Final = 25
# Longest time without a folder of a name.
MAX_GAP_SECONDS: Final = 2.0
# Cyrus keeps a deleted folder under a name with the second, so it refuses to delete another one.
REFUSED_SECONDS: Final = 3.0
# Numbers of folders that do not exist.
_FOLDERS: Final = itertools.count(1)

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
        *,
        clients: int,
        recreated: str | None = None,
    ) -> None:
        """Use these folders; only mail that has fired is moved or deleted.

        `recreated` is the folder that is deleted, renamed and replaced. Nothing is moved to it: a
        message that was there before counts as known after UIDVALIDITY has changed.
        """
        self.histories = {folder: [Ledger()] for folder in folders}
        self.actions: Counter[str] = Counter()
        self._server = server
        self._elsewhere = server.full_name(UNWATCHED_FOLDER)
        self._fired = fired
        self._recreated = recreated
        self._numbers = itertools.count(1)
        # A client that changes folders waits until the others have ended their actions.
        self._running = asyncio.Semaphore(clients)
        self._clients = clients
        self._changing = asyncio.Lock()
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

    @property
    def ledgers(self) -> dict[str, Ledger]:
        """Return the ledger of each folder that has the name now."""
        return {folder: ledgers[-1] for folder, ledgers in self.histories.items()}

    async def prepare(self) -> None:
        """Create the folders, each with a mail that is older than the watcher."""
        await self._with_client(self._prepare)

    async def run_random_action(self, rng: Random) -> None:
        """Run a random action; ignore errors of a server that is down."""
        if self._recreated is not None and rng.random() < 0.1:
            await self._change_folder(self._recreated, rng)
            return
        async with self._running:
            with suppress(OSError, EOFError, SMTPException, IMAP4.error):
                if self._server.lmtp_port is not None and rng.random() < 0.3:
                    await self._deliver(self._server.lmtp_port, rng)
                else:
                    action = rng.choice(self._actions)
                    self.actions[action.__name__] += 1
                    await self._with_client(lambda client: action(client, rng))

    async def append_to_all(self) -> None:
        """Append a mail to each watched folder."""
        await self._with_client(self._append_to_all)

    async def record_contents(self) -> None:
        """Record which mails the server has."""
        await self._with_client(self._record_contents)

    async def _deliver(self, port: int, rng: Random) -> None:
        """Deliver some mails by LMTP without a pause."""
        self.actions["deliver"] += 1
        folder = self._random_folder(rng) if self._server.has_subaddresses else "INBOX"
        name, at, domain = self._server.user.partition("@")
        detail = "" if folder == "INBOX" else f"+{folder}"
        most = BURST if rng.random() < 0.1 else MAX_MAILS
        async with LmtpSender(port) as sender:
            for _ in range(rng.randint(1, most)):
                subject = f"delivered {next(self._numbers)}"
                await sender.send(f"{name}{detail}{at}{domain}", bytes(plain(subject)))
                self.ledgers[folder].accepted.add(subject)

    async def _change_folder(self, folder: str, rng: Random) -> None:
        """Delete, rename or replace a folder while no other client acts."""
        change = rng.choice((self._recreate, self._replace, self._rename_twice))
        self.actions[change.__name__] += 1
        async with self._changing, AsyncExitStack() as stack:
            for _ in range(self._clients):
                await stack.enter_async_context(self._running)
            await self._with_client(lambda client: change(client, folder, rng))

    def _prepare(self, client: IMAP4) -> None:
        for folder in (*self.ledgers, self._elsewhere):
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
        mail = bytes(plain(subject))
        status, answer = client.append(folder, "", "", mail)
        if status != "OK" and b"deleted under us" in answer[0]:
            # Dovecot confuses a folder with the one of the same name that was deleted just before.
            status, answer = client.append(folder, "", "", mail)
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
        source, target = self._random_folder(rng), self._random_target(rng)
        uids = self._random_fired_uids(source, rng)
        self._transfer(client, "COPY", source, uids, target)

    def _move_over(self, client: IMAP4, rng: Random) -> None:
        """Move mails from one watched folder to another."""
        source, target = self._random_folder(rng), self._random_target(rng)
        if source != target:
            self._move_out(client, source, target, rng)

    def _move_away(self, client: IMAP4, rng: Random) -> None:
        """Move mails to the unwatched folder."""
        self._move_out(client, self._random_folder(rng), self._elsewhere, rng)

    def _move_out(self, client: IMAP4, source: str, target: str, rng: Random) -> None:
        uids = self._random_fired_uids(source, rng)
        self.ledgers[source].removed |= uids
        self._transfer(client, "MOVE", source, uids, target)

    def _move_back(self, client: IMAP4, rng: Random) -> None:
        """Move mails from the unwatched folder to a watched one."""
        client.select(self._elsewhere, readonly=True)
        _, [found] = client.uid("SEARCH", "ALL")
        uids = sorted(map(int, found.split()))
        some = set(rng.sample(uids, min(len(uids), MAX_MAILS)))
        self._transfer(client, "MOVE", self._elsewhere, some, self._random_target(rng))

    def _recreate(self, client: IMAP4, folder: str, rng: Random) -> None:
        """Delete or rename a folder, and create it again."""
        self._remove(client, folder, rng)
        self._create(client, folder, folder)
        self._begin(client, folder)
        for _ in range(rng.randint(0, MAX_MAILS)):
            self._append_to(client, folder)

    def _replace(self, client: IMAP4, folder: str, rng: Random) -> None:
        """Put another folder with new mail in the place of a folder."""
        other = f"{folder}-{next(_FOLDERS)}"
        self._create(client, other, folder)
        count = rng.randint(1, MAX_MAILS)
        subjects = {self._put(client, other)[0] for _ in range(count)}
        self._remove(client, folder, rng)
        _must(client.rename, other, folder)
        self._begin(client, folder).accepted |= subjects

    def _rename_twice(self, client: IMAP4, folder: str, rng: Random) -> None:
        """Rename a folder, and give it its old name back."""
        other = f"{folder}-{next(_FOLDERS)}"
        _must(client.rename, folder, other)
        time.sleep(_gap(rng))
        _must(client.rename, other, folder)

    def _remove(self, client: IMAP4, folder: str, rng: Random) -> None:
        """Delete or rename a folder; what has not fired by now may be missing."""
        ledger = self.ledgers[folder]
        self._record(client, folder)
        ledger.is_over = True
        # Dovecot ends a session whose folder is deleted.
        client.select(self._elsewhere, readonly=True)
        if rng.random() < 0.5:
            _must(client.delete, folder)
        else:
            _must(client.rename, folder, f"{folder}-{next(_FOLDERS)}")
        time.sleep(_gap(rng))

    def _create(self, client: IMAP4, name: str, folder: str) -> None:
        """Create a folder, until its UIDVALIDITY is another one than those of `folder`.

        Cyrus gives two folders that are created in the same second the same one.
        """
        used = {ledger.uid_validity for ledger in self.histories[folder]}
        _must(client.create, name)
        while self._numbers_of(client, name)[1] in used:
            time.sleep(0.5)
            _must(client.delete, name)
            _must(client.create, name)

    def _begin(self, client: IMAP4, folder: str) -> Ledger:
        """Begin the ledger of a folder that has the name from now on."""
        _, validity = self._numbers_of(client, folder)
        self.histories[folder].append(Ledger(uid_validity=validity))
        return self.ledgers[folder]

    def _transfer(
        self, client: IMAP4, how: str, source: str, uids: set[int], target: str
    ) -> None:
        """COPY or MOVE mails; each gets a new UID."""
        if not uids:
            return
        client.select(source)
        _, answer = client.uid(how, _as_set(uids), target)
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
        if folder in self.histories:
            self.ledgers[folder].assigned |= uids
        return uids

    def _random_folder(self, rng: Random) -> str:
        return rng.choice(list(self.ledgers))

    def _random_target(self, rng: Random) -> str:
        return rng.choice([name for name in self.histories if name != self._recreated])

    def _random_fired_uids(self, folder: str, rng: Random) -> set[int]:
        validity = self.ledgers[folder].uid_validity
        mails = self._fired[folder]
        fired = [mail.uid for mail in mails if mail.uid_validity == validity]
        return set(rng.sample(fired, min(len(fired), rng.randint(1, MAX_MAILS))))

    def _record_contents(self, client: IMAP4) -> None:
        for folder in self.ledgers:
            self._record(client, folder)

    def _record(self, client: IMAP4, folder: str) -> None:
        ledger = self.ledgers[folder]
        ledger.next_uid, _ = self._numbers_of(client, folder)
        _, [count] = client.select(folder, readonly=True)
        subjects = _subjects(client) if count != b"0" else {}
        ledger.messages = len(subjects)
        ledger.unread = len(client.search(None, "UNSEEN")[1][0].split())
        ledger.present = {
            uid: subject for uid, subject in subjects.items() if uid >= ledger.first_uid
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


def _must(command: Callable[..., tuple[str, list[object]]], *folders: str) -> None:
    """Change a folder; try again if the server refuses it."""
    deadline = time.monotonic() + REFUSED_SECONDS
    while (answer := command(*folders))[0] != "OK":
        if time.monotonic() > deadline:
            raise AssertionError(command.__name__, folders, answer)
        time.sleep(0.1)


def _gap(rng: Random) -> float:
    """Return for how many seconds there is no folder of a name."""
    return rng.choice((0.0, 0.1, MAX_GAP_SECONDS)) * rng.random()


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
