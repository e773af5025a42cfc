"""Filters of new mail."""

import fnmatch
import re
from typing import Any

import pytest
import voluptuous as vol

from custom_components.imap_push.imap import MessageContent
from custom_components.imap_push.mail.filter import (
    FILTER_FIELDS,
    MailFilter,
    check_filter,
    find_error,
)
from custom_components.imap_push.mail.patterns import (
    MAX_PATTERN,
    MAX_PATTERNS,
    REASONS,
    PatternError,
    compile_patterns,
    search_texts,
)


def _file(name: str, content_type: str, *, inline: bool = False) -> dict[str, Any]:
    """Return the fields of an attachment that a filter uses."""
    return {"filename": name, "content_type": content_type, "inline": inline}


MAIL: dict[str, Any] = {
    "sender": "Jane.Doe@Mail.Example.com",
    "sender_name": "Jane Doe",
    "to": ["me@home.example", "all@team.example"],
    "cc": ["boss@work.example"],
    "subject": "[Ticket #7] Größe geändert",
    "attachments": [
        _file("Invoice 7.PDF", "application/pdf"),
        _file("attachment-3.png", "image/png"),
    ],
    "bulk": False,
    "authentication": None,
    "catch_up": False,
}
BARE = MAIL | {
    "sender": "",
    "sender_name": "",
    "to": [],
    "cc": [],
    "subject": "",
    "attachments": [],
}
LOGO = _file("logo.png", "image/png", inline=True)
ONLY_LOGO = MAIL | {"attachments": [LOGO]}
SCANS = MAIL | {
    "attachments": [
        LOGO,
        _file("scan.pdf", "application/x-pdf"),
        _file("attachment-4.jpg", "image/jpeg"),
    ]
}
BULK = MAIL | {"bulk": True}
CATCH_UP = MAIL | {"catch_up": True}


@pytest.fixture(autouse=True)
def _custom_integrations() -> None:
    """Replace the fixture of the same name: these tests need no Home Assistant."""


def _passes(config: dict[str, Any], mail: dict[str, Any]) -> bool:
    """Return whether a mail passes a filter that the schema accepts."""
    mail_filter = MailFilter.from_config(vol.Schema(FILTER_FIELDS)(config))
    return mail_filter.matches(mail, (*mail["to"], *mail["cc"]))


def _authenticated(
    server: str, dmarc: str | None = "pass", domain: str = "mail.example.com"
) -> dict[str, Any]:
    """Return the mail with the result of its topmost Authentication-Results field."""
    results = {"spf": "pass", "dkim": "pass", "dmarc": dmarc, "domain": domain}
    return MAIL | {"authentication": {"server": server, **results}}


