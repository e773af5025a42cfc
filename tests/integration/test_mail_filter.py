"""What a filter lets through."""

from collections.abc import Iterator
from typing import Any, override

import pytest
import voluptuous as vol

from custom_components.imap_push.mail_filter import (
    FILTER_FIELDS,
    MAX_PATTERN,
    MAX_PATTERNS,
    Glob,
    MailFilter,
)

MAIL: dict[str, Any] = {
    "sender": "Jane.Doe@Mail.Example.com",
    "to": ["me@home.example", "all@team.example"],
    "cc": ["boss@work.example"],
    "subject": "[Ticket #7] Größe geändert",
    "attachments": [
        {
            "part": "2",
            "filename": "Invoice 7.PDF",
            "content_type": "application/pdf",
            "size": 4,
            "inline": False,
        },
        {
            "part": "3",
            "filename": "attachment-3.png",
            "content_type": "image/png",
            "size": 5,
            "inline": False,
        },
    ],
    "bulk": False,
    "catch_up": False,
}
BARE = MAIL | {"sender": "", "to": [], "cc": [], "subject": "", "attachments": []}
LOGO = BARE | {
    "attachments": [
        {
            "part": "1.2",
            "filename": "logo.png",
            "content_type": "image/png",
            "size": 5,
            "inline": True,
        }
    ]
}
SCAN = BARE | {
    "attachments": [
        {
            "part": "2",
            "filename": "Scan.pdf",
            "content_type": "application/x-pdf",
            "size": 5,
            "inline": False,
        }
    ]
}
BULK = MAIL | {"bulk": True}
CATCH_UP = MAIL | {"catch_up": True}


@pytest.fixture(autouse=True)
def _custom_integrations() -> None:
    """Do without the Home Assistant that other tests need."""


def _passes(config: dict[str, Any], mail: dict[str, Any]) -> bool:
    """Return whether a filter that the schema takes lets the mail through."""
    return MailFilter.from_config(vol.Schema(FILTER_FIELDS)(config)).matches(mail)


