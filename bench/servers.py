"""The servers under measurement: started in an empty folder, ended by their own process ids.

Servers(folder) ─┬─ upstream  python -m bench.upstream        on the load's core
                 ├─ nginx     proxy_pass, buffering off       on the server's core
                 ├─ product   python main.py                  on the server's core
                 ├─ bare      python -m bench.bare            on the server's core
                 └─ orm       python -m bench.orm             on the server's core
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from .client import Whole, connect, get
from .machine import Cores

ROOT = Path(__file__).resolve().parents[1]
START_S = 60.0
STOP_S = 20.0
Env = dict[str, str]

NGINX = """
daemon off; {user} worker_processes 1; pid {folder}/{port}.pid; error_log {folder}/{port}.err warn;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 1000000; keepalive_timeout 300s;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream vendor {{
        server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        location / {{
            proxy_pass http://vendor; proxy_buffering off; proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""

SPIN = """
import os
os.sched_setaffinity(0, {{{core}}})
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
while os.getppid() == {parent}:
    pass
"""


class NotStarted(Exception):
    """A server did not come up; the text has its last lines."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `started_s` is the time from its spawning to its first answer."""

    pid: int
    port: int
    started_s: float


class Servers:
    """Starts servers and ends each of them when the block is left."""

    def __init__(self, folder: Path, cores: Cores) -> None:
        self._folder = folder
        self._cores = cores
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for process in reversed(self._running):
            _end(process)

    def stop(self, server: Server) -> None:
        """End one server now."""
        for process in self._running:
            if process.pid == server.pid:
                _end(process)

    async def upstream(self) -> Server:
        """The cheap DeepSeek; it shares the core of the load client."""
        port = _free_port()
        command = [sys.executable, "-m", "bench.upstream", str(port)]
        return await self._start(command, port, self._cores.load, {})

    async def bare(self) -> Server:
        """A FastAPI application that answers /health and does nothing else."""
        port = _free_port()
        command = [sys.executable, "-m", "bench.bare", str(port)]
        return await self._start(command, port, self._cores.server, {})

    async def least(self, upstream: Server) -> Server:
        """The least relay whose words are on disk before they are seen, with a fresh file."""
        port = _free_port()
        file = str(self._folder / f"least-{port}.db")
        command = [sys.executable, "-m", "bench.least", str(port), str(upstream.port), file]
        return await self._start(command, port, self._cores.server, {})

    async def orm(self, database: Path) -> Server:
        """The page of a session, answered with SQLAlchemy's ORM and Pydantic."""
        port = _free_port()
        command = [sys.executable, "-m", "bench.orm", str(port), str(database)]
        return await self._start(command, port, self._cores.server, {})

    async def product(self, upstream: Server | None = None, **settings: str) -> Server:
        """The product with a fresh database. Without an upstream it has no DeepSeek key."""
        port = _free_port()
        database = self._folder / f"chat-{port}.db"
        env = {"PORT": str(port), "DATABASE_URL": f"sqlite:///{database}", "LOG_LEVEL": "warning"}
        env["TITLES"] = "off"  # answers are measured, not what is asked beside them
        if upstream:
            env["DEEPSEEK_BASE_URL"] = f"http://127.0.0.1:{upstream.port}"
            env["DEEPSEEK_API_KEY"] = "bench"
        command = [sys.executable, str(ROOT / "main.py")]
        return await self._start(command, port, self._cores.server, env | settings)

    async def nginx(self, upstream: Server) -> Server | None:
        """nginx in front of the upstream, or None where it is not installed."""
        program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if program is None:
            return None
        port = _free_port()
        config = self._folder / f"{port}.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        text = NGINX.format(folder=self._folder, user=user, port=port, upstream=upstream.port)
        config.write_text(text, "utf-8")
        command = [program, "-p", str(self._folder), "-c", str(config)]
        return await self._start(command, port, self._cores.server, {})

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Keep the cores from sleeping: on each runs something that gives way to everything."""
        cores = {self._cores.server, self._cores.load} - {None} or os.sched_getaffinity(0)
        spinning = [
            subprocess.Popen(
                [sys.executable, "-c", SPIN.format(core=core, parent=os.getpid())],
                env=surroundings(),
            )
            for core in cores
        ]
        try:
            yield
        finally:
            for process in spinning:
                process.kill()
                process.wait()

    async def _start(self, command: list[str], port: int, core: int | None, env: Env) -> Server:
        if core is not None:
            command = ["taskset", "-c", str(core), *command]
        begun = time.monotonic()
        process = self._spawn(command, port, env)
        while time.monotonic() < begun + START_S and process.poll() is None:
            if await _answers(port):
                return Server(process.pid, port, time.monotonic() - begun)
            await asyncio.sleep(0.002)
        log = self._log(port).read_text("utf-8", errors="replace")
        raise NotStarted(f"{' '.join(command)} did not answer: {log.strip()[-2000:]}")

    def _spawn(self, command: list[str], port: int, env: Env) -> subprocess.Popen[bytes]:
        with self._log(port).open("wb") as output:
            process = subprocess.Popen(
                command, cwd=self._folder, env=surroundings() | env, stdout=output, stderr=output
            )
        self._running.append(process)
        return process

    def _log(self, port: int) -> Path:
        return self._folder / f"{port}.log"


async def _answers(port: int) -> bool:
    """Whether a GET of /health is answered with 200 (the upstream and nginx: with anything)."""
    try:
        connection = await connect(port)
    except OSError:
        return False
    try:
        return await asyncio.wait_for(connection.ask(get("/health"), Whole()), 5) == 200
    except OSError:
        return False
    finally:
        connection.close()


def surroundings() -> Env:
    """As little of this environment as a program needs: no settings, no keys."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"PYTHONPATH": str(ROOT)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
