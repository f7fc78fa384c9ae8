"""Where the places are: centres over Henan and Shandong, their UTM zone and their Sentinel-2 tile."""

from dataclasses import dataclass

from pyproj import Transformer

WEST, EAST, SOUTH, NORTH = 112.3, 118.9, 33.4, 36.8
COLUMNS = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")
ROWS = "ABCDEFGHJKLMNPQRSTUV"
BANDS = "CDEFGHJKLMNPQRSTUVWX"


@dataclass(frozen=True)
class Site:
    """The centre of a place."""

    longitude: float
    latitude: float
    epsg: int
    """UTM zone's CRS."""
    east: float
    """UTM easting of the centre, a multiple of 20 m."""
    north: float
    tile: str
    """MGRS square, which names the Sentinel-2 tile: "50SKE"."""


def site(place: int) -> Site:
    """Return the site of a place: a low-discrepancy sequence (Roberts 2018, R2), so that places never crowd."""
    u, v = (0.5 + place * 0.7548776662466927) % 1.0, (0.5 + place * 0.5698402909980532) % 1.0
    longitude, latitude = WEST + u * (EAST - WEST), SOUTH + v * (NORTH - SOUTH)
    zone = int(longitude // 6) + 31
    epsg = 32600 + zone
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(longitude, latitude)
    east, north = round(x / 20) * 20.0, round(y / 20) * 20.0
    return Site(longitude, latitude, epsg, east, north, mgrs_square(zone, latitude, east, north))


def mgrs_square(zone: int, latitude: float, east: float, north: float) -> str:
    """Return the 100 km square that holds a UTM position of the northern hemisphere, as MGRS names it."""
    column = COLUMNS[(zone - 1) % 3][int(east // 100_000) - 1]
    row = ROWS[(int(north // 100_000) + (5 if zone % 2 == 0 else 0)) % 20]
    return f"{zone}{BANDS[int((latitude + 80) // 8)]}{column}{row}"
