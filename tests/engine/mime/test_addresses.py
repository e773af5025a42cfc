"""Mailboxes are found in address fields, also in malformed ones.

Each expected value is the result of at least two of these: Python's email.headerregistry and
email.utils.getaddresses, postal-mime, nodemailer (which mailparser uses). Where they disagree, or
where our result differs on purpose, a comment has the reason.
"""

from typing import Final

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.imap_push.imap.mime.addresses import mailboxes

HOSTILE: Final = [
    "(", ")", "<", ">", '"', "\\", ",", ":", ";", "@", ".", "[", "]", "'", "=?", "?=", "=?a?q?x?=", " ", "\r\n ",
    "\t", "\0", "\xff", "\u200b", "a", "a@b.c", "<a@b.c>", "😀",
]  # fmt: skip


def read(field: str | bytes) -> list[tuple[str, str]]:
    """Return name and address of each mailbox; white space in names is a single space."""
    octets = field.encode() if isinstance(field, str) else field
    return [
        (" ".join(box.name.decode("utf-8", "replace").split()), box.address)
        for box in mailboxes(octets)
    ]


@pytest.mark.parametrize(
    ("field", "found"),
    [
        # RFC 5322 A.1, A.5, A.6.
        pytest.param("John Doe <jdoe@machine.example>", [("John Doe", "jdoe@machine.example")], id="A.1.1"),
        pytest.param(
            '"Joe Q. Public" <john.q.public@example.com>', [("Joe Q. Public", "john.q.public@example.com")], id="A.1.2"
        ),
        pytest.param(
            "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
            [("Mary Smith", "mary@x.test"), ("", "jdoe@example.org"), ("Who?", "one@y.test")],
            id="A.1.2, several",
        ),
        pytest.param(
            '<boss@nil.test>, "Giant; \\"Big\\" Box" <sysservices@example.net>',
            [("", "boss@nil.test"), ('Giant; "Big" Box', "sysservices@example.net")],
            id="A.1.2, quoted",
        ),
        pytest.param(
            "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
            [("Ed Jones", "c@a.test"), ("", "joe@where.test"), ("John", "jdoe@one.test")],
            id="A.1.3",
        ),
        pytest.param("Undisclosed recipients:;", [], id="A.1.3, empty group"),
        pytest.param(
            "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", [("Pete", "pete@silly.test")], id="A.5"
        ),
        pytest.param(
            "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n"
            "         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
            [("Chris Jones", "c@public.example"), ("", "joe@example.org"), ("John", "jdoe@one.test")],
            id="A.5, group",
        ),
        pytest.param("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", [], id="A.5, empty group"),
        pytest.param("Joe Q. Public <john.q.public@example.com>", [("Joe Q. Public", "john.q.public@example.com")], id="A.6.1"),
        pytest.param(
            "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
            [("Mary Smith", "mary@example.net"), ("", "jdoe@test.example")],
            id="A.6.1, route, empty, spaces",
        ),
        # RFC 5322 3.4.1, 4.4.
        pytest.param("<@a.example,@b.example:ada@example.com>", [("", "ada@example.com")], id="route of two"),
        pytest.param("<@a.example, , @b.example : ada@example.com>", [("", "ada@example.com")], id="route with holes"),
        pytest.param("Ada <ada . l @ example . com>", [("Ada", "ada.l@example.com")], id="spaces around dots"),
        pytest.param("ada . l @ example . com", [("", "ada.l@example.com")], id="spaces, no brackets"),
        pytest.param("Ada <ada(c)@example.com>", [("Ada", "ada@example.com")], id="comment before @"),
        pytest.param("Ada <ada@(c (d))example(e).com>", [("Ada", "ada@example.com")], id="comments in the domain"),
        pytest.param("ada@\r\n example.com", [("", "ada@example.com")], id="folded after @"),
        pytest.param("Ada <\r\n ada@example.com\r\n >", [("Ada", "ada@example.com")], id="folded in brackets"),
        pytest.param('"ada l"@example.com', [("", '"ada l"@example.com')], id="quoted local part"),
        pytest.param('<"a>\\"b"@example.com>', [("", '"a>\\"b"@example.com')], id="quoted bracket"),
        pytest.param('<"ada" . l@example.com>', [("", '"ada".l@example.com')], id="partly quoted"),
        pytest.param("ada@[192.0.2.1]", [("", "ada@[192.0.2.1]")], id="domain literal"),
        pytest.param("Ada <ada@[IPv6:2001:db8::1]>", [("Ada", "ada@[IPv6:2001:db8::1]")], id="IPv6"),
        pytest.param("G: a@x.org, b@x.org; c@x.org", [("", "a@x.org"), ("", "b@x.org"), ("", "c@x.org")], id="no comma after"),
        # Names.
        pytest.param("ada@example.com (Ada L)", [("Ada L", "ada@example.com")], id="comment as the name"),
        pytest.param("ada@example.com (Ada (L) \\))", [("Ada (L) )", "ada@example.com")], id="comment in a comment"),
        pytest.param("(Ada) <ada@example.com>", [("Ada", "ada@example.com")], id="only a comment as the name"),
        pytest.param("Ada (at work) <ada@example.com>", [("Ada", "ada@example.com")], id="name and comment"),
        pytest.param('"Ada" "Lovelace" <ada@example.com>', [("Ada Lovelace", "ada@example.com")], id="two strings"),
        pytest.param("Ada<ada@example.com>", [("Ada", "ada@example.com")], id="no space"),
        pytest.param("Lovelace, Ada <ada@example.com>", [("Lovelace, Ada", "ada@example.com")], id="unquoted comma"),
        pytest.param("a, Lovelace, Ada <ada@x.org>, b@x.org", [("a, Lovelace, Ada", "ada@x.org"), ("", "b@x.org")], id="two commas"),
        # postal-mime ends the first mailbox here, nodemailer does not.
        pytest.param("Lovelace; Ada <ada@example.com>", [("Lovelace; Ada", "ada@example.com")], id="unquoted semicolon"),
        pytest.param("Dr. A. L <ada@example.com>", [("Dr. A. L", "ada@example.com")], id="unquoted dots"),
        pytest.param("Re: Ada <ada@example.com>", [("Ada", "ada@example.com")], id="unquoted colon"),
        pytest.param("Foo @ Bar <ada@example.com>", [("Foo @ Bar", "ada@example.com")], id="unquoted at"),
        pytest.param("[Ext] Ada <ada@example.com>", [("[Ext] Ada", "ada@example.com")], id="square brackets"),
        pytest.param("boss@x.org <ada@example.com>", [("boss@x.org", "ada@example.com")], id="name like an address"),
        pytest.param('"boss@x.org" <ada@example.com>', [("boss@x.org", "ada@example.com")], id="quoted, like an address"),
        pytest.param('"boss@x.org" ada@example.com', [("boss@x.org", "ada@example.com")], id="the same without brackets"),
        pytest.param("(boss@x.org) ada@example.com", [("boss@x.org", "ada@example.com")], id="comment like an address"),
        pytest.param("boss@x.org: ada@example.com;", [("", "ada@example.com")], id="group like an address"),
        pytest.param("=?utf-8?Q?a=2C_b?= <ada@example.com>", [("=?utf-8?Q?a=2C_b?=", "ada@example.com")], id="encoded comma"),
        pytest.param(
            "=?utf-8?Q?=3Cboss=40x.org=3E?= <ada@example.com>",
            [("=?utf-8?Q?=3Cboss=40x.org=3E?=", "ada@example.com")],
            id="encoded brackets",
        ),
        pytest.param("=?utf-8?Q?L,_(A):_@<?= <ada@example.com>", [("=?utf-8?Q?L,_(A):_@<?=", "ada@example.com")], id="raw specials in a word"),
        pytest.param("=?utf-8?Q?boss=40example.org?=", [], id="encoded address"),
        # Addresses that are not valid, but common.
        pytest.param("a..b.@example.com", [("", "a..b.@example.com")], id="misplaced dots"),
        pytest.param("ada@example.com.", [("", "ada@example.com.")], id="dot at the end"),
        # Both JavaScript parsers, not Python.
        pytest.param("Ada <a@b@example.com>", [("Ada", "a@b@example.com")], id="two ats"),
        pytest.param("Ada ada@example.com", [("Ada", "ada@example.com")], id="no brackets"),
        pytest.param("Ada L. ada@example.com", [("Ada L.", "ada@example.com")], id="no brackets, initial"),
        pytest.param('"Ada" ada@example.com', [("Ada", "ada@example.com")], id="no brackets, quoted name"),
        pytest.param("NAS (admin) nas@local", [("NAS", "nas@local")], id="no brackets, comment"),
        pytest.param("Ada [ada@example.com]", [("Ada []", "ada@example.com")], id="wrong brackets"),
        pytest.param("ada@x.org bob@x.org", [("bob@x.org", "ada@x.org")], id="no comma"),
        pytest.param("<ada@example.com> Ada", [("Ada", "ada@example.com")], id="name after"),
        # All parsers return the first.
        pytest.param("Ada <ada@x.org> <bob@x.org>", [("Ada", "ada@x.org")], id="two pairs of brackets"),
        pytest.param('"ada@example.com"', [("", "ada@example.com")], id="quoted address"),
        pytest.param("Ada <ada@example.com", [("Ada", "ada@example.com")], id="open bracket"),
        pytest.param("ada@x.org; bob@x.org", [("", "ada@x.org"), ("", "bob@x.org")], id="semicolons"),
        # Ours: the others return all of it, with name and brackets, as an address, or nothing.
        pytest.param('"Ada <ada@example.com>', [("Ada", "ada@example.com")], id="open quote"),
        pytest.param('"Ada <ada@example.com>"', [("Ada", "ada@example.com")], id="all of it quoted"),
        pytest.param("Foo :( <ada@example.com>", [("(", "ada@example.com")], id="open comment"),
        pytest.param("Foo <bar> <ada@example.com>", [("Foo", "ada@example.com")], id="brackets in the name"),
        pytest.param("<<ada@example.com>>", [("", "ada@example.com")], id="double brackets"),
        pytest.param("a@x.org, <b@x.org, c@x.org", [("", "a@x.org"), ("", "b@x.org"), ("", "c@x.org")], id="open bracket, comma"),
        # Ours: the apostrophes are Outlook's, and never part of the address.
        pytest.param("'ada@example.com'", [("", "ada@example.com")], id="apostrophes"),
        pytest.param("Ada <'ada@example.com'>", [("Ada", "ada@example.com")], id="apostrophes in brackets"),
        pytest.param("Ada 'ada@example.com'", [("Ada", "ada@example.com")], id="apostrophes, no brackets"),
        pytest.param("o'neil@example.com", [("", "o'neil@example.com")], id="apostrophe within"),
        # No domain: like Python's parsers; the others return it as a name.
        pytest.param("root", [("", "root")], id="local part"),
        pytest.param("<root>", [("", "root")], id="local part in brackets"),
        pytest.param("Cron Daemon <root>", [("Cron Daemon", "root")], id="name and local part"),
        pytest.param("root (Cron Daemon)", [("Cron Daemon", "root")], id="local part and comment"),
        pytest.param("root, ada@example.com", [("", "root"), ("", "ada@example.com")], id="local part, then an address"),
        # No address at all.
        pytest.param("alarm system", [], id="two words"),
        pytest.param("Müller", [], id="word that is not ASCII"),
        pytest.param('"alarm"', [], id="quoted word"),
        pytest.param("<>", [], id="null path"),
        pytest.param("Ada <>", [], id="name and null path"),
        pytest.param("ada@example.com <>", [("", "ada@example.com")], id="address and null path"),
        pytest.param("Ada <ada l@example.com>", [], id="space in the address"),
        pytest.param("(Ada)", [], id="comment alone"),
        pytest.param("", [], id="empty"),
        pytest.param(",;:,", [], id="separators"),
        pytest.param("@", [], id="at"),
    ],
)  # fmt: skip
def test_mailboxes(field: str, found: list[tuple[str, str]]) -> None:
    """Names and addresses are parsed, and a name is never returned as an address."""
    assert read(field) == found


