"""LIST: the folders of an account and their special use (RFC 3501 7.2.2, RFC 6154)."""

import asyncio
from collections.abc import Collection, Iterable
import contextlib
from typing import Final

from ..errors import CommandRefused
from ..models import FolderInfo, FolderRole
from ..wire.command import Command
from ..wire.folder_responses import parse_list
from ..wire.mailbox_name import RAW, decode_folder
from ..wire.parser import Data, parse_strings
from .session import Session

# Folders that are returned.
MAX_FOLDERS: Final = 10_000
_AT_ONCE: Final = 100  # parsed before other tasks of the event loop run
_CANNOT_BE_OPENED: Final = frozenset({"\\noselect", "\\nonexistent"})
_BY_ATTRIBUTE: Final = {
    f"\\{role}": role for role in FolderRole if role is not FolderRole.INBOX
}
# Usual names in several languages, for servers without SPECIAL-USE.
_USUAL_NAMES: Final = {
    FolderRole.ARCHIVE: "archive,archives,archiv,archief,archivio,archivo,archiwum",
    FolderRole.DRAFTS: "drafts,entwürfe,brouillons,concepten,borradores,bozze,wersje robocze",
    FolderRole.JUNK: "junk,spam,junk e-mail,junk mail,bulk mail,indésirables,correo no deseado",
    FolderRole.SENT: "sent,sent items,sent mail,sent messages,gesendet,gesendete objekte,"
    "gesendete elemente,envoyés,verzonden,verzonden items,enviados,inviati,wysłane",
    FolderRole.TRASH: "trash,deleted items,deleted messages,deleted,bin,papierkorb,"
    "gelöschte objekte,gelöschte elemente,corbeille,prullenbak,papelera,cestino,kosz",
}
_BY_NAME: Final = {
    name: role for role, names in _USUAL_NAMES.items() for name in names.split(",")
}


async def list_folders(session: Session) -> list[FolderInfo]:
    """Return the folders that can be opened, INBOX first, then by name."""
    folders: dict[str, FolderInfo] = {}
    if {"LIST-EXTENDED", "SPECIAL-USE"} <= session.capabilities:
        with contextlib.suppress(CommandRefused):
            await _list(session, '"" "*" RETURN (SPECIAL-USE)', folders)
    # strato.de lists nothing with RETURN (MailKit#1957); others refuse it (MailKit#674).
    if "INBOX" not in folders:
        await _list(session, '"" "*"', folders)
    # INBOX exists, even if it is not listed (RFC 3501 5.1).
    folders.setdefault("INBOX", FolderInfo(name="INBOX", role=FolderRole.INBOX))
    roles = {folder.role for folder in folders.values()}
    found = [_with_usual_role(folder, roles) for folder in folders.values()]
    return sorted(
        found, key=lambda f: (f.role is not FolderRole.INBOX, f.name.casefold())
    )


async def _list(
    session: Session, arguments: str, folders: dict[str, FolderInfo]
) -> None:
    """Add the folders of a LIST that are not known yet."""
    [listed] = await session.run(Command("LIST", arguments, frozenset({"LIST"})))
    for count, data in enumerate(listed.data[:MAX_FOLDERS], 1):
        if folder := _folder(data):
            folders.setdefault(folder.name, folder)
        if count % _AT_ONCE == 0:
            await asyncio.sleep(0)


async def find_folder(session: Session, role: FolderRole) -> str | None:
    """Return the name of the folder with a role."""
    return folder_with_role(await list_folders(session), role)


def folder_with_role(folders: Iterable[FolderInfo], role: FolderRole) -> str | None:
    """Return the name of the folder with a role; if there are several, the least nested one.

    The others are usually in an archive, or belong to another user.
    """
    found = [folder for folder in folders if folder.role is role]
    if not found:
        return None
    return min(found, key=lambda f: f.name.count(f.delimiter or "\0")).name


def _folder(data: Data) -> FolderInfo | None:
    """Return the folder of a LIST response, None if it cannot be opened."""
    if data.cut:
        return None
    attributes, delimiter, name = parse_list(data)
    words = {word.casefold() for word in parse_strings(attributes)}
    if not name or words & _CANNOT_BE_OPENED:
        return None
    decoded = decode_folder(name)
    roles = (_BY_ATTRIBUTE[word] for word in sorted(words & _BY_ATTRIBUTE.keys()))
    is_inbox = decoded.upper() == "INBOX"
    return FolderInfo(
        name="INBOX" if is_inbox else decoded,
        delimiter=decode_folder(delimiter) if isinstance(delimiter, bytes) else None,
        role=FolderRole.INBOX if is_inbox else next(roles, None),
    )


def _with_usual_role(
    folder: FolderInfo, known: Collection[FolderRole | None]
) -> FolderInfo:
    name = folder.name.removeprefix(RAW)
    last = name.rpartition(folder.delimiter or "\0")[2]
    usual = _BY_NAME.get(last.casefold())
    if folder.role is not None or usual in known:
        return folder
    return folder._replace(role=usual)
