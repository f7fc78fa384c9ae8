"""A download survives what servers do on a bad day, and what was fetched is not fetched again."""

import json
import time
from pathlib import Path

import pytest
from made_sentinel2 import larger_sentinel2, sentinel2, utm_region
from range_server import every_third, serve_files

from crossres.acquire.download import download
from crossres.acquire.remote import image_file
from crossres.errors import UserError
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings

FILES = ("reflectance.tif", "mask.tif", "item.json")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(image_file, "DELAY_S", 0.01)
    monkeypatch.setattr(image_file, "RANGE_BYTES", 128 * 1024)


def fetch(item: Path, output: Path, **changes) -> dict[str, bytes]:
    download(AcquireSettings(**changes), GridSettings(), item, None, output)
    return {name: (output / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A scene of some megabytes on disk, and what a download of it from there gives."""
    folder = tmp_path_factory.mktemp("large")
    item = larger_sentinel2(folder / "www", side=700)
    return folder / "www", fetch(item, folder / "out")


def remote(www: Path, folder: Path, url: str, **changes) -> Path:
    """Write the item of a served scene."""
    content = json.loads((www / "large.json").read_text())
    for key, asset in content["assets"].items():
        asset |= {"href": f"{url}/{key}.tif"} | changes
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "large.json").write_text(json.dumps(content))
    return folder / "large.json"


def rasters(files: dict[str, bytes]) -> tuple[bytes, bytes]:
    return files["reflectance.tif"], files["mask.tif"]


@pytest.mark.parametrize("fault", ["mixed", "429", "503 after 0", "cut", "short", "reset", "200"])
def test_every_third_answer_may_fail_without_a_changed_byte(tmp_path, large, fault):
    www, expected = large
    behaviour = every_third if fault == "mixed" else lambda number, path: fault if number % 3 == 0 else None
    with serve_files(www, behaviour) as server:
        files = fetch(remote(www, tmp_path / "in", server.url), tmp_path / "out")
    assert rasters(files) == rasters(expected)
    assert not (tmp_path / ".partial").exists()


def test_a_server_without_ranges_is_read_whole_once(tmp_path, large):
    www, expected = large
    with serve_files(www, lambda number, path: "200") as server:
        assert rasters(fetch(remote(www, tmp_path / "in", server.url), tmp_path / "out")) == rasters(expected)
    assert len(server.asked) == 4


def test_a_server_without_ranges_that_cuts_is_asked_again(tmp_path):
    www = tmp_path / "www"
    item, _ = sentinel2(www)
    expected = fetch(item, tmp_path / "local")
    seen = set()

    def behaviour(number, path):
        return "200" if path in seen else seen.add(path) or "cut"

    with serve_files(www, behaviour) as server:
        item, _ = sentinel2(tmp_path / "in", href=server.url + "/{}.tif")
        assert rasters(fetch(item, tmp_path / "out")) == rasters(expected)


def test_a_server_decides_how_long_to_wait(tmp_path):
    item, _ = sentinel2(tmp_path / "www")
    with serve_files(tmp_path / "www", lambda number, path: "429 after 1" if number == 1 else None) as server:
        item, _ = sentinel2(tmp_path / "in", href=server.url + "/{}.tif")
        start = time.monotonic()
        fetch(item, tmp_path / "out")
        assert time.monotonic() - start >= 1
    with serve_files(tmp_path / "www", lambda number, path: "429 after 7200") as server:
        item, _ = sentinel2(tmp_path / "in", href=server.url + "/{}.tif")
        with pytest.raises(UserError, match=r"it answers 429 and asks to come back in 7200 s"):
            fetch(item, tmp_path / "out2")


def test_a_server_that_stays_away_is_named(tmp_path, large):
    www, _ = large
    with (
        serve_files(www, lambda number, path: "503" if number > 12 else None) as server,
        pytest.raises(UserError, match=r"\.tif: cannot be read from its server \(it answers 503\); run again later"),
    ):
        fetch(remote(www, tmp_path / "in", server.url), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def interrupted(tmp_path, large):
    """A download that was given up late, and the server that is back."""
    www, _ = large
    state = {"wrong": None, "after": 12}
    behaviour = lambda number, path: "503" if number > state["after"] else state["wrong"]  # noqa: E731
    with serve_files(www, behaviour) as server:
        item = remote(www, tmp_path / "in", server.url)
        with pytest.raises(UserError, match="run again later"):
            fetch(item, tmp_path / "out")
        state["after"] = 10**9
        server.sent, server.asked = 0, []
        yield item, tmp_path / "out", server, state
    assert not (tmp_path / ".partial").exists()


def size_of(www: Path) -> int:
    return sum(path.stat().st_size for path in www.glob("*.tif"))


def test_finished_ranges_are_used_again(interrupted, large):
    www, expected = large
    item, output, server, _ = interrupted
    kept = sum(p.stat().st_size for p in (output.parent / ".partial" / "out").rglob("*-*-????????"))
    assert kept > size_of(www) / 5
    assert rasters(fetch(item, output)) == rasters(expected)
    assert server.sent < size_of(www) - kept + 4 * 65536 + 1


def test_a_damaged_range_is_fetched_again(interrupted, large):
    item, output, _, _ = interrupted
    ranges = list((output.parent / ".partial" / "out").rglob("*-*-????????"))
    assert ranges
    for path in ranges:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert rasters(fetch(item, output)) == rasters(large[1])


def test_ranges_of_another_version_of_the_file_are_not_mixed_in(interrupted, large):
    item, output, server, state = interrupted
    state["wrong"] = "etag"
    assert rasters(fetch(item, output)) == rasters(large[1])
    assert server.sent > 0.8 * size_of(large[0])


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path, large):
    www, _ = large
    with (
        serve_files(www, lambda number, path: "etag" if number > 8 else None) as server,
        pytest.raises(UserError, match="changed on its server while it was read; run again"),
    ):
        fetch(remote(www, tmp_path / "in", server.url), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / ".partial" / "out").exists()


def test_only_the_blocks_of_the_region_are_fetched(tmp_path, large):
    www, _ = large
    with serve_files(www) as server:
        path = remote(www, tmp_path / "in", server.url)
        content = json.loads(path.read_text())
        content["properties"]["crossres:region"] = utm_region(602_700, 5_497_000, 602_900, 5_497_200)
        path.write_text(json.dumps(content))
        fetch(path, tmp_path / "out")
    assert server.sent < 4 * (65536 + 4 * 256 * 256 * 1.8)


def test_a_stale_signature_is_renewed(tmp_path, monkeypatch):
    """Planetary Computer's own client signs; a local server stands for its token service and its storage."""
    import planetary_computer

    www = tmp_path / "www"
    local, _ = sentinel2(www)
    expected = fetch(local, tmp_path / "local")
    for name in ("token/account/container",):
        (www / name).parent.mkdir(parents=True, exist_ok=True)
    (www / "container").mkdir()
    for path in www.glob("*.tif"):
        path.rename(www / "container" / path.name)
    monkeypatch.setattr(image_file, "HEADER_BYTES", 1024)
    signatures = []

    def behaviour(number, path):
        if "/token/" in path:
            signatures.append(f"s{len(signatures)}")
            token = {"token": f"sig={signatures[-1]}", "msft:expiry": "2999-01-01T00:00:00Z"}
            (www / "token" / "account" / "container").write_text(json.dumps(token))
            return "200"
        stale = number > 6 and "sig=s0" in path
        return "403" if stale or "sig=" not in path else None

    with serve_files(www, behaviour) as server:
        # Requests for the storage's host go to the local server as their proxy.
        monkeypatch.setenv("HTTP_PROXY", server.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        planetary_computer.sas.TOKEN_CACHE.clear()
        monkeypatch.setattr(planetary_computer.settings.Settings.get(), "sas_url", f"{server.url}/token")
        item, _ = sentinel2(tmp_path / "in", href="http://account.blob.core.windows.net/container/{}.tif")
        assert rasters(fetch(item, tmp_path / "out")) == rasters(expected)
    assert signatures == ["s0", "s1"]
    assert "sig=" not in (tmp_path / "out" / "item.json").read_text()