@pytest.mark.parametrize("field", ["sender", "recipient"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Jane.Doe@mail.example.COM", True, id="address in any case"),
        pytest.param(" jane.doe@mail.example.com ", True, id="spaces around"),
        pytest.param("doe@mail.example.com", False, id="end of an address"),
        pytest.param("jane.doe@mail.example", False, id="beginning of an address"),
        pytest.param("jane.doe@example.com", False, id="address of another domain"),
        pytest.param("mail.example.com", True, id="domain"),
        pytest.param("@mail.example.com", True, id="domain with @"),
        pytest.param("example.com", True, id="parent domain"),
        pytest.param("@example.com", True, id="parent domain, with @"),
        pytest.param("ample.com", False, id="end of a domain"),
        pytest.param("mail.example", False, id="beginning of a domain"),
        pytest.param("*@*.example.com", True, id="pattern"),
        pytest.param("jane*", True, id="pattern of the beginning"),
        pytest.param("doe*", False, id="pattern matches the whole address"),
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
    """Sender and recipient follow the same rules."""
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
        pytest.param({"subject": "[TC]"}, False, id="brackets are not a set"),
        pytest.param({"subject": "GRÖSSE"}, True, id="sharp s"),
        pytest.param({"subject": "gro\u0308ße"}, True, id="decomposed"),
        pytest.param({"subject": "[ticket*"}, True, id="subject begins"),
        pytest.param({"subject": "*geändert"}, True, id="subject ends"),
        pytest.param(
            {"subject": "*ticket"}, False, id="pattern matches the whole subject"
        ),
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
def test_mail_has_to_match_every_field(config: dict[str, Any], expected: bool) -> None:
    """Of each field it has to match one value."""
    assert _passes(config, MAIL) is expected


@pytest.mark.parametrize(
    ("config", "mail", "expected"),
    [
        pytest.param({"ignore_bulk": True}, BULK, False, id="bulk"),
        pytest.param({"ignore_bulk": False}, BULK, True, id="bulk allowed"),
        pytest.param({"ignore_catch_up": True}, BULK, True, id="bulk is not catch-up"),
        pytest.param({"ignore_catch_up": True}, CATCH_UP, False, id="catch-up"),
        pytest.param({"ignore_catch_up": False}, CATCH_UP, True, id="catch-up allowed"),
        pytest.param({"has_attachment": True}, BARE, False, id="no attachment"),
        pytest.param({"has_attachment": False}, BARE, True, id="none required"),
        pytest.param(
            {"attachment_type": "*"}, BARE, False, id="type without attachment"
        ),
        pytest.param({"recipient": "*"}, BARE, False, id="no recipient"),
        pytest.param({"sender": "example.com"}, BARE, False, id="no sender"),
        pytest.param({"sender": "*"}, BARE, True, id="star matches empty text"),
        pytest.param({"subject": "a"}, BARE, False, id="no subject"),
    ],
)
def test_kinds_of_mail(
    config: dict[str, Any], mail: dict[str, Any], expected: bool
) -> None:
    """Bulk mail and mail of the catch-up pass by default."""
    assert _passes(config, mail) is expected


@pytest.mark.parametrize(
    ("config", "mail", "expected"),
    [
        pytest.param({"has_attachment": True}, ONLY_LOGO, False, id="only a logo"),
        pytest.param({"has_attachment": False}, ONLY_LOGO, True, id="logo does not count"),
        pytest.param({"attachment_type": "image/*"}, ONLY_LOGO, False, id="type of a logo"),
        pytest.param({"attachment_type": "logo*"}, ONLY_LOGO, False, id="name of a logo"),
        pytest.param({"has_attachment": True}, SCANS, True, id="logo and files"),
        pytest.param({"attachment_type": "image/png"}, SCANS, False, id="logo among files"),
        pytest.param({"attachment_type": "image/*"}, SCANS, True, id="picture without a name"),
        pytest.param({"attachment_type": "application/pdf"}, SCANS, True, id="type by name"),
        pytest.param({"attachment_type": "application/x-pdf"}, SCANS, True, id="declared type"),
        pytest.param({"attachment_type": ".pdf"}, SCANS, True, id="extension"),
        pytest.param({"inline_images": True}, BARE, True, id="alone, no attachment"),
        pytest.param({"inline_images": True}, ONLY_LOGO, True, id="alone, a logo"),
        pytest.param({"inline_images": True, "has_attachment": True}, ONLY_LOGO, True, id="logo counts"),
        pytest.param({"inline_images": True, "has_attachment": False}, ONLY_LOGO, False, id="logo counts as one"),
        pytest.param({"inline_images": True, "attachment_type": "image/png"}, SCANS, True, id="type of a logo that counts"),
        pytest.param({"inline_images": True, "has_attachment": True}, BARE, False, id="nothing to count"),
        pytest.param({"inline_images": False, "has_attachment": True}, ONLY_LOGO, False, id="off"),
    ],
)  # fmt: skip
def test_attachments_and_inline_images(
    config: dict[str, Any], mail: dict[str, Any], expected: bool
) -> None:
    """Inline images count only with the option."""
    assert _passes(config, mail) is expected


def test_blank_value_in_stored_data_restricts_nothing() -> None:
    """Stored data may have been edited manually."""
    assert MailFilter.from_config({"sender": [" "]}).matches(MAIL, ())


@pytest.mark.parametrize("field", ["sender", "recipient"])
@pytest.mark.parametrize(
    ("text", "address", "expected"),
    [
        pytest.param("ada@müller.example", "ada@xn--mller-kva.example", True, id="Unicode filter"),
        pytest.param("ada@xn--mller-kva.example", "ada@müller.example", True, id="ASCII filter"),
        pytest.param("MÜLLER.example", "ada@mail.XN--MLLER-KVA.example", True, id="parent domain, upper case"),
        pytest.param("*@*.xn--mller-kva.example", "ada@mail.müller.example", True, id="pattern"),
        pytest.param("xn--*.example", "ada@müller.example", False, id="pattern within a label"),
        pytest.param("muller.example", "ada@xn--mller-kva.example", False, id="other domain"),
        pytest.param("müller@x.example", "xn--mller-kva@x.example", False, id="local part"),
        pytest.param("xn--.example", "ada@xn--.example", True, id="empty label"),
        pytest.param("xn--99999999.example", "ada@xn--99999999.example", True, id="invalid label"),
        pytest.param("xn--" + "a" * 100, "ada@xn--" + "a" * 100, True, id="long label"),
        pytest.param("example", "ada@xn--example-.example", True, id="label that is ASCII"),
    ],
)  # fmt: skip
def test_international_domains(
    field: str, text: str, address: str, expected: bool
) -> None:
    """Both forms of a domain are equal (RFC 5890)."""
    mail = BARE | {"sender": address if field == "sender" else "", "to": [address]}
    assert _passes({field: text}, mail) is expected


@pytest.mark.parametrize(
    ("text", "fields", "expected"),
    [
        pytest.param("alarm system", {"sender_name": "Alarm System"}, True, id="name"),
        pytest.param("alarm*", {"sender_name": "Alarm System"}, True, id="pattern of a name"),
        pytest.param("alarm", {"sender_name": "Alarm System"}, True, id="word of a name"),
        pytest.param("larm", {"sender_name": "Alarm System"}, False, id="part of a word"),
        pytest.param("root", {"sender": "root", "sender_name": "Cron Daemon"}, True, id="local part"),
        pytest.param("cron*", {"sender": "root", "sender_name": "Cron Daemon"}, False, id="name of an address"),
        pytest.param("boss@x.org", {"sender": "a@b.c", "sender_name": "boss@x.org"}, False, id="name like an address"),
    ],
)  # fmt: skip
def test_sender_without_a_domain(
    text: str, fields: dict[str, str], expected: bool
) -> None:
    """Devices without an address are matched by their name, but a name is never an address."""
    assert _passes({"sender": text}, BARE | fields) is expected


def test_recipient_that_the_event_does_not_show() -> None:
    """All recipients are compared, not only those in the event."""
    mail_filter = MailFilter.from_config({"recipient": ["last@home.example"]})
    assert mail_filter.matches(MAIL, (*MAIL["to"], "last@home.example"))
    assert not mail_filter.matches(MAIL, MAIL["to"])


@pytest.mark.parametrize(
    ("text", "mail", "expected"),
    [
        pytest.param("mx.example.net", _authenticated("mx.example.net"), True, id="this server"),
        pytest.param("MX.example.net", _authenticated("mx.EXAMPLE.net"), True, id="any case"),
        pytest.param("example.net", _authenticated("mx.example.net"), True, id="any server of the provider"),
        pytest.param("mx*.example.net", _authenticated("mx12.example.net"), True, id="pattern"),
        pytest.param("example.net", _authenticated("mx.badexample.net"), False, id="end of a name"),
        pytest.param("mx.example.net", _authenticated("mx.example.org"), False, id="other server"),
        pytest.param("mx.example.net", _authenticated(""), False, id="no name"),
        pytest.param("mx.example.net", MAIL, False, id="no field"),
        pytest.param("mx.example.net", _authenticated("mx.example.net", "fail"), False, id="failed"),
        pytest.param("mx.example.net", _authenticated("mx.example.net", "bestguesspass"), False, id="guess"),
        pytest.param("mx.example.net", _authenticated("mx.example.net", None), False, id="not checked"),
        pytest.param("mx", _authenticated("mx", domain="EXAMPLE.com"), True, id="parent domain"),
        pytest.param("mx", _authenticated("mx", domain=""), False, id="domain not given"),
        pytest.param("mx", _authenticated("mx", domain="evil.example"), False, id="other author"),
        pytest.param("mx", _authenticated("mx", domain="ample.com"), False, id="end of the domain"),
        pytest.param("mx", _authenticated("mx") | {"sender": ""}, False, id="no sender"),
    ],
)  # fmt: skip
def test_authenticated_by(text: str, mail: dict[str, Any], expected: bool) -> None:
    """Mail passes only if the user's own server confirms the domain of the shown sender."""
    assert _passes({"authenticated_by": text}, mail) is expected


@pytest.mark.parametrize(
    "field",
    ["sender", "recipient", "subject", "attachment_type", "authenticated_by"],
)
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
def test_invalid_pattern_is_refused(field: str, value: Any) -> None:
    """The schema refuses it."""
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
    """A star matches any text, a question mark any character."""
    assert bool(compile_patterns([pattern]).match(text)) is expected
    # The reference, except that brackets are special there.
    assert fnmatch.fnmatchcase(text, pattern.replace("[", "[[]")) is expected


@pytest.mark.parametrize(
    ("patterns", "matching"),
    [
        pytest.param(["a", "b"], ("a", "b"), id="one each"),
        pytest.param(["ab", "cd"], ("ab", "cd"), id="not one after the other"),
        pytest.param(["*", "b"], ("", "a", "ab", "abcd", "b", "cd"), id="anything"),
        pytest.param(["a*", "", "?d"], ("", "a", "ab", "abcd", "cd"), id="all kinds"),
    ],
)
def test_combined_patterns_match_if_one_does(
    patterns: list[str], matching: tuple[str, ...]
) -> None:
    """The result equals that of the patterns one by one."""
    compiled = compile_patterns(patterns)
    texts = ("", "a", "ab", "abcd", "b", "cd")
    assert tuple(text for text in texts if compiled.match(text)) == matching


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
def test_hostile_patterns_do_not_backtrack(pattern: str, count: int) -> None:
    """An expression with backtracking would not finish."""
    compiled = compile_patterns([pattern] * count)
    assert not compiled.match("a" * 4_000)
    assert compiled.match("a" * 4_000 + "b")


NAMED = BARE | {"sender": "ada@example.com", "sender_name": "Lovelace, Ada (Dr.)"}
NAMELESS = BARE | {"sender": "ada.lovelace@example.com"}


@pytest.mark.parametrize(
    ("text", "mail", "expected"),
    [
        pytest.param("Ada Lovelace <ada@example.com>", NAMED, True, id="copied"),
        pytest.param("Ada Lovelace <bob@example.com>", NAMED, False, id="copied, of another person"),
        pytest.param('"Lovelace, Ada" <ada@example.com>', NAMED, True, id="copied, quoted"),
        pytest.param("Lovelace, Ada <bob@example.com>", NAMED, False, id="comma in a name is no list"),
        pytest.param("Bob <b@x.org>, Ada <ada@example.com>", NAMED, True, id="list"),
        pytest.param("b@x.org;ada@example.com", NAMED, True, id="list with semicolons"),
        pytest.param("b@x.org, example.com,", NAMED, True, id="list of an address and a domain"),
        pytest.param("Bob; Lovelace", NAMED, True, id="list of names"),
        pytest.param("Bob, Charles", NAMED, False, id="list of other names"),
        pytest.param("<ADA@EXAMPLE.COM>", NAMED, True, id="only brackets"),
        pytest.param("mailto:ada@example.com", NAMED, True, id="link"),
        pytest.param("Ada <*@example.com>", NAMED, True, id="pattern in brackets"),
        pytest.param("EXAMPLE.COM.", NAMED, True, id="domain with a dot at the end"),
        pytest.param("ada@example.com.", NAMED, True, id="address with a dot at the end"),
        pytest.param(".example.com", NAMED, True, id="domain with a dot before it"),
        pytest.param("ada", NAMED, True, id="first name"),
        pytest.param("Ada Lovelace", NAMED, True, id="name in another order"),
        pytest.param("dr. ada lovelace", NAMED, True, id="name with a title"),
        pytest.param('"Lovelace, Ada"', NAMED, True, id="quoted name"),
        pytest.param("Love", NAMED, False, id="part of a word"),
        pytest.param("Ada Byron", NAMED, False, id="another name"),
        pytest.param("Lovelace, A*", NAMED, True, id="name and pattern"),
        pytest.param("Lovelace*Ada *", NAMED, True, id="pattern of a name"),
        pytest.param("Lovelace?, Ada", NAMED, True, id="list of a pattern and a name"),
        pytest.param("*, Ada (Dr.)", NAMED, True, id="list with any sender"),
        pytest.param("ada lovelace", NAMELESS, True, id="name in the address"),
        pytest.param("Ada L*", NAMELESS, False, id="pattern of a name, which is missing"),
        pytest.param("example", NAMELESS, False, id="name is no domain"),
        pytest.param("root@localhost", BARE | {"sender": "root@localhost"}, True, id="local host"),
        pytest.param("nas", BARE | {"sender_name": "NAS (admin) nas@local"}, True, id="no address"),
        pytest.param('"a b"@x.org', BARE | {"sender": '"a b"@x.org'}, True, id="quoted local part"),
    ],
)  # fmt: skip
def test_what_users_enter_as_a_sender(
    text: str, mail: dict[str, Any], expected: bool
) -> None:
    """An address is compared with the address, a domain with the domain, a name with the name."""
    assert _passes({"sender": text}, mail) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Ada <ada@alias.example>, x@y.example", True, id="list"),
        pytest.param("ada", True, id="local part"),
        pytest.param("ada+news", False, id="another local part"),
        pytest.param("alias.example", True, id="domain"),
    ],
)
def test_what_users_enter_as_a_recipient(text: str, expected: bool) -> None:
    """Aliases come after To and Cc."""
    mail_filter = MailFilter.from_config({"recipient": [text]})
    assert (
        mail_filter.matches(BARE, ("list@x.example", "ada@alias.example")) is expected
    )


