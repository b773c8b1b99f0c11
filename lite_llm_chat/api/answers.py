"""The three ways to be answered: as a stream, as one JSON object, or later.

    Ticket ─▶ stream      frames of the log, as they come
           ─▶ whole       the message, once the log has ended
           ─▶ background  202, and the log is there to follow

All three read the same log; only what is sent differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from ..domain import LIVE, Ended, Event, Fault, Generation, Message, Started, Ticket
from ..errors import LiteError, StorageUnavailable, Unavailable, UpstreamError
from ..store import branches, messages
from . import sse
from .deps import Parts
from .messages import AnswerOut, MessageOut
from .replies import TicketOut
from .requests import AnswerIn

SERVER_STOPPING = Fault(
    code="server_stopping",
    detail="the server is stopping: the answer is kept, ask for it again in a moment",
)
LOG_UNAVAILABLE = Fault(
    code="log_unavailable",
    detail="the events of this answer can no longer be read: read its message instead",
)
STATUSES = {
    "file_not_found": 404,
    "upstream_timeout": 504,
    "upstream_gave_up": 503,
    "provider_not_configured": 503,
    "provider_overloaded": 503,
    "provider_rate_limited": 503,
}


async def reply(request: Request, parts: Parts, asked: AnswerIn, ticket: Ticket) -> Response:
    """Answer in the way that was asked for."""
    headers = {"x-generation-id": ticket.generation_id}
    if ticket.replayed:
        headers["idempotency-replayed"] = "true"
    if asked.background:
        parts.chat.leave(ticket)
        return JSONResponse(TicketOut.of(ticket).model_dump(mode="json"), 202, headers)

    leaving_stops = asked.on_disconnect == "cancel"
    if asked.stream:
        return PlainStream(parts, ticket, headers, leaving_stops=leaving_stops)
    ended: tuple[Generation, Message] | None = None
    try:
        answer = parts.chat.answered(ticket.generation_id)
        client = sse.client_of(request.scope)
        ended = await sse.while_connected(request.receive, answer, client)
    finally:
        leave(parts, ticket, stop=leaving_stops and ended is None)
    if ended is None:
        return Response(status_code=499)
    generation, message = ended
    if message.fault is not None:
        raise _failed(ticket, message, message.fault)
    body = await whole(parts, generation, message)
    return JSONResponse(body.model_dump(mode="json"), 200, headers)


async def whole(parts: Parts, generation: Generation, message: Message) -> AnswerOut:
    """An answer that has ended."""
    return AnswerOut(
        session_id=generation.session_id,
        generation_id=generation.id,
        message=await shown(parts, message),
        warnings=list(generation.warnings),
    )


def leave(parts: Parts, ticket: Ticket, *, stop: bool) -> None:
    """The asker follows no more; `stop`: for its leaving means that."""
    parts.chat.leave(ticket)
    if stop:
        for one in ticket.everyone:
            parts.chat.cancel_soon(one.generation_id)


async def shown(parts: Parts, message: Message) -> MessageOut:
    """An answer with what it cost and the answers beside it."""
    if message.usage is not None:
        await parts.prices.ready(message.provider or "")
    beside = await parts.database.read(lambda conn: branches.beside(conn, message))
    return MessageOut.of(message, parts.prices, parts.api_prefix, beside)


def _failed(ticket: Ticket, message: Message, fault: Fault) -> LiteError:
    where: dict[str, object] = {
        "session_id": ticket.session_id,
        "generation_id": ticket.generation_id,
        "message_id": ticket.message_id,
    }
    return _failure(message, fault.code, fault.detail, where)


def _failure(message: Message, code: str, detail: str, where: dict[str, object]) -> LiteError:
    error: LiteError
    if message.status == "interrupted":
        error = Unavailable(detail, code=code)
    else:
        error = UpstreamError(detail, code=code, status=STATUSES.get(code, 502))
    error.extra = where
    return error


class PlainStream(sse.EventStream):
    """The log in the dialect of POST /chat, from its start."""

    def __init__(
        self, parts: Parts, ticket: Ticket, headers: Mapping[str, str], *, leaving_stops: bool
    ) -> None:
        super().__init__(headers)
        self._parts = parts
        self._ticket = ticket
        self._leaving_stops = leaving_stops

    async def frames(self) -> None:
        if self._ticket.replayed and await self._whole():
            return
        over, parts = False, self._parts
        groups = parts.chat.follow(self._ticket.generation_id, 0, parts.keep_alive_s)
        try:
            async for group in groups:
                over = _ends(group)
                chunk = b"".join(map(sse.plain, group)) if group else sse.KEEP_ALIVE
                await self.put(chunk, last=over)
        except StorageUnavailable as error:
            await self.put(sse.data({"error": error.detail, "code": error.code}), last=True)
            return
        finally:
            await groups.aclose()
        if not over:
            fault = broken_off(parts)
            await self.put(sse.data({"error": fault.detail, "code": fault.code}), last=True)

    async def _whole(self) -> bool:
        """Put the answer at once, if it is so old that its log was pruned."""
        events = await pruned(self._parts, self._ticket.generation_id)
        if events is not None:
            await self.put(b"".join(map(sse.plain, events)), last=True)
        return events is not None

    def over(self, *, left: bool) -> None:
        leave(self._parts, self._ticket, stop=left and self._leaving_stops)


async def pruned(parts: Parts, generation_id: str) -> Sequence[Event] | None:
    """The events that a whole answer comes to, if its log was pruned."""
    generation = await parts.chat.generation(generation_id)
    if generation.ended is None or generation.logged:
        return None
    message = await message_of(parts, generation)
    started = Started(generation.session_id, message.id, generation.provider, generation.model)
    return sse.snapshot(message, started, generation.ended)


def _ends(group: Sequence[Event]) -> bool:
    return bool(group) and isinstance(group[-1].body, Ended)


def broken_off(parts: Parts) -> Fault:
    """Why a log's stream ends before the log does."""
    return SERVER_STOPPING if parts.chat.draining else LOG_UNAVAILABLE


