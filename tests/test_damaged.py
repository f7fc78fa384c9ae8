"""A stage that fails names the input that is damaged, and what to delete for the workflow to make it again."""

import json

import numpy as np
import pandas as pd
import pytest
import zarr
from affine import Affine
from odc.geo.geobox import GeoBox
from PIL import Image

from crossres import cli
from crossres.damaged import READERS, damaged
from crossres.files import to_delete
from crossres.rasters import write_cog

GRID = GeoBox((300, 300), Affine(10, 0, 5e5, 0, -10, 4e6), "EPSG:32650")
NOISE = np.random.default_rng(0).integers(1, 4000, (1, 300, 300)).astype(np.uint16)


def write(path):
    match path.suffix:
        case ".tif":
            write_cog(path, NOISE, GRID, bands=("red",), nodata=0)
        case ".npz":
            np.savez_compressed(path, noise=NOISE)
        case ".parquet":
            pd.DataFrame({"noise": NOISE.ravel()}).to_parquet(path)
        case ".png":
            Image.fromarray(NOISE[0].astype(np.uint8)).save(path)
        case ".json":
            path.write_text(json.dumps(NOISE.ravel().tolist()))
        case ".zarr":
            zarr.create_array(path, data=NOISE, chunks=(1, 100, 100), shards=(1, 300, 300))
    return path


def cut_short(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


@pytest.mark.parametrize("kind", ["tif", "npz", "parquet", "png", "json"])
def test_a_file_that_was_cut_short_is_found_among_whole_ones(tmp_path, kind):
    paths = [write(tmp_path / f"{name}.{kind}") for name in "abc"]
    assert damaged(paths) is None
    cut_short(paths[1])
    assert damaged(paths) == paths[1]
    assert damaged([tmp_path]) == paths[1]


def test_a_dataset_with_one_chunk_cut_short_is_found(tmp_path):
    dataset = write(tmp_path / "dataset.zarr")
    assert damaged([dataset]) is None
    [shard] = [path for path in dataset.rglob("*") if path.is_file() and path.name != "zarr.json"]
    cut_short(shard)
    assert damaged([dataset]) == dataset / "zarr.json"


def test_of_a_folder_that_a_rule_writes_as_one_the_folder_is_to_be_deleted(tmp_path):
    alone, inside = tmp_path / "alone.tif", tmp_path / "scene" / "inside.tif"
    inside.parent.mkdir()
    (inside.parent / ".snakemake_timestamp").touch()
    assert to_delete(alone) == alone
    assert to_delete(inside) == inside.parent


def test_a_stage_says_in_one_line_which_input_is_damaged(tmp_path, capsys):
    scene = tmp_path / "lr.tif"
    write_cog(scene, NOISE, GRID, bands=("red",), nodata=0)
    cut_short(scene)
    arm = json.dumps({"arm": {"start": "bicubic", "samples": 1}})
    (tmp_path / "pair.json").write_text(json.dumps({"id": "p", "lr": "l", "hr": "h"}))
    arguments = ["held-out", "--settings", arm, "--pair", "p", "--mask", str(scene), "--index", str(scene), "--output"]
    with pytest.raises(SystemExit) as ended:
        cli.main([*arguments, str(tmp_path / "out.tif")])
    assert ended.value.code == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"crossres held-out: error: {scene}: damaged; delete {scene} and run again"


@pytest.mark.parametrize("why", [ImportError, MemoryError, PermissionError])
def test_what_this_machine_cannot_read_is_not_called_damaged(tmp_path, monkeypatch, why):
    path = write(tmp_path / "noise.tif")

    def read(_):
        raise why

    monkeypatch.setitem(READERS, ".tif", read)
    assert damaged([path]) is None
