"""Events → server-sent frames, and the response that sends them.

    Event ──▶ plain frame       data: {"content": "Hello"}            (POST /chat: no id, no name)
          └─▶ numbered frame    id: 2 / event: text / data: {…}       (…/events: can be resumed)

The response awaits `send` itself, one call for each group of events that was committed together,
and watches for the client's leaving meanwhile. It owns nothing that must outlive it: the answer
goes on without its readers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Protocol, TypeVar, assert_never

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..domain import (
    Approval,
    Attachment,
    Body,
    Ended,
    Event,
    Message,
    Reasoning,
    Rerouted,
    Seal,
    Started,
    Text,
    ToolCall,
    ToolResult,
)
from .replies import UsageOut

T = TypeVar("T")

KEEP_ALIVE = b": keep-alive\n\n"
HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
    "x-content-type-options": "nosniff",
}
_RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

# Legal inside JSON strings and inside an SSE line, but many line readers break a line here.
_encode = json.JSONEncoder(ensure_ascii=False).encode
_LINE_BREAKERS = {ord(char): f"\\u{ord(char):04x}" for char in "\u0085\u2028\u2029"}


def dump(value: Mapping[str, object]) -> str:
    """JSON on one line for every line reader, raw UTF-8, with a blank after `:` and `,`."""
    text = _encode(value)
    return text if text.isascii() else text.translate(_LINE_BREAKERS)


@lru_cache(maxsize=256)
def _piece(key: str, text: str) -> bytes:
    """The data line of a piece of an answer, the same in both dialects: made once, however many
    readers it goes to."""
    quoted = _encode(text)
    if not quoted.isascii():
        quoted = quoted.translate(_LINE_BREAKERS)
    return f'data: {{"{key}": {quoted}}}\n\n'.encode()


def data(value: Mapping[str, object]) -> bytes:
    """One plain frame."""
    return f"data: {dump(value)}\n\n".encode()


def named(name: str, value: Mapping[str, object], frame_id: str = "") -> bytes:
    """One named frame; with an id, a reader that has it never gets it again."""
    head = f"id: {frame_id}\n" if frame_id else ""
    return f"{head}event: {name}\ndata: {dump(value)}\n\n".encode()


# ── what both dialects say the same ───────────────────────────────────────────────────────────

_NAMES = {
    ToolCall: "tool_call",
    ToolResult: "tool_result",
    Approval: "approval",
    Rerouted: "rerouted",
    Seal: "seal",
}


def inner_fields(body: ToolCall | ToolResult | Approval | Rerouted | Seal) -> dict[str, object]:
    """The data of an event that is neither text nor an end. What is in a seal is the vendor's."""
    match body:
        case ToolCall():
            return {"id": body.id, "name": body.name, "arguments": body.arguments}
        case ToolResult():
            return {"id": body.call_id, "content": body.content, "failed": body.failed}
        case Approval():
            return {"id": body.call_id, "state": body.state}
        case Rerouted():
            to = {"provider": body.provider, "model": body.model, "reason": body.reason}
            return {**to, "warnings": list(body.warnings)}
        case Seal():
            return {"maker": body.maker}
        case _:
            assert_never(body)


# ── the plain dialect ─────────────────────────────────────────────────────────────────────────


def plain(event: Event) -> bytes:
    """The frame that existing clients know. A failure is one `error` frame, and nothing after."""
    body = event.body
    match body:
        case Text():
            return _piece("content", body.text)
        case Reasoning():
            return _piece("reasoning", body.text)
        case Started():
            return data(
                {
                    "session_id": body.session_id,
                    "generation_id": event.generation_id,
                    "message_id": body.message_id,
                }
            )
        case ToolCall() | ToolResult() | Approval() | Rerouted():
            return data({_NAMES[type(body)]: inner_fields(body)})
        case Seal():
            return b""
        case Ended(status="completed"):
            return data({"done": True})
        case Ended():
            code, detail = _fault(body)
            return data({"error": detail, "code": code})
        case _:
            assert_never(body)


def snapshot(message: Message, started: Started, ended: Ended) -> list[Event]:
    """A whole answer as events without numbers, for a log that was pruned."""
    bodies: list[Body] = [started]
    if message.parts:
        bodies += [part for part in message.parts if not isinstance(part, Attachment)]
    else:
        bodies += [Reasoning(message.reasoning)] if message.reasoning else []
        bodies += [Text(message.content)] if message.content else []
    bodies.append(ended)
    return [Event(message.generation_id or "", 0, body) for body in bodies]


def _fault(ended: Ended) -> tuple[str, str]:
    if ended.fault is not None:
        return ended.fault.code, ended.fault.detail
    return ended.status, "the answer was stopped"


# ── the numbered dialect ──────────────────────────────────────────────────────────────────────


