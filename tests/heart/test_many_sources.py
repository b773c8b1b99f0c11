"""Sources rest between two draws. Few are drawn at every tick; many more seldom, and in turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from lite_llm_chat.eventlog import CROWD, MOST_STRETCH

from .world import INTERVAL_S, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    one = World(tmp_path / "chat.db")
    yield one
    one.close()


class Sources:
    """Some that only ever rest, and the moments at which each was woken."""

    def __init__(self, world: World, count: int) -> None:
        self.woken: dict[int, list[float]] = {number: [] for number in range(count)}
        self._world = world
        for number in range(count):
            world.loop.create_task(self._rest(number))
        world.loop.advance(0)  # all have come to rest

    async def _rest(self, number: int) -> None:
        while True:
            await self._world.log.beat()
            self.woken[number].append(self._world.loop.time())

    def pauses(self) -> set[float]:
        """The times between two draws of the same source, in ticks, but for its first."""
        return {
            round((later - earlier) / INTERVAL_S, 2)
            for moments in self.woken.values()
            for earlier, later in pairwise(moments[1:])
        }

    def at_once(self) -> int:
        """The most that were woken at one moment."""
        return max(Counter(at for moments in self.woken.values() for at in moments).values())


@pytest.mark.parametrize("count", [1, CROWD])
def test_few_sources_are_drawn_at_every_tick(world: World, count: int) -> None:
    sources = Sources(world, count)
    world.loop.advance(10 * INTERVAL_S)
    assert sources.pauses() == {1.0}
    assert sources.at_once() == count


def test_more_sources_are_drawn_more_seldom_and_by_halves(world: World) -> None:
    sources = Sources(world, 2 * CROWD)
    world.loop.advance(20 * INTERVAL_S)
    assert sources.pauses() == {2.0}
    assert sources.at_once() == CROWD


def test_a_few_too_many_sources_are_shared_out_evenly(world: World) -> None:
    sources = Sources(world, CROWD + 2)
    world.loop.advance(10 * INTERVAL_S)
    assert sources.pauses() == {round((CROWD + 2) / CROWD, 2)}
    assert sources.at_once() == (CROWD + 2) / 2


def test_many_sources_are_drawn_in_turns_and_none_is_forgotten(world: World) -> None:
    sources = Sources(world, 8 * CROWD)
    world.loop.advance(10 * MOST_STRETCH * INTERVAL_S)
    assert sources.pauses() == {MOST_STRETCH}
    assert sources.at_once() == CROWD
    assert all(len(moments) >= 9 for moments in sources.woken.values())
