"""std/time against Python's datetime."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stdlib.conftest import Library

IMPORT = 'import "std/time" as time\n'
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: minutes * 60)


def seconds(moment: datetime) -> int:
    """The instant of a moment, without its fraction."""
    return (moment - EPOCH) // timedelta(seconds=1)


@SHARED
@given(MOMENTS, OFFSETS)
def test_parts(hold: Library, moment: datetime, offset: int) -> None:
    """The calendar is Python's."""
    local = moment.astimezone(timezone(timedelta(seconds=offset)))
    found = hold.call(IMPORT + "fn f(t, o) => time.parts(t, offset: o)\n", seconds(moment), offset)
    whole = local.timetuple()
    assert list(found.values()) == [*whole[:6], local.isoweekday(), whole.tm_yday]
    again = "fn f(y, mo, d, h, mi, s, o) => time.instant(y, mo, d, h, mi, s, offset: o)\n"
    assert hold.call(IMPORT + again, *whole[:6], offset) == seconds(moment)


@SHARED
@given(MOMENTS, OFFSETS)
def test_iso_8601(hold: Library, moment: datetime, offset: int) -> None:
    """What is written is what Python writes, and both read each other."""
    local = moment.replace(microsecond=0).astimezone(timezone(timedelta(seconds=offset)))
    instant = seconds(moment)
    written = hold.call(IMPORT + "fn f(t, o) => time.iso(t, offset: o)\n", instant, offset)
    assert written == local.isoformat().replace("+00:00", "Z")
    assert hold.call(IMPORT + "fn f(t) => time.parse(t)\n", local.isoformat(" ")) == instant
    assert datetime.fromisoformat(written) == local


@SHARED
@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_fractions(hold: Library, moment: datetime) -> None:
    """Microseconds survive writing and reading."""
    written = hold.call(IMPORT + "fn f(t) => time.iso(t)\n", moment.timestamp())
    assert abs(datetime.fromisoformat(written) - moment) <= timedelta(microseconds=1)
    assert abs(hold.call(IMPORT + "fn f(t) => time.parse(t)\n", moment.isoformat()) - moment.timestamp()) < 1e-5


@SHARED
@given(MOMENTS)
def test_patterns(hold: Library, moment: datetime) -> None:
    """The codes of patterns mean what they mean in strftime."""
    pattern = "%m %d %H %M %S %y %I %p %j %A %a %B %b %V %u %%"
    found = hold.call(IMPORT + "fn f(t, p) => time.format(t, p)\n", seconds(moment), pattern)
    assert found == moment.strftime(pattern)
    year, week, _ = moment.isocalendar()
    assert hold.call(IMPORT + "fn f(t) => time.iso_week(t)\n", seconds(moment)) == [year, week]


@SHARED
@given(st.dates(date(1000, 1, 1), date(3000, 1, 1)), st.integers(-500, 500))
def test_months(hold: Library, day: date, months: int) -> None:
    """Months later is the same day, or the last of its month; the distance is those months again, or one less."""
    instant = (day - date(1970, 1, 1)).days * 86400
    later = hold.call(IMPORT + "fn f(t, n) => time.add(t, months: n)\n", instant, months)
    number = day.year * 12 + day.month - 1 + months
    last = (date((number + 1) // 12, (number + 1) % 12 + 1, 1) - timedelta(days=1)).day
    assert date(1970, 1, 1) + timedelta(seconds=later) == date(number // 12, number % 12 + 1, min(day.day, last))
    assert hold.call(IMPORT + "fn f(a, b) => time.months_between(a, b)\n", instant, later) in (months, months + 1)


@SHARED
@given(MOMENTS, st.sampled_from(["year", "month", "week", "day", "hour", "minute"]))
def test_starts(hold: Library, moment: datetime, unit: str) -> None:
    """Units begin where the calendar says."""
    start = moment.replace(second=0, microsecond=0)
    if unit != "minute":
        start = start.replace(minute=0)
    if unit not in ("minute", "hour"):
        start = start.replace(hour=0)
    if unit == "week":
        wanted = seconds(start) - (start.isoweekday() - 1) * 86400
    else:
        start = start.replace(day=1) if unit in ("month", "year") else start
        wanted = seconds(start.replace(month=1) if unit == "year" else start)
    assert hold.call(IMPORT + "fn f(t, u) => time.start_of(t, u)\n", seconds(moment), unit) == wanted


WRONG = ["", "2024", "2024-13-01", "2024-02-30", "2024-01-01X", "2024-01-01T25:00", "2024-01-01T10:60", "2024-01-01T10",
         "2024-01-01T10:00:60", "2024-01-01T10:00:00.", "2024-01-01T10:00+25:00", "2024-01-01T10:00+01:0", "24-01-01",
         "2024-1-1", "２０２４-01-01", "2024-01-01T24:01"]  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_time(hold: Library, text: str) -> None:
    """What ISO 8601 does not have is a ValueError."""
    assert hold.call(IMPORT + "fn f(t) => time.parse(t)\n", text).startswith("ValueError: ")


@pytest.mark.parametrize(
    ("text", "length"), [("1h 30m", 5400), ("2d", 172800), ("1.5s", 1.5), ("250ms", 0.25), ("1w", 604800)]
)
def test_durations(hold: Library, text: str, length: float) -> None:
    """Durations are sums of their units."""
    assert hold.call(IMPORT + "fn f(t) => time.duration(t)\n", text) == length


@pytest.mark.parametrize("text", ["", "h", "5", "5 parsecs", "1..5s", "-1h", "1h,2m"])
def test_what_is_no_duration(hold: Library, text: str) -> None:
    """What is no sum of units is a ValueError."""
    assert hold.call(IMPORT + "fn f(t) => time.duration(t)\n", text).startswith("ValueError: ")
