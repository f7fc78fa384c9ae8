"""Models that travel: packed with their card, fetched by their SHA-256, and nothing of them run."""

import io
import json
import tarfile
from fractions import Fraction
from pathlib import Path

import pystac
import pytest
from pystac.extensions.mlm import MLMExtension
from range_server import every_third, serve_files
from test_scenes import make_model

from crossres import cli
from crossres.commands.given_model import model_folder
from crossres.diffusion.model.package import sha256_of
from crossres.errors import UserError
from test_outputs import content, refused, scene

WORDS = ("--licence", "CC-BY-4.0", "--citation", "Who et al.", "--doi", "10.1/x", "--trained-on", "fields of Henan")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    monkeypatch.setenv("CROSSRES_CACHE", str(tmp_path / "cache"))
    make_model(tmp_path / "m", Fraction(4))
    return tmp_path


@pytest.fixture
def packed():
    Path("server").mkdir()
    cli.main(["model", "pack", "m", "server/m.tar", *WORDS])
    return Path("server/m.tar")


def kept():
    return sorted(path.name for path in Path("cache").rglob("*") if path.is_file())


def sharpened(model, *options):
    scene("a.tif")
    return ["super-resolve", "a.tif", "--model", str(model), "--start", "regression", "--output", "sr", *options]


def test_the_item_says_by_stac_what_the_model_takes_and_gives_and_who_may_use_it(packed):
    with tarfile.open(packed) as tar:
        assert tar.getnames() == ["item.json", "card.json", "model.safetensors", "best.safetensors"]
        item = pystac.Item.from_dict(json.load(tar.extractfile("item.json")))
    model = MLMExtension.ext(item)
    assert item.properties["mlm:name"] == "crossres-m" and model.tasks == ["super-resolution"]
    assert model.input[0].bands == ["blue", "green", "red", "nir"]
    assert model.input[0].input.shape == [-1, 4, -1, -1]
    assert model.total_parameters == json.loads(Path("m/card.json").read_text())["parameters"]
    assert item.properties["license"] == "CC-BY-4.0" and item.properties["sci:doi"] == "10.1/x"
    assert item.assets["model"].roles == ["mlm:model", "mlm:weights"]


def test_it_is_the_same_file_each_time_and_again_from_what_was_unpacked(packed):
    cli.main(["model", "pack", "m", "again.tar", "--name", "crossres-m", *WORDS])
    assert sha256_of(Path("again.tar")) == sha256_of(packed)
    cli.main(["model", "pack", str(packed), "third.tar", "--name", "crossres-m"])
    assert sha256_of(Path("third.tar")) == sha256_of(packed)


def test_what_stands_there_is_replaced_only_when_asked_and_only_a_packed_model(packed, capsys):
    assert "is there already" in refused(capsys, "model", "pack", "m", packed)
    cli.main(["model", "pack", "m", str(packed), "--overwrite"])
    Path("thesis.tar").write_text("mine")
    assert "is no earlier output" in refused(capsys, "model", "pack", "m", "thesis.tar", "--overwrite")
    assert Path("thesis.tar").read_text() == "mine"


def test_a_name_that_the_extension_does_not_take_is_one_line(capsys):
    assert "--name: '1' is no name of a model" in refused(capsys, "model", "pack", "m", "a.tar", "--name", "1")
    assert not Path("a.tar").exists()


def test_show_says_it_in_a_few_lines(packed, capsys):
    cli.main(["model", "show", str(packed)])
    said = capsys.readouterr().out
    for words in ("10 m", "2.5 m", "CC-BY-4.0", "Who et al. doi:10.1/x", "fields of Henan"):
        assert words in said
    cli.main(["model", "show", "m"])
    assert "licence     not stated" in capsys.readouterr().out


