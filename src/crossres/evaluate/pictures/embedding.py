"""Images inside a page: as data URIs, small enough to send."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

PHOTO_QUALITY = 88


def photo(path: Path, longest_px: int | None = None) -> str:
    """Return an image as a WebP data URI, made smaller when its longer side passes `longest_px`."""
    image = Image.open(path).convert("RGB")
    if longest_px and max(image.size) > longest_px:
        image.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    return _encode(image, "webp", quality=PHOTO_QUALITY, method=4)


def photo_of(image: np.ndarray) -> str:
    """Return (row, column, 3) uint8 as a WebP data URI."""
    return _encode(Image.fromarray(image), "webp", quality=PHOTO_QUALITY, method=4)


def drawing(path: Path) -> str:
    """Return a chart as a PNG data URI with a palette: flat colours need no more."""
    image = Image.open(path).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    return _encode(image, "png", optimize=True)


def _encode(image: Image.Image, kind: str, **options: int | bool) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
