"""Work that is given up when its client leaves, and only then."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lite_llm_chat.api.sse import while_connected


class Client:
    """Leaves when it is told to."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()
        self.breaks = False

    async def receive(self) -> dict[str, Any]:
        await self.leaves.wait()
        if self.breaks:
            raise OSError("no connection")
        return {"type": "http.disconnect"}


class Work:
    """Ends when it is told to; notes that it was given up."""

    def __init__(self) -> None:
        self.ends = asyncio.Event()
        self.given_up = False

    async def do(self) -> str:
        try:
            await self.ends.wait()
        except asyncio.CancelledError:
            self.given_up = True
            raise
        return "done"


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_result_of_work_whose_client_stays() -> None:
    client, work = Client(), Work()
    answering = asyncio.create_task(while_connected(client.receive, work.do()))
    await turns()
    work.ends.set()
    assert await answering == "done"
    await turns()
    assert "client-watch" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_a_client_that_leaves_ends_the_work_and_cancels_nobody_else() -> None:
    client, work = Client(), Work()

    async def request() -> str:
        assert await while_connected(client.receive, work.do()) is None
        await turns()  # what comes after is not cancelled
        return "went on"

    answering = asyncio.create_task(request())
    await turns()
    client.leaves.set()
    assert await answering == "went on"
    assert work.given_up
    assert answering.cancelling() == 0


async def test_leaving_at_the_moment_of_the_end_cancels_nothing_later() -> None:
    for early in range(4):
        client, work = Client(), Work()

        async def request(client: Client = client, work: Work = work) -> str | None:
            result = await while_connected(client.receive, work.do())
            await turns()
            return result

        answering = asyncio.create_task(request())
        await turns()
        client.leaves.set()
        await turns(early)
        work.ends.set()
        assert await answering in ("done", None)
        assert answering.cancelling() == 0


async def test_work_that_somebody_else_cancels_is_cancelled() -> None:
    client, work = Client(), Work()
    answering = asyncio.create_task(while_connected(client.receive, work.do()))
    await turns()
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering
    assert work.given_up


async def test_a_client_that_leaves_while_somebody_else_cancels() -> None:
    client, work = Client(), Work()
    answering = asyncio.create_task(while_connected(client.receive, work.do()))
    await turns()
    client.leaves.set()
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering
    assert answering.cancelled()


async def test_a_broken_watch_does_not_end_the_work() -> None:
    client, work = Client(), Work()
    client.breaks = True
    answering = asyncio.create_task(while_connected(client.receive, work.do()))
    client.leaves.set()
    await turns()
    work.ends.set()
    assert await answering == "done"
