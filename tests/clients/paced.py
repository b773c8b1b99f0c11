"""Whole answers at the pace of a model, whose tokens say when they were said.

python -m bench.upstream ─▶ product ─▶ paced(port, 50, rate=50, seconds=4) ─▶ ages of the tokens
"""

from __future__ import annotations

import asyncio

from bench.client import Connection, Tokens, connect, post, products
from tests.conftest import question


async def paced(port: int, count: int, rate: int, seconds: int) -> list[Tokens]:
    """So many answers at the same time, which begin within a second; every token is checked."""
    lines: list[Connection] = [await connect(port) for _ in range(count)]
    request = post("/api/v1/chat", question(f"count={rate * seconds} rate={rate}"))

    async def one(number: int) -> Tokens:
        await asyncio.sleep(number / count)  # begin at another phase than the neighbours do
        tokens = Tokens(products)
        assert await lines[number].ask(request, tokens) == 200
        tokens.check(rate * seconds)
        return tokens

    streams = await asyncio.gather(*(one(number) for number in range(count)))
    for line in lines:
        line.close()
    return streams
