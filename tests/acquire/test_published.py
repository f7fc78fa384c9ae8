"""Each published layout goes from its folder to a training batch, by the stages as the workflow runs them."""

import json
import zipfile
from fractions import Fraction

import made_published as made
import numpy as np
import pandas as pd
import pytest
import rasterio
import torch

from crossres.acquire.download import download
from crossres.acquire.published.catalogue import catalog_dataset
from crossres.acquire.published.torch_file import read_tensor
from crossres.acquire.search import search
from crossres.align.radiometry.normalise import normalise
from crossres.align.registration.coregister import coregister
from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.train.data import Split
from crossres.errors import UserError
from crossres.pairs.dataset import assemble
from crossres.pairs.extract import extract
from crossres.pairs.published import by_pair
from crossres.settings.acquire import AcquireSettings
from crossres.settings.coregister import CoregisterSettings
from crossres.settings.dataset import DatasetSettings
from crossres.settings.grid import GridSettings
from crossres.settings.normalise import NormaliseSettings
from crossres.settings.patches import PatchSettings
from crossres.settings.published import DatasetSource
from crossres.settings.search import SearchSettings

FOUR = ("blue", "green", "red", "nir")
LIMITS = {"min_overlap_km2": 0.01, "margin_m": 0}


def searched(tmp_path, sets, bands=FOUR, gsd_m=2.5, **limits):
    """Make the catalogues of some sets, given as (name, folder, subset), search them, and return the pairs' JSON."""
    sources = [
        DatasetSource(kind="dataset", name=name, path=str(folder), subset=subset) for name, folder, subset in sets
    ]
    hrefs = {}
    for role in ("lr", "hr"):
        hrefs[role] = []
        for k, (source, (_, folder, _)) in enumerate(zip(sources, sets, strict=True)):
            catalog_dataset(source, role, folder, tmp_path / "catalogs" / f"{role}{k}")
            hrefs[role].append(str(tmp_path / "catalogs" / f"{role}{k}" / "catalog.json"))
    settings = SearchSettings.model_validate({"lr": [s.model_dump() for s in sources], **LIMITS, **limits})
    search(settings, GridSettings(gsd_m=gsd_m, bands=bands), hrefs["lr"], hrefs["hr"], tmp_path / "items")
    return [json.loads(path.read_text()) for path in sorted((tmp_path / "items" / "pairs").glob("*.json"))]


def item(tmp_path, scene):
    return json.loads((tmp_path / "items" / "scenes" / f"{scene}.json").read_text())["properties"]


def batch_of(tmp_path, pairs, bands=FOUR, gsd_m=2.5, split="pair"):
    """Run the stages from the items on, and return a training batch and the dataset's summary."""
    grid = GridSettings(gsd_m=gsd_m, bands=bands)
    for pair in pairs:
        for scene in (pair["lr"], pair["hr"]):
            path = tmp_path / "items" / "scenes" / f"{scene}.json"
            download(AcquireSettings(), grid, path, None, tmp_path / "scenes" / scene)
        lr, hr = (tmp_path / "scenes" / pair[role] for role in ("lr", "hr"))
        aligned = tmp_path / "aligned" / pair["id"]
        aligned.mkdir(parents=True)
        coregister(CoregisterSettings(model="none"), grid, pair, lr, hr, aligned)
        files = aligned / "registered.tif", aligned / "registration.json"
        normalise(NormaliseSettings(method="none"), grid, lr, *files, aligned)
        patches = tmp_path / "patches"
        patches.mkdir(exist_ok=True)
        settings = PatchSettings(lr_px=16, stride_px=16)
        extract(settings, grid, pair, aligned, *(patches / f"{pair['id']}.{end}" for end in ("zip", "parquet")))
    out = tmp_path / "dataset"
    out.mkdir()
    settings = DatasetSettings(split=split, test_share=0.5, val_share=0)
    folders = tmp_path / "items" / "pairs", tmp_path / "patches", tmp_path / "aligned"
    assemble(settings, grid, *folders, None, out)
    summary = json.loads((out / "summary.json").read_text())
    found = summary["statistics"]
    factor = Fraction(summary["factor"])
    standard = Standard(tuple(found["lr_mean"]), tuple(found["lr_std"]))
    data = Split(out / "dataset.zarr", out / "index.parquet", "train", factor, standard)
    batch = data.batch(np.arange(len(data)))
    assert torch.isfinite(batch.lr).all()
    return data, summary, pd.read_parquet(out / "index.parquet")


