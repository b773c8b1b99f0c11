"""Calls that a person has to allow, by HTTP."""

from __future__ import annotations

import pytest

from tests.conftest import Product

from .caller import Caller
from .conftest import Box, asked, kinds, results, to_caller, until_asked

BUY = "call own__buy 1"


def _path(generation_id: str, call_id: str = "c0.0") -> str:
    return f"/generations/{generation_id}/approvals/{call_id}"


async def test_what_waits_is_shown_and_nothing_of_it_runs(product: Product, box: Box) -> None:
    generation_id = await asked(product, BUY + "\ncall own__add 2")
    assert await until_asked(product, generation_id) == "c0.0"
    _, generation = await product.call("GET", f"/generations/{generation_id}")
    wanted = [{"call_id": "c0.0", "tool": "own__buy", "arguments": "1"}]
    assert (generation["status"], generation["waiting"]) == ("running", True)
    assert generation["approvals"] == wanted
    _, waiting = await product.call("GET", "/approvals")
    assert [(one["generation_id"], one["approvals"]) for one in waiting] == [
        (generation_id, wanted)
    ]
    assert await product.call("GET", f"/approvals?after={generation_id}") == (200, [])
    assert box.began == []


@pytest.mark.parametrize(
    ("approve", "result"),
    [
        (True, ("c0.0", "own__buy=1", False)),
        (False, ("c0.0", "A person was asked and did not allow this call.", True)),
    ],
)
async def test_the_persons_word_counts_once(
    product: Product, approve: bool, result: tuple[str, str, bool]
) -> None:
    generation_id = await asked(product, BUY)
    await until_asked(product, generation_id)
    body = {"approve": approve}
    status, generation = await product.call("POST", _path(generation_id), body)
    assert (status, generation["waiting"], generation["approvals"]) == (200, False, [])
    assert results(await kinds(product, generation_id)) == [result]
    status, _ = await product.call("POST", _path(generation_id), body)
    assert status == 200
    status, problem = await product.call("POST", _path(generation_id), {"approve": not approve})
    assert (status, problem["code"]) == (409, "not_waiting")


async def test_calls_that_nobody_was_asked_about_are_refused(product: Product) -> None:
    generation_id = await asked(product, BUY + "\ncall own__add 2")
    await until_asked(product, generation_id)
    for call_id, verdict in (("c0.1", (409, "not_waiting")), ("cx", (404, "call_not_found"))):
        status, problem = await product.call(
            "POST", _path(generation_id, call_id), {"approve": True}
        )
        assert (status, problem["code"]) == verdict


async def test_it_waits_until_every_call_is_decided(product: Product, box: Box) -> None:
    generation_id = await asked(product, BUY + "\n" + BUY)
    await until_asked(product, generation_id)
    _, generation = await product.call("POST", _path(generation_id, "c0.1"), {"approve": True})
    assert generation["waiting"] is True
    assert [one["call_id"] for one in generation["approvals"]] == ["c0.0"]
    assert box.began == []
    await product.call("POST", _path(generation_id), {"approve": False})
    ended = results(await kinds(product, generation_id))
    assert [failed for _, _, failed in ended] == [True, False]


async def test_cancelling_works_while_it_waits(product: Product, box: Box) -> None:
    generation_id = await asked(product, BUY)
    await until_asked(product, generation_id)
    status, generation = await product.call("POST", f"/generations/{generation_id}/cancel")
    assert (status, generation["status"], generation["waiting"]) == (200, "cancelled", False)
    assert box.began == []


async def test_another_question_may_interrupt_it(product: Product) -> None:
    generation_id = await asked(product, BUY)
    await until_asked(product, generation_id)
    _, waiting = await product.call("GET", f"/generations/{generation_id}")
    fields = {"session_id": waiting["session_id"], "on_active": "interrupt", "stream": False}
    status, _ = await product.call("POST", "/chat", to_caller("hello", **fields))
    assert status == 200
    _, before = await product.call("GET", f"/generations/{generation_id}")
    assert before["status"] == "cancelled"


async def test_a_restart_leaves_it_waiting_and_it_goes_on(
    product: Product, caller: Caller, box: Box
) -> None:
    body_of = {"system_prompt": "Be brief.", "temperature": 0.5}
    generation_id = await asked(product, BUY + "\ncall own__add 2", **body_of)
    await until_asked(product, generation_id)
    await product.restart()
    _, generation = await product.call("GET", f"/generations/{generation_id}")
    assert (generation["status"], generation["waiting"]) == ("running", True)
    status, _ = await product.call("POST", _path(generation_id), {"approve": True})
    assert status == 200
    events = await kinds(product, generation_id)
    assert [data["status"] for name, data in events if name == "ended"] == ["completed"]
    assert sorted(box.began) == ["c0.0", "c0.1"]
    first, second = caller.prompts
    assert second.turns[: len(first.turns)] == first.turns
    assert second.options == first.options
    assert second.tools == first.tools
    assert events[-1][1]["usage"]["input_tokens"] == 20


async def test_a_stop_that_was_wished_before_a_restart_counts(product: Product) -> None:
    generation_id = await asked(product, BUY)
    await until_asked(product, generation_id)
    await product.restart()
    status, generation = await product.call("POST", f"/generations/{generation_id}/cancel")
    assert (status, generation["status"]) == (200, "cancelled")
