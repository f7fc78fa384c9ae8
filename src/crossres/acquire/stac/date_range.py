"""Time ranges as STAC writes them."""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crossres.acquire.stac.items import parse_time
from crossres.errors import UserError


@dataclass(frozen=True)
class DateRange:
    """A range of time in UTC; both ends belong to it."""

    start: datetime
    end: datetime

    def __contains__(self, time: datetime) -> bool:
        return self.start <= time <= self.end


ALWAYS = DateRange(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def whole_days(text: str, key: str) -> str:
    """Return a date range whose months and years are written out as days, as STAC wants them.

    `2024-06/2024-08` is 2024-06-01/2024-08-31. Raises `UserError` naming the settings key.
    """
    first, _, last = text.partition("/")
    ends = [_day(first.strip(), 0), _day((last if "/" in text else first).strip(), 1)]
    parse_date_range("/".join(ends), key)
    return "/".join(ends)


def _day(text: str, end: int) -> str:
    """Return the first (0) or the last (1) day of a month or year; anything else as it is."""
    found = re.fullmatch(r"(\d{4})(?:-(\d{2}))?", text)
    if found is None or not 1 <= int(found[2] or 1) <= 12:
        return text
    year, month = int(found[1]), int(found[2] or (1, 12)[end])
    return f"{year:04}-{month:02}-{(1, calendar.monthrange(year, month)[1])[end] if year else 1:02}"


def parse_date_range(text: str | None, key: str) -> DateRange:
    """Read `start/end` (either may be `..`) or one date; a date without a time means the whole day.

    None is any time. Raises `UserError` naming the settings key.
    """
    if text is None:
        return ALWAYS
    first, _, last = text.partition("/")
    last = last if "/" in text else first
    start = ALWAYS.start if first in {"", ".."} else parse_time(first, key)
    end = ALWAYS.end if last in {"", ".."} else parse_time(last, key)
    if len(last) == len("2020-05-10"):
        end += timedelta(days=1) - timedelta(microseconds=1)
    if start > end:
        raise UserError(f"{key}: {text!r} ends before it starts")
    return DateRange(start, end)