def test_a_model_is_fetched_once_by_url_and_draws_as_its_folder_does(packed):
    digest = sha256_of(packed)
    cli.main(sharpened("m"))
    own = content("sr")
    with serve_files(Path("server"), every_third) as server:
        url = f"{server.url}/m.tar"
        cli.main([*sharpened(f"{url}#sha256={digest}"), "--overwrite"])
        asked = len(server.asked)
        cli.main([*sharpened(url, "--model-sha256", digest.upper()), "--overwrite"])
        assert len(server.asked) == asked
    assert kept() == ["best.safetensors", "card.json", "item.json", "model.safetensors"]
    assert {name: own[name] for name in own if name.endswith("tif")} == {
        name: value for name, value in content("sr").items() if name.endswith("tif")
    }


def test_of_a_file_with_another_hash_nothing_is_kept(packed, capsys):
    with serve_files(Path("server")) as server:
        line = refused(capsys, *sharpened(f"{server.url}/m.tar#sha256={'0' * 64}"))
    assert "it is not the file that was meant, and is not kept" in line
    assert kept() == []
    line = refused(capsys, *sharpened(packed, "--model-sha256", "0" * 64))
    assert "it is not the model that was meant" in line


@pytest.mark.parametrize(
    ("model", "line"),
    [
        ("https://example.org/m.tar", "needs its SHA-256"),
        ("https://example.org/m.tar#sha256=12", "is no SHA-256"),
        ("nowhere", "no such file or folder"),
        ("a.tif", "is no packed model"),
        ("m/history.csv", "no such file or folder"),
    ],
)
def test_what_is_no_model_is_said_in_one_line(capsys, model, line):
    assert line in refused(capsys, *sharpened(model))
    assert not Path("sr").exists() and kept() == []


def member(name, content=b"", kind=tarfile.REGTYPE, link=""):
    one = tarfile.TarInfo(name)
    one.size, one.type, one.linkname = len(content), kind, link
    return one, content


HOSTILE = {
    "a path outside": member("../outside.txt", b"x"),
    "an absolute path": member("/tmp/outside.txt", b"x"),
    "a link": member("card.json", kind=tarfile.SYMTYPE, link="/etc/passwd"),
    "a hard link": member("card.json", kind=tarfile.LNKTYPE, link="model.safetensors"),
    "a device": member("card.json", kind=tarfile.CHRTYPE),
    "a folder": member("model", kind=tarfile.DIRTYPE),
    "code": member("model.py", b"raise SystemExit"),
    "a pickle": member("model.pt", b"\x80\x04."),
    "a card twice": member("card.json", b"{}"),
    "a card without end": member("card.json", b" " * (2 << 20)),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_an_archive_with_anything_but_a_model_is_refused_and_leaves_nothing(here, what):
    with tarfile.open("bad.tar", "w") as tar:
        if what != "a card without end":
            tar.add("m/model.safetensors", "model.safetensors")
        if what == "a card twice":
            tar.add("m/card.json", "card.json")
        one, content = HOSTILE[what]
        tar.addfile(one, io.BytesIO(content))
    before = {path for path in here.parent.rglob("*") if "cache" not in path.parts}
    with pytest.raises(UserError, match=r"which no packed model has|holds card\.json"):
        model_folder("bad.tar", None)
    assert kept() == []
    assert {path for path in here.parent.rglob("*") if "cache" not in path.parts} == before


@pytest.mark.parametrize("damage", ["weights", "card", "cut"])
def test_a_model_that_is_not_whole_is_refused(damage, packed):
    with tarfile.open(packed) as tar:
        parts = {name: tar.extractfile(name).read() for name in tar.getnames()}
    if damage == "weights":
        parts["model.safetensors"] = parts["model.safetensors"][:-4] + b"abcd"
    if damage == "card":
        parts["card.json"] = b"{}"
    with tarfile.open("bad.tar", "w") as tar:
        for name, content in parts.items():
            one, _ = member(name, content)
            tar.addfile(one, io.BytesIO(content))
    if damage == "cut":
        whole = Path("bad.tar").read_bytes()
        Path("bad.tar").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(UserError, match=r"bad\.tar: "):
        model_folder("bad.tar", None)
    assert kept() == []
