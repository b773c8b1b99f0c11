"""The answers of several models to one question, in the three ways of answers.py.

    log of slot 0 ─▶ {"slot": 0, "content": …} ─┐
    log of slot 1 ─▶ {"slot": 1, "content": …} ─┼─▶ one stream ─▶ {"done": true}, after all
    log of slot 2 ─▶ {"slot": 2, "ended": …}   ─┘

Each answer has a log of its own, which can also be followed apart. Nothing here is sent to a client
that has not asked for `models`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from ..domain import Ended, Event, Started, Ticket
from ..errors import StorageUnavailable
from . import sse
from .answers import broken_off, leave, pruned, whole
from .deps import Parts
from .messages import AnswersOut
from .replies import TicketOut, TicketsOut
from .requests import AnswerIn


async def reply(request: Request, parts: Parts, asked: AnswerIn, ticket: Ticket) -> Response:
    """Answer in the way that was asked for. One that failed is there as it ended; the others are
    none the worse for it."""
    everyone = ticket.everyone
    headers = {"x-generation-id": ", ".join(one.generation_id for one in everyone)}
    if ticket.replayed:
        headers["idempotency-replayed"] = "true"
    if asked.background:
        parts.chat.leave(ticket)
        later = TicketsOut(
            session_id=ticket.session_id, answers=[TicketOut.of(one) for one in everyone]
        )
        return JSONResponse(later.model_dump(mode="json"), 202, headers)
    leaving_stops = asked.on_disconnect == "cancel"
    if asked.stream:
        return SeveralStream(parts, ticket, headers, leaving_stops=leaving_stops)
    done = None
    try:
        all_answers = asyncio.gather(*(parts.chat.answered(one.generation_id) for one in everyone))
        client = sse.client_of(request.scope)
        done = await sse.while_connected(request.receive, all_answers, client)
    finally:
        leave(parts, ticket, stop=leaving_stops and done is None)
    if done is None:
        return Response(status_code=499)
    body = AnswersOut(
        session_id=ticket.session_id, answers=[await whole(parts, *one) for one in done]
    )
    return JSONResponse(body.model_dump(mode="json"), 200, headers)


class SeveralStream(sse.EventStream):
    """The logs side by side, from their starts: a frame says whose it is. One that comes to a
    reader is sent before the next of the same log is read: a slow one holds little."""

    def __init__(
        self, parts: Parts, ticket: Ticket, headers: Mapping[str, str], *, leaving_stops: bool
    ) -> None:
        super().__init__(headers)
        self._parts = parts
        self._ticket = ticket
        self._leaving_stops = leaving_stops
        self._turn = asyncio.Lock()
        self._broken: Mapping[str, object] | None = None

    async def frames(self) -> None:
        async with asyncio.TaskGroup() as logs:
            for slot, one in enumerate(self._ticket.everyone):
                logs.create_task(self._follow(slot, one), name=f"several-{one.generation_id}")
        await self.put(sse.data(self._broken or {"done": True}), last=True)

    async def _follow(self, slot: int, one: Ticket) -> None:
        """Send all of one log. What keeps it from its end is said at the end of the stream."""
        if one.replayed and (events := await pruned(self._parts, one.generation_id)) is not None:
            await self._send_all(slot, events)
            return
        over, parts = False, self._parts
        groups = parts.chat.follow(one.generation_id, 0, parts.keep_alive_s)
        try:
            async for group in groups:
                over = bool(group) and isinstance(group[-1].body, Ended)
                await self._send_all(slot, group)
        except StorageUnavailable as error:
            self._broken = {"error": error.detail, "code": error.code}
            return
        finally:
            await groups.aclose()
        if not over:
            fault = broken_off(parts)
            self._broken = {"error": fault.detail, "code": fault.code}

    async def _send_all(self, slot: int, group: Sequence[Event]) -> None:
        chunk = b"".join(_frame(slot, event) for event in group) if group else sse.KEEP_ALIVE
        async with self._turn:
            await self.put(chunk)

    def over(self, *, left: bool) -> None:
        leave(self._parts, self._ticket, stop=left and self._leaving_stops)


_HEAD = b"data: {"


def _frame(slot: int, event: Event) -> bytes:
    """The plain frame with its slot in front. A beginning also says who was asked, and an end is
    that of one answer, not of the stream."""
    match event.body:
        case Started() as begun:
            return sse.data({"slot": slot, **sse.started(event.generation_id, begun)})
        case Ended() as ended:
            return sse.data({"slot": slot, "ended": sse.ending(ended)})
        case _:
            frame = sse.plain(event)
            return frame and b'%b"slot": %d, %b' % (_HEAD, slot, frame.removeprefix(_HEAD))
