"""Every statement of the README has a test, and every mark names a statement."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from . import rules
from .rules import Source


@pytest.fixture(scope="module")
def manifest(root: Path) -> dict[str, dict[str, str]]:
    return tomllib.loads((root / "tests/house/manifest.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def proofs(root: Path) -> dict[str, list[str]]:
    return rules.marked(rules.sources(root, "tests"), "readme")


def test_every_statement_has_a_sentence_and_a_quote(manifest: dict[str, dict[str, str]]) -> None:
    assert [name for name, row in manifest.items() if set(row) != {"says", "quote"}] == []


def test_every_statement_is_proven_by_a_test(
    manifest: dict[str, dict[str, str]], proofs: dict[str, list[str]]
) -> None:
    assert [name for name in manifest if name not in proofs] == []


def test_every_mark_names_a_statement(
    manifest: dict[str, dict[str, str]], proofs: dict[str, list[str]]
) -> None:
    assert {name: tests for name, tests in proofs.items() if name not in manifest} == {}


def test_every_mark_stands_on_a_test(proofs: dict[str, list[str]]) -> None:
    names = {node.rpartition("::")[2] for tests in proofs.values() for node in tests}
    assert [name for name in names if not name.startswith(("test_", "Test"))] == []


def test_every_statement_still_stands_in_the_readme(
    readme: str, manifest: dict[str, dict[str, str]]
) -> None:
    assert [name for name, row in manifest.items() if row["quote"] not in readme] == []


def test_marks_are_read_from_functions_classes_and_methods() -> None:
    text = (
        "@pytest.mark.readme('a', 'b')\nasync def test_f(): ...\n"
        "@mark.readme('b')\nclass TestC:\n"
        "    @pytest.mark.readme('c')\n    def test_m(self): ...\n"
    )
    assert rules.marked([Source("tests/t.py", text)], "readme") == {
        "a": ["tests/t.py::test_f"],
        "b": ["tests/t.py::test_f", "tests/t.py::TestC"],
        "c": ["tests/t.py::TestC::test_m"],
    }
