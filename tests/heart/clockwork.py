"""An event loop whose clock a test moves, and that stops where only the clock could go on.

    settle()    run whatever can run at this moment, threads included
    advance(s)  move the clock from timer to timer, and settle at each
    finish(c)   run a coroutine that needs no timer, to its result
    dice        if set: what is ready at the same moment runs in an order that they decide,
                unless a thread works for the loop

The loop is asyncio's own. Its selector sees when it is asked to sleep: nothing is ready then. If a
thread still works for the loop it sleeps until that thread reports; else it stops instead.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import Context
from heapq import heappop, heappush
from math import inf, nextafter
from random import Random
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
MANY_TURNS = 20_000  # of the loop at one moment: whoever needs more waits for nothing


class Spinning(Exception):
    """Something goes round and round while no time passes."""


class _Selector(selectors.BaseSelector):
    """The system's selector, but for how it sleeps."""

    def __init__(self, asleep: Callable[[], bool]) -> None:
        self._inner = selectors.DefaultSelector()
        self._asleep = asleep
        self.turns = 0  # since it was last told to begin anew

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        if self.turns > MANY_TURNS:
            raise Spinning
        if timeout == 0:
            return self._inner.select(0)
        return self._inner.select(None if self._asleep() else 0)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def close(self) -> None:
        self._inner.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()


class Clockwork(asyncio.SelectorEventLoop):
    """See the module. `outside` counts what threads do for the loop now."""

    def __init__(self) -> None:
        self.moment = 0.0
        self.outside = 0
        self.dice: Random | None = None
        self._alarms: list[float] = []
        self._turning = _Selector(self._nothing_is_ready)
        super().__init__(self._turning)
        self._clock_resolution = 0.0  # asyncio's own: no timer goes off before its moment

    def time(self) -> float:
        return self.moment

    def _run_once(self) -> None:
        ready = self._ready  # type: ignore[attr-defined]  # asyncio's own
        if self.dice is not None and not self.outside and len(ready) > 1:
            shuffled = list(ready)
            self.dice.shuffle(shuffled)
            ready.clear()
            ready.extend(shuffled)
        super()._run_once()  # type: ignore[misc]

    def settle(self) -> None:
        """Run until nothing moves but by the clock or by the test. Raises Spinning."""
        self._turning.turns = 0
        self.run_forever()

    def advance(self, seconds: float) -> None:
        """Let time pass. Every timer on the way goes off just after its own moment."""
        until = self.moment + seconds
        self.settle()
        while self._alarms and self._alarms[0] <= until:
            self._go_past(self._alarms[0])
            self.settle()
        self.moment = max(self.moment, until)
        self.settle()

    def _go_past(self, alarm: float) -> None:
        """To the next moment at which no timer is due: asyncio calls only what is over."""
        self.moment = max(self.moment, nextafter(alarm, inf))
        while self._alarms and self._alarms[0] <= self.moment:
            self.moment = nextafter(max(self.moment, heappop(self._alarms)), inf)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        if when <= self.moment:
            when = nextafter(self.moment, -inf)
        else:
            heappush(self._alarms, when)
        return super().call_at(when, callback, *args, context=context)

    def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of something that waits for no timer."""
        task = self.create_task(work)
        self.settle()
        return task.result()

    @contextmanager
    def thread_works(self) -> Iterator[None]:
        """Around the wait for a thread that reports by `call_soon_threadsafe`."""
        self.outside += 1
        try:
            yield
        finally:
            self.outside -= 1

    def run_in_executor(  # type: ignore[override]  # a future either way
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self.outside += 1
        future.add_done_callback(self._thread_is_done)
        return future

    def _thread_is_done(self, _: asyncio.Future[Any]) -> None:
        self.outside -= 1

    def _nothing_is_ready(self) -> bool:
        """Whether the loop may sleep until a thread reports."""
        if not self.outside:
            self.stop()
        return self.outside > 0
