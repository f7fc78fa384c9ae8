"""What the claim's figures say of made-up curves whose answer is known by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crossres.cli import main
from crossres.evaluate.charts.claim import draw_claim
from crossres.evaluate.metrics.scene_metrics import ALL_BANDS
from crossres.evaluate.report.claim_table import claim_tables
from crossres.evaluate.results.arm_names import SAME_ODE
from crossres.evaluate.results.claim import Compared, best_of, judge_claim, overall, verdict
from crossres.evaluate.results.claim_curves import curves, judge_kinds, one_sample, read_claim
from crossres.evaluate.results.speed_up import Match, matches, speed_up
from crossres.settings.sample import ArmSettings, SampleSettings, Sweep

SCENES = 8
SPREAD = np.linspace(-0.5, 0.5, SCENES)
"""What makes one scene harder than another, for both starts alike; its mean is 0."""


def curve(swd: dict[int, float], seeds: int = 2, psnr: float = 24.0, hallucination: float = 0.2, **more: np.ndarray):
    """Return a curve whose scenes differ by SPREAD, equally at each NFE."""
    level = np.ones((seeds, 1))
    return {
        nfe: {
            "swd": level * (value + SPREAD), "spectrum_error": level * (value / 10 + 0 * SPREAD),
            "psnr_db": level * (psnr + SPREAD), "cpsnr_db": level * (psnr + 1 + SPREAD),
            "hallucination": level * (hallucination + SPREAD / 10), **more,
        }
        for nfe, value in swd.items()
    }  # fmt: skip


NOISE = {"own": curve({1: 12.0, 4: 8.0, 16: 6.0, 32: 5.0})}


def tables(values: dict[int, float]) -> dict[int, np.ndarray]:
    return {nfe: np.full((1, SCENES), value) for nfe, value in values.items()}


def test_the_speed_up_is_the_noise_starts_nfe_over_the_first_as_good_of_the_lr_start():
    found = speed_up(tables({1: 9.0, 2: 6.0, 4: 5.0, 8: 4.0}), tables({1: 12.0, 16: 5.5, 32: 5.0}))
    assert (found.tau, found.best_nfe, found.noise_nfe, found.lr_nfe, found.value) == (5.0, 32, 32, 4, 8.0)


def test_both_starts_need_to_come_within_five_percent_of_the_noise_starts_best():
    """At 2.4 % above its best the noise start is as good; so is the LR start. Neither gains by a hair."""
    noise = {2: 4.46, 4: 2.72, 8: 2.58, 32: 2.52}
    assert speed_up(tables({2: 2.64, 4: 2.5}), tables(noise)).value == 4.0
    assert speed_up(tables({2: 2.65, 4: 2.5}), tables(noise)).value == 2.0
    assert speed_up(tables({2: 2.64, 4: 2.5}), tables(noise | {8: 2.65})).value == 16.0


def test_a_start_that_never_gets_there_has_no_speed_up():
    found = speed_up(tables({1: 9.0, 32: 5.3}), tables({1: 12.0, 32: 5.0}))
    assert found.lr_nfe is None and (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_a_point_that_scenes_cannot_place_widens_the_interval():
    noise = tables({8: 5.6, 32: 5.0})
    unsure = noise | {8: 5.6 + 4 * SPREAD[None]}  # 5.25 is within what eight such scenes say of 5.6
    found = speed_up(tables({4: 4.0}), unsure)
    assert (found.low, found.value, found.high) == (2.0, 8.0, 8.0)
    one = speed_up({4: np.array([[4.0]])}, {32: np.array([[5.0]])})
    assert (one.value, one.low, one.high) == (8.0, None, None)  # one scene has no interval


def test_how_long_the_noise_start_takes_to_what_the_lr_start_has_is_told_beside_it():
    found = matches(tables({2: 8.0, 4: 5.3, 8: 4.5}), tables({2: 12.0, 16: 5.5, 32: 5.0}))
    assert found == (Match(2, 16, 16, 16), Match(4, 16, 16, 16), Match(8, None, None, None))
    unlike = {2: 6.0 + 12 * SPREAD[None]}  # good in some scenes, bad in others
    [found] = matches(unlike, tables({4: 8.0, 16: 6.0, 32: 5.0}))
    assert found.low < found.noise_nfe == 16 and found.high is None


def test_it_holds_when_it_is_fast_and_nothing_was_paid_for_it():
    found = judge_claim(curve({1: 9.0, 4: 4.5, 8: 4.0}, psnr=24.5, hallucination=0.15), NOISE)
    swd = found.evidence["swd"]
    assert (swd.speed_up.tau, swd.speed_up.noise_nfe, swd.speed_up.lr_nfe) == (5.0, 32, 4)
    assert (swd.speed_up.low, swd.speed_up.value, swd.speed_up.high) == (8.0, 8.0, 8.0)
    assert swd.compared == Compared(lr_nfe=4, noise_nfe=32)
    assert swd.differences["psnr_db"].mean == pytest.approx(0.5)
    assert found.verdict == "holds" and found.against == ("own",)


@pytest.mark.parametrize(
    ("lr", "failed"),
    [
        (curve({1: 9.0, 4: 5.6, 32: 5.4}), "speed"),
        (curve({1: 9.0, 16: 4.5}), "speed"),
        (curve({4: 4.5}, psnr=23.9), "psnr_db"),
        (curve({4: 4.5}, hallucination=0.21), "hallucination"),
    ],
    ids=["never as good", "as good but only twice as fast", "less true", "makes up more"],
)
def test_it_does_not_hold_when_one_condition_fails(lr, failed):
    found = judge_claim(lr, NOISE)
    assert found.evidence["swd"].answers[failed] == "no"
    assert found.verdict == "does not hold"


def test_it_says_in_which_quality_it_holds_alone():
    smooth = judge_claim(curve({4: 4.5}, spectrum_error=np.full((2, SCENES), 2.0)), NOISE)
    assert smooth.evidence["spectrum_error"].speed_up.value == 0.0
    assert smooth.verdict == "holds in SWD alone"
    lr = curve({4: 4.5})
    lr[4]["swd"] = lr[4]["swd"] + 4.5
    rough = judge_claim(lr, NOISE)
    assert rough.verdict == "holds in spectrum error alone"
    assert overall({"swd": "does not hold", "spectrum_error": "cannot be said"}, 2) == "does not hold"


def test_it_cannot_be_said_when_scenes_disagree():
    psnr = (24.1 + np.where(np.arange(SCENES) % 2, 2.0, -2.0))[None] + np.zeros((2, 1))
    found = judge_claim(curve({4: 4.5}, psnr_db=psnr), NOISE)
    apart = found.evidence["swd"].differences["psnr_db"]
    assert apart.low < 0 < apart.high
    assert found.verdict == "cannot be said"


def test_it_cannot_be_said_when_seeds_disagree():
    lr = curve({4: 4.5}, psnr=24.5)
    lr[4]["psnr_db"] = lr[4]["psnr_db"] + np.array([[1.0], [-0.4]])  # every scene is ahead on average
    found = judge_claim(lr, NOISE)
    assert found.evidence["swd"].answers["psnr_db"] == "undecided"
    assert [one["swd"].answers["psnr_db"] for one in found.by_seed] == ["yes", "yes"]


def test_it_cannot_be_said_of_five_scenes_or_of_one_seed():
    assert verdict({"speed": "yes", "psnr_db": "yes"}, 6) == "holds"
    assert verdict({"speed": "yes", "psnr_db": "yes"}, 5) == "cannot be said"
    assert verdict({"speed": "no", "psnr_db": "yes"}, 5) == "cannot be said"
    assert overall({"swd": "holds", "spectrum_error": "holds"}, 1) == "cannot be said"


def test_seeds_are_judged_together_and_also_told_apart():
    lr = curve({4: 4.5})
    lr[4]["swd"][1] += 2.0  # the second seed does not get to 5.25, nor does the mean of both (5.5)
    found = judge_claim(lr, {"own": curve({32: 5.0})})
    assert [one["swd"].speed_up.lr_nfe for one in found.by_seed] == [4, None]
    assert found.evidence["swd"].speed_up.lr_nfe is None


def test_the_noise_start_is_the_best_of_all_at_each_nfe_by_each_quality():
    own, other = NOISE["own"], curve({4: 6.0, 16: 6.5}, spectrum_error=np.ones((2, SCENES)))
    best, of = best_of({"own": own, "other": other}, "swd")
    assert of == {1: "own", 4: "other", 16: "own", 32: "own"} and best[4] is other[4]
    assert set(best_of({"own": own, "other": other}, "spectrum_error")[1].values()) == {"own"}
    faster = judge_claim(curve({4: 4.5}), NOISE | {"other": curve({8: 5.1})}).evidence["swd"].speed_up
    assert (faster.noise_nfe, faster.value) == (8, 2.0)


def test_a_scene_without_a_value_is_left_out():
    lr = curve({4: 4.5})
    lr[4]["hallucination"][0, 3] = np.nan
    assert judge_claim(lr, NOISE).scenes == SCENES - 1


SAMPLE = SampleSettings(
    arms={"bicubic": ArmSettings(start="bicubic")},
    sweeps={
        "module": Sweep(models=("main", "again"), nfe=(4, 32), against=("rival",)),
        "plain": Sweep(models=("plain",), nfe=(4, 32)),
        "one start": Sweep(models=("plain",), starts=("lr",), nfe=(4,)),
        "rival": Sweep(models=("from", "noise"), starts=("noise",), nfe=(4, 16, 32)),
    },
).whole(dict.fromkeys(("main", "again", "plain", "from", "noise"), "euler"))


def table(arms) -> pd.DataFrame:
    rows = []
    for arm, settings in arms.items():
        for i, spread in enumerate(SPREAD):
            swd = {"lr": 4.5, "noise": 40 / settings.steps + 3.75, "bicubic": 20}[settings.start] + spread
            values = dict(swd=swd, spectrum_error=swd / 10, psnr_db=24, cpsnr_db=25, hallucination=0.2)
            for image in ("sample", "mean"):
                off = 0 if image == "sample" else 100
                rows += [(f"place{i}", arm, image, ALL_BANDS, "everywhere", k, v + off) for k, v in values.items()]
                rows.append((f"place{i}", arm, image, ALL_BANDS, "water", "hallucination", 0.9))
    return pd.DataFrame(rows, columns=["scene", "arm", "image", "band", "stratum", "metric", "value"])


def judged(folder: Path, sample: SampleSettings, without: str = "") -> tuple[Path, Path, Path]:
    """Return what `crossres claim` writes for these arms: claim.json, its table and its figure.

    No scene has a value of the metric `without`.
    """
    values = table(sample.arms)
    values.loc[values.metric == without, "value"] = np.nan
    values.to_parquet(folder / "summary.parquet")
    written = folder / "claim.json", folder / "claim.parquet", folder / "claim.png"
    settings = {"sample": sample.model_dump(mode="json")}
    paths = zip(("--table", "--output", "--curves", "--figure"), (folder / "summary.parquet", *written))
    main(["claim", "--settings", json.dumps(settings), *(str(word) for pair in paths for word in pair)])
    return written


def test_models_of_a_sweep_are_judged_together_and_each_sweep_for_itself(tmp_path):
    claim, points, figure = judged(tmp_path, SAMPLE)
    found = read_claim(claim)
    assert {kind: judgement.seeds for kind, judgement in found.items()} == {"module": 2, "plain": 1}
    assert {kind: judgement.against for kind, judgement in found.items()} == {
        "module": ("module", "rival"), "plain": ("plain",),
    }  # fmt: skip
    assert found["module"].evidence["swd"].speed_up.value == 8.0
    assert found["module"].verdict == "holds"
    assert found["plain"].verdict == "cannot be said"  # of one seed
    by_point = pd.read_parquet(points).set_index(["kind", "start", "nfe", "metric"])
    assert by_point.loc[("module", "noise", 32, "swd"), "mean"] == pytest.approx(5.0)
    assert by_point.loc[("rival", "noise", 16, "swd"), "mean"] == pytest.approx(6.25)
    assert figure.stat().st_size > 10_000


def test_what_is_read_back_is_what_was_judged(tmp_path):
    claim, _, _ = judged(tmp_path, SAMPLE)
    sides = curves(SAMPLE.curves(), SAMPLE.against(), one_sample(tmp_path / "summary.parquet"))["module"]
    assert read_claim(claim)["module"] == judge_claim(sides.lr, sides.noise)


def test_the_report_has_a_column_for_all_seeds_and_one_for_each(tmp_path):
    first, second = claim_tables(judged(tmp_path, SAMPLE)[0], frozenset({"module"}))
    assert (first.kind, first.columns) == ("module", ["all seeds", "seed 1", "seed 2"])
    assert first.against == f"{SAME_ODE} (module), the noise start of rival"
    rows = dict(first.rows)
    assert rows["SWD: speed-up"] == rows["Spectrum error: speed-up"] == ["8 (8 to 8)"] * 3
    assert rows["SWD: evaluations from noise that do what 4, 32 do from LR"] == ["never, never"] * 3
    assert rows["Spectrum error: the claim"] == ["holds"] * 3
    assert second.columns == ["all seeds"]


def test_the_figure_calls_a_start_what_it_is(tmp_path):
    judged(tmp_path, SAMPLE)
    kinds = judge_kinds(SAMPLE.curves(), SAMPLE.against(), one_sample(tmp_path / "summary.parquet"))
    *_, last = draw_claim(kinds, {}, {"module"}).axes
    labels = {text.get_text() for text in last.get_legend().get_texts()}
    assert {f"{SAME_ODE}, module", "noise start, plain", "noise start, rival", "LR start, module"} <= labels
    assert "noise start, module" not in labels
    words = " ".join(last.texts[0].get_text().split())
    assert "is never reached from noise (SWD) plain" in words


def test_midpoint_counts_two_evaluations_a_step_and_is_a_kind_of_its_own():
    sample = SampleSettings(
        arms={
            "a": ArmSettings(start="lr", steps=2, solver="midpoint"),
            "b": ArmSettings(start="noise", steps=8, solver="euler"),
            "c": ArmSettings(start="noise", steps=8, solver="midpoint"),
        }
    )
    row = dict(swd=[1.0], spectrum_error=[1.0], psnr_db=[1.0], cpsnr_db=[1.0], hallucination=[0.1])
    values = {arm: pd.DataFrame(row, index=["place0"]) for arm in sample.arms}
    [(kind, sides)] = curves(sample.curves(), {}, values).items()
    assert (kind, list(sides.lr), list(sides.noise[kind])) == ("main", [4], [16])


def test_a_run_without_both_starts_makes_no_claim(tmp_path):
    claim, _, figure = judged(tmp_path, SampleSettings(arms={"bicubic": ArmSettings(start="bicubic")}))
    assert claim_tables(claim) == []
    assert figure.exists()


def test_scenes_of_which_none_has_every_metric_make_no_claim(tmp_path):
    arms = {"lr": ArmSettings(solver="ab2"), "noise": ArmSettings(start="noise", solver="ab2")}
    claim, _, figure = judged(tmp_path, SampleSettings(arms=arms), without="spectrum_error")
    assert claim_tables(claim) == []
    assert figure.exists()
