"""Fifty downloads from servers on a bad day, and one that is killed again and again, give the bytes of a good day."""

import json
import multiprocessing
import random
import shutil
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "acquire"))
from made_sentinel2 import BANDS, larger_sentinel2, sentinel2
from range_server import every_third, serve_files

from crossres.acquire.download import download
from crossres.acquire.remote import image_file
from crossres.acquire.search import search
from crossres.acquire.stac import io as stac_io
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings
from crossres.settings.search import SearchSettings, StacApiSource

pytestmark = pytest.mark.integration
FILES = ("reflectance.tif", "mask.tif")
PAIRS = 25


def scene_bytes(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def search_and_download(www: Path, items: list[dict], behaviour, output: Path) -> tuple[dict, int]:
    """Return the scenes by id, item included, and how often the server was asked."""
    with serve_files(www, behaviour, api_items=items) as server:
        for item in items:
            for key, asset in item["assets"].items():
                asset["href"] = f"{server.url}/{item['properties']['folder']}/{key}.tif"
        sources = [StacApiSource(kind="stac-api", url=server.url, collections=(role,)) for role in ("lr", "hr")]
        settings = SearchSettings(
            lr=sources[0], hr=sources[1], area=(8.0, 48.0, 12.0, 51.0), datetime="2021-01-01/..", min_overlap_km2=0.1
        )
        search(settings, GridSettings(), None, None, output / "items")
        scenes = {}
        for path in sorted((output / "items" / "scenes").glob("*.json")):
            download(AcquireSettings(), GridSettings(), path, None, output / "scenes" / path.stem)
            scenes[path.stem] = scene_bytes(output / "scenes" / path.stem)
            item = (output / "scenes" / path.stem / "item.json").read_text()
            scenes[path.stem]["item.json"] = item.replace(server.url, "SERVER").encode()
        assert not (output / "scenes" / ".partial").exists()
        return scenes, len(server.asked)


def test_fifty_downloads_of_which_every_third_answer_fails_are_those_of_a_good_day(tmp_path, monkeypatch):
    monkeypatch.setattr(image_file, "DELAY_S", 0.01)
    monkeypatch.setattr(stac_io, "DELAY_S", 0.01)
    monkeypatch.setattr(image_file, "HEADER_BYTES", 8192)  # so that a small file takes several answers
    items = []
    for number in range(2 * PAIRS):
        folder = f"s{number % 10}"
        path, _ = sentinel2(tmp_path / "www" / folder, seed=number % 10)
        item = json.loads(path.read_text())
        role, day = ("lr", "hr")[number // PAIRS], number % PAIRS
        item |= {"id": f"{role}{day}", "collection": role}
        item["properties"] |= {"datetime": f"2021-06-{day + 1:02d}T10:0{number // PAIRS}:00Z", "folder": folder}
        items.append(item)
    good, asked = search_and_download(tmp_path / "www", items, lambda number, path: None, tmp_path / "good")
    bad, asked_again = search_and_download(tmp_path / "www", items, every_third, tmp_path / "bad")
    assert len(good) == 2 * PAIRS
    assert asked_again > 1.3 * asked
    assert good.keys() == bad.keys()
    assert good == bad


def killed(item: Path, output: Path, after_s: float | None) -> bool:
    """Download in a process of its own and kill it after a while; return whether it was still at work."""
    arguments = (AcquireSettings(), GridSettings(bands=BANDS), item, None, output)
    process = multiprocessing.get_context("forkserver").Process(target=download, args=arguments)
    process.start()
    process.join(after_s)
    if process.is_alive():
        process.kill()
        process.join()
        return True
    assert process.exitcode == 0
    return False


def test_a_download_killed_at_twenty_random_moments_gives_the_same_bytes(tmp_path):
    multiprocessing.get_context("forkserver").set_forkserver_preload(["crossres.acquire.download"])
    www, output = tmp_path / "www", tmp_path / "out"
    larger_sentinel2(www, side=500)
    with serve_files(www, bytes_per_s=6e6) as server:
        content = json.loads((www / "large.json").read_text())
        for key, asset in content["assets"].items():
            asset["href"] = f"{server.url}/{key}.tif"
        item = tmp_path / "large.json"
        item.write_text(json.dumps(content))
        assert not killed(item, output, None)  # the first pays for the imports
        shutil.rmtree(output)
        start = time.perf_counter()
        assert not killed(item, output, None)
        longest = time.perf_counter() - start
        expected = scene_bytes(output)
        moments = random.Random(0)
        kills = 0
        while kills < 20:
            shutil.rmtree(output)
            moment = moments.uniform(0.02, 0.98) * longest
            if killed(item, output, moment):
                kills += 1
                assert not output.exists() or scene_bytes(output) == expected
                assert not killed(item, output, None)
            else:
                longest = min(longest, moment)  # the machine has become faster
            assert scene_bytes(output) == expected
            assert sorted(path.name for path in tmp_path.iterdir()) == ["large.json", "out", "www"]
