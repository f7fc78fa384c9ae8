"""The report's answer in words. What is worse is called worse; what the scenes cannot decide is called undecided."""

import math
from dataclasses import dataclass
from typing import get_args

import numpy as np

from crossres.drawing import arm_label
from crossres.evaluate.metrics.metric import IMAGES
from crossres.evaluate.metrics.registry import BY_KEY, shown
from crossres.evaluate.report.baselines import Arms, bicubic_of
from crossres.evaluate.results.intervals import Standing
from crossres.evaluate.results.summary import Summary

COMPARED = ("psnr_db", "cpsnr_db", "spectrum_error", "swd", "hallucination")


@dataclass(frozen=True)
class Finding:
    """One of the questions with its number and its words."""

    question: str
    number: str
    caption: str
    words: str


def findings(summary: Summary, arms: Arms) -> list[Finding]:
    """Return the findings in the order a reader asks: does the LR start pay, how sharp, how true, how sure."""
    primary = summary.primary
    bicubic = bicubic_of(summary, arms)
    found = [_sharp(summary, primary, bicubic), _true(summary, primary, bicubic), _sure(summary, primary)]
    return [*_start_pays(summary, primary, arms), *found]


def headline(summary: Summary, arms: Arms) -> str:
    """Return what SR gains over bicubic, and at what price; of few scenes only what was seen in them."""
    primary = summary.primary
    bicubic = bicubic_of(summary, arms)
    if bicubic is None:
        return "There is no bicubic arm to compare with; the numbers below stand alone."
    return f"{_gains(summary, bicubic)} {_price(summary, primary, bicubic)}".strip()


def _gains(summary: Summary, bicubic: str) -> str:
    differences = summary.differences[bicubic]
    detail, pixels = differences["sample"]["spectrum_error"], differences["mean"]["psnr_db"]
    if detail and pixels and detail.few:
        n = detail.n
        if n == 1:
            closer = ["closer to" if d.ahead else "further from" for d in (detail, pixels)]
            return (
                f"On the one scene held out, one sample’s detail is {closer[0]} HR’s than bicubic interpolation’s is, "
                f"and the mean of samples is {closer[1]} HR pixel by pixel. One scene cannot say whether that holds "
                "elsewhere."
            )
        return (
            f"One sample’s detail is closer to HR’s than bicubic interpolation’s is in {detail.ahead} of {n} scenes "
            f"held out, and the mean of samples is closer to HR pixel by pixel in {pixels.ahead} of {n}. So few "
            "scenes cannot say whether that holds elsewhere."
        )
    sharp = summary.verdict(bicubic, "sample", "spectrum_error")
    true = summary.verdict(bicubic, "mean", "psnr_db")
    gains = {
        "better": "Super-resolution puts back detail that bicubic interpolation lacks",
        "worse": "Super-resolution is further from the HR sensor's detail than bicubic interpolation",
        "undecided": "Whether super-resolution is sharper than bicubic interpolation is not decided by these scenes",
    }[sharp]
    joint = ", and" if (sharp, true) in {("better", "better"), ("worse", "worse")} else ", but"
    joint = joint if "undecided" not in (sharp, true) else ";"
    ends = {
        "better": "its mean is also closer to HR pixel by pixel",
        "worse": "its mean is further from HR pixel by pixel",
        "undecided": "pixel by pixel, the scenes do not tell its mean and bicubic apart",
    }[true]
    if (sharp, true) == ("worse", "better"):
        ends = "its mean is closer to HR pixel by pixel"
    return f"{gains}{joint} {ends}."


def _price(summary: Summary, primary: str, bicubic: str) -> str:
    """Return what one sample pays for its detail: made-up detail, and texture that is further from HR's."""
    parts = []
    made_up = summary.value(primary, "sample", "hallucination")
    if made_up is not None:
        parts.append(f"{100 * made_up:.0f} % of one sample’s detail is in neither LR nor HR")
    swd = summary.differences[bicubic]["sample"]["swd"]
    if swd and (summary.verdict(bicubic, "sample", "swd") == "worse" or (swd.few and not swd.ahead)):
        parts.append("the texture of its patches (SWD) is further from HR’s than bicubic’s")
    return f"The price: {', and '.join(parts)}." if parts else ""


def _sharp(summary: Summary, primary: str, bicubic: str | None) -> Finding:
    error, bias = (summary.value(primary, "sample", k) for k in ("spectrum_error", "spectrum_bias"))
    words = "No block of clear pixels is large enough to measure a spectrum."
    if error is not None and bias is not None:
        tendency = "too smooth" if bias < -0.05 else "too rough" if bias > 0.05 else "neither too smooth nor too rough"
        words = (
            f"At the detail that LR cannot show, the power of one sample is off from HR's by a factor of "
            f"{_times(error)} on average; on the whole it is {tendency}."
        )
        if bicubic:
            reference = summary.value(bicubic, "mean", "spectrum_error") or 0.0
            word = {"better": "Closer than", "worse": "Further off than", "undecided": "Not clearly different from"}
            what = word[summary.verdict(bicubic, "sample", "spectrum_error")] + " bicubic"
            difference = summary.differences[bicubic]["sample"]["spectrum_error"]
            if difference and difference.few:
                what = f"Against bicubic it is {difference.seen()}"
            words += f" {what} (a factor of {_times(reference)})."
        smooth = summary.value(primary, "mean", "spectrum_error")
        if smooth is not None and smooth > 1.1 * error:
            words += " The mean of the samples is smoother than one sample: it leaves out what the samples disagree on."
    return Finding("How sharp?", shown("spectrum_error", error), "spectrum error, one sample", words)


