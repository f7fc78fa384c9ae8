"""The report's findings in words: worse is called worse, and what the scenes cannot decide is called undecided."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np

from crossres.evaluate.metrics.calibration import Calibration
from crossres.evaluate.metrics.metric import IMAGES
from crossres.evaluate.metrics.registry import BY_KEY, shown
from crossres.evaluate.metrics.support import Support
from crossres.evaluate.report.baselines import Arms, bicubic_of
from crossres.evaluate.results.arm_names import SAME_ODE, arm_label
from crossres.evaluate.results.intervals import Standing
from crossres.evaluate.results.summary import Summary
from crossres.imagery.numbers import SUPPORT

LEAST_RANK = 0.05
"""Rank correlation of a perfect ensemble below which its std is chance."""
COMPARED = ("psnr_db", "cpsnr_db", "spectrum_error", "swd", "hallucination")


@dataclass(frozen=True)
class Finding:
    """One of the questions with its number and its words."""

    question: str
    number: str
    caption: str
    words: str


def findings(summary: Summary, arms: Arms, paths: Mapping[str, str]) -> list[Finding]:
    """Return the findings in the order a reader asks: how true, how sharp, how sure, and does the LR start pay.

    `paths` is the path that each model was trained on.
    """
    primary, bicubic = summary.primary, bicubic_of(summary, arms)
    found = [_true(summary, primary, bicubic), _sharp(summary, primary, bicubic), _sure(summary, primary)]
    return [*found, *_start_pays(summary, primary, arms, paths)]


def _true(summary: Summary, primary: str, bicubic: str | None) -> Finding:
    tolerant = shown("cpsnr_db", summary.value(primary, "mean", "cpsnr_db"))
    words = f"When a shift by whole pixels and a constant difference are forgiven, it is {tolerant} (cPSNR)."
    parts = []
    for image, name in zip(IMAGES, ("the mean", "one sample")):
        apart = summary.differences[bicubic][image]["psnr_db"] if bicubic else None
        if bicubic and apart:
            undecided = summary.verdict(bicubic, image, "psnr_db") == "undecided"
            doubt = "" if apart.n == 1 else f" ({apart.seen()})" if apart.few else " (undecided)" if undecided else ""
            side = "above" if apart.mean >= 0 else "below"
            parts.append(f"{name} is {shown('psnr_db', abs(apart.mean))} {side}{doubt}")
    if parts:
        words += f" Against bicubic, {', '.join(parts)}."
    back, angle = (shown(key, summary.value(primary, "mean", key)) for key in ("lr_l1", "lr_angle_deg"))
    words += f" Brought back to LR’s pixels, SR differs from LR by {back}; the angle between their spectra is {angle}."
    scenes = summary.scenes.values()
    changed = sum(scene.changed for scene in scenes) / len(scenes)
    apart_lr = sum(np.nan_to_num(scene.references.rmse) for scene in scenes) / len(scenes)
    words += (
        f" {100 * changed:.1f} % of the area changed between the dates of LR and HR and counts nowhere. Elsewhere HR"
        f" itself differs from LR by {shown('rmse', apart_lr)} at LR’s scale: that is the dates and the sensors, not"
        " the model."
    )
    psnr = shown("psnr_db", summary.value(primary, "mean", "psnr_db"))
    return Finding("How true?", psnr, "PSNR against HR, mean of samples", words)


def _sharp(summary: Summary, primary: str, bicubic: str | None) -> Finding:
    error, bias = (summary.value(primary, "sample", key) for key in ("spectrum_error", "spectrum_bias"))
    words = "No block of clear pixels is large enough to measure a spectrum."
    if error is not None and bias is not None:
        tendency = "too smooth" if bias < -0.05 else "too rough" if bias > 0.05 else "neither too smooth nor too rough"
        words = (
            "An image is as sharp as HR when its power at each fine scale is HR’s. At the scales that LR cannot show, "
            f"one sample is off by a factor of {_times(error)} on average; on the whole it is {tendency}."
        )
        if bicubic:
            reference = summary.value(bicubic, "mean", "spectrum_error") or 0.0
            apart = summary.differences[bicubic]["sample"]["spectrum_error"]
            word = {"better": "Closer than", "worse": "Further off than", "undecided": "Not clearly different from"}
            what = f"{word[summary.verdict(bicubic, 'sample', 'spectrum_error')]} bicubic"
            if apart and apart.few:
                what = f"Against bicubic it is {apart.seen()}"
            words += f" {what} (a factor of {_times(reference)})."
        smooth = summary.value(primary, "mean", "spectrum_error")
        if smooth is not None and smooth > 1.1 * error:
            words += " The mean of the samples is smoother than one sample: it leaves out what the samples disagree on."
    caption = "spectrum error of one sample, in powers of ten; 0 is as sharp as HR"
    return Finding("How sharp?", shown("spectrum_error", error), caption, words)


def _sure(summary: Summary, primary: str) -> Finding:
    found = summary.calibration[primary]
    if not found or math.isnan(found.ratio):
        return Finding("How sure?", "–", "std over error", "There is one sample only, and so no measure of doubt.")
    words = (
        f"The standard deviation (std) that comes with the mean is {found.ratio:.2f} of the real error: {found.tone}. "
        f"The intervals that should hold 68 % of HR’s pixels hold {100 * found.inside:.0f} %."
    )
    words = " ".join(filter(None, (words, _points(found), _rests_on(found.support))))
    return Finding("How sure?", f"{found.ratio:.2f}", "std over error of the mean; 1 is right", words)


def _points(found: Calibration) -> str:
    """Say whether std is large where the error is, beside what so few samples can say of that."""
    rank, possible = found.rank_correlation, found.calibrated_rank
    if math.isnan(rank) or math.isnan(possible):
        return ""
    if possible < LEAST_RANK:
        return "Where std is larger it is so by chance: it does not tell one pixel from another."
    points = "points well" if rank > 0.8 * possible else "points somewhat" if rank > 0.4 * possible else "hardly points"
    number = f"{rank:.2f}".replace("-", "\N{MINUS SIGN}")
    return (
        f"Std {points} at the pixels that are wrong: its rank correlation with the error is {number}, where a perfect "
        f"ensemble of this size has {possible:.2f}. Of two pixels, one of them among the quarter with the largest "
        f"error, it names that one in {100 * found.roc_area:.0f} % of cases."
    )


def _rests_on(found: Support | None) -> str:
    """Say what one sample's detail rests on, and how well support.tif tells where it is wrong."""
    if found is None or math.isnan(found.shares["drawn"]):
        return ""
    measured, inferred, drawn = (f"{100 * found.shares[name]:.0f} %" for name in SUPPORT)
    words = (
        f"Of one sample’s detail beyond bicubic, {measured} is measured, {inferred} inferred from what training has "
        f"shown, and {drawn} drawn: made up."
    )
    if not math.isnan(found.roc_area):
        words += f" The band “drawn” of support.tif names the wrong one of two pixels in {100 * found.roc_area:.0f} %."
    return words


