"""The Date field in all forms that mailers use: the right date, or None."""

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.imap_push.imap.mime.dates import _ZONES, parse_date

# RFC 5322 4.3 defines them, although they have other meanings elsewhere.
RFC_ZONES = frozenset(
    ["ut", "gmt", "utc", "z", "est", "edt", "cst", "cdt", "mst", "mdt", "pst", "pdt"]
)


def read(field: str | bytes) -> str | None:
    """Return the parsed date in ISO 8601."""
    found = parse_date(field.encode() if isinstance(field, str) else field)
    return found.isoformat() if found else None


@pytest.mark.parametrize(
    ("field", "date"),
    [
        # RFC 5322 3.3, A.1, A.5, A.6; email.utils and JavaScript's Date agree if they parse it.
        pytest.param("Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00", id="A.1.1"),
        pytest.param("Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)", "1969-02-13T23:32:00-03:30", id="A.5"),
        pytest.param("21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06+00:00", id="A.6.2"),
        pytest.param("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21T09:55:06-06:00", id="A.6.3"),
        pytest.param("(a)Fri(b),(c)21(d)Nov(e)1997(f)09:55(g)-0600(h(i))", "1997-11-21T09:55:00-06:00", id="comments everywhere"),
        # Both use the zone in the comment, or only JavaScript uses the offset, as in the RFC.
        pytest.param("Mon, 30 Nov 2026 10:00:00 (EST) -0500", "2026-11-30T10:00:00-05:00", id="comment before the zone"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 +0100 (EST)", "2026-11-30T10:00:00+01:00", id="comment disagrees"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 -0000", "2026-11-30T10:00:00+00:00", id="-0000"),
        # Like JavaScript.
        pytest.param("Mon, 30 Nov 2026 10:00:00 GMT+0100", "2026-11-30T10:00:00+01:00", id="GMT+0100"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 UTC+01:00", "2026-11-30T10:00:00+01:00", id="UTC+01:00"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 GMT+1", "2026-11-30T10:00:00+01:00", id="GMT+1"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 GMT-0500 (Eastern Standard Time)", "2026-11-30T10:00:00-05:00", id="JavaScript"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 +01:00", "2026-11-30T10:00:00+01:00", id="+01:00"),
        pytest.param("Mon 30 Nov 2026 06:09:22 PM EST", "2026-11-30T18:09:22-05:00", id="PM"),
        pytest.param("Mon, 30 Nov 2026 12:05:00 AM GMT", "2026-11-30T00:05:00+00:00", id="12 AM"),
        pytest.param("Mon, 30 Nov 2026 12:05 PM GMT", "2026-11-30T12:05:00+00:00", id="12 PM"),
        pytest.param("Mon, 30 Nov 2026 10:00:00.123 +0100", "2026-11-30T10:00:00.123000+01:00", id="milliseconds"),
        pytest.param("2026-11-30T10:00:00Z", "2026-11-30T10:00:00+00:00", id="ISO 8601"),
        pytest.param("2026-11-30T10:00:00.5+01:00", "2026-11-30T10:00:00.500000+01:00", id="ISO 8601, fraction"),
        pytest.param("2026-11-30 10:00:00 +0100", "2026-11-30T10:00:00+01:00", id="ISO 8601, spaces"),
        pytest.param("Mon Nov 30 10:00:00 EST 2026", "2026-11-30T10:00:00-05:00", id="Unix date"),
        pytest.param("Mon Nov 30 10:00:00 2026 +0100", "2026-11-30T10:00:00+01:00", id="ctime with a zone"),
        pytest.param("Nov 30, 2026 10:00:00 +0100", "2026-11-30T10:00:00+01:00", id="month first"),
        pytest.param("Sept 30 2026 10:00:00 GMT", "2026-09-30T10:00:00+00:00", id="four letters"),
        # Like both.
        pytest.param("30 Nov 2026 10:00 +0100", "2026-11-30T10:00:00+01:00", id="no day name, no seconds"),
        pytest.param("Monday, 30-Nov-26 10:00:00 GMT", "2026-11-30T10:00:00+00:00", id="RFC 850"),
        pytest.param("30 November 2026 10:00:00 +0100", "2026-11-30T10:00:00+01:00", id="full month"),
        pytest.param("30-Nov-2026 10:00:00 +0100", "2026-11-30T10:00:00+01:00", id="dashes"),
        pytest.param("Mon,30 Nov 2026 10:00:00+0100", "2026-11-30T10:00:00+01:00", id="no spaces"),
        pytest.param("Mon, 30 Nov 2026, 10:00:00 +0100", "2026-11-30T10:00:00+01:00", id="comma"),
        pytest.param("Mon, 30 Nov 2026 1:7:9 +0000", "2026-11-30T01:07:09+00:00", id="single digits"),
        pytest.param("Mo, 30 Nov 2026 10:00:00 +0100", "2026-11-30T10:00:00+01:00", id="German day"),
        pytest.param("Fri, 30 Nov 2026 10:00:00 +0100", "2026-11-30T10:00:00+01:00", id="wrong day"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 -0500 EST", "2026-11-30T10:00:00-05:00", id="offset and name"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 EST -0500", "2026-11-30T10:00:00-05:00", id="name and offset"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 +100", "2026-11-30T10:00:00+01:00", id="three digits"),
        # Like email.utils.
        pytest.param("Mon, 30 Nov 2026 10.00.00 +0100", "2026-11-30T10:00:00+01:00", id="dots"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 +0100 CET", "2026-11-30T10:00:00+01:00", id="offset and CET"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 +0530 IST", "2026-11-30T10:00:00+05:30", id="offset and an ambiguous name"),
        # RFC 5322 4.3: military zones are equivalent to -0000.
        pytest.param("Mon, 30 Nov 2026 10:00:00 A", "2026-11-30T10:00:00+00:00", id="military"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 CST", "2026-11-30T10:00:00-06:00", id="CST"),
        # RFC 5322 4.3: 1900 is added from 50 on, and to three digits. The other parsers differ.
        pytest.param("30 Nov 49 10:00:00 GMT", "2049-11-30T10:00:00+00:00", id="year 49"),
        pytest.param("30 Nov 50 10:00:00 GMT", "1950-11-30T10:00:00+00:00", id="year 50"),
        pytest.param("30 Nov 126 10:00:00 GMT", "2026-11-30T10:00:00+00:00", id="year 126"),
        # RFC 5322 3.3 allows second 60. The other parsers do not.
        pytest.param("Sat, 31 Dec 2016 23:59:60 +0000", "2017-01-01T00:00:00+00:00", id="leap second"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 CEST", "2026-11-30T10:00:00+02:00", id="CEST"),
        pytest.param(" \ufeffMon, 30 Nov 2026\u200b 10:00:00 +0100\0".encode(), "2026-11-30T10:00:00+01:00", id="invisible characters"),
        pytest.param(b"Mon, 30 Nov 2026 10:00:00 +0100 (Mitteleurop\xe4ische Zeit)", "2026-11-30T10:00:00+01:00", id="comment in Latin-1"),
    ],
)  # fmt: skip
def test_date(field: str | bytes, date: str) -> None:
    """The date and its zone are parsed."""
    assert read(field) == date


@pytest.mark.parametrize(
    "field",
    [
        # No zone, or an ambiguous one.
        pytest.param("Mon, 30 Nov 2026 10:00:00", id="no zone"),
        pytest.param("Mon Nov 30 10:00:00 2026", id="ctime"),
        pytest.param("2026-11-30T10:00:00", id="ISO 8601 without a zone"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 IST", id="India, Israel or Ireland"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 BST", id="Britain or Bangladesh"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 ET", id="not a zone"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 J", id="no military zone"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 EST5EDT", id="POSIX"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 W. Europe Standard Time", id="Windows"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 +1", id="one digit"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 +0100 GMT", id="contradiction"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 EST+0100", id="contradiction, other order"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 +0100 +0200", id="two offsets"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 --0500", id="two signs"),
        pytest.param("Mon, 30 Nov 2026 10:00:00 GMT 0100", id="no sign"),
        pytest.param("Mon, 30 Nov 2026 09:58:40 +9999", id="zone +9999"),
        pytest.param("Mon, 30 Nov 2026 09:58:40 +0160", id="zone of 60 minutes"),
        pytest.param("Mon, 30 Nov 2026 09:58:40 +99999999999999999999", id="absurd zone"),
        # The date or time does not exist.
        pytest.param("Mon, 30 Nov 2026 25:61:61 +0000", id="absurd time"),
        pytest.param("Mon, 30 Nov 2026 24:00:00 +0000", id="24:00"),
        pytest.param("Mon, 30 Nov 2026 10:00:61 +0000", id="second 61"),
        pytest.param("Mon, 30 Nov 2026 13:05 PM GMT", id="13 PM"),
        pytest.param("Mon, 30 Nov 2026 0:05 AM GMT", id="0 AM"),
        pytest.param("Fri, 31 Feb 2026 00:00:00 +0000", id="31 February"),
        pytest.param("Mon, 30 Nov 0 09:58:40 +0000", id="year of one digit"),
        pytest.param("Mon, 30 Nov 1026 09:58:40 +0000", id="year before mail"),
        pytest.param("Mon, 30 Nov 99999 09:58:40 +0000", id="year 99999"),
        pytest.param("Mon, 30 Nov " + "9" * 5_000 + " 09:58:40 +0000", id="year of 5,000 digits"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 -1200", id="after the last year in UTC"),
        pytest.param("2026-13-01T10:00:00Z", id="month 13"),
        # Ambiguous, or not a date.
        pytest.param("30.11.2026 10:00:00 +0100", id="German numbers"),
        pytest.param("11/12/2026 10:00:00 GMT", id="day or month first"),
        pytest.param("Mi, 07 Okt 2026 10:00:00 +0200", id="German month"),
        pytest.param("lun., 30 mars 2026 10:00:00 +0200", id="French month"),
        pytest.param("\u0661 Jan 2026 00:00:00 +0000", id="other digits"),
        pytest.param("2026-11-30", id="no time"),
        pytest.param("Mon, 30 Nov 10:00:00 +0100", id="no year"),
        pytest.param("10:00:00 +0100", id="only a time"),
        pytest.param("yesterday", id="word"),
        pytest.param("Mon,", id="day name"),
        pytest.param(", , : : +", id="punctuation"),
        pytest.param("1 Jan : 0 0", id="misplaced colon"),
        pytest.param("(Mon, 30 Nov 2026 10:00:00 +0100)", id="all of it a comment"),
        pytest.param("", id="empty"),
    ],
)  # fmt: skip
def test_no_date(field: str) -> None:
    """An ambiguous or invalid date is None."""
    assert read(field) is None


@cache
def offsets_by_name() -> dict[str, set[timedelta | None]]:
    """Return the offsets of each zone name in the IANA database in the last 25 years."""
    offsets: dict[str, set[timedelta | None]] = {}
    for key in available_timezones():
        for year in range(2001, 2027):
            for month in (1, 7):
                moment = datetime(year, month, 1, tzinfo=ZoneInfo(key))
                name = (moment.tzname() or "").lower()
                offsets.setdefault(name, set()).add(moment.utcoffset())
    return offsets


@pytest.mark.parametrize("name", sorted(_ZONES.keys() - RFC_ZONES))
def test_zone_has_one_meaning(name: str) -> None:
    """The name has only one offset in the IANA database."""
    assert offsets_by_name()[name] == {timedelta(hours=_ZONES[name])}


@pytest.mark.parametrize("name", ["ist", "cst"])
def test_zone_with_several_meanings(name: str) -> None:
    """An ambiguous name is None, except CST, which RFC 5322 defines."""
    assert len(offsets_by_name()[name]) > 1
    assert (name in _ZONES) is (name in RFC_ZONES)


@settings(max_examples=300, deadline=None, database=None)
@given(
    moment=st.datetimes(
        datetime(1900, 1, 2),
        datetime(9999, 12, 30),
        timezones=st.integers(-14 * 60, 14 * 60).map(
            lambda minutes: timezone(timedelta(minutes=minutes))
        ),
    )
)
def test_dates_of_the_email_package(moment: datetime) -> None:
    """A date in the format of the email package has the same time."""
    assert parse_date(format_datetime(moment).encode()) == moment.replace(microsecond=0)


@settings(max_examples=300, deadline=None, database=None)
@given(
    octets=st.binary(max_size=60)
    | st.text("0123456789:.-+ ,()JanGMTZ\0", max_size=60).map(str.encode)
)
def test_any_octets(octets: bytes) -> None:
    """No octets raise, and a date always has a zone."""
    found = parse_date(octets)
    assert found is None or found.tzinfo is not None
