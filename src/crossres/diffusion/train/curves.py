"""What happened in training, as a table and as a figure."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

COLUMNS = ("step", "loss", "learning_rate", "psnr_db", "spectrum_error", "swd")
VALIDATED = {
    "psnr_db": "PSNR of a sample (dB)",
    "spectrum_error": "log spectrum error",
    "swd": "sliced Wasserstein",
}
BLUE, GREY = "#0072B2", "#777777"


def write_history(path: Path, rows: Sequence[dict[str, float]]) -> None:
    """Write one CSV line per step; validation columns are empty between validations."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: int(v) if k == "step" else f"{v:.6g}" for k, v in row.items()})


def draw_curves(path: Path, rows: Sequence[dict[str, float]], bicubic: dict[str, float]) -> None:
    """Draw the loss, and where there was validation its three figures with bicubic as the line to pass."""
    checked = [row for row in rows if "psnr_db" in row]
    panels = ["loss", *(VALIDATED if checked else {})]
    figure = Figure(figsize=(3.1 * len(panels), 2.6), layout="constrained")
    axes: Any = figure.subplots(1, len(panels), squeeze=False)[0]
    loss = np.array([row["loss"] for row in rows])
    window = max(1, len(loss) // 50)
    smooth = np.convolve(loss, np.ones(window) / window, mode="valid")
    step = [row["step"] for row in rows]
    axes[0].plot(step, loss, color=GREY, lw=0.4, alpha=0.5)
    axes[0].plot(step[window - 1 :], smooth, color=BLUE, lw=1.4)
    axes[0].set_ylim(0, float(np.quantile(loss, 0.99)) * 1.15)
    axes[0].set_title("training loss", loc="left", fontsize=9)
    for axis, name in zip(axes[1:], panels[1:], strict=True):
        axis.plot([r["step"] for r in checked], [r[name] for r in checked], color=BLUE, lw=1.4, marker="o", ms=3)
        axis.axhline(bicubic[name], color=GREY, lw=1, ls="--")
        axis.annotate(
            "bicubic", (1, bicubic[name]), xycoords=("axes fraction", "data"), xytext=(-2, 3),
            textcoords="offset points", ha="right", fontsize=7, color=GREY,
        )  # fmt: skip
        axis.set_title(VALIDATED[name], loc="left", fontsize=9)
        axis.margins(y=0.15)
    for axis in axes:
        axis.set_xlabel("step", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="png", dpi=150, metadata={"Software": None})
