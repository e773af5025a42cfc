"""Attachments as media: account, folder, mail, attachment."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
import hmac
import re
from secrets import token_bytes
from typing import Any, Final, Self, override
from urllib.parse import quote

from aiohttp import hdrs, web
import voluptuous as vol

from homeassistant.auth.models import User
from homeassistant.components.http import KEY_HASS_USER, HomeAssistantView
from homeassistant.components.http.auth import async_sign_path
from homeassistant.components.media_player import (
    CONTENT_AUTH_EXPIRY_TIME,
    BrowseError,
    MediaClass,
)
from homeassistant.components.media_source import (
    BrowseMediaSource,
    MediaSource,
    MediaSourceItem,
    PlayMedia,
    Unresolvable,
)
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.service import async_get_config_entry

from .const import DOMAIN
from .coordinator import ImapPushConfigEntry
from .imap import (
    Attachment,
    Client,
    Criteria,
    FolderNotFound,
    FolderRenumbered,
    ImapError,
    Mail,
    MailNotFound,
    PartNotFound,
)
from .mail.errors import translated_errors
from .mail.file_names import safe_filename
from .mail.service_schemas import LINE, PART, number
from .media_requester import async_requester_of_media
from .permissions import AUTOMATION, Access, Requester

# Parameter of a URL: proves that the media source made it for an automation.
_GRANT: Final = "grant"
# Mails of a folder that are looked at.
_MAX_MAILS: Final = 50
_CONTENT_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,100}")
# What a browser shows and does not run; an SVG is a document with scripts.
_SHOWN: Final = re.compile(r"(image|audio|video)/(?!svg)[a-z0-9.-]+")
_MEDIA_CLASSES: Final = {
    "audio": MediaClass.MUSIC,
    "image": MediaClass.IMAGE,
    "video": MediaClass.VIDEO,
}
_HEADERS: Final[dict[str, str]] = {
    hdrs.CACHE_CONTROL: "private, no-store",
    hdrs.CONTENT_SECURITY_POLICY: (
        "sandbox; default-src 'none'; img-src 'self'; media-src 'self';"
        " style-src 'unsafe-inline'"
    ),
    hdrs.X_CONTENT_TYPE_OPTIONS: "nosniff",
}


async def async_get_media_source(hass: HomeAssistant) -> MediaSource:
    """Offer the attachments of all accounts."""
    view = AttachmentView(hass)
    hass.http.register_view(view)
    return AttachmentSource(hass, view)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What can be browsed: an account, and perhaps a folder, a mail, a part of it."""

    entry: ImapPushConfigEntry
    folder: str = ""
    uid_validity: int = 0
    uid: int = 0
    part: str = ""

    @classmethod
    def parse(cls, hass: HomeAssistant, identifier: str) -> Self:
        """Return what an identifier names; raise HomeAssistantError if it names nothing."""
        entry_id, *names = identifier.split("/")
        entry = async_get_config_entry(hass, DOMAIN, entry_id)
        try:
            return cls(entry=entry, **_parse(*names))
        except (TypeError, ValueError, vol.Invalid) as err:
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="unknown_media"
            ) from err

    def identifier(self, *, uid: int = 0, part: str = "") -> str:
        """Return the identifier of this, or of a mail or part in it."""
        names = [self.entry.entry_id]
        if self.folder:
            names.append(_encode(self.folder))
        if uid or self.uid:
            names += [str(self.uid_validity), str(uid or self.uid)]
        if part or self.part:
            names.append(part or self.part)
        return "/".join(names)

    @property
    def client(self) -> Client:
        """Return the command connection of the account."""
        return self.entry.runtime_data.client

    async def attachment(self) -> Attachment:
        """Return what is known of the part."""
        return await self.client.attachment(
            self.folder, self.uid_validity, self.uid, self.part
        )


def _encode(folder: str) -> str:
    """Return a folder's name, in which anything may stand, as a part of a path.

    Without the padding, in which Home Assistant's request filter sees an attack.
    """
    return urlsafe_b64encode(folder.encode()).decode().rstrip("=")


