"""Pages of STAC APIs and static catalogues with something wrong in them: read, and paired with what is right."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from made_scenes import CRS, PLACE, SIDE, dn, truth, write
from mutations import VALUES, fuzz, mutated_bytes, mutated_json
from pyproj import CRS as Projection
from sending import sending
from shapely.geometry import box, mapping, shape
from stac_server import landing_page

from crossres.acquire.bands.assets import band_assets
from crossres.acquire.pairing.best_pairs import best_pairs
from crossres.acquire.pairing.candidates import candidate, resolved_item
from crossres.acquire.regions import LON_LAT, reproject
from crossres.acquire.search import search
from crossres.acquire.stac.foreign_json import offered
from crossres.acquire.stac.io import PatientIO
from crossres.acquire.stac.offered import Offered
from crossres.acquire.stac.pages import PageError, pages
from crossres.errors import UserError
from crossres.settings.grid import GridSettings
from crossres.settings.search import SearchSettings

BANDS = ("red", "nir")
OUTLINE = reproject(box(PLACE.c, PLACE.f - 10 * SIDE, PLACE.c + 10 * SIDE, PLACE.f), Projection(CRS), LON_LAT)
AREA = tuple(OUTLINE.bounds)
ANSWERED = "https://stac.example.org/search"
WRONG: list[Any] = [
    *VALUES, 95.0, "95", "sentinel-2a", "0500", 32650, "EPSG:32650", 4326, "EPSG:0", [48, 48], [-1, 1e30], AREA,
    [10, 0, 5e5, 0, -10, 4e6], [0] * 6, [1e308] * 6, [None] * 4, [180, -90, -180, 90], [0, 0, 0, 0], [[[0, 0]]],
    [[[179.9, 10], [-179.9, 10], [-179.9, 11], [179.9, 11], [179.9, 10]]], [[[1e308, 1e308]] * 4], "MultiPolygon",
    "Point", "GeometryCollection", "2021-06-01", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+99:99", 1622548800,
    "https://[::1", "http://10.0.0.1/page", "//169.254.169.254", "?page=2", "#", "POST", {"token": "2"}, "Catalog",
    "self", "next",
]  # fmt: skip
MARKS = [b'"', b"{", b"}", b"[", b"]", b":", b",", b"\\", b"\\ud800", b"-", b"1e999", b"NaN", b'"rel":"next",']


def item(name: str, folder: str, **said: Any) -> dict[str, Any]:
    """Return an item whose images stand in a folder."""
    assets = {
        key: {
            "href": f"{folder}{key}.tif", "eo:bands": [{"name": key, "common_name": key}], "proj:shape": [SIDE, SIDE],
            "raster:bands": [{"nodata": 0, "scale": 1e-4, "offset": 0}],
        }
        for key in BANDS
    }  # fmt: skip
    said = {
        "datetime": "2021-06-01T10:00:00Z", "platform": "sentinel-2a", "eo:cloud_cover": 3.0, "proj:epsg": 32650,
        "proj:transform": [10, 0, PLACE.c, 0, -10, PLACE.f], "view:sun_azimuth": 150.0, "view:sun_elevation": 40.0,
        "s2:processing_baseline": "05.00", "s2:mgrs_tile": "50SLD", "created": "2021-06-02T10:00:00Z", **said,
    }  # fmt: skip
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "geometry": mapping(OUTLINE), "bbox": list(AREA),
        "collection": "a", "links": [{"rel": "self", "href": f"{name}.json"}], "properties": said, "assets": assets,
    }  # fmt: skip


@pytest.fixture(scope="module")
def hr(bounded) -> str:
    """Return a catalogue of one scene without fault; the images of all scenes stand beside it."""
    for key, numbers in zip(BANDS, dn(truth())[:2], strict=True):
        write(bounded.folder / f"{key}.tif", numbers, nodata=0)
    return write_catalogue(bounded.folder / "hr", [item("high", "../", platform="other")])


def write_catalogue(folder: Path, items: list[Any]) -> str:
    folder.mkdir(exist_ok=True)
    links = [{"rel": "child", "href": "child.json"}]
    root = {"type": "Catalog", "stac_version": "1.0.0", "id": "x", "description": "x", "links": links}
    links = [{"rel": "item", "href": f"./{number}.json"} for number in range(len(items))]
    for number, content in enumerate(items):
        (folder / f"{number}.json").write_text(json.dumps(content))
    (folder / "child.json").write_text(json.dumps({**root, "id": "y", "links": links}))
    (folder / "catalog.json").write_text(json.dumps(root))
    return str(folder / "catalog.json")


def found(output: Path) -> tuple[set[str], dict[str, str]]:
    """Return the pairs of a search and the reasons of what it declined, after a look at what it wrote."""
    for path in output.glob("scenes/*.json"):
        written = json.loads(path.read_text())
        assert shape(written["properties"]["crossres:region"]).is_valid
        assert not any(asset["href"].startswith(("/vsi", "file:")) for asset in written["assets"].values())
    with (output / "declined.csv").open(encoding="utf-8", newline="") as file:
        declined = {row["id"]: row["reason"] for row in csv.DictReader(file)}
    assert all(reason and reason.isprintable() for reason in declined.values())
    return {path.stem for path in output.glob("pairs/*.json")}, declined


def settings_of(lr: dict[str, Any] | None = None, **changes: Any) -> SearchSettings:
    source = {"kind": "catalog", "href": "of the test"}
    return SearchSettings.model_validate({"lr": lr or source, "hr": source, "min_overlap_km2": 0.01, **changes})


class Answers(PatientIO):
    """Gives one text for whatever is asked."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def request(self, *args: Any, **kwargs: Any) -> str:
        return self.text


