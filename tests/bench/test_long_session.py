"""The pages that are timed have the messages that they should."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import long_session
from bench.client import Failed
from bench.long_session import Opened
from bench.machine import Cores
from bench.servers import Servers


async def test_pages_of_a_long_session_are_timed(tmp_path: Path) -> None:
    with Servers(tmp_path, Cores(None, None)) as servers:
        [row] = await long_session.opening(servers, tmp_path, Opened(2))
    assert row.what.startswith("50 of a session's 2,000 messages")
    assert " ms p99" in row.ours


async def test_a_page_that_is_not_whole_is_not_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_session, "NEWEST", "/api/v1/sessions/1/messages?limit=49")
    with Servers(tmp_path, Cores(None, None)) as servers, pytest.raises(Failed, match="with 50"):
        await long_session.opening(servers, tmp_path, Opened(1))
