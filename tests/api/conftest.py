"""Products whose logs are checked when their test is over, and products with other settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from lite_llm_chat.config import Settings
from tests.conftest import Product, QuietServer

from .truth import logs_are_true

Launch = Callable[..., Awaitable[Product]]


class BriskServer(QuietServer):
    """Looks ten times as often whether it is to stop: every test waits for that."""

    async def main_loop(self) -> None:
        while not await self.on_tick(0):  # noqa: ASYNC110 - uvicorn is stopped by a flag
            await asyncio.sleep(0.01)


@pytest.fixture
async def launch(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Launch]:
    """Starts a product with some settings changed."""
    monkeypatch.setattr("tests.conftest.QuietServer", BriskServer)
    running: list[Product] = []

    async def start(**changed: object) -> Product:
        running.append(await Product(settings.model_copy(update=changed)).start())
        return running[-1]

    yield start
    for product in running:
        if product._task is not None:
            await logs_are_true(product)
            await product.stop()


@pytest.fixture
async def product(launch: Launch) -> Product:
    """A running product; every log it leaves is checked."""
    return await launch()
