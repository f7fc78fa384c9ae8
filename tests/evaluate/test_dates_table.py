"""What LR dates add, as the report says it."""

import numpy as np
import pandas as pd
import pytest
from finished_run import CONFIG

from crossres.evaluate.metrics.metric import ALL_BANDS
from crossres.evaluate.report.lr_dates import dates_tables
from crossres.evaluate.results.summary import ALL_STRATA
from crossres.settings.config import parse

ARMS = {
    "lr_start": {"steps": 2},
    "lr_start_1": {"steps": 2, "lr_dates": 1},
    "lr_start_2": {"steps": 2, "lr_dates": 2},
    "regression": {"start": "regression", "samples": 1},
    "bicubic": {"start": "bicubic", "samples": 1},
}


def config_of(arms: dict, lr_dates: int = 4, **more):
    return parse(CONFIG | {"search": CONFIG["search"] | {"lr_dates": lr_dates}, "sample": {"arms": arms}} | more)


@pytest.fixture
def values(tmp_path):
    """Return summarise's table of eight scenes, PSNR half a decibel higher with four dates than with one."""
    rng = np.random.default_rng(0)
    rows = []
    for scene in range(8):
        place = rng.normal(25, 2)
        for arm in ARMS:
            gain = {"lr_start": 0.5, "lr_start_2": 0.2}.get(arm, 0.0) + rng.normal(0, 0.05)
            for image in ("mean", "sample"):
                for key, value in (("psnr_db", place + gain), ("swd", 3 - gain), ("spectrum_error", 0.1)):
                    rows.append((f"s{scene}", arm, image, ALL_BANDS, ALL_STRATA, key, value))
                    rows.append((f"s{scene}", arm, image, ALL_BANDS, "water", key, 0.0))
    table = pd.DataFrame(rows, columns=["scene", "arm", "image", "band", "stratum", "metric", "value"])
    table.to_parquet(tmp_path / "summary.parquet")
    return tmp_path / "summary.parquet"


def test_arms_that_differ_in_their_dates_alone_stand_side_by_side(values):
    [table] = dates_tables(config_of(ARMS), values)
    assert table.columns == ["1 date (LR start 1)", "2 dates (LR start 2)", "4 dates (LR start)"]
    rows = dict(table.rows)
    one, two, four = rows["PSNR, mean of samples"]
    assert float(four.split()[0]) - float(one.split()[0]) == pytest.approx(0.5, abs=0.1) and "(" in two
    none, some, most = rows["PSNR, mean of samples: against LR start 1"]
    assert none == "–" and some.startswith("+0.2") and most.startswith("+0.5") and most.endswith("): better")
    assert rows["SWD, one sample: against LR start 1"][2].endswith(": better")
    assert rows["Hallucination, one sample"] == ["–"] * 3 == rows["Hallucination, one sample: against LR start 1"]


def test_a_model_that_has_learnt_from_one_date_alone_is_what_others_are_compared_with(values):
    arms = {name: ARMS[name] for name in ("lr_start", "lr_start_1")}
    arms |= {"bicubic": {"steps": 2, "model": "single"}}
    models = {"main": {}, "single": {"train": {"lr_dates": 1}}, "other": {"train": {"seed": 3}}}
    [table] = dates_tables(config_of(arms, models=models), values)
    assert table.columns == ["1 date (bicubic)", "1 date (LR start 1)", "4 dates (LR start)"]
    assert dict(table.rows)["PSNR, mean of samples: against bicubic"][0] == "–"
    apart = {"lr_start": {}, "bicubic": {"model": "other", "lr_dates": 1}}
    assert dates_tables(config_of(apart, models=models), values) == [], "another seed is another training"


def test_without_such_arms_nothing_is_read(tmp_path):
    nowhere = tmp_path / "summary.parquet"
    assert dates_tables(config_of({"lr_start": {}, "bicubic": ARMS["bicubic"]}), nowhere) == []
    assert dates_tables(config_of(ARMS, lr_dates=1), nowhere) == [], "all of them are shown one date"


def test_a_scene_that_lacks_an_arm_is_left_out_of_its_difference(values):
    table = pd.read_parquet(values)
    table[~((table.scene == "s3") & (table.arm == "lr_start"))].to_parquet(values)
    [found] = dates_tables(config_of(ARMS), values)
    assert dict(found.rows)["PSNR, mean of samples: against LR start 1"][2].startswith("+0.")
