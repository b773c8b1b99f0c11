"""Persist, then publish: what readers of a log see, when, and how often."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lite_llm_chat import eventlog, livelog
from lite_llm_chat.domain import Body, Ended, Event, Fault, Reasoning, Started, Text
from lite_llm_chat.eventlog import EventLog
from lite_llm_chat.store import generations, trash
from lite_llm_chat.store.location import Location

from . import oracle
from .disk import Disk, begin, now
from .processes import until

END = Ended("completed", finish_reason="stop")


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncIterator[Disk]:
    """An open database that can be held."""
    one = Disk(Location(tmp_path / "chat.db"))
    await one.open()
    yield one
    one.gate.set()
    one.refusing = False
    await one.close()
    assert oracle.findings(tmp_path / "chat.db", at_rest=False) == []


@pytest.fixture
async def log(disk: Disk) -> AsyncIterator[EventLog]:
    """A log that flushes as often as it can."""
    one = EventLog(disk, now, interval_s=0.001)
    one.start()
    yield one
    await one.close()


class Reader:
    """Follows a log from a number on."""

    def __init__(self, log: EventLog, generation_id: str = "a", after: int = 0) -> None:
        self._groups = log.tail(generation_id, after)
        self.seen: list[Event] = []

    async def next(self) -> list[Body]:
        """The bodies of the next group; none at the end."""
        group = list(await anext(self._groups, []))
        self.seen += group
        return [event.body for event in group]

    async def rest(self) -> list[Body]:
        """The bodies of all that comes until the end."""
        async for group in self._groups:
            self.seen += group
        return [event.body for event in self.seen]

    async def leave(self) -> None:
        await self._groups.aclose()

    @property
    def numbers(self) -> list[int]:
        return [event.seq for event in self.seen]


async def stored(disk: Disk, generation_id: str = "a") -> list[Body]:
    return await disk.read(lambda conn: generations.bodies(conn, generation_id))


async def until_reached(disk: Disk) -> None:
    """Return when a write stands before the closed gate."""
    disk.reached.clear()
    await asyncio.wait_for(disk.reached.wait(), 5)


# ── publication ───────────────────────────────────────────────────────────────────────────────


async def test_nothing_is_published_before_it_is_committed(disk: Disk, log: EventLog) -> None:
    started = await begin(disk, log, "a")
    reader = Reader(log)
    assert await reader.next() == [started]
    disk.gate.clear()
    log.append("a", Text("hello"))
    await until_reached(disk)
    waiting = asyncio.create_task(reader.next())
    assert not (await asyncio.wait({waiting}, timeout=0.05))[0]
    assert (log.last_seq("a"), await stored(disk)) == (1, [started])
    disk.gate.set()
    assert await waiting == [Text("hello")]
    assert await stored(disk) == [started, Text("hello")]
    await log.end("a", END)


async def test_an_end_returns_only_once_it_is_committed(disk: Disk, log: EventLog) -> None:
    started = await begin(disk, log, "a")
    disk.gate.clear()
    log.append("a", Text("last words"))
    ending = asyncio.create_task(log.end("a", END))
    await until_reached(disk)
    assert not (await asyncio.wait({ending}, timeout=0.05))[0]
    disk.gate.set()
    await ending
    assert await stored(disk) == [started, Text("last words"), END]
    assert not log.runs("a")


async def test_the_first_end_stands(disk: Disk, log: EventLog) -> None:
    await begin(disk, log, "a")
    disk.gate.clear()
    ends = [
        asyncio.create_task(log.end("a", one))
        for one in (Ended("cancelled"), Ended("failed", fault=Fault("x", "y")))
    ]
    await until_reached(disk)
    log.append("a", Text("too late"))
    disk.gate.set()
    await asyncio.gather(*ends)
    await log.end("a", END)
    assert (await stored(disk))[1:] == [Ended("cancelled")]


async def test_the_first_piece_does_not_wait_for_the_tick(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventlog, "MAX_INTERVAL_S", 60.0)
    log = EventLog(disk, now, interval_s=60.0)
    log.start()
    await begin(disk, log, "a")
    await begin(disk, log, "b")
    log.append("a", Text("first"))  # sets the tick: the next one is in a minute
    reader = Reader(log)
    assert (await reader.next())[0] != Text("first") == (await reader.next())[0]
    log.append("a", Text("second"))
    log.append("b", Text("first of b"))
    other = Reader(log, "b", after=1)
    assert await asyncio.wait_for(other.next(), 5) == [Text("first of b")]
    assert log.last_seq("a") == 2  # its second piece waits for the tick
    await asyncio.wait_for(log.end("a", END), 5)  # an end does not wait either
    assert (await stored(disk))[1:] == [Text("first"), Text("second"), END]
    await log.end("b", END)
    await log.close()


async def test_much_text_does_not_wait_for_the_tick(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventlog, "MAX_INTERVAL_S", 60.0)
    log = EventLog(disk, now, interval_s=60.0)
    log.start()
    await begin(disk, log, "a")
    log.append("a", Text("first"))
    reader = Reader(log, after=1)
    await reader.next()
    log.append("a", Text("x" * eventlog.PENDING_LIMIT))
    assert await asyncio.wait_for(reader.next(), 5) == [Text("x" * eventlog.PENDING_LIMIT)]
    await log.end("a", END)
    await log.close()


async def test_what_is_said_while_the_disk_is_busy_becomes_one_event_of_each_kind(
    disk: Disk, log: EventLog
) -> None:
    started = await begin(disk, log, "a")
    disk.gate.clear()
    log.append("a", Reasoning("one"))
    await until_reached(disk)
    for number in range(100):
        log.append("a", Reasoning(f" {number}"))
    for number in range(100):
        log.append("a", Text(f" {number}"))
    disk.gate.set()
    await log.end("a", END)
    numbers = "".join(f" {number}" for number in range(100))
    assert await stored(disk) == [
        started, Reasoning("one"), Reasoning(numbers), Text(numbers), END,
    ]  # fmt: skip


async def test_much_text_at_once_becomes_several_events(disk: Disk, log: EventLog) -> None:
    started = await begin(disk, log, "a")
    size = livelog.EVENT_CHARS
    text = "".join(f"{number:06}," for number in range(size * 5 // 14))  # two and a half events
    log.append("a", Text(text))
    await log.end("a", END)
    parts = [text[:size], text[size : 2 * size], text[2 * size :]]
    assert await stored(disk) == [started, *map(Text, parts), END]


async def test_all_running_answers_share_a_commit(disk: Disk, log: EventLog) -> None:
    names = [f"g{number}" for number in range(40)]
    for name in names:
        await begin(disk, log, name)
    before = disk.writes
    for name in names:
        log.append(name, Text("together"))
    await asyncio.gather(*(Reader(log, name, after=1).next() for name in names))
    assert disk.writes == before + 1
    await asyncio.gather(*(log.end(name, END) for name in names))
    assert disk.writes == before + 2


# ── readers ───────────────────────────────────────────────────────────────────────────────────


async def test_a_reader_far_behind_gets_every_number_once_while_memory_stays_small(
    disk: Disk, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(livelog, "MEMORY_LIMIT", 200)
    monkeypatch.setattr(generations, "EVENT_PAGE", 7)
    await begin(disk, log, "a")
    slow, fast = Reader(log), Reader(log)
    await slow.next()
    for number in range(100):
        log.append("a", Text(f"piece {number:03} "))
        await fast.next()
    live = log._live["a"]
    assert sum(len(one.body.text) for one in live.memory if isinstance(one.body, Text)) <= 200
    assert live.since(1) is None  # so that the slow reader must go to the rows
    await log.end("a", END)
    for reader in (slow, fast):
        await reader.rest()
        assert reader.numbers == list(range(1, len(reader.numbers) + 1))
        assert reader.seen[-1].body == END
    said = [one.body.text for one in slow.seen if isinstance(one.body, Text)]
    assert "".join(said) == "".join(f"piece {number:03} " for number in range(100))


@pytest.mark.parametrize("seed", range(12))
async def test_readers_that_come_and_go_all_see_the_same_log(
    seed: int, disk: Disk, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    monkeypatch.setattr(livelog, "MEMORY_LIMIT", rng.choice((1, 50, 10**6)))
    monkeypatch.setattr(generations, "EVENT_PAGE", rng.choice((1, 3, 500)))
    await begin(disk, log, "a")

    async def write() -> None:
        for number in range(150):
            log.append("a", rng.choice((Text, Reasoning))(f"{number} "))
            if rng.random() < 0.5:
                await asyncio.sleep(rng.choice((0, 0, 0.001, 0.004)))
        await log.end("a", END)

    async def read() -> dict[int, Body]:
        seen: dict[int, Body] = {}
        while not seen or not isinstance(seen[max(seen)], Ended):
            reader = Reader(log, after=max(seen, default=0))
            for _ in range(rng.randrange(1, 20)):
                if not await reader.next():
                    break
                await asyncio.sleep(rng.choice((0, 0, 0.002)))
            await reader.leave()
            for event in reader.seen:
                assert event.seq == max(seen, default=0) + 1, f"seed {seed}"
                seen[event.seq] = event.body
        return seen

    writing = asyncio.create_task(write())
    maps = await asyncio.gather(*(read() for _ in range(8)))
    await writing
    assert all(one == maps[0] for one in maps)
    assert list(maps[0].values()) == await stored(disk)
    assert log._live == {}


async def test_a_reader_after_the_end_gets_the_same_and_then_the_end(
    disk: Disk, log: EventLog
) -> None:
    await begin(disk, log, "a")
    log.append("a", Text("all of it"))
    live = Reader(log)
    await log.end("a", END)
    late, partly = Reader(log), Reader(log, after=2)
    assert await live.rest() == await late.rest() == await stored(disk)
    assert await partly.rest() == [END]
    assert await Reader(log, after=3).rest() == []
    assert await Reader(log, "nobody").rest() == []


async def test_a_quiet_log_gives_signs_of_life(disk: Disk, log: EventLog) -> None:
    await begin(disk, log, "a")
    groups = log.tail("a", after=1, quiet_s=0.001)
    assert [await anext(groups) for _ in range(3)] == [(), (), ()]
    await groups.aclose()
    await log.end("a", END)


async def test_readers_are_sent_home_but_those_who_wait_for_the_whole_stay(
    disk: Disk, log: EventLog
) -> None:
    started = await begin(disk, log, "a")
    reader = Reader(log, after=1)
    going = asyncio.create_task(reader.next())
    patient = log.tail("a", after=1, patient=True)
    staying = asyncio.create_task(anext(patient))
    await asyncio.sleep(0)
    log.send_readers_home()
    assert await asyncio.wait_for(going, 5) == []
    assert await Reader(log).rest() == []
    log.append("a", Text("the rest"))
    assert [one.body for one in await asyncio.wait_for(staying, 5)] == [Text("the rest")]
    await patient.aclose()
    await log.end("a", END)
    assert (await stored(disk))[0] == started


async def test_followers_are_counted_and_forgotten(disk: Disk, log: EventLog) -> None:
    await begin(disk, log, "a")
    assert log.followers("a") == 1  # who asked for it
    log.unseat("a")
    readers = [Reader(log) for _ in range(3)]
    for reader in readers:
        await reader.next()
    assert log.followers("a") == 3
    for reader in readers:
        await reader.leave()
    assert log.followers("a") == 0
    await log.end("a", END)
    assert log.followers("a") == 0


# ── when something is wrong ───────────────────────────────────────────────────────────────────


async def test_a_log_whose_rows_are_gone_is_given_up_alone(disk: Disk, log: EventLog) -> None:
    gone = await begin(disk, log, "a")
    await begin(disk, log, "b")
    reader, other = Reader(log), Reader(log, "b", after=1)
    assert await reader.next() == [gone]
    await disk.write(lambda conn: trash.condemn(conn, [gone.session_id]) and trash.step(conn))
    disk.gate.clear()
    log.append("a", Text("lost"))
    log.append("b", Text("kept"))
    disk.gate.set()
    assert await asyncio.wait_for(other.next(), 5) == [Text("kept")]
    assert await asyncio.wait_for(reader.next(), 5) == []  # over, without an Ended
    assert not log.runs("a")
    await asyncio.wait_for(log.end("a", END), 5)
    await asyncio.wait_for(log.wait_end("a"), 5)
    await log.end("b", END)
    assert (await stored(disk, "b"))[1:] == [Text("kept"), END]


async def test_a_second_writer_of_a_log_is_fenced_off(disk: Disk, log: EventLog) -> None:
    started = await begin(disk, log, "a")
    theirs = Event("a", 2, Text("theirs"))
    await disk.write(lambda conn: generations.append(conn, [theirs]))
    log.append("a", Text("ours"))
    reader = Reader(log, after=1)
    assert await asyncio.wait_for(reader.next(), 5) == []
    assert await stored(disk) == [started, theirs.body]
    assert not log.runs("a")


async def test_a_disk_that_refuses_shows_nothing_and_is_tried_again(
    disk: Disk, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventlog, "RETRY_S", 0.005)
    told: list[bool] = []
    log.on_broken = lambda: told.append(log.broken)
    started: Started = await begin(disk, log, "a")
    reader = Reader(log, after=1)
    disk.refusing = True
    before = disk.writes
    log.append("a", Text("not yet"))
    waiting = asyncio.create_task(reader.next())
    await until(lambda: disk.writes >= before + 5)
    assert (told, waiting.done(), await stored(disk)) == ([True], False, [started])
    disk.refusing = False
    assert await asyncio.wait_for(waiting, 5) == [Text("not yet")]
    assert not log.broken
    await log.end("a", END)


async def test_a_source_rests_as_long_as_the_disk_is_busy(disk: Disk, log: EventLog) -> None:
    await begin(disk, log, "a")
    disk.gate.clear()
    log.append("a", Text("x"))
    await until_reached(disk)
    resting = asyncio.create_task(log.beat())
    assert not (await asyncio.wait({resting}, timeout=0.05))[0]
    disk.gate.set()
    await asyncio.wait_for(resting, 5)
    await log.end("a", END)
