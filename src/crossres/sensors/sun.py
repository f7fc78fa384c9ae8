"""Where the Sun stands: its distance, and its direction over a place."""

from datetime import UTC, datetime
from math import asin, atan2, cos, degrees, radians, sin


def earth_sun_distance_au(time: datetime) -> float:
    """Return the distance of Earth and Sun in astronomical units, good to about 1e-4.

    `time` must carry its zone. Low-precision formula of the Astronomical Almanac, page C24.
    """
    anomaly = _mean_anomaly(_days_since_2000(time))
    return 1.00014 - 0.01671 * cos(anomaly) - 0.00014 * cos(2 * anomaly)


def sun_position(time: datetime, longitude: float, latitude: float) -> tuple[float, float]:
    """Return the Sun's azimuth (from north, clockwise) and elevation in degrees, good to a few hundredths.

    `time` must carry its zone. Low-precision formulas of the Astronomical Almanac, page C24.
    """
    n = _days_since_2000(time)
    mean_anomaly = _mean_anomaly(n)
    ecliptic = radians(280.460 + 0.9856474 * n + 1.915 * sin(mean_anomaly) + 0.020 * sin(2 * mean_anomaly))
    obliquity = radians(23.439 - 4e-7 * n)
    right_ascension = atan2(cos(obliquity) * sin(ecliptic), cos(ecliptic))
    declination = asin(sin(obliquity) * sin(ecliptic))
    sidereal = radians((18.697374558 + 24.06570982441908 * n) * 15.0 + longitude)
    hour_angle = sidereal - right_ascension
    lat = radians(latitude)
    elevation = asin(sin(lat) * sin(declination) + cos(lat) * cos(declination) * cos(hour_angle))
    azimuth = atan2(
        -sin(hour_angle) * cos(declination),
        cos(lat) * sin(declination) - sin(lat) * cos(declination) * cos(hour_angle),
    )
    return degrees(azimuth) % 360.0, degrees(elevation)


def _days_since_2000(time: datetime) -> float:
    return (time - datetime(2000, 1, 1, 12, tzinfo=UTC)).total_seconds() / 86400.0


def _mean_anomaly(days: float) -> float:
    return radians(357.528 + 0.9856003 * days)
