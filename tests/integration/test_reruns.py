"""After a change just the right rules run again: for each key, each module, and for what must not count."""

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from modulefinder import ModuleFinder
from pathlib import Path

import pytest
import yaml
from other_sources import FOLDERS, each_key_changed, one_of_each
from other_values import changed, keys
from project import Project

from crossres.settings.config import load
from crossres.settings.stages import COMMANDS, NEEDS, READS, behind, readers

pytestmark = pytest.mark.integration

HELPER = Path(__file__).with_name("dry_runs.py")
SOURCES = {"search.lr", "search.hr"}

# Behind a search that will run again the scenes, the pairs and the size of the dataset are not known yet: a dry
# run then names what is certain.
BEHIND_SEARCH = {
    "download", "coregister", "dates", "normalise", "patches", "held_out", "cache", "distill_model", "sample",
    "external", "evaluate",
}  # fmt: skip
BEHIND_FOLDS = {"held_out", "cache", "distill_model", "sample", "evaluate"}
"""Behind a dataset that has yet to be cut into folds, in the same way."""
ALL_KINDS = {"prepare", "dates", "held_out", "cache", "distill_model", "external"}
"""Rules that the smallest run has no jobs of; `every_rule` has."""

ON_DEMAND = {"align"}
"""Rules that no run has jobs of unless they are asked for by name."""


def expected(rules, absent=frozenset()):
    """Return the rules that a dry run names when these must run again, in a run without the absent ones."""
    absent = absent | ON_DEMAND
    found = set(behind(set(rules) - absent)) - absent
    if "search" in found:
        found -= BEHIND_SEARCH
    return found | {"all"} if found else set()


def differences(plans, wanted):
    """Return what the plans have too much and what they lack, by what was changed."""
    return {
        name: {"too much": sorted(set(plan) - wanted[name]), "missing": sorted(wanted[name] - set(plan))}
        for name, plan in plans.items()
        if set(plan) != wanted[name]
    }


