"""The comparison finds what is different, and only that."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from . import report
from .compare import Agreement, Comparison, compare
from .reading import (
    File,
    Reading,
    Value,
    address,
    addresses,
    file,
    html_line,
    line,
    text_line,
)

PARSERS = ("email", "postal-mime", "mailparser")
LONG = "word " * 100


def compared(ours: Value, theirs: Mapping[str, Value], field: str) -> Comparison:
    """Return a comparison of one field."""
    return Comparison(message="a.eml", field=field, ours=ours, theirs=theirs)


def named(*values: Value) -> dict[str, Value]:
    """Return what the three parsers read."""
    return dict(zip(PARSERS, values, strict=False))


@pytest.mark.parametrize(
    ("theirs", "agreement"),
    [
        (named("door", "door", "door"), Agreement.WITH_US),
        (named("door", "gate", "wall"), Agreement.WITH_US),
        (named("gate", "gate", "gate"), Agreement.AGAINST_US),
        (named("gate", "gate", "door"), Agreement.AGAINST_US),
        (named("gate", "door", "gate"), Agreement.AGAINST_US),
        (named("door", "gate", "gate"), Agreement.ONE_AUTHOR),
        (named("wall", "gate", "gate"), Agreement.ONE_AUTHOR),
        (named("wall", "gate", "hall"), Agreement.NONE),
        ({"Chromium": "door"}, Agreement.WITH_US),
        ({"Chromium": "gate"}, Agreement.NONE),
    ],
    ids=[
        "all agree", "one of them", "all against us", "two against us", "two others",
        "one author", "one author and another", "all different", "browser", "browser differs",
    ],
)  # fmt: skip
def test_agreement(theirs: Mapping[str, Value], agreement: Agreement) -> None:
    """What counts is that two parsers of different authors agree."""
    assert compared("door", theirs, "subject").agreement is agreement


@pytest.mark.parametrize(
    ("ours", "theirs", "is_cut", "is_same"),
    [
        (LONG, LONG + "more", True, True),
        (LONG, LONG + "more", False, False),
        (LONG, "other " + LONG, True, False),
        ("short", "short and more", True, False),
        ("", "more", True, False),
    ],
    ids=["cut", "not cut", "other beginning", "too short", "empty"],
)
def test_cut_field_is_the_beginning(
    ours: str, theirs: str, is_cut: bool, is_same: bool
) -> None:
    """A field that was cut has to be long and to begin in the same way."""
    it = replace(compared(ours, {"email": theirs}, "text"), is_cut=is_cut)
    assert bool(it.same) is is_same


@pytest.mark.parametrize(
    ("ours", "theirs", "is_same"),
    [
        (("application/pdf",), ("application/octet-stream",), True),
        (("application/octet-stream",), ("application/pdf",), False),
        (("image/png",), ("image/jpeg",), False),
    ],
    ids=["by its name", "not by its name", "other"],
)
def test_type_follows_the_file_name(ours: Value, theirs: Value, is_same: bool) -> None:
    """Ours may say more than octet-stream, and no less than another parser."""
    assert bool(compared(ours, {"email": theirs}, "types").same) is is_same


def a_file(
    name: str = "a.pdf", kind: str = "application/pdf", data: bytes = b"\xff1"
) -> File:
    """Return an attachment."""
    return file(name, kind, data)


@pytest.mark.parametrize(
    ("theirs", "fields"),
    [
        ((a_file(),), []),
        ((a_file(name="b.pdf"),), ["names"]),
        ((a_file(kind="image/png"),), ["types"]),
        ((a_file(data=b"\xff2"),), ["attachments"]),
        ((), ["attachments"]),
        ((a_file(), a_file()), ["attachments"]),
        (None, []),
    ],
    ids=["same", "name", "type", "content", "missing", "repeated", "not read"],
)
def test_difference_in_files_is_found(
    theirs: tuple[File, ...] | None, fields: list[str]
) -> None:
    """Names and types are compared where the contents are the same."""
    found = compare(
        "a.eml", Reading(files=(a_file(),)), {"email": Reading(files=theirs)}
    )
    assert [it.field for it in found if not it.same] == fields


def test_planted_difference_is_found_in_each_field() -> None:
    """A field that one parser could not read is compared with the others."""
    fields = ("sender", "to", "subject", "date", "text")
    good = Reading(values=dict.fromkeys((*fields, "event_text"), "door"))
    assert all(it.same for it in compare("a.eml", good, {"email": good}))
    for field in fields:
        bad = Reading(values={**good.values, field: "gate"})
        theirs = {"email": bad, "mailparser": bad, "postal-mime": Reading()}
        found = [it for it in compare("a.eml", good, theirs) if it.differs_from]
        also = ["event_text"] if field == "text" else []
        assert sorted(it.field for it in found) == sorted([field, *also])


@pytest.mark.parametrize(
    ("function", "given", "expected"),
    [
        (line, " a\r\n\tb\u200b\x07 ", "a b"),
        (line, None, ""),
        (text_line, "a\x00b\n\tc", "ab c"),
        (html_line, "- one\n 2. two\n• three-four\n", "one two three-four"),
        (address, "Ada@MÜLLER.example", "Ada@xn--mller-kva.example"),
        (address, "root", "root"),
        (address, f"a@{'ü' * 70}.example", f"a@{'ü' * 70}.example"),
        (addresses, ["a@b.example", "", None], ("a@b.example",)),
    ],
    ids=[
        "line", "no line", "controls", "list markers", "domain", "no domain", "long label", "addresses",
    ],
)  # fmt: skip
def test_only_documented_choices_are_normalized(
    function: object, given: object, expected: Value
) -> None:
    """Everything else stays a difference."""
    assert callable(function)
    assert function(given) == expected


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (b"a\r\nb\r\n", b"a\nb", True),
        (b"a b", b"a  b", False),
        (b"\xff\r\n", b"\xff\n", False),
    ],
    ids=["line ends of text", "blanks of text", "binary"],
)
def test_line_ends_of_text_files(one: bytes, other: bytes, is_same: bool) -> None:
    """Some parsers lose them; in binary files each octet counts."""
    kind = "application/octet-stream"
    assert (file("a", kind, one) == file("a", kind, other)) is is_same


def test_report_counts_and_shows_differences() -> None:
    """The table, the bars and the list say the same."""
    same = [compared("door", named("door", "door", "door"), "subject")] * 150
    bad = compared("door", named("gate", "gate", "door"), "subject")
    html = compared("door", {"Chromium": "gate"}, "html")
    rows = list(report.table([*same, bad, html]))
    assert "subject | 151 | 150 | 151 | 151 | 1 | 0.66 | 0 | 0" in rows
    assert "html | 1 | 0 | 0 | 0 | 0 | 0.00 | 0 | 1" in rows
    shown = list(report.differences([*same, bad, html], "subject"))
    assert shown[0].startswith("a.eml: subject")
    assert "'gate'" in shown[2]
    assert "the same" in shown[4]


@pytest.mark.parametrize(
    ("comparisons", "lost", "is_good"),
    [
        ([("door", "subject")] * 200, 0, True),
        ([("door", "subject")] * 200, 1, False),
        ([*[("door", "subject")] * 200, ("gate", "subject")], 0, True),
        ([*[("door", "subject")] * 99, ("gate", "subject")], 0, False),
    ],
    ids=["equal", "lost", "below the bar", "at the bar"],
)
def test_bar_of_fields(
    comparisons: list[tuple[str, str]], lost: int, is_good: bool
) -> None:
    """Fewer than 1 percent of the fields on which two parsers agree may differ."""
    made = [compared("door", named(it, it, it), field) for it, field in comparisons]
    assert report.summary(made, lost)[1] is is_good


@pytest.mark.parametrize(("equal", "is_good"), [(97, True), (96, False)], ids=str)
def test_bar_of_html(equal: int, is_good: bool) -> None:
    """At least 97 percent of the documents have to be equal."""
    made = [
        compared("door", {"Chromium": "door" if number < equal else "gate"}, "html")
        for number in range(100)
    ]
    assert report.summary(made, 0)[1] is is_good


def test_agreement_of_one_author_is_no_bar() -> None:
    """The two parsers of one author share their errors."""
    made = [compared("door", named("door", "gate", "gate"), "subject")] * 10
    lines, is_good = report.summary(made, 0)
    assert is_good
    assert "we differ on 10" in lines[0]
