"""The report is one page that loads nothing, says the truth, and can be read on a phone."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Page as BrowserPage

from crossres.errors import UserError
from crossres.evaluate.charts.nfe import draw_nfe
from crossres.evaluate.charts.over_scenes import figures
from crossres.evaluate.metrics.metric import METRICS
from crossres.evaluate.report.compare import compare
from crossres.evaluate.report.costs import costs
from crossres.evaluate.report.disclosure import public
from crossres.evaluate.report.findings import findings, headline
from crossres.evaluate.report.inputs import ReportInputs, reasons_in_short
from crossres.evaluate.report.run_report import report
from crossres.evaluate.report.tables import missing_baselines
from crossres.evaluate.results.summary import Summary, summarise
from crossres.evaluate.scene import evaluate_scene
from crossres.files import read_json
from crossres.settings.evaluate import EvaluateSettings, ReportSettings
from crossres.settings.grid import GridSettings
from crossres.settings.sample import SampleSettings

SETTINGS = EvaluateSettings(crop_px=48, crops=2, view_px=64, bootstrap=500)
ARMS = {
    "lr_start": {"start": "lr", "steps": 4, "solver": "ab2", "samples": 8},
    "noise_start": {"start": "noise", "steps": 4, "solver": "ab2", "samples": 8},
    "bicubic": {"start": "bicubic", "steps": 4, "samples": 1},
}
CONFIG: dict[str, Any] = {
    "run": "test",
    "search": {"hr": {"kind": "folder", "path": "/home/someone/archive"}, "token": "abc123"},
    "sample": {"arms": ARMS, "tiling": {"seed": 7}},
}


@pytest.fixture(scope="module")
def run(make_pair: Callable[..., tuple[Path, dict[str, Path]]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's result folder with two held-out scenes and one declined pair."""
    folder = tmp_path_factory.mktemp("run")
    for i, name in enumerate(("north", "south", "lost")):
        x, y = 116.0 + 0.1 * i, 39.5
        ring = [[x, y], [x + 0.02, y], [x + 0.02, y + 0.02], [x, y + 0.02], [x, y]]
        pair = {"id": name, "lr": f"S2_{name}", "hr": f"GF2_{name}", "date_gap_days": 8.2, "overlap_km2": 3.4}
        pair |= {"overlap_cloud_percent": 12.5, "overlap_cloud_source": "eo:cloud_cover", "sun_difference_deg": 3.25}
        pair["score"] = 0.712
        _write(folder / f"items/pairs/{name}.json", pair | {"geometry": {"type": "Polygon", "coordinates": [ring]}})
        for scene in (pair["lr"], pair["hr"]):
            _write(folder / f"items/scenes/{scene}.json", {"properties": {"datetime": "2023-05-01T03:00:00Z"}})
        accepted = name != "lost"
        registration = {
            "accepted": accepted,
            "reason": None if accepted else "only 3 tie points",
            "shift_m": [1.5, -2.0],
        }
        if name == "south":
            registration = {"accepted": True, "model": "none", "statement": "taken as aligned already"}
        _write(folder / f"aligned/{name}/registration.json", registration)
        _write(folder / f"aligned/{name}/radiometry.json", {"method": "irmad"})
        if accepted:
            aligned, arms = make_pair(name, i + 20)
            evaluate_scene(SETTINGS, GridSettings(), name, aligned, arms, folder / "evaluation/scenes" / name)
            shutil.copytree(aligned, folder / "aligned" / name, dirs_exist_ok=True)
            shutil.copytree(next(iter(arms.values())).parent, folder / "sr" / name)
    many = [f"S2_T{i:03},lr,another processing of the same acquisition is used: S2_y{i}" for i in range(205)]
    rows = ["id,role,reason", 'S2_x,lr,"cloud <87 %> above 40 %"', *many]
    (folder / "items/declined.csv").write_text("\n".join(rows) + "\n")
    splits = {"train": [], "val": [], "test": ["north", "south"]}
    _write(folder / "pairs/summary.json", {"splits": splits, "patches": {"test": 12}, "declined": [], "left_out": {}})
    _write(folder / "model/main/card.json", {"parameters": 400000, "sigma": 0.25})
    evaluation = folder / "evaluation"
    scenes = sorted((evaluation / "scenes").iterdir())
    summarise(SETTINGS, scenes, "lr_start", evaluation / "summary.json", evaluation / "summary.parquet")
    figures(sampled(ARMS), evaluation / "summary.json", scenes, evaluation / "figures")
    for target in ("pairs/contact_sheet.png", "model/main/curves.png"):
        shutil.copy(evaluation / "figures/metrics.png", folder / target)
    report(ReportSettings(), CONFIG, ReportInputs.of_run(folder, "lr_start"), folder / "report.html")
    return folder


