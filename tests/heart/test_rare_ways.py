"""What happens seldom, and by the clock: the whole time of an answer, a hurried stop, rows that
refuse, logs that are dropped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from lite_llm_chat import livelog
from lite_llm_chat.chat import Ask, Wish
from lite_llm_chat.domain import Ended, Event, Finish, Generation, Message, Options, Said, Text
from lite_llm_chat.eventlog import EventLog
from lite_llm_chat.housekeeping import tidy
from lite_llm_chat.store import generations, messages
from lite_llm_chat.store.database import Connection

from .world import INTERVAL_S, POLICY, Call, World

UNSTORABLE = Text("\ud800")  # half a character, which no provider lets through


@pytest.fixture
def world(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    caplog.set_level(logging.CRITICAL)
    one = World(tmp_path / "chat.db")
    yield one
    one.close()


class Answer:
    """A question that was asked, and the call to the vendor that answers it."""

    def __init__(self, world: World, number: int = 1) -> None:
        self._world = world
        ask = Ask((Said("user", "why"),), Wish(options=Options(seed=number)))
        ticket = world.run(world.chat.open_turn(ask))
        self.id, self.session_id = ticket.generation_id, ticket.session_id

        self._number = number

    @property
    def call(self) -> Call:
        return self._world.vendor.calls[self._number][-1]

    def says(self, *texts: str, seconds: float = 1.0) -> None:
        self.call.order(*map(Text, texts))
        self._world.loop.advance(seconds)

    def row(self) -> Generation:
        return self._world.run(self._world.chat.generation(self.id))

    def outcome(self) -> tuple[str, str | None]:
        """Status, and the code of what went wrong."""
        row = self.row()
        return row.status, row.ended.fault.code if row.ended and row.ended.fault else None

    def text(self) -> str:
        def work(conn: Connection) -> Message:
            return messages.get(conn, generations.get(conn, self.id).message_id)

        return self._world.run(self._world.disk.read(work)).content

    def read(self, after: int = 0) -> list[Event]:
        """All that a reader gets, until there is no more."""

        async def work() -> list[Event]:
            return [
                event async for group in self._world.chat.follow(self.id, after) for event in group
            ]

        return self._world.run(work())


def test_an_answer_that_goes_on_and_on_is_cut_when_its_time_is_over(world: World) -> None:
    answer = Answer(world)
    for _ in range(int(POLICY.total_s)):
        answer.says("a")
    assert answer.outcome() == ("failed", "upstream_timeout")
    assert set(answer.text()) == {"a"}
    assert answer.call.outcome == "closed"
    assert answer.call.closed_at == pytest.approx(POLICY.total_s)


def test_a_hurried_stop_waits_for_no_answer(world: World) -> None:
    answer = Answer(world)
    answer.says("half")
    before = world.loop.time()
    stopping = world.loop.create_task(world.engine.drain(600.0))
    world.loop.settle()
    assert not stopping.done()
    world.engine.hurry()
    world.loop.settle()
    assert stopping.done()
    assert (answer.outcome(), answer.text()) == (("interrupted", "server_stopped"), "half")
    assert world.loop.time() == before


def test_a_piece_that_no_row_can_hold_ends_its_answer_and_no_other(world: World) -> None:
    bad, good = Answer(world, 1), Answer(world, 2)
    bad.says("kept")
    world.log.append(bad.id, UNSTORABLE)
    good.says("all", " of it")
    assert (bad.outcome(), bad.text()) == (("failed", "internal_error"), "kept")
    assert bad.call.outcome == "closed"
    good.call.order(Finish("stop"))
    world.loop.advance(1.0)
    assert (good.outcome(), good.text()) == (("completed", None), "all of it")


def test_an_end_that_is_refused_too_is_left_to_whoever_looks_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Answer(world)
    answer.says("kept")
    write, tried = world.disk.write, 0

    async def refuse_the_second(*given: object) -> object:
        nonlocal tried
        tried += 1
        if tried == 2:
            world.disk.turn("refuses")
        return await write(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(world.disk, "write", refuse_the_second)
    world.log.append(answer.id, UNSTORABLE)
    world.loop.advance(1.0)
    assert (answer.row().status, world.log.runs(answer.id)) == ("running", False)
    assert [event.seq for event in answer.read()] == [1, 2]
    assert answer.call.outcome == "closed"
    world.disk.turn("flows")
    world.run(world.chat.cancel(answer.id))
    assert (answer.outcome(), answer.text()) == (("interrupted", "server_stopped"), "kept")


def test_an_ended_answer_is_not_ended_again(world: World) -> None:
    answer = Answer(world)
    answer.says("all")
    world.run(world.chat.cancel(answer.id))
    before = answer.row(), answer.read(), answer.text()
    ending = generations.Ending(answer.id, 9, Ended("completed"), before[0].created_at)
    world.run(world.disk.write(lambda conn: generations.end(conn, ending)))
    assert (answer.row(), answer.read(), answer.text()) == before


def test_old_logs_are_dropped_and_their_text_stays(world: World) -> None:
    old, running = Answer(world, 1), Answer(world, 2)
    old.says("all")
    world.run(world.chat.cancel(old.id))
    world.loop.advance(5.0)
    running.says("half")
    assert world.run(tidy(world.disk, world.now(), timedelta(seconds=60))) == 0
    assert world.run(tidy(world.disk, world.now(), timedelta(seconds=3))) == 1
    assert (old.row().logged, old.text(), old.read()) == (False, "all", [])
    assert running.row().logged


def test_a_reader_whose_log_is_deleted_before_it_reads_on_is_sent_home(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(livelog, "MEMORY_LIMIT", 1)
    answer = Answer(world)
    reader = world.chat.follow(answer.id)

    async def read() -> Sequence[Event]:
        return await anext(reader, [])

    assert [event.seq for event in world.run(read())] == [1]
    for number in range(4):
        answer.says(f"piece {number}")
    world.run(world.delete(answer.session_id))
    assert world.run(read()) == []
    world.run(reader.aclose())


def test_a_reader_is_given_much_text_in_pages(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(livelog, "PAGE_CHARS", 10)
    answer = Answer(world)
    for _ in range(5):
        answer.says("12345")

    async def sizes() -> list[int]:
        reader = world.chat.follow(answer.id)
        found = [len(await anext(reader)) for _ in range(3)]
        await reader.aclose()
        return found

    assert world.run(sizes()) == [3, 2, 1]


def test_quiet_is_counted_from_the_last_news_and_not_while_nobody_waits(world: World) -> None:
    answer = Answer(world)
    reader = world.chat.follow(answer.id, 1, quiet_s=2.0)

    async def read() -> Sequence[Event]:
        return await anext(reader)

    waiting = world.loop.create_task(read())
    answer.says("a", seconds=1.0)
    assert len(waiting.result()) == 1
    waiting = world.loop.create_task(read())
    world.loop.advance(1.9)
    assert not waiting.done()
    world.loop.advance(0.2)
    assert waiting.result() == ()
    waiting = world.loop.create_task(read())
    answer.says("b", seconds=3.0)
    answer.says("c")
    assert [event.seq for event in (*waiting.result(), *world.run(read()))] == [3, 4]
    world.run(reader.aclose())


def test_a_log_that_closed_first_needs_no_release_and_one_that_never_began_can_close(
    world: World,
) -> None:
    async def work() -> None:
        log = EventLog(world.disk, lambda: pytest.fail("asked for the time"), interval_s=INTERVAL_S)
        log.reserve("a")
        waiting = asyncio.create_task(log.wait_end("a"))
        await asyncio.sleep(0)
        await log.close()
        log.release("a")
        await waiting
        assert not log.runs("a")

    world.run(work())


def test_an_end_that_is_stored_but_not_told_yet_counts_its_last_number(world: World) -> None:
    answer = Answer(world)
    answer.says("one")
    world.disk.turn("after")
    world.engine.cancel(answer.id)
    world.loop.advance(0)
    row, told = answer.row(), world.log.last_seq(answer.id)
    assert (row.status, row.last_seq, told) == ("cancelled", 3, 2)
    assert world.chat.check_cursor(row, 0) == 3
    world.disk.turn("flows")
