"""Whatever is said in whatever groups: a reader that was cut off anywhere gets exactly the rest,
and the answer is the same however its pieces were merged."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite_llm_chat import livelog
from lite_llm_chat.domain import Body, Ended, Event, Reasoning, Text, fold
from lite_llm_chat.eventlog import EventLog
from lite_llm_chat.store import generations, messages
from lite_llm_chat.store.codec import body_to_row
from tests.durability.disk import begin, now

from .clockwork import Clockwork
from .model import spoken
from .world import INTERVAL_S, Disk

END = Ended("completed", finish_reason="stop")
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
PIECES = st.lists(st.builds(Text, WORDS) | st.builds(Reasoning, WORDS), max_size=6)
GROUPS = st.lists(PIECES, max_size=6)


class Stage:
    """A running log on a file; every example writes one answer more."""

    def __init__(self, loop: Clockwork, disk: Disk) -> None:
        self.loop, self.disk = loop, disk
        self.log = EventLog(disk, now, interval_s=INTERVAL_S)
        self._names = (f"log {number}" for number in itertools.count())
        loop.finish(self._start())

    async def _start(self) -> None:
        self.log.start()

    def begin(self) -> str:
        name = next(self._names)
        self.loop.finish(begin(self.disk, self.log, name))
        return name

    def say(self, name: str, pieces: Sequence[Text | Reasoning]) -> None:
        """Append, and let the tick come that commits it."""
        for piece in pieces:
            self.log.append(name, piece)
        self.loop.advance(1.0)

    def rest(self, name: str, after: int, last: int) -> list[Event]:
        """What a reader gets after a number, up to another."""

        async def read() -> list[Event]:
            seen: list[Event] = []
            groups = self.log.tail(name, after)
            while after + len(seen) < last:
                seen += await anext(groups)
            await groups.aclose()
            return seen

        return self.loop.finish(read())

    def stored(self, name: str) -> list[Event]:
        bodies = self.loop.finish(self.disk.read(lambda conn: generations.bodies(conn, name)))
        return [Event(name, seq, body) for seq, body in enumerate(bodies, start=1)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    loop = Clockwork()
    disk = Disk(loop, tmp_path_factory.mktemp("log") / "chat.db")
    loop.finish(disk.open())
    one = Stage(loop, disk)
    yield one
    loop.finish(one.log.close())
    loop.finish(disk.close())
    loop.close()


def limits(memory: int, page: int) -> ExitStack:
    """How much of a log readers get from memory, and how many rows at a time."""
    stack = ExitStack()
    stack.enter_context(patch.object(livelog, "MEMORY_LIMIT", memory))
    stack.enter_context(patch.object(livelog, "PAGE_CHARS", 2 * page))
    stack.enter_context(patch.object(generations, "EVENT_PAGE", page))
    stack.enter_context(patch.object(generations, "EVENT_PAGE_CHARS", 5 * page))
    return stack


@given(GROUPS, st.sampled_from([0, 10, 10_000]), st.sampled_from([1, 3, 500]))
def test_what_was_read_and_the_tail_after_it_are_the_whole_log(
    stage: Stage, groups: list[list[Text | Reasoning]], memory: int, page: int
) -> None:
    with limits(memory, page):
        name = stage.begin()
        for group in groups:
            stage.say(name, group)
        whole = stage.stored(name)
        for after in range(len(whole) + 1):
            assert whole[:after] + stage.rest(name, after, len(whole)) == whole
        stage.loop.finish(stage.log.end(name, END))
        ended = stage.stored(name)
        assert ended == [*whole, Event(name, len(whole) + 1, END)]
        for after in range(len(ended) + 1):
            assert ended[:after] + stage.rest(name, after, len(ended)) == ended


@given(GROUPS, st.sampled_from([0, 10, 10_000]), st.sampled_from([1, 3]), st.integers(0, 6))
def test_a_reader_that_stands_still_goes_on_where_it_stood_in_memory_or_in_rows(
    stage: Stage, groups: list[list[Text | Reasoning]], memory: int, page: int, pause: int
) -> None:
    with limits(memory, page):
        name = stage.begin()
        reader = stage.log.tail(name)

        async def read() -> Sequence[Event]:
            return await anext(reader, [])

        seen: list[Event] = [*stage.loop.finish(read())]
        for number, group in enumerate(groups):
            stage.say(name, group)
            if number != pause and len(stage.stored(name)) > len(seen):
                seen += stage.loop.finish(read())
        stage.loop.finish(stage.log.end(name, END))
        while more := stage.loop.finish(read()):
            seen += more
        assert seen == stage.stored(name)


@given(GROUPS)
def test_an_answer_is_the_same_however_its_pieces_were_merged(
    stage: Stage, groups: list[list[Text | Reasoning]]
) -> None:
    name = stage.begin()
    for group in groups:
        stage.say(name, group)
    stage.loop.finish(stage.log.end(name, END))
    first, *_ = kept = [event.body for event in stage.stored(name)]
    said: list[Body] = [first, *itertools.chain(*groups), END]
    letters: list[Body] = [
        type(body)(letter)
        for body in said
        if isinstance(body, Text | Reasoning)
        for letter in body.text
    ]
    assert fold(kept) == fold(said) == fold([first, *letters, END])
    assert spoken(map(body_to_row, kept)) == spoken(map(body_to_row, said))
    message = stage.loop.finish(
        stage.disk.read(lambda conn: messages.get(conn, generations.get(conn, name).message_id))
    )
    answer = fold(said)
    assert (message.content, message.reasoning or "") == (answer.text, answer.reasoning)


@given(st.lists(PIECES))
def test_folding_part_by_part_is_folding_the_whole(groups: list[list[Text | Reasoning]]) -> None:
    parts = [fold(group) for group in groups]
    whole = fold(itertools.chain(*groups))
    assert whole.text == "".join(part.text for part in parts)
    assert whole.reasoning == "".join(part.reasoning for part in parts)
    assert whole.status == "running"
