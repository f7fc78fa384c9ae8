"""Grids, scenes on disk and whole outputs."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.windows import Window
from shapely.geometry import box

from crossres import grids
from crossres.errors import UserError
from crossres.files import read_json, whole, write_json
from crossres.imagery.numbers import Encoding
from crossres.imagery.raster import new_cog, write_cog
from crossres.imagery.scene import bands_of, make_scene, open_scene, write_scene
from crossres.unfinished import leave_nothing_when_terminated

UTM = "EPSG:32650"


def grid(rows=30, cols=40, gsd=10.0):
    return GeoBox((rows, cols), Affine(gsd, 0, 500000, 0, -gsd, 4000000), UTM)


@pytest.mark.parametrize(
    ("target", "factor"), [(2.5, Fraction(4)), (0.8, Fraction(25, 2)), (5.0, Fraction(2)), (3.2, Fraction(25, 8))]
)
def test_any_rational_factor_is_exact(target, factor):
    assert grids.scale_factor(10, target) == factor


@pytest.mark.parametrize("target", [10.0, 12.0, 3.14159])
def test_a_target_that_does_not_divide_the_lr_grid_is_refused(target):
    with pytest.raises(UserError, match=r"grid\.gsd_m"):
        grids.scale_factor(10, target)


@given(
    rows=st.integers(1, 60),
    cols=st.integers(1, 60),
    factor=st.sampled_from([Fraction(2), Fraction(4), Fraction(25, 2), Fraction(25, 8), Fraction(10, 3)]),
)
@settings(max_examples=50, deadline=None)
def test_the_fine_grid_has_the_corners_of_the_lr_grid(rows, cols, factor):
    lr = grid(rows * factor.denominator, cols * factor.denominator)
    fine = grids.fine_grid(lr, factor)
    assert fine.shape == (lr.shape[0] * factor, lr.shape[1] * factor)
    assert np.allclose(fine.extent.boundingbox.bbox, lr.extent.boundingbox.bbox, atol=1e-6)


def test_a_grid_without_a_whole_fine_grid_is_refused():
    with pytest.raises(UserError, match="multiple of 2"):
        grids.fine_grid(grid(31, 40), Fraction(25, 2))


def test_a_window_covers_the_region_and_stays_inside():
    window = grids.whole_window(grid(), box(500035, 3999800, 500201, 4000100))
    assert (window.col_off, window.row_off, window.width, window.height) == (3, 0, 18, 20)
    assert grids.whole_window(grid(), box(0, 0, 10, 10)) is None


def test_a_scene_comes_back_within_half_a_step(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.uniform(-0.05, 1.2, (4, 30, 40)).astype(np.float32)
    values[:, :5] = np.nan
    scene = make_scene(values, grid(), ("blue", "green", "red", "nir"), {"sensor": "x"})
    write_scene(tmp_path / "a.tif", scene)
    back = open_scene(tmp_path / "a.tif")
    assert np.isnan(back.reflectance.values[:, :5]).all()
    assert np.nanmax(np.abs(back.reflectance.values - values)) <= 0.51e-4
    assert bands_of(back) == bands_of(scene)
    assert back.odc.geobox == scene.odc.geobox
    assert back.attrs["sensor"] == "x"


def test_the_same_scene_gives_the_same_bytes_and_is_a_cog(tmp_path):
    scene = make_scene(np.full((1, 600, 600), 0.2, np.float32), grid(600, 600), ("red",))
    for name in "ab":
        write_scene(tmp_path / f"{name}.tif", scene)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    with rasterio.open(tmp_path / "a.tif") as src:
        assert src.overviews(1)
        assert src.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_a_raster_without_crs_is_refused_in_one_line(tmp_path):
    path = tmp_path / "nowhere.tif"
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        rasterio.open(path, "w", driver="GTiff", width=2, height=2, count=1, dtype="uint8").close()
    with pytest.raises(UserError, match=r"nowhere\.tif: has no coordinate reference system"):
        open_scene(path)


def test_a_file_that_is_no_raster_or_is_missing_is_named(tmp_path):
    (tmp_path / "page.tif").write_text("<html>")
    with pytest.raises(UserError, match="not a raster"):
        open_scene(tmp_path / "page.tif")
    with pytest.raises(UserError, match="no such file"):
        open_scene(tmp_path / "none.tif")


def test_an_output_appears_whole_or_not_at_all(tmp_path):
    def fail_halfway():
        with whole(tmp_path / "out") as part:
            part.mkdir()
            (part / "a").write_text("1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert list(tmp_path.iterdir()) == []
    with whole(tmp_path / "out") as part:
        part.mkdir()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_json_is_plain_and_ordered(tmp_path):
    write_json(tmp_path / "a.json", {"b": np.float32(0.5), "a": [np.int64(1), float("nan")]})
    assert (tmp_path / "a.json").read_text() == '{\n  "a": [\n    1,\n    null\n  ],\n  "b": 0.5\n}\n'
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(UserError, match=r"bad\.json"):
        read_json(tmp_path / "bad.json")


def test_a_scene_is_written_window_by_window_with_the_bytes_of_one_piece(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grid = GeoBox((700, 600), Affine(10, 0, 500000, 0, -10, 4000000), "EPSG:32650")
    values = rng.integers(1, 5000, (2, *grid.shape), dtype=np.uint16)
    write_cog(tmp_path / "one.tif", values, grid, ("red", "nir"))
    with new_cog(tmp_path / "many.tif", grid, ("red", "nir"), Encoding("uint16")) as dst:
        for row in (512, 256, 0):
            window = Window(0, row, 600, min(256, 700 - row))
            dst.write(values[:, row : row + int(window.height)], window=window)
    assert (tmp_path / "one.tif").read_bytes() == (tmp_path / "many.tif").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["many.tif", "one.tif"]


def test_what_a_killed_process_left_goes_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    finished = subprocess.Popen(["true"])
    finished.wait()
    dead = tmp_path / f".part-{socket.gethostname()}-{finished.pid}-a.tif"
    living = tmp_path / f".part-{socket.gethostname()}-{os.getppid()}-a.tif"
    dead.mkdir()
    living.touch()
    with whole(tmp_path / "a.tif") as part:
        part.touch()
    assert sorted(p.name for p in tmp_path.iterdir()) == [living.name, "a.tif"]


@pytest.mark.parametrize("host", ["another", f"{socket.gethostname()}-7", "x-1-y"])
def test_what_another_host_left_goes_when_nothing_in_it_has_changed_for_a_day(
    tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / f".part-{host}-1234-a.tif"
    aside = tmp_path / f".replaced-{host.replace('-', '_')}-1234-b"
    for folder in (left, aside):
        folder.mkdir()
        (folder / "inside").write_text("old")
    now = time.time()

    def after(hours: float) -> list[str]:
        monkeypatch.setattr(time, "time", lambda: now + hours * 3600)
        with whole(tmp_path / "c") as part:
            part.touch()
        return sorted(p.name for p in tmp_path.iterdir())

    os.utime(left, (0, 0))  # but not what is inside
    assert after(23) == sorted([left.name, aside.name, "c"])
    assert after(25) == ["b", "c"]  # which its process had put aside and not replaced
    assert (tmp_path / "b/inside").read_text() == "old"


def test_a_person_s_own_hidden_files_are_no_leftovers(tmp_path: Path) -> None:
    names = [".part-time", ".part-1", ".partial", ".part-a-b", ".replaced-by-me"]
    for name in names:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    with whole(tmp_path / "a") as part:
        part.mkdir()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*names, "a"])


def in_a_child(path: Path, before: object) -> int:
    """Replace a folder through `whole` in a process of its own, and return how that ended.

    `before` is called with the number of each thing that it asks the system for after its content is written.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        count = [-(10**9)]

        def step(event: str, _: object) -> None:
            if event.partition(".")[0] in {"os", "shutil", "open", "glob", "pathlib"}:
                count[0] += 1
                before(count[0], event)

        sys.addaudithook(step)
        leave_nothing_when_terminated()
        with whole(path) as part:
            part.mkdir()
            for name in "ab":
                (part / name).write_text("new")
            count[0] = 0
        os._exit(0)
    finally:
        os._exit(99)