@pytest.mark.parametrize("field", ["sender", "recipient"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Jane.Doe@mail.example.COM", True, id="address in any case"),
        pytest.param(" jane.doe@mail.example.com ", True, id="blanks around"),
        pytest.param("doe@mail.example.com", False, id="end of an address"),
        pytest.param("jane.doe@mail.example", False, id="beginning of an address"),
        pytest.param("jane.doe@example.com", False, id="address of another domain"),
        pytest.param("mail.example.com", True, id="domain"),
        pytest.param("@mail.example.com", True, id="domain with @"),
        pytest.param("example.com", True, id="domain above"),
        pytest.param("@example.com", True, id="domain above, with @"),
        pytest.param("ample.com", False, id="end of a domain"),
        pytest.param("mail.example", False, id="beginning of a domain"),
        pytest.param("*@*.example.com", True, id="pattern"),
        pytest.param("jane*", True, id="pattern of the beginning"),
        pytest.param("doe*", False, id="pattern is for the whole address"),
        pytest.param("@*.example.com", True, id="pattern of a domain"),
        pytest.param("@*.example", False, id="pattern of another domain"),
        pytest.param("jane?doe@mail.example.com", True, id="one character"),
        pytest.param("jane??doe@mail.example.com", False, id="two characters"),
        pytest.param("*", True, id="anything"),
        pytest.param("jane.doe@mail[.]example.com", False, id="brackets are text"),
        pytest.param("jane.*@mail.example.org", False, id="dot is text"),
    ],
)
def test_address_domain_or_pattern(field: str, text: str, expected: bool) -> None:
    """The same for who wrote it and for who gets it."""
    mail = BARE | {"sender": MAIL["sender"], "to": ["a@b.c"], "cc": ["c@d"]}
    if field == "recipient":
        mail |= {"sender": "", "cc": ["c@d", MAIL["sender"]]}
    assert _passes({field: text}, mail) is expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param({}, True, id="no field"),
        pytest.param(
            {"sender": [], "recipient": [], "subject": [], "attachment_type": []},
            True,
            id="empty lists",
        ),
        pytest.param({"sender": ["a@b.c", "example.com"]}, True, id="one of two"),
        pytest.param({"sender": ["a@b.c", "example.org"]}, False, id="none of two"),
        pytest.param({"recipient": "me@home.example"}, True, id="to"),
        pytest.param({"recipient": "boss@work.example"}, True, id="cc"),
        pytest.param({"recipient": "example.com"}, False, id="not the sender"),
        pytest.param(
            {"sender": "example.com", "subject": "ticket"}, True, id="all fields match"
        ),
        pytest.param(
            {"sender": "example.com", "subject": "bill"}, False, id="one field does not"
        ),
        pytest.param({"subject": "TICKET"}, True, id="subject contains, any case"),
        pytest.param({"subject": "[ticket #7]"}, True, id="brackets in subject"),
        pytest.param({"subject": "[TC]"}, False, id="brackets are no set"),
        pytest.param({"subject": "GRÖSSE"}, True, id="sharp s"),
        pytest.param({"subject": "gro\u0308ße"}, True, id="composed otherwise"),
        pytest.param({"subject": "[ticket*"}, True, id="subject begins"),
        pytest.param({"subject": "*geändert"}, True, id="subject ends"),
        pytest.param({"subject": "*ticket"}, False, id="pattern is for all of it"),
        pytest.param({"subject": "[ticket #?]*"}, True, id="one character of subject"),
        pytest.param({"has_attachment": True}, True, id="has attachment"),
        pytest.param({"has_attachment": False}, False, id="has none"),
        pytest.param({"attachment_type": "application/pdf"}, True, id="type"),
        pytest.param({"attachment_type": "Image/*"}, True, id="any image"),
        pytest.param({"attachment_type": "video/*"}, False, id="no video"),
        pytest.param({"attachment_type": ".pdf"}, True, id="extension"),
        pytest.param({"attachment_type": "pdf"}, True, id="extension without dot"),
        pytest.param({"attachment_type": ".df"}, False, id="part of an extension"),
        pytest.param({"attachment_type": "invoice*.pdf"}, True, id="file name"),
        pytest.param({"attachment_type": ["zip", "image/png"]}, True, id="one of both"),
        pytest.param({"ignore_bulk": True}, True, id="is not bulk"),
        pytest.param({"ignore_catch_up": True}, True, id="is no catch-up"),
    ],
)
def test_a_mail_has_to_match_every_field(
    config: dict[str, Any], expected: bool
) -> None:
    """And of a field one of its values."""
    assert _passes(config, MAIL) is expected


@pytest.mark.parametrize(
    ("config", "mail", "expected"),
    [
        pytest.param({"ignore_bulk": True}, BULK, False, id="bulk"),
        pytest.param({"ignore_bulk": False}, BULK, True, id="bulk wanted"),
        pytest.param({"ignore_catch_up": True}, BULK, True, id="bulk is no catch-up"),
        pytest.param({"ignore_catch_up": True}, CATCH_UP, False, id="catch-up"),
        pytest.param({"ignore_catch_up": False}, CATCH_UP, True, id="catch-up wanted"),
        pytest.param({"has_attachment": True}, BARE, False, id="no attachment"),
        pytest.param({"has_attachment": False}, BARE, True, id="none wanted"),
        pytest.param({"attachment_type": "*"}, BARE, False, id="type of none"),
        pytest.param({"has_attachment": True}, LOGO, False, id="logo only"),
        pytest.param({"has_attachment": False}, LOGO, True, id="logo is no attachment"),
        pytest.param(
            {"attachment_type": "image/*"}, LOGO, False, id="type of the logo"
        ),
        pytest.param(
            {"has_attachment": True, "inline_images": True},
            LOGO,
            True,
            id="logo counts",
        ),
        pytest.param(
            {"has_attachment": False, "inline_images": True},
            LOGO,
            False,
            id="none wanted, logo counts",
        ),
        pytest.param(
            {"attachment_type": "image/*", "inline_images": True},
            LOGO,
            True,
            id="type of a logo that counts",
        ),
        pytest.param({"inline_images": True}, BARE, True, id="logos count, none there"),
        pytest.param(
            {"attachment_type": "application/pdf"}, SCAN, True, id="type by the name"
        ),
        pytest.param(
            {"attachment_type": "application/x-pdf"}, SCAN, True, id="declared"
        ),
        pytest.param({"attachment_type": "image/*"}, SCAN, False, id="no image"),
        pytest.param({"recipient": "*"}, BARE, False, id="no recipient"),
        pytest.param({"sender": "example.com"}, BARE, False, id="no sender"),
        pytest.param({"sender": "*"}, BARE, True, id="anything, even nothing"),
        pytest.param({"subject": "a"}, BARE, False, id="no subject"),
    ],
)
def test_what_kind_of_mail(
    config: dict[str, Any], mail: dict[str, Any], expected: bool
) -> None:
    """Bulk mail and that of a catch-up pass unless told otherwise."""
    assert _passes(config, mail) is expected