@dataclass(frozen=True, slots=True)
class View:
    """What a reader of a log wants: the events after number `after`. `there` is the log's length
    when the request was accepted; `scope` is put in front of the numbers in the stream's ids."""

    generation: Generation
    after: int
    there: int
    scope: str = ""

    @property
    def ended(self) -> bool:
        return self.generation.status not in LIVE

    @property
    def caught_up_at(self) -> int:
        """The number after which the reader has what was there; the end comes after that."""
        return self.there - 1 if self.ended and self.after < self.there else self.there


class NumberedStream(sse.EventStream):
    """The log after a number: what is there, `caught_up` once, then what comes."""

    def __init__(self, parts: Parts, view: View) -> None:
        super().__init__({"x-generation-id": view.generation.id})
        self._parts = parts
        self._view = view

    async def frames(self) -> None:
        view, parts = self._view, self._parts
        if not view.generation.logged:
            await self._snapshot()
            return
        nothing_comes = view.ended and view.after >= view.there
        if view.after >= view.caught_up_at:
            caught_up = sse.named("caught_up", {"seq": view.caught_up_at})
            await self.put(caught_up, last=nothing_comes)
        if nothing_comes:
            return
        over = False
        groups = parts.chat.follow(view.generation.id, view.after, parts.keep_alive_s)
        try:
            async for group in groups:
                over = _ends(group)
                chunk = b"".join(_frames(view, group)) if group else sse.KEEP_ALIVE
                await self.put(chunk, last=over)
        except StorageUnavailable as error:
            shutdown = sse.named("shutdown", {"code": error.code, "detail": error.detail})
            await self.put(shutdown, last=True)
            return
        finally:
            await groups.aclose()
        if not over:
            fault = broken_off(parts)
            shutdown = sse.named("shutdown", {"code": fault.code, "detail": fault.detail})
            await self.put(shutdown, last=True)

    async def _snapshot(self) -> None:
        view = self._view
        if view.after < view.there:
            message = await shown(self._parts, await message_of(self._parts, view.generation))
            seq = f"{view.scope}{view.there}"
            await self.put(sse.named("snapshot", message.model_dump(mode="json"), seq))
        await self.put(sse.named("caught_up", {"seq": view.there}), last=True)


def _frames(view: View, group: Sequence[Event]) -> Iterator[bytes]:
    for event in group:
        yield sse.numbered(event, view.scope)
        if event.seq == view.caught_up_at:
            yield sse.named("caught_up", {"seq": event.seq})


async def message_of(parts: Parts, generation: Generation) -> Message:
    """The message that a generation answers with."""
    return await parts.database.read(lambda conn: messages.get(conn, generation.message_id))
