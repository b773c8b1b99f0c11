"""How long a commit takes, and what the disk takes for itself, told by a process that does nothing
else: the test that makes the copies would be late itself and blame the server.

    stopwatch(url, block) ─▶ process:  POST session, POST session …      ─▶ commits ┐ begun,
                                       fdatasync of a block, again …     ─▶ syncs   ┘ ended

`python -m tests.backup.stopwatch URL BLOCK` measures until its input ends, then prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
JSON = {"content-type": "application/json"}
Span = tuple[float, float]  # begun, ended, on the monotonic clock
PAUSE_S = 0.01


@dataclass
class Times:
    """What was measured, and when something else was `copying`."""

    commits: list[Span] = field(default_factory=list)
    syncs: list[Span] = field(default_factory=list)
    copying: list[Span] = field(default_factory=list)

    def took(self, beside: bool) -> list[Span]:
        """The commits that took place beside a copy, or those that did not."""
        return [
            one for one in self.commits if any(_meet(one, copy) for copy in self.copying) is beside
        ]

    def held_up_ms(self) -> float:
        """The longest that a commit beside a copy took beyond what the disk took meanwhile."""
        return max((_ms(one) - self._disk_ms(one) for one in self.took(beside=True)), default=0.0)

    def _disk_ms(self, commit: Span) -> float:
        """The longest sync that was under way at some moment of a commit."""
        return max((_ms(sync) for sync in self.syncs if _meet(sync, commit)), default=0.0)

    def line(self, beside: bool) -> str:
        """Median, 99th percentile and maximum of the commits."""
        took = sorted(map(_ms, self.took(beside))) or [0.0]
        of = {"p50": len(took) // 2, "p99": len(took) * 99 // 100, "max": len(took) - 1}
        figures = " ".join(f"{name} {took[place]:.0f}" for name, place in of.items())
        return f"{'beside' if beside else 'alone'} a backup {figures} ms"


def _meet(one: Span, other: Span) -> bool:
    return one[0] < other[1] and one[1] > other[0]


def _ms(span: Span) -> float:
    return 1000 * (span[1] - span[0])


@asynccontextmanager
async def stopwatch(url: str, block: Path) -> AsyncIterator[Times]:
    """Measures while the block runs; the times are there after it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.backup.stopwatch", url, str(block)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    times = Times()
    try:
        yield times
    finally:
        out, _ = await process.communicate(b"")
    assert process.returncode == 0, "the stopwatch broke: see its output"
    for name, spans in json.loads(out).items():
        getattr(times, name).extend(map(tuple, spans))


# ── the process ───────────────────────────────────────────────────────────────────────────────


def measure(url: str, block: Path) -> dict[str, list[Span]]:
    """Commit and sync until the input ends."""
    over = threading.Event()
    times: dict[str, list[Span]] = {"commits": [], "syncs": []}
    syncing = threading.Thread(target=_sync, args=(block, over, times["syncs"]))
    ending = threading.Thread(target=_wait_for_the_end, args=(over,), daemon=True)
    for thread in (syncing, ending):
        thread.start()
    try:
        _commit(url, over, times["commits"])
    finally:
        over.set()
        syncing.join()
    return times


def _wait_for_the_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def _commit(url: str, over: threading.Event, spans: list[Span]) -> None:
    line = HTTPConnection(urlsplit(url).netloc, timeout=60)
    while not over.wait(PAUSE_S):
        begun = time.monotonic()
        line.request("POST", "/api/v1/sessions", b'{"title": "probe"}', JSON)
        response = line.getresponse()
        body = response.read()
        spans.append((begun, time.monotonic()))
        if response.status != 201:
            raise SystemExit(f"POST /sessions answered {response.status}: {body.decode()}")
    line.close()


def _sync(block: Path, over: threading.Event, spans: list[Span]) -> None:
    file = os.open(block, os.O_CREAT | os.O_WRONLY, 0o600)
    while not over.wait(PAUSE_S):
        begun = time.monotonic()
        os.pwrite(file, random.randbytes(4096), 0)
        os.fdatasync(file)
        spans.append((begun, time.monotonic()))
    os.close(file)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
