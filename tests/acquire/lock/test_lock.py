"""A lock file repeats a run: the same items without asking any source, and only the very same pixels."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml
from rasterio.transform import from_origin

from crossres.acquire.catalog import catalog_folder
from crossres.acquire.download import download
from crossres.acquire.lock.checksums import SHA256, checksum
from crossres.acquire.lock.lock_file import read_lock, write_locked
from crossres.acquire.lock.lock_run import lock_run
from crossres.acquire.search import search
from crossres.errors import UserError
from crossres.files import read_json, write_json
from crossres.settings.config import Config, parse
from crossres.settings.search import SearchSettings


def digests(folder):
    return {p.relative_to(folder): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}


def raster(path, gsd, seed, offset=0.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(100, 4000, (1, 100, 100)).astype("uint16")
    place = dict(crs="EPSG:32650", transform=from_origin(500_000 + offset, 4_000_000, gsd, gsd))
    with rasterio.open(path, "w", driver="GTiff", width=100, height=100, count=1, dtype="uint16", **place) as dst:
        dst.write(values)


def folder_source(path):
    sensor = {"bands": ["red"], "scale": 1e-4, "datetime": "2020-05-01T00:00:00Z"}
    return {"kind": "folder", "path": path, "sensor": sensor}


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An archive of two LR and two HR images, outside of any run."""
    folder = tmp_path / "archive"
    for name, gsd, offset in (("lr/a", 20, 0), ("lr/b", 20, 5_000), ("hr/one", 10, 100), ("hr/two", 10, 700)):
        raster(folder / f"{name}.tif", gsd, len(name), offset)
    monkeypatch.setenv("ARCHIVE", str(folder))
    return folder


def config(**search_changes) -> Config:
    sources = {"lr": folder_source("${ARCHIVE}/lr"), "hr": folder_source("${ARCHIVE}/hr")}
    return parse({"run": "x", "search": sources | search_changes, "grid": {"gsd_m": 5, "bands": ["red"]}})


def run_folder(folder: Path, settings: Config, archive: Path | None, lock=None) -> Path:
    """Do what the workflow does up to the scenes; catalogues only where there is an archive to make them of."""
    for role in ("lr", "hr") if archive else ():
        [source] = getattr(settings.search, role)
        catalog_folder(source, archive / role, folder / "catalogs" / role)
    catalogs = [str(folder / "catalogs" / role / "catalog.json") if archive else None for role in ("lr", "hr")]
    search(settings.search, settings.grid, *catalogs, folder / "items")
    for item in sorted((folder / "items" / "scenes").glob("*.json")):
        held = lock.checksums(item.stem, folder, settings.acquire, settings.grid) if lock else None
        download(settings.acquire, settings.grid, item, None, folder / "scenes" / item.stem, checksums=held)
    (folder / "config.yaml").write_text(yaml.safe_dump(settings.model_dump(mode="json")))
    return folder


@pytest.fixture
def locked(tmp_path, archive):
    """A finished run and its lock file."""
    first = run_folder(tmp_path / "results" / "first", config(), archive)
    lock_run(first, tmp_path / "lock.json")
    return first, tmp_path / "lock.json"


def test_a_run_from_the_lock_is_byte_for_byte_the_run_that_it_was_made_of(tmp_path, locked):
    first, lock = locked
    shutil.rmtree(first / "catalogs")
    again = run_folder(tmp_path / "results" / "again", config(lock=str(lock)), None, read_lock(lock))
    for part in ("items", "scenes"):
        assert digests(again / part) == digests(first / part)
    assert len(digests(again / "items")) == 3 + 2 + 1


def test_a_lock_holds_on_another_machine_and_in_another_depth(tmp_path, locked, archive, monkeypatch):
    first, lock = locked
    assert str(tmp_path) not in lock.read_text()
    moved = tmp_path / "other" / "deeper" / "archive"
    moved.parent.mkdir(parents=True)
    archive.rename(moved)
    monkeypatch.setenv("ARCHIVE", str(moved))
    again = run_folder(tmp_path / "a/b/c/run", config(lock=str(lock)), None, read_lock(lock))
    tifs = {path: digest for path, digest in digests(first / "scenes").items() if path.suffix == ".tif"}
    assert {p: d for p, d in digests(again / "scenes").items() if p.suffix == ".tif"} == tifs


def test_a_lock_of_a_locked_run_is_the_same_lock(tmp_path, locked):
    _, lock = locked
    again = run_folder(tmp_path / "results" / "again", config(lock=str(lock)), None, read_lock(lock))
    lock_run(again, tmp_path / "lock2.json")
    assert (tmp_path / "lock2.json").read_bytes() == lock.read_bytes()


