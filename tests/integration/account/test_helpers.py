"""What a config entry says reaches the engine in its own words."""

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
        pytest.param({"sender": "", "raw": None}, Criteria(), id="emptied fields"),
        pytest.param(
            {"larger_than": 0.5}, Criteria(larger_than=500), id="half a kilobyte"
        ),
    ],
)
def test_search_is_what_the_form_says(
    config: dict[str, Any], criteria: Criteria
) -> None:
    """Sizes are in kilobytes in the form, in octets at the server."""
    assert criteria_from_config(config) == criteria


def test_every_criterion_can_be_told() -> None:
    """A criterion of the engine has the same name in a search."""
    assert set(CRITERIA) == {
        *("sender", "recipient", "subject", "text", "unread", "flagged"),
        *("larger_than", "has_attachment", "newer_than", "raw"),
    }


@pytest.mark.parametrize(
    "title",
    ["ann.lee@example.org", '"ann lee"@example.org', "ann lee", "mail@home of ann lee"],
)
def test_log_names_an_account_without_its_login_name(title: str) -> None:
    """The title can be the login name; host and ID tell accounts apart."""
    entry = MockConfigEntry(
        title=title, data=ENTRY_DATA, entry_id="01JDABCDEFGHIJKLMNPQXY7Z89"
    )
    assert name_for_log(entry) == "imap.example.com (XY7Z89)"
