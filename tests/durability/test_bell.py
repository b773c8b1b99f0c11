"""What threads have done on the event loop: all of it, in the order in which they asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lite_llm_chat.store.bell import Bell

MANY = 300_000  # more than a socket holds bytes


@pytest.fixture
async def bell() -> AsyncIterator[Bell]:
    ringing = Bell()
    yield ringing
    ringing.close()


async def test_more_than_a_socket_holds_is_done_in_order(bell: Bell) -> None:
    done: list[int] = []
    over = asyncio.Event()

    def ask() -> None:
        for number in range(MANY):
            bell.call(done.append, number)
        bell.call(over.set)

    await asyncio.gather(asyncio.to_thread(ask), over.wait())
    assert done == list(range(MANY))


async def test_a_defect_is_told_and_costs_nobody_else_a_call(bell: Bell) -> None:
    told: list[dict[str, Any]] = []
    over = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))

    def fail() -> None:
        raise ZeroDivisionError

    bell.call(fail)
    bell.call(over.set)
    await over.wait()
    assert [type(one["exception"]) for one in told] == [ZeroDivisionError]


async def test_what_waits_at_the_end_is_done_before_it() -> None:
    bell = Bell()
    done: list[str] = []
    bell.call(done.append, "last")
    bell.close()
    assert done == ["last"]