IMPOSSIBLE = {
    "filter_incomplete": ["ada@", "@", "ada@.", "Ada <>", "<>", "a@b..c", "ada@ "],
    "filter_characters": [
        *("<", ">", "Ada <ada@example.com", "ada@example.com>", "a b@example.com"),
        *("Ada ada@example.com", "ada@exam ple.com", "(a)@b", "https://example.com"),
    ],
    "filter_no_text": ["-", "---", "_", "!!", ".", "..", '"-"'],
    "filter_empty": [",", ";", " , ; "],
}
REFUSED = [
    (field, text, reason)
    for field in ("sender", "recipient")
    for reason, texts in IMPOSSIBLE.items()
    for text in texts
] + [
    ("recipient", "Ada Lovelace", "filter_no_names"),
    ("sender", "a, " * 51, "filter_too_long"),
    ("subject", "x" * 201, "filter_too_long"),
    ("header", "X Priority: 1", "filter_header"),
    ("header", ": 1", "filter_header"),
    ("header", "Grüße: 1", "filter_header"),
    ("attachment_type", "application/", "filter_incomplete"),
    ("attachment_type", "/pdf", "filter_incomplete"),
    ("attachment_type", "image", "filter_incomplete"),
    ("attachment_type", "PDF files", "filter_incomplete"),
    ("attachment_type", ".", "filter_incomplete"),
    ("authenticated_by", "a@mx.example.net", "filter_characters"),
    ("authenticated_by", "mx example", "filter_characters"),
    ("authenticated_by", ".", "filter_characters"),
]


