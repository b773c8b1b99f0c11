"""The row of the import: a figure of its own process, or a sentence."""

from __future__ import annotations

import pytest

from bench import start
from bench.machine import Cores
from bench.servers import NotStarted

ANYWHERE = Cores(None, None)


async def test_an_import_has_a_row_beside_its_libraries() -> None:
    [row] = await start.importing(ANYWHERE, 1)
    assert 0 < float(row.ours.removesuffix(" s")) < 60
    assert row.goal in ("≤ 0.6 s: met", "≤ 0.6 s: MISSED")
    assert row.theirs.startswith("its libraries alone: ")


def test_what_cannot_be_imported_is_said() -> None:
    with pytest.raises(NotStarted, match="nothing_like_that cannot be imported"):
        start._imported(ANYWHERE, "nothing_like_that")
