"""`evaluate`: the charts over all scenes."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from crossres.drawing import INK, MUTED, RULE, chart, quiet, save, title
from crossres.evaluate.charts.arm_styles import arm_colours, arm_markers
from crossres.evaluate.charts.nfe import draw_nfe
from crossres.evaluate.charts.spectra import draw_spectra
from crossres.evaluate.metrics.metric import IMAGES
from crossres.evaluate.metrics.registry import BY_KEY
from crossres.evaluate.results.arm_names import arm_label
from crossres.evaluate.results.scene_result import Spectra
from crossres.evaluate.results.summary import Summary
from crossres.files import whole
from crossres.settings.sample import SampleSettings

CHARTED = ("psnr_db", "cpsnr_db", "spectrum_error", "swd", "hallucination", "lr_l1")


def figures(
    sample: SampleSettings, summary: Path, scenes: list[Path], output: Path, one_ode: Collection[str] = ()
) -> None:
    """Draw metrics.png, spectra.png, calibration.png, tradeoff.png and, where steps vary, nfe.png into a folder.

    `sample` says which arms make a curve, `summary` is summary.json, `scenes` the folders that `evaluate_scene` wrote,
    `one_ode` names the kinds of model whose starts solve the same equation.
    """
    content = Summary.read(summary)
    with whole(output) as part:
        part.mkdir()
        once = {name for name, arm in sample.arms.items() if arm.drawn_once}
        _metrics(content, once, part / "metrics.png")
        _spectra([Spectra.read(scene) for scene in sorted(scenes)], content.arm_order, once, part / "spectra.png")
        _calibration(content, part / "calibration.png")
        _tradeoff(content, once, part / "tradeoff.png")
        if over_steps := draw_nfe(content, sample, one_ode):
            save(over_steps, part / "nfe.png")


def _metrics(content: Summary, once: set[str], path: Path) -> None:
    """A dot per arm and image with its interval over scenes; filled is the mean of samples, open one sample.

    Arms that are drawn `once` have no mean, here and below.
    """
    arms = list(content.arm_order)
    colours = arm_colours(arms)
    figure, axes = chart(9.2, 0.9 + 0.62 * len(arms), 2, 3)
    for k, (ax, key) in enumerate(zip(axes, CHARTED)):
        metric = BY_KEY[key]
        for i, arm in enumerate(arms):
            for image, lift in zip(IMAGES, (-0.14, 0.14)):
                found = content.arms[arm][image][key]
                alike = found == content.arms[arm]["mean"][key]
                if not found or (image == "mean" if arm in once else image == "sample" and alike):
                    continue
                ax.plot([found.low, found.high], [i + lift] * 2, color=colours[arm], lw=1.6, alpha=0.55)
                face = colours[arm] if image == "mean" else "white"
                ax.plot(found.mean, i + lift, "o", ms=5, color=colours[arm], mfc=face, mew=1.3)
        ax.set_yticks(range(len(arms)), [arm_label(a) for a in arms] if k % 3 == 0 else [""] * len(arms))
        ax.set_ylim(len(arms) - 0.5, -0.5)
        ax.grid(False, axis="x")
        ax.tick_params(axis="y", length=0, labelcolor=INK)
        ax.locator_params(axis="x", nbins=5)
        arrow = {"higher": "higher is better →", "lower": "← lower is better", None: ""}[metric.better]
        title(ax, metric.label)
        ax.set_xlabel("   ".join(filter(None, (metric.unit, arrow))))
    dots = [
        axes[0].plot([], [], "o", ms=5, color=MUTED, mfc=face, mew=1.3, label=label)[0]
        for face, label in ((MUTED, "mean of samples"), ("white", "one sample"))
    ]
    figure.legend(handles=dots, loc="outside lower right", ncols=2, frameon=False, fontsize=8, labelcolor=MUTED)
    save(figure, path)


def _spectra(scenes: list[Spectra], arms: Sequence[str], once: set[str], path: Path) -> None:
    """One chart per image; geometric mean over the scenes that share the first one's frequencies."""
    first = scenes[0]
    alike = [s for s in scenes if np.array_equal(s.frequency_per_m, first.frequency_per_m)]
    alike_lr = [s for s in alike if np.array_equal(s.lr_frequency_per_m, first.lr_frequency_per_m)]
    merged = replace(
        first,
        hr=_geometric([s.hr for s in alike]),
        lr=_geometric([s.lr for s in alike_lr]),
        arms={
            arm: {image: _geometric([s.arms[arm][image] for s in alike if arm in s.arms]) for image in IMAGES}
            for arm in arms
            if any(arm in s.arms for s in alike)
        },
    )
    figure, axes = chart(9.2, 3.9, 1, 2)
    for ax, image, name in zip(axes, IMAGES, ("Mean of samples", "One sample")):
        shown = [arm for arm in arms if image == "sample" or arm not in once]
        draw_spectra(ax, merged, shown, image, legend=image == "sample")
        title(ax, name)
    save(figure, path)