@pytest.mark.parametrize(("field", "text", "reason"), REFUSED)
def test_value_that_no_mail_can_match_is_refused(
    field: str, text: str, reason: str
) -> None:
    """By forms and triggers, with the reason; one that is stored already matches nothing."""
    with pytest.raises(vol.Invalid, match=re.escape(REASONS[reason])):
        vol.Schema(FILTER_FIELDS)({field: text})
    found = find_error({field: [text]})
    assert found is not None
    assert (found[0], found[1].key) == (field, reason)
    stored = MailFilter.from_config({field: [text]})
    assert not stored.matches(MAIL, ["ada@example.com"]) or field == "header"
    if field == "header":
        assert not stored.matches_content(MessageContent(MAIL, (("X-A", "1"),)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("config", "field"),
    [
        pytest.param(
            {"has_attachment": False, "attachment_type": ["pdf"]},
            "attachment_type",
            id="type of no attachment",
        ),
        pytest.param({"larger_than": 5, "smaller_than": 5}, "smaller_than", id="sizes"),
    ],
)
def test_contradictions_are_refused(config: dict[str, Any], field: str) -> None:
    """No mail can match both fields."""
    with pytest.raises(PatternError):
        check_filter(config)
    found = find_error(config)
    assert found is not None
    assert found[0] == field
    assert find_error({"larger_than": 5, "smaller_than": 6}) is None


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        pytest.param("Motion detected?", "Alarm: Motion detected?", True, id="question"),
        pytest.param("Motion detected?", "Motion detected", False, id="no question"),
        pytest.param(r"detected\?", "Motion detected!", False, id="literal question mark"),
        pytest.param(r"detected\?", "Motion detected? Yes", True, id="literal, found"),
        pytest.param(r"\*\*\* SPAM", "[x] *** SPAM ***", True, id="literal stars"),
        pytest.param(r"\*\*\* SPAM", "[x] abc SPAM", False, id="literal stars, absent"),
        pytest.param(r"\*A*", "*Alarm", True, id="literal star and pattern"),
        pytest.param(r"\*A*", "An *Alarm", False, id="pattern of the whole subject"),
        pytest.param(r"C:\temp", r"Saved to C:\temp", True, id="backslash"),
        pytest.param(r"a\\*", r"a\b", True, id="literal backslash and pattern"),
        pytest.param("Bill ????", "Your Bill 1234 of May", True, id="any characters"),
    ],
)  # fmt: skip
def test_literal_wildcards(pattern: str, subject: str, expected: bool) -> None:
    """A backslash makes a wildcard literal; without a star, a text matches any part."""
    assert _passes({"subject": pattern}, BARE | {"subject": subject}) is expected