def product(path: Path) -> set[str]:
    assert sorted(p.name for p in path.iterdir()) == ["a", "b"]
    return {p.read_text() for p in path.iterdir()}


def kill_at(number: int):
    def before(count: int, _: str) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return before


def test_a_kill_at_any_step_leaves_the_old_folder_or_the_new_one_whole(tmp_path: Path) -> None:
    path, seen, endings = tmp_path / "out", [], []
    for number in range(1, 200):
        path.mkdir()
        for name in "ab":
            (path / name).write_text("old")
        endings.append(in_a_child(path, kill_at(number)))
        # Where it was killed between the two renames, the old one stands beside and comes back with the next call.
        folders = [p for p in tmp_path.iterdir() if p.is_dir() and {c.name for c in p.iterdir()} == {"a", "b"}]
        assert any(len(product(p)) == 1 for p in folders)
        with whole(tmp_path / "next") as part:
            part.touch()
        assert sorted(p.name for p in tmp_path.iterdir()) == ["next", "out"]
        [state] = product(path)
        seen.append(state)
        for p in path.iterdir():
            p.unlink()
        path.rmdir()
        if endings[-1] == 0:
            break
    assert set(endings[:-1]) == {-signal.SIGKILL}
    assert endings[-1] == 0
    assert seen == sorted(seen, reverse=True)  # first the old one, then the new one
    assert {"old", "new"} == set(seen)


