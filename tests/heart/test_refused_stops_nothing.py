"""A request that cannot be taken stops no answer, whatever it wanted to do with one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lite_llm_chat.chat import Ask, Wish
from lite_llm_chat.domain import LIVE, Finish, Options, Said, Ticket
from lite_llm_chat.errors import Conflict, Invalid

from .test_rare_ways import Answer
from .world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A heart on a file of its own."""
    one = World(tmp_path / "chat.db")
    yield one
    one.close()


@pytest.fixture
def whole(world: World) -> Answer:
    """An answer that is complete."""
    answer = Answer(world)
    answer.call.order(Finish("stop"))
    answer.says("all")
    return answer


@pytest.fixture
def running(world: World, whole: Answer) -> Ticket:
    """The next answer of the same session, followed by nobody."""
    ask = Ask((Said("user", "next"),), Wish(options=Options(seed=2)), whole.session_id)
    ticket = world.run(world.chat.open_turn(ask))
    world.chat.leave(ticket)
    return ticket


def test_continuing_a_whole_answer_stops_not_the_one_that_runs(
    world: World, whole: Answer, running: Ticket
) -> None:
    wish = Wish(options=Options(seed=3))
    with pytest.raises(Conflict, match="complete"):
        world.run(world.chat.continue_(whole.row().message_id, wish, "interrupt"))
    assert world.run(world.chat.generation(running.generation_id)).status in LIVE


def test_a_request_without_a_question_stops_not_the_answer_that_runs(
    world: World, whole: Answer, running: Ticket
) -> None:
    ask = Ask((Said("assistant", "said"),), Wish(options=Options(seed=3)), whole.session_id)
    with pytest.raises(Invalid, match="nothing to answer"):
        world.run(world.chat.open_turn(ask, "interrupt"))
    assert world.run(world.chat.generation(running.generation_id)).status in LIVE
