"""What the report's first tiles say of a run."""

from crossres.evaluate.report import findings as story


def difference(mean: float) -> dict:
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "n": 8, "ahead": 8}


def test_noise_starts_of_the_same_model_that_fare_alike_share_a_sentence():
    starts = {"lr_start": ("main", "lr", 2), "noise_2": ("main", "noise", 1), "noise_4": ("main", "noise", 2),
              "noise_32": ("main", "noise", 16), "noise_seed_1": ("seed_1", "noise", 2)}  # fmt: skip
    arms = {name: {"model": m, "start": s, "steps": n} for name, (m, s, n) in starts.items()}
    better = {key: difference(story.BY_KEY[key].gain(1.0)) for key in story.COMPARED}
    worse_in_swd = better | {"swd": difference(-story.BY_KEY["swd"].gain(1.0))}
    differences = {name: {"sample": better} for name in arms} | {"noise_32": {"sample": worse_in_swd}}
    summary = {"arm_order": list(arms), "differences": differences}
    (found,) = story._start_pays(summary, "lr_start", arms)
    assert found.words.count("Against") == 2
    assert "Against “noise 2” (1 step) and “noise 4” (2 steps), one sample of the LR start is better on" in found.words
    assert "worse on SWD" in found.words and "seed 1" not in found.words
