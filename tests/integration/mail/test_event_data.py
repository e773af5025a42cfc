"""The fields of `new_mail`."""

from datetime import UTC, datetime, timedelta, timezone
import json
from typing import Any

import pytest

from custom_components.imap_push.imap import (
    Arrival,
    Attachment,
    Authentication,
    Mail,
    PushMode,
)
from custom_components.imap_push.mail.event_data import new_mail_from_arrival

BARE = {
    "entry_id": "01ENTRY",
    "device_id": "device",
    "account": "Work",
    "folder": "INBOX",
    "uid": 7,
    "uid_validity": 3,
    "message_id": None,
    "sender": "",
    "sender_name": "",
    "to": [],
    "cc": [],
    "reply_to": [],
    "subject": "",
    "date": None,
    "received": None,
    "size": 0,
    "flags": [],
    "attachments": [],
    "bulk": False,
    "authentication": None,
    "text": None,
    "truncated": False,
    "push": "idle",
    "catch_up": False,
}


def _new_mail(
    push: PushMode = PushMode.IDLE, *, catch_up: bool = False, **fields: Any
) -> dict[str, Any]:
    """Return the event of a mail with these fields."""
    mail = Mail(folder="INBOX", uid_validity=3, uid=7, **fields)
    return new_mail_from_arrival(
        Arrival(mail=mail, push=push, catch_up=catch_up),
        entry_id="01ENTRY",
        device_id="device",
        account="Work",
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, {}, id="all fields are always present"),
        pytest.param(
            {
                "message_id": "<1@example.org>",
                "sender": "shop@example.org",
                "sender_name": "Größe & Co",
                "subject": "Ihre Bestellung 🎉",
                "size": 18_000_000,
            },
            {
                "message_id": "<1@example.org>",
                "sender": "shop@example.org",
                "sender_name": "Größe & Co",
                "subject": "Ihre Bestellung 🎉",
                "size": 18_000_000,
            },
            id="text and numbers",
        ),
        pytest.param(
            {
                "to": ("a@example.org", "b@example.org"),
                "cc": ("c@example.org",),
                "reply_to": ("d@example.org",),
                "flags": ("\\Seen", "$Important"),
            },
            {
                "to": ["a@example.org", "b@example.org"],
                "cc": ["c@example.org"],
                "reply_to": ["d@example.org"],
                "flags": ["\\Seen", "$Important"],
            },
            id="lists",
        ),
        pytest.param(
            {
                "date": datetime(
                    2026, 11, 3, 13, 30, tzinfo=timezone(timedelta(hours=1))
                ),
                "received": datetime(2026, 11, 3, 12, 30, 1, tzinfo=UTC),
            },
            {
                "date": "2026-11-03T13:30:00+01:00",
                "received": "2026-11-03T12:30:01+00:00",
            },
            id="dates",
        ),
        pytest.param(
            {
                "attachments": (
                    Attachment(
                        part="2",
                        filename="invoice.pdf",
                        content_type="application/pdf",
                        size=4,
                    ),
                    Attachment(
                        part="3.1",
                        filename="attachment-3-1.png",
                        content_type="image/png",
                        size=5,
                        encoding="base64",
                        disposition="inline",
                        content_id="logo@example.org",
                        inline=True,
                    ),
                )
            },
            {
                "attachments": [
                    {
                        "part": "2",
                        "filename": "invoice.pdf",
                        "content_type": "application/pdf",
                        "size": 4,
                        "encoding": None,
                        "disposition": None,
                        "content_id": None,
                        "inline": False,
                    },
                    {
                        "part": "3.1",
                        "filename": "attachment-3-1.png",
                        "content_type": "image/png",
                        "size": 5,
                        "encoding": "base64",
                        "disposition": "inline",
                        "content_id": "logo@example.org",
                        "inline": True,
                    },
                ]
            },
            id="attachments without their content",
        ),
        pytest.param(
            {"bulk": True, "text": "Dear Jane", "truncated": True},
            {"bulk": True, "text": "Dear Jane", "truncated": True},
            id="bulk, text and truncated",
        ),
        pytest.param(
            {"authentication": Authentication(server="mx.example.net", dmarc="pass")},
            {
                "authentication": {
                    "server": "mx.example.net",
                    "spf": None,
                    "dkim": None,
                    "dmarc": "pass",
                    "domain": "",
                }
            },
            id="authentication",
        ),
        pytest.param(
            {"to": ("a@x.org",), "recipients": ("a@x.org", "b@x.org")},
            {"to": ["a@x.org"]},
            id="recipients are for filters only",
        ),
        pytest.param(
            {"push": PushMode.POLL, "catch_up": True},
            {"push": "poll", "catch_up": True},
            id="how it came",
        ),
    ],
)
def test_fields_of_new_mail(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """All fields are present, and JSON keeps all values unchanged."""
    new_mail = _new_mail(**given)
    assert new_mail == BARE | expected
    assert json.loads(json.dumps(new_mail)) == new_mail
