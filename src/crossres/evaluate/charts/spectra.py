"""Radial power spectra of LR, HR and every arm in one chart."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from crossres.drawing import COLOURS, MUTED, quiet
from crossres.evaluate.charts.arm_styles import arm_colours
from crossres.evaluate.metrics.metric import Image
from crossres.evaluate.results.arm_names import arm_label
from crossres.evaluate.results.scene_result import Spectra

HR_COLOUR, LR_COLOUR = "#1d2327", "#8a939a"


def draw_spectra(ax: Axes, spectra: Spectra, arms: Sequence[str], image: Image, legend: bool = True) -> None:
    """Draw power, mean of bands, over spatial frequency."""
    colours = arm_colours(list(arms))
    for arm in (a for a in arms if a in spectra.arms):
        entry = spectra.arms[arm][image]
        style = (0, (4, 1.5)) if list(colours).index(arm) >= len(COLOURS) // 2 else "solid"
        ax.plot(spectra.frequency_per_m, entry.mean(axis=0), color=colours[arm], lw=1.5, ls=style, label=arm_label(arm))
    ax.plot(spectra.frequency_per_m, spectra.hr.mean(axis=0), color=HR_COLOUR, lw=2, label="HR")
    ax.plot(spectra.lr_frequency_per_m, spectra.lr.mean(axis=0), color=LR_COLOUR, lw=1.2, ls=":", label="LR")
    ax.set(xscale="log", yscale="log", xlabel="cycles per metre", ylabel="power, reflectance² m²")
    quiet(ax)
    nyquist = 0.5 / spectra.lr_gsd_m
    ax.axvspan(nyquist, 0.5 / spectra.hr_gsd_m, color=MUTED, alpha=0.09, lw=0)
    ax.text(
        nyquist * 1.03, 0.99, "detail LR cannot show", transform=ax.get_xaxis_transform(), fontsize=7.5, color=MUTED,
        va="top",
    )  # fmt: skip
    hr = spectra.hr.mean(axis=0)
    if np.isfinite(hr).any():
        ax.set_ylim(np.nanmin(hr) * 1e-3, np.nanmax(hr) * 4)
    if legend:
        ax.legend(frameon=False, fontsize=7.5, loc="lower left", labelcolor=MUTED)
