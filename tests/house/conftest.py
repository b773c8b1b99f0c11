"""What the house's tests share: where the repository is, and its text."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def readme(root: Path) -> str:
    """The README's text."""
    return (root / "README.md").read_text("utf-8")
