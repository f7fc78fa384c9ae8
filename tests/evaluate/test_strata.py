"""Land cover is told by the reference alone, and errors are told apart by it."""

import numpy as np
from wholly import lazily

from crossres.evaluate.metrics.strata import strata_of

BANDS = ("blue", "green", "red", "nir")


def test_water_leaves_and_roofs_go_to_their_own_strata() -> None:
    hr = np.zeros((4, 30, 30), np.float32)
    hr[:, :10] = np.array([0.06, 0.07, 0.04, 0.02])[:, None, None]
    hr[:, 10:20] = np.array([0.03, 0.06, 0.04, 0.40])[:, None, None]
    hr[:, 20:] = np.array([0.15, 0.18, 0.20, 0.24])[:, None, None]
    clear = np.ones((30, 30), bool)
    clear[:, :3] = False
    strata = strata_of(lazily(hr, 16), BANDS, clear)
    assert strata.names == ("water", "vegetation", "built or bare")
    thirds = (strata.label[top : top + 10, 3:] for top in (0, 10, 20))
    assert [set(third.ravel()) for third in thirds] == [{0}, {1}, {2}]
    assert (strata.label[:, :3] == 3).all()
    assert all(abs(share - 1 / 3) < 1e-9 for share in strata.shares().values())


def test_without_near_infrared_pixels_go_by_how_they_look_and_the_rule_says_so() -> None:
    rng = np.random.default_rng(1)
    hr = np.full((3, 60, 60), 0.2, np.float32)
    hr[:, 20:40] += rng.normal(0, 0.05, (3, 20, 60)).astype(np.float32)
    hr[:, 40:] = 0.03
    strata = strata_of(lazily(hr, 20), BANDS[:3], np.ones((60, 60), bool))
    assert strata.names == ("dark", "smooth", "rough") and "no near infrared" in strata.rule
    smooth, rough, dark = strata.label[:14], strata.label[26:34], strata.label[46:]
    assert (smooth == 1).all() and (rough == 2).mean() > 0.95 and (dark == 0).all()
