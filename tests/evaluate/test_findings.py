"""What is said of a run follows its numbers: worse is called worse, and what few scenes cannot say is not said."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from crossres.evaluate.metrics.calibration import Calibration
from crossres.evaluate.metrics.metric import IMAGES
from crossres.evaluate.metrics.registry import BY_KEY, METRICS
from crossres.evaluate.metrics.support import Support
from crossres.evaluate.report.findings import COMPARED, findings
from crossres.evaluate.report.opening import opening
from crossres.evaluate.report.tables import metric_tables
from crossres.evaluate.results.intervals import Difference, Interval, difference
from crossres.evaluate.results.scene_result import Dates, References, Scene
from crossres.evaluate.results.summary import StrataSummary, Summary
from crossres.settings.sample import ArmSettings

LR, NOISE = ArmSettings(start="lr", solver="ab2"), ArmSettings(start="noise", solver="ab2")
ARMS = {"lr_start": LR, "bicubic": ArmSettings(start="bicubic")}
PSNR, SWD = BY_KEY["psnr_db"], BY_KEY["swd"]


def apart(mean: float, scenes: int = 9, ahead: int | None = None, reach: float = 0.1) -> Difference:
    return Difference(mean, mean - reach, mean + reach, scenes, scenes if ahead is None else ahead)


def summary_where(arms: dict[str, Any], differences: dict[str, dict[str, Difference]], **other: Any) -> Summary:
    """Return a summary in which the product differs from other arms by this, and by nothing else."""
    value = dict.fromkeys(BY_KEY, Interval(0.5, 0.4, 0.6, 9))
    none = {key: Difference(0.0, -1.0, 1.0, 9, 4) for key in BY_KEY}
    scene = Scene(
        Dates(None, None), (96, 96), 1.0, {"changed": 0.0, "cloud": 0.0, "shadow": 0.0},
        References(0.0, 0.0, 0.0, 0.0), {},
    )  # fmt: skip
    content = dict(
        primary="lr_start", arm_order=tuple(arms), bands=("red",), lr_gsd_m=10.0, hr_gsd_m=2.5, factor=4.0, level=0.95,
        note=None, scenes={"a": scene}, declined=(),
        arms={arm: dict.fromkeys(IMAGES, value) for arm in arms},
        differences={arm: dict.fromkeys(IMAGES, none | found) for arm, found in differences.items()},
        strata=StrataSummary("", 1, (), {}, {}), calibration=dict.fromkeys(arms),
    )  # fmt: skip
    return Summary(**content | other)


def sure_where(
    ratio: float, rank: float, possible: float, inside: float = 0.68, support: Support | None = None
) -> tuple[str, str]:
    """Return what the findings and the opening say of a std that is this good."""
    found = Calibration(
        std=np.ones(1), promised=np.ones(1), error=np.ones(1), expected_error=0.0, sharpness=ratio, ratio=ratio,
        rank_correlation=rank, calibrated_rank=possible, roc_area=0.7, coverage={"0.683": inside},
        degrees_of_freedom=3.0, support=support,
    )  # fmt: skip
    summary = summary_where(ARMS, {"bicubic": {}}, calibration={"lr_start": found, "bicubic": None})
    sure = next(f for f in findings(summary, ARMS, {}) if f.question == "How sure?")
    return sure.words, " ".join(opening(summary, ARMS).distrust)


def said(truer: Difference, sharper: Difference) -> str:
    """Return the page's answer where the product differs from bicubic by these dB and decades."""
    return opening(summary_where(ARMS, {"bicubic": {"psnr_db": truer, "spectrum_error": sharper}}), ARMS).answer


def test_the_answer_follows_the_numbers() -> None:
    both = said(apart(1.0), apart(-0.5))
    assert "truer than bicubic" in both and "1.00\N{NO-BREAK SPACE}dB above" in both and "bicubic lacks" in both
    assert "less true than bicubic" in said(apart(-1.0), apart(-0.5))
    assert "further from HR" in said(apart(-1.0), apart(0.5))
    assert "do not tell SR and bicubic interpolation apart" in said(apart(0.05), apart(-0.5))


