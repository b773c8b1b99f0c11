"""A provider that stops in the middle, and one that has a defect: the answer ends, marked."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from lite_llm_chat.chat import Ask, Wish
from lite_llm_chat.domain import Options, Said, Text
from lite_llm_chat.store import messages

from .world import Cut, World


@pytest.fixture
def world(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    caplog.set_level(logging.CRITICAL)
    one = World(tmp_path / "chat.db")
    yield one
    one.close()


@pytest.mark.parametrize(
    ("order", "code"),
    [(Cut(), "upstream_truncated"), (ZeroDivisionError(), "internal_error")],
)
def test_what_a_provider_had_said_before_it_went_wrong_is_kept(
    world: World, order: Exception, code: str
) -> None:
    ask = Ask((Said("user", "why"),), Wish(options=Options(seed=1)))
    ticket = world.run(world.chat.open_turn(ask))
    world.vendor.calls[1][-1].order(Text("half an"), order)
    world.loop.advance(60)
    row = world.run(world.chat.generation(ticket.generation_id))
    assert row.ended is not None
    assert row.ended.fault is not None
    assert (row.status, row.ended.fault.code) == ("failed", code)
    answer = world.run(world.disk.read(lambda conn: messages.get(conn, row.message_id)))
    assert answer.content == "half an"
