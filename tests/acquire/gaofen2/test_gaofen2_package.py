"""Packages as delivered: read without unpacking, traps of their metadata removed, hostile ones refused."""

import gzip
import io
import shutil
import tarfile
from datetime import UTC, datetime

import numpy as np
import pytest
from made_gaofen2 import NAME, TIME, members, write_archive, xml
from real_data import PMS1, PMS2, needs_real_data

from crossres.acquire.gaofen2 import archive as gaofen2_archive
from crossres.acquire.gaofen2.metadata import parse_metadata
from crossres.acquire.gaofen2.package import find_packages, read_package, unpacked
from crossres.acquire.gaofen2.rpb import parse_rpb
from crossres.acquire.gaofen2.toa import mss_radiometry
from crossres.acquire.orthorectification.rpc import footprint
from crossres.errors import UserError
from crossres.sensors.sun import sun_position


@needs_real_data
def test_real_times_are_utc_and_angles_are_what_they_say():
    pms1 = parse_metadata((PMS1 / f"{PMS1.name}-MSS1.xml").read_bytes(), "MSS1.xml")
    assert pms1.sensor == "PMS1"
    assert pms1.time == datetime(2020, 5, 10, 17, 3, 20, tzinfo=UTC)
    assert pms1.sun_zenith_deg == pytest.approx(13.5727)
    assert pms1.incidence_deg == pytest.approx(15.1507)
    assert pms1.cloud_percent == 2
    pms2 = parse_metadata((PMS2 / f"{PMS2.name}-PAN2.xml").read_bytes(), "PAN2.xml")
    assert pms2.time == datetime(2023, 2, 13, 14, 17, 10, tzinfo=UTC)
    assert pms2.cloud_percent is None
    assert (pms2.rows, pms2.cols) == (27620, 29200)


@needs_real_data
def test_real_calibration_is_of_the_year_and_reflectance_plausible():
    pms1 = parse_metadata((PMS1 / f"{PMS1.name}-MSS1.xml").read_bytes(), "MSS1.xml")
    radiometry = mss_radiometry(pms1)
    assert radiometry.calibration_year == 2020
    # pi * 0.1378 * 1.0098^2 / (1941.76 * cos 13.57), by hand
    assert radiometry.gain["blue"] == pytest.approx(2.339e-4, rel=2e-3)
    pms2 = parse_metadata((PMS2 / f"{PMS2.name}-MSS2.xml").read_bytes(), "MSS2.xml")
    assert mss_radiometry(pms2).calibration_year == 2021
    assert "no calibration published for 2023; that of 2021 is used" in mss_radiometry(pms2).warning
    assert radiometry.warning is None


@needs_real_data
@pytest.mark.parametrize(("folder", "image"), [(PMS1, "MSS1"), (PMS1, "PAN1"), (PMS2, "PAN2")])
def test_real_sun_angles_are_those_of_an_ephemeris_at_the_time_in_utc(folder, image):
    metadata = parse_metadata((folder / f"{folder.name}-{image}.xml").read_bytes(), image)
    rpc = parse_rpb((folder / f"{folder.name}-{image}.rpb").read_text(), image)
    centre = footprint(rpc, metadata.rows, metadata.cols, rpc.height_off).centroid
    azimuth, elevation = sun_position(metadata.time, centre.x, centre.y)
    assert 90 - elevation == pytest.approx(metadata.sun_zenith_deg, abs=0.2)
    apart = (azimuth - metadata.sun_azimuth_deg + 180) % 360 - 180
    # Seen from above the Sun, one degree of azimuth is less than one of sky.
    assert abs(apart) * np.sin(np.deg2rad(metadata.sun_zenith_deg)) < 0.2


@needs_real_data
def test_the_missing_rpc_of_a_real_package_is_named(tmp_path):
    for path in [*PMS2.glob("*.xml"), *PMS2.glob("*.rpb")]:
        shutil.copy(path, tmp_path)
    for image in ("PAN2", "MSS2"):
        (tmp_path / f"{PMS2.name}-{image}.tiff").touch()
    with pytest.raises(UserError, match=r"the MSS RPC \(\.rpb\) is missing"):
        read_package(tmp_path)


def test_archive_and_unpacked_folder_say_the_same(tmp_path):
    files = members()
    archive = write_archive(tmp_path / f"{NAME}.tar.gz", {f"{NAME}/{n}": c for n, c in files.items()})
    folder = tmp_path / "open"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    packed, plain = read_package(archive), read_package(folder)
    assert packed.name == plain.name == NAME
    assert packed.mss == plain.mss
    assert packed.pan == plain.pan
    assert packed.mss.metadata.time == TIME
    assert find_packages(tmp_path) == {archive: NAME, folder: NAME}
    (tmp_path / "scratch").mkdir()
    out = unpacked(packed, [packed.mss], tmp_path / "scratch")
    assert list((tmp_path / "scratch").iterdir()) == list(out.values())
    assert out[f"{NAME}-MSS1.tiff"].read_bytes() == files[f"{NAME}-MSS1.tiff"]