def test_of_few_scenes_it_is_said_what_was_seen() -> None:
    assert "ahead in 2 of 3 scenes" in said(apart(1.0, 3, 2), apart(-0.5, 3, 3))
    assert "On the one scene held out" in said(apart(1.0, 1, 1), apart(-0.5, 1, 0))


def test_what_is_worse_is_to_be_distrusted() -> None:
    worse = summary_where(ARMS, {"bicubic": {"psnr_db": apart(-1.0), "swd": apart(2.0)}})
    words = " ".join(opening(worse, ARMS).distrust)
    assert "1.00\N{NO-BREAK SPACE}dB below bicubic" in words and "texture of one sample is further" in words
    assert "made it up" in words
    true = next(f for f in findings(worse, ARMS, {}) if f.question == "How true?")
    assert "1.00\N{NO-BREAK SPACE}dB below" in true.words


def test_a_method_that_is_truer_than_the_product_is_named() -> None:
    summary = summary_where(ARMS, {"bicubic": {}})
    assert not any("Another method" in words for words in opening(summary, ARMS).distrust)
    better = summary.arms["bicubic"] | {"mean": summary.arms["bicubic"]["mean"] | {"psnr_db": Interval(25, 24, 26, 9)}}
    truer = replace(summary, arms=summary.arms | {"bicubic": better})
    assert any("“bicubic” with 25.00" in words for words in opening(truer, ARMS).distrust)


def test_a_perfect_product_has_no_psnr_and_nothing_is_called_truer() -> None:
    """Its PSNR is infinite, which no file holds and no mean has; that of others is a number."""
    summary = summary_where(ARMS, {"bicubic": {}})
    perfect = summary.arms["lr_start"] | {"mean": summary.arms["lr_start"]["mean"] | {"psnr_db": None}}
    found = opening(replace(summary, arms=summary.arms | {"lr_start": perfect}), ARMS)
    assert not any("Another method" in words for words in found.distrust)


def test_texture_as_good_as_bicubics_is_not_called_further_off() -> None:
    same = summary_where(ARMS, {"bicubic": {"swd": Difference(0.0, 0.0, 0.0, 2, 0)}})
    assert not any("texture" in words for words in opening(same, ARMS).distrust)


def test_without_bicubic_there_is_no_comparison() -> None:
    alone = summary_where({"lr_start": LR}, {})
    assert "no bicubic interpolation to compare with" in opening(alone, {"lr_start": LR}).answer
    assert len(findings(alone, {"lr_start": LR}, {})) == 3


def test_a_perfect_ensemble_of_few_samples_is_not_called_badly_ranked() -> None:
    words, distrust = sure_where(1.0, rank=0.24, possible=0.25)
    assert "calibrated" in words and "hold 68 %" in words and "points well" in words
    assert "0.24, where a perfect ensemble of this size has 0.25" in words and "std" not in distrust
    assert "hardly points" in sure_where(1.0, rank=0.05, possible=0.4)[0]
    assert "larger it is so by chance" in sure_where(1.0, rank=0.01, possible=0.01)[0]


def test_what_detail_rests_on_is_said_where_it_is_known() -> None:
    shares = {"measured": 0.2, "inferred": 0.5, "drawn": 0.3}
    words, _ = sure_where(1.0, rank=0.3, possible=0.4, support=Support(shares, 0.763))
    assert "20 % is measured, 50 % inferred" in words and "30 % drawn" in words and "two pixels in 76 %" in words
    nothing = Support(dict.fromkeys(shares, np.nan), np.nan)
    assert "drawn" not in sure_where(1.0, rank=0.3, possible=0.4, support=nothing)[0]
    assert "drawn" not in sure_where(1.0, rank=0.3, possible=0.4)[0]


