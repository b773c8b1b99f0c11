"""The repository speaks of itself only: no machine it was written on, no shop it was bought in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .documents import repository_files

# /home/me is nobody: the samples of tests and documents may use it.
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:root|home(?!/me\b)|Users|work|mnt)/\w")
REGISTRY = re.compile(
    "|".join(
        re.escape(".".join(parts))
        for parts in [
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("registry", "npmjs", "org"),
            ("registry", "yarnpkg", "com"),
            ("anaconda", "org"),
            ("proxy", "golang", "org"),
        ]
    )
)
LOCK_FILES = {
    "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "package-lock.json", "yarn.lock",
    "pnpm-lock.yaml",
}  # fmt: skip
ITSELF = Path(__file__).name


@pytest.fixture(scope="module")
def files(root: Path) -> list[Path]:
    return list(repository_files(root))


def lines_with(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    found: list[str] = []
    for path in files:
        if path.name == ITSELF:
            continue
        lines = path.read_text("utf-8", errors="replace").splitlines()
        found += [f"{path.name}:{n}" for n, line in enumerate(lines, 1) if pattern.search(line)]
    return found


def test_no_path_of_one_machine(files: list[Path]) -> None:
    assert lines_with(MACHINE_PATH, files) == []


def test_no_package_registry(files: list[Path]) -> None:
    assert lines_with(REGISTRY, files) == []


def test_no_lock_file(files: list[Path]) -> None:
    assert [path.name for path in files if path.name in LOCK_FILES] == []


def test_the_patterns_find_what_they_look_for(tmp_path: Path) -> None:
    sample = tmp_path / "sample.txt"
    sample.write_text(
        f"see /home/jane/x, not /home/me/x\nindex https://{'pypi.' + 'org'}/simple\n", "utf-8"
    )
    assert lines_with(MACHINE_PATH, [sample]) == ["sample.txt:1"]
    assert lines_with(REGISTRY, [sample]) == ["sample.txt:2"]