def _decode(folder: str) -> str:
    return urlsafe_b64decode(folder + "=" * (-len(folder) % 4)).decode()


def _parse(
    folder: str = "", uid_validity: str = "", uid: str = "", part: str = ""
) -> dict[str, Any]:
    """Return the fields of a place below an account."""
    fields: dict[str, Any] = {}
    if folder:
        fields["folder"] = LINE(_decode(folder))
    if uid_validity:
        fields |= {"uid_validity": number(uid_validity), "uid": number(uid)}
    if part:
        fields["part"] = PART(part)
    return fields


@contextmanager
def _told_as(kind: type[HomeAssistantError]) -> Iterator[None]:
    """Raise what the user is told as the error that Home Assistant expects here."""
    try:
        yield
    except HomeAssistantError as err:
        raise kind(
            translation_domain=err.translation_domain,
            translation_key=err.translation_key,
            translation_placeholders=err.translation_placeholders,
        ) from err


class AttachmentSource(MediaSource):
    """Lets people browse to attachments."""

    name = "Mail attachments"

    def __init__(self, hass: HomeAssistant, view: AttachmentView) -> None:
        """Keep what the accounts are found by, and what serves attachments."""
        super().__init__(DOMAIN)
        self.hass = hass
        self._view = view

    @override
    async def async_resolve_media(self, item: MediaSourceItem) -> PlayMedia:
        """Return where an attachment is served."""
        requester = await async_requester_of_media(self.hass, item.target_media_player)
        with _told_as(Unresolvable):
            place = _Place.parse(self.hass, item.identifier)
            requester.check(Access.READ, place.entry)
            with translated_errors(place.entry.title):
                attachment = await place.attachment()
        if requester.is_automation:
            # Else the URL would be signed for the user whose action started the automation.
            url = self._view.url_for_automation(place.identifier())
        else:
            url = f"{AttachmentView.path}/{place.identifier()}"
        return PlayMedia(url, _content_type(attachment))

    @override
    async def async_browse_media(self, item: MediaSourceItem) -> BrowseMediaSource:
        """Return what is in an account, a folder or a mail."""
        requester = await async_requester_of_media(self.hass, None)
        if not item.identifier:
            return _directory(None, self.name, self._accounts(requester))
        with _told_as(BrowseError):
            place = _Place.parse(self.hass, item.identifier)
            requester.check(Access.READ, place.entry)
            with translated_errors(place.entry.title):
                return await _browse(place)

    def _accounts(self, requester: Requester) -> list[BrowseMediaSource]:
        return [
            _directory(entry.entry_id, entry.title)
            for entry in self.hass.config_entries.async_loaded_entries(DOMAIN)
            if requester.may(Access.READ, entry)
        ]


async def _browse(place: _Place) -> BrowseMediaSource:
    """Return a place with what is in it."""
    if place.uid:
        mails = await place.client.mails(place.folder, place.uid_validity, [place.uid])
        if not mails:
            raise MailNotFound
        children = [_file(place, attachment) for attachment in mails[0].files]
        return _directory(place.identifier(), _title(mails[0]), children)
    if place.folder:
        return _directory(place.identifier(), place.folder, await _mails(place))
    folders = [
        _directory(replace(place, folder=folder.name).identifier(), folder.name)
        for folder in await place.client.folders()
    ]
    return _directory(place.identifier(), place.entry.title, folders)


async def _mails(place: _Place) -> list[BrowseMediaSource]:
    """Return the newest mails of a folder that have attachments."""
    found = await place.client.search(
        place.folder, Criteria(has_attachment=True), limit=_MAX_MAILS
    )
    mails = await place.client.mails(place.folder, found.uid_validity, found.uids)
    folder = replace(place, uid_validity=found.uid_validity)
    return [
        _directory(folder.identifier(uid=mail.uid), _title(mail))
        for mail in mails
        if mail.files
    ]


def _directory(
    identifier: str | None,
    title: str | None,
    children: list[BrowseMediaSource] | None = None,
) -> BrowseMediaSource:
    """Return what has something in it."""
    return BrowseMediaSource(
        domain=DOMAIN,
        identifier=identifier,
        media_class=MediaClass.DIRECTORY,
        media_content_type="",
        title=title or "",
        can_play=False,
        can_expand=True,
        children=children,
    )


