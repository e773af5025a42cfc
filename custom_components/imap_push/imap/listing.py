"""The account's folders, and what each is for (RFC 3501 7.2.2, RFC 6154)."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from .desk import Desk
from .models import FolderInfo, FolderRole
from .names import decode_folder
from .protocol import Command
from .responses import Data, parse_strings, parse_values

# Folders that are told of.
MAX_FOLDERS: Final = 10_000
_CANNOT_BE_OPENED: Final = frozenset({"\\noselect", "\\nonexistent"})
_BY_ATTRIBUTE: Final = {
    f"\\{role}": role for role in FolderRole if role is not FolderRole.INBOX
}
# For servers that do not tell what a folder is for: how clients call it, in their languages.
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


async def list_folders(desk: Desk) -> list[FolderInfo]:
    """Return the folders that can be opened, INBOX first, then by name."""
    arguments = '"" "*"'
    if {"LIST-EXTENDED", "SPECIAL-USE"} <= desk.capabilities:
        arguments += " RETURN (SPECIAL-USE)"
    [listed] = await desk.run(Command("LIST", arguments, frozenset({"LIST"})))
    folders: dict[str, FolderInfo] = {}
    for data in listed.data[:MAX_FOLDERS]:
        if folder := _folder(data):
            folders.setdefault(folder.name, folder)
    return sorted(_with_roles(folders.values()), key=_order)


async def find_folder(desk: Desk, role: FolderRole) -> str | None:
    """Return the name of the folder that is for this."""
    folders = await list_folders(desk)
    return next((folder.name for folder in folders if folder.role is role), None)


def _folder(data: Data) -> FolderInfo | None:
    """Return the folder that a LIST response tells of, None if it cannot be opened."""
    attributes, delimiter, name = (*parse_values(data.parts), None, None, None)[:3]
    words = {word.casefold() for word in parse_strings(attributes)}
    if not isinstance(name, bytes) or words & _CANNOT_BE_OPENED:
        return None
    decoded = decode_folder(name)
    roles = (_BY_ATTRIBUTE[word] for word in sorted(words & _BY_ATTRIBUTE.keys()))
    is_inbox = decoded.upper() == "INBOX"
    return FolderInfo(
        name="INBOX" if is_inbox else decoded,
        delimiter=decode_folder(delimiter) if isinstance(delimiter, bytes) else None,
        role=FolderRole.INBOX if is_inbox else next(roles, None),
    )


def _with_roles(folders: Iterable[FolderInfo]) -> list[FolderInfo]:
    """Return the folders with what they are called for, where the server does not tell."""
    found = list(folders)
    if any(folder.role not in {None, FolderRole.INBOX} for folder in found):
        return found
    return [_with_usual_role(folder) for folder in found]


def _with_usual_role(folder: FolderInfo) -> FolderInfo:
    last = folder.name.rpartition(folder.delimiter or "\0")[2]
    return replace(folder, role=folder.role or _BY_NAME.get(last.casefold()))


def _order(folder: FolderInfo) -> tuple[bool, str]:
    return folder.role is not FolderRole.INBOX, folder.name.casefold()
