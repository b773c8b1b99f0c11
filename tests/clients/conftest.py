"""A product that is looked at when its clients have gone: nothing may be left of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from standins.deepseek import DeepSeekStandIn
from tests.api.truth import logs_are_true
from tests.conftest import Product
from tests.durability.processes import until
from tests.durability.test_nothing_left import leftovers

from .trial import Trial

PATIENCE_S = 30.0


def sockets() -> int:
    """How many sockets this process has open."""
    found = 0
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found += str(each.readlink()).startswith("socket:")
    return found


def held(product: Product, upstream: DeepSeekStandIn) -> dict[str, int]:
    """What the product and its process hold of clients and answers, by name. A connection to the
    vendor may be kept; it has two ends in this process."""
    assert product._server is not None
    state = product._server.server_state
    return {
        **leftovers(product),
        "connections": len(state.connections),
        "requests": len(state.tasks),
        "all tasks": len(asyncio.all_tasks()),
        "sockets": sockets() - 2 * len(upstream._server.open),
    }


async def send_home(product: Product) -> None:
    """End the connections that the test's own client keeps."""
    assert product._session is not None
    await product._session.close()
    product._session = aiohttp.ClientSession(
        product.url, connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(60)
    )


class Faults(logging.Handler):
    """Keeps what was logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def no_faults() -> Iterator[None]:
    """Nobody logs an error meanwhile: not the product, the web server or the event loop."""
    faults = Faults()
    loggers = [logging.getLogger(name) for name in ("lite_llm_chat", "uvicorn", "asyncio")]
    for logger in loggers:
        logger.addHandler(faults)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(faults)
    assert faults.said == []


@pytest.fixture
def trial(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Trial:
    """The seeds of this test's rounds, and its way to be heard."""
    return Trial(request.node.nodeid, capsys)


@pytest.fixture
async def product(product: Product, upstream: DeepSeekStandIn) -> AsyncIterator[Product]:
    """A running product. After the test its clients leave; then it holds what it held before, and
    every log is true."""
    await (await product.ask("say: warm")).rest()
    await send_home(product)
    await until(lambda: held(product, upstream)["connections"] == 0, PATIENCE_S)
    before = held(product, upstream)
    with no_faults():
        yield product
        await send_home(product)

        def nothing_more() -> bool:
            now = held(product, upstream)
            return all(now[name] <= before[name] for name in now)

        with suppress(TimeoutError):
            await until(nothing_more, PATIENCE_S)
        now = held(product, upstream)
        assert {name: now[name] for name in now if now[name] > before[name]} == {}
    await logs_are_true(product)