def sampled(arms: dict[str, Any]) -> SampleSettings:
    return SampleSettings.model_validate({"arms": arms})


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


class Page(HTMLParser):
    """Collects what a page refers to, its ids, and whether its tags are closed in order."""

    VOID = frozenset({"meta", "link", "img", "input", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.ids: list[str] = []
        self.images_without_alt = 0
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.references += [found[k] or "" for k in ("src", "href", "srcset", "poster", "data") if k in found]
        self.ids += [found["id"] or ""] if "id" in found else []
        self.images_without_alt += tag == "img" and not found.get("alt")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_pairs_that_were_only_taken_as_aligned_are_told(run: Path) -> None:
    text = (run / "report.html").read_text()
    assert "1 of 3 pairs are taken as aligned already. How well their images lie on each other is not known" in text


def test_a_model_that_learnt_detail_alone_is_told(run: Path, tmp_path: Path) -> None:
    told = "learnt HR’s detail over LR’s tone"
    assert told not in (run / "report.html").read_text()
    again = shutil.copytree(run, tmp_path / "run")
    card = read_json(again / "model/main/card.json") | {"train": {"target": "detail"}}
    _write(again / "model/main/card.json", card)
    report(ReportSettings(), CONFIG, ReportInputs.of_run(again, "lr_start"), again / "report.html")
    assert told in (again / "report.html").read_text()


def test_it_loads_nothing_and_is_well_formed(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == [] and page.images_without_alt == 0 and len(set(page.ids)) == len(page.ids)
    for reference in page.references:
        assert reference.startswith("data:") or reference[1:] in page.ids
    assert "url(" not in text and "@import" not in text and "fetch(" not in text
    assert len(text) < 25e6


def test_it_is_the_same_page_each_time(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(run, moved)
    report(ReportSettings(), CONFIG, ReportInputs.of_run(moved, "lr_start"), moved / "report.html")
    assert (moved / "report.html").read_bytes() == (run / "report.html").read_bytes()


def test_it_tells_no_path_and_no_secret(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    assert str(run) not in text and "/home/someone" not in text and "abc123" not in text
    assert public({"href": "https://me:pw@host/a?sig=1"}) == {"href": "https://host/a"}


def test_what_was_declined_is_said_with_its_reason(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "cloud &lt;87 %&gt; above 40 %" in text and "only 3 tie points" in text
    assert "2 scenes held out: too few" in text


def test_thousands_of_declined_scenes_are_counted_by_reason_and_not_all_listed(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "205 LR scenes: another processing of the same acquisition is used" in text
    assert "S2_T198" in text and "S2_T199" not in text
    assert "The first 200 of 206 scenes" in text


def test_reasons_are_alike_whatever_their_figures_and_names() -> None:
    reasons = [
        "item S2_a: has no band 'nir' (grid.bands asks for red, nir)",
        "item S2_b: has no band 'nir' (grid.bands asks for red, nir)",
        "cloud cover 41 % (search.max_cloud_percent is 40)",
        "cloud cover 90 % (search.max_cloud_percent is 40)",
        "cloud over its overlap with GF2_x 63 % (search.max_overlap_cloud_percent is 30)",
    ]
    short = reasons_in_short([{"id": str(i), "role": "lr", "reason": r} for i, r in enumerate(reasons)])
    assert [(r["count"], r["reason"]) for r in short] == [
        (2, "cloud cover … %"), (2, "has no band 'nir'"), (1, "cloud over its overlap with … … %"),
    ]  # fmt: skip


def test_what_decided_for_a_pair_stands_beside_it(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    assert text.count("<td>12.5*</td><td>3.25</td><td>0.712</td>") == 3


def test_the_figures_on_the_page_are_those_of_the_table(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    table = pd.read_parquet(run / "evaluation/summary.parquet")
    table = table[(table.band == "together") & (table.stratum == "everywhere")]
    means = table.groupby(["image", "metric", "arm"]).value.mean()
    for image, caption in (("mean", "mean of samples"), ("sample", "one sample")):
        body = text.partition(f'aria-label="Metrics, {caption}"')[2].partition("</tbody>")[0]
        rows = dict(re.findall(r'<tr><th scope="row"[^>]*>([^<]+?)\s*<.*?</th>(.*?)</tr>', body))
        for metric in METRICS:
            if np.isnan(means.get((image, metric.key, "bicubic"), np.nan)):
                continue  # LPIPS without weights, MS-SSIM of a small scene
            cells = re.findall(r"<td[^>]*>([^<]*)", rows.pop(metric.label))
            expected = [f"{means[image, metric.key, arm]:.{metric.digits}f}" for arm in ARMS]
            assert [c.replace("\N{MINUS SIGN}", "-") for c in cells[:-1]] == expected
            if metric.better:
                change = means[image, metric.key, "lr_start"] - means[image, metric.key, "bicubic"]
                assert cells[-1].replace("\N{MINUS SIGN}", "-").strip() == f"{change:+.{metric.digits}f}"
        assert not rows


def test_baselines_that_a_run_has_not_are_named(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "Not in this run: nearest neighbour; the prior&#39;s regression; a one-step model" in text
    every: dict[str, Any] = {s: {"start": s} for s in ("lr", "noise", "one-step", "regression", "bicubic", "nearest")}
    every["vp"] = {"start": "lr", "solver": "ddim", "model": "chain"}
    config = {"sample": {"arms": every}, "models": {"main": {}, "chain": {"train": {"path": "vp"}}}}
    assert missing_baselines(config) == []
    del every["vp"]
    assert len(missing_baselines(config)) == 1


def test_of_few_scenes_only_what_was_seen_is_said(run: Path) -> None:
    text = re.sub(r"<style>.*?</style>", "", (run / "report.html").read_text(encoding="utf-8"), flags=re.DOTALL)
    answer = text.partition('<p class="answer">')[2].partition("</p>")[0]
    assert "in 2 of 2 scenes held out" in answer and "cannot say whether that holds elsewhere" in answer
    assert "neither LR nor HR" in answer
    assert "ahead in every scene on" in text and "So few scenes decide nothing." in text
    assert not {"better", "worse", "undecided"} & set(re.findall(r"<small>([\w ]+)</small>", text))


def test_what_lr_and_hr_disagree_by_stands_beside_each_ranked_place(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    assert text.count("LR and HR themselves differ by") == 9  # best, median and worst, of all and of each scene
    for scene in (run / "evaluation/scenes").iterdir():
        for place in read_json(scene / "metrics.json")["pictures"]["places"].values():
            assert 0 < place["references_rmse"] < 0.02 and 0 <= place["changed"] <= 1


def summary_where(sharper: float, truer: float) -> dict[str, Any]:
    """Return a summary in which the primary arm differs from bicubic by these decades and dB."""
    keys = ("psnr_db", "cpsnr_db", "spectrum_error", "spectrum_bias", "swd", "hallucination", "lr_l1", "lr_angle_deg")
    value = {key: {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 9} for key in keys}
    difference = {key: {"mean": 0.0, "low": -1.0, "high": 1.0, "n": 9} for key in keys}
    for key, amount in (("spectrum_error", -sharper), ("psnr_db", truer)):
        difference[key] = {"mean": amount, "low": amount - 0.1, "high": amount + 0.1, "n": 9}
    both = {"mean": value, "sample": value}
    return {
        "primary": "lr_start", "arm_order": ["lr_start", "bicubic"], "calibration": {"lr_start": None},
        "arms": {"lr_start": both, "bicubic": both},
        "differences": {"bicubic": {"mean": difference, "sample": difference}},
    }  # fmt: skip


def test_the_words_follow_the_numbers() -> None:
    assert "puts back detail" in headline(summary_where(0.5, 1.0), ARMS)
    assert "but its mean is further from HR" in headline(summary_where(0.5, -1.0), ARMS)
    assert "further from the HR sensor's detail" in headline(summary_where(-0.5, -1.0), ARMS)
    assert "not decided" in headline(summary_where(0.0, 1.0), ARMS)
    worse = next(f for f in findings(summary_where(0.5, -1.0), ARMS) if f.question == "How true?")
    assert "1.00\N{NO-BREAK SPACE}dB below" in worse.words


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


@pytest.fixture(scope="module")
def pages(run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All pages that the package writes."""
    root = tmp_path_factory.mktemp("pages")
    other = root / "other"
    shutil.copytree(run, other)
    scenes, evaluation = sorted((other / "evaluation/scenes").iterdir()), other / "evaluation"
    summarise(SETTINGS, scenes, "noise_start", evaluation / "summary.json", evaluation / "summary.parquet")
    config = CONFIG | {"run": "other", "patches": {"size_px": 96}}
    for folder, content in ((run, CONFIG), (other, config)):
        (folder / "config.yaml").write_text(yaml.safe_dump(content))
    (run / "benchmarks/train").mkdir(parents=True)
    header = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time"
    (run / "benchmarks/train/a.tsv").write_text(f"{header}\n90.5\t0:01:30\t2048\t-\t-\t-\t-\t-\t95\t85\n")
    compare([run, other], root / "compare.html")
    costs(run, root / "costs.html")
    return {"report": run / "report.html", "compare": root / "compare.html", "costs": root / "costs.html"}


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


def test_runs_stand_side_by_side_paired_by_place(pages: dict[str, Path], run: Path, tmp_path: Path) -> None:
    text = pages["compare"].read_text(encoding="utf-8")
    assert "2 held-out pairs that all runs share" in text and "patches.size_px" in text
    assert "ahead in 0 of 2" in text and "ahead in 2 of 2" in text and "abc123" not in text
    assert not {"better", "worse", "undecided"} & set(re.findall(r"<small[^>]*>(\w+)</small>", text))
    assert text.count('alt="other, place') == text.count('alt="HR, place') == 4 and "no image kept" not in text
    assert pages["costs"].read_text(encoding="utf-8").count("<tr>") == 2
    with pytest.raises(UserError, match="at least two runs"):
        compare([run, run], tmp_path / "no.html")
    with pytest.raises(UserError, match="no such file"):
        compare([run, tmp_path / "nowhere"], tmp_path / "no.html")
    with pytest.raises(UserError, match="no benchmark files"):
        costs(tmp_path, tmp_path / "no.html")


def test_quality_over_steps_is_drawn_where_steps_vary(run: Path, tmp_path: Path) -> None:
    scenes = sorted((run / "evaluation/scenes").iterdir())
    varying = {"lr_start": ARMS["lr_start"], "noise_start": {"start": "lr", "steps": 16, "solver": "ab2"}}
    assert draw_nfe(Summary.read(run / "evaluation/summary.json"), sampled(ARMS)) is None
    figures(sampled(varying), run / "evaluation/summary.json", scenes, tmp_path / "figures")
    assert (tmp_path / "figures/nfe.png").exists()
