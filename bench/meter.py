"""What the processes spent and held, read again and again while a load runs.

    Meter(server, upstream) ── every 50 ms ──▶ Reading, Reading, … ──▶ between(a, b) ──▶ Share

So one run tells of its parts: how busy the load was while a crowd arrived, what the server took
once all of it was there.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from .machine import Cores, family, held_mb, spent_s, waits
from .servers import Server

BUSIEST = 0.85
EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU seconds so far of the server, the upstream and this process; the server's memory, and
    how often it was woken."""

    at: float
    server_s: float
    upstream_s: float
    own_s: float
    rss_mb: float
    wakes: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """What was spent between two readings: seconds of CPU, seconds of time, and how often the
    server was woken."""

    server_s: float
    upstream_s: float
    own_s: float
    wall_s: float
    wakes: int = 0

    def why_refused(self, cores: Cores, busiest: float = BUSIEST) -> str:
        """Empty if the load had enough of its core left to be trusted, else what to say."""
        both = self.upstream_s + self.own_s
        busy_s = both if cores.pinned else max(self.upstream_s, self.own_s)
        if busy_s <= busiest * self.wall_s:
            return ""
        return f"the load was busy for {busy_s / self.wall_s:.0%} of its core"


class Meter:
    """Reads while its block runs. The processes must be there before."""

    def __init__(self, server: Server, upstream: Server) -> None:
        self._server = family(server.pid)
        self._upstream = family(upstream.pid)
        self._task: asyncio.Task[None]
        self.readings: list[Reading] = []

    async def __aenter__(self) -> None:
        self._read()
        self._task = asyncio.create_task(self._again())

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        self._read()

    def _read(self) -> None:
        spent = spent_s(self._server), spent_s(self._upstream), time.process_time()
        held = held_mb(self._server), waits(self._server)
        self.readings.append(Reading(time.monotonic(), *spent, *held))

    async def _again(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            self._read()


def at(readings: list[Reading], moment: float) -> Reading:
    """The last reading that is not later than the moment; the first one if all are."""
    return max((each for each in readings if each.at <= moment), key=_at, default=readings[0])


def between(readings: list[Reading], begin: float, end: float) -> Share:
    """What was spent from one moment to the other."""
    first, last = at(readings, begin), at(readings, end)
    return Share(
        last.server_s - first.server_s,
        last.upstream_s - first.upstream_s,
        last.own_s - first.own_s,
        last.at - first.at,
        last.wakes - first.wakes,
    )


def _at(reading: Reading) -> float:
    return reading.at
