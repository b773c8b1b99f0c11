"""The rules of the house as functions over source text: sources in, findings out.

    Source ──▶ imports · sizes · fences · homes · … ──▶ ["lite_llm_chat/x.py:7 does this", …]

A rule that finds nothing returns an empty list. Nothing here imports or runs what it judges, so
each rule can be shown a small bad sample and must find it. The tables are `tables.py`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

Function = ast.FunctionDef | ast.AsyncFunctionDef
Place = tuple[str, str]  # (path, name of a function or of an import in it)


@dataclass(frozen=True)
class Source:
    """One Python file. `path` is relative to the repository, with forward slashes."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def is_package(self) -> bool:
        return PurePosixPath(self.path).name == "__init__.py"

    @property
    def module(self) -> str:
        """Its dotted name, a package's without `.__init__`."""
        parts = PurePosixPath(self.path).with_suffix("").parts
        return ".".join(parts[:-1] if self.is_package else parts)


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module, as far as it can be told: `from a import b` is `a.b` if that is one
    of our modules, else `a`. `function` is the name of the function it stands in, or None."""

    target: str
    line: int
    function: str | None


def sources(root: Path, *tops: str) -> list[Source]:
    """All Python files under the named folders (or the named files), in order."""
    found: list[Path] = []
    for top in tops:
        place = root / top
        found += [place] if place.is_file() else sorted(place.rglob("*.py"))
    return [Source(path.relative_to(root).as_posix(), path.read_text("utf-8")) for path in found]


# ── walking ───────────────────────────────────────────────────────────────────────────────────


def with_functions(node: ast.AST, name: str | None = None) -> Iterator[tuple[ast.AST, str | None]]:
    """Every node below, with the dotted name of the function that it stands in."""
    for child in ast.iter_child_nodes(node):
        yield child, name
        inner = name
        if isinstance(child, Function | ast.ClassDef):
            inner = f"{name}.{child.name}" if name else child.name
        yield from with_functions(child, inner)


def _stands_in_function(source: Source) -> set[str]:
    return {
        f"{name}.{node.name}" if name else node.name
        for node, name in with_functions(source.tree)
        if isinstance(node, Function)
    }


def imports(source: Source, modules: frozenset[str] = frozenset()) -> list[Import]:
    """All imports of a file. `modules` are the names known to be ours."""
    functions = _stands_in_function(source)
    found: list[Import] = []
    for node, name in with_functions(source.tree):
        where = next((name for function in functions if name and _within(name, function)), None)
        match node:
            case ast.Import():
                targets = [alias.name for alias in node.names]
            case ast.ImportFrom():
                base = _base(source, node)
                both = [(f"{base}.{alias.name}", base) for alias in node.names]
                targets = [whole if whole in modules else part for whole, part in both]
            case _:
                continue
        found += [Import(target, node.lineno, where) for target in dict.fromkeys(targets)]
    return found


def _base(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = source.module.split(".")
    up = node.level - 1 if source.is_package else node.level
    kept = parts[: len(parts) - up]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _within(name: str, top: str) -> bool:
    return name == top or name.startswith(f"{top}.")


# ── imports ───────────────────────────────────────────────────────────────────────────────────


def forbidden_imports(
    files: Sequence[Source], table: Mapping[str, Sequence[str]], ours: Sequence[str]
) -> list[str]:
    """What a module imports of ours although its row does not name it. The row is the one with
    the longest name that the module stands under; `ours` are the top-level names that count."""
    modules = frozenset(file.module for file in files)
    findings: list[str] = []
    for file in files:
        row = max((name for name in table if _within(file.module, name)), key=len, default=None)
        if row is None:
            findings.append(f"{file.path} has no row in the import table")
            continue
        findings += [
            f"{file.path}:{each.line} imports {each.target}"
            for each in imports(file, modules)
            if each.target.split(".")[0] in ours
            and not any(_within(each.target, allowed) for allowed in table[row])
        ]
    return findings


def imports_inside_functions(files: Iterable[Source], allowed: Iterable[Place]) -> list[str]:
    """Imports inside functions, but for the named (path, imported module) pairs."""
    places = set(allowed)
    return [
        f"{file.path}:{each.line} imports {each.target} inside {each.function}"
        for file in files
        for each in imports(file)
        if each.function and (file.path, each.target) not in places
    ]


def imports_by_name(files: Iterable[Source], allowed: Iterable[Place]) -> list[str]:
    """Calls of `import_module` and `__import__`, but for those in the named functions."""
    places = set(allowed)
    return [
        f"{file.path}:{node.lineno} imports by name in {name or 'the module'}"
        for file in files
        for node, name in with_functions(file.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name | ast.Attribute)
        and _called(node.func) in {"import_module", "__import__"}
        and (file.path, name or "") not in places
    ]


def _called(function: ast.Name | ast.Attribute) -> str:
    return function.id if isinstance(function, ast.Name) else function.attr


def import_cycles(files: Sequence[Source]) -> list[str]:
    """Rings of modules that import each other, each ring once, as `a → b → a`."""
    modules = frozenset(file.module for file in files)
    edges = {
        file.module: sorted({e.target for e in imports(file, modules)} & modules - {file.module})
        for file in files
    }
    rings: dict[frozenset[str], str] = {}
    done: set[str] = set()

    def visit(module: str, trail: list[str]) -> None:
        if module in trail:
            ring = trail[trail.index(module) :]
            rings.setdefault(frozenset(ring), " → ".join([*ring, module]))
        elif module not in done:
            for target in edges[module]:
                visit(target, [*trail, module])
            done.add(module)

    for module in sorted(modules):
        visit(module, [])
    return list(rings.values())


def away_from_home(files: Iterable[Source], homes: Mapping[str, Sequence[str]]) -> list[str]:
    """Libraries imported outside of their homes (module names, a package with all below it)."""
    return [
        f"{file.path}:{each.line} imports {each.target}"
        for file in files
        for each in imports(file)
        if (home := homes.get(each.target.split(".")[0])) is not None
        and not any(_within(file.module, module) for module in home)
    ]


# ── size ──────────────────────────────────────────────────────────────────────────────────────


def long_files(files: Iterable[Source], most: int) -> list[str]:
    """Files with more lines than that."""
    counted = ((file, len(file.text.splitlines())) for file in files)
    return [f"{file.path} has {lines} lines" for file, lines in counted if lines > most]


def long_functions(files: Iterable[Source], most: int) -> list[str]:
    """Functions with more lines than that, decorators not counted."""
    return [
        f"{file.path}:{node.lineno} {node.name} has {lines} lines"
        for file in files
        for node in ast.walk(file.tree)
        if isinstance(node, Function)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > most
    ]


# ── habits ────────────────────────────────────────────────────────────────────────────────────


def broad_excepts(files: Iterable[Source], fences: Iterable[Place]) -> list[str]:
    """Handlers of (or suppressions of) every exception, outside of the named fences. One that
    ends by raising what it caught only tidies up: it catches nothing."""
    places = set(fences)
    return [
        f"{file.path}:{line} catches everything in {name or 'the module'}"
        for file in files
        for node, name in with_functions(file.tree)
        if (line := _catches_everything(node)) and (file.path, name or "") not in places
    ]


def _catches_everything(node: ast.AST) -> int | None:
    match node:
        case ast.ExceptHandler(body=[*_, ast.Raise(exc=None)]):
            return None
        case ast.ExceptHandler(type=None):
            return node.lineno
        case ast.ExceptHandler(type=ast.Tuple(elts=caught)):
            return node.lineno if any(map(_is_everything, caught)) else None
        case ast.ExceptHandler(type=ast.expr() as caught_one):
            return node.lineno if _is_everything(caught_one) else None
        case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=caught):
            return node.lineno if any(map(_is_everything, caught)) else None
        case _:
            return None


def _is_everything(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in {"Exception", "BaseException"}


def without_docstring(files: Iterable[Source]) -> list[str]:
    """Modules that do not open with a docstring; an empty file needs none."""
    return [
        f"{file.path} does not say what it is"
        for file in files
        if file.tree.body and not ast.get_docstring(file.tree)
    ]


def environment_readers(files: Iterable[Source], allowed: Iterable[str]) -> list[str]:
    """Files that touch the process's environment, but for the allowed paths."""
    paths = set(allowed)
    return [
        f"{file.path}:{line} reads the environment"
        for file in files
        if file.path not in paths
        for node in ast.walk(file.tree)
        if (line := _touches_environment(node))
    ]