def test_a_changed_or_missing_source_is_refused_and_nothing_is_written(tmp_path, locked, archive):
    _, lock = locked
    with (archive / "hr" / "one.tif").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    message = r"scene one: \S+one\.tif is not what \S+lock\.json holds .* make a new lock file"
    with pytest.raises(UserError, match=message) as caught:
        run_folder(tmp_path / "results" / "b", config(lock=str(lock)), None, read_lock(lock))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "results" / "b" / "scenes" / "one").exists()
    (archive / "hr" / "one.tif").unlink()
    with pytest.raises(UserError, match=r"one\.tif is missing"):
        run_folder(tmp_path / "results" / "c", config(lock=str(lock)), None, read_lock(lock))


def test_a_scene_that_comes_out_differently_is_refused(tmp_path, locked):
    first, lock = locked
    content = read_json(lock)
    content["scenes"]["one"]["files"]["mask.tif"] = SHA256 + "0" * 64
    write_json(lock, content)
    with pytest.raises(UserError, match=r"scene one: mask\.tif as read now is not what"):
        run_folder(tmp_path / "results" / "b", config(lock=str(lock)), None, read_lock(lock))
    assert not (tmp_path / "results" / "b" / "scenes" / "one").exists()
    # Under other settings the result may differ, and is not held to the lock; the sources are.
    other = config(lock=str(lock)).model_copy(update={"acquire": config().acquire.model_copy(update={"haze": "none"})})
    again = run_folder(tmp_path / "results" / "c", other, None, read_lock(lock))
    assert digests(again / "items") == digests(first / "items")


def test_a_lock_of_a_version_with_other_keys_still_holds_for_the_sources(tmp_path, locked):
    _, lock = locked
    content = read_json(lock)
    content["settings"]["acquire"]["a_key_of_old"] = 1
    write_json(lock, content)
    settings = config()
    held = read_lock(lock).checksums("one", tmp_path / "results" / "first", settings.acquire, settings.grid)
    assert held.files is None
    assert list(held.assets.values()) == list(content["scenes"]["one"]["assets"].values())


def test_an_lr_scene_with_other_bands_is_not_held_to_the_lock_and_an_hr_scene_still_is(tmp_path, locked):
    lock, settings = read_lock(locked[1]), config()
    more = settings.grid.model_copy(update={"lr_bands": ("red", "swir16")})
    files = {scene: lock.checksums(scene, tmp_path, settings.acquire, more).files for scene in lock.scenes}
    assert {scene for scene, held in files.items() if held} == {"one", "two"}


def test_further_dates_and_their_scenes_are_locked(tmp_path, archive):
    raster(archive / "lr" / "c.tif", 20, 5)
    sidecar = {"bands": ["red"], "scale": 1e-4, "datetime": "2020-05-11T00:00:00Z"}
    second = folder_source("${ARCHIVE}/lr") | {"pattern": "c.tif", "sensor": sidecar}
    first = folder_source("${ARCHIVE}/lr") | {"pattern": "[ab].tif"}
    settings = config(lr=[first, second], lr_dates=2)
    run = tmp_path / "results" / "dates"
    catalogs = {}
    for role in ("lr", "hr"):
        for number, source in enumerate(getattr(settings.search, role)):
            folder = run / "catalogs" / f"{role}-{number}"
            catalog_folder(source, archive / role, folder)
            catalogs.setdefault(role, []).append(str(folder / "catalog.json"))
    search(settings.search, settings.grid, catalogs["lr"], catalogs["hr"], run / "items")
    assert read_json(run / "items/pairs/one--a.json")["further_dates"] == ["c"]
    for item in sorted((run / "items" / "scenes").glob("*.json")):
        download(settings.acquire, settings.grid, item, None, run / "scenes" / item.stem)
    (run / "config.yaml").write_text(yaml.safe_dump(settings.model_dump(mode="json")))
    lock_run(run, tmp_path / "lock.json")
    lock = read_lock(tmp_path / "lock.json")
    assert set(lock.scenes) == {"a", "c", "one", "two"}
    again = tmp_path / "results" / "again" / "items"
    assert write_locked(lock, settings.search, again) == []
    assert digests(again) == digests(run / "items")


def test_other_search_settings_are_said_not_to_be_those_of_the_lock(tmp_path, locked, caplog):
    _, lock = locked
    settings = config(lock=str(lock), max_date_gap_days=3)
    search(settings.search, settings.grid, None, None, tmp_path / "items")
    assert "holds for other settings of search.max_date_gap_days" in caplog.text


