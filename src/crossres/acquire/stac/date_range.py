"""Time ranges as STAC writes them."""

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
