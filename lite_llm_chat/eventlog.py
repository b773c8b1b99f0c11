"""The log of every running answer: persist, then publish.

    engine ── append(piece) ──▶ pending ─┐
    engine ── append(piece) ──▶ pending ─┼─ flush: one transaction for all ─▶ rows
    engine ── end(ended) ─────▶ pending ─┘                │ committed
                                                          ▼
                              memory of each running log (bounded) ── ring ──▶ readers
                                                          ▲ too late for memory?
                                                        rows

What is promised:

* Nothing is seen before it is committed. Numbers run 1, 2, 3 … without a hole.
* The first piece of an answer and its end are committed at once; what comes between waits for the
  next tick: `interval`, or twice what the last two commits both took if that is longer (a slow
  disk makes larger groups, a single stall does not), at most MAX_INTERVAL_S.
* Everything said between two ticks is one Text (or Reasoning) event: pieces are merged.
* Live, late, again or after a restart, a reader runs the same loop: `tail`. It holds a number and
  no queue, so a slow reader costs nothing and cannot slow anyone down.

If the disk refuses, nothing is published; the same group is tried again every RETRY_S until it is
taken, and the engine is told at once (`on_broken`), so that it lets go of the vendors.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from math import ceil
from typing import NamedTuple

from .domain import Ended, Event, Fault, Inner
from .errors import RuleBroken, StorageUnavailable
from .livelog import LiveLog, Reader
from .store import generations as rows
from .store.database import Connection, Database
from .tail import Tail

MAX_INTERVAL_S = 0.25
CROWD = 160  # sources drawn in one tick; more lengthen the time between two draws of each …
MOST_STRETCH = 3.0  # … at most so many times
RETRY_S = 0.5
PENDING_LIMIT = 8 * 1024  # characters that wait before a flush is hurried
CATCHING_UP = 2  # readers of rows that are given a page at a time; live ones come between
DRAW_TURNS = 4  # a source wakes, its socket is polled, read, and what was read is decoded

GIVEN_UP = Ended(
    "failed",
    fault=Fault("internal_error", "the server could not keep the rest of this answer: see its log"),
)

log = logging.getLogger("lite_llm_chat.eventlog")


class _Part(NamedTuple):
    """One running log's share of a flush."""

    live: LiveLog
    events: list[Event]
    begins_at: datetime | None
    ending: rows.Ending | None
    waiting: bool | None  # whether a person has to decide now; None: as before
    opening: int  # events that are still being committed, by a transaction before this one


