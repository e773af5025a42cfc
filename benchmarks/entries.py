"""Config entries as Home Assistant stores them, written without its forms."""

from datetime import UTC, datetime
import json
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from custom_components.imap_push.const import DOMAIN

from tests.e2e.home import credentials
from tests.rig.dovecot import PASSWORD
from tests.rig.ports import LOOPBACK

type Json = dict[str, Any]

KEY: Final = "core.config_entries"
EMPTY: Final[Json] = {"version": 1, "minor_version": 5, "key": KEY}
INBOX: Final = "INBOX"


def core_imap(user: str, port: int) -> Json:
    """Return an account of core `imap` with the defaults of its form."""
    return _entry(
        "imap",
        user,
        {
            "username": user,
            "password": PASSWORD,
            "server": LOOPBACK,
            "port": port,
            "charset": "utf-8",
            "folder": INBOX,
            "search": "UnSeen UnDeleted",
            "event_message_data": [],
            "ssl_cipher_list": "python_default",
            "verify_ssl": True,
        },
    )


def imap_push(user: str, port: int, folders: tuple[str, ...] = (INBOX,)) -> Json:
    """Return an account of `imap_push` with the defaults of its form."""
    data = credentials(user, port)
    subentries = [_folder(folder) for folder in folders]
    return _entry(DOMAIN, user, data) | {"subentries": subentries}


def with_lists(entry: Json, *, has_lists: bool) -> Json:
    """Add a saved search for each folder; with lists, all users may read, and it has a value."""
    value = {"value": {"value_template": "{{ mail.subject }}"}} if has_lists else {}
    searches = [
        _subentry(
            "search",
            f"Unread in {folder['title']}",
            {"folders": [folder["title"]], "unread": True, **value},
        )
        for folder in entry["subentries"]
    ]
    return entry | {
        "subentries": [*entry["subentries"], *searches],
        "options": {"access": "read"} if has_lists else {},
    }


def disabled(entry: Json) -> Json:
    """Return an entry that is disabled."""
    return entry | {"disabled_by": "user"}


def store_entries(home: Path, entries: list[Json]) -> None:
    """Add entries to the storage of a Home Assistant that is not running."""
    path = home / ".storage" / KEY
    content = json.loads(path.read_text()) if path.exists() else dict(EMPTY)
    content.setdefault("data", {"entries": []})["entries"] += entries
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _entry(domain: str, title: str, data: Json) -> Json:
    """Return an entry without options; the port is part of its entry ID."""
    now = datetime.now(UTC).isoformat()
    return {
        "created_at": now,
        "data": data,
        "discovery_keys": {},
        "disabled_by": None,
        "domain": domain,
        "entry_id": uuid4().hex,
        "minor_version": 1,
        "modified_at": now,
        "options": {},
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
        "source": "user",
        "subentries": [],
        "title": title,
        "unique_id": f"{title}@{LOOPBACK}:{data['port']}" if domain == DOMAIN else None,
        "version": 1,
    }


def _folder(name: str) -> Json:
    """Return the subentry of a watched folder."""
    return _subentry("folder", name, {"folder": name}, unique_id=name)


def _subentry(
    kind: str, title: str, data: Json, *, unique_id: str | None = None
) -> Json:
    return {
        "data": data,
        "subentry_id": uuid4().hex,
        "subentry_type": kind,
        "title": title,
        "unique_id": unique_id,
    }
