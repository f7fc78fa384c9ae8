"""In a browser the pages load nothing, can be read on a phone and by everyone, and the viewer does what it says."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Page as BrowserPage


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed: how the page behaves in a browser is not tested")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@dataclass
class Opened:
    """A page in a browser, and what it asked for and complained about."""

    page: BrowserPage
    requests: list[str]
    complaints: list[str]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Opened]]:
    contexts = []

    def opened(path: Path, width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Opened:
        contexts.append(browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}))
        found = Opened(contexts[-1].new_page(), [], [])
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.on("console", lambda message: found.complaints.append(message.text))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.goto(path.as_uri())
        return found

    yield opened
    for context in contexts:
        context.close()


NAMES = ("report", "compare", "costs")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("width", "scheme"), [(380, "dark"), (1280, "light")])
def test_a_page_loads_nothing_never_scrolls_sideways_and_axe_finds_no_serious_violation(
    pages: dict[str, Path], open_page: Callable[..., Opened], name: str, width: int, scheme: str
) -> None:
    found = open_page(pages[name], width, scheme)
    page = found.page
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    axe = Axe().run(page).response
    assert len(axe["passes"]) > 10
    assert [(v["id"], v["nodes"][0]["html"]) for v in axe["violations"] if v["impact"] in ("serious", "critical")] == []
    assert [url for url in found.requests if not url.startswith("data:")] == [pages[name].as_uri()]
    assert not found.complaints


def test_the_divider_follows_pointer_and_keys_and_the_choices_change_the_images(
    run: Path, open_page: Callable[..., Opened]
) -> None:
    page = open_page(run / "report.html").page
    stage, cut = page.locator(".stage"), page.locator('input[type="range"]')
    position = "document.querySelector('.stage').style.getPropertyValue('--cut')"
    assert page.evaluate(position) == "50%"
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    assert page.evaluate(position) == "20%"
    cut.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.evaluate(position) == "25%" and cut.get_attribute("aria-valuetext") == "25 % of the left image is shown"
    page.keyboard.press("End")
    assert page.evaluate(position) == "100%"
    under = page.locator('[data-part="under"]')
    before = under.get_attribute("src")
    page.locator('[data-part="right"]').select_option("hr")
    assert page.locator('[data-part="right-tag"]').inner_text() == "HR, 2.5 m" and under.get_attribute("src") != before
    page.locator('[data-part="place"]').select_option(label="south")
    assert "south" in str(under.get_attribute("alt"))
    page.locator('[data-part="place"]').select_option("worst")
    assert "worst place" in str(under.get_attribute("alt"))


def test_both_images_are_zoomed_and_moved_together(run: Path, open_page: Callable[..., Opened]) -> None:
    page = open_page(run / "report.html").page
    page.locator('[data-part="zoom"]').select_option("1")
    boxes = "['under', 'over'].map((n) => document.querySelector(`[data-part=${n}]`).getBoundingClientRect().toJSON())"
    under, over = page.evaluate(boxes)
    assert under == over and under["width"] == 64  # native pixels: view_px of the settings
    stage = page.locator(".stage").bounding_box()
    assert stage is not None and under["x"] > stage["x"]
    page.evaluate("document.querySelector('.viewer').style.maxWidth = '18rem'")
    page.locator('[data-part="zoom"]').select_option("8")
    page.locator(".stage").focus()
    before = page.evaluate(boxes)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    after = page.evaluate(boxes)
    assert before[0]["width"] == 512 and after[0] == after[1]
    assert (before[0]["x"] - after[0]["x"], before[0]["y"] - after[0]["y"]) == (40, 40)
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    stage, (under, _) = page.locator(".stage").bounding_box(), page.evaluate(boxes)
    assert stage is not None and abs(under["x"] + under["width"] - stage["x"] - stage["width"]) <= 1


def test_a_finger_swipes_the_divider(run: Path, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 380, "height": 800}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto((run / "report.html").as_uri())
    stage = page.locator(".stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    assert page.evaluate("document.querySelector('.stage').style.getPropertyValue('--cut')") == "75%"
    context.close()


def test_everything_is_open_in_print(run: Path, open_page: Callable[..., Opened]) -> None:
    page = open_page(run / "report.html").page
    assert page.locator("details:not([open])").count() > 0
    assert page.pdf()[:4] == b"%PDF"
    assert page.locator("details:not([open])").count() == 0