def test_a_blank_that_no_schema_saw_restricts_nothing() -> None:
    """Stored data may have been edited by hand."""
    assert MailFilter.from_config({"sender": [" "]}).matches(MAIL)


@pytest.mark.parametrize("field", ["sender", "recipient", "subject", "attachment_type"])
@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param(["a", " "], id="blank"),
        pytest.param("a" * (MAX_PATTERN + 1), id="too long"),
        pytest.param(["a"] * (MAX_PATTERNS + 1), id="too many"),
        pytest.param([["a"]], id="list in a list"),
        pytest.param([None], id="nothing"),
    ],
)
def test_a_bad_pattern_is_refused(field: str, value: Any) -> None:
    """Before it is ever matched."""
    with pytest.raises(vol.Invalid):
        vol.Schema(FILTER_FIELDS)({field: value})


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        pytest.param("", "", True, id="nothing"),
        pytest.param("", "a", False, id="more than nothing"),
        pytest.param("**", "", True, id="stars match nothing"),
        pytest.param("?", "", False, id="a character is missing"),
        pytest.param("a*b*c", "abc", True, id="stars in between"),
        pytest.param("a*b*c", "a-b-b-c-c", True, id="stars go back"),
        pytest.param("a*bc", "abcbcb", False, id="end is missing"),
        pytest.param("*?b", "aab", True, id="star, then a character"),
        pytest.param("*🎉?", "a🎉b", True, id="beyond the basic plane"),
        pytest.param("a" * 200, "a" * 200, True, id="longest"),
    ],
)
def test_patterns(pattern: str, text: str, expected: bool) -> None:
    """A star is any text, a question mark any character."""
    assert Glob.from_patterns([pattern]).matches(text) is expected


class _Counted(str):
    """A text that counts how often a character of it is looked at."""

    __slots__ = ("steps",)
    steps: int

    @override
    def __iter__(self) -> Iterator[str]:
        for character in super().__iter__():
            self.steps += 1
            yield character


@pytest.mark.parametrize(
    ("patterns", "matching"),
    [
        pytest.param([], (), id="no pattern"),
        pytest.param(["a", "b"], ("a", "b"), id="one each"),
        pytest.param(["ab", "cd"], ("ab", "cd"), id="not one after the other"),
        pytest.param(["*", "b"], ("", "a", "ab", "abcd", "b", "cd"), id="anything"),
        pytest.param(["a*", "", "?d"], ("", "a", "ab", "abcd", "cd"), id="all kinds"),
    ],
)
def test_many_patterns_match_as_each_does(
    patterns: list[str], matching: tuple[str, ...]
) -> None:
    """A text matches if one of the patterns does, and only then."""
    glob = Glob.from_patterns(patterns)
    texts = ("", "a", "ab", "abcd", "b", "cd")
    assert tuple(text for text in texts if glob.matches(text)) == matching


@pytest.mark.parametrize("count", [1, MAX_PATTERNS], ids=["one", "as many as allowed"])
@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("*a" * 99 + "*b", id="many stars"),
        pytest.param("*?" * 99 + "*b", id="many stars and characters"),
        pytest.param("*" * 199 + "b", id="stars in a row"),
        pytest.param("*" + "a" * 198 + "b", id="long repetition"),
    ],
)
def test_no_patterns_make_matching_slow(pattern: str, count: int) -> None:
    """Each character of a mail is looked at once, whatever the patterns and their number."""
    text = _Counted("a" * 4_000)
    text.steps = 0
    assert not Glob.from_patterns([pattern] * count).matches(text)
    assert text.steps == len(text)
