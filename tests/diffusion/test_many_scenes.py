"""Many scenes in one call: a product each, on after one that fails, and an end that says so."""

import json
from pathlib import Path

import pytest

from crossres import cli
from test_outputs import BANDS, content, model, refused, scene


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    Path("in").mkdir()
    scene("in/a.tif", 1)
    scene("in/c.tif", 2)
    return tmp_path


def command(given, *options):
    words = ["super-resolve", "--input", str(given), "--model", model(Path("model")), "--start", "nearest"]
    return [*words, "--output", "sr", *options]


def products():
    return {path.parent.name for path in Path("sr").glob("*/mean.tif")}


def test_each_scene_of_a_folder_has_a_product_of_its_name(capsys):
    Path("in/.hidden.tif").write_text("no scene")
    Path("in/notes.txt").write_text("no scene")
    cli.main(command("in"))
    assert products() == {"a", "c"}


def test_one_that_fails_does_not_keep_the_others_and_the_end_says_so(capsys):
    Path("in/b.tif").write_text("no raster")
    line = refused(capsys, *command("in"))
    assert "1 of 3 scenes failed" in line and "in/b.tif: is no GeoTIFF" in line
    assert products() == {"a", "c"}
    assert not [path for path in Path("sr").iterdir() if path.name.startswith(".")]


def test_run_again_it_does_what_is_missing_and_leaves_the_rest_as_it_is(capsys):
    Path("in/b.tif").write_text("no raster")
    refused(capsys, *command("in"))
    before = content("sr")
    scene("in/b.tif", 3)
    cli.main(command("in"))
    assert products() == {"a", "b", "c"}
    assert before.items() <= content("sr").items()


def test_products_of_other_settings_and_other_things_are_left_alone_and_said(capsys):
    cli.main(command("in"))
    Path("sr/c/thesis.txt").write_text("mine")
    before = content("sr")
    line = refused(capsys, *command("in", "--samples", "2"))
    assert "2 of 2 scenes failed, the first: in/a.tif: sr/a: holds an earlier product" in line
    assert content("sr") == before


def test_a_list_names_scenes_beside_it(capsys):
    Path("in/list.txt").write_text("# of June\na.tif\n\nmissing.tif\n")
    line = refused(capsys, *command("in/list.txt"))
    assert "1 of 2 scenes failed, the first: in/missing.tif: no such file" in line
    assert products() == {"a"}


def test_each_item_of_a_catalogue_has_a_product_of_its_id(capsys):
    cli.main(["catalog", "folder", "in", "--source", json.dumps({"sensor": {"bands": BANDS}}), "--output", "catalog"])
    Path("catalog/items/c.json").write_text("{}")
    line = refused(capsys, *command("catalog/catalog.json"))
    assert "1 of 2 scenes failed" in line and "c.json" in line
    assert products() == {"a"}
    links = json.loads(Path("sr/a/item.json").read_text())["links"]
    assert "../../catalog/items/a.json" in {link["href"] for link in links}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--input", "empty"], "empty: holds no scene"),
        (["--input", "nowhere"], "nowhere: no such file"),
        (["--input", "in", "--dates", "in/a.tif"], "--dates: belongs to a scene that is named"),
        (["--input", "in", "--date", "2024"], "--date: belongs to --at or --area"),
        (["--input", "in", "--size", "5km"], "--size: belongs to --at"),
        (["--input", "in", "in/a.tif"], "scenes and --input name scenes: leave one out"),
        ([], "there is no scene; name scenes, or give one of --at, --area, --input"),
    ],
)
def test_what_is_wrong_is_one_line(capsys, options, line):
    Path("empty").mkdir()
    assert line in refused(capsys, "super-resolve", "--model", model(Path("model")), "--output", "sr", *options)
