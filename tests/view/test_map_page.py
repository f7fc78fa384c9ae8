"""The map page in a browser: tiles are drawn, the divider parts them, values follow; nothing leaves this machine."""

import http.client
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

WAIT_MS = 120_000
DRAWN = """() => {
  const tiles = [...document.querySelectorAll('.leaflet-tile')];
  const whole = (tile) => tile.complete && tile.naturalWidth === 256 && getComputedStyle(tile).opacity === "1";
  return tiles.length > 0 && tiles.every(whole);
}"""


@dataclass
class Served:
    """A `crossres view` that runs, and where."""

    process: subprocess.Popen[str]
    url: str

    def answer(self, path: str, host: str | None = None, method: str = "GET") -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(self.url).port, timeout=60)
        connection.request(method, path, headers={"Host": host} if host else {})
        return connection.getresponse()


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    running = []

    def start(*arguments: str | Path) -> Served:
        # What a shell script starts with `&` ignores Ctrl-C, and so does all that it starts in turn: these tests too.
        command = ["env", "--default-signal=INT", sys.executable, "-m", "crossres", "view", *map(str, arguments)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        found = re.match(r"(http://127\.0\.0\.1:\d+/) \(until Ctrl-C\)\n", running[-1].stdout.readline())
        assert found, running[-1].stderr.read()
        return Served(running[-1], found[1])

    yield start
    for process in running:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


@pytest.fixture
def run(make_run: Callable[..., Path]) -> Path:
    return make_run(("aligned/a", "aligned/b"), {"sr/a/lr_start": 4, "sr/a/bicubic": 1})


@dataclass
class Opened:
    """The page in a browser, and what it asked for and complained about."""

    page: Page
    requests: list[str]
    complaints: list[str]

    def drawn(self) -> None:
        """Wait until all tiles are there and have faded in; a script of its own would be refused, so ask again."""
        end = time.monotonic() + WAIT_MS / 1000
        while not self.page.evaluate(DRAWN):
            assert time.monotonic() < end, "tiles are not drawn"
            self.page.wait_for_timeout(50)

    def colour(self, across: float) -> tuple[int, ...]:
        """Return the mean colour of the map at half its height."""

        box = self.page.locator("#map").bounding_box()
        clip = {"x": box["x"] + across * box["width"] - 3, "y": box["y"] + box["height"] * 0.4, "width": 6, "height": 6}
        image = Image.open(BytesIO(self.page.screenshot(clip=clip))).convert("RGB")
        return image.resize((1, 1)).getpixel((0, 0))


@pytest.fixture
def open_page() -> Iterator[Callable[..., Opened]]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed: how the map behaves in a browser is not tested")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])

        def opened(url: str, width: int = 1280) -> Opened:
            found = Opened(browser.new_page(viewport={"width": width, "height": 800}), [], [])
            found.page.set_default_timeout(WAIT_MS)
            found.page.on("request", lambda request: found.requests.append(request.url))
            found.page.on("console", lambda message: found.complaints.append(message.text))
            found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
            found.page.goto(url)
            found.drawn()
            return found

        yield opened
        browser.close()


def test_two_layers_are_drawn_and_the_divider_parts_them(
    run: Path, serve: Callable[..., Served], open_page: Callable[..., Opened]
) -> None:
    served = serve(run)
    found = open_page(served.url)
    page = found.page
    left, right = (page.locator(f'[data-part="{side}-tag"]') for side in ("left", "right"))
    expect(left).to_have_text("LR, 10 m")
    expect(right).to_have_text("LR start: mean, 2.5 m")
    page.get_by_label("LR start: std, 2.5 m: right").check()
    found.drawn()
    image, ramp = found.colour(0.4), found.colour(0.6)
    assert ramp[2] > image[2] + 20  # std is one colour of the ramp, far from the image's
    cut, box = page.locator('[data-part="cut"]'), page.locator("main").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    expect(cut).to_have_value("30")
    assert found.colour(0.4) == pytest.approx(ramp, abs=3)
    cut.press("End")
    assert found.colour(0.6)[2] < ramp[2] - 20
    assert all(url.startswith((served.url, "data:")) for url in found.requests) and not found.complaints
    assert page.locator('[data-part="status"]').inner_text() == ""


def test_a_layer_lies_on_top_and_colours_and_places_change(
    run: Path, serve: Callable[..., Served], open_page: Callable[..., Opened]
) -> None:
    found = open_page(serve(run).url)
    page = found.page
    strength = page.locator('[data-part="strength"]')
    expect(strength).to_be_hidden()
    bare = found.colour(0.4)
    page.get_by_label("LR start: drawn, 2.5 m: on top").check()
    found.drawn()
    expect(page.locator('[data-part="key"]')).to_contain_text("0.0300 reflectance")
    strength.fill("100")
    covered = found.colour(0.4)
    assert covered == found.colour(0.6) and covered != bare
    strength.fill("0")
    assert found.colour(0.4) == bare
    page.get_by_label("LR start: drawn, 2.5 m: on top").uncheck()
    expect(strength).to_be_hidden()
    page.get_by_label("Colours").select_option("nir")
    found.drawn()
    infrared = found.colour(0.4)
    assert infrared != bare
    assert any("/nir/" in url for url in found.requests)
    page.get_by_label("Place").select_option("b")
    expect(page.locator('[data-part="right-tag"]')).to_have_text("HR, 2.5 m")
    found.drawn()
    assert not found.complaints


def test_values_and_coordinates_follow_the_pointer_and_the_map_is_zoomed_to_pixels(
    run: Path, serve: Callable[..., Served], open_page: Callable[..., Opened]
) -> None:
    found = open_page(serve(run).url)
    page = found.page
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.4)
    where = page.locator('[data-part="where"]')
    expect(where).to_contain_text("in EPSG:32650\nrow ", use_inner_text=True)
    words = where.inner_text()
    x, y = (float(value) for value in re.search(r"x ([\d.]+), y ([\d.]+)", words).groups())
    row, column = (int(value) for value in re.search(r"row (\d+), column (\d+)", words).groups())
    assert (row, column) == (int((4000000 - y) / 2.5), int((x - 500000) / 2.5))
    assert re.match(r"36\.\d{6}° N, 117\.\d{6}° E", words)
    hr = [float(text) for text in page.locator("tr", has_text="HR, 2.5 m").locator("td:not(.choice)").all_inner_texts()]
    assert hr == pytest.approx([0.15, 0.1 + 0.2 * row / 280, 0.1 + 0.3 * column / 320, hr[1] + hr[2]], abs=2e-4)
    expect(page.locator("tr", has_text="drawn")).to_contain_text("measured 0.0100, inferred 0.0200, drawn 0.0300")
    for _ in range(3):
        page.get_by_label("Zoom in").click()
        page.wait_for_timeout(400)
    found.drawn()
    widths = "() => [...document.querySelectorAll('.leaflet-tile')].map((tile) => tile.getBoundingClientRect().width)"
    assert max(page.evaluate(widths)) >= 8 * 256
    assert not found.complaints


