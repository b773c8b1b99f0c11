"""A running product for a test: real sockets, a database of its own, a DeepSeek stand-in behind.

    test ──HTTP──▶ Product (uvicorn on a free port) ──HTTP──▶ DeepSeekStandIn
                        │
                     tmp_path/chat.db

Product and stand-in share the test's event loop, so a test can hold a gate of either and never
sleeps. `start` gives as many products as a test wants, `restart` keeps the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
import hypothesis
import pytest
import uvicorn
from pydantic import SecretStr

from lite_llm_chat.api.deps import Parts
from lite_llm_chat.app import create_app
from lite_llm_chat.cli.serve import KEEP_ALIVE_S
from lite_llm_chat.config import Settings
from lite_llm_chat.providers import registry
from lite_llm_chat.providers.endpoints import NONE
from lite_llm_chat.web import Connection
from standins.deepseek import DeepSeekStandIn

KEY = "sk-stand-in-0123456789abcdef"

# How long an example takes says more of the machine than of the product.
_usual = hypothesis.settings.get_profile(hypothesis.settings.get_current_profile_name())
hypothesis.settings.register_profile("untimed", _usual, deadline=None)
hypothesis.settings.load_profile("untimed")


class QuietServer(uvicorn.Server):
    """A web server that leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class Frame:
    """One server-sent event as it stood on the wire."""

    raw: str
    id: str | None = None
    event: str | None = None
    data: Any = None
    comment: str | None = None

    @classmethod
    def parse(cls, raw: str) -> Frame:
        frame = cls(raw)
        for line in raw.split("\n"):
            name, _, value = line.partition(": ")
            if name == "":
                frame.comment = value
            elif name == "data":
                frame.data = json.loads(value)
            elif name in ("id", "event"):
                setattr(frame, name, value)
        return frame


class Stream:
    """An open stream, read frame by frame."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.status = response.status
        self.headers = response.headers
        self._rest = b""

    async def next(self) -> Frame | None:
        """The next frame, comments included; None at the end."""
        while b"\n\n" not in self._rest:
            chunk = await self.response.content.readany()
            if not chunk:
                assert not self._rest, f"the stream ends inside a frame: {self._rest!r}"
                return None
            self._rest += chunk
        raw, self._rest = self._rest.split(b"\n\n", 1)
        return Frame.parse(raw.decode())

    async def until(self, key: str) -> Frame:
        """The next frame whose data has a key."""
        while (frame := await self.next()) is not None:
            if isinstance(frame.data, dict) and key in frame.data:
                return frame
        raise AssertionError(f"the stream ended before a frame with {key!r}")

    async def rest(self) -> list[Frame]:
        """All frames that are still to come, comments left out."""
        frames = []
        while (frame := await self.next()) is not None:
            if frame.comment is None:
                frames.append(frame)
        return frames

    def leave(self) -> None:
        """Close the connection in the middle."""
        self.response.close()


@dataclass
class Product:
    """A running server and a client of it."""

    settings: Settings
    url: str = ""
    parts: Parts = field(init=False)
    _server: QuietServer | None = None
    _task: asyncio.Task[None] | None = None
    _session: aiohttp.ClientSession | None = None
    _streams: list[aiohttp.ClientResponse] = field(default_factory=list)  # none is left to chance

    async def start(self) -> Self:
        app = create_app(self.settings)
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            app,
            http=Connection,
            lifespan="on",
            log_config=None,
            access_log=False,
            ws="none",
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._server = QuietServer(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        while not self._server.started:
            if self._task.done():
                await self._task
                raise AssertionError("the product did not start")
            await asyncio.sleep(0.001)
        self.parts = app.framework.state.parts
        self._session = aiohttp.ClientSession(self.url)
        return self

    async def stop(self) -> None:
        """A clean end, as after SIGTERM."""
        for response in self._streams:
            response.close()
        self._streams.clear()
        if self._session is not None:
            await self._session.close()
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
        self._server = self._task = self._session = None

    async def restart(self) -> None:
        """Stop and start again on the same database."""
        await self.stop()
        await self.start()

    async def call(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and parsed JSON (None for an empty body). Paths not starting with `/health`,
        `/docs` or `/openapi` are below `/api/v1`."""
        async with self.request(method, path, body, headers) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None

    def request(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Any:
        """The bare request, for its headers and bytes: `async with`."""
        assert self._session is not None
        outside = path.startswith(("/health", "/docs", "/redoc", "/openapi", "/static"))
        full = path if outside else f"/api/v1{path}"
        return (
            self._session.request(method, full, json=body, headers=headers, allow_redirects=False)
            if body is not None
            else self._session.request(method, full, headers=headers, allow_redirects=False)
        )

    async def stream(
        self, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Stream:
        """An open stream: POST with a body, GET without."""
        assert self._session is not None
        method = "GET" if body is None else "POST"
        response = await self._session.request(method, f"/api/v1{path}", json=body, headers=headers)
        self._streams.append(response)
        return Stream(response)

    async def ask(self, text: str, **fields: object) -> Stream:
        """POST /chat, streamed."""
        return await self.stream("/chat", question(text, **fields))


def question(text: str, **fields: object) -> dict[str, object]:
    """The body of a question to DeepSeek's stand-in."""
    return {
        "provider": "deepseek",
        "model": "deepseek-chat",
        "messages": [{"role": "user", "content": text}],
        **fields,
    }


@pytest.fixture
async def upstream() -> AsyncIterator[DeepSeekStandIn]:
    """A DeepSeek that says what it is told to say."""
    async with DeepSeekStandIn(key=KEY) as stand_in:
        yield stand_in


@pytest.fixture
def settings(
    tmp_path: Path, upstream: DeepSeekStandIn, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Settings of a product of its own; a test changes what it needs by `model_copy`."""
    for name in (*Settings.model_fields, *registry.variables(NONE)):
        monkeypatch.delenv(name.upper(), raising=False)
    return Settings(
        _env_file=None,
        deepseek_api_key=SecretStr(KEY),
        deepseek_base_url=upstream.url,
        database_url=f"sqlite:///{tmp_path}/chat.db",
        upload_dir=str(tmp_path / "uploads"),
        backup_dir=str(tmp_path / "backups"),
        local_model="off",
        titles="off",  # whoever counts what a vendor is asked, counts answers
        flush_ms=5,
        drain_seconds=0.2,
        log_level="error",
    )


@pytest.fixture
async def product(settings: Settings) -> AsyncIterator[Product]:
    """A running product."""
    running = await Product(settings).start()
    yield running
    await running.stop()