def test_a_std_that_is_wrong_is_said_to_be() -> None:
    words, distrust = sure_where(0.8, rank=0.3, possible=0.4, inside=0.56)
    assert "over-confident" in words and "hold 56 %" in words
    assert "over-confident: its std is 0.80 of the real error" in distrust
    assert "over-cautious" in sure_where(1.3, rank=0.3, possible=0.4, inside=0.8)[1]
    words, distrust = sure_where(1.0, rank=0.3, possible=0.4, inside=0.56)
    assert "right on average, not at each pixel" in words and "std" not in distrust


@pytest.mark.parametrize(
    ("found", "words"),
    [(apart(1.0), "better"), (apart(-1.0), "worse"), (apart(0.05), "undecided"), (apart(1.0, 5, 4), "ahead in 4 of 5"),
     (apart(1.0, 1, 1), "ahead"), (apart(-1.0, 1, 0), "behind")],
)  # fmt: skip
def test_better_is_an_interval_on_the_better_side_of_zero(found: Difference, words: str) -> None:
    assert found.words(PSNR) == words
    mirrored = replace(found, mean=-found.mean, low=-found.high, high=-found.low)
    assert mirrored.words(SWD) == words  # of which less is better


def test_scenes_are_ahead_where_the_metric_is_better() -> None:
    values = np.array([-1.0, -2.0, 3.0])
    assert [difference(values, metric).ahead for metric in (PSNR, SWD)] == [1, 2]
    assert difference(np.array([np.nan]), PSNR) is None
    assert all((difference(values, m).ahead is None) == (m.better is None) for m in METRICS)


def test_noise_starts_of_the_same_model_that_fare_alike_share_a_sentence() -> None:
    noise = {"noise_2": 1, "noise_4": 2, "noise_32": 16}
    arms = {"lr_start": LR} | {name: NOISE.model_copy(update={"steps": steps}) for name, steps in noise.items()}
    arms["noise_seed_1"] = NOISE.model_copy(update={"model": "seed_1"})
    better = {key: apart(BY_KEY[key].gain(1.0)) for key in COMPARED}
    worse_in_swd = better | {"swd": apart(-BY_KEY["swd"].gain(1.0))}
    differences = dict.fromkeys(list(arms)[1:], better) | {"noise_32": worse_in_swd}
    found = findings(summary_where(arms, differences), arms, {})[-1]
    assert found.words.count("Against") == 2
    assert "Against “noise 2” (1 step) and “noise 4” (2 steps), one sample of the LR start is better on" in found.words
    assert "worse on SWD" in found.words and "seed 1" not in found.words


def test_what_is_drawn_once_stands_among_single_samples_alone() -> None:
    arms = {"lr_start": LR, "noise_32": NOISE.model_copy(update={"samples": 1}), "bicubic": ARMS["bicubic"]}
    summary = summary_where(arms, {"noise_32": {}, "bicubic": {}})
    means, singles = metric_tables(summary, arms)
    assert {cell.text for row in means.rows for cell in row.cells if cell.arm == "noise_32"} == {"–"}
    assert "–" not in {cell.text for row in singles.rows for cell in row.cells}
    assert all(row.against for row in means.rows if row.metric.better)
    once = {name: arm.model_copy(update={"samples": 1}) for name, arm in arms.items()}
    assert [table.name for table in metric_tables(summary, once)] == ["One sample"]


def test_a_noise_start_on_the_residual_path_is_called_what_it_is() -> None:
    arms = {"lr_start": LR, "noise": NOISE}
    summary = summary_where(arms, {"noise": {}})
    said = {path: findings(summary, arms, {"main": path})[-1].words for path in ("residual", "straight")}
    assert "the same ODE with steps spaced as from noise" in said["residual"]
    assert "the same ODE" not in said["straight"]
