"""Who can answer, and with which models."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from .deps import PartsDep
from .errors import responses
from .replies import ModelOut, ProviderOut

router = APIRouter(tags=["catalog"])


@router.get("/providers")
async def list_providers(parts: PartsDep) -> list[ProviderOut]:
    """The providers that this server speaks to, and whether each can answer now."""
    return [
        ProviderOut(
            id=one.id,
            name=one.name,
            description=one.description,
            supported=True,
            ready=one.readiness.ready,
            default=one.is_default,
            note=one.readiness.note,
            resting_until=one.resting_until,
        )
        for one in parts.chat.providers()
    ]


@router.get("/models", responses=responses(422))
async def list_models(
    parts: PartsDep,
    provider: Annotated[str | None, Query(description="Only this provider's")] = None,
) -> list[ModelOut]:
    """The models, each provider's default first. Vendors that are ready are asked for their own
    lists now and then; one that is slow is not waited for."""
    await parts.model_lists.refresh(provider)
    models, now = parts.chat.models(provider), parts.now()

    def work() -> list[ModelOut]:
        return [ModelOut.of(one, parts.prices.at(one.provider, one.id, now)) for one in models]

    return await asyncio.to_thread(work)  # to look many prices up takes a while
