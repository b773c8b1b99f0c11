"""A call whose arguments take long is work, and not silence."""

from __future__ import annotations

import pytest

from standins.behaviours import Answer, CallsAs
from standins.deepseek import DeepSeekStandIn
from tests.conftest import question

from .conftest import Launch

TOOL = {"type": "function", "function": {"name": "get_weather"}}


@pytest.mark.parametrize("which", ["idle_timeout_seconds", "first_piece_timeout_seconds"])
async def test_arguments_that_come_letter_by_letter_keep_the_answer_alive(
    launch: Launch, upstream: DeepSeekStandIn, which: str
) -> None:
    product = await launch(**{which: 0.5}, upstream_retries=0)
    upstream.play(Answer(tokens_per_s=25), CallsAs("per_character"))  # for more than a second
    body = question("What is the weather?", stream=False, tools=[TOOL], thinking=False)
    status, reply = await product.call("POST", "/chat", body)
    assert status == 200, reply
    assert reply["message"]["finish_reason"] == "tool_calls"
    assert [one["function"]["name"] for one in reply["message"]["tool_calls"]] == [
        "get_weather",
        "get_time",
    ]
