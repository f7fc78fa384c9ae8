"""The report's tables: every metric of every arm, land cover by land cover, and how honest the spread is."""

from typing import Any

from crossres.evaluate.metrics.metric import BY_KEY, IN_STRATA, METRICS, Metric, shown
from crossres.evaluate.report.findings import value, verdict
from crossres.evaluate.results.intervals import ahead, few

IMAGES = (("mean", "Mean of samples"), ("sample", "One sample"))
CALIBRATED = ("sharpness", "ratio", "expected_error", "rank_correlation")
STRATUM_COLUMNS = ("rmse", "psnr_db", "sam_deg", "ndvi_error", "omission", "hallucination")


BASELINES = {
    "nearest": "nearest neighbour",
    "bicubic": "bicubic interpolation",
    "regression": "the prior's regression",
    "noise": "a start from noise",
    "one-step": "a one-step model (made on request by the target distill)",
    "vp": "an LR start on the variance-preserving chain (needs a model of its own, trained with train.path: vp)",
}
"""What every product should be compared with, by an arm's start; vp is an LR start of a model on that chain."""


def missing_baselines(config: dict[str, Any]) -> list[str]:
    """Return in words the baselines that a run has not: without them its tables say less."""
    arms = config.get("sample", {}).get("arms", {}).values()
    models = {"main": {}} | config.get("models", {})
    usual = config.get("train", {}).get("path", "residual")

    def path_of(arm: dict[str, Any]) -> str:
        return str(models.get(arm.get("model", "main"), {}).get("train", {}).get("path", usual))

    there = {arm.get("start", "lr") for arm in arms}
    there |= {path_of(arm) for arm in arms if arm.get("start", "lr") == "lr"}
    return [words for start, words in BASELINES.items() if start not in there]


def bicubic_of(summary: dict[str, Any], arms: dict[str, Any]) -> str | None:
    """Return the arm that is plain interpolation, None when the run has none or it is the product itself."""
    found = next((a for a in summary["arm_order"] if arms.get(a, {}).get("start") == "bicubic"), None)
    return None if found == summary["primary"] else found


def metric_tables(summary: dict[str, Any], arms: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a table for the mean of samples and one for a single sample: a row per metric, a column per arm.

    A metric without any value, such as an index whose bands are missing, has no row.
    """
    bicubic = bicubic_of(summary, arms)
    tables = []
    for image, name in IMAGES:
        rows = []
        for metric in METRICS:
            values = {arm: value(summary, arm, image, metric.key) for arm in summary["arm_order"]}
            if all(v is None for v in values.values()):
                continue
            gains = {arm: metric.gain(v) for arm, v in values.items() if v is not None and metric.better}
            best, worst = max(gains.values(), default=0.0), min(gains.values(), default=0.0)
            against = _against(summary, bicubic, image, metric) if bicubic and metric.better else None
            cells = [
                dict(
                    arm=arm, text=shown(metric.key, v, unit=False), best=arm in gains and gains[arm] == best > worst,
                    interval=_interval(metric.key, summary["arms"][arm][image][metric.key]),
                )
                for arm, v in values.items()
            ]  # fmt: skip
            rows.append(dict(metric=metric, cells=cells, against=against))
        tables.append(dict(name=name, rows=rows))
    return tables


def _against(summary: dict[str, Any], other: str, image: str, metric: Metric) -> dict[str, str] | None:
    """Return the product's difference to another arm, and whether that is better, or in how many scenes it is."""
    difference = summary["differences"][other][image][metric.key]
    if not difference:
        return None
    n = difference["n"]
    word = ahead(difference["ahead"], n) if few(n) else verdict(summary, other, image, metric.key)
    return dict(text=shown(metric.key, difference["mean"], signed=True, unit=False), word=word)


def strata_table(summary: dict[str, Any], arms: dict[str, Any]) -> dict[str, Any]:
    """Return the metrics of the product and of bicubic by land cover: of the mean, shares of detail of the sample."""
    strata, primary, bicubic = summary["strata"], summary["primary"], bicubic_of(summary, arms)
    compared = [primary, *([bicubic] if bicubic else [])]
    rows = [
        dict(
            stratum=name, share=strata["shares"][name], arm=arm,
            cells=[_stratum_cell(strata, arm, name, key) for key in STRATUM_COLUMNS],
        )
        for name in strata["names"]
        if strata["shares"][name] > 0
        for arm in compared
    ]  # fmt: skip
    used = [i for i in range(len(STRATUM_COLUMNS)) if any(row["cells"][i] != "–" for row in rows)]
    for row in rows:
        row["cells"] = [row["cells"][i] for i in used]
    return dict(rule=strata["rule"], columns=[BY_KEY[STRATUM_COLUMNS[i]] for i in used], rows=rows)


def _stratum_cell(strata: dict[str, Any], arm: str, name: str, key: str) -> str:
    image = "sample" if key in {"improvement", "omission", "hallucination"} else "mean"
    assert key in IN_STRATA
    found = strata["arms"][arm][image][name][key]
    return shown(key, found["mean"] if found else None, unit=False)


def calibration_rows(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the numbers behind the reliability curves, for arms with more than one sample."""
    rows = []
    for arm in summary["arm_order"]:
        if found := summary["calibration"][arm]:
            inside = found["coverage"]["0.683"]
            rows.append({"arm": arm, "inside": inside} | {key: found[key] for key in CALIBRATED})
    return rows


def _interval(key: str, found: dict[str, Any] | None) -> str:
    if not found:
        return "no value"
    if found["n"] == 1:
        return "1 scene, no interval"
    low, high = (shown(key, found[end], unit=False) for end in ("low", "high"))
    return f"95 %: {low} to {high}, {found['n']} scenes"
