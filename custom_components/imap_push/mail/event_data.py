"""The fields of a mail in events and in the responses of actions."""

from dataclasses import dataclass, field
from typing import Any, Final

from homeassistant.core import Context
from homeassistant.util.signal_type import SignalType

from ..const import DOMAIN
from ..imap import Arrival, Mail
from .content import Content

# The data of the bus event `new_mail`, which can be converted to JSON.
type NewMail = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A new mail, sent as a dispatcher signal. `recipients` has all its addresses, for filters.

    `searches` are the devices of the saved searches that the mail matches. It is empty when the
    mail arrives: the server is asked later, and then the mail is sent again with them.

    If a subscriber fails, Home Assistant logs the repr of this object, so it must not contain
    the mail.
    """

    mail: NewMail = field(repr=False)
    context: Context
    content: Content = field(repr=False)
    recipients: tuple[str, ...] = field(default=(), repr=False)
    searches: frozenset[str] = frozenset()


SIGNAL_NEW_MAIL: Final = SignalType[Delivery](f"{DOMAIN}_new_mail")


def new_mail_from_arrival(
    arrival: Arrival, *, entry_id: str, device_id: str, account: str
) -> NewMail:
    """Return the event data for a mail; the IMAP engine has limited the size of all fields."""
    return {
        **mail_fields(arrival.mail, entry_id=entry_id, account=account),
        "device_id": device_id,
        "push": arrival.push.value,
        "catch_up": arrival.catch_up,
    }


def mail_fields(mail: Mail, *, entry_id: str, account: str) -> dict[str, Any]:
    """Return the fields that are in the event and in responses of actions.

    Not `recipients`: the list can be too long for an event, and only filters use it.
    """
    return {
        "entry_id": entry_id,
        "account": account,
        "folder": mail.folder,
        "uid": mail.uid,
        "uid_validity": mail.uid_validity,
        "message_id": mail.message_id,
        "sender": mail.sender,
        "sender_name": mail.sender_name,
        "to": list(mail.to),
        "cc": list(mail.cc),
        "reply_to": list(mail.reply_to),
        "subject": mail.subject,
        "date": mail.date and mail.date.isoformat(),
        "received": mail.received and mail.received.isoformat(),
        "size": mail.size,
        "flags": list(mail.flags),
        "attachments": [file._asdict() for file in mail.attachments],
        "bulk": mail.bulk,
        "authentication": mail.authentication and mail.authentication._asdict(),
        "text": mail.text,
        "truncated": mail.truncated,
    }


def filter_fields(mail: Mail) -> NewMail:
    """Return the fields that a filter compares, of a mail that is not new."""
    return mail_fields(mail, entry_id="", account="") | {"catch_up": False}