def reflectance(tmp_path, scene, bands=FOUR):
    """Return (band, row, column) reflectance of a scene that was downloaded."""
    with rasterio.open(tmp_path / "scenes" / scene / "reflectance.tif") as src:
        return src.read() * 1e-4 - 0.1


def test_sen2naip_in_folders(tmp_path):
    made.sen2naip_folders(tmp_path / "set")
    pairs = searched(tmp_path, [("sen2naip", tmp_path / "set", None)])
    assert [pair["id"] for pair in pairs] == [f"sen2naip_ROI_000{k}_hr--sen2naip_ROI_000{k}_lr" for k in range(2)]
    assert any("8-bit display" in note for note in item(tmp_path, pairs[0]["hr"])["dataset:assumed"])
    data, summary, _ = batch_of(tmp_path, pairs)
    assert (summary["factor"], len(data)) == ("4/1", 4)
    np.testing.assert_allclose(reflectance(tmp_path, pairs[0]["lr"]), made.scene(0, 36, 4)[0], atol=2e-4)
    scene = json.loads((tmp_path / "scenes" / pairs[0]["hr"] / "item.json").read_text())
    assert any("8-bit display" in note for note in scene["properties"]["crossres:assumed"])


def test_sen2naip_in_taco_files(tmp_path):
    (tmp_path / "set").mkdir()
    made.sen2naip_taco(tmp_path / "set")
    pairs = searched(tmp_path, [("sen2naip", tmp_path / "set", "crosssensor")])
    assert [pair["split"] for pair in pairs] == ["train", "train"]
    assert item(tmp_path, pairs[0]["hr"])["datetime"].startswith("2022-07-10")
    image = tmp_path / "catalogs" / "lr0" / "images" / f"{pairs[0]['lr']}.tif"
    taco = tmp_path / "set" / "sen2naipv2-crosssensor.taco"
    assert image.stat().st_mtime_ns == taco.stat().st_mtime_ns
    data, summary, _ = batch_of(tmp_path, pairs)
    assert (summary["factor"], len(data)) == ("4/1", 4)
    np.testing.assert_allclose(reflectance(tmp_path, pairs[1]["hr"]), made.scene(1, 36, 4)[1], atol=2e-4)


def test_worldstrat_in_degrees_with_its_revisits(tmp_path):
    made.worldstrat(tmp_path / "set")
    pairs = searched(tmp_path, [("worldstrat", tmp_path / "set", None)], gsd_m=2.0, lr_dates=2)
    assert [pair["split"] for pair in pairs] == ["train", "test"]
    assert all(pair["lr"].endswith("_lr1") and len(pair["further_dates"]) == 1 for pair in pairs)  # the nearest date
    notes = item(tmp_path, pairs[0]["hr"])["dataset:assumed"]
    assert any("not calibrated" in note for note in notes) and any("degrees" in note for note in notes)
    assert item(tmp_path, pairs[0]["lr"])["eo:cloud_cover"] == 1
    data, summary, index = batch_of(tmp_path, pairs, gsd_m=2.0, split="published")
    assert (summary["factor"], summary["splits"]["test"]) == ("5/1", [pairs[1]["id"]])
    assert len(data) > 0 and (index["split"] == "test").any()


