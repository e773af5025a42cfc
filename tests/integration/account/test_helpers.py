"""Conversion of entry data to types of the engine, and names for the log."""

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.helpers import (
    CRITERIA,
    criteria_from_config,
    name_for_log,
)
from custom_components.imap_push.imap import Criteria

from .. import ENTRY_DATA


@pytest.mark.parametrize(
    ("config", "criteria"),
    [
        pytest.param({}, Criteria(), id="nothing"),
        pytest.param(
            {
                "folders": ["INBOX"],
                "sender": "boss@example.com",
                "recipient": "jane@example.com",
                "subject": "Rechnung für März",
                "text": "overdue",
                "unread": True,
                "flagged": True,
                "larger_than": 2000,
                "has_attachment": True,
                "newer_than": 7,
                "raw": "KEYWORD $Work",
            },
            Criteria(
                sender="boss@example.com",
                recipient="jane@example.com",
                subject="Rechnung für März",
                text="overdue",
                unread=True,
                flagged=True,
                larger_than=2_000_000,
                has_attachment=True,
                newer_than=7,
                raw="KEYWORD $Work",
            ),
            id="everything",
        ),
        pytest.param(
            {"unread": False, "flagged": False, "has_attachment": False},
            Criteria(unread=False, flagged=False, has_attachment=False),
            id="no is not the same as any",
        ),
        pytest.param(
            {"smaller_than": 5, "header": "X-Spam: yes : no"},
            Criteria(smaller_than=5000, header=("X-Spam", "yes : no")),
            id="size and header",
        ),
        pytest.param(
            {"sender": "Ada <ada@x.org>; Bob", "recipient": "@x.org"},
            Criteria(sender=("ada@x.org", "Bob"), recipient="x.org"),
            id="list of addresses and names",
        ),
        pytest.param(
            {"sender": "*", "recipient": "a@"},
            Criteria(recipient="a@"),
            id="no address",
        ),
        pytest.param({"sender": "", "raw": None}, Criteria(), id="emptied fields"),
        pytest.param(
            {"larger_than": 0.5}, Criteria(larger_than=500), id="half a kilobyte"
        ),
    ],
)
def test_criteria_of_a_stored_search(
    config: dict[str, Any], criteria: Criteria
) -> None:
    """Sizes are kilobytes in the form, and octets in the engine."""
    assert criteria_from_config(config) == criteria


def test_criteria_of_engine_and_form_have_the_same_names() -> None:
    """The form stores them by field name."""
    assert set(CRITERIA) == {
        *("sender", "recipient", "subject", "text", "unread", "flagged"),
        *("header", "larger_than", "smaller_than", "has_attachment"),
        *("newer_than", "raw"),
    }


@pytest.mark.parametrize(
    "title",
    ["ann.lee@example.org", '"ann lee"@example.org', "ann lee", "mail@home of ann lee"],
)
def test_name_for_the_log_has_no_username(title: str) -> None:
    """The title can contain the username. Host and entry ID identify the account."""
    entry = MockConfigEntry(
        title=title, data=ENTRY_DATA, entry_id="01JDABCDEFGHIJKLMNPQXY7Z89"
    )
    assert name_for_log(entry) == "imap.example.com (XY7Z89)"
