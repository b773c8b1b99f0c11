"""A month of usage is summed over HTTP, and every answer is in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import sums
from bench.client import Failed
from bench.machine import Cores
from bench.servers import Servers
from bench.sums import Reads


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with Servers(tmp_path, Cores(None, None)) as running:
        yield running


async def test_a_report_is_timed_by_each_grouping(servers: Servers, tmp_path: Path) -> None:
    [row] = await sums.summing(servers, tmp_path, Reads(answers=500, rounds=1))
    assert row.what == "usage of a month out of 500 answers"
    assert [part.split()[1] for part in row.ours.split(", ")] == ["day", "model", "session"]


async def test_a_report_that_misses_answers_is_no_figure(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sums, "DAYS", 60)
    with pytest.raises(Failed, match="not of all answers"):
        await sums.summing(servers, tmp_path, Reads(answers=500, rounds=1))
