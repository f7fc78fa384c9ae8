"""What a map shows: the places of a run wherever they stand, their layers, colours, tiles and values."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.warp import calculate_default_transform, reproject

from crossres.errors import UserError
from crossres.evaluate.pictures.stretch import stretch_from
from crossres.imagery.numbers import STD_DN
from crossres.view.open_place import OpenPlace
from crossres.view.overviews import with_overviews
from crossres.view.places import Place, places_in

MakeRun = Callable[..., Path]


def names(place: Place) -> list[tuple[str, str]]:
    return [(layer.group, layer.name) for layer in place.layers]


def rgba(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_a_place_of_a_run_has_its_pair_and_each_arm_the_primary_one_first(make_run: MakeRun) -> None:
    run = make_run(("aligned/a", "aligned/b"), {"sr/a/bicubic": 1, "sr/a/once": 1, "sr/a/other": 4, "sr/a/primary": 4})
    (run / "config.yaml").write_text("sample: {primary: primary}\n")
    held_out, aligned = places_in([run])
    several = ["mean", "one sample", "std", "drawn"]
    assert names(held_out) == [
        ("", "LR"), ("", "HR"), *(("primary", name) for name in several), *(("other", name) for name in several),
        ("bicubic", "image"), ("once", "one sample"),
    ]  # fmt: skip
    assert (aligned.name, names(aligned)) == ("b", [("", "LR"), ("", "HR")])


def test_batches_and_folds_are_found(make_run: MakeRun) -> None:
    run = make_run(
        ("batches/batch-0001/aligned/a",),
        {f"sr/batch-0001/fold-{n}/model/main/a.fold-{n}/lr_start": 4 for n in range(2)},
    )
    places = places_in([run])
    assert [place.name for place in places] == ["a.fold-0", "a.fold-1"]
    assert all(names(place)[:3] == [("", "LR"), ("", "HR"), ("LR start", "mean")] for place in places)


def test_a_product_alone_brings_the_pair_that_its_item_links_to_and_files_are_one_place(make_run: MakeRun) -> None:
    run = make_run(("aligned/a",), {"sr/a/lr_start": 4})
    [product] = places_in([run / "sr/a/lr_start"])
    assert [layer.name for layer in product.layers][:3] == ["LR", "HR", "mean"]
    [files] = places_in([run / "sr/a/lr_start/std.tif", run / "aligned/a/hr.tif"])
    assert [(layer.name, layer.kind) for layer in files.layers] == [("std.tif", "doubt"), ("hr.tif", "image")]
    assert files.reference.name == "hr.tif"


def test_what_is_not_there_or_empty_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        places_in([tmp_path / "none"])
    with pytest.raises(UserError, match="holds no image of a run; name a run's folder"):
        places_in([tmp_path])
    (tmp_path / "words.tif").write_text("words")
    [place] = places_in([tmp_path / "words.tif"])
    with pytest.raises(UserError, match="not a raster that GDAL can read"):
        OpenPlace.of(place, tmp_path)


@pytest.fixture
def place(make_run: MakeRun, tmp_path: Path) -> OpenPlace:
    return OpenPlace.of(places_in([make_run(("aligned/a",), {"sr/a/lr_start": 4})])[0], tmp_path)


def test_the_stretch_is_the_one_of_the_report(place: OpenPlace, tmp_path: Path) -> None:
    """Which counts the numbers of HR and of what is drawn where the mask is clear."""
    with (
        rasterio.open(tmp_path / "run/aligned/a/hr.tif") as hr,
        rasterio.open(tmp_path / "run/aligned/a/mask.tif") as m,
    ):
        clear = np.kron(m.read(1), np.ones((4, 4))) == 0
        counts = np.stack([np.bincount(band[clear], minlength=65536) for band in hr.read()])
    drawn = np.bincount(STD_DN.numbers(np.full(clear.sum(), 0.03)))
    report = stretch_from(counts, drawn, np.arange(65536) * 1e-4, ("blue", "green", "red", "nir"), 1)
    own = place.stretches["true"]
    np.testing.assert_allclose(own.low, report.low, atol=1e-4)
    np.testing.assert_allclose(own.high, report.high, atol=1e-4)
    assert own.doubt_high == pytest.approx(report.doubt_high, abs=1e-6)


def test_tiles_hold_the_pixels_of_the_file_and_are_clear_outside_it(place: OpenPlace) -> None:
    assert place.ground.zoom == 1
    hr, stretch = place.layers[1], place.stretches["true"]
    with rasterio.open(hr.path) as src:
        expected = stretch.colour((src.read() * np.float32(1e-4) - np.float32(0.1))[[2, 1, 0]])
    left, right = (rgba(place.tile(1, "true", 1, column, 0)) for column in range(2))
    np.testing.assert_allclose(left[..., :3].astype(int), expected[:256, :256], atol=1)
    np.testing.assert_allclose(right[:, :64, :3].astype(int), expected[:256, 256:], atol=1)
    assert (left[..., 3] == 255).all() and (right[:, 64:, 3] == 0).all()
    lr = rgba(place.tile(0, "true", 1, 0, 0))
    assert (lr[:4, :4] == lr[0, 0]).all() and (lr[0, 4] != lr[0, 0]).any()
    mean = rgba(place.tile(2, "true", 1, 0, 0))
    assert (mean[:20, :20, 3] == 0).all() and (mean[20:, 20:, 3] == 255).all()
    whole = rgba(place.tile(1, "true", 0, 0, 0))
    np.testing.assert_allclose(whole[70, 80, :3].astype(int), expected[140:142, 160:162].mean((0, 1)), atol=2)
    with pytest.raises(LookupError):
        place.tile(99, "true", 0, 0, 0)


def test_near_infrared_is_shown_as_red(place: OpenPlace) -> None:
    true, nir = (rgba(place.tile(1, name, 1, 0, 0)).astype(int) for name in ("true", "nir"))
    np.testing.assert_array_equal(nir[..., 1], true[..., 0])
    np.testing.assert_array_equal(nir[..., 2], true[..., 1])
    assert (nir[..., 0] != true[..., 0]).any()


def test_values_and_coordinates_are_those_under_the_pointer(place: OpenPlace) -> None:
    found = place.at(500000 + 2.5 * 100.5, 4000000 - 2.5 * 40.5)
    red, green = 0.1 + 0.3 * 100 / 320, 0.1 + 0.2 * 40 / 280
    assert found["values"][0] == pytest.approx(
        [0.15, 0.1 + 0.2 * 40 / 280, 0.1 + 0.3 * 100 / 320, red + green], abs=1e-4
    )
    assert found["values"][1] == pytest.approx([0.15, green, red, red + green], abs=1e-4)
    assert found["values"][4] == pytest.approx([0.02] * 4, abs=1e-4)
    assert found["values"][5] == pytest.approx([0.01, 0.02, 0.03], abs=1e-4)
    to_degrees = Transformer.from_crs("EPSG:32650", "EPSG:4326", always_xy=True)
    assert found["lonLat"] == pytest.approx(to_degrees.transform(500251.25, 3999898.75), abs=1e-8)
    assert place.at(500010, 3999990)["values"][2] == [None] * 4
    assert place.at(400000, 3999990)["values"][1] == [None] * 4


def test_a_layer_of_another_crs_lies_where_it_belongs(make_run: MakeRun, tmp_path: Path) -> None:
    source = make_run(("aligned/a",), {}) / "aligned/a/hr.tif"
    with rasterio.open(source) as src:
        transform, width, height = calculate_default_transform(
            src.crs, "EPSG:32651", src.width, src.height, *src.bounds
        )
        profile = src.profile | dict(driver="GTiff", crs="EPSG:32651", transform=transform, width=width, height=height)
        with rasterio.open(tmp_path / "other.tif", "w", **profile) as dst:
            reproject(rasterio.band(src, (1, 2, 3, 4)), rasterio.band(dst, (1, 2, 3, 4)), resampling=Resampling.nearest)
            dst.scales, dst.offsets, dst.descriptions = src.scales, src.offsets, src.descriptions
    place = OpenPlace.of(places_in([source, tmp_path / "other.tif"])[0], tmp_path)
    x, y = 500400, 3999600
    own, other = place.at(x, y)["values"]
    assert other == pytest.approx(own, abs=0.01)
    left, _, _, top = place.ground.bounds
    tile = 256 * 2.5
    column, row = int((x - left) / tile), int((top - y) / tile)
    one, two = (rgba(place.tile(n, "true", place.ground.zoom, column, row)).astype(int) for n in range(2))
    both = (one[..., 3] == 255) & (two[..., 3] == 255)
    assert both.mean() > 0.2 and np.abs(one[both] - two[both]).mean() < 3


def test_a_large_raster_without_overviews_gets_some_elsewhere(tmp_path: Path) -> None:
    large, folder = tmp_path / "large.tif", tmp_path / "overviews"
    folder.mkdir()
    profile = dict(driver="GTiff", dtype="uint16", count=1, width=2304, height=2304, crs="EPSG:32650", nodata=0,
                   transform=rasterio.Affine(10, 0, 500000, 0, -10, 4000000))  # fmt: skip
    with rasterio.open(large, "w", **profile) as dst:
        dst.write(np.full((1, 2304, 2304), 1500, np.uint16))
    before = large.read_bytes()
    with rasterio.open(with_overviews(large, folder)) as src:
        assert src.overviews(1) == [8]
        assert (src.read(1, out_shape=(72, 72)) == 1500).all()
    assert large.read_bytes() == before and sorted(tmp_path.iterdir()) == [large, folder]
    place = OpenPlace.of(places_in([large])[0], folder)
    assert (rgba(place.tile(0, "true", 0, 0, 0))[:144, :144, 3] == 255).all()