def numbered(event: Event, scope: str = "") -> bytes:
    """The frame of a log that can be followed from any number. The id is the number, after the
    scope."""
    body, frame_id = event.body, f"{scope}{event.seq}"
    match body:
        case Text():
            return f"id: {frame_id}\nevent: text\n".encode() + _piece("content", body.text)
        case Reasoning():
            head = f"id: {frame_id}\nevent: reasoning\n".encode()
            return head + _piece("reasoning", body.text)
        case Started():
            return named("started", started(event.generation_id, body), frame_id)
        case ToolCall() | ToolResult() | Approval() | Rerouted() | Seal():
            return named(_NAMES[type(body)], inner_fields(body), frame_id)
        case Ended():
            return named("ended", ending(body), frame_id)
        case _:
            assert_never(body)


def started(generation_id: str, body: Started) -> dict[str, object]:
    """The data of a beginning."""
    return {
        "session_id": body.session_id,
        "generation_id": generation_id,
        "message_id": body.message_id,
        "provider": body.provider,
        "model": body.model,
        "warnings": list(body.warnings),
    }


def ending(ended: Ended) -> dict[str, object]:
    """The data of an end."""
    usage = UsageOut.of(ended.usage)
    fault = ended.fault
    more = {"warnings": list(ended.warnings)} if ended.warnings else {}
    return {
        "status": ended.status,
        "finish_reason": ended.finish_reason,
        "usage": usage and usage.model_dump(),
        "error": fault and {"code": fault.code, "detail": fault.detail},
        **more,
    }


# ── sending ───────────────────────────────────────────────────────────────────────────────────


class Client(Protocol):
    """The connection of a client, where the web server tells of it (see `web.py`)."""

    loop: asyncio.AbstractEventLoop

    def hold(self, left: Callable[[], None]) -> None:
        """Call `left` once the client has left."""

    def let_go(self) -> None:
        """Call nobody any more."""


def client_of(scope: Scope) -> Client | None:
    """Who asked, if the web server is one that tells."""
    client: Client | None = scope["state"].get("client")
    return client


class _Asker:
    """A task whose block is given up when its client leaves. A client that does not tell of its
    leaving is watched by another task."""

    __slots__ = ("_client", "_task", "_watch", "given_up")

    def __init__(self, receive: Receive, client: Client | None) -> None:
        self._task = asyncio.current_task(client.loop if client else None)
        self._client = client
        self._watch: asyncio.Task[None] | None = None
        self.given_up = False
        if client is not None:
            client.hold(self._give_up)
        else:
            self._watch = asyncio.create_task(_left(receive), name="client-watch")
            self._watch.add_done_callback(self._look)

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> bool:
        task, self._task = self._task, None
        assert task is not None
        if self._client is not None:
            self._client.let_go()
        if self._watch is not None:
            self._watch.cancel()
        if not self.given_up or not isinstance(error, asyncio.CancelledError):
            return False
        return not task.uncancel()  # unless somebody else cancelled it too

    def _look(self, watch: asyncio.Task[None]) -> None:
        if not watch.cancelled() and watch.exception() is None:
            self._give_up()

    def _give_up(self) -> None:
        if self._task is not None:
            self.given_up = self._task.cancel()


async def while_connected(
    receive: Receive, work: Awaitable[T], client: Client | None = None
) -> T | None:
    """The work's result, or None if the client left first; then the work is cancelled."""
    with _Asker(receive, client):
        return await work
    return None


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream(Response):
    """A response that is sent frame by frame. The layers call it as any response; it begins only
    when they have been left, so that they cost a held stream nothing: `Edge` calls `send`."""

    _send: Send

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.status_code, self.background, self.body = 200, None, b""
        own = [(name.encode(), value.encode()) for name, value in headers.items()]
        self.raw_headers = [*_RAW_HEADERS, *own]

    async def frames(self) -> None:
        """Put all frames, the last of them as `last`."""
        raise NotImplementedError

    def over(self, *, left: bool) -> None:
        """Nothing is sent any more, because all was, or because the client left."""

    def put(self, chunk: bytes, *, last: bool = False) -> Awaitable[None]:
        """Send some frames; the last ones take the end of the response with them."""
        return self._send({"type": "http.response.body", "body": chunk, "more_body": not last})

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self._send = send
        scope["state"]["stream"] = self

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The head, as the layers want it, then all frames, until the client leaves."""
        done = False
        try:
            with _Asker(receive, client_of(scope)):
                await self._send(
                    {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
                )
                self._send = send
                self.raw_headers = _RAW_HEADERS  # its own have been sent …
                scope["headers"] = ()  # … and the client's were read: a browser's are two kilobytes
                await self.frames()
                done = True
        finally:
            self.over(left=not done)


def begun(scope: Scope) -> EventStream | None:
    """The stream that is the answer to a request, if it is one."""
    stream: EventStream | None = scope["state"].pop("stream", None)
    return stream
