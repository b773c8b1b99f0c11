"""How the server ends: from the first signal to the last stored answer.

    SIGTERM, Ctrl-C ─▶ begin:  questions refused · readers sent home · answers get their seconds
                       again:  the seconds are cut
                       finish: every answer has its end on disk; now the database may close

The signal is heard before the web server hears it: that one waits for open responses first, and
would wait for ever.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, cast

from .engine import Engine
from .eventlog import EventLog

if TYPE_CHECKING:  # whoever is served by it has it already; whoever is not does not need it
    import uvicorn

LAST_WORDS_S = 0.5  # after the drain, for responses that are still being read

log = logging.getLogger("lite_llm_chat")


class Drain:
    """What happens from the first signal to the closed database."""

    def __init__(
        self,
        engine: Engine,
        eventlog: EventLog,
        seconds: float,
        beside: Callable[[], Sequence[tuple[Engine, EventLog]]] = tuple,
    ) -> None:
        """`beside` gives the other hearts that there are when it begins."""
        self._hearts = [(engine, eventlog)]
        self._beside = beside
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None
        self._servers: list[uvicorn.Server] = []
        self._cut: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Refuse questions, send readers home, give running answers their time. The second call
        takes that time away."""
        if self._task is not None:
            for engine, _ in self._hearts:
                engine.hurry()
            return
        self._hearts += self._beside()
        if running := sum(engine.running for engine, _ in self._hearts):
            log.info("stopping: %d running answers have %g s to finish", running, self._seconds)
        self._task = asyncio.create_task(self._drained(self._seconds), name="drain")
        for engine, eventlog in self._hearts:
            engine.draining = True
            eventlog.send_readers_home()
        self._cut = asyncio.create_task(self._cut_stuck_readers(), name="cut-stuck-readers")

    async def finish(self) -> None:
        """Return when no answer runs any more."""
        if self._task is None:
            self.begin()
        assert self._task is not None
        await self._task
        await self._drained(0)  # a question that was being accepted when the drain began
        if self._cut is not None:
            self._cut.cancel()

    async def _drained(self, seconds: float) -> None:
        await asyncio.gather(*(engine.drain(seconds) for engine, _ in self._hearts))

    async def _cut_stuck_readers(self) -> None:
        """The web server waits for every open connection. One whose client takes nothing never
        closes by itself: after the drain it is dropped."""
        assert self._task is not None
        await asyncio.wait({self._task})
        await asyncio.sleep(LAST_WORDS_S)
        for server in self._servers:
            for connection in list(server.server_state.connections):
                if connection.transport is not None:
                    connection.transport.abort()

    def listen(self) -> Callable[[], None]:
        """Hear SIGTERM and SIGINT before the web server does, which waits for open streams
        first. Returns what undoes it."""
        if threading.current_thread() is not threading.main_thread():
            return lambda: None
        loop = asyncio.get_running_loop()
        before = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)}
        owners = {getattr(handler, "__self__", None) for handler in before.values()}
        servers = [owner for owner in owners if hasattr(owner, "server_state")]
        self._servers = cast("list[uvicorn.Server]", servers)

        def hear(number: int, frame: FrameType | None) -> None:
            first = self._task is None
            loop.call_soon_threadsafe(self.begin)
            handler = before[signal.Signals(number)]
            if first and callable(handler):
                handler(number, frame)

        for name in before:
            signal.signal(name, hear)

        def undo() -> None:
            for name, handler in before.items():
                signal.signal(name, handler)

        return undo
