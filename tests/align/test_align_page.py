"""The page of aligned pairs shows what was moved, by how much, and what was declined."""

import html
import re
from pathlib import Path

import numpy as np
import pytest
from align_scenes import HR_M, LR_M, landscape, to_lr, write_folder

from crossres import cli
from crossres.align.radiometry.normalise import normalise
from crossres.align.registration.coregister import coregister
from crossres.evaluate.pictures.before_after import LABELS, before_after
from crossres.files import write_json
from crossres.imagery.numbers import Mask
from crossres.imagery.raster import grid_of, read_mask, write_mask
from crossres.layout import RunFolder
from crossres.settings.coregister import CoregisterSettings
from crossres.settings.grid import GridSettings
from crossres.settings.normalise import NormaliseSettings

GRID = GridSettings(gsd_m=2.0, bands=("red", "nir"))
STEP, SIDE = int(LR_M / HR_M), 112
SHIFT_M = (20.0, -30.0)


def pair(run: RunFolder, name: str, hr_seed: int) -> None:
    """Write a pair as the workflow leaves it once it is aligned; of other seeds HR shows another place."""

    def land(seed: int) -> np.ndarray:
        return landscape(seed, 800)[:, : SIDE * STEP, : SIDE * STEP]

    lr = write_folder(run.scene(f"{name}-lr"), to_lr(land(0)), LR_M)
    hr = write_folder(run.scene(f"{name}-hr"), land(hr_seed), HR_M, offset_m=SHIFT_M)
    content = {"id": name, "lr": f"{name}-lr", "hr": f"{name}-hr", "date_gap_days": 3.0, "overlap_km2": 1.2}
    write_json(run.items.pair(name), content)
    for scene, day in ((f"{name}-lr", "2021-05-01"), (f"{name}-hr", "2021-05-04")):
        write_json(run.items.scene(scene), {"properties": {"datetime": f"{day}T03:00:00Z"}})
    output = run.aligned(name)
    coregister(CoregisterSettings(), GRID, content, lr, hr, output)
    normalise(NormaliseSettings(), GRID, lr, output / "registered.tif", output / "registration.json", output)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    pair(folder, "good", 0)
    pair(folder, "elsewhere", 1)
    folder.items.declined.write_text('id,role,reason\nS2_x,lr,"cloud <87 %> (search.max_cloud_percent is 40)"\n')
    return folder


def test_the_page_says_how_far_hr_was_moved_and_what_was_declined(run: RunFolder, tmp_path: Path) -> None:
    cli.main(["align-page", "--run", str(run.folder), "--output", str(tmp_path / "align.html")])
    page = (tmp_path / "align.html").read_text()
    text = html.unescape(re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", page, flags=re.S))
    text = " ".join(text.split())
    assert "1 of 2 pairs registered; CE90 of the median pair is" in text
    moved = re.search(r"HR was moved by ([\d.]+) m west, ([\d.]+) m north on average", text)
    assert moved and np.hypot(float(moved[1]) - SHIFT_M[0], float(moved[2]) + SHIFT_M[1]) < 1
    assert re.search(r"CE90 [\d.]+ m of \d+ check windows", text)
    assert re.search(r"elsewhere 2021-05-01 2021-05-04 no not moved", text)
    assert "Declined: only" in text and "cloud <87 %>" in text
    # It loads nothing.
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert page.count('data-layer="tiles_after"') == 2


def test_after_is_nearer_to_lr_than_before(run: RunFolder) -> None:
    found = before_after(run.aligned("good"), run.scene("good-hr"))
    assert found is not None
    pictures, width_m = found
    assert pictures.keys() == LABELS.keys()
    assert {picture.shape for picture in pictures.values()} == {(320, 320, 3)} and width_m == 640
    sight = {name: pictures[name].mean(axis=2).ravel() for name in ("lr", "before", "after")}
    near, far = (np.corrcoef(sight["lr"], sight[name])[0, 1] for name in ("after", "before"))
    assert near > 0.9 and near > far + 0.2


def test_a_pair_without_a_clear_pixel_has_no_pictures(run: RunFolder, tmp_path: Path) -> None:
    for name in ("lr.tif", "hr.tif"):
        (tmp_path / name).write_bytes((run.aligned("good") / name).read_bytes())
    mask = run.aligned("good") / "mask.tif"
    write_mask(tmp_path / "mask.tif", np.full_like(read_mask(mask), Mask.CLOUD), grid_of(mask))
    assert before_after(tmp_path, run.scene("good-hr")) is None


def test_a_run_without_pairs_is_told_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "items" / "pairs").mkdir(parents=True)
    with pytest.raises(SystemExit):
        cli.main(["align-page", "--run", str(tmp_path), "--output", str(tmp_path / "align.html")])
    assert "run `snakemake align` first" in capsys.readouterr().err
