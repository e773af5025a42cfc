"""Media source for attachments, with the levels account, folder, mail and attachment."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
import hmac
import re
from secrets import token_bytes
from typing import Final, override
from urllib.parse import quote

from aiohttp import hdrs, web

from homeassistant.auth.models import User
from homeassistant.components.http import KEY_HASS_USER, HomeAssistantView
from homeassistant.components.http.auth import async_sign_path
from homeassistant.components.media_player import (
    CONTENT_AUTH_EXPIRY_TIME,
    BrowseError,
    MediaClass,
    SearchMedia,
    SearchMediaQuery,
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

from .account.picture import PICTURE_TYPES
from .const import DOMAIN
from .helpers import format_time
from .imap import (
    Attachment,
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
from .media_location import Location
from .media_requester import async_requester_of_media
from .permissions import AUTOMATION, Access, Requester

# Query parameter: an HMAC that proves that the URL was created for an automation.
_GRANT: Final = "grant"
# Only this many mails of a folder are listed, the newest ones.
_MAX_MAILS: Final = 50
_CONTENT_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,100}")
# Pictures up to this size, as they are transferred, are their own thumbnails.
_MAX_THUMBNAIL: Final = 1_000_000
# Types that a browser shows without running scripts. Not SVG: it can contain scripts.
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
    """Return the media source for the attachments of all accounts."""
    view = AttachmentView(hass)
    hass.http.register_view(view)
    return AttachmentSource(hass, view)


@contextmanager
def _errors_as(kind: type[HomeAssistantError]) -> Iterator[None]:
    """Convert each HomeAssistantError to `kind`, with the same message."""
    try:
        yield
    except HomeAssistantError as err:
        raise kind(
            translation_domain=err.translation_domain,
            translation_key=err.translation_key,
            translation_placeholders=err.translation_placeholders,
        ) from err


class AttachmentSource(MediaSource):
    """Lists attachments, and resolves them to URLs of AttachmentView."""

    name = "Mail attachments"

    def __init__(self, hass: HomeAssistant, view: AttachmentView) -> None:
        """Create the source; `view` serves the attachments."""
        super().__init__(DOMAIN)
        self.hass = hass
        self._view = view

    @override
    async def async_resolve_media(self, item: MediaSourceItem) -> PlayMedia:
        """Return the URL of an attachment."""
        requester = await async_requester_of_media(self.hass, item.target_media_player)
        with _errors_as(Unresolvable):
            location = Location.parse(self.hass, item.identifier)
            requester.check_access(Access.READ, location.entry)
            with translated_errors(location.entry.title):
                attachment = await location.attachment()
        if requester.is_automation:
            # Home Assistant would sign the URL for the user who started the automation, if any.
            url = self._view.url_for_automation(location.identifier())
        else:
            url = f"{AttachmentView.path}/{location.identifier()}"
        return PlayMedia(url, _content_type(attachment))

    @override
    async def async_browse_media(self, item: MediaSourceItem) -> BrowseMediaSource:
        """Return the list of accounts, or the content of an account, folder or mail."""
        requester = await async_requester_of_media(self.hass, None)
        if not item.identifier:
            return _directory(None, self.name, self._accounts(requester))
        with _errors_as(BrowseError):
            location = Location.parse(self.hass, item.identifier)
            requester.check_access(Access.READ, location.entry)
            with translated_errors(location.entry.title):
                return await _browse(location)

    @override
    async def async_search_media(
        self, item: MediaSourceItem, query: SearchMediaQuery
    ) -> SearchMedia:
        """Return the mails of a folder whose sender or subject contains a text.

        If only media of some classes are requested, return the attachments of these classes.
        """
        requester = await async_requester_of_media(self.hass, None)
        with _errors_as(BrowseError):
            location = Location.parse(self.hass, item.identifier or "")
            requester.check_access(Access.READ, location.entry)
            if not location.folder or location.uid:
                raise NotImplementedError
            with translated_errors(location.entry.title):
                mails = await _found(location, query.search_query)
        if not (classes := query.media_filter_classes):
            return SearchMedia(result=[_mail(location, mail) for mail in mails])
        files = [
            _file(_location_of(location, mail), file)
            for mail in mails
            for file in mail.files
        ]
        return SearchMedia(
            result=[file for file in files if file.media_class in classes]
        )

    def _accounts(self, requester: Requester) -> list[BrowseMediaSource]:
        return [
            _directory(entry.entry_id, entry.title)
            for entry in self.hass.config_entries.async_loaded_entries(DOMAIN)
            if requester.has_access(Access.READ, entry)
        ]


async def _browse(location: Location) -> BrowseMediaSource:
    """Return the media item of a location with its children."""
    if location.uid:
        mails = await location.client.mails(
            location.folder, location.uid_validity, [location.uid]
        )
        if not mails:
            raise MailNotFound(folder=location.folder)
        children = [_file(location, attachment) for attachment in mails[0].files]
        return _directory(location.identifier(), _title(mails[0]), children)
    if location.folder:
        return _folder(location, await _mails(location))
    folders = [
        _folder(location._replace(folder=folder.name))
        for folder in await location.client.folders()
    ]
    return _directory(location.identifier(), location.entry.title, folders)


async def _mails(location: Location) -> list[BrowseMediaSource]:
    """Return media items for the newest mails of a folder that have attachments."""
    found = await location.client.search(
        location.folder, Criteria(has_attachment=True), limit=_MAX_MAILS
    )
    mails = await location.client.mails(location.folder, found.uid_validity, found.uids)
    return [_mail(location, mail) for mail in mails if mail.files]


async def _found(location: Location, text: str) -> list[Mail]:
    """Return the newest mails with attachments whose sender or subject contains a text."""
    uids: set[int] = set()
    attached = Criteria(has_attachment=True)
    for criteria in (replace(attached, sender=text), replace(attached, subject=text)):
        found = await location.client.search(
            location.folder, criteria, limit=_MAX_MAILS
        )
        uids |= {*found.uids}
    newest = sorted(uids, reverse=True)[:_MAX_MAILS]
    mails = await location.client.mails(location.folder, found.uid_validity, newest)
    return [mail for mail in mails if mail.files]


def _location_of(folder: Location, mail: Mail) -> Location:
    return folder._replace(uid_validity=mail.uid_validity, uid=mail.uid)


def _mail(folder: Location, mail: Mail) -> BrowseMediaSource:
    """Return the media item of a mail, with the thumbnail of its first small picture."""
    location = _location_of(folder, mail)
    thumbnails = (_thumbnail(location, file) for file in mail.files)
    item = _directory(location.identifier(), _title(mail))
    item.thumbnail = next(filter(None, thumbnails), None)
    return item


def _thumbnail(mail: Location, file: Attachment) -> str | None:
    """Return the URL of an attachment if it is a small picture."""
    if file.content_type not in PICTURE_TYPES or file.size > _MAX_THUMBNAIL:
        return None
    return f"{AttachmentView.path}/{mail.identifier(part=file.part)}"


def _folder(
    location: Location, children: list[BrowseMediaSource] | None = None
) -> BrowseMediaSource:
    item = _directory(location.identifier(), location.folder, children)
    item.can_search = True
    return item


def _directory(
    identifier: str | None,
    title: str | None,
    children: list[BrowseMediaSource] | None = None,
) -> BrowseMediaSource:
    """Return the media item of a level above attachments."""
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


def _file(mail: Location, attachment: Attachment) -> BrowseMediaSource:
    content_type = _content_type(attachment)
    return BrowseMediaSource(
        domain=DOMAIN,
        identifier=mail.identifier(part=attachment.part),
        media_class=_MEDIA_CLASSES.get(content_type.partition("/")[0], MediaClass.URL),
        media_content_type=content_type,
        title=safe_filename(attachment.filename, content_type),
        can_play=True,
        can_expand=False,
        thumbnail=_thumbnail(mail, attachment),
    )


def _title(mail: Mail) -> str:
    """Return time, sender and subject."""
    received = mail.received or mail.date
    time = format_time(received) if received else str(mail.uid)
    names = filter(None, (time, mail.sender_name or mail.sender, mail.subject))
    return " · ".join(names)


def _content_type(attachment: Attachment) -> str:
    """Return the declared content type, or a generic one if it is invalid."""
    content_type = attachment.content_type
    if _CONTENT_TYPE.fullmatch(content_type):
        return content_type
    return "application/octet-stream"


class AttachmentView(HomeAssistantView):
    """Serves attachments to users with read access to the account's mail."""

    path = f"/api/{DOMAIN}/attachment"
    url = f"{path}/{{identifier:.+}}"
    name = f"api:{DOMAIN}:attachment"

    def __init__(self, hass: HomeAssistant) -> None:
        """Create the view with a random key for grants."""
        self.hass = hass
        self._secret = token_bytes()

    def url_for_automation(self, identifier: str) -> str:
        """Return a signed URL with which anyone can open the attachment for a limited time."""
        return async_sign_path(
            self.hass,
            f"{self.path}/{identifier}?{_GRANT}={self._grant(identifier)}",
            timedelta(seconds=CONTENT_AUTH_EXPIRY_TIME),
            use_content_user=True,
        )

    def _grant(self, identifier: str) -> str:
        return hmac.digest(self._secret, identifier.encode(), "sha256").hex()

    def _requester(self, request: web.Request, location: Location) -> Requester:
        """Return the user of an HTTP request, or AUTOMATION if the URL has a valid grant.

        The signature of a system user is not enough: Home Assistant also signs with it if a
        user plays media by a webhook (companion app).
        """
        user: User = request[KEY_HASS_USER]
        grant = self._grant(location.identifier())
        if user.system_generated and hmac.compare_digest(
            request.query.get(_GRANT, "").encode(), grant.encode()
        ):
            return AUTOMATION
        return Requester(user=user)

    async def get(self, request: web.Request, identifier: str) -> web.StreamResponse:
        """Stream an attachment from the mail server."""
        try:
            location = Location.parse(self.hass, identifier)
        except HomeAssistantError as err:
            raise web.HTTPNotFound from err
        if not self._requester(request, location).has_access(
            Access.READ, location.entry
        ):
            raise web.HTTPForbidden
        try:
            attachment = await location.attachment()
            pieces = location.client.read_part(
                location.folder, location.uid_validity, location.uid, location.part
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
            # Abort: after a normal end, the HTTP client would assume that the file is complete.
            if request.transport is not None:
                request.transport.abort()
        return response


def _headers(attachment: Attachment) -> dict[str, str]:
    """Return response headers that let a browser show harmless types and download others."""
    content_type = _content_type(attachment)
    kind = "inline" if _SHOWN.fullmatch(content_type) else "attachment"
    filename = quote(safe_filename(attachment.filename, content_type), safe="")
    return {
        **_HEADERS,
        hdrs.CONTENT_DISPOSITION: f"{kind}; filename*=UTF-8''{filename}",
        hdrs.CONTENT_TYPE: content_type,
    }
