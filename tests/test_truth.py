"""What only the simulator knows is for tests: no stage and no rule names it."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_no_module_but_the_simulator_names_a_path_of_the_truth():
    found = []
    for path in sorted((ROOT / "src" / "crossres").rglob("*.py")):
        if "simulate" in path.relative_to(ROOT).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "truth/" in f"{node.value}/":
                found.append(f"{path.name}: {node.value[:60]!r}")
    assert found == []


def test_no_rule_names_the_truth():
    rules = [ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]
    assert [path.name for path in rules if "truth" in path.read_text()] == []
