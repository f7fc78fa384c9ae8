"""Whether SR is said to help is what its difference to bicubic says; few scenes are said to be few."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import pandas as pd
import pytest
from test_findings import ARMS, LR, apart, summary_where

from crossres.evaluate.metrics.metric import ALL_BANDS, IMAGES
from crossres.evaluate.report.uses import KEYS, UNKNOWN, uses
from crossres.evaluate.results.intervals import Difference
from crossres.evaluate.results.summary import ALL_STRATA
from crossres.settings.sample import ArmSettings


def measured(arms: Iterable[str], scenes: int = 9, **lead: float) -> pd.DataFrame:
    """Return values of all arms: 0.5 and a little that differs by scene, and what an arm leads by."""
    rows = [
        (f"s{i}", arm, image, ALL_BANDS, ALL_STRATA, key, 0.5 + 0.01 * (i % 3) + lead.get(arm, 0.0) * (1 + 0.1 * i))
        for i, arm, image, key in product(range(scenes), arms, IMAGES, KEYS)
    ]
    return pd.DataFrame(rows, columns=["scene", "arm", "image", "band", "stratum", "metric", "value"])


def said(**differences: Difference) -> str:
    """Return what is said of the mean of samples in one task."""
    task = {"boundary": "Boundaries", "cover": "Land cover", "parcel": "NDVI"}[next(iter(differences)).split("_")[0]]
    found = uses(summary_where(ARMS, {"bicubic": differences}), ARMS, measured(ARMS))
    return next(words for words in found.words if words.startswith(task) and "mean of samples" in words)


@pytest.mark.parametrize(
    ("accuracy", "miou", "words"),
    [
        (apart(0.2), apart(0.2), "SR helps; it is better than bicubic in every figure."),
        (apart(0.2), apart(0.0), "SR helps in part: better (Land cover, accuracy), undecided (Land cover, mean IoU)"),
        (apart(0.0), apart(0.0), "not shown that SR helps"),
        (apart(-0.2), apart(-0.2), "SR does not help; it is worse than bicubic in every figure."),
        (apart(0.0), apart(-0.2), "SR does not help: undecided (Land cover, accuracy), worse (Land cover, mean IoU)."),
        (apart(0.2), apart(-0.2), "SR helps in one figure and harms in another: better (Land cover, accuracy), worse"),
        (apart(0.2, 2), apart(0.2, 2), "ahead in 2 of 2 places (Land cover, accuracy), ahead in 2 of 2"),
        (apart(0.2, 1), apart(0.2, 1), "ahead in 1 of 1 place (Land cover, accuracy), ahead in 1 of 1 place (Land"),
        (apart(0.2, 4), apart(-0.2, 4, 0), "ahead in 0 of 4 places (Land cover, mean IoU): too few to say."),
        (apart(-0.2, 2, 0), apart(-0.2, 2, 0), "too few to say; here it did not help"),
    ],
)
def test_the_words_follow_the_verdicts(accuracy: Difference, miou: Difference, words: str) -> None:
    assert words in said(cover_accuracy=accuracy, cover_miou=miou)


def test_a_lower_error_is_what_helps() -> None:
    assert "SR helps;" in said(parcel_ndvi_rmse=apart(-0.2))
    assert "SR does not help" in said(parcel_ndvi_rmse=apart(0.2))


def test_of_few_scenes_nothing_is_called_help() -> None:
    assert "SR helps" not in said(boundary_f_1px=apart(0.2, 2), boundary_f_2px=apart(0.2, 2))


def test_what_has_no_value_is_called_not_measured() -> None:
    summary = summary_where(ARMS, {"bicubic": {}})
    missing = {image: of | {"parcel_ndvi_rmse": None} for image, of in summary.differences["bicubic"].items()}
    found = uses(replace(summary, differences={"bicubic": missing}), ARMS, measured(ARMS))
    assert "NDVI of small parcels, mean of samples: not measured here." in found.words


def test_single_samples_do_not_stand_beside_means() -> None:
    arms = {"lr_start": LR, "one": LR.model_copy(update={"samples": 1}), "bicubic": ARMS["bicubic"]}
    means, single = uses(summary_where(arms, {"one": {}, "bicubic": {}}), arms, measured(arms)).tables
    assert [row.arm for row in means.rows] == ["lr_start", "bicubic"]
    assert [row.arm for row in single.rows] == ["lr_start", "one", "bicubic"]
    assert len(means.rows[0].cells) == len(KEYS)


def test_each_image_has_its_difference_to_bicubic() -> None:
    arms = ARMS | {"regression": ArmSettings(start="regression")}
    values = measured(arms, lr_start=0.1, regression=-0.2)
    means, _ = uses(summary_where(arms, {"bicubic": {}, "regression": {}}), arms, values).tables
    against = {row.arm: dict(zip(KEYS, (cell.against for cell in row.cells), strict=True)) for row in means.rows}
    assert against["lr_start"]["boundary_f_1px"].startswith("+0.140 (+")
    assert against["lr_start"]["boundary_f_1px"].endswith("), better")
    assert against["regression"]["cover_miou"].startswith("\N{MINUS SIGN}0.280 (\N{MINUS SIGN}")
    assert against["regression"]["cover_miou"].endswith("), worse")
    assert against["regression"]["parcel_ndvi_rmse"].endswith("), better")
    assert not any(against["bicubic"].values())


def test_without_bicubic_it_is_said_that_nothing_can_be() -> None:
    arms = {"lr_start": LR, "regression": ArmSettings(start="regression")}
    found = uses(summary_where(arms, {"regression": {}}), arms, measured(arms))
    assert found.words == [UNKNOWN]
    assert not any(cell.against for table in found.tables for row in table.rows for cell in row.cells)
