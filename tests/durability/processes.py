"""The server as its users run it: a process of its own, on a folder of its own.

    Server("main", folder, upstream.url) ── start ──▶ answers on `url` ── signal, kill ──▶ exit code
           └ or "uvicorn"                               everything it said: `output`

A process is ended by the test that started it, however the test ends: `async with`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import aiohttp

from lite_llm_chat.config import Settings
from lite_llm_chat.providers import registry
from lite_llm_chat.providers.endpoints import NONE
from tests.conftest import KEY

ROOT = Path(__file__).resolve().parents[2]
Way = Literal["main", "uvicorn"]
WAYS: tuple[Way, ...] = ("main", "uvicorn")
PATIENCE_S = 20.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def names_in(folder: Path) -> list[str]:
    """The files of a folder, in order."""
    return sorted(each.name for each in folder.iterdir())


async def until(holds: Callable[[], bool | Awaitable[bool]], within_s: float = 20.0) -> None:
    """Return once something holds that rings no bell. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while True:
            now = holds()
            if now if isinstance(now, bool) else await now:
                return
            await asyncio.sleep(0.002)


def environment(folder: Path, upstream_url: str, **settings: object) -> dict[str, str]:
    """The surroundings of a process: this one's without any setting or vendor's variable, then
    those given."""
    mine = {name.upper() for name in (*Settings.model_fields, *registry.variables(NONE))}
    outside = {name: value for name, value in os.environ.items() if name.upper() not in mine}
    given = {
        "deepseek_api_key": KEY,
        "deepseek_base_url": upstream_url,
        "database_url": f"sqlite:///{folder}/chat.db",
        "upload_dir": f"{folder}/uploads",
        "local_model": "off",
        "titles": "off",
        **settings,
    }
    return outside | {name.upper(): str(value) for name, value in given.items()}


class Server:
    """One process at a time; `start` again after it ended, on the same folder."""

    def __init__(self, way: Way, folder: Path, upstream_url: str = "", **settings: object) -> None:
        self.way = way
        self.folder = folder
        self.port = free_port()
        self.recovery_s = 0.0  # from the last start to the first 200
        self._env = environment(folder, upstream_url, **{"port": self.port, **settings})
        self._output = folder / f"output-{self.port}.txt"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        """The file that a process without a DATABASE_URL of its own uses."""
        return self.folder / "chat.db"

    @property
    def output(self) -> str:
        """All that its processes wrote to standard output and standard error."""
        return self._output.read_text("utf-8") if self._output.exists() else ""

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """The number of the last process that was launched."""
        assert self._process is not None
        return self._process.pid

    async def launch(self) -> None:
        """Make the process; it does not answer yet."""
        with self._output.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(), cwd=self.folder, env=self._env, stdout=out, stderr=out
            )

    def _command(self) -> list[str]:
        if self.way == "main":
            return [sys.executable, str(ROOT / "main.py")]
        listen = ["--app-dir", str(ROOT), "--port", str(self.port), "--no-access-log"]
        return [sys.executable, "-m", "uvicorn", "main:app", *listen]

    async def start(self) -> Self:
        """Launch it, and return when it answers."""
        began = time.monotonic()
        await self.launch()
        async with aiohttp.ClientSession() as client:
            while not await self._healthy(client):
                assert self.running, f"the server ended at its start:\n{self.output}"
                assert time.monotonic() - began < PATIENCE_S, f"no answer:\n{self.output}"
                await asyncio.sleep(0.005)
        self.recovery_s = time.monotonic() - began
        return self

    async def _healthy(self, client: aiohttp.ClientSession) -> bool:
        try:
            async with client.get(f"{self.url}/health") as response:
                return response.status == 200
        except aiohttp.ClientConnectionError:
            return False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self, within_s: float = PATIENCE_S) -> int:
        """The exit code, once it has ended. Raises TimeoutError."""
        assert self._process is not None
        async with asyncio.timeout(within_s):
            return await self._process.wait()

    async def kill(self) -> None:
        """End it without a warning; harmless when it has ended."""
        if self.running:
            self.signal(signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.kill()
