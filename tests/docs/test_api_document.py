"""docs/api.md and the code list the same endpoints and the same error codes.

code ─▶ codes_in ─┐                  OpenAPI ─▶ endpoints ─┐
                  ├─ equal                                 ├─ equal
docs/api.md ──────┘                  docs/api.md ──────────┘
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lite_llm_chat.app import create_app
from lite_llm_chat.config import Settings

CODE = re.compile(r"[a-z]+(?:_[a-z]+)*")
BY_POSITION = {"Fault": 0, "problem": 2}  # which argument of these calls is a code
TABLES = ("CODES", "PLAIN")  # HTTP status → code, or (code, sentence)
STATUS_AS_CODE = {"cancelled"}  # a plain stream says how the answer ended


def codes_in(source: str) -> set[str]:
    """Every stable error code that a Python source gives to something."""
    return {
        code
        for node in ast.walk(ast.parse(source))
        for place in _places(node)
        for code in _constants(place)
        if CODE.fullmatch(code)
    }


def _places(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions of a node that hold a code."""
    match node:
        case ast.keyword(arg="code"):
            yield node.value
        case ast.Dict():
            pairs = zip(node.keys, node.values, strict=True)
            yield from (value for key, value in pairs if _is_code_key(key))
        case ast.Call(func=ast.Name(id=name)) if name in BY_POSITION:
            yield from node.args[BY_POSITION[name] : BY_POSITION[name] + 1]
        case ast.Assign(targets=[target]) if _is_named(target, "code", *TABLES):
            yield node.value
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            if _is_named(target, "code", *TABLES):
                yield value


def _is_named(target: ast.expr, *names: str) -> bool:
    """`code = …`, or `code, more = …`."""
    first = target.elts[0] if isinstance(target, ast.Tuple) else target
    return isinstance(first, ast.Name) and first.id in names


def _constants(place: ast.expr) -> Iterator[str]:
    """The strings in an expression; of a tuple only its first element, of a look-up only what
    it falls back to."""
    match place:
        case ast.Constant(value=str() as text):
            yield text
        case ast.Tuple(elts=[first, *_]):
            yield from _constants(first)
        case ast.Call(func=ast.Attribute(attr="get"), args=[_, *defaults]):
            for default in defaults:  # the key is not a code
                yield from _constants(default)
        case _:
            for child in ast.iter_child_nodes(place):
                if isinstance(child, ast.expr):
                    yield from _constants(child)


def _is_code_key(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and key.value == "code"


@pytest.fixture(scope="module")
def document(root: Path) -> str:
    return (root / "docs" / "api.md").read_text("utf-8")


@pytest.fixture(scope="module")
def served() -> set[str]:
    """`METHOD path` of everything in the OpenAPI description."""
    described = create_app(Settings(_env_file=None)).framework.openapi()["paths"]
    return {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}


def test_every_error_code_of_the_code_is_in_the_document_and_no_other(
    root: Path, document: str
) -> None:
    sources = (root / "lite_llm_chat").rglob("*.py")
    given = set().union(*(codes_in(path.read_text("utf-8")) for path in sources))
    tables = document.partition("## Errors")[2]
    listed = set(re.findall(r"^\| `([a-z_]+)` \|", tables, re.MULTILINE))
    terminal_only = {"startup_failed"}
    assert given - terminal_only == listed - STATUS_AS_CODE
    assert all(f"`{code}`" in tables for code in terminal_only)


def test_every_code_that_the_document_mentions_is_explained_in_it(document: str) -> None:
    text, _, tables = document.partition("## Errors")
    after_status = re.findall(r"\b[45]\d\d((?:,?\s+`[a-z_]+`)+)", text)
    mentioned = {code for group in after_status for code in re.findall(r"`([a-z_]+)`", group)}
    assert mentioned
    assert [code for code in sorted(mentioned) if f"| `{code}` |" not in tables] == []


def test_every_endpoint_has_its_section_and_every_section_its_endpoint(
    document: str, served: set[str]
) -> None:
    sections = set(re.findall(r"^### `([A-Z]+ /[^`]*)`$", document, re.MULTILINE))
    assert sections == served


def test_the_readme_lists_every_endpoint(root: Path, served: set[str]) -> None:
    readme = (root / "README.md").read_text("utf-8")
    listed = set(re.findall(r"^- `([A-Z]+ /[^`?]*)`", readme, re.MULTILINE))
    assert listed == served


def test_codes_are_found_wherever_they_are_given() -> None:
    source = """
raise NotFound("no", code="a_b")
Fault("c_d", "sentence")
problem(422, findings, "e_f")
code = CODES.get(status, "g_h")
code, http = "i_j", 503
{"error": detail, "code": "k_l"}
CODES = {400: "m_n"}
PLAIN: dict = {404: ("o_p", "not a_code")}
code, sentence = PLAIN.get(status, ("q_r", str(error.detail)))
code = error.get("not_a_code")
other = "not_a_code"
"""
    assert codes_in(source) == {"a_b", "c_d", "e_f", "g_h", "i_j", "k_l", "m_n", "o_p", "q_r"}
