"""NOTIFY (RFC 5465): the server announces changes of all folders that the command names.

With `selected`, it also sends the new messages of the selected folder.

    C: a3 EXAMINE "INBOX"
    C: a4 NOTIFY SET STATUS (selected (MessageNew (UID ...) MessageExpunge FlagChange))
          (mailboxes ("Work") (MessageNew MessageExpunge FlagChange))
    S: * STATUS "Work" (MESSAGES 9 UIDNEXT 10 UIDVALIDITY 1)  the current state
    S: a4 OK NOTIFY completed
    C: a5 IDLE
    S: + idling
    S: * 42 EXISTS
    S: * 42 FETCH (UID 1007 ...)          delivered without a request
    S: * STATUS "Work" (UIDNEXT 11 MESSAGES 10)               starts a sync of Work

A folder without the STATUS of its current state is not announced: Dovecot compares the octets of
the name with its own name in UTF-8, so that it does not find names in modified UTF-7.
"""

from ..errors import CommandRefused
from ..mime.preview import TextRequest, fetch_items
from ..wire.command import Command
from ..wire.folder_responses import parse_status
from ..wire.mailbox_name import encode_folder, is_folder, quote
from ..wire.parser import Data

_EVENTS = "MessageNew {}MessageExpunge FlagChange"


class Notify:
    """The notifications of one session: which were requested, which folders they cover."""

    def __init__(self) -> None:
        """Start without notifications, like every session."""
        self._command: Command | None = None
        self._spec = ""
        # Names in UTF-8 are sent, too. None: not tried yet; False: the server refuses them.
        self._uses_utf8: bool | None = None
        self._requested: frozenset[str] = frozenset()
        self.covered: frozenset[str] = frozenset()

    def mark_expired(self) -> None:
        """Record that the server no longer sends notifications (NOTIFICATIONOVERFLOW)."""
        self._spec = ""

    def clear(self) -> list[Command]:
        """Return the command that must precede an EXAMINE or other notifications, if any.

        Dovecot 2.3 fails an assertion (mail.c, "headers->box == mail->box") if it brings messages
        of two folders after one NOTIFY SET.
        """
        if not self._spec:
            return []
        self._spec = ""
        return [Command("NOTIFY", "NONE")]

    def set(self, folders: tuple[str, ...], text: TextRequest) -> list[Command]:
        """Return the commands that request notifications; [] if exactly these are in effect.

        `folders` are not selected. New messages of the selected folder come with `text`.
        """
        spec = self._spec_for(folders, text)
        if spec == self._spec:
            return []
        commands = self.clear()
        self._spec, self._requested = spec, frozenset(folders)
        self._command = Command("NOTIFY", spec, frozenset({"STATUS"}))
        return [*commands, self._command]

    def is_set_to(self, folders: tuple[str, ...], text: TextRequest) -> bool:
        """Return whether exactly these notifications are in effect."""
        return self._spec == self._spec_for(folders, text)

    async def read_reply(self) -> list[Data] | None:
        """Return the STATUS responses to the last `set`, each only one time; set `covered`.

        Returns None if the server refused NOTIFY.
        """
        command, self._command = self._command, None
        if command is None:
            return []
        try:
            statuses = (await command.wait()).data
        except CommandRefused:
            self._spec, self.covered = "", frozenset()
            if not self._uses_utf8:
                return None
            self._uses_utf8 = False  # Without them, the command was accepted.
            return []
        reported = {parse_status(data)[0] for data in statuses}
        self.covered = frozenset(
            folder
            for folder in self._requested
            if any(is_folder(name, folder) for name in reported)
        )
        return statuses

    def try_utf8(self) -> bool:
        """Send names in UTF-8, too, from now on, if that may help; return whether it may."""
        uncovered = self._requested - self.covered
        is_encoded = any(encode_folder(name) != name for name in uncovered)
        if self._uses_utf8 is not None or not is_encoded:
            return False
        self._uses_utf8 = True
        return True

    def _spec_for(self, folders: tuple[str, ...], text: TextRequest) -> str:
        selected = _EVENTS.format(f"{fetch_items(text)} ")
        if not folders:
            return f"SET (selected ({selected}))"
        forms = [*map(encode_folder, folders), *(folders if self._uses_utf8 else ())]
        names = " ".join(quote(name) for name in dict.fromkeys(forms))
        others = _EVENTS.format("")
        return f"SET STATUS (selected ({selected})) (mailboxes ({names}) ({others}))"
