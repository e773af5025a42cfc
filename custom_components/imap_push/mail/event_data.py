"""What an automation gets of a new mail."""

from dataclasses import asdict
from typing import Any

from ..imap import Arrival, Mail

# The fields of one `new_mail`; all values are what JSON knows.
type NewMail = dict[str, Any]


def new_mail_from_arrival(
    arrival: Arrival, *, entry_id: str, device_id: str, account: str
) -> NewMail:
    """Return the fields of the event; the engine has cut what is long."""
    return {
        **mail_fields(arrival.mail, entry_id=entry_id, account=account),
        "device_id": device_id,
        "push": arrival.push.value,
        "catch_up": arrival.catch_up,
    }


def mail_fields(mail: Mail, *, entry_id: str, account: str) -> dict[str, Any]:
    """Return what the event and the responses of actions contain of a mail.

    `recipients` are left out: they have no bound of an event, and only filters need them.
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
        "attachments": [asdict(attachment) for attachment in mail.attachments],
        "bulk": mail.bulk,
        "authentication": mail.authentication and asdict(mail.authentication),
        "text": mail.text,
        "truncated": mail.truncated,
    }
