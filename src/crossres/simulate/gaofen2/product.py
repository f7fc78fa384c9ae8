"""Gaofen-2's visit to a place: both cameras, their RPCs, their images and the package."""

from dataclasses import dataclass
from math import cos, radians, sin, tan
from pathlib import Path

import numpy as np
from pyproj import Transformer

from crossres.sensors.gaofen2 import SENSORS, calibration
from crossres.sensors.sun import sun_position
from crossres.simulate.gaofen2.camera import Camera, LocationError, draw_location_error
from crossres.simulate.gaofen2.image import BANDS_OF, DayRadiometry, take_image
from crossres.simulate.gaofen2.package import Metadata, package_name, tiff_bytes, write_package, xml_text
from crossres.simulate.gaofen2.rpc import RPC, fit_rpc, rpb_text
from crossres.simulate.land.landscape import Landscape
from crossres.simulate.land.light import direct_light
from crossres.simulate.land.surface import Surface
from crossres.simulate.land.terrain import Terrain
from crossres.simulate.schedule import Gaofen2Pass
from crossres.simulate.sites import Site

FOOTPRINT_SHARE = 0.86
"""Side of Gaofen-2's footprint over that of the place."""
TRACK_TILT_DEG = 11.5
"""The sample axis points this far south of east: the orbit's inclination."""
CORNER_OVERSHOOT_M = 300.0
"""The XML's bottom corners lie this far past the last line, as in real ones."""
ORBIT_HEIGHT_KM, EARTH_RADIUS_KM = 631.0, 6371.0


@dataclass(frozen=True)
class Gaofen2Truth:
    """What only the simulation knows of an acquisition."""

    name: str
    error: LocationError
    radiometry: DayRadiometry


def write_gaofen2(
    folder: Path, seed: list[int], site: Site, place: int, landscape: Landscape, seen: Gaofen2Pass, size_m: float,
    location_error_m: float,
) -> Gaofen2Truth:  # fmt: skip
    """Write `folder`/<package>.tar.gz; return what was drawn at random."""
    rng = np.random.default_rng(seed)
    error = draw_location_error(rng, location_error_m)
    sun = sun_position(seen.time, site.longitude, site.latitude)
    sensor = SENSORS[seen.sensor]
    gain_error = {b: float(g) for b, g in zip(sensor.bands, rng.normal(1, 0.025, len(sensor.bands)), strict=True)}
    radiometry = DayRadiometry(
        sensor, calibration(seen.sensor, seen.time.year), seen.time, sun[1], float(rng.uniform(0.6, 1.2)), gain_error
    )
    surface = Surface(landscape, 0.0, direct_light(landscape, *sun), after_change=True)
    product = 5_600_000 + place
    name = package_name(seen.sensor, site.longitude, site.latitude, seen.time, product)

    files: dict[str, bytes] = {}
    for kind, camera in cameras(seen, landscape.terrain, size_m).items():
        image = take_image(rng, landscape, surface, camera, error, radiometry, BANDS_OF[kind])
        stem = f"{name}-{kind}{seen.sensor[-1]}"
        files[f"{stem}.tiff"] = tiff_bytes(image)
        files[f"{stem}.xml"] = xml_text(_metadata(kind, camera, seen, site, sun, product)).encode()
        files[f"{stem}.rpb"] = rpb_text(camera_rpc(kind, camera, site)).encode()
    write_package(folder / f"{name}.tar.gz", files)
    return Gaofen2Truth(name, error, radiometry)


def cameras(seen: Gaofen2Pass, terrain: Terrain, size_m: float) -> dict[str, Camera]:
    """Return the PAN and the MSS camera of a pass; they look at the same ground."""
    pan_gsd, mss_gsd = SENSORS[seen.sensor].gsd_m[-1], SENSORS[seen.sensor].gsd_m[0]
    count = int(size_m * FOOTPRINT_SHARE / mss_gsd)
    azimuth, elevation = satellite_direction(seen)
    reach = 1 / tan(radians(elevation))
    away = (-sin(radians(azimuth)) * reach, -cos(radians(azimuth)) * reach)

    def camera(gsd_m: float, pixels: int) -> Camera:
        return Camera(gsd_m, pixels, pixels, 90 + TRACK_TILT_DEG, terrain.base_m, away)

    return {"PAN": camera(pan_gsd, 4 * count), "MSS": camera(mss_gsd, count)}


def satellite_direction(seen: Gaofen2Pass) -> tuple[float, float]:
    """Return the satellite's azimuth and elevation in degrees, as seen from the place."""
    roll = radians(abs(seen.roll_deg))
    zenith = np.arcsin((EARTH_RADIUS_KM + ORBIT_HEIGHT_KM) / EARTH_RADIUS_KM * sin(roll))
    side = 270 if seen.roll_deg > 0 else 90
    return side + TRACK_TILT_DEG, 90 - float(np.rad2deg(zenith))


def camera_rpc(kind: str, camera: Camera, site: Site) -> RPC:
    """Return the RPCs that come with the image: of the camera as the ground segment believes it to be.

    As in real products, PAN and MSS have different origins and height ranges.
    """
    to_metres = Transformer.from_crs(4326, site.epsg, always_xy=True)

    def project(longitude: np.ndarray, latitude: np.ndarray, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        east, north = to_metres.transform(longitude, latitude)
        return camera.project(np.asarray(east) - site.east, np.asarray(north) - site.north, height)

    reach = camera.gsd_m * camera.samples / 111_000
    height = (0.0, 5000.0) if kind == "PAN" else (round(camera.reference_height_m, 3) + 0.766, 2050.0)
    shift = 0.0007 if kind == "PAN" else -0.0004
    return fit_rpc(
        project, camera.lines, camera.samples, (site.longitude + shift, 0.75 * reach),
        (site.latitude - shift, 0.65 * reach), height,
    )  # fmt: skip


def _metadata(
    kind: str, camera: Camera, seen: Gaofen2Pass, site: Site, sun: tuple[float, float], product: int
) -> Metadata:
    to_degrees = Transformer.from_crs(site.epsg, 4326, always_xy=True)
    last_line, last_sample = camera.lines - 1 + CORNER_OVERSHOOT_M / camera.gsd_m, camera.samples - 1.0
    corners = []
    for line, sample in ((0.0, 0.0), (0.0, last_sample), (last_line, last_sample), (last_line, 0.0)):
        east, north = camera.locate(*map(np.asarray, (line, sample, camera.reference_height_m)))
        corners.append(to_degrees.transform(site.east + float(east), site.north + float(north)))
    azimuth, elevation = satellite_direction(seen)
    return Metadata(
        sensor=seen.sensor, time=seen.time, product=product, bands="5" if kind == "PAN" else "1,2,3,4",
        gsd_m=camera.gsd_m, lines=camera.lines, samples=camera.samples, roll_deg=seen.roll_deg, sun_azimuth=sun[0],
        sun_elevation=sun[1], satellite_azimuth=azimuth, satellite_elevation=elevation, corners=tuple(corners),
    )  # fmt: skip
