"""Generations: look at one, follow it from any point, stop it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import JSONResponse
from starlette.responses import Response

from ..domain import LIVE, Generation
from ..errors import Invalid
from . import answers, streams
from .deps import LARGEST_ID, GenerationId, Parts, PartsDep, SessionId
from .errors import responses
from .replies import GenerationOut

router = APIRouter(tags=["generations"])

After = Annotated[
    int, Query(ge=0, le=LARGEST_ID, description="The last number that was seen; 0: from the start")
]
LastEventId = Annotated[str | None, Header(description="As `after`, and wins over it")]
STREAM: dict[int | str, dict[str, object]] = {
    200: {
        "description": "Numbered server-sent events: started, text, reasoning, tool_call,"
        " tool_result, approval, rerouted, seal, ended, caught_up, snapshot, shutdown",
        "content": {"text/event-stream": streams.NUMBERED_EVENTS},
    },
    **responses(404, 409, 422, 503),
}


@router.get("/generations/{generation_id}", responses=responses(404, 422, 503))
async def get_generation(parts: PartsDep, generation_id: GenerationId) -> GenerationOut:
    """How an answer stands: status, usage, timings, and what went wrong if anything did."""
    return await shown(parts, await parts.chat.generation(generation_id))


@router.get("/generations/{generation_id}/events", response_class=Response, responses=STREAM)
async def follow_generation(
    parts: PartsDep,
    generation_id: GenerationId,
    after: After = 0,
    last_event_id: LastEventId = None,
) -> Response:
    """Every event after a number, each once: first what is stored, then `caught_up`, then what
    comes, until `ended`. A reader that is cut off comes back with the last id it saw."""
    generation = await parts.chat.generation(generation_id)
    return _follow(parts, generation, _cursor(generation_id, after, last_event_id))


@router.get(
    "/sessions/{session_id}/events",
    response_class=Response,
    responses={**STREAM, 204: {"description": "Nothing is being answered"}},
)
async def follow_session(
    parts: PartsDep, session_id: SessionId, after: After = 0, last_event_id: LastEventId = None
) -> Response:
    """The events of the answer that this session is getting now. Their ids name the generation
    too, so that a reader who comes back to find another answer gets that one from its start."""
    live = await parts.chat.generation_of(session_id)
    if live is None:
        return Response(status_code=204)
    after = _cursor(live.id, after, last_event_id)
    return _follow(parts, live, after, scope=f"{live.id}:")


@router.post(
    "/generations/{generation_id}/cancel",
    response_model=GenerationOut,
    responses={
        202: {"model": GenerationOut, "description": "It will stop, but has not yet"},
        **responses(404, 422, 503),
    },
)
async def cancel(parts: PartsDep, generation_id: GenerationId) -> JSONResponse:
    """Stop an answer. What was said is kept; the provider's connection is closed. One that has
    ended already is reported as it ended."""
    generation = await parts.chat.cancel(generation_id)
    body = await shown(parts, generation)
    status = 202 if generation.status in LIVE else 200
    return JSONResponse(body.model_dump(mode="json"), status)


async def shown(parts: Parts, generation: Generation) -> GenerationOut:
    """As it stands, with what it cost and the calls that wait for a person."""
    usage = generation.ended.usage if generation.ended else None
    cost: int | None = None
    if usage is not None:
        whose = generation.provider, generation.model
        await parts.prices.ready(generation.provider)
        cost = parts.prices.cost(usage, *whose, generation.created_at)
    calls = await parts.approvals.open_calls(generation)
    return GenerationOut.of(generation, parts.chat.check_cursor(generation, 0), cost, calls)


def _follow(parts: Parts, generation: Generation, after: int, scope: str = "") -> Response:
    there = parts.chat.check_cursor(generation, after)
    view = answers.View(generation, after, there, scope)
    return answers.NumberedStream(parts, view)


def _cursor(generation_id: str, after: int, last_event_id: str | None) -> int:
    """The last number that was seen of this generation: 0 if the id is another one's."""
    if not last_event_id:
        return after
    scope, _, number = last_event_id.rpartition(":")
    if not (number.isascii() and number.isdigit()):
        raise Invalid("Last-Event-ID must be the id of an event, such as 12", code="invalid_cursor")
    if scope not in ("", generation_id):
        return 0
    return min(int(number[:20]), LARGEST_ID)
