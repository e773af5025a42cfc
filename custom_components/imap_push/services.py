"""The actions of the integration."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.service import async_get_config_entry

from .const import (
    CONF_FLAGGED,
    CONF_FOLDER,
    CONF_INLINE_IMAGES,
    CONF_LINKS,
    CONF_TEXT_SIZE,
    DOMAIN,
)
from .coordinator import ImapPushConfigEntry
from .helpers import criteria_from_config
from .imap import (
    Attachment,
    Client,
    FolderRole,
    Mail,
    MailNotFound,
    StoreResult,
    folder_with_role,
)
from .mail.errors import translated_errors
from .mail.event_data import mail_fields
from .mail.filter import matches_type, type_patterns
from .mail.save_attachments import Saver, async_directory
from .mail.service_schemas import (
    ATTR_ADD_KEYWORDS,
    ATTR_ANSWERED,
    ATTR_CONTENT_TYPE,
    ATTR_DIRECTORY,
    ATTR_ENTRY_ID,
    ATTR_HTML,
    ATTR_LIMIT,
    ATTR_MAX_SIZE,
    ATTR_OVERWRITE,
    ATTR_PART,
    ATTR_PERMANENTLY,
    ATTR_READ,
    ATTR_REMOVE_KEYWORDS,
    ATTR_TARGET_FOLDER,
    ATTR_UID,
    ATTR_UID_VALIDITY,
    DELETE_SCHEMA,
    FETCH_SCHEMA,
    FLAG_SCHEMA,
    MARK_AS_READ_SCHEMA,
    MOVE_SCHEMA,
    SAVE_ATTACHMENT_SCHEMA,
    SEARCH_SCHEMA,
    SET_FLAGS_SCHEMA,
)
from .mail.starting_mail import async_starting_mail
from .permissions import Access, async_requester_of_action, check_not_read_only

SERVICE_DELETE: Final = "delete"
SERVICE_FETCH: Final = "fetch"
SERVICE_FLAG: Final = "flag"
SERVICE_MARK_AS_READ: Final = "mark_as_read"
SERVICE_MOVE: Final = "move"
SERVICE_SAVE_ATTACHMENT: Final = "save_attachment"
SERVICE_SEARCH: Final = "search"
SERVICE_SET_FLAGS: Final = "set_flags"

_FLAGS: Final = {
    ATTR_READ: r"\Seen",
    CONF_FLAGGED: r"\Flagged",
    ATTR_ANSWERED: r"\Answered",
}
# Special uses (RFC 6154) by which `move` finds the target.
_TARGET_ROLES: Final = (FolderRole.ARCHIVE, FolderRole.JUNK, FolderRole.TRASH)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    for name, handler, schema, response in (
        (SERVICE_SEARCH, _async_search, SEARCH_SCHEMA, SupportsResponse.ONLY),
        (SERVICE_FETCH, _async_fetch, FETCH_SCHEMA, SupportsResponse.ONLY),
        (
            SERVICE_SAVE_ATTACHMENT,
            _async_save_attachment,
            SAVE_ATTACHMENT_SCHEMA,
            SupportsResponse.OPTIONAL,
        ),
        (
            SERVICE_SET_FLAGS,
            _async_set_flags,
            SET_FLAGS_SCHEMA,
            SupportsResponse.OPTIONAL,
        ),
        (
            SERVICE_MARK_AS_READ,
            partial(_async_store, add=[_FLAGS[ATTR_READ]]),
            MARK_AS_READ_SCHEMA,
            SupportsResponse.OPTIONAL,
        ),
        (
            SERVICE_FLAG,
            partial(_async_store, add=[_FLAGS[CONF_FLAGGED]]),
            FLAG_SCHEMA,
            SupportsResponse.OPTIONAL,
        ),
        (SERVICE_MOVE, _async_move, MOVE_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_DELETE, _async_delete, DELETE_SCHEMA, SupportsResponse.OPTIONAL),
    ):
        hass.services.async_register(
            DOMAIN, name, handler, schema, supports_response=response
        )


class _Mails(NamedTuple):
    """The mails that an action reads or changes."""

    entry: ImapPushConfigEntry
    folder: str
    uid_validity: int
    uids: list[int]

    @property
    def client(self) -> Client:
        return self.entry.runtime_data.client

    @property
    def uid(self) -> int:
        """Return the UID, for actions whose schema allows only one mail."""
        return self.uids[0]


async def _async_entry(
    call: ServiceCall, entry_id: str, needed: Access
) -> ImapPushConfigEntry:
    """Return the account. Raises ServiceValidationError without the `needed` access."""
    entry: ImapPushConfigEntry = async_get_config_entry(call.hass, DOMAIN, entry_id)
    (await async_requester_of_action(call.hass, call.context)).check_access(
        needed, entry
    )
    return entry


async def _async_mails(call: ServiceCall, needed: Access) -> _Mails:
    """Return the mails that the call names, or the one that started the automation."""
    named: Mapping[str, Any] = call.data
    if ATTR_UID not in named:
        named = async_starting_mail(call.hass, call.context)
    return _Mails(
        entry=await _async_entry(call, named[ATTR_ENTRY_ID], needed),
        folder=named[CONF_FOLDER],
        uid_validity=named[ATTR_UID_VALIDITY],
        uids=named[ATTR_UID],
    )


def _fields(entry: ImapPushConfigEntry, mail: Mail) -> dict[str, Any]:
    return mail_fields(mail, entry_id=entry.entry_id, account=entry.title)


async def _async_search(call: ServiceCall) -> ServiceResponse:
    """Return the newest mails of a folder that match the criteria."""
    entry = await _async_entry(call, call.data[ATTR_ENTRY_ID], Access.READ)
    client, folder = entry.runtime_data.client, call.data[CONF_FOLDER]
    criteria = criteria_from_config(call.data)
    with translated_errors(entry.title):
        found = await client.search(folder, criteria, limit=call.data[ATTR_LIMIT])
        mails = await client.mails(folder, found.uid_validity, found.uids)
    return {
        "uid_validity": found.uid_validity,
        "total": found.total,
        "mails": [_fields(entry, mail) for mail in mails],
    }


async def _async_fetch(call: ServiceCall) -> ServiceResponse:
    """Return a mail with its header and text."""
    mails = await _async_mails(call, Access.READ)
    with translated_errors(mails.entry.title):
        content = await mails.client.content(
            mails.folder,
            mails.uid_validity,
            mails.uid,
            text_size=call.data[CONF_TEXT_SIZE],
            links=call.data[CONF_LINKS],
            html=call.data[ATTR_HTML],
            part=call.data.get(ATTR_PART),
        )
    return {
        **_fields(mails.entry, content.mail),
        "headers": [{"name": name, "value": value} for name, value in content.headers],
        "text": content.text,
        **({"html": content.html} if call.data[ATTR_HTML] else {}),
        "truncated": content.truncated or content.mail.truncated,
    }


async def _async_save_attachment(call: ServiceCall) -> ServiceResponse:
    """Save attachments of a mail as files.

    Raises HomeAssistantError if some are not saved and the caller requests no response, or if
    nothing is saved for this reason.
    """
    requester = await async_requester_of_action(call.hass, call.context)
    requester.check_administrator()
    mails = await _async_mails(call, Access.READ)
    saver = Saver(
        hass=call.hass,
        account=mails.entry.title,
        read=partial(
            mails.client.read_part, mails.folder, mails.uid_validity, mails.uid
        ),
        directory=await async_directory(call.hass, call.data.get(ATTR_DIRECTORY)),
        max_size=call.data[ATTR_MAX_SIZE],
        overwrite=call.data[ATTR_OVERWRITE],
    )
    with translated_errors(mails.entry.title):
        files, skipped = await saver.async_save(await _async_attachments(call, mails))
    if skipped and not (files and call.return_response):
        raise skipped[0].error
    return {"files": files, "skipped": [each.as_dict() for each in skipped]}


async def _async_attachments(call: ServiceCall, mails: _Mails) -> list[Attachment]:
    """Return the attachments that have the requested part numbers and content types."""
    location = mails.folder, mails.uid_validity
    if parts := call.data.get(ATTR_PART):
        attachments = [
            await mails.client.attachment(*location, mails.uid, part) for part in parts
        ]
    else:
        if not (found := await mails.client.mails(*location, mails.uids)):
            raise MailNotFound(folder=mails.folder)
        mail = found[0]
        include_inline = call.data[CONF_INLINE_IMAGES]
        attachments = [*(mail.attachments if include_inline else mail.files)]
    patterns = type_patterns(call.data.get(ATTR_CONTENT_TYPE, ()))
    return [
        attachment
        for attachment in attachments
        if patterns is None or matches_type(patterns, attachment._asdict())
    ]


async def _async_set_flags(call: ServiceCall) -> ServiceResponse:
    """Set and clear flags and keywords of mails."""
    flags = {flag: call.data.get(field) for field, flag in _FLAGS.items()}
    add = [flag for flag, value in flags.items() if value is True]
    remove = [flag for flag, value in flags.items() if value is False]
    return await _async_store(
        call,
        add=[*add, *call.data.get(ATTR_ADD_KEYWORDS, ())],
        remove=[*remove, *call.data.get(ATTR_REMOVE_KEYWORDS, ())],
    )


async def _async_store(
    call: ServiceCall, *, add: Sequence[str], remove: Sequence[str] = ()
) -> ServiceResponse:
    """Add and remove flags and keywords of mails."""
    return await _async_write(
        call,
        lambda mails: mails.client.set_flags(
            mails.folder, mails.uid_validity, mails.uids, add=add, remove=remove
        ),
    )


async def _async_move(call: ServiceCall) -> ServiceResponse:
    """Move mails to another folder."""

    async def move(mails: _Mails) -> StoreResult:
        target = await _async_target(mails, call.data[ATTR_TARGET_FOLDER])
        return await mails.client.move(
            mails.folder, mails.uid_validity, mails.uids, target
        )

    return await _async_write(call, move)


async def _async_target(mails: _Mails, name: str) -> str:
    """Return the folder of this name, or for "archive", "junk" and "trash" that of this use."""
    role = name.removeprefix("\\").casefold()
    if role not in _TARGET_ROLES:
        return name
    folders = await mails.client.folders()
    if any(folder.name == name for folder in folders):
        return name
    if target := folder_with_role(folders, FolderRole(role)):
        return target
    raise ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="no_folder_for_use",
        translation_placeholders={"account": mails.entry.title, "use": role},
    )


async def _async_delete(call: ServiceCall) -> ServiceResponse:
    """Move mails to Trash, or remove them permanently."""
    return await _async_write(
        call,
        lambda mails: mails.client.delete(
            mails.folder,
            mails.uid_validity,
            mails.uids,
            permanently=call.data[ATTR_PERMANENTLY],
        ),
    )


async def _async_write(
    call: ServiceCall, request: Callable[[_Mails], Awaitable[StoreResult]]
) -> ServiceResponse:
    """Run a request that changes mails; return the UIDs of changed and of missing mails.

    Raises HomeAssistantError if mails are missing and the caller requests no response.
    """
    mails = await _async_mails(call, Access.CHANGE)
    check_not_read_only(mails.entry)
    with translated_errors(mails.entry.title):
        result = await request(mails)
    if result.missing and not call.return_response:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="some_missing",
            translation_placeholders={
                "missing": str(len(result.missing)),
                "total": str(len(mails.uids)),
            },
        )
    return {"uids": list(result.uids), "missing": list(result.missing)}