def _touches_environment(node: ast.AST) -> int | None:
    names = {"environ", "environb", "getenv", "getenvb", "putenv"}
    match node:
        case ast.Attribute(value=ast.Name(id="os"), attr=attr) if attr in names:
            return node.lineno
        case ast.ImportFrom(module="os") if names & {alias.name for alias in node.names}:
            return node.lineno
        case _:
            return None


# ── marks ─────────────────────────────────────────────────────────────────────────────────────


def marked(files: Iterable[Source], mark: str) -> dict[str, list[str]]:
    """What `@pytest.mark.<mark>("a", …)` names → the node ids of the tests that carry it."""
    found: dict[str, list[str]] = {}
    for file in files:
        for node, name in with_functions(file.tree):
            if not isinstance(node, Function | ast.ClassDef):
                continue
            node_id = "::".join([file.path, *(name.split(".") if name else []), node.name])
            for value in _mark_arguments(node.decorator_list, mark):
                found.setdefault(value, []).append(node_id)
    return found


def _mark_arguments(decorators: Iterable[ast.expr], mark: str) -> Iterator[str]:
    for decorator in decorators:
        match decorator:
            case ast.Call(func=ast.Attribute(attr=attr), args=args) if attr == mark:
                yield from (str(a.value) for a in args if isinstance(a, ast.Constant))