@pytest.mark.parametrize(
    ("config", "fields", "expected"),
    [
        pytest.param({"unread": True}, {"flags": []}, True, id="unread"),
        pytest.param({"unread": True}, {"flags": ["\\SEEN"]}, False, id="read"),
        pytest.param({"unread": False}, {"flags": ["\\Seen"]}, True, id="only read"),
        pytest.param({"unread": False}, {"flags": ["\\Flagged"]}, False, id="only read, unread"),
        pytest.param({"flagged": True}, {"flags": ["\\Flagged"]}, True, id="flagged"),
        pytest.param({"flagged": True}, {"flags": ["$Flagged"]}, False, id="keyword"),
        pytest.param({"flagged": False}, {"flags": ["\\Flagged"]}, False, id="not flagged"),
        pytest.param({"flagged": False}, {"flags": []}, True, id="no flag"),
        pytest.param({"larger_than": 5}, {"size": 5001}, True, id="larger"),
        pytest.param({"larger_than": 5}, {"size": 5000}, False, id="not larger"),
        pytest.param({"smaller_than": 5}, {"size": 4999}, True, id="smaller"),
        pytest.param({"smaller_than": 5}, {"size": 5000}, False, id="not smaller"),
        pytest.param({"attachment_type": "Invoice 7.pdf"}, {}, True, id="file name without wildcards"),
        pytest.param({"attachment_type": "zip, .pdf; video/*"}, {}, True, id="list of types"),
    ],
)  # fmt: skip
def test_flags_size_and_files(
    config: dict[str, Any], fields: dict[str, Any], expected: bool
) -> None:
    """They are those at the arrival."""
    assert _passes(config, MAIL | fields) is expected