def test_signatures_never_enter_the_lock(tmp_path, locked):
    first, lock = locked
    path = first / "items" / "scenes" / "one.json"
    item = read_json(path)
    signed = "https://me:SECRET@a.org/b.tif?X-Amz-Signature=SECRET&sig=SECRET&part=1"
    item["assets"]["remote"] = {
        "href": signed,
        "file:checksum": SHA256 + "a" * 64,
        "alternate": {"s3": {"href": signed}},
    }
    item["properties"]["crossres:mosaic"] = [item | {"properties": {}}]
    item["links"] = [{"rel": "derived_from", "href": signed}]
    write_json(path, item)
    lock_run(first, lock)
    assert "SECRET" not in lock.read_text()
    entry = read_json(lock)["scenes"]["one"]
    assert entry["assets"]["https://a.org/b.tif?part=1"] == SHA256 + "a" * 64
    assert entry["item"]["properties"]["crossres:mosaic"][0]["assets"]["data"]["href"] == "${ARCHIVE}/hr/one.tif"


def test_a_lock_names_no_private_host(tmp_path, locked):
    _, lock = locked
    content = read_json(lock)
    hosts = ["10.0.0.71", "10.0.0.72", "127.0.0.1"]
    content["scenes"]["one"]["item"]["properties"]["crossres:private_hosts"] = hosts
    write_json(lock, content)
    source = {"kind": "catalog", "href": "http://10.0.0.72/catalog.json"}
    write_locked(read_lock(lock), SearchSettings(lr=source, hr=source), tmp_path / "run" / "items")
    written = read_json(tmp_path / "run" / "items" / "scenes" / "one.json")
    assert written["properties"]["crossres:private_hosts"] == ["10.0.0.72", "127.0.0.1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("scenes"), "is no lock file"),
        (lambda c: c.update({"crossres:lock": 99}), "of version 99"),
        (lambda c: c["scenes"].update({"../x": c["scenes"]["one"]}), "is no id"),
        (lambda c: c["pairs"]["one--a"].update({"lr": "gone"}), "names scene gone, which is not in it"),
        (lambda c: c["pairs"]["one--a"].update({"further_dates": ["gone"]}), "names scene gone, which is not in it"),
        (lambda c: c["scenes"]["one"].pop("files"), "is a lock file of version"),
    ],
)
def test_what_is_no_lock_file_is_refused(locked, change, message):
    _, lock = locked
    content = read_json(lock)
    change(content)
    write_json(lock, content)
    with pytest.raises(UserError, match=message):
        read_lock(lock)


def test_only_a_finished_run_can_be_locked(tmp_path, locked):
    first, _ = locked
    shutil.rmtree(first / "scenes" / "two")
    with pytest.raises(UserError, match=r"two/reflectance\.tif: no such file; let the run finish"):
        lock_run(first, tmp_path / "other.json")
    with pytest.raises(UserError, match="no such configuration file"):
        lock_run(tmp_path / "nowhere", tmp_path / "other.json")
    assert not (tmp_path / "other.json").exists()


def test_a_run_of_before_is_locked_without_the_keys_that_are_gone(tmp_path, locked, caplog):
    run, _ = locked
    lock_run(run, tmp_path / "again.json")
    record = run / "config.yaml"
    content = yaml.safe_load(record.read_text())
    content["evaluate"]["bootstrap"] = content["sample"]["tiling"]["processes"] = 1
    content["search"]["lr"][0]["lr_mtf"] = 0.3
    record.write_text(yaml.safe_dump(content))
    lock_run(run, tmp_path / "old.json")
    assert (tmp_path / "old.json").read_bytes() == (tmp_path / "again.json").read_bytes()
    [line] = [r.getMessage() for r in caplog.records if "left out" in r.getMessage()]
    assert "evaluate.bootstrap" in line and "sample.tiling.processes" in line and "lr_mtf" in line
    content["evaluate"]["nonsense"] = 1
    record.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match="nonsense: unknown key"):
        lock_run(run, tmp_path / "none.json")


def test_the_checksum_of_a_folder_follows_names_and_contents(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.tif").write_bytes(b"1")
    assert checksum(tmp_path / "a") == checksum(tmp_path / "b")
    (tmp_path / "b" / ".hidden").touch()
    assert checksum(tmp_path / "a") == checksum(tmp_path / "b")
    (tmp_path / "b" / "x.tif").rename(tmp_path / "b" / "y.tif")
    assert checksum(tmp_path / "a") != checksum(tmp_path / "b")
    assert checksum(tmp_path / "a" / "x.tif") == SHA256 + hashlib.sha256(b"1").hexdigest()
