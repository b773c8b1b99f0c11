"""However a vendor fails, every answer ends: in time, rightly named, nothing doubled, nothing lost.

    34 modes × seeds ─▶ a real server process ─▶ raw upstream, refusing port, full queue, …
                              └ rows and bytes ─▶ verdict.findings

The modes are `modes.py`; the timers are seconds instead of minutes.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.durability import oracle
from tests.durability.processes import Server
from tests.torture import record, replayable, scaled, seed

from .lane import Told
from .modes import MODES, SETTINGS, Mode, Place
from .raw_upstream import RawUpstream, black_hole, refusing_port
from .speech import Speech
from .verdict import Outcome, findings

SEEDS = scaled(3, 30)
NODE = "tests/faults/test_upstream_faults.py"


class Measured(Server):
    """A server whose largest memory can be asked for."""

    def _status(self, name: str) -> float:
        assert self._process is not None
        lines = Path(f"/proc/{self._process.pid}/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))

    def memory_mib(self) -> float:
        """What it has now; the peak begins anew."""
        assert self._process is not None
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5", "ascii")
        return self._status("VmRSS")

    def peak_mib(self) -> float:
        """The most it had since then."""
        return self._status("VmHWM")


@asynccontextmanager
async def places(folder: Path, upstream: RawUpstream) -> AsyncIterator[dict[Place, Measured]]:
    """A running server for each kind of address that a vendor can have."""
    async with AsyncExitStack() as stack:
        refused, hole = (stack.enter_context(make()) for make in (refusing_port, black_hole))
        urls: dict[Place, str] = {
            "raw": f"http://127.0.0.1:{upstream.port}",
            "heavy": f"http://127.0.0.1:{upstream.port}",
            "tls": f"https://127.0.0.1:{upstream.port}",
            "refused": f"http://127.0.0.1:{refused}",
            "hole": f"http://127.0.0.1:{hole}",
            "lost": "http://vendor.invalid",
        }
        servers: dict[Place, Measured] = {}
        for place, url in urls.items():
            (folder / place).mkdir(parents=True)
            servers[place] = Measured("main", folder / place, url, **SETTINGS)
        await asyncio.gather(*map(stack.enter_async_context, servers.values()))
        yield servers


async def play(mode: Mode, number: int, upstream: RawUpstream, server: Measured) -> Outcome:
    """One run of a mode."""
    run = f"{mode.name}-{number}"
    upstream.scripts[run] = lambda call: mode.build(Speech(number, mode.name, call, upstream.port))
    if mode.place == "tls":
        upstream.handshakes = run
    told, base_mib = Told(f"run {run}"), server.memory_mib()
    async with aiohttp.ClientSession(server.url) as client:
        began = time.monotonic()
        async with asyncio.timeout(mode.timeout_s + 30):
            await told.take(client)
        took_s = time.monotonic() - began
    peak_mib = server.peak_mib() - base_mib if mode.place == "heavy" else 0.0
    outcome = Outcome(mode, number, told, took_s, peak_mib)
    try:
        async with asyncio.timeout(5):
            for call in upstream.of(run):
                await call.closed.wait()
    except TimeoutError:
        outcome.left_open = True
    outcome.calls = upstream.of(run)
    return outcome


async def play_all(
    number: int, upstream: RawUpstream, servers: dict[Place, Measured]
) -> list[Outcome]:
    """Every mode once: the light ones together, the heavy ones beside them, one by one."""
    light = [mode for mode in MODES.values() if mode.place != "heavy"]
    random.Random(number).shuffle(light)

    async def heavy() -> list[Outcome]:
        modes = [mode for mode in MODES.values() if mode.place == "heavy"]
        return [await play(mode, number, upstream, servers["heavy"]) for mode in modes]

    plays = (play(mode, number, upstream, servers[mode.place]) for mode in light)
    done, measured = await asyncio.gather(asyncio.gather(*plays), heavy())
    return [*done, *measured]


def judged(outcomes: list[Outcome], servers: dict[Place, Measured]) -> Iterator[str]:
    """What is wrong with all of them, once the servers are gone."""
    logs = {place: oracle.logs(server.database) for place, server in servers.items()}
    for place, server in servers.items():
        yield from (f"{place}: {one}" for one in oracle.findings(server.database))
    for outcome in outcomes:
        log = logs[outcome.mode.place].get(outcome.told.generation_id)
        yield from (f"seed {outcome.number}: {one}" for one in findings(outcome, log))


def test_there_are_34_modes() -> None:
    assert len(MODES) == 34


@pytest.mark.timeout(60 + 40 * SEEDS)
async def test_however_a_vendor_fails_every_answer_ends_rightly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes: list[Outcome] = []
    first = seed()
    async with RawUpstream() as upstream, places(tmp_path, upstream) as servers:
        for number in range(first, first + SEEDS):
            outcomes += await play_all(number, upstream, servers)
            with capsys.disabled():
                print(f"\n{len(outcomes)} answers of failing vendors", end="", flush=True)
        for server in servers.values():
            await server.kill()
        found = list(judged(outcomes, servers))
    assert not any(call.path == b"/elsewhere" for call in upstream.calls)
    late = max(outcomes, key=lambda one: one.late_s)
    with capsys.disabled():
        result = (
            f"{len(outcomes)} answers, {len(upstream.calls)} calls, findings {len(found)}, latest"
            f" end {late.late_s:+.2f} s against its timers ({late.mode.name}), most memory"
            f" {max(one.peak_mib for one in outcomes):.0f} MiB"
        )
        wanted = "right code, ended within timeout + 1 s, nothing doubled, memory <= 64 MiB more"
        met = not found and late.late_s <= 1
        record("G3", f"{len(MODES)} ways to fail × {SEEDS} seeds", wanted, result, met)
    with replayable(NODE, first):
        assert found == []
