"""A fingerprint of the code that a stage runs, so that Snakemake reruns it when that code changes, and only then."""

import ast
import contextlib
import hashlib
import json
import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = __name__.partition(".")[0]
COMMANDS = f"{PACKAGE}.commands"
ROOT = Path(__file__).parent.parent


@cache
def command_version(command: str, *resources: str) -> str:
    """Return a hash over the syntax trees of what a command's `run` reaches: in its own module, and in all modules of
    this package that are imported for it.

    Comments, formatting and docstrings do not count, nor does what commands share to read their options.
    `resources` are names of files in this package that the command reads (templates, tables): their bytes count.
    """
    code = [ast.dump(node) for node in _reached(command)]
    contents = [(name, (ROOT / PACKAGE / name).read_bytes()) for name in resources]
    return hashlib.sha256(repr((code, _digests(command_sources(command)), contents)).encode()).hexdigest()[:12]


@cache
def code_version(module: str) -> str:
    """Return a hash over the syntax trees of `module` and of all it imports from this package, as above."""
    return hashlib.sha256(repr(_digests(sources(module))).encode()).hexdigest()[:12]


def command_sources(command: str) -> list[Path]:
    """Return the files of all modules that a command imports from this package, directly or not, in order of name."""
    return _closure([name for node in _reached(command) for name in _imports(node, COMMANDS, is_package=True)])


def sources(module: str) -> list[Path]:
    """Return the files of `module` and of all it imports from this package, directly or not, in order of name."""
    if _source(module) is None:
        raise ModuleNotFoundError(module)
    return _closure([module])


def _closure(modules: list[str]) -> list[Path]:
    found: dict[str, Path] = {}
    todo = list(modules)
    while todo:
        name = todo.pop()
        path = None if name in found else _source(name)
        if path is None:
            continue
        todo += [name.rpartition(".")[0], *_module(path, name, path.stat().st_mtime_ns).imports]
        found[name] = path
    return [found[name] for name in sorted(found)]


def _digests(paths: list[Path]) -> list[tuple[str, str]]:
    names = [path.relative_to(ROOT).as_posix() for path in paths]
    modules = [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in names]
    found = [_module(path, module, path.stat().st_mtime_ns) for path, module in zip(paths, modules, strict=True)]
    return [(name, module.digest) for name, module in zip(names, found, strict=True)]


@dataclass(frozen=True)
class _Module:
    digest: str
    imports: tuple[str, ...]


@cache
def _module(path: Path, name: str, mtime_ns: int) -> _Module:
    """Return what counts of a module; many commands share most of their modules, so each is parsed once.

    What was found is kept where Python keeps what it compiles, by the module's content: parsing all takes a second, and
    each job of a cluster reads the workflow anew.
    """
    content = path.read_bytes()
    key = hashlib.sha256(b"\0".join([_own_code(), name.encode(), content])).hexdigest()
    kept = path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.code.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(kept.read_bytes())
        if found["key"] == key:
            return _Module(found["digest"], tuple(found["imports"]))
    tree = ast.parse(content)
    imports = tuple(_imports(tree, name, is_package=path.name == "__init__.py"))
    module = _Module(hashlib.sha256(ast.dump(_without_docstrings(tree)).encode()).hexdigest(), imports)
    with contextlib.suppress(OSError):  # a folder that cannot be written to
        kept.parent.mkdir(exist_ok=True)
        part = kept.with_name(f"{kept.name}.{os.getpid()}")
        part.write_text(json.dumps({"key": key, "digest": module.digest, "imports": imports}))
        part.replace(kept)
    return module


@cache
def _own_code() -> bytes:
    return Path(__file__).read_bytes()


def _reached(command: str) -> list[ast.stmt]:
    """Return `run` of a command's module, and those statements of the module that bind a name which it uses.

    What comes from other modules of `commands` is about options, and left out.
    """
    path = ROOT.joinpath(*COMMANDS.split("."), f"{command.replace('-', '_')}.py")
    if not path.is_file():
        raise LookupError(f"crossres {command}: no such command")
    body = _without_docstrings(ast.parse(path.read_bytes())).body
    statements = [n for n in body if not (isinstance(n, ast.ImportFrom) and f"{n.module}.".startswith(f"{COMMANDS}."))]
    found: set[int] = set()
    todo = {"run"}
    while new := {number for number, node in enumerate(statements) if _binds(node) & todo} - found:
        found |= new
        todo = {node.id for number in new for node in ast.walk(statements[number]) if isinstance(node, ast.Name)}
    return [statements[number] for number in sorted(found)]


def _binds(node: ast.stmt) -> set[str]:
    """Return the names that a statement of a module gives to what it defines or imports."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}


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
