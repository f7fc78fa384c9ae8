"""What each rule declares as its memory is more than what it took, by its benchmark files of the embedded default."""

import csv
import re

import pytest
from project import ROOT

from crossres.settings.stages import COMMANDS

pytestmark = pytest.mark.integration

WRAPPER_MB = 270
"""What Snakemake's own process takes beside the job's, where a job has an allocation of its own (SLURM)."""
RARE = {"align", "prepare", "cache", "dates", "held_out", "external", "distill_model"}
"""Rules that the embedded default has no jobs of."""
NO_BENCHMARK = {"resolved_config"}


def declared() -> dict[str, int]:
    """Return the memory that each rule asks for, in MB."""
    found: dict[str, int] = {}
    of_model = re.search(r"return memory\((\d+) \* processes_of_model", (ROOT / "workflow/rules/arms.smk").read_text())
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        rule = ""
        for line in path.read_text().splitlines():
            if named := re.match(r"\s*(?:rule|checkpoint) (\w+):", line):
                rule = named[1]
            elif asked := re.match(r"\s*mem_mb=by_attempt\((\d+)\)", line):
                found[rule] = min(int(asked[1]), found.get(rule, int(asked[1])))
            elif of_model and "mem_mb=memory_of_model" in line:
                found[rule] = int(of_model[1])
    return found


def sampled(folder) -> dict[str, float]:
    """Return the largest resident memory of each rule's jobs by the benchmark files, in MB; Snakemake samples it
    seldom."""
    found: dict[str, float] = {}
    for path in (folder / "benchmarks").rglob("*.tsv"):
        rule = path.relative_to(folder / "benchmarks").parts[0].removesuffix(".tsv")
        with path.open() as file:
            rows = [float(row["max_rss"]) for row in csv.DictReader(file, delimiter="\t") if row["max_rss"] != "NA"]
        found[rule] = max([found.get(rule, 0.0), *(mib * 2**20 / 1e6 for mib in rows)])
    return found


def peaks(folder) -> dict[str, float]:
    """Return the largest resident memory of each rule's jobs, in MB, as each command says at its end."""
    found: dict[str, float] = {}
    for path in (folder / "logs").rglob("*.log"):
        rule = path.relative_to(folder / "logs").parts[0].removesuffix(".log")
        for said in re.findall(r"^peak memory: (\d+) MB$", path.read_text(), re.M):
            found[rule] = max(found.get(rule, 0.0), float(said))
    return found


def test_each_rule_stays_within_the_memory_that_it_declares(default_run):
    folder = default_run.folder / "results" / "demo"
    asked, seldom, exact = declared(), sampled(folder), peaks(folder)
    assert seldom.keys() == COMMANDS.keys() - RARE - NO_BENCHMARK
    assert seldom.keys() <= exact.keys()
    took = {rule: max(seldom[rule], exact[rule]) for rule in seldom}
    print({rule: f"{took[rule]:.0f} of {asked[rule]} MB" for rule in took})
    assert {rule: took[rule] for rule in took if took[rule] + WRAPPER_MB > asked[rule]} == {}
