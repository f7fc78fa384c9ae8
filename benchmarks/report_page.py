"""How large a report of many places is and how soon a browser has it loaded.

    python benchmarks/report_page.py RUN [PLACES]

The held-out scenes of a finished run stand for PLACES (20) places: their folders are taken again under other names.
"""

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from crossres.evaluate.report.inputs import ReportInputs
from crossres.evaluate.report.run_report import report
from crossres.files import read_json, write_json
from crossres.settings.config import load


def main() -> None:
    """Write the page and load it five times."""
    run, places = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20
    config = load(run / "config.yaml")
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / run.name
        shutil.copytree(run, copy, ignore=shutil.ignore_patterns("sr", "scenes.zarr", "world", "*.tif"))
        scenes = sorted((run / "evaluation/scenes").iterdir())
        splits = read_json(copy / "pairs/summary.json")
        splits["splits"]["test"] = [f"{i:02}-{scenes[i % len(scenes)].name}" for i in range(places)]
        write_json(copy / "pairs/summary.json", splits)
        for i, name in enumerate(splits["splits"]["test"]):
            shutil.copytree(scenes[i % len(scenes)], copy / "evaluation/scenes" / name)
        inputs = ReportInputs.of_run(copy, config.sample.primary)
        page = Path(scratch) / "report.html"
        report(config.report, config, inputs, page)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            times = []
            for _ in range(5):
                opened = browser.new_page()
                opened.goto(page.as_uri(), wait_until="load")
                times.append(opened.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000)
                opened.close()
            browser.close()
        size = page.stat().st_size / 2**20
    print(f"{places} places: {size:.1f} MB, loaded in {statistics.median(times):.2f} s (median of 5, from disk)")


if __name__ == "__main__":
    main()
