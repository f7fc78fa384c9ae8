"""Which bands of an image an eye is shown, and between which percentiles."""

from collections.abc import Sequence

PERCENTILES = (0.5, 99.5)


def shown_bands(bands: Sequence[str]) -> tuple[int, int, int]:
    """Return the places of the bands that are shown: red, green and blue or, without them, the first three."""
    rgb = [bands.index(b) for b in ("red", "green", "blue") if b in bands]
    red, green, blue = rgb if len(rgb) == 3 else [min(i, len(bands) - 1) for i in range(3)]
    return red, green, blue
