"""A fingerprint of the code that a stage runs, so that Snakemake reruns it when that code changes, and only then."""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = __name__.partition(".")[0]
ROOT = Path(__file__).parent.parent


@cache
def code_version(module: str, *resources: str) -> str:
    """Return a hash over the syntax trees of `module` and of all it imports from this package.

    Comments, formatting and docstrings do not count. `resources` are names of files beside the module that it reads
    (templates, tables): their bytes count.
    """
    trees = {path: _without_docstrings(ast.parse(path.read_text(encoding="utf-8"))) for path in sources(module)}
    dumps = [(path.relative_to(ROOT).as_posix(), ast.dump(tree)) for path, tree in trees.items()]
    beside = _source(module)
    contents = [(name, (beside.parent / name).read_bytes()) for name in resources] if beside else []
    return hashlib.sha256(repr((dumps, contents)).encode()).hexdigest()[:12]


def sources(module: str) -> list[Path]:
    """Return the files of `module` and of all it imports from this package, directly or not, in order of name."""
    found: dict[str, Path] = {}
    todo = [module]
    while todo:
        name = todo.pop()
        path = _source(name)
        if path is None or name in found:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        todo += [name.rpartition(".")[0], *_imports(tree, name, is_package=path.name == "__init__.py")]
        found[name] = path
    if module not in found:
        raise ModuleNotFoundError(module)
    return [found[name] for name in sorted(found)]


def _source(module: str) -> Path | None:
    if module.partition(".")[0] != PACKAGE:
        return None
    base = ROOT.joinpath(*module.split("."))
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


def _imports(tree: ast.AST, module: str, is_package: bool) -> list[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".") if is_package else module.split(".")[:-1]
                parents = parents[: len(parents) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return names


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [n for n in node.body if not _is_bare_string(n)] or [ast.Pass()]
    return tree


def _is_bare_string(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