def test_sigterm_at_any_step_ends_the_process_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    def terminate_at(number: int):
        def before(count: int, _: str) -> None:
            if count == number:
                os.kill(os.getpid(), signal.SIGTERM)

        return before

    path, seen = tmp_path / "out", []
    for number in range(1, 200):
        path.mkdir(exist_ok=True)
        for name in "ab":
            (path / name).write_text("old")
        ended = in_a_child(path, terminate_at(number))
        [state] = product(path)
        seen.append(state)
        assert not [p for p in tmp_path.iterdir() if p != path and not p.name.startswith(".replaced-")]
        if ended == 0:
            break
        assert ended == -signal.SIGTERM
    assert {"old", "new"} == set(seen)


def test_everything_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted(handle: int) -> None:
        events.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    for method in ("rename", "replace"):
        monkeypatch.setattr(Path, method, lambda a, b: (events.append("named"), rename(a, b))[1])
    with whole(tmp_path / "out") as part:
        (part / "sub").mkdir(parents=True)
        (part / "sub" / "a").write_text("1")
        write_json(part / "b.json", {})
        inner = events.copy()
    part_name = part.name
    assert inner == ["named"]  # what is inside gets to the disk with the whole
    assert set(events[1:-2]) == {"a", "sub", "b.json", part_name}
    assert events[-2:] == ["named", tmp_path.name]


@pytest.mark.parametrize("text", ["{", '{"a": 1, "a": 2}', "[" * 100_000, "NaN", "[Infinity]", "1e999", "9" * 5000, ""])
def test_what_is_no_json_is_one_line_that_tells_nobody_to_delete_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=r"a\.json: not valid JSON") as said:
        read_json(tmp_path / "a.json")
    assert "\n" not in str(said.value)
    assert "delete" not in str(said.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_is_read_in_the_encodings_that_editors_write(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"name": "湖"}, ensure_ascii=False), encoding=encoding)
    assert read_json(tmp_path / "a.json") == {"name": "湖"}


def test_another_encoding_and_a_name_that_is_no_file_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes("{'湖'}".encode("gb18030"))
    for name, said in [
        ("a.json", "not a text in UTF-8"), ("none.json", "no such file"), ("a.json/b", "no such file"), (".", "folder"),
    ]:  # fmt: skip
        with pytest.raises(UserError, match=said):
            read_json(tmp_path / name)
