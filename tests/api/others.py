"""A second and a third vendor beside DeepSeek, each on a port of its own.

deepseek ──▶ upstream      second ──▶ a stand-in      third ──▶ a stand-in
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from standins.deepseek import DeepSeekStandIn
from tests.conftest import KEY, Product, question

from .conftest import Launch

LaunchAll = Callable[..., Awaitable[Product]]
USUAL = "second/deepseek-flash, third/deepseek-flash"


@pytest.fixture
async def second() -> AsyncIterator[DeepSeekStandIn]:
    async with DeepSeekStandIn(key=KEY) as one:
        yield one


@pytest.fixture
async def third() -> AsyncIterator[DeepSeekStandIn]:
    async with DeepSeekStandIn(key=KEY) as one:
        yield one


@pytest.fixture
def launch_all(
    launch: Launch,
    second: DeepSeekStandIn,
    third: DeepSeekStandIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> LaunchAll:
    """Starts a product that knows all three, with short pauses; the second and then the third one
    answer for any other unless a test says otherwise."""
    monkeypatch.setattr("lite_llm_chat.answering.attempts.BACKOFF_S", (0.001, 0.001))
    own = tmp_path / "own.toml"
    rows = (
        f'[[endpoint]]\nid = "{name}"\nbase_url = "{one.url}"\nkey = "{KEY}"\n'
        for name, one in (("second", second), ("third", third))
    )
    own.write_text("\n".join(rows), "utf-8")

    async def start(**changed: object) -> Product:
        return await launch(**{"endpoints_file": str(own), "fallback_models": USUAL, **changed})

    return start


async def whole(product: Product, text: str, **fields: object) -> tuple[int, dict[str, Any]]:
    """A question that is answered at once."""
    return await product.call("POST", "/chat", question(text, stream=False, **fields))


async def states(product: Product) -> dict[str, Any]:
    """Every provider by its id."""
    _, listed = await product.call("GET", "/providers")
    return {one["id"]: one for one in listed}
