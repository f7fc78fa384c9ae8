"""A scene rendered in parts, stopped and taken up again, or shared by processes, is the same scene; SAFE products."""

import json
import os
import signal
import threading
import time
from fractions import Fraction
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import rasterio
from command import super_resolve
from distributed import LocalCluster
from small_world import BANDS
from test_scenes import lr_scene, make_model, run

from crossres.diffusion.sample import render, scenes
from crossres.diffusion.sample.windows import cuts
from crossres.errors import UserError
from crossres.imagery import cluster
from crossres.imagery.engine import computing
from crossres.imagery.scene import open_scene, select, write_scene
from crossres.settings.sample import ArmSettings, TilingSettings

ONCE = ArmSettings(steps=1, samples=1)
SMALL = TilingSettings(block_px=112)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_model(tmp_path / "model", Fraction(4))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Stopped(Exception):
    pass


@pytest.fixture(autouse=True)
def one_thread():
    """What is done when one block stops is then known."""
    with computing(1):
        yield


def test_a_stopped_scene_goes_on_with_the_blocks_that_are_missing(tmp_path, model, monkeypatch, caplog):
    scene = lr_scene(56, 84)
    whole = files(run(tmp_path, scene, model, ONCE, SMALL, name="arm"))
    own, rendered = render.render, []

    def until_the_fourth(*args):
        if len(rendered) == 3:
            raise Stopped
        rendered.append(args)
        return own(*args)

    output = tmp_path / "sr" / "place" / "arm"
    for path in output.iterdir():
        path.unlink()
    output.rmdir()
    monkeypatch.setattr(render, "render", until_the_fourth)
    with pytest.raises(Stopped):
        run_again(tmp_path, model)
    assert not output.exists()
    rendered.clear()
    monkeypatch.setattr(render, "render", lambda *args: (rendered.append(args), own(*args))[1])
    run_again(tmp_path, model)
    assert len(rendered) == 6 - 3
    assert files(output) == whole
    assert [path.name for path in output.parent.iterdir()] == ["arm"]


def run_again(tmp_path: Path, model: Path, arm: ArmSettings = ONCE) -> None:
    lr = tmp_path / "aligned" / "place" / "lr.tif"
    scenes.sample_scene(arm, SMALL, "arm", lr, model, tmp_path / "sr" / "place" / "arm")


def small_blocks(monkeypatch) -> None:
    """Cut scenes as SMALL does where a command has no settings to say it in."""
    monkeypatch.setattr(scenes, "cuts", lambda length, _, multiple: cuts(length, SMALL.block_px, multiple))


def stopped_after(count: int, monkeypatch) -> list:
    """Stop rendering after some blocks; return the list that each rendered block is added to."""
    small_blocks(monkeypatch)
    own, rendered = render.render, []

    def some(*args):
        if len(rendered) == count:
            raise Stopped
        rendered.append(args)
        return own(*args)

    monkeypatch.setattr(render, "render", some)
    return rendered


def go_on(monkeypatch, rendered: list) -> None:
    monkeypatch.undo()
    small_blocks(monkeypatch)
    own = render.render
    rendered.clear()
    monkeypatch.setattr(render, "render", lambda *args: (rendered.append(args), own(*args))[1])


@pytest.mark.parametrize("damage", [lambda content: content[:-40], lambda content: content[:-1] + b"?", lambda _: b""])
def test_a_damaged_block_is_made_again(tmp_path, model, monkeypatch, damage):
    whole = files(run(tmp_path / "whole", lr_scene(56, 84), model, ONCE, SMALL))
    rendered = stopped_after(3, monkeypatch)
    with pytest.raises(Stopped):
        run(tmp_path, lr_scene(56, 84), model, ONCE, SMALL)
    block = next((tmp_path / "sr" / "place").rglob("*.block"))
    block.write_bytes(damage(block.read_bytes()))
    go_on(monkeypatch, rendered)
    run_again(tmp_path, model)
    assert len(rendered) == 6 - 2
    found = files(tmp_path / "sr" / "place" / "arm")
    assert [name for name in whole if name != "item.json" and found[name] != whole[name]] == []


