"""A stage that fails names the input that is damaged; only what the workflow made is to be deleted."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest
import zarr
from affine import Affine
from odc.geo.geobox import GeoBox
from PIL import Image

from crossres import cli
from crossres.damaged import READERS, blamed, damaged
from crossres.errors import UserError
from crossres.files import made_by_rule, read_json
from crossres.imagery.raster import write_cog

GRID = GeoBox((300, 300), Affine(10, 0, 5e5, 0, -10, 4e6), "EPSG:32650")
NOISE = np.random.default_rng(0).integers(1, 4000, (1, 300, 300)).astype(np.uint16)


def write(path):
    match path.suffix:
        case ".tif":
            write_cog(path, NOISE, GRID, ("red",))
        case ".zip":
            with zipfile.ZipFile(path, "w") as members:
                members.writestr("noise", NOISE.tobytes())
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


@pytest.mark.parametrize("kind", ["tif", "zip", "parquet", "png", "json"])
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


def made_run(folder, *parts):
    """Return the path of a file of a run, whose folders are there."""
    path = folder.joinpath("results", "demo", *parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    (folder / "results/demo/logs").mkdir(exist_ok=True)
    return path


def test_of_a_folder_that_a_rule_writes_as_one_the_folder_is_to_be_deleted(tmp_path):
    inside = made_run(tmp_path, "scenes", "a", "mask.tif")
    alone = made_run(tmp_path, "aligned", "a--b", "lr.tif")
    (inside.parent / ".snakemake_timestamp").touch()
    assert made_by_rule(inside) == inside.parent
    assert made_by_rule(alone) == alone


@pytest.mark.parametrize("place", ["lr.tif", "results/lr.tif", "results/demo/lr.tif", "results/demo/notes/lr.tif"])
def test_no_rule_made_what_a_person_has(tmp_path, place):
    made_run(tmp_path, "scenes", "x")
    assert made_by_rule(tmp_path / place) is None


def damaged_mask(path, capsys):
    """Return what a command says of a scene that was cut short."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_cog(path, NOISE, GRID, ("red",))
    cut_short(path)
    index = write(path.with_name("index.parquet"))
    arguments = ["held-out", "--pair", "p", "--mask", str(path), "--index", str(index)]
    with pytest.raises(SystemExit) as ended:
        cli.main([*arguments, "--output", str(path.with_name("out.tif"))])
    assert ended.value.code == 1
    return capsys.readouterr().err.splitlines()[-1]


def test_a_stage_says_in_one_line_which_input_is_damaged(tmp_path, capsys, monkeypatch):
    mine = tmp_path / "mine" / "mask.tif"
    assert damaged_mask(mine, capsys) == f"crossres held-out: error: {mine}: damaged; get it, or copy it, again"
    of_rule = made_run(tmp_path, "aligned", "p", "mask.tif")
    assert damaged_mask(of_rule, capsys).endswith(f"{of_rule}: damaged; delete {of_rule} and run again")
    monkeypatch.chdir(tmp_path)
    short = of_rule.relative_to(tmp_path)
    assert damaged_mask(short, capsys).endswith(f"{short}: damaged; delete {short} and run again")


def test_broken_json_is_to_be_deleted_only_where_a_rule_made_it(tmp_path):
    mine, of_rule = tmp_path / "item.json", made_run(tmp_path, "items", "pairs", "p.json")
    for path in (mine, of_rule):
        path.write_text('{"id": ')
    with pytest.raises(UserError, match="get it again"):
        read_json(mine)
    with pytest.raises(UserError, match=f"delete {of_rule} and run again"):
        read_json(of_rule)


@pytest.mark.parametrize(("name", "kind"), [("a.png", ".parquet"), ("a.parquet", ".tif"), ("a.tif", ".json")])
def test_a_file_of_another_kind_than_is_asked_for_is_named(tmp_path, name, kind):
    path = write(tmp_path / name)
    assert blamed(ValueError(), [path], {path: kind}) == f"{path}: cannot be read as {kind[1:]}"
    assert blamed(ValueError(), [path], {path: path.suffix}) is None


def test_an_error_of_the_disk_is_of_an_input_only_where_it_names_one(tmp_path):
    (tmp_path / "a").touch()
    error = NotADirectoryError(20, "Not a directory", str(tmp_path / "a" / "card.json"))
    assert (
        blamed(error, [tmp_path / "a"], {})
        == f"{tmp_path}/a/card.json: no such file: what it should lie in is a file itself"
    )
    assert blamed(error, [tmp_path / "b"], {}) is None


@pytest.mark.parametrize("why", [ImportError, MemoryError, PermissionError])
def test_what_this_machine_cannot_read_is_not_called_damaged(tmp_path, monkeypatch, why):
    path = write(tmp_path / "noise.tif")

    def read(_):
        raise why

    monkeypatch.setitem(READERS, ".tif", read)
    assert damaged([path]) is None
