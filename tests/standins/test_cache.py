"""Tokens, and which of them were seen before."""

from __future__ import annotations

from typing import Any

from standins.deepseek import DeepSeekStandIn
from tests.standins.raw import ask

LONG = "The history of this harbour, told slowly. " * 100


async def bill(upstream: DeepSeekStandIn, messages: list[Any], **fields: Any) -> Any:
    """The usage of one request that is answered by these messages' next turn."""
    said = await ask(upstream, messages=messages, **fields)
    return said.usage, said.text()


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


async def test_a_turn_hits_everything_that_the_turn_before_it_said(
    upstream: DeepSeekStandIn,
) -> None:
    first, answer = await bill(upstream, [user(LONG)])
    again = [user(LONG), {"role": "assistant", "content": answer}, user("Go on.")]
    second, _ = await bill(upstream, again)
    assert first["prompt_cache_hit_tokens"] == 0
    assert second["prompt_cache_hit_tokens"] == first["prompt_tokens"] // 256 * 256
    total = second["prompt_cache_hit_tokens"] + second["prompt_cache_miss_tokens"]
    assert total == second["prompt_tokens"]
    assert second["prompt_tokens_details"]["cached_tokens"] == second["prompt_cache_hit_tokens"]


async def test_hits_are_whole_blocks_of_256_tokens(upstream: DeepSeekStandIn) -> None:
    await bill(upstream, [user("short")])
    usage, _ = await bill(upstream, [user("short")])
    assert usage["prompt_cache_hit_tokens"] == 0


async def test_one_changed_letter_at_the_front_loses_everything(upstream: DeepSeekStandIn) -> None:
    await bill(upstream, [user(LONG)])
    usage, _ = await bill(upstream, [user("x" + LONG)])
    assert usage["prompt_cache_hit_tokens"] == 0


async def test_users_do_not_share_a_cache(upstream: DeepSeekStandIn) -> None:
    await bill(upstream, [user(LONG)], user_id="ann")
    other, _ = await bill(upstream, [user(LONG)], user_id="bob")
    same, _ = await bill(upstream, [user(LONG)], user_id="ann")
    assert other["prompt_cache_hit_tokens"] == 0
    assert same["prompt_cache_hit_tokens"] > 0


async def test_reasoning_sent_back_without_tools_costs_nothing(upstream: DeepSeekStandIn) -> None:
    turn = {"role": "assistant", "content": "Yes."}
    plain, _ = await bill(upstream, [user("a"), turn, user("b")])
    again, _ = await bill(
        upstream, [user("a"), {**turn, "reasoning_content": "long " * 99}, user("b")]
    )
    assert plain["prompt_tokens"] == again["prompt_tokens"]


async def test_the_end_of_an_answer_counts_too(upstream: DeepSeekStandIn) -> None:
    text = LONG.strip()
    await bill(upstream, [user(f"say: {text}")])
    history = [user(f"say: {text}"), {"role": "assistant", "content": text}, user("more")]
    usage, _ = await bill(upstream, history)
    assert usage["prompt_cache_hit_tokens"] > len(text) // 4 + 256