def _file(mail: _Place, attachment: Attachment) -> BrowseMediaSource:
    """Return an attachment of a mail."""
    content_type = _content_type(attachment)
    return BrowseMediaSource(
        domain=DOMAIN,
        identifier=mail.identifier(part=attachment.part),
        media_class=_MEDIA_CLASSES.get(content_type.partition("/")[0], MediaClass.URL),
        media_content_type=content_type,
        title=safe_filename(attachment.filename, content_type),
        can_play=True,
        can_expand=False,
    )


def _title(mail: Mail) -> str:
    """Return what a mail is known by."""
    names = filter(None, (mail.sender_name or mail.sender, mail.subject))
    return " · ".join(names) or str(mail.uid)


def _content_type(attachment: Attachment) -> str:
    """Return the type that a mail gives a part, if it is one."""
    content_type = attachment.content_type
    if _CONTENT_TYPE.fullmatch(content_type):
        return content_type
    return "application/octet-stream"


class AttachmentView(HomeAssistantView):
    """Serves attachments to users who may read the account's mail."""

    path = f"/api/{DOMAIN}/attachment"
    url = f"{path}/{{identifier:.+}}"
    name = f"api:{DOMAIN}:attachment"

    def __init__(self, hass: HomeAssistant) -> None:
        """Keep what the accounts are found by."""
        self.hass = hass
        self._secret = token_bytes()

    def url_for_automation(self, identifier: str) -> str:
        """Return a signed URL that opens an attachment for everyone who has it."""
        return async_sign_path(
            self.hass,
            f"{self.path}/{identifier}?{_GRANT}={self._grant(identifier)}",
            timedelta(seconds=CONTENT_AUTH_EXPIRY_TIME),
            use_content_user=True,
        )

    def _grant(self, identifier: str) -> str:
        return hmac.digest(self._secret, identifier.encode(), "sha256").hex()

    def _requester(self, request: web.Request, place: _Place) -> Requester:
        """Return who sends a request.

        A signature of a system user does not prove that an automation was given the URL: Home
        Assistant also signs what a user plays by a webhook, as the companion app does, like that.
        """
        user: User = request[KEY_HASS_USER]
        grant = self._grant(place.identifier())
        if user.system_generated and hmac.compare_digest(
            request.query.get(_GRANT, "").encode(), grant.encode()
        ):
            return AUTOMATION
        return Requester(user=user)

    async def get(self, request: web.Request, identifier: str) -> web.StreamResponse:
        """Pass an attachment on as it comes from the mail server."""
        try:
            place = _Place.parse(self.hass, identifier)
        except HomeAssistantError as err:
            raise web.HTTPNotFound from err
        if not self._requester(request, place).may(Access.READ, place.entry):
            raise web.HTTPForbidden
        try:
            attachment = await place.attachment()
            pieces = place.client.read_part(
                place.folder, place.uid_validity, place.uid, place.part
            )
            first = await anext(pieces, b"")
        except (FolderNotFound, FolderRenumbered, MailNotFound, PartNotFound) as err:
            raise web.HTTPNotFound from err
        except ImapError as err:
            raise web.HTTPServiceUnavailable from err
        response = web.StreamResponse(headers=_headers(attachment))
        await response.prepare(request)
        try:
            await response.write(first)
            async for piece in pieces:
                await response.write(piece)
        except ImapError:
            # An orderly end would say that this is all of it.
            if request.transport is not None:
                request.transport.abort()
        return response


def _headers(attachment: Attachment) -> dict[str, str]:
    """Return headers that let a browser show what is harmless, and keep all else as a file."""
    content_type = _content_type(attachment)
    kind = "inline" if _SHOWN.fullmatch(content_type) else "attachment"
    filename = quote(safe_filename(attachment.filename, content_type), safe="")
    return {
        **_HEADERS,
        hdrs.CONTENT_DISPOSITION: f"{kind}; filename*=UTF-8''{filename}",
        hdrs.CONTENT_TYPE: content_type,
    }