def test_sen2venus_lies_where_its_table_says(tmp_path):
    made.sen2venus(tmp_path / "set")
    pairs = searched(tmp_path, [("sen2venus", tmp_path / "set", None)], gsd_m=5.0)
    with rasterio.open(tmp_path / "catalogs" / "hr0" / "images" / f"{pairs[1]['hr']}.tif") as src:
        assert (src.res, src.bounds.left, src.crs.to_epsg()) == ((5.0, 5.0), 302_000, 32632)
    assert "split" not in pairs[0] and pairs[0]["date_gap_days"] == 0
    data, summary, _ = batch_of(tmp_path, pairs, gsd_m=5.0)
    assert (summary["factor"], len(data)) == ("2/1", 4)
    np.testing.assert_allclose(reflectance(tmp_path, pairs[1]["lr"]), made.scene(1, 36, 2)[0], atol=2e-4)


@pytest.mark.parametrize("crs", ["EPSG:32649", None])
def test_oli2msi_with_its_splits_and_with_or_without_a_place(tmp_path, crs):
    made.oli2msi(tmp_path / "set", crs)
    bands = ("red", "green", "blue")
    pairs = searched(tmp_path, [("oli2msi", tmp_path / "set", None)], bands, 10.0)
    notes = item(tmp_path, pairs[0]["lr"]).get("dataset:assumed", [])
    assert [any("no place" in note for note in notes)] == [crs is None]
    data, summary, _ = batch_of(tmp_path, pairs, bands, 10.0, "published")
    assert (summary["factor"], len(data)) == ("3/1", 8)
    assert [len(summary["splits"][name]) for name in ("train", "val", "test")] == [2, 0, 1]
    expected = made.scene(0, 36, 3)[1][[2, 1, 0]]
    np.testing.assert_allclose(reflectance(tmp_path, pairs[0]["hr"], bands), expected, atol=2e-4)


def test_sen2neon_is_for_testing_what_sen2naip_taught(tmp_path):
    made.sen2neon(tmp_path / "neon")
    (tmp_path / "taco").mkdir()
    made.sen2naip_taco(tmp_path / "taco")
    sets = [("sen2naip", tmp_path / "taco", None), ("sen2neon", tmp_path / "neon", None)]
    pairs = searched(tmp_path, sets)
    assert sorted(pair["split"] for pair in pairs) == ["test", "test", "train", "train"]
    data, summary, _ = batch_of(tmp_path, pairs, split="published")
    assert len(data) == 8 and all(name.startswith("sen2neon") for name in summary["splits"]["test"])
    neon = next(pair for pair in pairs if pair["split"] == "test")
    assert neon["date_gap_days"] == 23
    np.testing.assert_allclose(reflectance(tmp_path, neon["hr"]), made.scene(0, 36, 4)[1], atol=2e-4)


@pytest.mark.parametrize("version", ["rasters", "arrays"])
def test_opensr_test_is_for_testing(tmp_path, version):
    make = made.opensr_test if version == "rasters" else made.opensr_test_arrays
    make(tmp_path / "set", 3)
    pairs = searched(tmp_path, [("opensr-test", tmp_path / "set", "naip")])
    assert {pair["split"] for pair in pairs} == {"test"}
    data, summary, _ = batch_of(tmp_path, pairs)  # by seed: to be trained on, for this test
    assert summary["factor"] == "4/1" and len(data) > 0
    np.testing.assert_allclose(reflectance(tmp_path, pairs[2]["hr"]), made.scene(2, 36, 4)[1], atol=2e-4)


def refused(name, folder, tmp_path, subset=None):
    source = DatasetSource(kind="dataset", name=name, path=str(folder), subset=subset)
    with pytest.raises(UserError) as error:
        catalog_dataset(source, "lr", folder, tmp_path / "refused")
    assert not (tmp_path / "refused").exists() and "\n" not in str(error.value)
    return str(error.value)