class EventLog:
    """Append, end, tail. `start` makes the one task that commits; `close` ends it."""

    def __init__(
        self, database: Database, now: Callable[[], datetime], *, interval_s: float = 0.04
    ) -> None:
        self._db = database
        self._now = now
        self._interval_s = interval_s
        self._live: dict[str, LiveLog] = {}
        self._dirty: dict[LiveLog, None] = {}
        self._urgent: dict[LiveLog, None] = {}
        self._work = asyncio.Event()  # something is dirty
        self._hurry = asyncio.Event()  # something is urgent
        self._resting: list[asyncio.Future[None]] = []  # sources, until the next tick
        self._closing = False  # readers are sent home
        self._catching_up = asyncio.Semaphore(CATCHING_UP)
        self._loop: asyncio.AbstractEventLoop
        self._task: asyncio.Task[None] | None = None
        self.broken = False
        self.on_broken: Callable[[], None] = lambda: None
        self.on_given_up: Callable[[str], object] = lambda _: None

    # ── writing ───────────────────────────────────────────────────────────────────────────

    def reserve(self, generation_id: str) -> None:
        """Make room for a log whose first events are being committed: readers that come now wait
        for them. Its asker counts as a reader until `unseat`."""
        self._live[generation_id] = live = LiveLog(generation_id)
        live.readers = 1

    def release(self, generation_id: str) -> None:
        """Undo `reserve`: the first events were not committed."""
        live = self._live.get(generation_id)
        if live is not None:
            self._forget(live)

    def expect(self, opening: Sequence[Event]) -> None:
        """The first events of a reserved log, from number 1, are being committed: what is
        appended from now on goes into the very next transaction. If that commit fails, it is
        dropped there."""
        live = self._live.get(opening[0].generation_id)
        if live is not None:
            live.numbered = live.opening = len(opening)

    def open(self, opening: Sequence[Event]) -> None:
        """Begin a reserved log with its first events: they are committed. What was appended
        before `expect` or this waits no longer."""
        live = self._live.get(opening[0].generation_id)
        if live is None:  # given up meanwhile
            return
        live.numbered, live.opening = live.numbered or len(opening), 0
        self._publish(live, opening)
        if live.pending or live.ending is not None:
            self._mark(live, urgent=True)

    def reopen(self, generation_id: str, last_seq: int, open_calls: Iterable[str]) -> None:
        """Go on with a log that an earlier process left waiting for a person."""
        self._live[generation_id] = live = LiveLog(generation_id)
        live.seq = live.numbered = last_seq
        live.begun = True
        live.open_calls.update(open_calls)

    def runs(self, generation_id: str) -> bool:
        """Whether a log is reserved or running."""
        return generation_id in self._live

    @property
    def running(self) -> int:
        """How many logs are reserved or running."""
        return len(self._live)

    def append(self, generation_id: str, body: Inner) -> None:
        """Let a piece wait for the next flush. Never blocks; see `beat`."""
        live = self._live.get(generation_id)
        if live is None or live.ending is not None:
            return
        live.add(body)
        self._mark(live, urgent=not live.begun or live.pending_size >= PENDING_LIMIT)

    async def beat(self) -> None:
        """Wait for the next tick. A source that rests here between two draws is woken once a
        flush instead of once a token, and waits as long as a slow disk needs: what it has not
        drawn stays with the vendor, so memory is bounded."""
        rest: asyncio.Future[None] = self._loop.create_future()
        self._resting.append(rest)
        self._work.set()
        await rest

    async def settled(self, generation_id: str) -> bool:
        """Return once all that was appended before is on disk; False if the log runs no more
        and that is not sure."""
        live = self._live.get(generation_id)
        if live is None:
            return False
        if live.pending:
            self._mark(live, urgent=True)
        return await live.settled()

    async def end(self, generation_id: str, ended: Ended) -> None:
        """Commit what waits and the last event; returns when they are on disk. A second end is
        ignored: the first stands."""
        live = self._live.get(generation_id)
        if live is None:
            return
        if live.ending is None:
            live.ending = ended
            self._mark(live, urgent=True)
        await live.wait_over()

    def _mark(self, live: LiveLog, *, urgent: bool) -> None:
        if not live.numbered or live.taken:
            return
        self._dirty[live] = None
        self._work.set()
        if urgent:
            self._urgent[live] = None
            self._hurry.set()

    # ── the flush ─────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()  # asked once: a system call in Python 3.11
        self._task = asyncio.create_task(self._serve(), name="eventlog-flush")

    async def close(self) -> None:
        """Stop flushing. A log that has not ended is given up: the next start ends it."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for live in list(self._live.values()):
            self._forget(live)

    async def _serve(self) -> None:
        loop = self._loop
        next_tick = last_s = 0.0
        while True:
            await self._work.wait()
            rang = await _rung(self._hurry, next_tick - loop.time())
            if self._urgent:  # also when the tick is due: drawing would hold a first word up
                await self._flush(self._take(self._urgent))
            if rang:
                continue
            began = loop.time()
            interval_s = await self._draw()
            drawn = loop.time()
            await self._flush(self._take(self._dirty))
            before_s, last_s = last_s, loop.time() - drawn
            pause_s = max(interval_s, 2 * min(before_s, last_s))
            next_tick = began + min(MAX_INTERVAL_S, pause_s)

    async def _draw(self) -> float:
        """Wake the sources that have rested longest and let them bring what has come meanwhile: a
        few turns of the event loop, in which their sockets are read. Returns the seconds until
        the next ones.

        Each is drawn once an interval while they are few. Many are drawn more seldom, so that
        one reading brings more tokens; and in turns, so that none waits for all the others."""
        everyone = len(self._resting)
        if not everyone:
            return self._interval_s
        turns = ceil(everyone / CROWD)
        share = ceil(everyone / turns)
        resting, self._resting = self._resting[:share], self._resting[share:]
        for rest in resting:
            if not rest.done():
                rest.set_result(None)
        for _ in range(DRAW_TURNS):
            await asyncio.sleep(0)
        return self._interval_s * min(max(1.0, everyone / CROWD), MOST_STRETCH) / turns

    def _take(self, chosen: dict[LiveLog, None]) -> list[_Part]:
        parts = []
        now = self._now()
        for live in list(chosen):
            self._dirty.pop(live, None)
            self._urgent.pop(live, None)
            events = live.take()
            ending = None
            if live.ending is not None:
                number, followed = live.numbered + 1, live.readers > 0
                ending = rows.Ending(live.id, number, live.ending, now, followed)
                live.taken = True
            begins = bool(events) and not live.begun
            live.begun = live.begun or begins
            begins_at = now if begins else None
            parts.append(_Part(live, events, begins_at, ending, live.waiting(), live.opening))
        if not self._dirty and not self._resting:
            self._work.clear()
        self._hurry.clear()  # an urgent log is a dirty one: both ways take all of them
        return parts

    async def _flush(self, parts: list[_Part]) -> None:
        """Commit and publish. One log that the rows refuse is given up alone."""
        if not parts:
            return
        try:
            stored = await self._commit(parts)
        except Exception as cause:
            if len(parts) > 1:
                for part in parts:
                    await self._flush([part])
                return
            for part in parts:
                log.error("generation %s: its log was given up: %r", part.live.id, cause)
                await self._give_up(part.live, fenced=isinstance(cause, RuleBroken))
            return
        for part in stored:
            ending = part.ending
            last = [] if ending is None else [Event(part.live.id, ending.seq, ending.ended)]
            self._publish(part.live, [*part.events, *last])

    def _publish(self, live: LiveLog, committed: Sequence[Event]) -> None:
        live.publish(committed)
        if live.ended:
            self._forget(live)

    async def _give_up(self, live: LiveLog, *, fenced: bool) -> None:
        """Let go of a log that cannot be written, and end it after whatever the rows hold; one
        whose rows belong to somebody else by now (or are deleted) is not ours to end."""

        at = self._now()
        try:
            if not fenced:
                await self._db.write(lambda conn: rows.end_now(conn, live.id, GIVEN_UP, at))
        except Exception as cause:
            log.error("generation %s: whoever looks next will end it: %r", live.id, cause)
        self._forget(live)
        self.on_given_up(live.id)

    async def _commit(self, parts: list[_Part]) -> list[_Part]:
        """The parts that are stored: all but those whose questions were not."""

        def work(conn: Connection) -> list[_Part]:
            stored = [part for part in parts if not part.opening or _is_open(conn, part)]
            events = [event for part in stored for event in part.events]
            if events:
                rows.append(conn, events)
            for part in stored:
                rows.stand(conn, part.live.id, part.begins_at, part.ending, waiting=part.waiting)
            return stored

        while True:
            try:
                stored = await self._db.write(work)
            except StorageUnavailable:
                if not self.broken:
                    self.broken = True
                    self.on_broken()
                await asyncio.sleep(RETRY_S)
            else:
                self.broken = False
                return stored

    def _forget(self, live: LiveLog) -> None:
        self._live.pop(live.id, None)
        live.close()

    # ── reading ───────────────────────────────────────────────────────────────────────────

    def followers(self, generation_id: str) -> int:
        """How many readers follow a running answer now."""
        live = self._live.get(generation_id)
        return 0 if live is None else live.readers

    def unseat(self, generation_id: str) -> None:
        """The asker of an answer has gone, or never meant to stay."""
        live = self._live.get(generation_id)
        if live is not None:
            live.readers -= 1

    def last_seq(self, generation_id: str) -> int | None:
        """The number of the last committed event of a running log, or None if it does not run."""
        live = self._live.get(generation_id)
        return None if live is None else live.seq

    async def wait_end(self, generation_id: str) -> None:
        """Return once the log runs no more."""
        live = self._live.get(generation_id)
        if live is not None:
            await live.wait_over()

    def send_readers_home(self) -> None:
        """End every impatient `tail`, now and from now on: the server is about to stop."""
        self._closing = True
        for live in self._live.values():
            live.ring()

    def tail(
        self, generation_id: str, after: int = 0, *, quiet_s: float = 15.0, patient: bool = False
    ) -> Tail:
        """The events after a number, in order, each once: at first what is there, then what
        comes, in the groups in which it was committed. An empty group means that nothing came
        for `quiet_s`. Ends after the Ended event; also, without one, when the log is not running
        and has no more rows, or (unless `patient`) when the server is about to stop.
        """
        live = self._live.get(generation_id)
        reader = None if live is None else Reader(live, self._loop, quiet_s)
        return Tail(self, (generation_id, after), reader, patient=patient)

    @property
    def closing(self) -> bool:
        """Whether readers are sent home."""
        return self._closing

    async def stored(self, generation_id: str, after: int) -> Sequence[Event]:
        """The first of the events after a number, from rows."""
        async with self._catching_up:
            return await self._db.read(lambda conn: rows.read_events(conn, generation_id, after))


def _is_open(conn: Connection, part: _Part) -> bool:
    """Whether the transaction that should have opened a log did so."""
    return rows.opened_with(conn, part.live.id, part.opening)


async def _rung(bell: asyncio.Event, within_s: float) -> bool:
    if within_s <= 0 or bell.is_set():
        return within_s > 0
    try:
        async with asyncio.timeout(within_s):
            await bell.wait()
    except TimeoutError:
        return False
    return True
