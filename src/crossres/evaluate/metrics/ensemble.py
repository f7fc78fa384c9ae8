"""How many samples stand behind a std, and what that lets it say."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import gammaln

from crossres.errors import UserError
from crossres.files import read_json, remedy


@dataclass(frozen=True)
class Ensemble:
    """What the numbers of std.tif are, by the item beside them."""

    file_scale: float = 1.0
    """What the file's std is multiplied by to be that of HR about the mean of samples."""
    std_scale: float = 1.0
    """That std over the samples' own spread: sqrt(1 + 1/K) for K independent ones."""
    degrees_of_freedom: float = np.inf
    """Of the std; infinite where nothing is said of the samples, so that errors are taken as Gaussian."""

    @property
    def c4(self) -> float:
        """Mean of a std of Gaussian samples over their true standard deviation. Source: Holtzman 1950."""
        nu = self.degrees_of_freedom
        return float(np.sqrt(2 / nu) * np.exp(gammaln((nu + 1) / 2) - gammaln(nu / 2))) if np.isfinite(nu) else 1.0


def read_ensemble(folder: Path) -> Ensemble:
    """Read what item.json of a super-resolved image's folder says of its std.

    The std of a product without a scale is the bare spread of independent samples. What another model made has no item.
    Raises `UserError` for an item that says something else of it than numbers.
    """
    path = folder / "item.json"
    try:
        return _said(read_json(path)["properties"]) if path.exists() else Ensemble()
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(f"{path}: does not say what std.tif is; {remedy(path, 'make it again')}") from None


def _said(properties: Mapping[str, Any]) -> Ensemble:
    if "crossres:std_degrees_of_freedom" in properties:
        nu = float(properties["crossres:std_degrees_of_freedom"])
        return Ensemble(1.0, float(properties["crossres:std_scale"]), nu) if nu else Ensemble()
    count = int(properties.get("crossres:settings", {}).get("samples", 1))
    if count <= 1:
        return Ensemble()
    scale = float(np.sqrt(1 + 1 / count))
    return Ensemble(scale, scale, count - 1)
