"""The report is one page that loads nothing, says the truth, and can be read on a phone."""

import json
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from crossres.evaluate.disclosure import public
from crossres.evaluate.figures import figures
from crossres.evaluate.report import report
from crossres.evaluate.report_inputs import ReportInputs, reasons_in_short
from crossres.evaluate.scene import evaluate_scene
from crossres.evaluate.story import findings, headline
from crossres.evaluate.summary import summarise
from crossres.settings.evaluate import EvaluateSettings, ReportSettings
from crossres.settings.grid import GridSettings

SETTINGS = EvaluateSettings(crop_px=48, crops=2, view_px=64, bootstrap=500)
ARMS = {
    "lr_start": {"start": "lr", "steps": 4, "samples": 8},
    "noise_start": {"start": "noise", "steps": 4, "samples": 8},
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
        _write(folder / f"aligned/{name}/registration.json", registration)
        _write(folder / f"aligned/{name}/radiometry.json", {"method": "irmad"})
        if accepted:
            aligned, arms = make_pair(name, i + 20)
            evaluate_scene(SETTINGS, GridSettings(), name, aligned, arms, folder / "evaluation/scenes" / name)
    many = [f"S2_T{i:03},lr,another processing of the same acquisition is used: S2_y{i}" for i in range(205)]
    rows = ["id,role,reason", 'S2_x,lr,"cloud <87 %> above 40 %"', *many]
    (folder / "items/declined.csv").write_text("\n".join(rows) + "\n")
    splits = {"train": [], "val": [], "test": ["north", "south"]}
    _write(folder / "pairs/summary.json", {"splits": splits, "patches": {"test": 12}, "declined": [], "left_out": {}})
    _write(folder / "model/main/card.json", {"parameters": 400000, "sigma": 0.25})
    evaluation = folder / "evaluation"
    scenes = sorted((evaluation / "scenes").iterdir())
    summarise(SETTINGS, scenes, "lr_start", evaluation / "summary.json", evaluation / "summary.parquet")
    figures(SETTINGS, evaluation / "summary.json", scenes, evaluation / "figures")
    for target in ("pairs/contact_sheet.png", "model/main/curves.png"):
        shutil.copy(evaluation / "figures/metrics.png", folder / target)
    report(ReportSettings(), CONFIG, ReportInputs.of_run(folder, "lr_start"), folder / "report.html")
    return folder


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


def browse(page: Path, tmp_path: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed: how the page behaves in a browser is not tested")
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--allow-file-access-from-files", "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}",
        *flags, page.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


@pytest.mark.parametrize("width", [380, 1280])
def test_a_browser_shows_it_without_errors_or_sideways_scrolling(run: Path, tmp_path: Path, width: int) -> None:
    frame = run / f"frame-{width}.html"
    frame.write_text(f"""<!doctype html>
<iframe id="f" src="report.html" width="{width}" height="800"></iframe><pre id="out"></pre>
<script>f.onload = () => {{
  const page = f.contentDocument;
  page.querySelectorAll("details").forEach((d) => (d.open = true));
  const cut = page.querySelector('input[type="range"]'), right = page.querySelector('[data-part="right"]');
  cut.value = 20; cut.dispatchEvent(new Event("input"));
  right.value = "hr"; right.dispatchEvent(new Event("change"));
  const stage = page.querySelector(".stage");
  out.textContent = JSON.stringify({{
    scroll: page.documentElement.scrollWidth, view: page.documentElement.clientWidth,
    cut: stage.style.getPropertyValue("--cut"), tag: page.querySelector('[data-part="right-tag"]').textContent,
  }});
}};</script>""")
    done = browse(frame, tmp_path, "--dump-dom", "--virtual-time-budget=5000", "--window-size=1400,900")
    found = json.loads(done.stdout.partition('<pre id="out">')[2].partition("</pre>")[0])
    assert found["scroll"] <= found["view"] <= width
    assert found["cut"] == "20%" and found["tag"] == "HR, 2.5 m"
    assert "CONSOLE" not in done.stderr, [line for line in done.stderr.splitlines() if "CONSOLE" in line]
