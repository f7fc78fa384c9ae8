"""What happened in training, as a table and as a figure."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from crossres.drawing import BLUE, MUTED, chart, save, title

COLUMNS = ("step", "loss", "learning_rate", "psnr_db", "spectrum_error", "swd")
VALIDATED = {
    "psnr_db": "PSNR of a sample (dB)",
    "spectrum_error": "log spectrum error",
    "swd": "sliced Wasserstein",
}


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
    figure, axes = chart(3.1 * len(panels), 2.6, 1, len(panels))
    loss = np.array([row["loss"] for row in rows])
    window = max(1, len(loss) // 50)
    smooth = np.convolve(loss, np.ones(window) / window, mode="valid")
    step = [row["step"] for row in rows]
    axes[0].plot(step, loss, color=MUTED, lw=0.4, alpha=0.5)
    axes[0].plot(step[window - 1 :], smooth, color=BLUE, lw=1.4)
    axes[0].set_ylim(0, float(np.quantile(loss, 0.99)) * 1.15)
    title(axes[0], "training loss")
    for axis, name in zip(axes[1:], panels[1:], strict=True):
        axis.plot([r["step"] for r in checked], [r[name] for r in checked], color=BLUE, lw=1.4, marker="o", ms=3)
        axis.axhline(bicubic[name], color=MUTED, lw=1, ls="--")
        axis.annotate(
            "bicubic", (1, bicubic[name]), xycoords=("axes fraction", "data"), xytext=(-2, 3),
            textcoords="offset points", ha="right", fontsize=7, color=MUTED,
        )  # fmt: skip
        title(axis, VALIDATED[name])
        axis.margins(y=0.15)
    for axis in axes:
        axis.set_xlabel("step")
    save(figure, path)
