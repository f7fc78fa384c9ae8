"""When a place is seen, and by which satellite: all dates follow from the place's number."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FIRST_DAY = datetime(2021, 4, 24, tzinfo=UTC)


@dataclass(frozen=True)
class Sentinel2Pass:
    """One Sentinel-2 acquisition."""

    time: datetime
    day: float
    """Days after Gaofen-2's acquisition."""
    platform: str
    """S2A or S2B."""
    cloud_share: float
    """Share of the place under cloud that is aimed at."""


@dataclass(frozen=True)
class Gaofen2Pass:
    """One Gaofen-2 acquisition."""

    time: datetime
    sensor: str
    """PMS1 or PMS2."""
    roll_deg: float
    """Roll of the satellite; positive looks to the east, from the west."""


def gaofen2_pass(place: int) -> Gaofen2Pass:
    """Return the place's Gaofen-2 acquisition, around 11:15 local time."""
    time = FIRST_DAY + timedelta(days=3 * place % 25, hours=3, minutes=8 + place * 7 % 17, seconds=place * 13 % 60)
    return Gaofen2Pass(time, ("PMS1", "PMS2")[place % 2], (-14.0, 6.5, 11.0, -4.0, 16.5, -9.0, 2.0)[place % 7])


def sentinel2_passes(place: int, count: int) -> list[Sentinel2Pass]:
    """Return `count` acquisitions five days or multiples of it apart: one near and clear, one nearer or about as
    near but cloudy, others further away with some cloud.
    """
    near = -(2 + place % 3)
    days = [near, near + 5, near - 15, near + 20, near - 25, near - 40, near + 10, near - 10][:count]
    clouds = [(0.0, 0.015, 0.03)[place % 3], 0.75, 0.06, 0.12, 0.2, 0.1, 0.04, 0.3]
    midnight = gaofen2_pass(place).time.replace(hour=0, minute=0, second=0)
    return [
        Sentinel2Pass(
            time=midnight + timedelta(days=day, hours=3, minutes=5 + place % 9, seconds=place * 11 % 60),
            day=float(day),
            platform=("S2A", "S2B")[(place + day // 5) % 2],
            cloud_share=cloud,
        )
        for day, cloud in zip(days, clouds, strict=False)
    ]