def test_blocks_of_a_zip_whose_pixels_changed_under_the_same_name_size_and_time_are_not_used(
    tmp_path, model, monkeypatch
):
    """The second product differs in one pixel; the zips store it without compression."""
    other = lr_scene(56, 84)
    product, zips = tmp_path / "product.zip", []
    for scene in (lr_scene(56, 84), other):
        scene.reflectance.values[:, 3, 4] += 0.01 * len(zips)
        for band in BANDS:
            write_scene(tmp_path / f"{band}.tif", select(scene, (band,)))
        with ZipFile(product, "w") as archive:
            for band in BANDS:
                archive.write(tmp_path / f"{band}.tif", f"scene/{band}.tif")
        zips.append(product.read_bytes())
    zips = [content.ljust(max(map(len, zips)), b"\0") for content in zips]
    product.write_bytes(zips[0])
    time = product.stat()
    rendered = stopped_after(3, monkeypatch)
    with pytest.raises(Stopped):
        super_resolve(product, model, tmp_path / "sr")
    product.write_bytes(zips[1])
    os.utime(product, ns=(time.st_atime_ns, time.st_mtime_ns))
    assert product.stat().st_size == time.st_size
    go_on(monkeypatch, rendered)
    super_resolve(product, model, tmp_path / "sr")
    assert len(rendered) == 6
    super_resolve(product, model, tmp_path / "anew")
    assert files(tmp_path / "sr") == files(tmp_path / "anew")


def test_blocks_of_other_settings_are_not_used(tmp_path, model, monkeypatch):
    own, rendered = render.render, []

    def one(*args):
        if rendered:
            raise Stopped
        rendered.append(args)
        return own(*args)

    monkeypatch.setattr(render, "render", one)
    with pytest.raises(Stopped):
        run(tmp_path, lr_scene(56, 56), model, ONCE, SMALL)
    rendered.clear()
    monkeypatch.setattr(render, "render", lambda *args: (rendered.append(args), own(*args))[1])
    run_again(tmp_path, model, ArmSettings(steps=2, samples=1))
    assert len(rendered) == 4


def test_threads_and_a_block_that_has_them_all_make_the_scene_that_one_thread_makes(tmp_path, model):
    arm = ArmSettings(steps=1, samples=4)
    for block_px, count in ((112, 4), (2048, 1)):
        results = {}
        for threads in (1, 2, 4):
            with computing(threads):
                output = run(
                    tmp_path / str(count), lr_scene(56, 56), model, arm, TilingSettings(block_px=block_px),
                    name=str(threads),
                )  # fmt: skip
            results[threads] = [(output / f"{part}.tif").read_bytes() for part in ("mean", "std", "sample", "support")]
        assert results[1] == results[2] == results[4]


