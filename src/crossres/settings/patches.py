"""`patches`: from an aligned pair to patches."""

from fractions import Fraction

from pydantic import Field

from crossres.settings.base import Section


class PatchSettings(Section):
    """Extraction of patch pairs from one aligned pair."""

    lr_px: int = Field(
        32,
        ge=8,
        le=512,
        description="side of a patch, in LR pixels; at a rational factor, such as x10/3, the next multiple of its "
        "denominator, so that patches end between fine pixels",
    )
    stride_px: int = Field(16, ge=1, le=512, description="step between patches, in LR pixels; the same")
    min_valid_share: float = Field(
        0.9,
        ge=0,
        le=1,
        description="smallest share of clear pixels in a patch; the others count neither in training nor in metrics",
    )
    min_correlation: float = Field(
        0.3,
        ge=-1,
        le=1,
        description="smallest correlation of HR, brought to LR, with LR over a patch (mean of bands)",
    )
    max_shift_px: float = Field(
        1.0,
        gt=0,
        le=4,
        description="largest shift left between LR and HR over a patch, in LR pixels, where it has enough to tell",
    )
    min_texture: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="smallest standard deviation of HR within LR pixels, in reflectance (mean of bands); 0 keeps all",
    )
    max_date_gap_days: float | None = Field(
        None,
        ge=0,
        description="patches of pairs further apart in time are left out, in days; null keeps them",
    )

    def whole_px(self, factor: Fraction) -> tuple[int, int]:
        """Return side and step of patches in LR pixels, made larger to multiples of a factor's denominator."""
        n = factor.denominator
        return -(-self.lr_px // n) * n, -(-self.stride_px // n) * n
