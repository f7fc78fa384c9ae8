"""A command writes over what it made itself, when told to, and over nothing else."""

import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from crossres import cli, commands
from crossres.diffusion.model.card import Card
from crossres.files import whole, write_json
from crossres.outputs import guard, scene_outputs
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

BANDS = ("blue", "green", "red", "nir")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in a folder of its own, which holds what a person has."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    Path("work").mkdir()
    Path("work/thesis.txt").write_text("mine")
    return tmp_path


def scene(path, seed=0):
    """Write a Sentinel-2 scene as a GeoTIFF with names and scale."""
    numbers = np.random.default_rng(seed).integers(1100, 4000, (4, 24, 24)).astype(np.uint16)
    with rasterio.open(
        path, "w", driver="GTiff", width=24, height=24, count=4, dtype="uint16", nodata=0, crs="EPSG:32650",
        transform=from_origin(5e5, 4e6, 10, 10),
    ) as target:  # fmt: skip
        target.write(numbers)
        target.descriptions, target.scales, target.offsets = BANDS, (1e-4,) * 4, (-0.1,) * 4
        target.update_tags(TIFFTAG_DATETIME="2020:05:01 00:00:00")
    return str(path)


def model(folder):
    """Write the card of a model, which is all that a start from nearest pixels needs."""
    card = Card(
        bands=BANDS, factor="4", lr_gsd_m=10, hr_gsd_m=2.5, mean=(0.2,) * 4, std=(0.1,) * 4, sigma=0.1, residual_rms=1,
        model=ModelSettings(), train=TrainSettings(), parameters=1, data_sha256="0", weights_sha256="0", code="0",
        metrics={},
    )  # fmt: skip
    write_json(folder / "card.json", card.model_dump(mode="json"))
    return str(folder)


def chips(folder, name="a"):
    """Write a pair of images without georeference."""
    for role, side in (("lr", 8), ("hr", 32)):
        (folder / role).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((side, side, 3), 90, np.uint8)).save(folder / role / f"{name}.png")
    return ["chips", "--lr", str(folder / "lr"), "--hr", str(folder / "hr"), "--lr-gsd-m", "10"]


def super_resolve(*scenes):
    return ["super-resolve", *scenes, "--checkpoint", model(Path("model")), "--start", "nearest"]


def catalogue(folder, name="a"):
    folder.mkdir(exist_ok=True)
    scene(folder / f"{name}.tif")
    return ["catalog", "folder", str(folder), "--source", json.dumps({"sensor": {"bands": BANDS}})]


COMMANDS = {
    "super-resolve": lambda: super_resolve(scene("a.tif")),
    "chips": lambda: chips(Path("images")),
    "catalog": lambda: catalogue(Path("images")),
}