@pytest.mark.parametrize(
    "field",
    [
        pytest.param(b"<b\x00oss@x.org>", id="control"),
        pytest.param(b"boss@x\x0b.org", id="vertical tab"),
        pytest.param("bo\u200bss@x.org".encode(), id="zero width"),
        pytest.param("<boss@\u202ex.org>".encode(), id="direction"),
        pytest.param("Ada boss@x.\xadorg".encode(), id="soft hyphen, no brackets"),
        pytest.param("boss@x.\xa0org".encode(), id="no-break space"),
    ],
)
def test_address_with_an_invisible_character(field: bytes) -> None:
    """It is left out: without the character, it would be the address of another person."""
    assert read(field) == []


def test_address_that_is_not_utf8() -> None:
    """An address in Latin-1, as from old mailers, is decoded."""
    assert read(b"<\xe4da@example.com>") == [("", "äda@example.com")]


@settings(max_examples=500, deadline=None, database=None)
@given(
    octets=st.binary(max_size=100)
    | st.lists(st.sampled_from(HOSTILE)).map(lambda parts: "".join(parts).encode())
)
def test_any_octets(octets: bytes) -> None:
    """No octets raise, and no address has a line break or an invisible character."""
    for box in mailboxes(octets):
        assert box.address.strip() == box.address != ""
        assert not set(box.address) & set("\r\n\t\0\u200b")


