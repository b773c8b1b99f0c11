"""One running log in memory: what waits for the disk, and the newest of what is on it.

    add(piece) ─▶ pending ─ take ─▶ numbered events ─▶ (commit) ─▶ publish ─▶ memory, ring
                                                                              └─▶ since(after)

Pieces of a kind that wait together leave as one event, unless that would be a large one. Memory is
a bounded end of the log: a reader that asks for what came before it is told to read rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from .domain import Approval, Ended, Event, Inner, Reasoning, Text, ToolCall, ToolResult

MEMORY_LIMIT = 256 * 1024  # characters that readers are served from
EVENT_CHARS = 16 * 1024  # characters of one event: what a reader must be given in one go
PAGE_CHARS = 16 * 1024  # characters that a reader is given at once


class LiveLog:
    """One running log: what waits to be committed, and the newest of what was."""

    __slots__ = (
        "_decided",
        "_early",
        "_waiting",
        "begun",
        "ending",
        "id",
        "memory",
        "memory_size",
        "numbered",
        "open_calls",
        "opening",
        "over",
        "pending",
        "pending_size",
        "readers",
        "seq",
        "taken",
    )

    def __init__(self, generation_id: str) -> None:
        self.id = generation_id
        self.seq = 0  # of the last committed event
        self.numbered = 0  # events that have a number; 0 until the first ones are being committed
        self.opening = 0  # how many events its first commit holds, until that is told of
        self.begun = False  # True once its first piece is on its way to the disk
        self.pending: list[tuple[type[Text] | type[Reasoning], list[str]] | Inner] = []
        self.pending_size = 0
        self.ending: Ended | None = None
        self.taken = False  # True once the ending is on its way to the disk
        self.memory: list[Event] = []  # contiguous, up to and including `seq`
        self.memory_size = 0
        self.readers = 0
        self.open_calls: set[str] = set()  # calls that wait for a person
        self._decided = False  # True if one of them came or went since the last `take`
        self._early: Sequence[Event] = ()  # committed, but what comes before was not told of yet
        self._waiting: list[asyncio.Future[bool]] = []  # readers, until the next publication
        self.over = False  # True once the end is committed, or the log was given up

    def add(self, body: Inner) -> None:
        self.pending_size += _size(body)
        if not isinstance(body, Text | Reasoning):
            self.pending.append(body)
            if isinstance(body, Approval):
                self._decided = True
                (self.open_calls.add if body.state == "asked" else self.open_calls.discard)(
                    body.call_id
                )
            return
        kind, last = type(body), self.pending[-1] if self.pending else None
        if type(last) is tuple and last[0] is kind:
            last[1].append(body.text)
        else:
            self.pending.append((kind, [body.text]))

    def take(self) -> list[Event]:
        """What waited, merged and numbered, the end excluded."""
        merged: list[Inner] = []
        for one in self.pending:
            if not isinstance(one, tuple):
                merged.append(one)
                continue
            kind, text = one[0], "".join(one[1])
            if len(text) <= EVENT_CHARS:
                merged.append(kind(text))
            else:
                starts = range(0, len(text), EVENT_CHARS)
                merged += [kind(text[start : start + EVENT_CHARS]) for start in starts]
        self.pending, self.pending_size = [], 0
        first, self.numbered = self.numbered + 1, self.numbered + len(merged)
        return [Event(self.id, seq, body) for seq, body in enumerate(merged, start=first)]

    def waiting(self) -> bool | None:
        """Whether a person has to decide, if what was just taken changes that; None: it does
        not."""
        changed, self._decided = self._decided, False
        return bool(self.open_calls) if changed else None

    def since(self, after: int) -> Sequence[Event] | None:
        """The committed events after a number, a page of them at most, or None if memory does not
        reach back so far."""
        start = after - (self.seq - len(self.memory))
        if start < 0:
            return None
        new = self.memory[start:]
        return new if len(new) < 2 else _page(new)

    def publish(self, committed: Sequence[Event]) -> None:
        """Show events to readers, once what comes before them is shown. Called only after their
        commit."""
        if committed[0].seq > self.seq + 1:
            self._early = committed
            return
        if self._early:
            committed, self._early = [*committed, *self._early], ()
        self.memory.extend(committed)
        self.seq = committed[-1].seq
        self.memory_size += sum(map(_weight, committed))
        while self.memory_size > MEMORY_LIMIT and len(self.memory) > 1:
            self.memory_size -= _weight(self.memory.pop(0))
        self.ring()

    @property
    def ended(self) -> bool:
        """Whether the end is shown."""
        return bool(self.memory) and isinstance(self.memory[-1].body, Ended)

    def ring(self) -> None:
        """Wake whoever waits for news."""
        waiting, self._waiting = self._waiting, []
        for news in waiting:
            if not news.done():
                news.set_result(True)

    def close(self) -> None:
        """Nothing more is published."""
        self.over = True
        self.ring()

    async def wait_over(self) -> None:
        """Return once nothing more is published."""
        loop = asyncio.get_running_loop()
        while not self.over:
            news: asyncio.Future[bool] = loop.create_future()
            self.tell(news)
            await news

    async def settled(self) -> bool:
        """Return True once nothing waits for the disk, False if the log is over before that."""
        loop = asyncio.get_running_loop()
        while waits := bool(self.pending) or self.seq < self.numbered:
            if self.over:
                break
            news: asyncio.Future[bool] = loop.create_future()
            self.tell(news)
            await news
        return not waits

    def hush(self, news: asyncio.Future[bool]) -> None:
        """Tell one who waits that nothing came."""
        self._waiting.remove(news)
        news.set_result(False)

    def tell(self, news: asyncio.Future[bool]) -> None:
        """Set a future at the next ring."""
        self._waiting.append(news)


class Reader:
    """One who follows a running log, until `close`. It has one timer, not one for each wait."""

    __slots__ = ("_due", "_live", "_loop", "_news", "_quiet_s", "_timer")

    def __init__(self, live: LiveLog, loop: asyncio.AbstractEventLoop, quiet_s: float) -> None:
        live.readers += 1
        self._live = live
        self._quiet_s = quiet_s
        self._loop = loop
        self._due = 0.0
        self._news: asyncio.Future[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def since(self, after: int) -> Sequence[Event] | None:
        """As LiveLog's."""
        return self._live.since(after)

    @property
    def over(self) -> bool:
        """Whether nothing more is published."""
        return self._live.over

    def missed(self, after: int) -> bool:
        """Whether there was something after a number: one who looked in vain finds it gone."""
        return self._live.seq > after

    def news(self) -> asyncio.Future[bool]:
        """True at the next ring, False if it stayed quiet for `quiet_s`. A reader that has looked
        and not awaited anything since cannot miss one."""
        self._due = self._loop.time() + self._quiet_s
        if self._timer is None:
            self._timer = self._loop.call_at(self._due, self._look)
        self._news = self._loop.create_future()
        self._live.tell(self._news)
        return self._news

    def close(self) -> None:
        """Follow no more."""
        self._live.readers -= 1
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if self._news is None or self._news.done():
            return
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._look)
        else:
            self._live.hush(self._news)


def _page(events: Sequence[Event]) -> Sequence[Event]:
    """As many of some events as a reader should be given at once."""
    size = 0
    for count, event in enumerate(events, start=1):
        size += _weight(event)
        if size >= PAGE_CHARS:
            return events[:count]
    return events


def _weight(event: Event) -> int:
    return _size(event.body)


def _size(body: object) -> int:
    """Characters of what a body says."""
    match body:
        case Text() | Reasoning():
            return len(body.text)
        case ToolCall():
            return len(body.arguments)
        case ToolResult():
            return len(body.content)
        case _:
            return 0