def paired(text: str) -> list[Any]:
    """Return the pairs of the items of a page with a scene without fault, as far as no raster is asked."""
    good = [candidate(Offered(item("high", "../", platform="other"), "/catalog.json"))]
    usable = []
    try:
        for page in pages(Answers(text), ANSWERED, "POST", {"limit": 2}):
            for one in (offered(feature, page.url) for feature in page.features):
                if isinstance(one, Offered):
                    try:
                        band_assets(resolved_item(one), BANDS)
                        usable.append(candidate(one))
                    except UserError as error:
                        assert str(error).isprintable()
                else:
                    assert one.id and one.reason.isprintable()
    except PageError as error:
        raise UserError(str(error)) from None
    return best_pairs(usable, good, OUTLINE, settings_of())[0] if usable else []


PAGE = {
    "type": "FeatureCollection", "numberMatched": 2, "features": [item("a", ""), item("b", "")],
    "links": [{"rel": "next", "href": "?page=2", "method": "POST", "body": {"page": 2}, "merge": True}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("inputs", "count"),
    [
        (mutated_json({**PAGE, "links": []}, WRONG).map(json.dumps), 250),
        (mutated_json(PAGE, WRONG, most=2).map(json.dumps), 50),
        (mutated_bytes(json.dumps(PAGE).encode(), MARKS).map(lambda page: page.decode("utf-8", "replace")), 100),
    ],
    ids=["values", "links", "bytes"],
)
def test_pages(bounded, inputs, count):
    """Pairs of items with something wrong lie where the other scene lies."""

    @settings(fuzz, max_examples=count)
    @given(inputs)
    def check(text):
        for pair in bounded(lambda: paired(text)) or []:
            assert np.isfinite([pair.score, pair.overlap_km2]).all() and pair.region.intersects(OUTLINE)

    check()


def test_items_of_a_static_catalogue(bounded, hr):
    """An item with something wrong does not keep another from its pair, and is named where it is not used."""
    folder, output = bounded.folder / "lr", bounded.folder / "items"

    @settings(fuzz, max_examples=90)
    @given(mutated_json(item("bad", "../"), WRONG))
    def check(content):
        lr = write_catalogue(folder, [content, item("good", "../")])
        bounded(lambda: search(settings_of(), GridSettings(bands=BANDS), lr, hr, output))
        assert bounded.refused is None
        pairs, declined = found(output)
        assert len(pairs) == 1 and (pairs == {"high--good"} or "good" in declined)
        assert pairs != {"high--good"} or len(declined) == 1

    check()


def test_links_of_a_static_catalogue(bounded, hr):
    """Whatever a catalogue says, what is read stands in its folder."""
    folder, output = bounded.folder / "lr", bounded.folder / "items"
    lr = write_catalogue(folder, [item("good", "../")])
    originals = {name: (folder / name).read_bytes() for name in ("catalog.json", "child.json")}
    inside = [value for value in WRONG if not (isinstance(value, str) and "passwd" in value)]

    @settings(fuzz, max_examples=80)
    @given(
        mutated_json(json.loads(originals["child.json"]), [*inside, "child.json", "."]).map(json.dumps)
        | mutated_bytes(originals["child.json"], MARKS)
    )
    def check(content):
        for name in originals:
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
            bounded(lambda: search(settings_of(), GridSettings(bands=BANDS), lr, hr, output))
            if bounded.refused is None:
                found(output)
            (folder / name).write_bytes(originals[name])

    check()


def test_pages_of_a_server(bounded, hr):
    """A page with something wrong, asked for over HTTP: its scenes are found, or the search says why not."""
    output = bounded.folder / "items"
    sent = {f"/{key}.tif": (bounded.folder / f"{key}.tif").read_bytes() for key in BANDS}
    with sending(sent) as url:
        sent["/"] = json.dumps(landing_page(url)).encode()
        source = {"kind": "stac-api", "url": url, "collections": ["a"]}

        @settings(fuzz, max_examples=60)
        @given(mutated_json(PAGE, WRONG))
        def check(content):
            sent["/search"] = json.dumps(content).encode()
            bounded(lambda: search(settings_of(source, area=AREA), GridSettings(bands=BANDS), None, hr, output))
            if bounded.refused is None:
                found(output)

        check()
