"""`patches`: from an aligned pair to patches."""

from pydantic import Field

from crossres.settings.base import Section


class PatchSettings(Section):
    """Extraction of patch pairs from one aligned pair."""

    lr_px: int = Field(32, ge=8, le=512, description="side of a patch, in LR pixels")
    stride_px: int = Field(16, ge=1, le=512, description="step between patches, in LR pixels")
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
