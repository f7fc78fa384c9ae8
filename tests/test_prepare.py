"""`prepare`: many small pairs in one process, of which a damaged one is declined with its reason."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from crossres import cli
from crossres.files import read_json
from crossres.layout import RunFolder, in_batches
from crossres.pairs.candidates import read_pairs

NAMES = ("a", "b", "c")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose search found three pairs of GeoTIFFs, the second of which is damaged."""
    rng = np.random.default_rng(0)
    images = tmp_path / "images"
    images.mkdir()
    for k, name in enumerate(NAMES):
        hr = rng.integers(50, 200, (3, 128, 128), np.uint8)
        lr = hr.reshape(3, 32, 4, 32, 4).mean((2, 4)).astype(np.uint8)
        for role, image, pixel in (("hr", hr, 2.5), ("lr", lr, 10.0)):
            where = from_origin(500_000 + 5000 * k, 4_000_000, pixel, pixel)
            profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "crs": "EPSG:32650", "transform": where}
            with rasterio.open(
                images / f"{name}_{role}.tif", "w", width=image.shape[2], height=image.shape[1], **profile
            ) as file:
                file.write(image)
    folder = tmp_path / "run"
    sensor = {"bands": ["red", "green", "blue"], "scale": 0.004, "datetime": "2020-01-01T00:00:00Z"}
    sources = {
        role: {"kind": "folder", "path": str(images), "pattern": f"*_{role}.tif", "sensor": sensor | {"name": role}}
        for role in ("lr", "hr")
    }
    search = sources | {"min_overlap_km2": 0.01}
    grid = {"gsd_m": 2.5, "bands": ["red", "green", "blue"]}
    for role, source in sources.items():
        settings = json.dumps(source)
        output = str(folder / "catalogs" / role)
        cli.main(["catalog", "folder", str(images), "--run", str(folder), "--source", settings, "--output", output])
    catalogues = [part for role in sources for part in (f"--{role}", str(folder / "catalogs" / role / "catalog.json"))]
    settings = json.dumps({"search": search, "grid": grid})
    cli.main(["search", "--settings", settings, *catalogues, "--run", str(folder), "--output", str(folder / "items")])
    whole = (images / "b_hr.tif").read_bytes()
    (images / "b_hr.tif").write_bytes(whole[: len(whole) // 2])
    return folder


def test_a_damaged_pair_is_declined_and_the_others_are_prepared(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    pairs = sorted(path.stem for path in (run / "items" / "pairs").glob("*.json"))
    settings = {
        "grid": {"gsd_m": 2.5, "bands": ["red", "green", "blue"]}, "coregister": {"model": "none"},
        "normalise": {"method": "none"}, "patches": {"lr_px": 32, "stride_px": 32},
    }  # fmt: skip
    batch = run / "batches" / "batch-0000"
    given = ["--settings", json.dumps(settings), "--items", str(run / "items"), "--pairs", *pairs, "--threads", "1"]
    cli.main(["prepare", *given, "--output", str(batch)])
    usable, declined, first, _ = read_pairs(run / "items" / "pairs", run / "batches", run / "batches")
    assert [pair.name for pair in usable] == [pairs[0], pairs[2]] and first["factor"] == "4/1"
    assert [found["pair"] for found in declined] == [pairs[1]]
    assert "b_hr.tif" in declined[0]["reason"]
    assert f"{pairs[1]}: declined" in caplog.text
    folder = RunFolder(run)
    assert folder.aligned(pairs[0]) == batch / "aligned" / pairs[0]
    assert folder.scene(read_json(run / "items" / "pairs" / f"{pairs[0]}.json")["lr"]).parent == batch / "scenes"
    assert not (folder.aligned(pairs[1]) / "lr.tif").exists()


def test_a_pair_that_stands_in_several_places_is_the_one_written_last(tmp_path):
    run = RunFolder(tmp_path)
    for age, place in enumerate(["batches/batch-0001", "batches/batch-0000", "."]):
        folder = tmp_path / place / "aligned/a"
        folder.mkdir(parents=True)
        os.utime(folder, (1000 - age, 1000 - age))
    assert run.aligned("a") == tmp_path / "batches/batch-0001/aligned/a"
    assert in_batches(tmp_path / "batches", "aligned") == {"a": run.aligned("a")}
    os.utime(tmp_path / "aligned/a", (2000, 2000))
    assert run.aligned("a") == tmp_path / "aligned/a"
    assert list(run.all_aligned()) == [tmp_path / "aligned/a"]
    assert run.aligned("b") == tmp_path / "aligned/b"
