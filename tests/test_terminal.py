"""On the terminal a job is one line; an error is all there, with the job's own log."""

import re
import subprocess
import sys

import pytest

WORKFLOW = """
rule all:
    input: "c"
rule a:
    output: "a"
    message: "Make {output}"
    shell: "touch {output}"
rule b:
    input: "a"
    output: "b"
    shell: "touch {output}"
rule c:
    input: "b"
    output: "c"
    log: "c.log"
    message: "Make {output}"
    shell: "echo 'c: what is wrong' > {log}; exit 1"
"""


@pytest.fixture
def snakemake(tmp_path):
    (tmp_path / "Snakefile").write_text(WORKFLOW)

    def run(*arguments):
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "--logger", "lines", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_a_job_is_one_line_and_an_error_is_whole(snakemake, tmp_path):
    said = snakemake("--show-failed-logs").stderr
    jobs = said.partition("total")[2].partition("RuleException")[0].splitlines()[1:]
    assert [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in jobs if line] == ["0/4 Make a", "1/4 b", "2/4 Make c"]
    assert "Error in rule c:" in said
    assert "log: c.log" in said
    assert "c: what is wrong" in said
    [log] = (tmp_path / ".snakemake" / "log").glob("*.log")
    assert "Finished jobid" in log.read_text()


def test_a_dry_run_tells_the_reason_of_each_job(snakemake):
    said = snakemake("--dry-run").stdout
    assert said.count("eason: ") >= 3
    assert "Make a" in said


def test_quiet_is_quiet(snakemake):
    assert "Make a" not in snakemake("--quiet", "all").stderr
