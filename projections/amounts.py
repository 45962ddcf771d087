"""Sizes, ages and dates as people write them in a query: `>2gb`, `1..2gb`, `<30d`, `2026-11`, `2026-01..2026-03`.

Each gives the least and the most that is meant, both included. A size or an age alone means about that much: all that
would be rounded to it. Everywhere else a number means exactly what it says, and a date all of its year, month or day.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

MOST_BYTES = 2**63 - 1
NO_BYTES = (0, -1)
"""What no size is within."""
FIRST_MS = -62_135_596_800_000
"""The beginning of the year 1, in ms since 1970 UTC; from there is from ever."""
LAST_MS = 253_402_300_799_999
"""The end of the year 9999; until there is for ever."""

Span = tuple[int, int]

_DAY_MS = 86_400_000
_SIZE_UNITS = {"": 1, "b": 1} | {
    letter + more: 1024**power for power, letter in enumerate("kmgt", 1) for more in ("", "b", "ib")
}
_AGE_UNITS = {"h": 1 / 24, "d": 1, "w": 7, "m": 30, "mo": 30, "y": 365}
_AGE_UNITS_MS = {unit: round(days * _DAY_MS) for unit, days in _AGE_UNITS.items()}
_SIZES_LIKE = "write one like size:>2gb, size:500mb or size:1gb..2gb"
_TIMES_LIKE = "write one like added:<30d, added:2026-11 or added:2026-01..2026-03"

_SIGN = re.compile(">=|<=|>|<|")
_NUMBER = re.compile(r"([0-9]{1,19})(?:[.,]([0-9]{1,9}))?([^\W\d_]*)")
_DATE = re.compile(
    r"([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2})(?:T([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{3}))?)?(Z)?)?)?)?",
    re.IGNORECASE,
)
_BEGINS_A_DATE = re.compile("[0-9]{4}(?:$|-)")


class BadAmount(ValueError):
    """A value that cannot be read: what is wrong, where (counted from its beginning), and what to write instead."""

    def __init__(self, what: str, at: int, cure: str) -> None:
        """Say what is wrong at a place, and how to mend it."""
        super().__init__(what)
        self.what, self.at, self.cure = what, at, cure


class _Value(NamedTuple):
    """A value as it stands in the text, where, and the unit it has if it names none."""

    text: str
    at: int
    unit: str = ""


class _Meant(NamedTuple):
    """What a value means exactly, from `low` to `high`, and from `least` on and below `end` where it stands alone."""

    low: Fraction
    high: Fraction
    least: Fraction
    end: Fraction


def sizes(text: str) -> Span:
    """Give the bytes that `>2gb`, `1gb..2gb` or `2gb` mean; all units count by 1024, as sizes are shown.

    Raises `BadAmount`.
    """
    sign, values = _parts(text, _SIZES_LIKE)
    least, most = _span(sign, [_number(value, _SIZE_UNITS, _SIZES_LIKE) for value in values], values[-1].at)
    least, most = max(0 if least is None else least, 0), MOST_BYTES if most is None else most
    return (min(least, MOST_BYTES), min(most, MOST_BYTES)) if least <= most else NO_BYTES


def times(text: str, now_ms: int, zone: tzinfo | None) -> Span:
    """Give the times, in ms since 1970 UTC, that an age before `now_ms` or a date in `zone` means.

    `<30d` is younger, `>1y` older; `2026-11` lies within it, `>2026-11` behind it. A month of age has 30 days and a
    year 365. Where `zone` is None dates are those of this machine's clock. Raises `BadAmount`.
    """
    sign, values = _parts(text, _TIMES_LIKE)
    if _BEGINS_A_DATE.match(values[0].text):
        since, until = _span(sign, [_date(value, zone) for value in values], values[-1].at)
    else:
        young, old = _span(sign, [_number(value, _AGE_UNITS_MS, _TIMES_LIKE) for value in values], values[-1].at)
        since, until = None if old is None else now_ms - old, None if young is None else now_ms - young
    return (
        FIRST_MS if since is None else _within_reach(since),
        LAST_MS if until is None else _within_reach(until),
    )


def moment_text(time_ms: int) -> str:
    """Give a time from `FIRST_MS` to `LAST_MS` as `times` reads it back, to the millisecond."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    return f"{at.year:04}-{at:%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def _within_reach(time_ms: int) -> int:
    return min(max(time_ms, FIRST_MS), LAST_MS)


def _parts(text: str, cure: str) -> tuple[str, list[_Value]]:
    """Give the sign and the value, or the two values of a range, of which the first may take the other's unit."""
    sign = "" if (found := _SIGN.match(text)) is None else found.group()
    rest, at = text[len(sign) :], len(sign)
    if not rest:
        raise BadAmount("a number or a date is missing", at, cure)
    first, dots, last = rest.partition("..")
    if not dots:
        return sign, [_Value(rest, at)]
    if sign:
        raise BadAmount("a range takes no sign", 0, "leave out the sign or the range")
    values = [_Value(first, at, last.lstrip("0123456789.,")), _Value(last, at + len(first) + 2)]
    for value in values:
        if not value.text:
            raise BadAmount("a range has two ends", value.at, "for a single end use >= or <=")
    return "", values


def _span(sign: str, meant: list[_Meant], last_at: int) -> tuple[int | None, int | None]:
    """Give the least and the most whole number that is meant, None where there is no end."""
    first, last = meant[0], meant[-1]
    if first.low > last.high:
        raise BadAmount("this range ends before it begins", last_at, "put the smaller end first")
    match sign:
        case ">":
            return floor(last.high) + 1, None
        case ">=":
            return ceil(first.low), None
        case "<":
            return None, ceil(first.low) - 1
        case "<=":
            return None, floor(last.high)
        case _ if len(meant) == 1:
            return ceil(first.least), ceil(first.end) - 1
        case _:
            return ceil(first.low), floor(last.high)


def _number(value: _Value, units: dict[str, int], cure: str) -> _Meant:
    read = _NUMBER.fullmatch(value.text)
    if read is None:
        begun = _NUMBER.match(value.text)
        raise BadAmount("this is no number with a unit", value.at + (begun.end() if begun else 0), cure)
    whole, decimals, unit = read.groups(default="")
    unit_at, unit = value.at + read.start(3), (unit or value.unit).lower()
    if unit not in units:
        what = f"there is no unit {unit[:60]}" if unit else "the unit is missing"
        raise BadAmount(what, unit_at, f"the units are {', '.join(filter(None, units))}")
    amount = Fraction(int(whole + decimals), 10 ** len(decimals)) * units[unit]
    half = Fraction(units[unit], 2 * 10 ** len(decimals))
    return _Meant(amount, amount, amount - half, amount + half)


def _date(value: _Value, zone: tzinfo | None) -> _Meant:
    read = _DATE.fullmatch(value.text)
    if read is None:
        raise BadAmount("this is no date", value.at, "write a year, a month or a day: 2026, 2026-11 or 2026-11-23")
    *fields, utc = read.groups()
    numbers = [int(field) for field in fields if field is not None]
    begin, end = _begin_and_end(numbers, value.at)
    clock = UTC if utc else zone
    low, behind = _in_ms(begin, clock), LAST_MS + 1 if end is None else _in_ms(end, clock)
    return _Meant(Fraction(low), Fraction(behind - 1), Fraction(low), Fraction(behind))


def _begin_and_end(numbers: list[int], at: int) -> tuple[datetime, datetime | None]:
    """Give when a year, month, day, minute, second or millisecond begins, and the next; None at the end of time."""
    year, month, day, hour, minute, second, milli = numbers + [0, 1, 1, 0, 0, 0, 0][len(numbers) :]
    try:
        begin = datetime(year, month, day, hour, minute, second, milli * 1000)
    except ValueError as error:
        raise BadAmount(f"there is no such date ({error})", at, "write one like 2026-11-23") from error
    try:
        return begin, _next_of[len(numbers)](begin)
    except (ValueError, OverflowError):
        return begin, None


_next_of: dict[int, Callable[[datetime], datetime]] = {
    1: lambda at: at.replace(year=at.year + 1),
    2: lambda at: (at + timedelta(days=31)).replace(day=1),
    3: lambda at: at + timedelta(days=1),
    5: lambda at: at + timedelta(minutes=1),
    6: lambda at: at + timedelta(seconds=1),
    7: lambda at: at + timedelta(milliseconds=1),
}


def _in_ms(clock: datetime, zone: tzinfo | None) -> int:
    """Give the moment when a clock shows a time; those that this machine does not know of are taken for UTC."""
    try:
        at = clock.astimezone(UTC) if zone is None else clock.replace(tzinfo=zone).astimezone(UTC)
    except (OverflowError, ValueError, OSError):
        at = clock.replace(tzinfo=UTC)
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
