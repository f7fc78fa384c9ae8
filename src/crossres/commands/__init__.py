"""The commands of `crossres`, a module each: its options and outputs beside what it runs.

A command has the name of its module, with - for _, and the module's docstring is what `--help` says
of it. What `run` reaches is the command's code, by which the workflow knows whether it has changed
(`code_version`); options and outputs do not count.
"""

NAMES = (
    "simulate", "link-world", "catalog", "chips", "search", "download", "lock", "coregister", "dates", "normalise",
    "align-page", "patches", "prepare", "dataset", "held-out", "cache", "train", "distill", "sample", "sample-batch",
    "super-resolve", "external", "external-batch", "evaluate", "evaluate-batch", "summarise", "claim", "figures",
    "report", "view", "compare", "costs", "model", "config", "schema", "workflow",
)  # fmt: skip
"""In the order of the workflow."""
