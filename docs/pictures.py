"""Make the documentation's pictures anew of a finished run of the demo: `python docs/pictures.py results/demo`.

Gives `crops.png`, the first three crops of the first held-out place, `tutorials/report.png`, the report's first screen,
and `how-to/view.png`, the map of that place (with the extra `view`). The figures of explanation/claim.md are
`evaluation/claim.png` of the runs that it names.
"""

import subprocess
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
    picture_map(run)


def picture_map(run: Path) -> None:
    """Take a picture of the map page, in 256 colours."""
    command = [sys.executable, "-m", "crossres", "view", str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served, sync_playwright() as browsers:
        try:
            assert served.stdout
            browser = browsers.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            page.goto(served.stdout.readline().split()[0])
            page.get_by_label("LR start: drawn, 2.5 m: on top").wait_for(timeout=120_000)
            page.wait_for_load_state("networkidle")
            box = page.locator("#map").bounding_box()
            assert box
            page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.4 * box["height"])
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(3000)
            picture = HERE / "how-to" / "view.png"
            page.screenshot(path=picture)
            with Image.open(picture) as shown:
                shown.convert("RGB").quantize(256).save(picture, optimize=True)
        finally:
            served.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
