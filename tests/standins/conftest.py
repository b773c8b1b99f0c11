"""One stand-in per test, with a clock that stands still and waits that take no time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import openai
import pytest

from standins.deepseek import DeepSeekStandIn, Traits

ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
async def upstream() -> AsyncIterator[DeepSeekStandIn]:
    traits = Traits(clock=lambda: 1_790_000_000.0, new_id=lambda: ID, wait_scale=0)
    async with DeepSeekStandIn(key="sk-test", traits=traits) as standin:
        yield standin


@pytest.fixture
async def client(upstream: DeepSeekStandIn) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=upstream.url, api_key="sk-test", max_retries=0
    ) as openai_client:
        yield openai_client
