"""What the claim's figures say of made-up curves whose answer is known by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crossres.cli import main
from crossres.evaluate.metrics.scene_metrics import ALL_BANDS
from crossres.evaluate.report.claim_table import claim_tables
from crossres.evaluate.results.claim import Compared, Match, judge_claim, matches, speed_up, verdict
from crossres.evaluate.results.claim_curves import curves, one_sample, read_claim
from crossres.settings.sample import ArmSettings, SampleSettings, Sweep

SCENES = 8
SPREAD = np.linspace(-0.5, 0.5, SCENES)
"""What makes one scene harder than another, for both starts alike; its mean is 0."""


def curve(swd: dict[int, float], seeds: int = 1, psnr: float = 24.0, hallucination: float = 0.2, **more: np.ndarray):
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


NOISE = curve({1: 12.0, 4: 8.0, 16: 6.0, 32: 5.0})


def test_the_speed_up_is_the_noise_starts_best_nfe_over_the_first_as_good_of_the_lr_start():
    found = speed_up({1: 9.0, 2: 6.0, 4: 5.0, 8: 4.0}, {1: 12.0, 16: 5.5, 32: 5.0})
    assert (found.tau, found.noise_nfe, found.lr_nfe, found.value) == (5.0, 32, 4, 8.0)


def test_of_two_equally_good_numbers_of_steps_the_smaller_is_the_noise_starts_best():
    assert speed_up({4: 5.0}, {8: 5.0, 32: 5.0}).value == 2.0


def test_a_start_that_never_gets_there_has_no_speed_up():
    found = speed_up({1: 9.0, 32: 5.1}, {1: 12.0, 32: 5.0})
    assert found.lr_nfe is None and found.value == 0.0


def test_how_long_the_noise_start_takes_to_what_the_lr_start_has_is_told_beside_it():
    assert matches({2: 8.0, 4: 5.5, 8: 4.9}, {2: 12.0, 16: 5.5, 32: 5.0}) == {2: 16, 4: 16, 8: np.inf}
    found = judge_claim(curve({2: 8.0, 4: 5.5, 8: 4.9}), NOISE, 500, 0).matches["swd"]
    assert found == (Match(2, 4, 4, 4), Match(4, 32, 32, 32), Match(8, None, None, None))


def test_what_few_scenes_say_of_it_is_seen_in_its_interval():
    unlike = curve({2: 6.0})
    unlike[2]["swd"] = unlike[2]["swd"] + 12 * SPREAD  # good in some scenes, bad in others
    [found] = judge_claim(unlike, NOISE, 500, 0).matches["swd"]
    assert found.low < found.noise_nfe == 16 and found.high in {32, None}


def test_it_holds_when_it_is_fast_and_nothing_was_paid_for_it():
    found = judge_claim(curve({1: 9.0, 4: 4.5, 8: 4.0}, psnr=24.5, hallucination=0.15), NOISE, 500, 0)
    swd = found.speed_up["swd"]
    assert (swd.tau, swd.noise_nfe, swd.lr_nfe, swd.value) == (5.0, 32, 4, 8.0)
    assert (swd.low, swd.high) == (8.0, 8.0)  # scenes differ alike at each NFE: resampling changes nothing
    assert found.compared == Compared(lr_nfe=4, noise_nfe=32)
    assert found.differences["psnr_db"].mean == pytest.approx(0.5)
    assert found.verdict == "holds"


@pytest.mark.parametrize(
    ("lr", "failed"),
    [
        (curve({1: 9.0, 4: 5.2, 32: 5.1}), "swd"),
        (curve({1: 9.0, 16: 4.5}), "swd"),
        (curve({4: 4.5}, psnr=23.9), "psnr_db"),
        (curve({4: 4.5}, hallucination=0.21), "hallucination"),
    ],
    ids=["never as good", "as good but only twice as fast", "less true", "makes up more"],
)
def test_it_does_not_hold_when_one_condition_fails(lr, failed):
    found = judge_claim(lr, NOISE, 500, 0)
    assert found.answers[failed] == "no"
    assert found.verdict == "does not hold"


def test_it_cannot_be_said_when_scenes_disagree():
    psnr = (24.1 + np.where(np.arange(SCENES) % 2, 2.0, -2.0))[None]
    found = judge_claim(curve({4: 4.5}, psnr_db=psnr), NOISE, 500, 0)
    apart = found.differences["psnr_db"]
    assert apart.low < 0 < apart.high
    assert found.verdict == "cannot be said"


def test_it_cannot_be_said_of_five_scenes():
    assert verdict({"swd": "yes", "psnr_db": "yes"}, 6) == "holds"
    assert verdict({"swd": "yes", "psnr_db": "yes"}, 5) == "cannot be said"
    assert verdict({"swd": "no", "psnr_db": "yes"}, 5) == "cannot be said"


def test_seeds_are_averaged_within_a_scene_and_also_told_apart():
    lr = curve({4: 4.5}, seeds=2)
    lr[4]["swd"][1] += 2.0  # the second seed does not get to 5.0, nor does the mean of both (5.5)
    found = judge_claim(lr, curve({32: 5.0}, seeds=2), 500, 0)
    assert [one.speed_up["swd"].lr_nfe for one in found.by_seed] == [4, None]
    assert found.speed_up["swd"].lr_nfe is None


def test_a_scene_without_a_value_is_left_out():
    lr = curve({4: 4.5})
    lr[4]["hallucination"][0, 3] = np.nan
    assert judge_claim(lr, NOISE, 500, 0).scenes == SCENES - 1


SAMPLE = SampleSettings(
    arms={"bicubic": ArmSettings(start="bicubic")},
    sweeps={
        "module": Sweep(models=("main", "again"), nfe=(4, 32)),
        "plain": Sweep(models=("plain",), nfe=(4, 32)),
        "one start": Sweep(models=("plain",), starts=("lr",), nfe=(4,)),
    },
).whole(dict.fromkeys(("main", "again", "plain"), "euler"))


def table(arms) -> pd.DataFrame:
    rows = []
    for arm, settings in arms.items():
        for i, spread in enumerate(SPREAD):
            swd = {"lr": 4.5, "noise": 40 / settings.steps + 3.75, "bicubic": 20}[settings.start] + spread
            values = dict(swd=swd, spectrum_error=0.1, psnr_db=24, cpsnr_db=25, hallucination=0.2)
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
    settings = {"evaluate": {"bootstrap": 200}, "sample": sample.model_dump(mode="json")}
    paths = zip(("--table", "--output", "--curves", "--figure"), (folder / "summary.parquet", *written))
    main(["claim", "--settings", json.dumps(settings), *(str(word) for pair in paths for word in pair)])
    return written


def test_models_of_a_sweep_are_judged_together_and_each_sweep_from_both_starts_for_itself(tmp_path):
    claim, points, figure = judged(tmp_path, SAMPLE)
    found = read_claim(claim)
    assert {kind: judgement.seeds for kind, judgement in found.items()} == {"module": 2, "plain": 1}
    assert found["module"].speed_up["swd"].value == 8.0
    assert found["module"].verdict == "holds"
    by_point = pd.read_parquet(points).set_index(["kind", "start", "nfe", "metric"])
    assert by_point.loc[("module", "noise", 32, "swd"), "mean"] == pytest.approx(5.0)
    assert figure.stat().st_size > 10_000


def test_what_is_read_back_is_what_was_judged(tmp_path):
    claim, _, _ = judged(tmp_path, SAMPLE)
    found = read_claim(claim)["plain"]
    values = one_sample(tmp_path / "summary.parquet")
    starts = curves(SAMPLE.curves(), values)["plain"]
    assert found == judge_claim(starts["lr"], starts["noise"], 200, 0)


def test_the_report_has_a_column_for_all_seeds_and_one_for_each(tmp_path):
    first, second = claim_tables(judged(tmp_path, SAMPLE)[0])
    assert (first.kind, first.columns) == ("module", ["all seeds", "seed 1", "seed 2"])
    assert dict(first.rows)["SWD: speed-up"] == ["8 (8 to 8)"] * 3
    assert dict(first.rows)["SWD: evaluations from noise that do what 4, 32 do from LR"] == ["never, never"] * 3
    assert second.columns == ["all seeds"]


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
    found = curves(sample.curves(), values)
    assert {kind: {start: list(c) for start, c in starts.items()} for kind, starts in found.items()} == {
        "main": {"lr": [4], "noise": [16]}
    }


def test_a_run_without_both_starts_makes_no_claim(tmp_path):
    claim, _, figure = judged(tmp_path, SampleSettings(arms={"bicubic": ArmSettings(start="bicubic")}))
    assert claim_tables(claim) == []
    assert figure.exists()


def test_scenes_of_which_none_has_every_metric_make_no_claim(tmp_path):
    arms = {"lr": ArmSettings(solver="ab2"), "noise": ArmSettings(start="noise", solver="ab2")}
    claim, _, figure = judged(tmp_path, SampleSettings(arms=arms), without="spectrum_error")
    assert claim_tables(claim) == []
    assert figure.exists()
