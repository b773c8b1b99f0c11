"""Whether the server is well, and whether it takes questions."""

from __future__ import annotations

from fastapi import APIRouter

from ..errors import Unavailable
from .deps import PartsDep
from .errors import responses
from .replies import HealthOut, ReadyOut

router = APIRouter(tags=["health"])


@router.head("/health", include_in_schema=False)
@router.get("/health")
async def health(parts: PartsDep) -> HealthOut:
    """The process is alive; `providers` says of each whether it can answer, and why not."""
    notes = {one.id: one.readiness.note for one in parts.chat.providers()}
    return HealthOut(
        status="healthy", app=parts.app_name, version=parts.app_version, providers=notes
    )


@router.head("/health/ready", include_in_schema=False)
@router.get("/health/ready", responses=responses(503))
async def ready(parts: PartsDep) -> ReadyOut:
    """200 while questions are taken, 503 while the server stops or its disk refuses writes."""
    if parts.chat.draining:
        raise Unavailable("the server is stopping", code="draining")
    if not await parts.database.probe():
        raise Unavailable(
            "the disk refuses writes: check its free space and its health",
            code="storage_unavailable",
        )
    return ReadyOut(status="ready")
