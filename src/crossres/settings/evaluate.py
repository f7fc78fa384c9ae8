"""`evaluate`: how results are judged."""

from typing import Annotated

from pydantic import Field

from crossres.settings.base import Section


class EvaluateSettings(Section):
    """Metrics and report."""

    border_px: int = Field(8, ge=0, description="HR pixels left out along the border of a scene")
    max_shift_px: int = Field(6, ge=0, le=32, description="whole HR pixels searched by cPSNR on each axis")
    peak: float = Field(0.5, gt=0, description="reflectance taken as the peak signal of PSNR and SSIM")
    crop_px: int = Field(96, ge=16, le=1024, description="side of the crops shown in figures, in HR pixels")
    crops: int = Field(5, ge=1, le=24, description="crops shown per scene, chosen by HR's content alone")
    view_px: int = Field(384, ge=64, le=2048, description="side of the report's image viewer, in HR pixels")
    external: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")], str] = Field(
        {},
        description="other models' results, by name: a folder with a GeoTIFF for each held-out pair, named <pair>.tif "
        "or <LR scene>.tif; it stands beside the arms",
    )
    lpips_weights: str | None = Field(
        None,
        description="file of AlexNet's weights, .safetensors or .pth, with torchvision's names, for LPIPS of the red, "
        "green and blue bands; null leaves LPIPS out",
    )
    seed: int = Field(0, ge=0, description="seed of SWD's projections")


class ReportSettings(Section):
    """What the report says of itself."""

    title: str = Field("crossres", description="title of the report")
    question: str = Field(
        "How much of the HR sensor's detail can be recovered from the LR sensor, and how far can it be trusted?",
        description="what this experiment asks",
    )
