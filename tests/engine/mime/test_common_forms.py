"""Fields in the common form are parsed without the general rules, with the same result."""

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.imap_push.imap.mime import addresses, dates, encoded_words
from custom_components.imap_push.imap.mime.budget import Budget

NAMES = st.sampled_from(
    ["", "Ada", "Ada L.", '"L, Ada"', '"a@b.c"', "=?utf-8?Q?=C3=84da?=", "Ä ö", "a.b", "'x'", "Ada  L"]
)  # fmt: skip
ADDRESSES = st.sampled_from(
    ["<ada@example.com>", "ada@example.com", "<a.b+c@x-y.example>", "<root>", "root", "<>", "<a@b@c>", "x@y (Ada)"]
)  # fmt: skip
MAILBOXES = st.builds("{}{}{}".format, NAMES, st.sampled_from(["", " "]), ADDRESSES)
LISTS = st.lists(MAILBOXES, max_size=4).map(", ".join)


@settings(max_examples=400, deadline=None, database=None)
@given(field=LISTS | st.text('<>@",:;() ab.=?', max_size=30))
def test_addresses(field: str) -> None:
    """The mailboxes are the same as with the general rules."""
    octets = field.encode()
    found = [*addresses.mailboxes(octets)]
    expected = [*addresses._mailboxes_of_any_form(octets)]
    assert [(box.name.strip(), box.address) for box in found] == [
        (box.name.strip(), box.address) for box in expected
    ]


@pytest.mark.parametrize("day", ["Mon, ", "", "Xyz, "])
@pytest.mark.parametrize("month", ["Nov", "Feb", "Foo", "May"])
@pytest.mark.parametrize("zone", ["+0100", "-0000", "+2359", "-1200", "+9959"])
@pytest.mark.parametrize("clock", ["10:00:00", "24:00:00", "23:59:60", "09:61:00"])
def test_dates(day: str, month: str, zone: str, clock: str) -> None:
    """The date is the same as with the general rules."""
    field = f"{day}30 {month} 2026 {clock} {zone}".encode()
    # With a comment the date does not have the common form.
    assert dates.parse_date(field) == dates.parse_date(field + b" ()")


@settings(max_examples=400, deadline=None, database=None)
@given(
    field=st.lists(
        st.sampled_from(
            ["=?utf-8?Q?a=C3=A4?=", "=?UTF-8?B?w6Q=?=", "=?utf-8?q?=C3?=", "=?utf-8?q?=A4_?=", "=?x?b?=", "=?a?q?b", " ", "a", "=?gb2312?B?x+s=?=", "?="]
        )
    ).map("".join)
)  # fmt: skip
def test_encoded_words(field: str) -> None:
    """The encoded-words are the same as with the general rules."""
    octets = field.encode()
    found = encoded_words._split_common_form(octets)
    if found:
        assert found == encoded_words._split_any_form(octets)
    assert encoded_words.decode_encoded_words(octets, Budget()).isprintable()
