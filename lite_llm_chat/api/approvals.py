"""Calls of tools that a person has to allow: what waits, and the person's word."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from .deps import GenerationId, PartsDep, json_only
from .errors import responses
from .generations import shown
from .replies import GenerationOut, WaitingOut
from .requests import ApprovalIn

router = APIRouter(tags=["approvals"], dependencies=[Depends(json_only)])

CallId = Annotated[str, Path(min_length=1, max_length=255)]


@router.get("/approvals", responses=responses(422, 503))
async def list_approvals(
    parts: PartsDep,
    after: Annotated[
        str, Query(max_length=64, description="The last generation_id of the page before")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[WaitingOut]:
    """The answers that wait for a person, oldest first."""
    waiting = await parts.approvals.waiting(after, limit)
    return [WaitingOut.of(generation, calls) for generation, calls in waiting]


@router.post(
    "/generations/{generation_id}/approvals/{call_id}",
    responses=responses(404, 409, 413, 415, 422, 503),
)
async def decide(
    parts: PartsDep, generation_id: GenerationId, call_id: CallId, word: ApprovalIn
) -> GenerationOut:
    """Allow a call, or do not: then the model is told so. Either is on disk before the reply, and
    the same word again changes nothing."""
    await parts.approvals.decide(generation_id, call_id, approve=word.approve)
    return await shown(parts, await parts.chat.generation(generation_id))
