"""The house: which room may import which. A newcomer reads it here, and a wall that falls fails here."""

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import crossres

ROOT = Path(crossres.__file__).parent
FLOORS = (
    ("__main__",),
    ("cli",),
    ("commands",),
    ("damaged", "outputs", "view"),
    ("earlier_products",),
    ("acquire", "align", "diffusion", "evaluate", "pairs", "simulate"),
    ("imagery",),
    ("drawing", "settings", "workflow"),
    ("files", "foreign_raster", "globe", "grids", "records"),
    ("layout", "requeue", "sensors", "secrets", "unfinished"),
    ("code_version", "errors", "matching", "operators"),
)
"""From the roof to the ground: a module imports from its own floor and from those below."""
STAGES = FLOORS[5]
ROOMS = {
    "diffusion": {
        "train": {"model", "paths"},
        "sample": {"model", "paths"},
        "model": set(),
        "paths": set(),
    },
    "align": {
        "registration": {"matching", "warping"},
        "matching": {"warping"},
        "warping": set(),
        "radiometry": set(),
    },
    "evaluate": {
        "scene": {"metrics", "results", "charts", "pictures"},
        "external": set(),
        "report": {"metrics", "results", "pictures"},
        "charts": {"metrics", "results"},
        "pictures": {"metrics", "results"},
        "results": {"metrics"},
        "metrics": set(),
    },
    "simulate": {
        "world": {"gaofen2", "sentinel2", "land", "dem", "schedule", "sites", "truth"},
        "truth": {"gaofen2", "land", "optics", "sites"},
        "gaofen2": {"land", "noise", "optics", "schedule", "sites"},
        "sentinel2": {"land", "noise", "optics", "schedule", "sites"},
        "dem": {"land", "sites"},
        "land": {"noise"},
        "noise": {"optics"},
        "optics": set(),
        "schedule": set(),
        "sites": set(),
        "place_names": set(),
        "earlier_place": set(),
    },
}
"""What each room of a stage imports of the others."""
LONGEST = 250
"""Lines of a file."""


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports_of(module: str) -> set[str]:
    """Return the modules of this package that a module names in an import, also within functions."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("crossres.") for name in found if name.startswith("crossres.")} & set(MODULES)


IMPORTS = {module: imports_of(module) for module in MODULES}


def arrows(folder: str) -> dict[tuple[str, str], set[str]]:
    """Return what ties each room of a folder to another: (from, to) -> the modules that import."""
    found = defaultdict(set)
    inside = f"{folder}." if folder else ""
    for module, imported in IMPORTS.items():
        for other in imported:
            if module.startswith(inside) and other.startswith(inside):
                one, two = (name.removeprefix(inside).partition(".")[0] for name in (module, other))
                if one != two:
                    found[one, two].add(module)
    return found


def test_every_module_stands_on_a_floor_and_imports_go_down():
    floor = {name: level for level, names in enumerate(FLOORS) for name in names}
    rooms = {module.partition(".")[0] for module in MODULES if module != "__init__"}
    assert rooms == set(floor)
    upward = {arrow: sorted(by) for arrow, by in arrows("").items() if floor[arrow[1]] < floor[arrow[0]]}
    assert not upward


def test_stages_do_not_import_each_other():
    """What passes between them is a file."""
    across = {arrow: sorted(by) for arrow, by in arrows("").items() if set(arrow) <= set(STAGES)}
    assert not across


@pytest.mark.parametrize("stage", sorted(ROOMS))
def test_a_stages_rooms_import_what_their_walls_let_through_and_nothing_else(stage):
    rooms = {m.removeprefix(f"{stage}.").partition(".")[0] for m in MODULES if m.startswith(f"{stage}.")}
    assert rooms == set(ROOMS[stage])
    assert set(arrows(stage)) == {(room, other) for room, others in ROOMS[stage].items() for other in others}


@pytest.mark.parametrize(("stage", "most"), [("diffusion", 4), ("align", 3), ("evaluate", 12)])
def test_few_arrows_tie_the_rooms_of_a_stage(stage, most):
    assert len(arrows(stage)) <= most


def test_what_passes_between_modules_of_evaluate_has_a_type():
    """A dictionary of anything may stand inside a module, in what has a private name, and nowhere else."""
    loose = []
    for module in (name for name in MODULES if name.startswith("evaluate")):
        for node in ast.walk(ast.parse(MODULES[module].read_text())):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                said = [argument.annotation for argument in (*node.args.args, *node.args.kwonlyargs)] + [node.returns]
            elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                said = [field.annotation for field in node.body if isinstance(field, ast.AnnAssign)]
            else:
                continue
            loose += [f"{module}.{node.name}" for note in said if note and "dict[str, Any]" in ast.unparse(note)]
    assert not loose


def test_no_modules_import_each_other_in_a_circle():
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join((*above[above.index(module) :], module))
        if module not in done:
            for other in sorted(IMPORTS[module]):
                visit(other, (*above, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


def test_no_file_is_too_long_to_be_read_at_once():
    rules = ROOT.parents[1] / "workflow"
    files = [*MODULES.values(), *rules.rglob("*.smk"), *rules.rglob("Snakefile"), *ROOT.rglob("*.html")]
    lines = {path.name: len(path.read_text().splitlines()) for path in files}
    assert not {name: count for name, count in lines.items() if count > LONGEST}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[ <>=!~;\[]", name)[0]).lower()


def distributions_of(module: str, known: Mapping[str, list[str]]) -> set[str]:
    """Return the distributions that a module may come from; those of a shared namespace by their own part of it."""
    top, _, rest = module.partition(".")
    if top == "odc":
        return {f"odc-{rest.partition('.')[0]}"}
    return set(map(normal, known.get(top, [top])))


def test_the_package_declares_what_it_imports_and_nothing_else():
    """Beside it only what another package asks for in use: Snakemake's reports show code with pygments."""
    project = tomllib.loads((ROOT.parents[1] / "pyproject.toml").read_text())["project"]
    needed = set(map(normal, project["dependencies"]))
    optional = {
        normal(one) for extra, named in project["optional-dependencies"].items() if extra != "dev" for one in named
    }
    imported = set()
    for path in ROOT.parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module or "")
    outside = {m for m in imported if m.partition(".")[0] not in {*sys.stdlib_module_names, "crossres"}}
    known = packages_distributions()
    sources = {module: distributions_of(module, known) for module in outside}
    assert not {module for module, found in sources.items() if not found & (needed | optional)}
    assert needed - set().union(*sources.values()) == {"pygments"}


def test_snakemake_s_oldest_version_is_said_once():
    said = (ROOT.parents[1] / "workflow" / "rules" / "runs.smk").read_text()
    project = (ROOT.parents[1] / "pyproject.toml").read_text()
    assert re.search(r'min_version\("(.+)"\)', said)[1] == re.search(r'"snakemake>=([0-9.]+),', project)[1]


def test_rules_reach_into_nothing_private_of_snakemake():
    """But for one thing that has no public way: see there."""
    files = [ROOT.parents[1] / "Snakefile", *(ROOT.parents[1] / "workflow").rglob("*.smk")]
    found = [(path.name, name) for path in files for name in re.findall(r"[\w\])]\.(_[a-z]\w*)", path.read_text())]
    assert found == [("run.smk", "_benchmark")]
