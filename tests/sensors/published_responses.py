"""Published spectral responses, read from the folder of real data."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

GAOFEN2_START_NM = {"1": 450, "2": 520, "3": 630, "4": 770}
"""Where each band's table begins, in steps of 2.5 nm: the starts that give the published centroids."""


def gaofen2_response(root: Path, sensor: str, wavelength_nm: np.ndarray) -> np.ndarray:
    """Return (4, wavelength) response of PMS1 or PMS2, blue to NIR, each row summing to 1."""
    tables = json.loads((root / "gaofen2" / "calibration_coefficients.json").read_text())["Parameter"]["GF2"]
    rows = []
    for band, start in GAOFEN2_START_NM.items():
        values = np.array(tables[sensor]["SRF"][band], np.float64)
        rows.append(np.interp(wavelength_nm, start + 2.5 * np.arange(len(values)), values, left=0, right=0))
    return np.stack(rows) / np.sum(rows, axis=1, keepdims=True)


def sentinel2_response(
    root: Path, unit: str, wavelength_nm: np.ndarray, bands: tuple[str, ...] = ("B2", "B3", "B4", "B8")
) -> np.ndarray:
    """Return (band, wavelength) response of unit a or b, each row summing to 1."""
    table = pd.read_csv(root / "srf" / f"srs_sentinel2{unit}.csv", sep="\t", decimal=",")
    rows = np.stack([np.interp(wavelength_nm, table["wavelength"], table[b]) for b in bands])
    return rows / rows.sum(axis=1, keepdims=True)
