"""Rules give jobs the paths that Snakemake knows: with storage and below a module's prefix others lead nowhere."""

import re
from pathlib import Path

import pytest

RULES = sorted((Path(__file__).parents[1] / "workflow" / "rules").glob("*.smk"))


def directives(text, *names):
    """Yield the lines of these directives of all rules."""
    inside = None
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if found := re.match(r"( +)(\w+):( .*)?$", line):
            if inside is None or indent <= inside:
                inside = indent if found[2] in names else None
                continue
        elif line.strip() and inside is not None and indent <= inside:
            inside = None
        if inside is not None:
            yield line


def test_directives_are_found():
    text = "rule a:\n    input:\n        f'{RUN}/x',\n    params:\n        y=1,\n    shell:\n        'z'\n"
    assert [line.strip() for line in directives(text, "params", "shell")] == ["y=1,", "'z'"]


@pytest.mark.parametrize("file", RULES, ids=lambda file: file.stem)
def test_no_parameter_and_no_command_is_made_of_the_run_s_folder(file):
    """But of HERE, where jobs find it."""
    assert [line for line in directives(file.read_text(), "params", "shell") if re.search(r"\bRUN\b", line)] == []
