"""The report is one page that loads nothing and says the truth."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from finished_run import ARMS, CONFIG, sampled, write

from crossres.errors import UserError
from crossres.evaluate.charts.nfe import draw_nfe
from crossres.evaluate.charts.over_scenes import figures
from crossres.evaluate.metrics.registry import METRICS
from crossres.evaluate.report.baselines import missing_baselines
from crossres.evaluate.report.compare import compare
from crossres.evaluate.report.costs import costs
from crossres.evaluate.report.disclosure import public
from crossres.evaluate.report.html import percent
from crossres.evaluate.report.inputs import ReportInputs
from crossres.evaluate.report.pairs import DeclinedScene, reasons_in_short
from crossres.evaluate.report.run_report import report
from crossres.evaluate.results.scene_result import SceneResult
from crossres.evaluate.results.summary import Summary
from crossres.files import read_json
from crossres.imagery.numbers import SUPPORT
from crossres.settings.config import parse
from crossres.settings.evaluate import ReportSettings


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
    write(again / "model/main/card.json", card)
    report(ReportSettings(), parse(CONFIG), ReportInputs.of_run(again, "lr_start"), again / "report.html")
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
    report(ReportSettings(), parse(CONFIG), ReportInputs.of_run(moved, "lr_start"), moved / "report.html")
    assert (moved / "report.html").read_bytes() == (run / "report.html").read_bytes()


def test_it_tells_no_path_and_no_secret(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    assert str(run) not in text and "/home/someone" not in text and "abc123" not in text
    assert public({"href": "https://me:pw@host/a?sig=1"}) == {"href": "https://host/a"}


def test_what_was_declined_is_said_with_its_reason(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "cloud &lt;87 %&gt; above 40 %" in text and "only 3 tie points" in text
    assert "Only 2 scenes were held out: too few" in text


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
    short = reasons_in_short([DeclinedScene(str(i), "lr", reason) for i, reason in enumerate(reasons)])
    assert [(r.count, r.reason) for r in short] == [
        (2, "cloud cover … %"), (2, "has no band 'nir'"), (1, "cloud over its overlap with … … %"),
    ]  # fmt: skip


def test_what_decided_for_a_pair_stands_beside_it(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    assert text.count("<td>12.5*</td><td>3.25</td><td>0.712</td>") == 3


def test_further_lr_dates_stand_with_their_registration_where_there_are_several(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "dates"
    shutil.copytree(run, moved)
    found = {
        "scene": "S2_b", "datetime": "2023-05-11T03:00:00Z", "days_after_first": 10.0, "accepted": True, "reason": None,
        "model": "shift", "shift_m": [2.5, -3.5], "rmse_held_out_px": 0.0213, "clear_share": 0.875,
    }  # fmt: skip
    lost = {"scene": "S2_c", "datetime": None, "days_after_first": None, "accepted": False, "reason": "only 2 windows"}
    for pair, dates in (("north", [found, lost | {"clear_share": 0.0}]), ("south", []), ("lost", [])):
        write(moved / f"aligned/{pair}/dates.json", {"pair": pair, "lr_dates": 3, "dates": dates})
        shutil.copy(run / "evaluation/figures/metrics.png", moved / f"aligned/{pair}/dates.png")
    several = CONFIG | {"search": CONFIG["search"] | {"lr_dates": 3}}
    for content, shown in ((CONFIG, False), (several, True)):
        report(ReportSettings(), parse(content), ReportInputs.of_run(moved, "lr_start"), moved / "page.html")
        text = (moved / "page.html").read_text(encoding="utf-8")
        assert Page(text).open == []
        assert ('aria-label="LR dates"' in text, "dates of north" in text) == (shown, shown)
    assert "<td>2023-05-11</td><td>+10.0</td><td>yes</td><td>2.5, −3.5</td><td>0.0213</td>" in text
    assert "only 2 windows" in text


def test_the_figures_on_the_page_are_those_of_the_table(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    table = pd.read_parquet(run / "evaluation/summary.parquet")
    table = table[(table.band == "together") & (table.stratum == "everywhere")]
    means = table.groupby(["image", "metric", "arm"]).value.mean()
    for image, caption in (("mean", "mean of samples"), ("sample", "one sample")):
        body = text.partition(f'aria-label="Metrics, {caption}"')[2].partition("</tbody>")[0]
        rows = dict(re.findall(r'<tr><th scope="row"[^>]*>([^<]+?)\s*(?:<(?!/th).*?)?</th>(.*?)</tr>', body))
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


def test_what_detail_rests_on_stands_beside_how_well_it_is_told(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    body = text.partition('aria-label="Measured, inferred or drawn"')[2].partition("</table>")[0]
    found = Summary.read(run / "evaluation/summary.json").calibration["lr_start"]
    shares = [percent(found.support.shares[part]) for part in SUPPORT]
    areas = [f"{area:.3g}" for area in (found.support.roc_area, found.roc_area)]
    assert re.findall("<td>(.*?)</td>", body) == shares + areas  # of one arm: the others have no such file


def test_baselines_that_a_run_has_not_are_named(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "Not in this run: nearest neighbour; the prior&#39;s regression; a one-step model" in text
    every: dict[str, Any] = {s: {"start": s} for s in ("lr", "noise", "one-step", "regression", "bicubic", "nearest")}
    every["vp"] = {"start": "lr", "solver": "ddim", "model": "chain"}
    paths = {"main": "residual", "chain": "vp"}
    assert missing_baselines(sampled(every).arms, paths) == []
    del every["vp"]
    assert len(missing_baselines(sampled(every).arms, paths)) == 1


def test_of_few_scenes_only_what_was_seen_is_said(run: Path) -> None:
    text = re.sub(r"<style>.*?</style>", "", (run / "report.html").read_text(encoding="utf-8"), flags=re.DOTALL)
    answer = text.partition('<p class="answer">')[2].partition("</p>")[0]
    assert "dB above bicubic interpolation in PSNR, ahead in 2 of 2 scenes" in answer
    distrust = text.partition('<section class="distrust">')[2].partition("</section>")[0]
    assert "too few to say what holds elsewhere" in distrust and "neither LR nor HR" in distrust
    assert "ahead in every scene on" in text and "So few scenes decide nothing." in text
    assert not {"better", "worse", "undecided"} & set(re.findall(r"<small>([\w ]+)</small>", text))


def test_what_lr_and_hr_disagree_by_stands_beside_each_ranked_place(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    assert text.count("LR and HR themselves differ by") == 9  # best, median and worst, of all and of each scene
    for scene in (run / "evaluation/scenes").iterdir():
        for place in SceneResult.read(scene).pictures.places.values():
            assert 0 < place.references_rmse < 0.02 and 0 <= place.changed <= 1


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


def test_a_product_that_is_drawn_once_stands_beside_no_mean(run: Path, pages: dict[str, Path], tmp_path: Path) -> None:
    single = shutil.copytree(run, tmp_path / "single")
    config = yaml.safe_load((single / "config.yaml").read_text())
    config["sample"]["arms"]["lr_start"]["samples"] = 1
    (single / "config.yaml").write_text(yaml.safe_dump(config))
    compare([run, single], tmp_path / "beside.html")
    text = (tmp_path / "beside.html").read_text(encoding="utf-8")
    assert "Drawn once: the product of single." in text
    means, samples = (part.partition("</table>")[0] for part in text.partition('id="numbers"')[2].split("<h3>")[1:3])
    assert means.startswith("Mean of samples") and samples.startswith("One sample")
    assert re.search(r"PSNR.*?</tr>", means, re.S)[0].count("–") == 2
    assert "–" not in re.search(r"PSNR.*?</tr>", samples, re.S)[0]
    assert "Drawn once" not in pages["compare"].read_text(encoding="utf-8")


def test_quality_over_steps_is_drawn_where_steps_vary(run: Path, tmp_path: Path) -> None:
    scenes = sorted((run / "evaluation/scenes").iterdir())
    varying = {"lr_start": ARMS["lr_start"], "noise_start": {"start": "lr", "steps": 16, "solver": "ab2"}}
    assert draw_nfe(Summary.read(run / "evaluation/summary.json"), sampled(ARMS)) is None
    figures(sampled(varying), run / "evaluation/summary.json", scenes, tmp_path / "figures")
    assert (tmp_path / "figures/nfe.png").exists()