def hostile(name: str, **fields) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(member, key, value)
    return member


@pytest.mark.parametrize(
    "member",
    [
        hostile(f"../{NAME}-PAN1.tiff"),
        hostile(f"{NAME}/../../{NAME}-PAN1.tiff"),
        hostile(f"/etc/{NAME}-PAN1.tiff"),
        hostile(f"C:\\{NAME}-PAN1.tiff"),
        hostile(f"{NAME}-PAN1.tiff", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        hostile(f"{NAME}-PAN1.tiff", type=tarfile.LNKTYPE, linkname=f"{NAME}-MSS1.xml"),
        hostile(f"{NAME}-PAN1.tiff", type=tarfile.FIFOTYPE),
        hostile(f"{NAME}-PAN1.tiff", type=tarfile.CHRTYPE, devmajor=1, devminor=5),
        hostile(f"{NAME}-PAN1.tiff", type=tarfile.BLKTYPE, devmajor=8, devminor=0),
    ],
    ids=["parent", "inner parent", "absolute", "drive", "symbolic link", "hard link", "fifo", "zero device", "disk"],
)
def test_hostile_archives_are_refused(tmp_path, member):
    path = tmp_path / f"{NAME}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(member)
        for name, content in members().items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    with pytest.raises(UserError, match="unsafe archive") as caught:
        read_package(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["xml", "rpb"])
def test_a_text_of_gigabytes_is_refused_before_it_is_read(tmp_path, suffix):
    path = tmp_path / f"{NAME}.tar.gz"
    member = tarfile.TarInfo(f"{NAME}-MSS1.{suffix}")
    member.size = 2 << 30
    # The file holds no more than 16 MB: who reads on finds it cut off, not too large.
    with gzip.open(path, "wb", compresslevel=1) as archive:
        archive.write(member.tobuf() + b" " * (16 << 20))
    with pytest.raises(UserError, match=r"unsafe archive, it unpacks to 2\.1 GB"):
        read_package(path)


@pytest.mark.parametrize("name", ["filler.bin", f"{NAME}-PAN1.tiff"])
def test_an_archive_that_unpacks_to_terabytes_is_refused_before_it_is_unpacked(tmp_path, name):
    path = tmp_path / f"{NAME}.tar.gz"
    member = tarfile.TarInfo(name)
    member.size = 1 << 40
    with gzip.open(path, "wb", compresslevel=1) as archive:
        archive.write(member.tobuf() + bytes(1 << 20))
    with pytest.raises(UserError, match="unsafe archive, it unpacks to 1099\\.5 GB"):
        read_package(path)


def test_many_large_members_are_no_way_round_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(gaofen2_archive, "LARGEST_ARCHIVE", 1 << 20)
    path = write_archive(tmp_path / f"{NAME}.tar.gz", {**{f"{i}.bin": bytes(300_000) for i in range(4)}, **members()})
    with pytest.raises(UserError, match="unsafe archive, it unpacks"):
        read_package(path)


def test_entities_that_multiply_are_refused():
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    text = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "ha">{laughs}]><ProductMetaData>&l9;</ProductMetaData>'
    with pytest.raises(UserError, match=r"scene-MSS1\.xml: holds entities"):
        parse_metadata(text.encode(), "scene-MSS1.xml")
    outside = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><ProductMetaData>&x;</ProductMetaData>'
    with pytest.raises(UserError, match="holds entities"):
        parse_metadata(outside.encode(), "scene-MSS1.xml")


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_an_archive_that_is_cut_off_is_named(tmp_path, kept):
    path = write_archive(tmp_path / f"{NAME}.tar.gz", dict(reversed(members().items())))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(UserError, match=f"{NAME}.tar.gz: the archive is broken or cut off"):
        package = read_package(path)
        unpacked(package, [package.pan, package.mss], tmp_path)


def test_an_empty_rpb_is_named(tmp_path):
    path = write_archive(tmp_path / f"{NAME}.tar.gz", {**members(), f"{NAME}-MSS1.rpb": b"\n"})
    with pytest.raises(UserError, match=f"{NAME}-MSS1.rpb: the RPC file is empty"):
        read_package(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<ProductMetaData><SensorID>PMS1</SensorID>", "not valid XML"),
        (xml(9, 9).replace("PMS1", "WFV1"), "WFV1"),
        (xml(9, 9).replace("2020-05-10 11:12:05", "soon"), "not a time"),
        (xml(9, 9).replace("<SolarZenith>25.0</SolarZenith>", "<SolarZenith />"), "SolarZenith"),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + "<ProductMetaData>&b;</ProductMetaData>", "holds entities"),
    ],
)
def test_broken_metadata_is_named(text, message):
    with pytest.raises(UserError, match=message):
        parse_metadata(text.encode(), "scene-MSS1.xml")


def test_a_night_scene_has_no_reflectance():
    night = parse_metadata(xml(9, 9).replace("<SolarZenith>25.0", "<SolarZenith>95.0").encode(), "x")
    with pytest.raises(UserError, match="night"):
        mss_radiometry(night)
