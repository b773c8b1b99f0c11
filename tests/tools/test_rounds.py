"""Answers that use tools of this server, by HTTP."""

from __future__ import annotations

import asyncio

from lite_llm_chat.domain import Seal as SealPart
from lite_llm_chat.domain import ToolCall
from tests.conftest import Product

from .caller import Caller
from .conftest import Box, asked, kinds, results, to_caller

MINE = [{"type": "function", "function": {"name": "mine"}}]


async def test_an_allowed_call_is_run_and_the_model_goes_on_with_its_result(
    product: Product, caller: Caller
) -> None:
    status, reply = await product.call("POST", "/chat", to_caller("call own__add 1", stream=False))
    assert status == 200, reply
    message = reply["message"]
    assert message["content"] == "Let me see. got: own__add=1"
    assert message["finish_reason"] == "stop"
    assert [part["type"] for part in message["parts"]] == [
        "reasoning",
        "text",
        "tool_call",
        "tool_result",
        "text",
    ]
    assert message["usage"]["input_tokens"] == 20
    assert message["usage"]["output_tokens"] == 2


async def test_the_next_request_says_again_what_was_said_with_its_seals(
    product: Product, caller: Caller
) -> None:
    await product.call("POST", "/chat", to_caller("call own__add 1", stream=False))
    first, second = caller.prompts
    said, result = second.turns[len(first.turns) :]
    assert said.reasoning == "I need a tool."
    assert said.seals("caller") == (SealPart("caller", "seal 1"),)
    assert said.calls == (ToolCall("c0.0", "own__add", "1"),)
    assert (result.role, result.call_id, result.content) == ("tool", "c0.0", "own__add=1")
    assert second.tools == first.tools


async def test_several_calls_run_at_once_and_are_logged_in_their_order(
    product: Product, box: Box
) -> None:
    box.gates["c0.0"] = asyncio.Event()
    generation_id = await asked(product, "call own__add 1\ncall own__add 2")
    while len(box.began) < 2:
        await box.moved.wait()
        box.moved.clear()
    box.gates["c0.0"].set()
    events = await kinds(product, generation_id)
    assert results(events) == [("c0.0", "own__add=1", False), ("c0.1", "own__add=2", False)]


async def test_an_unknown_tool_and_one_that_was_not_offered_are_failed_results(
    product: Product, box: Box
) -> None:
    text = "call own__none 1\ncall own__buy 2"
    generation_id = await asked(product, text, server_tools=["own__a*"])
    assert results(await kinds(product, generation_id)) == [
        ("c0.0", "There is no tool 'own__none'.", True),
        ("c0.1", "There is no tool 'own__buy'.", True),
    ]
    assert box.began == []


async def test_a_call_of_the_callers_own_tool_ends_the_answer(product: Product, box: Box) -> None:
    generation_id = await asked(product, "call mine {}\ncall own__add 1", tools=MINE)
    events = await kinds(product, generation_id)
    assert results(events) == [("c0.1", "own__add=1", False)]
    assert events[-1][1]["finish_reason"] == "tool_calls"


async def test_at_the_cap_one_last_request_may_call_nothing(
    product: Product, caller: Caller
) -> None:
    generation_id = await asked(product, "always own__add 1")
    events = await kinds(product, generation_id)
    assert len(results(events)) == 8
    assert len(caller.prompts) == 9
    assert caller.prompts[-1].options.tool_choice == "none"
    assert events[-1][1]["finish_reason"] == "tool_rounds"


async def test_a_name_of_the_callers_that_is_ours_is_refused(product: Product) -> None:
    tools = [{"type": "function", "function": {"name": "own__add"}}]
    status, problem = await product.call("POST", "/chat", to_caller("hello", tools=tools))
    assert (status, problem["code"]) == (422, "tool_name_taken")
    fields = {"tools": tools, "server_tools": False, "stream": False}
    status, _ = await product.call("POST", "/chat", to_caller("hello", **fields))
    assert status == 200


async def test_who_is_offered_what(product: Product, caller: Caller) -> None:
    wishes: list[tuple[dict[str, object], list[str]]] = [
        ({}, ["own__add", "own__buy"]),
        ({"server_tools": False}, []),
        ({"server_tools": ["own__add"]}, ["own__add"]),
        ({"tool_choice": "none"}, []),
        ({"model": "plain"}, []),
        ({"tools": MINE}, ["mine", "own__add", "own__buy"]),
    ]
    for fields, names in wishes:
        await product.call("POST", "/chat", to_caller("hello", stream=False, **fields))
        assert [tool.name for tool in caller.prompts[-1].tools] == names


async def test_a_pattern_that_names_nothing_is_a_warning(product: Product) -> None:
    body = to_caller("hello", stream=False, server_tools=["other__*"])
    _, reply = await product.call("POST", "/chat", body)
    assert reply["warnings"] == ["server_tools: no tool of this server is called other__*"]


async def test_cancelling_stops_the_call_that_runs(product: Product, box: Box) -> None:
    box.gates["c0.0"] = asyncio.Event()
    generation_id = await asked(product, "call own__add 1")
    await box.moved.wait()
    status, generation = await product.call("POST", f"/generations/{generation_id}/cancel")
    assert (status, generation["status"]) == (200, "cancelled")
    assert box.stopped == ["c0.0"]