@pytest.mark.parametrize("field", ["larger_than", "smaller_than"])
@pytest.mark.parametrize("value", [0, -1, "many", float("nan"), float("inf"), 10**9])
def test_invalid_size_is_refused(field: str, value: Any) -> None:
    """No mail is smaller than nothing."""
    with pytest.raises(vol.Invalid):
        vol.Schema(FILTER_FIELDS)({field: value})


WHOLE = ("Your code\r\nis  12345.", False)
CUT = ("Your code", True)


@pytest.mark.parametrize(
    ("text", "event", "decided", "expected"),
    [
        pytest.param("code is", WHOLE, True, True, id="whole text"),
        pytest.param("password", WHOLE, True, False, id="not in the whole text"),
        pytest.param("your", CUT, True, True, id="beginning is enough"),
        pytest.param("12345", CUT, False, True, id="rest of the text"),
        pytest.param("password", CUT, False, False, id="not in the rest"),
        pytest.param("CODE IS", (None, False), False, True, id="no text in the event"),
        pytest.param("code*12?45", (None, False), False, True, id="pattern"),
    ],
)
def test_text(
    text: str, event: tuple[str | None, bool], decided: bool, expected: bool
) -> None:
    """The rest of the text is needed only if the event cannot decide."""
    mail = MAIL | {"text": event[0], "truncated": event[1]}
    mail_filter = MailFilter.from_config({"text": [text]})
    matches = mail_filter.matches(mail, ())
    assert matches is (expected if decided else True)
    assert mail_filter.needs_content(mail) is (matches and not decided)
    content = MessageContent(MAIL, text="Your code\r\nis  12345.")  # type: ignore[arg-type]
    assert mail_filter.matches_content(content) is expected


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        pytest.param("X-Priority: 1", True, id="text"),
        pytest.param("x-priority:1 (HIGHEST)", True, id="any case, no space"),
        pytest.param("X-Priority: 2", False, id="another text"),
        pytest.param("X-Priority: 1*", True, id="pattern"),
        pytest.param("X-Priority: *1", False, id="pattern of the whole text"),
        pytest.param("X-Priority:", True, id="exists"),
        pytest.param("X-Priority", True, id="exists, without a colon"),
        pytest.param("Priority: 1", False, id="another field"),
        pytest.param("X-Spam: no", True, id="second of two fields"),
    ],
)
def test_header_field(field: str, expected: bool) -> None:
    """One of the fields with this name has to have the text."""
    headers = (("X-Priority", "1 (Highest)"), ("X-Spam", "yes"), ("x-spam", "no"))
    mail_filter = MailFilter.from_config({"header": [field]})
    assert mail_filter.needs_content(MAIL)
    content = MessageContent(MAIL, headers)  # type: ignore[arg-type]
    assert mail_filter.matches_content(content) is expected


