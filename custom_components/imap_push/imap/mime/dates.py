"""Parse the Date field (RFC 5322 3.3, 4.3). The result is None if the date is ambiguous."""

from datetime import UTC, datetime, timedelta, timezone
import re
from typing import Final

from .characters import one_line
from .lexemes import without_comments

# Octets that are parsed, without comments. The longest valid date has about 40.
_MAX_LENGTH: Final = 200

_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august",
    "september", "october", "november", "december",
)  # fmt: skip

# Hours from UTC. The names in the first two lines are those of RFC 5322 4.3. The others have one
# meaning in the IANA time zone database; ambiguous names like IST and BST are left out.
_ZONES: Final = {
    "ut": 0, "gmt": 0, "utc": 0, "z": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5,
    "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
    "wet": 0, "west": 1, "cet": 1, "cest": 2, "met": 1, "mest": 2, "eet": 2, "eest": 3,
    "akst": -9, "akdt": -8, "hst": -10, "jst": 9, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13,
}  # fmt: skip
_UTC_NAMES: Final = frozenset({"ut", "gmt", "utc"})


def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII | re.IGNORECASE)


# A time: `10:00:00`, `6:09 PM`, `10.00.00`.
_TIME: Final = _pattern(
    r"(?<![\d.:])(?P<hour>\d{1,2}) ?(?P<separator>[:.]) ?(?P<minute>\d{1,2})"
    r"(?: ?(?P=separator) ?(?P<second>\d{1,2})(?:[.,](?P<fraction>\d{1,9}))?)?(?![\d:])"
    r"(?: ?(?P<half>[AP])M\b)?"
)
# The name of the day is ignored, as the other fields determine the day.
_DAY_NAME: Final = r"(?:[^\W\d_]{2,12}\.?,? ?)?,? ?"
_DATES: Final = (
    # RFC 5322, or RFC 850 with dashes.
    _pattern(
        rf"{_DAY_NAME}(?P<day>\d{{1,2}})[ -]?(?P<month>[A-Z]{{3,9}})\.?[ ,-]{{0,2}}(?P<year>\d{{2,4}}),? "
    ),
    # `date` and `ctime` of Unix, which may have the year at the end.
    _pattern(
        rf"{_DAY_NAME}(?P<month>[A-Z]{{3,9}})\.? (?P<day>\d{{1,2}}),? (?:(?P<year>\d{{4}}),? )?"
    ),
    # ISO 8601.
    _pattern(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[T ]"),
)
# The form of most fields, which is parsed without the general rules.
_COMMON_FORM: Final = re.compile(
    rb"(?:[A-Z][a-z][a-z], )?+(\d\d?) ([A-Z][a-z][a-z]) ((?:19|2\d)\d\d) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)([0-5]\d)"
    rb"(?: ?\([^()\\]*+\))?+"
)
_SHORT_MONTHS: Final = {
    name[:3].capitalize().encode(): number for number, name in enumerate(_MONTHS, 1)
}
_YEAR: Final = re.compile(r"(?<!\S)[12]\d{3}(?!\S)", re.ASCII)
_ZONE: Final = _pattern(
    r"(?P<name>[A-Z]{1,5})?(?: ?(?P<sign>[+-])(?P<hours>\d{1,2}):?(?P<minutes>\d\d)?(?!\d))?"
    r"(?: ?(?P<suffix>[A-Z][A-Z ./_-]*))?"
)


def parse_date(field: bytes) -> datetime | None:
    """Return the date and time with its zone; None if a part is missing or ambiguous."""
    if not field:
        return None
    if (match := _COMMON_FORM.fullmatch(field)) and (found := _from_common_form(match)):
        return found
    octets = without_comments(field)[:_MAX_LENGTH]
    text = one_line(octets.decode("utf-8", "replace"))
    if (time := _TIME.search(text)) is None:
        return None
    before, after = text[: time.start()], text[time.end() :]
    date = next(filter(None, (form.fullmatch(before) for form in _DATES)), None)
    if date is None:
        return None
    year = date["year"]
    if year is None and (last := _YEAR.search(after)):
        year, after = last[0], after[: last.start()] + after[last.end() :]
    zone = _zone(" ".join(after.split()))
    month = _month(date["month"])
    if not year or zone is None or month is None:
        return None
    try:
        found = _datetime(_year(year), month, int(date["day"]), time, zone)
        found.astimezone(UTC)
    except OverflowError, ValueError:
        return None
    return found


def _from_common_form(match: re.Match[bytes]) -> datetime | None:
    day, month, year, hour, minute, second, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    try:
        zone = timezone(-offset if sign == b"-" else offset)
        number = _SHORT_MONTHS[month]
        return datetime(
            int(year), number, int(day), int(hour), int(minute), int(second), 0, zone
        )
    except KeyError, ValueError:
        return None


def _month(text: str) -> int | None:
    """Return the number of a month of digits, or of an English name of at least three letters."""
    if text.isdecimal():
        return int(text)
    found = [
        number
        for number, name in enumerate(_MONTHS, 1)
        if name.startswith(text.lower())
    ]
    return found[0] if found else None


def _year(digits: str) -> int:
    """Return the year of two, three or four digits (RFC 5322 4.3)."""
    year = int(digits)
    if len(digits) == 2 and year < 50:
        return year + 2000
    if len(digits) < 4:
        return year + 1900
    if year < 1900:
        raise ValueError("not the year of a message")
    return year


def _datetime(
    year: int, month: int, day: int, time: re.Match[str], zone: timezone
) -> datetime:
    hour, second = int(time["hour"]), int(time["second"] or 0)
    if half := time["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("not an hour of a 12-hour clock")
        hour = hour % 12 + (12 if half in "pP" else 0)
    # A leap second (RFC 5322 3.3) becomes the first second of the next minute.
    leap = timedelta(seconds=1 if second == 60 else 0)
    microsecond = int((time["fraction"] or "")[:6].ljust(6, "0"))
    minute = int(time["minute"])
    second -= leap.seconds
    return datetime(year, month, day, hour, minute, second, microsecond, zone) + leap


def _zone(text: str) -> timezone | None:
    """Return the zone of a name, an offset or both; None if they contradict each other."""
    if not text or (match := _ZONE.fullmatch(text)) is None:
        return None
    name, suffix = ((match[key] or "").lower() for key in ("name", "suffix"))
    if not match["sign"]:
        # RFC 822 defined the military zones incorrectly, so they mean UTC (RFC 5322 4.3).
        is_military = len(name) == 1 and name != "j"
        hours = 0 if is_military else _ZONES.get(name)
        return None if hours is None or suffix else timezone(timedelta(hours=hours))
    if len(match["hours"]) == 1 and not match["minutes"] and name not in _UTC_NAMES:
        return None
    hours, minutes = int(match["hours"]), int(match["minutes"] or 0)
    if hours > 23 or minutes > 59:
        return None
    offset = timedelta(hours=hours, minutes=minutes)
    offset = -offset if match["sign"] == "-" else offset
    names = {suffix} if name in _UTC_NAMES else {name, suffix}
    for known in names & _ZONES.keys():
        if timedelta(hours=_ZONES[known]) != offset:
            return None
    return timezone(offset)
