"""Tokens that no vendor counted are estimated, and marked so."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from standins.behaviours import Answer, Cut, Gate, Pause, Status, UsageAs
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .asked import usage
from .conftest import Launch
from .follow import begin, hold, messages


async def test_a_stopped_answer_is_estimated_and_marked(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    hold(upstream, "死锁 is hard", after_tokens=2)
    stream = await product.ask("x" * 100, system_prompt="y" * 41)
    generation_id = await begin(product, stream)
    await product.call("POST", f"/generations/{generation_id}/cancel")
    answer = (await messages(product))[1]
    told = answer["content"]
    assert answer["usage"] == {
        "input_tokens": 44,  # 141 characters and 16 a turn, by four
        "cached_tokens": 0,
        "output_tokens": -(-sum(4 if char > "\x7f" else 1 for char in told) // 4),
        "reasoning_tokens": 0,
        "total_tokens": 44 + answer["usage"]["output_tokens"],
        "estimated": True,
    }
    assert told.startswith("死")
    report = await usage(product, "group_by=model")
    (row,) = report["rows"]
    assert (row["estimated_requests"], row["estimated_share"]) == (1, 1.0)
    assert row["input_tokens"] == 44
    assert (row["cost_microusd"], answer["cost_microusd"]) == (answer["cost_microusd"],) * 2


async def test_what_a_vendor_has_said_of_the_tokens_before_a_stop_counts(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    upstream.play(Answer(text="one two three"))
    _, whole = await product.call("POST", "/chat", question("Count for me.", stream=False))
    gate = Gate()
    upstream.play(Answer(text="one two three"), UsageAs("every_chunk"), Pause(gate, 2))
    stream = await product.ask("Count for me.")
    generation_id = await begin(product, stream)
    await product.call("POST", f"/generations/{generation_id}/cancel")
    stopped = (await messages(product, 2))[1]
    assert stopped["status"] == "cancelled"
    assert stopped["usage"]["input_tokens"] == whole["message"]["usage"]["input_tokens"]
    assert stopped["usage"]["estimated"] is False
    assert stopped["usage"]["output_tokens"] > 0


async def test_a_cut_answer_is_estimated_and_one_that_never_began_costs_nothing_known(
    launch: Launch, upstream: DeepSeekStandIn
) -> None:
    product = await launch(upstream_retries=0)
    upstream.play(Answer(text="Hello there"), Cut(1))
    await (await product.ask("Hi")).rest()
    upstream.play(Status(500))
    await (await product.ask("Hi")).rest()
    (_, cut), (_, failed) = [await messages(product, one) for one in (1, 2)]
    assert cut["status"] == failed["status"] == "failed"
    assert cut["usage"]["estimated"] is True
    assert (failed["usage"], failed["cost_microusd"]) == (None, None)
    total = (await usage(product, ""))["total"]
    assert (total["requests"], total["estimated_requests"]) == (2, 1)
    assert total["input_tokens"] == cut["usage"]["input_tokens"]


async def test_a_whole_answer_of_a_vendor_that_counts_nothing_is_estimated(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    upstream.play(Answer(text="Hello there"), UsageAs("none"))
    _, reply = await product.call("POST", "/chat", question("Hi", stream=False))
    found = reply["message"]["usage"]
    assert (found["input_tokens"], found["output_tokens"], found["estimated"]) == (5, 3, True)


CRASHED = """
    INSERT INTO chat_sessions (id, title, provider, model, created_at, updated_at, leaf_id)
        VALUES (1, 'T', 'deepseek', 'deepseek-chat', :at, :at, 4);
    INSERT INTO chat_messages (id, session_id, parent_id, depth, role, content, created_at,
        generation_id) VALUES (1, 1, NULL, 1, 'user', 'What?', :at, NULL),
        (2, 1, 1, 2, 'assistant', 'A first answer', :at, NULL),
        (3, 1, 2, 3, 'user', 'Again', :at, NULL), (4, 1, 3, 4, 'assistant', '', :at, 'cut'),
        (5, 1, 3, 4, 'user', 'On another branch', :at, NULL);
    INSERT INTO generations (id, session_id, message_id, provider, model, status, options,
        warnings, last_seq, created_at) VALUES ('cut', 1, 4, 'deepseek', 'deepseek-chat', :status,
        '{}', '[]', 1, :at);
    INSERT INTO events (generation_id, seq, kind, data) VALUES ('cut', 1, 'started',
        '{"session_id":1,"message_id":4,"provider":"deepseek","model":"deepseek-chat"}')
"""


@pytest.mark.parametrize("status", ["running", "queued"])
async def test_what_a_crash_cut_is_estimated_by_its_rows(product: Product, status: str) -> None:
    await product.stop()
    with closing(sqlite3.connect(product.settings.database_url[10:])) as rows, rows:
        for statement in CRASHED.split(";"):
            rows.execute(statement, {"at": "2026-11-03 12:00:00.000000", "status": status})
        if status == "running":
            rows.execute(
                "INSERT INTO events VALUES ('cut', 2, 'reasoning', 'Well'), "
                "('cut', 3, 'text', '死锁 yes')"
            )
    await product.start()
    _, found = await product.call("GET", "/generations/cut")
    assert found["status"] == "interrupted"
    if status == "queued":
        assert (found["usage"], found["cost_microusd"]) == (None, None)
        return
    assert found["usage"] == {
        "input_tokens": 18,  # 24 characters and 16 a turn, by four
        "cached_tokens": 0,
        "output_tokens": 4,  # 8 characters by four, and two
        "reasoning_tokens": 0,
        "total_tokens": 22,
        "estimated": True,
    }
    assert found["cost_microusd"] == 5  # 18 × 0.15 + 4 × 0.60
    (row,) = (await usage(product, "from=2026-11-01&to=2026-11-30"))["rows"]
    assert (row["key"], row["estimated_requests"], row["cost_microusd"]) == ("2026-11-03", 1, 5)