@pytest.fixture
def scheduler(monkeypatch):
    """Start a scheduler and two workers, processes of their own, and name it as a user does."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        monkeypatch.setenv("CROSSRES_DASK", cluster.scheduler_address)
        yield cluster


def test_workers_of_dask_make_the_same_scene_and_one_that_is_killed_changes_nothing(
    tmp_path, model, monkeypatch, scheduler
):
    arm = ArmSettings(steps=2, samples=2)
    alone = files(run(tmp_path / "alone", lr_scene(108, 108), model, arm, TilingSettings(block_px=144)))
    store = tmp_path / "sr" / "place" / ".arm.blocks"

    def kill_when_some_are_done():
        while len(list(store.rglob("*.block"))) < 4:
            time.sleep(0.02)
        os.kill(next(iter(scheduler.workers.values())).pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_when_some_are_done)
    killer.start()
    with computing(1):
        together = files(run(tmp_path, lr_scene(108, 108), model, arm, TilingSettings(block_px=144)))
    killer.join()
    assert [name for name in alone if name != "item.json" and together[name] != alone[name]] == []
    assert not store.exists()


def test_a_scheduler_that_is_not_there_is_one_clear_line(monkeypatch):
    monkeypatch.setenv("CROSSRES_DASK", "tcp://127.0.0.1:1")
    monkeypatch.setattr(cluster, "WAIT_S", 1)
    with (
        pytest.raises(UserError, match=r"CROSSRES_DASK: no scheduler of dask answers at tcp://127\.0\.0\.1:1"),
        computing(1),
    ):
        pass


METADATA = """<?xml version="1.0"?><n1:Level-2A_User_Product xmlns:n1="x"><n1:General_Info><Product_Info>
<PRODUCT_START_TIME>2023-05-01T03:00:00.024Z</PRODUCT_START_TIME>
<Datatake><SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME></Datatake></Product_Info>
<Product_Image_Characteristics><BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>{offsets}
</Product_Image_Characteristics></n1:General_Info></n1:Level-2A_User_Product>"""
OFFSETS = "".join(f'<BOA_ADD_OFFSET band_id="{i}">-1000</BOA_ADD_OFFSET>' for i in range(13))


def write_safe(folder: Path, offset: bool, bands: tuple[str, ...] = BANDS) -> Path:
    """Write a SAFE folder of the small scene as ESA lays it out, with the 20 m files that are not wanted."""
    product = folder / f"S2A_MSIL2A_{'N0509' if offset else 'N0214'}.SAFE"
    scene = lr_scene(16, 16)
    names = dict(zip(BANDS, ("B02", "B03", "B04", "B08"), strict=True))
    profile = dict(driver="JP2OpenJPEG", height=16, width=16, count=1, dtype="uint16", crs="EPSG:32650",
                   transform=scene.odc.geobox.affine, QUALITY="100", REVERSIBLE="YES")  # fmt: skip
    for resolution in ("R10m", "R20m"):
        images = product / "GRANULE" / "L2A_T50" / "IMG_DATA" / resolution
        images.mkdir(parents=True)
        for band in bands:
            dn = np.rint(select(scene, (band,)).reflectance.values * 1e4 + 1000 * offset).astype(np.uint16)
            path = images / f"T50SLD_20230501_{names[band]}_{resolution[1:]}.jp2"
            with rasterio.open(path, "w", **profile) as file:
                file.write(dn)
    (product / "MTD_MSIL2A.xml").write_text(METADATA.format(offsets=OFFSETS if offset else ""))
    return product


def upscaled(scene: Path, model: Path, output: Path) -> np.ndarray:
    super_resolve(scene, model, output)
    return open_scene(output / "mean.tif").reflectance.values


@pytest.mark.parametrize("offset", [True, False])
def test_a_safe_product_says_itself_whether_there_is_an_offset(tmp_path, model, offset):
    product = write_safe(tmp_path, offset)
    with ZipFile(tmp_path / "product.zip", "w") as archive:
        for path in product.rglob("*"):
            archive.write(path, Path(product.name) / path.relative_to(product))
    values = upscaled(product, model, tmp_path / "folder")
    assert np.array_equal(values, upscaled(tmp_path / "product.zip", model, tmp_path / "zip"))
    assert values.mean((1, 2)) == pytest.approx(lr_scene(16, 16).reflectance.values.mean((1, 2)), abs=1e-3)
    properties = json.loads((tmp_path / "folder" / "item.json").read_text())["properties"]
    assert properties["crossres:assumed"] == [] and properties["datetime"].startswith("2023-05-01T03:00:00")


def test_a_safe_product_without_a_band_and_a_damaged_zip_are_one_clear_line(tmp_path, model):
    with pytest.raises(UserError, match="no 10 m file of band B08"):
        upscaled(write_safe(tmp_path, True, BANDS[:3]), model, tmp_path / "out")
    (tmp_path / "bad.zip").write_bytes(b"PK nothing")
    with pytest.raises(UserError, match="damaged zip"):
        upscaled(tmp_path / "bad.zip", model, tmp_path / "out")


def test_the_baseline_of_an_item_gives_the_offset_that_its_bands_forget(tmp_path, model):
    product = write_safe(tmp_path, True)
    images = sorted(product.rglob("*_10m.jp2"))
    assets = {p.stem.split("_")[2]: {"href": p.relative_to(tmp_path).as_posix()} for p in images}
    for name, properties, offset in (
        ("old", {"s2:processing_baseline": "02.14"}, 0.0),
        ("new", {"s2:processing_baseline": "05.09"}, -0.1),
        ("done", {"s2:processing_baseline": "05.09", "earthsearch:boa_offset_applied": True}, 0.0),
    ):
        item = {"id": name, "assets": assets, "properties": {"datetime": "2023-05-01T03:00:00Z", **properties}}
        (tmp_path / f"{name}.json").write_text(json.dumps(item))
        mean = upscaled(tmp_path / f"{name}.json", model, tmp_path / name).mean()
        assert mean == pytest.approx(lr_scene(16, 16).reflectance.values.mean() + 0.1 + offset, abs=1e-3)