def refused(capsys, *arguments):
    """Return the one line that a command ends with."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main([str(a) for a in arguments])
    assert ended.value.code == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith(f"crossres {arguments[0]}: error: ")
    assert not any("Traceback" in line for line in said)
    return said[-1]


def content(folder="."):
    """Return every file and link by its name, with its bytes."""
    return {p.as_posix(): p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_holds_anything_else_is_refused_and_left_as_it_was(capsys, command):
    arguments = COMMANDS[command]()
    Path("work/old").mkdir()
    Path("work/old/mean.tif").write_text("1")
    before = content()
    assert "work: holds thesis.txt, which" in refused(capsys, *arguments, "--output", "work")
    assert "work: holds thesis.txt, which" in refused(capsys, *arguments, "--output", "work", "--overwrite")
    assert content() == before


@pytest.mark.parametrize("command", COMMANDS)
def test_an_earlier_product_is_replaced_only_when_that_is_asked_for(capsys, command):
    arguments = [*COMMANDS[command](), "--output", "out"]
    cli.main(arguments)
    first = content("out")
    assert "holds an earlier product of" in (line := refused(capsys, *arguments))
    assert "--overwrite" in line
    cli.main([*arguments, "--overwrite"])
    assert content("out") == first
    Path("out/notes.txt").write_text("mine")
    assert "out: holds notes.txt" in refused(capsys, *arguments, "--overwrite")
    assert content("out") == first | {"out/notes.txt": b"mine"}


@pytest.mark.parametrize("command", COMMANDS)
def test_files_of_a_product_s_names_are_no_product(capsys, command):
    arguments = COMMANDS[command]()
    names = {"super-resolve": ["mean.tif", "item.json"], "chips": ["x_lr.tif", "x_hr.tif"]}
    Path("mine/items").mkdir(parents=True)
    for name in names.get(command, ["catalog.json", "items/x.json"]):
        Path("mine", name).write_text('{"type": "Catalog"}')
    before = content("mine")
    assert "no earlier product" in refused(capsys, *arguments, "--output", "mine", "--overwrite")
    assert content("mine") == before


def test_an_item_of_a_catalogue_that_was_changed_by_hand_is_not_replaced(capsys):
    arguments = [*catalogue(Path("images")), "--output", "out"]
    cli.main(arguments)
    [item] = Path("out/items").glob("*.json")
    item.write_text(item.read_text().replace("  ", " "))
    assert "no earlier product" in refused(capsys, *arguments, "--overwrite")


@pytest.mark.parametrize("output", [".", "..", "/", "~", "~/..", "missing/.."])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_working_directory_home_and_what_holds_them_are_no_output(capsys, command, output, here, monkeypatch):
    arguments = COMMANDS[command]()
    home = here / "home/me"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    before = content()
    assert "directory, or holds it" in refused(capsys, *arguments, "--output", output.replace("~", str(home)))
    assert content() == before


@pytest.mark.parametrize("flag", [[], ["--overwrite"]])
def test_a_folder_that_is_read_is_not_written(capsys, flag):
    chip = chips(Path("images"))
    Path("bands").mkdir()
    scene("bands/B02.tif")
    listed = catalogue(Path("scenes"))
    Path("link").symlink_to("scenes")
    before = content()
    for arguments, output in [
        (chip, "images"), (chip, "images/lr"), (listed, "scenes"), (listed, "link"),
        (super_resolve("bands"), "bands"), (super_resolve("bands/B02.tif"), "bands"),
        (super_resolve("bands", scene("lone.tif")), "."),
    ]:  # fmt: skip
        before |= content()
        refused(capsys, *arguments, "--output", output, *flag)
        assert content() == before


def test_a_file_where_a_folder_is_to_be_written_and_a_folder_where_a_file_is(capsys):
    assert "is a file; name a folder" in refused(capsys, *super_resolve(scene("a.tif")), "--output", "work/thesis.txt")
    assert "is a folder; name a file" in refused(capsys, "schema", "--output", "work", "--overwrite")
    assert "Not a directory" in refused(capsys, "schema", "--output", "work/thesis.txt/a/b.json")
    assert "is no file" in refused(capsys, "schema", "--output", "/dev/null", "--overwrite")
    assert Path("work/thesis.txt").read_text() == "mine"


def test_a_file_is_replaced_by_its_like_alone_and_when_that_is_asked_for(capsys):
    cli.main(["schema", "--output", "schema.json"])
    assert "--overwrite" in refused(capsys, "schema", "--output", "schema.json")
    cli.main(["schema", "--output", "schema.json", "--overwrite"])
    assert "no earlier output" in refused(capsys, "schema", "--output", "work/thesis.txt", "--overwrite")
    Path("own.yaml").write_text("run: a\nsearch: {lr: {kind: catalog, href: a}, hr: {kind: catalog, href: b}}\n")
    for output in ("own.yaml", "work/../own.yaml"):
        assert "is an input" in refused(capsys, "config", "--settings", "own.yaml", "--output", output, "--overwrite")
    cli.main(["config", "--settings", "own.yaml", "--output", "all.yaml"])
    cli.main(["config", "--settings", "own.yaml", "--output", "all.yaml", "--overwrite"])
    assert "no earlier output" in refused(capsys, "costs", "work", "--output", "all.yaml", "--overwrite")
    assert Path("work/thesis.txt").read_text() == "mine"


def test_a_link_to_a_folder_stays_and_what_it_leads_to_is_written():
    Path("disk").mkdir()
    Path("out").symlink_to("disk")
    cli.main([*chips(Path("images")), "--output", "out"])
    assert Path("out").is_symlink()
    assert len(list(Path("disk").iterdir())) == 2


def test_several_scenes_go_into_folders_of_their_own_names():
    cli.main([*super_resolve(scene("a.tif", 1), scene("b.tif", 2)), "--output", "work"])
    means = [Path("work", name, "mean.tif").read_bytes() for name in "ab"]
    assert means[0] != means[1]
    assert Path("work/thesis.txt").read_text() == "mine"


def test_scenes_are_called_by_their_paths_and_urls():
    names = {
        "S2A_MSIL2A_X.SAFE": "S2A_MSIL2A_X", "d/S2A.SAFE.zip": "S2A", "d/GF2_PMS1.tar.gz": "GF2_PMS1", "d/b/": "b",
        "https://me:pw@example.org/items/S2B_50SKA?sig=x": "S2B_50SKA", "https://example.org/a%20b.json": "a b",
        "v1.2_T50": "v1.2_T50", "../..hidden.tif": "hidden",
    }  # fmt: skip
    found = scene_outputs([*names], Path("o"))
    assert [path for _, path in found] == [Path("o", name) for name in names.values()]
    assert [given for given, _ in found] == [*names]


def test_nothing_is_begun_where_one_of_several_scenes_cannot_be_written(capsys):
    Path("out/b").mkdir(parents=True)
    Path("out/b/mine.txt").write_text("mine")
    Path("other").mkdir()
    both = super_resolve(scene("a.tif"), scene("b.tif"))
    assert "out/b: holds mine.txt" in refused(capsys, *both, "--output", "out")
    twice = super_resolve("a.tif", scene("other/A.tif"))
    assert "has the name of a.tif" in refused(capsys, *twice, "--output", "out")
    assert [*content("out")] == ["out/b/mine.txt"]


def test_what_came_into_a_folder_while_a_command_ran_is_kept():
    args = cli._parser().parse_args(["chips", "--lr", "a", "--hr", "b", "--lr-gsd-m", "1", "--output", "out"])
    guard(args)
    with pytest.raises(cli.UserError, match=r"out: holds notes\.txt"), whole(args.output) as part:
        part.mkdir()
        (part / "a_lr.tif").touch()
        Path("out").mkdir()
        Path("out/notes.txt").write_text("mine")
    assert [*content("out")] == ["out/notes.txt"]


def test_every_command_says_what_it_writes():
    [stages] = [action for action in cli._parser()._actions if action.dest == "stage"]
    for parser in stages.choices.values():
        known = {action.dest for action in parser._actions}
        outputs = parser.get_default("outputs")
        assert {output.argument for output in outputs} <= known
        assert ("overwrite" in known) == bool(outputs) == (parser.prog != "crossres view")


def test_every_module_of_commands_is_a_command():
    modules = {module.name for module in pkgutil.iter_modules(commands.__path__)} - {"options"}
    assert modules == {name.replace("-", "_") for name in commands.NAMES}


@pytest.mark.parametrize("wrong", ["png", "folder", "missing", "surrogates", "utf-16"])
@pytest.mark.parametrize("argument", ["--checkpoint", "scene", "--pair", "--index", "--settings", "RUN"])
def test_any_other_kind_of_file_is_one_line(capsys, argument, wrong):
    given = {"surrogates": os.fsdecode(b"\xff\xfe.json"), "missing": "nowhere/x"}.get(wrong, f"given.{wrong}")
    if wrong == "folder":
        Path(given).mkdir()
    elif wrong == "png":
        Image.new("L", (8, 8)).save(given)
    elif wrong != "missing":
        Path(given).write_bytes("{a: 1}".encode("utf-16"))
    scene("a.tif")
    own = model(Path("model"))
    arguments = {
        "--checkpoint": ["super-resolve", "a.tif", "--checkpoint", given, "--output", "out"],
        "scene": ["super-resolve", given, "--checkpoint", own, "--start", "nearest", "--output", "out"],
        "--pair": ["coregister", "--pair", given, "--lr", "work", "--hr", "work", "--output", "out"],
        "--index": ["held-out", "--pair", "p", "--mask", "a.tif", "--index", given, "--output", "out.tif"],
        "--settings": ["config", "--settings", given, "--output", "out.yaml"],
        "RUN": ["lock", given, "--output", "out.json"],
    }[argument]
    line = refused(capsys, *arguments)
    assert os.fsdecode(os.fsencode(given)).encode("ascii", "backslashreplace").decode() in line
    assert "delete" not in line
    assert not list(Path().glob("out*"))


def test_a_model_may_be_named_by_its_weights():
    own = model(Path("model"))
    Path(own, "model.safetensors").touch()
    weights = ["--checkpoint", f"{own}/model.safetensors", "--start", "nearest"]
    cli.main(["super-resolve", scene("a.tif"), *weights, "--output", "out"])
    assert Path("out/mean.tif").exists()


def test_a_secret_is_in_no_line_and_no_log(here):
    url = "https://me:hunter2@localhost:9/x.json?sig=hunter2"
    arguments = ["super-resolve", url, "--checkpoint", model(Path("model")), "--output", "out"]
    command = [sys.executable, "-m", "crossres", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=here)
    assert done.returncode == 1
    assert "localhost:9/x.json" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