@pytest.mark.parametrize(
    ("text", "searched"),
    [
        pytest.param("Ada Lovelace <Ada@example.com>", ("Ada@example.com",), id="copied"),
        pytest.param("Jörg; @example.com, *@x.org", ("Jörg", "example.com", "@x.org"), id="list"),
        pytest.param("ada*", ("ada",), id="star at the end"),
        pytest.param("*", (), id="any"),
        pytest.param("a@x.org, *", (), id="any among others"),
        pytest.param("xn--mller-kva.example.", ("xn--mller-kva.example",), id="as it is sent"),
        pytest.param(r"what\?", ("what?",), id="literal"),
    ],
)  # fmt: skip
def test_texts_of_a_search(text: str, searched: tuple[str, ...]) -> None:
    """A server finds them anywhere in the field."""
    assert search_texts(text) == searched


@pytest.mark.parametrize("text", ["a*b@x.org", "ada@", "?da@x.org", "<", ","])
def test_search_that_finds_nothing_is_refused(text: str) -> None:
    """A server knows no wildcards."""
    with pytest.raises(PatternError):
        search_texts(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('"' * 200, id="quotes"),
        pytest.param("<" * 200, id="brackets"),
        pytest.param('"<' * 100, id="quotes and brackets"),
        pytest.param("\\" * 200, id="backslashes"),
        pytest.param("a " * 100, id="words"),
        pytest.param("a, " * 66, id="list"),
        pytest.param("xn--" * 50, id="labels"),
        pytest.param("@" * 200, id="at signs"),
        pytest.param("a@" * 99 + "b", id="addresses"),
        pytest.param("." * 200, id="dots"),
        pytest.param("\0\ud800\U0001f514", id="no text"),
        pytest.param("*a" * 100, id="stars"),
        pytest.param("\u0130" * 200, id="longer when folded"),
    ],
)
@pytest.mark.parametrize("field", ["sender", "recipient", "text", "header", "subject"])
def test_any_value_is_read_or_refused(field: str, text: str) -> None:
    """No value raises another error or takes long, and no mail does."""
    stored = MailFilter.from_config({field: [text] * MAX_PATTERNS})
    name = (text * 5)[:500]
    mail = MAIL | {"sender_name": name, "subject": name, "truncated": True}
    mail |= {"sender": name, "text": text * 50}
    stored.matches(mail, [name] * 100)
    stored.matches_content(MessageContent(MAIL, ((name, name),) * 500, text * 50))  # type: ignore[arg-type]