def _start_pays(summary: Summary, primary: str, arms: Arms, paths: Mapping[str, str]) -> list[Finding]:
    """Compare the LR start with the noise starts of the same model; empty when there is nothing to compare."""
    mine = arms.get(primary)
    rivals = [
        a for a in summary.arm_order
        if mine and a in arms and arms[a].start == "noise" and arms[a].model == mine.model
    ]  # fmt: skip
    if mine is None or mine.start != "lr" or not rivals:
        return []
    alike: dict[str, list[str]] = {}
    for rival in sorted(rivals, key=lambda arm: arms[arm].steps):
        standings = {key: summary.standing(rival, "sample", key) for key in COMPARED}
        parts = []
        for standing in sorted(set(standings.values()), key=get_args(Standing).index):
            names = [_in_text(BY_KEY[key].label) for key in COMPARED if standings[key] == standing]
            parts.append(f"{standing} on {_listed(names)}")
        steps = arms[rival].steps
        name = f"“{arm_label(rival)}” ({steps} {'step' if steps == 1 else 'steps'})"
        alike.setdefault("; ".join(parts), []).append(name)
    sentences = [
        "Diffusion usually starts from noise. A start from LR with noise on it should need fewer evaluations of the "
        "network. SWD is a distance between the textures of small patches, hallucination the share of made-up detail."
    ]
    one_ode = paths.get(mine.model) == "residual"
    if one_ode:
        sentences.append(
            f"On this model’s path a start from noise is {SAME_ODE}: what is compared is where the steps fall."
        )
    sentences += [f"Against {_listed(names)}, one sample of the LR start is {words}." for words, names in alike.items()]
    seen = summary.differences[rivals[0]]["sample"]["psnr_db"]
    if seen and seen.few:
        sentences.append("One scene decides nothing." if seen.n == 1 else "So few scenes decide nothing.")
    rival = min(rivals, key=lambda arm: (abs(arms[arm].steps - mine.steps), arm))
    swd = summary.differences[rival]["sample"]["swd"]
    number = shown("swd", swd.mean, signed=True, unit=False) if swd else "–"
    steps = arms[rival].steps
    count = f"{steps} step{'' if steps == 1 else 's'}"
    rival = f"of a start from noise with {count}" if not one_ode else f"with {count} spaced as from noise"
    caption = f"SWD minus that {rival}; below 0 is better"
    return [Finding("Does it pay to start from LR?", number, caption, " ".join(sentences))]


def _times(decades: float) -> str:
    factor = 10**decades
    return (
        f"{factor:.1f}" if factor < 10 else f"{float(f'{factor:.2g}'):.0f}" if decades < 4 else "more than ten thousand"
    )


def _in_text(label: str) -> str:
    """Return a metric's name as it stands inside a sentence: acronyms stay."""
    return label if any(c.isupper() for c in label[1:]) else label.lower()


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