ATOM: Final = st.text("abcxyz0189!#$%&'*+-/=?^_`{|}~", min_size=1, max_size=12)
LOCAL_PART: Final = st.one_of(
    st.lists(ATOM, min_size=1, max_size=3)
    .map(".".join)
    .filter(lambda text: "=?" not in text and text.strip("'") == text),
    st.text('abc <>@,:;()."', max_size=8).map(
        lambda text: '"' + text.replace('"', '\\"') + '"'
    ),
)
DOMAIN: Final = st.lists(
    st.text("abcxyz0189", min_size=1, max_size=9), min_size=1, max_size=3
).map(".".join)
NAME: Final = st.text("aBcä ,;:@<>()[]\\\"'.?=", max_size=15)


@settings(max_examples=300, deadline=None, database=None)
@given(people=st.lists(st.tuples(NAME, LOCAL_PART, DOMAIN), min_size=1, max_size=5))
def test_valid_fields_are_parsed(
    people: list[tuple[str, str, str]],
) -> None:
    """Each name and address of a valid field is returned, with any characters in the name."""
    field = ", ".join(
        '"{}" <{}@{}>'.format(
            name.replace("\\", "\\\\").replace('"', '\\"'), local_part, domain
        )
        for name, local_part, domain in people
    )
    assert read(field) == [
        (" ".join(name.split()), f"{local_part}@{domain}")
        for name, local_part, domain in people
    ]
