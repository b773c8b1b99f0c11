"""Products whose backups are in a folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.conftest import Launch, launch
from tests.conftest import Product

__all__ = ["launch"]


@pytest.fixture
async def product(launch: Launch) -> Product:
    """A running product; every log it leaves is checked."""
    return await launch()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"