def test_what_would_run_code_is_refused(tmp_path):
    (tmp_path / "set" / "naip").mkdir(parents=True)
    (tmp_path / "set" / "naip" / "naip.pkl").write_bytes(b"\x80\x04.")
    assert "a pickle, which can run code" in refused("opensr-test", tmp_path / "set", tmp_path)
    made.sen2venus(tmp_path / "venus")
    low = next((tmp_path / "venus").rglob("*_10m_b2b3b4b8.pt"))
    for other in ([Fraction(1, 2)], {"a": torch.zeros(2)}):  # an object: what makes it could be any code
        torch.save(other, low)
        assert "no plain tensor of PyTorch" in (said := refused("sen2venus", tmp_path / "venus", tmp_path)) or (
            "holds no tensor" in said
        )
    low.write_bytes(b"no zip")
    assert "is no plain tensor of PyTorch" in refused("sen2venus", tmp_path / "venus", tmp_path)


@pytest.mark.parametrize("dtype", [torch.int16, torch.float32, torch.uint8, torch.float64])
def test_tensors_are_read_as_pytorch_reads_them(tmp_path, dtype):
    tensor = (torch.rand(3, 4, 5, 6) * 200).to(dtype)
    for one in (tensor, tensor[1:, :, ::2], tensor.transpose(1, 3)):
        torch.save(one, tmp_path / "a.pt")
        np.testing.assert_array_equal(read_tensor(tmp_path / "a.pt"), torch.load(tmp_path / "a.pt", weights_only=True))


def test_a_tensor_that_lies_outside_of_its_file_is_refused(tmp_path):
    torch.save(torch.zeros(4, 4, dtype=torch.int16), tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as whole, zipfile.ZipFile(tmp_path / "b.pt", "w") as cut:
        for name in whole.namelist():
            content = whole.read(name)
            cut.writestr(name, content[:8] if name.endswith("data/0") else content)
    with pytest.raises(UserError, match="is no plain tensor"):
        read_tensor(tmp_path / "b.pt")


def test_a_folder_without_the_set_is_said_so(tmp_path):
    (tmp_path / "set").mkdir()
    for name in ("sen2naip", "sen2venus", "oli2msi", "opensr-test"):
        assert f"holds no image of {name}" in refused(name, tmp_path / "set", tmp_path)
    assert "metadata.csv" in refused("sen2neon", tmp_path / "set", tmp_path)
    assert "no HR images called 'pan'" in refused("worldstrat", tmp_path / "set", tmp_path, "pan")
    (tmp_path / "set" / "sen2naipv2-crosssensor.taco").write_bytes(b"WX" + b"\xff" * 40)
    assert "was cut off" in refused("sen2naip", tmp_path / "set", tmp_path)


def test_a_table_may_not_lead_out_of_its_set(tmp_path):
    made.sen2neon(tmp_path / "set")
    table = tmp_path / "set" / "metadata.csv"
    table.write_text(table.read_text().replace("s2_l2a_10m/", "../../s2_l2a_10m/"))
    assert "which is outside of it" in refused("sen2neon", tmp_path / "set", tmp_path)


def test_published_splits_that_are_not_there_are_named(tmp_path):
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "a.json").write_text("{}")
    (tmp_path / "pairs" / "b.json").write_text('{"split": "train"}')
    published = DatasetSettings(split="published")
    with pytest.raises(UserError, match="the set of a has no split"):
        by_pair(published, tmp_path / "pairs", ["a", "b"])
    with pytest.raises(UserError, match="no pair is of a test split"):
        by_pair(published, tmp_path / "pairs", ["b"])
    for name, split in (("c", "train"), ("d", "test")):
        (tmp_path / "pairs" / f"{name}.json").write_text(json.dumps({"split": split}))
    found = by_pair(published, tmp_path / "pairs", ["b", "c", "d"])
    assert (found.split, sorted(found.assign.values()), found.assign["d"]) == ("pair", ["test", "train", "val"], "test")