def _true(summary: Summary, primary: str, bicubic: str | None) -> Finding:
    psnr = {image: summary.value(primary, image, "psnr_db") for image in ("mean", "sample")}
    words = f"PSNR of the mean of samples; {shown('cpsnr_db', summary.value(primary, 'mean', 'cpsnr_db'))} when whole-"
    words += "pixel shifts and bias are forgiven."
    if bicubic:
        parts = []
        for image, name in zip(IMAGES, ("the mean", "one sample")):
            difference = summary.differences[bicubic][image]["psnr_db"]
            if difference:
                word = summary.verdict(bicubic, image, "psnr_db")
                amount = shown("psnr_db", abs(difference.mean))
                side = "above" if difference.mean >= 0 else "below"
                several = difference.n > 1 and difference.few
                doubt = f" ({difference.seen()})" if several else ""
                doubt = doubt or (" (undecided)" if word == "undecided" and not difference.few else "")
                parts.append(f"{name} is {amount} {side}{doubt}")
        if parts:
            words += f" Against bicubic, {', '.join(parts)}."
    back, angle = (summary.value(primary, "mean", key) for key in ("lr_l1", "lr_angle_deg"))
    words += (
        f" Brought back to LR's grid it differs from LR by {shown('lr_l1', back)} and {shown('lr_angle_deg', angle)}."
    )
    scenes = summary.scenes.values()
    if scenes:
        changed = sum(s.changed for s in scenes) / len(scenes)
        apart = sum(np.nan_to_num(s.references.rmse) for s in scenes) / len(scenes)
        words += (
            f" {100 * changed:.1f} % of the area changed between the dates and is left out; elsewhere HR itself still"
            f" differs from LR by {shown('rmse', apart)} at LR's own scale: other dates and sensors, not the model."
        )
    made_up = summary.value(primary, "sample", "hallucination")
    if made_up is not None:
        words += f" Of the detail in one sample, {100 * made_up:.0f} % is in neither LR nor HR."
    return Finding("How true?", shown("psnr_db", psnr["mean"]), "PSNR, mean of samples", words)


def _sure(summary: Summary, primary: str) -> Finding:
    found = summary.calibration[primary]
    if not found or math.isnan(found.ratio):
        return Finding(
            "How sure?", "–", "spread over error", "This arm has a single sample and so no measure of doubt."
        )
    ratio, rank, inside = found.ratio, found.rank_correlation, found.within_one_std
    tone = "over-confident" if ratio < 0.9 else "over-cautious" if ratio > 1.1 else "honest on average"
    words = (
        f"The spread of the samples is {ratio:.2f} times the real error: {tone}. The interval of ± 1 std holds "
        f"{100 * inside:.0f} % of HR's pixels; 68 % would be right for Gaussian errors."
    )
    if not math.isnan(rank):
        points = "points well at" if rank > 0.5 else "points somewhat at" if rank > 0.2 else "hardly points at"
        words += f" It {points} the pixels that are wrong (rank correlation {rank:.2f}).".replace(
            "-0", "\N{MINUS SIGN}0"
        )
    return Finding("How sure?", f"{ratio:.2f}", "spread over error; 1 is right", words)


def _start_pays(summary: Summary, primary: str, arms: Arms) -> list[Finding]:
    """Compare the LR start with the noise starts of the same model; empty when there is nothing to compare."""
    mine = arms.get(primary)
    rivals = [
        a for a in summary.arm_order
        if mine and a in arms and arms[a].start == "noise" and arms[a].model == mine.model
    ]  # fmt: skip
    if mine is None or mine.start != "lr" or not rivals:
        return []
    found: dict[str, list[str]] = {}
    for rival in sorted(rivals, key=lambda a: arms[a].steps):
        verdicts = {key: summary.standing(rival, "sample", key) for key in COMPARED}
        parts = []
        for word in dict.fromkeys(sorted(verdicts.values(), key=get_args(Standing).index)):
            text = f"{word} on {{}}"
            names = [_in_text(BY_KEY[key].label) for key in COMPARED if verdicts[key] == word]
            if names:
                parts.append(text.format(_listed(names)))
        steps = arms[rival].steps
        name = f"“{arm_label(rival)}” ({steps} {'step' if steps == 1 else 'steps'})"
        found.setdefault("; ".join(parts), []).append(name)
    sentences = [f"Against {_listed(names)}, one sample of the LR start is {words}." for words, names in found.items()]
    seen = summary.differences[rivals[0]]["sample"]["psnr_db"]
    if seen and seen.few:
        sentences.append("One scene decides nothing." if seen.n == 1 else "So few scenes decide nothing.")
    rival = min(rivals, key=lambda a: (abs(arms[a].steps - mine.steps), a))
    swd = summary.differences[rival]["sample"]["swd"]
    number = shown("swd", swd.mean, signed=True, unit=False) if swd else "–"
    caption = f"SWD against the noise start at {arms[rival].steps} steps; below 0 is better"
    return [Finding("Does the LR start pay?", number, caption, " ".join(sentences))]


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