def _geometric(powers: list[np.ndarray]) -> np.ndarray:
    return np.exp(np.nanmean(np.log(np.maximum(powers, 1e-30)), axis=0))


def _calibration(content: Summary, path: Path) -> None:
    """Left: error against what std promises. Right: real against nominal coverage. The diagonal is honest."""
    arms = list(content.arm_order)
    colours, markers = arm_colours(arms), arm_markers(arms)
    figure, (left, right) = chart(9.2, 4.0, 1, 2)
    top = 0.0
    for arm in arms:
        found = content.calibration[arm]
        if not found:
            continue
        style: dict[str, Any] = dict(color=colours[arm], marker=markers[arm], ms=4.5, lw=1.3, label=arm_label(arm))
        left.plot(found.promised, found.error, **style)
        nominal = sorted(found.coverage, key=float)
        right.plot([float(n) for n in nominal], [found.coverage[n] for n in nominal], **style)
        top = max(top, *found.promised, *found.error)
    _diagonal(left, top * 1.05 or 1.0, "over-confident", "over-cautious")
    _diagonal(right, 1.0, "over-cautious", "over-confident")
    left.set(xlabel="error that std promises, reflectance", ylabel="root mean square error, reflectance")
    right.set(xlabel="nominal share within the interval", ylabel="real share")
    title(left, "Does the spread say how wrong the mean is?")
    title(right, "Do the intervals hold what they promise?")
    if top:
        right.legend(frameon=False, fontsize=8, labelcolor=MUTED, loc="lower right")
    else:
        left.text(0.5, 0.6, "no arm has more than one sample", transform=left.transAxes, ha="center", color=MUTED)
    save(figure, path)


def _diagonal(ax: Axes, top: float, above: str, below: str) -> None:
    ax.plot([0, top], [0, top], color=MUTED, lw=1, ls=(0, (3, 2)), zorder=0)
    ax.set(xlim=(0, top), ylim=(0, top))
    ax.text(0.03, 0.95, above, transform=ax.transAxes, fontsize=8, color=MUTED, va="top")
    ax.text(0.97, 0.30, below, transform=ax.transAxes, fontsize=8, color=MUTED, ha="right")


def _tradeoff(content: Summary, once: set[str], path: Path) -> None:
    """Fidelity against perception: no arm can have both to the end, so a fair comparison shows both."""
    arms = list(content.arm_order)
    colours, markers = arm_colours(arms), arm_markers(arms)
    figure, axes = chart(9.2, 4.0, 1, 2)
    for ax, key in zip(axes, ("swd", "spectrum_error")):
        for arm in arms:
            images = [image for image in IMAGES if image == "sample" or arm not in once]
            pairs = [(content.value(arm, image, "psnr_db"), content.value(arm, image, key)) for image in images]
            points = [(x, y) for x, y in pairs if x is not None and y is not None]
            if not points:
                continue
            ax.plot(*zip(*points), color=colours[arm], lw=1, alpha=0.5)
            for (x, y), face in zip(points[::-1], ("white", colours[arm])):
                ax.plot(x, y, markers[arm], ms=7, color=colours[arm], mfc=face, mew=1.4)
            ax.plot([], [], markers[arm], ms=6, color=colours[arm], label=arm_label(arm))
        metric = BY_KEY[key]
        ax.set(xlabel="PSNR, dB (higher is better →)", ylabel=f"{metric.label}, {metric.unit} (lower is better ↓)")
        ax.set_ylim(bottom=0)
        ax.margins(x=0.1)
        quiet(ax)
        for side in ("left", "bottom"):
            ax.spines[side].set_color(RULE)
        title(ax, f"Fidelity against {'texture' if key == 'swd' else 'sharpness'}")
    axes[1].legend(frameon=False, fontsize=8, labelcolor=MUTED, loc="best")
    axes[0].text(
        0.0, -0.2, "filled: mean of samples, open: one sample", transform=axes[0].transAxes, fontsize=8, color=MUTED
    )
    save(figure, path)
