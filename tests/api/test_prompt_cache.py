"""What is sent begins as what was sent before, so that the vendor's cache has it; and it fits.

The stand-in counts as DeepSeek does: what a prompt shares with an earlier one, in whole blocks of
256 tokens, is a hit.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from standins.deepseek import DeepSeekStandIn
from tests.conftest import KEY, Product, question

from .conftest import Launch

BLOCK = 256  # tokens
MODEL = "deepseek-flash"
HARBOUR = "Tell me more of the harbour and of the people who live beside it. " * 8

ENDPOINT = """
[[endpoint]]
id = "small"
base_url = "{url}"
key = "{key}"
models = [{{id = "deepseek-flash", context_length = 4000, max_output_tokens = 400}}]
"""


async def ask(product: Product, session: int | None, **fields: object) -> dict[str, int]:
    """The usage of one more question of the session."""
    body = question(HARBOUR, model=MODEL, session_id=session, stream=False, **fields)
    status, body = await product.call("POST", "/chat", body)
    assert status == 200, body
    return {"session": body["session_id"], **body["message"]["usage"]}


async def test_every_turn_hits_what_the_turn_before_it_sent(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    before = await ask(product, None, system_prompt="You know every harbour. " * 40)
    assert before["cached_tokens"] == 0
    for _ in range(5):
        after = await ask(product, before["session"], system_prompt="You know every harbour. " * 40)
        assert after["cached_tokens"] >= before["input_tokens"] // BLOCK * BLOCK
        assert after["input_tokens"] > before["input_tokens"]
        before = after


async def test_a_full_window_shifts_seldom_so_most_turns_hit(
    launch: Launch, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    own = tmp_path / "endpoints.toml"
    own.write_text(ENDPOINT.format(url=upstream.url, key=KEY))
    product = await launch(endpoints_file=str(own))
    first = await ask(product, None, provider="small")
    usages = [first, *[await ask(product, first["session"], provider="small") for _ in range(40)]]
    assert max(one["input_tokens"] for one in usages) <= 4000 - 400
    pairs = list(pairwise(usages))
    shifts = [after for before, after in pairs if after["input_tokens"] < before["input_tokens"]]
    hits = [
        after
        for before, after in pairs
        if after["cached_tokens"] >= before["input_tokens"] // BLOCK * BLOCK
    ]
    assert shifts
    assert len(hits) == len(pairs) - len(shifts)
    assert len(shifts) * 4 <= len(pairs)


async def test_a_question_longer_than_the_window_is_refused_and_not_kept(
    launch: Launch, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    own = tmp_path / "endpoints.toml"
    own.write_text(ENDPOINT.format(url=upstream.url, key=KEY))
    product = await launch(endpoints_file=str(own))
    status, body = await product.call(
        "POST", "/chat", question("harbour " * 9_000, provider="small", model=MODEL, stream=False)
    )
    assert (status, body["code"]) == (422, "prompt_too_long")
    assert "deepseek-flash, which has room for 3600 tokens" in body["detail"]
    assert await product.call("GET", "/sessions") == (200, [])
    assert upstream.chats == []


@pytest.mark.parametrize("wanted", [None, 3_000])
async def test_the_answer_keeps_the_room_that_was_asked_for(
    launch: Launch, upstream: DeepSeekStandIn, tmp_path: Path, wanted: int | None
) -> None:
    own = tmp_path / "endpoints.toml"
    own.write_text(ENDPOINT.format(url=upstream.url, key=KEY))
    product = await launch(endpoints_file=str(own))
    usage = await ask(product, None, provider="small")
    session = usage["session"]
    for _ in range(12):
        usage = await ask(product, session, provider="small", max_tokens=wanted)
    assert usage["input_tokens"] <= 4000 - (wanted or 400)
