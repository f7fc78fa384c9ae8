"""The map of the pairs shows them near together, wherever on the globe they are."""

import pytest
from shapely.affinity import translate
from shapely.geometry import box

from crossres.evaluate.report.footprint_map import place_map
from crossres.evaluate.report.pairs import Found, Pair, Registration
from crossres.globe import split


def mapped(*regions):
    found = [Found(str(i), "lr", "hr", 1.0, 1.0, geometry=region) for i, region in enumerate(regions)]
    return place_map([Pair(one, "test", "", "", Registration()) for one in found])


def test_pairs_across_180_degrees_are_drawn_as_anywhere():
    places = [box(170.0, -17.0, 170.2, -16.8), box(169.6, -17.1, 169.7, -17.0), box(170.5, -17.1, 170.6, -17.0)]
    there, here = mapped(*places), mapped(*(split(translate(p, 9.9)) for p in places))
    for one, other in zip(here.footprints, there.footprints, strict=True):
        assert (one.x, one.y) == pytest.approx((other.x, other.y))
    assert (here.bar, here.bar_text) == (there.bar, there.bar_text)
    assert (here.west, here.east) == ("179.50° E", "179.50° W")
    assert (there.west, there.east) == ("169.60° E", "170.60° E")


def test_pairs_on_both_sides_of_greenwich_stay_there():
    seen = mapped(box(-1.0, 50, -0.9, 50.1), box(1.0, 50, 1.1, 50.1))
    assert (seen.west, seen.east) == ("1.00° W", "1.10° E")
