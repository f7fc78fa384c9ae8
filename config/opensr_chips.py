"""Take the chips of opensr-test's animated GIFs apart, into pairs for `config/chips.yaml`.

    python config/opensr_chips.py GIF_FOLDER OUTPUT [NAME ...]     # NAIP SPAIN_CROPS (the default), or VENUS

The GIFs of opensr-test's documentation (ESAOpenSR, MIT) show 3 x 4 places of 320 m: frame 0 is the HR image, frame 1
Sentinel-2, both as panels of 256 pixels and in 256 colours. Means over blocks give the 32 x 32 pixels of 10 m and the
128 x 128 of 2.5 m (VENUS: 64 x 64 of 5 m) that the panels were drawn from; two LR pixels are cut off along each side,
where neighbouring panels run into each other.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from crossres.acquire.chips import place_chips

HR_SIDES = {"NAIP": 128, "SPAIN_CROPS": 128, "VENUS": 64}
"""Pixels of an HR image, 2.5 or 5 m each, that a panel was drawn from."""
LR_SIDE = 32
PANEL = 256
BORDER_LR_PX = 2


def main(gifs: Path, output: Path, names: Sequence[str]) -> None:
    """Write the GeoTIFF pairs."""
    with tempfile.TemporaryDirectory() as folder:
        for k, role in enumerate(("hr", "lr")):
            (Path(folder) / role).mkdir()
            for name in names:
                side = HR_SIDES[name] if role == "hr" else LR_SIDE
                with Image.open(gifs / f"{name}.gif") as gif:
                    gif.seek(k)
                    frame = np.asarray(gif.convert("RGB"), np.float32)
                for i, panel in enumerate(panels(frame)):
                    step = PANEL // side
                    border = BORDER_LR_PX * side // LR_SIDE
                    means = panel.reshape(side, step, side, step, 3).mean(axis=(1, 3))[border:-border, border:-border]
                    image = Image.fromarray(np.rint(means).astype(np.uint8))
                    image.save(Path(folder) / role / f"{name.lower()}_{i:02}.png")
        place_chips(Path(folder) / "lr", Path(folder) / "hr", 10, output)


def panels(frame: np.ndarray) -> list[np.ndarray]:
    """Return the panels of a (row, column, band) frame, row by row."""
    rows, cols = (side // PANEL for side in frame.shape[:2])
    return [frame[r * PANEL : (r + 1) * PANEL, c * PANEL : (c + 1) * PANEL] for r in range(rows) for c in range(cols)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] or ("NAIP", "SPAIN_CROPS"))
