"""A disk that is full, at whatever byte, never leaves half a file behind, and is said in one line."""

import os
import subprocess
from bisect import bisect
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from crossres.errors import UserError
from crossres.files import whole, write_json
from crossres.imagery.raster import open_raster, write_cog

GRID = GeoBox((700, 700), Affine(10, 0, 5e5, 0, -10, 4e6), "EPSG:32650")
NOISE = np.random.default_rng(0).integers(1, 4000, (4, 700, 700)).astype(np.uint16)


@contextmanager
def disk(folder, options):
    """Mount a disk in memory on a folder, for as long as the block lasts."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def raster(path):
    write_cog(path, NOISE, GRID, ("a", "b", "c", "d"))


def table(path):
    with whole(path) as part:
        pd.DataFrame({"noise": NOISE.ravel()}).to_parquet(part)


def archive(path):
    with whole(path) as part:
        np.savez(part, noise=NOISE)


def text(path):
    write_json(path, NOISE)


WRITERS = [(raster, "a.tif"), (table, "a.parquet"), (archive, "a.npz"), (text, "a.json")]


@pytest.mark.parametrize(("write", "name"), WRITERS)
@pytest.mark.parametrize("kilobytes", [8, 400])
def test_a_full_disk_is_said_and_nothing_half_written_stays(tmp_path, write, name, kilobytes):
    with disk(tmp_path, f"size={kilobytes}k"):
        with pytest.raises(UserError, match=r"No space left on device: make room on this disk, then run again"):
            write(tmp_path / name)
        assert list(tmp_path.iterdir()) == []


def test_a_raster_on_a_disk_that_is_just_too_small_is_whole_or_not_there(tmp_path):
    def fits(kilobytes):
        with disk(tmp_path, f"size={kilobytes}k"):
            try:
                raster(tmp_path / "a.tif")
            except UserError:
                assert list(tmp_path.iterdir()) == []
                return False
            with open_raster(tmp_path / "a.tif") as src:
                np.testing.assert_array_equal(src.read(), NOISE)
            return True

    sizes = range(NOISE.nbytes // 1024, 4 * NOISE.nbytes // 1024, 4)
    enough = bisect(sizes, False, key=fits)
    assert fits(sizes[enough])
    # Where only the last bytes find no room, GDAL says nothing.
    assert not any(fits(sizes[enough - fewer]) for fewer in (1, 2, 3))


def test_a_disk_that_cannot_be_written_to_is_said(tmp_path):
    with disk(tmp_path, "ro"), pytest.raises(UserError, match=r"Read-only file system: make this disk writable"):
        text(tmp_path / "a.json")
