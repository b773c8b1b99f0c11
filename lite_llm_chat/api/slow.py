"""Connections whose clients take nothing are closed, so that they cannot pile up.

    Edge ─ one connection a request ─▶ SlowReaders.watch
                                            │ every few seconds: has its buffer shrunk?
                                            └─ not for `patience_s` ─▶ closed

An answer goes on without its readers, and a reader that comes back finds the whole log: closing
costs nobody a word. What is watched is the transport, not the response: a response that was handed
over whole may wait in the transport for a client that never reads it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple

from starlette.types import Receive, Scope

LOOKS = 8  # in the time that a client has

log = logging.getLogger("lite_llm_chat")


class _Seen(NamedTuple):
    """How much waited at the last look, and since when it has not become less."""

    waiting: int
    since: float


class SlowReaders:
    """Watches connections while `run` runs."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._seen: dict[asyncio.Transport, _Seen] = {}

    def watch(self, scope: Scope, receive: Receive) -> None:
        """Watch the connection of a request. ASGI does not show it; our side of it does, and else
        uvicorn's `receive` is a method of the exchange, which has it (0.54). With another server
        nothing is watched."""
        whose = scope.get("state", {}).get("client") or getattr(receive, "__self__", None)
        transport = getattr(whose, "transport", None)
        if isinstance(transport, asyncio.Transport):
            self._seen.setdefault(transport, _Seen(0, 0.0))

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await asyncio.sleep(self._patience_s / LOOKS)
            self.look(asyncio.get_running_loop().time())

    def look(self, now: float) -> None:
        """Close the connections that have taken nothing for too long."""
        for transport, seen in list(self._seen.items()):
            waiting = transport.get_write_buffer_size()
            if not waiting and transport.is_closing():
                del self._seen[transport]
            elif not waiting or not seen.waiting or waiting < seen.waiting:
                self._seen[transport] = _Seen(waiting, now)
            elif now - seen.since < self._patience_s:
                self._seen[transport] = _Seen(waiting, seen.since)
            else:
                log.info("a client took nothing for %g s: closed", self._patience_s)
                transport.abort()
