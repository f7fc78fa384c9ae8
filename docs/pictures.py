"""Make the documentation's pictures anew of a finished run of the demo: `python docs/pictures.py results/demo`.

Gives `crops.png`, the first three crops of the first held-out place, and `tutorials/report.png`, the report's first
screen. The figures of explanation/claim.md are `evaluation/claim.png` of the runs that it names.
"""

import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
SCREEN = {"width": 1280, "height": 900}
WIDTH_PX = 1300
THREE_ROWS = 886 / 1800
"""Height of three of the figure's rows, in its widths."""


def main(run: Path) -> None:
    crops = sorted(run.glob("evaluation/scenes/*/crops.png"))[0]
    with Image.open(crops) as figure:
        rows = figure.convert("RGB").crop((0, 0, figure.width, round(THREE_ROWS * figure.width)))
        rows.resize((WIDTH_PX, round(THREE_ROWS * WIDTH_PX)), Image.Resampling.LANCZOS).save(
            HERE / "crops.png", optimize=True
        )
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport=SCREEN)
        page.goto((run / "report.html").resolve().as_uri())
        page.wait_for_load_state("networkidle")
        page.screenshot(path=HERE / "tutorials" / "report.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
