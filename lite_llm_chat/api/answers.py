"""The three ways to be answered: as a stream, as one JSON object, or later.

    Ticket ─▶ stream      frames of the log, as they come
           ─▶ whole       the message, once the log has ended
           ─▶ background  202, and the log is there to follow

All three read the same log; only what is sent differs.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from ..domain import LIVE, Ended, Event, Generation, Message, Ticket
from ..errors import LiteError, Unavailable, UpstreamError
from ..store import messages
from . import sse
from .deps import Parts
from .models import AnswerIn, AnswerOut, MessageOut, TicketOut

STATUSES = {
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
        return JSONResponse(TicketOut.of(ticket).model_dump(mode="json"), 202, headers)

    def left() -> None:
        if asked.on_disconnect == "cancel":
            parts.chat.cancel_soon(ticket.generation_id)

    if asked.stream:
        return sse.EventStream(plain_stream(parts, ticket), headers, left)
    message = await sse.while_connected(request.receive, parts.chat.answer(ticket.generation_id))
    if message is None:
        left()
        return Response(status_code=499)
    return _whole(ticket, message, headers)


def _whole(ticket: Ticket, message: Message, headers: dict[str, str]) -> Response:
    fault = message.fault
    if fault is not None:
        where: dict[str, object] = {
            "session_id": ticket.session_id,
            "generation_id": ticket.generation_id,
            "message_id": ticket.message_id,
        }
        raise _failure(message, fault.code, fault.detail, where)
    body = AnswerOut(
        session_id=ticket.session_id,
        generation_id=ticket.generation_id,
        message=MessageOut.of(message),
        warnings=list(ticket.warnings),
    )
    return JSONResponse(body.model_dump(mode="json"), 200, headers)


def _failure(message: Message, code: str, detail: str, where: dict[str, object]) -> LiteError:
    error: LiteError
    if message.status == "interrupted":
        error = Unavailable(detail, code=code)
    else:
        error = UpstreamError(detail, code=code, status=STATUSES.get(code, 502))
    error.extra = where
    return error


async def plain_stream(parts: Parts, ticket: Ticket) -> AsyncGenerator[bytes, None]:
    """The log in the dialect of POST /chat, from its start."""
    if ticket.replayed:  # only then may the log be so old that it was pruned
        generation = await parts.chat.generation(ticket.generation_id)
        if not generation.logged:
            yield sse.plain_snapshot(await message_of(parts, generation))
            return
    last: Event | None = None
    groups = parts.chat.follow(ticket.generation_id, 0, parts.keep_alive_s)
    async with aclosing(groups):
        async for group in groups:
            yield b"".join(map(sse.plain, group)) if group else sse.KEEP_ALIVE
            last = group[-1] if group else last
    if last is None or not isinstance(last.body, Ended):
        yield sse.data({"error": sse.SERVER_STOPPING, "code": "server_stopping"})


async def numbered_stream(
    parts: Parts, generation: Generation, after: int, there: int
) -> AsyncGenerator[bytes, None]:
    """The log after a number: what is there (up to number `there`, as it was when the request
    was accepted), `caught_up` once, then what comes."""
    if not generation.logged:
        if after < there:
            message = MessageOut.of(await message_of(parts, generation))
            yield sse.named("snapshot", message.model_dump(mode="json"), there)
        yield sse.named("caught_up", {"seq": there})
        return
    ended = generation.status not in LIVE
    target = there - 1 if ended and after < there else there
    told = after >= target
    if told:
        yield sse.named("caught_up", {"seq": target})
    if ended and after >= there:
        return
    over = False
    groups = parts.chat.follow(generation.id, after, parts.keep_alive_s)
    async with aclosing(groups):
        async for group in groups:
            frames = [] if group else [sse.KEEP_ALIVE]
            for event in group:
                frames.append(sse.numbered(event))
                over = over or isinstance(event.body, Ended)
                if not told and event.seq >= target:
                    told = True
                    frames.append(sse.named("caught_up", {"seq": event.seq}))
            yield b"".join(frames)
    if not over:
        yield sse.named("shutdown", {"detail": sse.SERVER_STOPPING})


async def message_of(parts: Parts, generation: Generation) -> Message:
    """The message that a generation answers with."""
    return await parts.database.read(lambda conn: messages.get(conn, generation.message_id))