@pytest.mark.parametrize("width", [380, 1280])
def test_axe_finds_no_serious_violation_and_the_page_never_scrolls_sideways(
    run: Path, serve: Callable[..., Served], open_page: Callable[..., Opened], width: int
) -> None:
    page = open_page(serve(run).url, width).page
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    axe = Axe().run(page).response
    assert len(axe["passes"]) > 10
    assert [(v["id"], v["nodes"][0]["html"]) for v in axe["violations"] if v["impact"] in ("serious", "critical")] == []


def test_it_listens_on_this_machine_alone_answers_its_own_name_and_only_reads(
    run: Path, serve: Callable[..., Served]
) -> None:
    served = serve(run)
    port = urlsplit(served.url).port
    assert served.answer("/places.json").read() == b'["a", "b"]'
    assert served.answer("/places.json", f"localhost:{port}").status == 200
    assert served.answer("/places.json", "elsewhere.example").status == 403
    assert served.answer("/places.json", method="POST").status == 501
    for path in ("/../config.yaml", "/%2e%2e/view.py", "/server.py", "/places/9.json", "/places/0/9/true/0/0/0.png"):
        assert served.answer(path).status == 404, path
    others = {found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in others - {"127.0.0.1"}:
        with closing(socket.socket()) as outside:
            assert outside.connect_ex((address, port)) != 0, address


def test_ctrl_c_ends_it_and_a_port_in_use_is_one_line(run: Path, serve: Callable[..., Served]) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    served = serve(run, "--port", "0")
    assert served.answer("/places/0.json").status == 200
    [folder] = Path(tempfile.gettempdir()).glob(f".part-*-{served.process.pid}-crossres-view")
    again = [sys.executable, "-m", "crossres", "view", str(run), "--port", str(urlsplit(served.url).port)]
    refused = subprocess.run(again, capture_output=True, text=True)
    assert refused.returncode == 1 and "cannot be used" in refused.stderr and "Traceback" not in refused.stderr
    served.process.send_signal(signal.SIGINT)
    out, error = served.process.communicate(timeout=60)
    assert served.process.returncode == 0 and "Traceback" not in error and out.strip() == ""
    assert not folder.exists()
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before