@pytest.fixture(scope="module")
def moved(small_run, tmp_path_factory) -> Project:
    """The smallest run, finished and then moved to another folder."""
    folder = tmp_path_factory.mktemp("moved") / "clone"
    shutil.copytree(small_run.folder, folder, symlinks=True)
    (folder / "external").mkdir()
    (folder / "regions.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    return Project(folder)


@pytest.fixture(scope="module")
def content(moved) -> dict:
    """The configuration of that run, with every key written out."""
    return load(moved.folder / "config" / "small.yaml").model_dump(mode="json")


def dry_runs(project: Project, changes: list[dict], processes: int = 1) -> list[dict]:
    """Return what each of many dry runs plans, in one process or, where no code changes, in several."""
    environment = os.environ | {"PYTHONPATH": str(project.folder / "src"), "OMP_NUM_THREADS": "1"}

    def planned(part: list[dict]) -> list[dict]:
        done = subprocess.run(
            [sys.executable, str(HELPER)], input="\n".join(map(json.dumps, part)), cwd=project.folder, env=environment,
            capture_output=True, text=True, timeout=1800, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        return [json.loads(line) for line in done.stdout.splitlines()]

    with ThreadPoolExecutor(processes) as pool:
        found: list[dict] = [{}] * len(changes)
        for start, plans in enumerate(pool.map(planned, [changes[i::processes] for i in range(processes)])):
            found[start::processes] = plans
    return found


def configured(project: Project, name: str, content: dict) -> str:
    path = project.folder / "config" / "changed" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return str(path.relative_to(project.folder))


KEYS = {key: annotation for key, annotation in keys() if key not in SOURCES | {"search.lock"}}
BY_COMMAND_LINE = ["train.steps", "search.weights.sun", "dataset.split"]


@pytest.fixture(scope="module")
def configs(moved, content):
    return {
        key: configured(moved, key.replace("<name>", "x"), changed(content, key, annotation))
        for key, annotation in KEYS.items()
    }


@pytest.fixture(scope="module")
def plans(moved, configs):
    """What a dry run plans for each key: key -> rule -> number of jobs."""
    asked = [{"config": config} for config in configs.values()]
    return dict(zip(configs, dry_runs(moved, asked, processes=2), strict=True))


@pytest.fixture(scope="module")
def all_sources(moved, content, tmp_path_factory):
    """The same run made out to have found its scenes in one source of every kind, for LR and for HR."""
    project = Project(tmp_path_factory.mktemp("sources") / "clone")
    shutil.copytree(moved.folder, project.folder, symlinks=True)
    catalogs = project.folder / "results" / "small" / "catalogs"
    for name in ("lr-4", "lr-5", "hr-4", "hr-5"):  # of the folder and of the archive
        shutil.copytree(catalogs / "hr", catalogs / name)
    for name in FOLDERS:
        (project.folder / name).mkdir()
    both = {role: one_of_each() for role in ("lr", "hr")}
    whole = content | {"search": content["search"] | both | {"area": [100.0, 20.0, 130.0, 50.0]}}
    project.run("--configfile", configured(project, "sources", whole), "--touch", "--forcerun", "catalog")
    return project, whole


def test_each_key_of_each_kind_of_source_reruns_its_catalogue_and_the_search(all_sources):
    project, whole = all_sources
    changes, wanted = {}, {}
    for role in ("lr", "hr"):
        for kind, key, sources in each_key_changed():
            name = f"search.{role}.{key} of {kind}"
            changes[name] = sources
            wanted[name] = expected(readers(f"search.{role}.{key}", kind), ALL_KINDS)
        changes[f"search.{role}"] = [*one_of_each(), one_of_each()[3] | {"path": FOLDERS[1]}]
        wanted[f"search.{role}"] = expected(readers(f"search.{role}"), ALL_KINDS)
    configs = []
    for number, (name, sources) in enumerate(changes.items()):
        changed_search = whole["search"] | {name.split(".")[1].split()[0]: sources}
        configs.append({"config": configured(project, f"source{number}", whole | {"search": changed_search})})
    plans = dict(zip(changes, dry_runs(project, configs, processes=2), strict=True))
    assert len(plans) == 50
    assert differences(plans, wanted) == {}
    assert {plan["catalog"] for plan in plans.values() if "catalog" in plan} == {1}


BRINGS = {
    "search.pairs_per_job": {"prepare"}, "dataset.split": {"held_out"}, "dataset.regions": {"held_out"},
    "sample.arms.<name>.model": {"train"}, "sample.sweeps.<name>.models": {"train"},
}  # fmt: skip
"""Keys whose other value brings jobs of a rule with it."""


def test_each_key_reruns_the_rules_that_read_it_and_what_stands_behind_them(plans):
    wanted = {}
    for key in plans:
        rules = set(READS) if key == "run" else set(readers(key)) | BRINGS.get(key, set())
        present = BRINGS.get(key, set()) | ({"external"} if key == "evaluate.external" else set())
        wanted[key] = expected(rules, ALL_KINDS - present)
    wanted["dataset.folds"] -= BEHIND_FOLDS
    assert differences(plans, wanted) == {}


@pytest.mark.parametrize("key", BY_COMMAND_LINE)
def test_the_command_line_plans_the_same(moved, configs, plans, key):
    assert moved.planned("--configfile", configs[key]) == plans[key]


def test_a_lock_file_reruns_the_search_and_the_downloads_whose_pairs_are_then_known(moved, content):
    lock = [sys.executable, "-m", "crossres", "lock", "results/small", "--output", "small.lock.json"]
    environment = os.environ | {"PYTHONPATH": str(moved.folder / "src")}
    subprocess.run(lock, cwd=moved.folder, env=environment, check=True)
    locked = content | {"search": content["search"] | {"lock": "small.lock.json"}}
    [plan] = dry_runs(moved, [{"config": configured(moved, "search.lock", locked)}])
    # The dataset will be made again: which pairs it holds out, and so what is sampled and judged, is not known yet.
    assert set(plan) == set(behind(readers("search.lock"))) - ALL_KINDS - ON_DEMAND - {"sample", "evaluate"} | {"all"}


@pytest.fixture(scope="module")
def every_rule(moved, content, tmp_path_factory):
    """The same run made out to have jobs of every rule: files are put where these rules would write, and Snakemake
    is told so."""
    project = Project(tmp_path_factory.mktemp("every") / "clone")
    shutil.copytree(moved.folder, project.folder, symlinks=True)
    run = project.folder / "results" / "small"
    [pair] = json.loads((run / "pairs" / "summary.json").read_text())["splits"]["test"]
    product = run / "sr" / pair / "lr_start"
    for arm in ("one_step", "other"):
        shutil.copytree(product, run / "sr" / pair / arm)
    shutil.copytree(run / "model", run / "one_step")
    (run / "pairs" / "held_out").mkdir()
    shutil.copy(run / "aligned" / pair / "mask.tif", run / "pairs" / "held_out" / f"{pair}.tif")
    (run / "pairs" / "cache").mkdir()
    shutil.copy(product / "mean.tif", project.folder / "external" / f"{pair}.tif")
    for aligned in run.glob("aligned/*"):
        for name, like in (("tif", "lr.tif"), ("json", "registration.json"), ("png", "registration.png")):
            shutil.copy(aligned / like, aligned / f"dates.{name}")
    summary = json.loads((run / "pairs" / "summary.json").read_text())
    summary["bytes"]["train"] = 2**40  # does not fit in memory: training reads the cache
    (run / "pairs" / "summary.json").write_text(json.dumps(summary))
    arms = content["sample"]["arms"] | {"one_step": {"start": "one-step"}}
    whole = content | {
        "sample": content["sample"] | {"arms": arms},
        "evaluate": content["evaluate"] | {"external": {"other": "external"}},
        "dataset": content["dataset"] | {"split": "block"},
        "search": content["search"] | {"lr_dates": 2},
    }
    project.run("--configfile", configured(project, "every", whole), "--touch")
    return project, load(project.folder / "config" / "changed" / "every.yaml").model_dump(mode="json")


def test_keys_of_the_rarer_rules_rerun_these(every_rule):
    project, whole = every_rule
    chosen = {key: KEYS[key] for key in KEYS if set(readers(key)) & (ALL_KINDS - {"prepare"})}
    changes = {key: changed(whole, key, annotation) for key, annotation in chosen.items() if key != "evaluate.external"}
    changes["evaluate.external"] = whole | {"evaluate": whole["evaluate"] | {"external": {"other": "./external"}}}
    configs = [{"config": configured(project, key, content)} for key, content in changes.items()]
    plans = dict(zip(changes, dry_runs(project, configs), strict=True))
    assert {"distill.steps", "search.lr_dates", "grid.bands"} <= set(plans)
    wanted = {key: expected(readers(key), {"prepare"}) for key in plans}
    wanted["dataset.folds"] -= BEHIND_FOLDS
    assert differences(plans, wanted) == {}


def test_a_finished_run_has_nothing_to_do_elsewhere_for_another_user_on_another_day(moved):
    """Moved by the fixture; HOME, USER and the clock are those of somebody else a year later."""
    environment = {"HOME": str(moved.folder.parent), "USER": "somebody", "LOGNAME": "somebody", "TZ": "Asia/Tokyo"}
    done = moved.snakemake("--dry-run", "--configfile", "config/small.yaml", environment=environment)
    assert "Nothing to be done" in done.stdout + done.stderr


def modules(project: Project) -> dict[str, Path]:
    """Return the files of the package: name of module -> file."""
    source = project.folder / "src"
    names = {path: path.relative_to(source).with_suffix("").as_posix() for path in source.glob("crossres/**/*.py")}
    return {name.removesuffix("/__init__").replace("/", "."): path for path, name in sorted(names.items())}


def imported(project: Project, command: str, folder: Path) -> set[str]:
    """Return the modules of the package that a command imports, as Python's own finder of modules sees them."""
    text = (project.folder / "src" / "crossres" / "commands" / f"{command.replace('-', '_')}.py").read_text()
    imports = re.findall(r"^ +(from crossres[. ].*)", text, re.M)  # in its functions
    script = folder / f"{command}.py"
    script.write_text("\n".join(imports))
    finder = ModuleFinder(path=[str(project.folder / "src")])
    finder.run_script(str(script))
    return {name for name in finder.modules if name.partition(".")[0] == "crossres"}


@pytest.fixture(scope="module")
def users(moved, tmp_path_factory):
    """The rules whose command imports each module."""
    folder = tmp_path_factory.mktemp("commands")
    found = {rule: imported(moved, command, folder) for rule, command in COMMANDS.items()}
    return {module: {rule for rule in found if module in found[rule]} for module in modules(moved)}


def with_code(path: Path, project: Project, text: str) -> dict:
    return {"file": str(path.relative_to(project.folder)), "text": text, "config": "config/small.yaml"}


def test_each_module_changes_the_code_of_the_rules_that_import_it_and_those_alone(moved, users):
    files = modules(moved)
    asked = [with_code(path, moved, path.read_text() + "\nX_ = 1\n") | {"versions": True} for path in files.values()]
    before, *after = dry_runs(moved, [{"versions": True}, *asked])
    changed_rules = {
        module: {rule for rule in before if found[rule] != before[rule]}
        for module, found in zip(files, after, strict=True)
    }
    assert changed_rules == users
    # What Snakemake sees of the code is these fingerprints: one dry run for each set of rules stands for all its
    # modules.
    kinds = {frozenset(rules): module for module, rules in changed_rules.items()}
    assert len(kinds) > 20
    one_each = [with_code(files[m], moved, files[m].read_text() + "\nX_ = 1\n") for m in kinds.values()]
    plans = dict(zip(kinds.values(), dry_runs(moved, one_each), strict=True))
    assert differences(plans, {m: expected(users[m], ALL_KINDS) for m in plans}) == {}


def test_comments_docstrings_and_formatting_rerun_nothing(moved):
    before = {path: path.read_text() for path in modules(moved).values()}
    try:
        for path, text in before.items():
            path.write_text('"""Other words."""\n\n\n# a comment\n' + _without_docstring(text) + "\n\n# the end\n")
        assert dry_runs(moved, [{"config": "config/small.yaml"}]) == [{}]
    finally:
        for path, text in before.items():
            path.write_text(text)


def _without_docstring(text: str) -> str:
    return text[text.index('"""', 3) + 3 :] if text.startswith('"""') else text


def test_a_command_changes_the_rule_that_runs_it(moved):
    path = moved.folder / "src" / "crossres" / "commands" / "dataset.py"
    text = path.read_text()
    edited = text.replace("    assemble(settings, grid,", "    print(settings)\n    assemble(settings, grid,", 1)
    assert edited != text
    [plan] = dry_runs(moved, [with_code(path, moved, edited)])
    assert set(plan) == expected({"dataset"}, ALL_KINDS)


def test_the_rules_stand_behind_each_other_as_the_settings_say(every_rule):
    project, _ = every_rule
    # Snakemake draws no arrow to those who read a file inside of a folder that is another rule's output: so the search
    # is drawn when it is asked for.
    asked = ("all", "results/small/items", *ON_DEMAND)
    said = project.run("--configfile", "config/changed/every.yaml", "--rulegraph", "mermaid-js", "--", *asked)
    names = dict(re.findall(r"^\t(id\d+)\[(\w+)\]", said, re.M))
    arrows = {(names[a], names[b]) for a, b in re.findall(r"^\t(id\d+) --> (id\d+)", said, re.M) if a != b}
    declared = {(needed, rule) for rule, rules in NEEDS.items() for needed in rules if "prepare" not in (needed, rule)}
    inside = {(a, b) for a, b in declared if a == "search" or (a, b) == ("simulate", "download")}
    assert {(a, b) for a, b in arrows if b != "all"} | inside == declared
