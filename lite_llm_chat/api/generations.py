"""Generations: look at one, follow it from any point, stop it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import JSONResponse
from starlette.responses import Response

from ..domain import LIVE
from ..errors import Invalid
from . import answers, sse
from .deps import LARGEST_ID, GenerationId, PartsDep, SessionId
from .errors import responses
from .models import GenerationOut

router = APIRouter(tags=["generations"])

After = Annotated[
    int, Query(ge=0, le=LARGEST_ID, description="The last number that was seen; 0: from the start")
]
LastEventId = Annotated[str | None, Header(description="As `after`, and wins over it")]
STREAM: dict[int | str, dict[str, object]] = {
    200: {
        "description": "Numbered server-sent events: started, text, reasoning, ended, caught_up,"
        " snapshot, shutdown",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    **responses(404, 409, 422, 503),
}


@router.get("/generations/{generation_id}", responses=responses(404, 422, 503))
async def get_generation(parts: PartsDep, generation_id: GenerationId) -> GenerationOut:
    """How an answer stands: status, usage, timings, and what went wrong if anything did."""
    generation = await parts.chat.generation(generation_id)
    return GenerationOut.of(generation, parts.chat.check_cursor(generation, 0))


@router.get("/generations/{generation_id}/events", response_class=Response, responses=STREAM)
async def follow_generation(
    parts: PartsDep,
    generation_id: GenerationId,
    after: After = 0,
    last_event_id: LastEventId = None,
) -> Response:
    """Every event after a number, each once: first what is stored, then `caught_up`, then what
    comes, until `ended`. A reader that is cut off comes back with the last id it saw."""
    return await _follow(parts, generation_id, _cursor(after, last_event_id))


@router.get(
    "/sessions/{session_id}/events",
    response_class=Response,
    responses={**STREAM, 204: {"description": "Nothing is being answered"}},
)
async def follow_session(
    parts: PartsDep, session_id: SessionId, after: After = 0, last_event_id: LastEventId = None
) -> Response:
    """The events of the answer that this session is getting now."""
    live = await parts.chat.generation_of(session_id)
    if live is None:
        return Response(status_code=204)
    return await _follow(parts, live.id, _cursor(after, last_event_id))


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
    body = GenerationOut.of(generation, parts.chat.check_cursor(generation, 0))
    status = 202 if generation.status in LIVE else 200
    return JSONResponse(body.model_dump(mode="json"), status)


async def _follow(parts: PartsDep, generation_id: str, after: int) -> Response:
    generation = await parts.chat.generation(generation_id)
    there = parts.chat.check_cursor(generation, after)
    frames = answers.numbered_stream(parts, generation, after, there)
    return sse.EventStream(frames, {"x-generation-id": generation_id})


def _cursor(after: int, last_event_id: str | None) -> int:
    if last_event_id is None or last_event_id == "":
        return after
    if not (last_event_id.isascii() and last_event_id.isdigit()):
        raise Invalid(
            "Last-Event-ID must be the number of an event, such as 12", code="invalid_cursor"
        )
    return min(int(last_event_id[:20]), LARGEST_ID)
