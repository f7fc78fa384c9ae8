"""`coregister`: geometry."""

from typing import Literal

from pydantic import Field

from crossres.settings.base import Section

WINDOW_PX, SMALLEST_WINDOW_PX, SMALLEST_STRIDE_PX = 64, 16, 4
LARGE_PX = 96
"""Images with a shorter side have too few windows of `WINDOW_PX`."""


class CoregisterSettings(Section):
    """Registration of HR to LR."""

    search_m: float = Field(150.0, ge=0, le=2000, description="largest global shift looked for, in metres per axis")
    window_px: int | None = Field(
        None,
        ge=16,
        le=256,
        description="side of a matching window, in LR pixels; null is 64, and half of the shorter side of images that "
        "are smaller than 96",
    )
    stride_px: int | None = Field(
        None,
        ge=4,
        le=256,
        description="step between matching windows, in LR pixels; null is a quarter of window_px",
    )
    min_reliability: float = Field(
        0.3,
        ge=0,
        le=1,
        description="smallest correlation of gradient directions (0 to 1) of a window's match that is kept; windows of "
        "different places reach 0.22, of one place 0.65 and more",
    )
    max_residual_px: float = Field(
        0.5, gt=0, description="a tie point further from the field than this many LR pixels is an outlier"
    )
    min_tie_points: int = Field(6, ge=3, description="a pair with fewer tie points is declined")
    min_kept_share: float = Field(
        0.2, ge=0, le=1, description="a pair that keeps a smaller share of its usable windows is declined"
    )
    max_field_error_px: float = Field(
        0.2,
        gt=0,
        description="a pair whose field has a larger standard error than this, in LR pixels, is declined (two fields "
        "from disjoint pixels are compared)",
    )
    model: Literal["auto", "shift", "affine", "spline", "none"] = Field(
        "auto",
        description="field between tie points; auto takes the simplest that held-out tie points justify; none takes "
        "pairs as aligned already, and measures nothing",
    )
    seed: int = Field(0, ge=0, description="seed of the choice of held-out pixels")

    def windows(self, side_px: float) -> tuple[int, int]:
        """Return side of and step between windows in images whose shorter side has so many LR pixels."""
        own = WINDOW_PX if side_px >= LARGE_PX else max(SMALLEST_WINDOW_PX, int(side_px) // 4 * 2)
        side = self.window_px or own
        return side, self.stride_px or max(SMALLEST_STRIDE_PX, side // 4)
