"""Whether SR is said to help is what its difference to bicubic says; few scenes are said to be few."""

from dataclasses import replace

import pytest
from test_findings import ARMS, LR, apart, summary_where

from crossres.evaluate.report.uses import KEYS, uses
from crossres.evaluate.results.intervals import Difference


def said(**differences: Difference) -> str:
    """Return what is said of the mean of samples in one task."""
    task = {"boundary": "Boundaries", "cover": "Land cover", "parcel": "NDVI"}[next(iter(differences)).split("_")[0]]
    found = uses(summary_where(ARMS, {"bicubic": differences}), ARMS)
    return next(words for words in found.words if words.startswith(task) and "mean of samples" in words)


@pytest.mark.parametrize(
    ("accuracy", "miou", "words"),
    [
        (apart(0.2), apart(0.2), "SR helps; better than bicubic in every figure"),
        (apart(0.2), apart(0.0), "SR helps in part: better (Land cover, accuracy), undecided (Land cover, mean IoU)"),
        (apart(0.0), apart(0.0), "not shown that SR helps"),
        (apart(-0.2), apart(-0.2), "SR does not help; it is worse than bicubic."),
        (apart(0.2), apart(-0.2), "SR does not help; it is worse than bicubic: better (Land cover, accuracy), worse"),
        (apart(0.2, 2), apart(0.2, 2), "ahead in 2 of 2 places (Land cover, accuracy), ahead in 2 of 2"),
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
    found = uses(replace(summary, differences={"bicubic": missing}), ARMS)
    assert "NDVI of small parcels, mean of samples: not measured here." in found.words


def test_single_samples_do_not_stand_beside_means() -> None:
    arms = {"lr_start": LR, "one": LR.model_copy(update={"samples": 1}), "bicubic": ARMS["bicubic"]}
    means, single = uses(summary_where(arms, {"one": {}, "bicubic": {}}), arms).tables
    assert [row.arm for row in means.rows] == ["lr_start", "bicubic"]
    assert [row.arm for row in single.rows] == ["lr_start", "one", "bicubic"]
    assert all(bool(cell.against) == (row.arm == "lr_start") for row in means.rows for cell in row.cells)
    assert len(means.rows[0].cells) == len(KEYS)
