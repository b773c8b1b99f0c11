"""What a session says of its answers: its system prompt and its options, in every one of them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .conftest import Launch
from .follow import order_of

PIRATE = "You are a pirate."


async def new_session(product: Product, **fields: object) -> Any:
    status, session = await product.call("POST", "/sessions", {"model": "deepseek-chat", **fields})
    assert status == 201, session
    return session


async def ask(product: Product, session_id: int, **fields: object) -> Any:
    body = {
        "session_id": session_id,
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": False,
        **fields,
    }
    status, answer = await product.call("POST", "/chat", body)
    assert status == 200, answer
    return answer


def systems(upstream: DeepSeekStandIn) -> list[str]:
    """The system messages of the last request to the vendor."""
    turns = order_of(upstream)["messages"]
    return [turn["content"] for turn in turns if turn["role"] == "system"]


async def test_a_sessions_prompt_and_options_are_in_every_answer(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    options = {"temperature": 0.25, "max_tokens": 77, "stop": "END", "thinking": False}
    session = await new_session(product, system_prompt=PIRATE, options=options)
    assert session["system_prompt"] == PIRATE
    assert session["options"] == {**options, "stop": ["END"]}
    assert session["preset"] is None
    answer = await ask(product, session["id"])
    again = f"/messages/{answer['message']['id']}/regenerate"
    status, _ = await product.call("POST", again, {"stream": False})
    assert status == 200
    assert len(upstream.chats) == 2
    for number in (0, 1):
        order = order_of(upstream, number)
        assert order["messages"][0] == {"role": "system", "content": PIRATE}
        assert (order["temperature"], order["max_tokens"]) == (0.25, 77)
        assert order["stop"] == ["END"]
        assert order["thinking"] == {"type": "disabled"}
    status, shown = await product.call("GET", f"/sessions/{session['id']}")
    assert shown["system_prompt"] == PIRATE
    assert [one["role"] for one in shown["messages"]] == ["user", "assistant"]


async def test_a_cut_answer_is_continued_in_the_sessions_manner(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    session = await new_session(product, system_prompt=PIRATE, options={"temperature": 0.5})
    answer = await ask(product, session["id"], max_tokens=1)
    path = f"/messages/{answer['message']['id']}/continue"
    assert (await product.call("POST", path, {"stream": False}))[0] == 200
    assert systems(upstream) == [PIRATE]
    assert order_of(upstream)["temperature"] == 0.5
    assert "max_tokens" not in order_of(upstream)


async def test_the_request_goes_before_the_session(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    kept = {"temperature": 0.25, "max_tokens": 55}
    session = await new_session(product, system_prompt=PIRATE, options=kept)
    await ask(product, session["id"], system_prompt="You are a monk.", temperature=1.5)
    assert systems(upstream) == ["You are a monk."]
    assert (order_of(upstream)["temperature"], order_of(upstream)["max_tokens"]) == (1.5, 55)
    await ask(product, session["id"], temperature=None)
    assert systems(upstream) == [PIRATE]
    assert order_of(upstream)["temperature"] == 0.25


@pytest.mark.parametrize("nothing", [None, ""])
async def test_a_turn_may_go_without_the_sessions_prompt(
    product: Product, upstream: DeepSeekStandIn, nothing: str | None
) -> None:
    session = await new_session(product, system_prompt=PIRATE)
    await ask(product, session["id"], system_prompt=nothing)
    assert systems(upstream) == []
    await ask(product, session["id"])
    assert systems(upstream) == [PIRATE]


async def test_a_session_goes_before_what_its_alias_means_and_thinking_is_one_matter(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    session = await new_session(product, options={"thinking": True})
    await ask(product, session["id"])
    assert order_of(upstream)["thinking"] == {"type": "enabled"}
    changed = {"options": {"thinking": False}}
    await product.call("PATCH", f"/sessions/{session['id']}", changed)
    await ask(product, session["id"], reasoning_effort="high")
    assert order_of(upstream).get("thinking") != {"type": "disabled"}
    await product.call("PATCH", f"/sessions/{session['id']}", {"options": None})
    await ask(product, session["id"])
    assert order_of(upstream)["thinking"] == {"type": "disabled"}


async def test_null_clears_and_silence_leaves(product: Product) -> None:
    session = await new_session(product, system_prompt=PIRATE, options={"seed": 7})
    path = f"/sessions/{session['id']}"
    _, titled = await product.call("PATCH", path, {"title": "Treasure"})
    assert (titled["system_prompt"], titled["options"]) == (PIRATE, {"seed": 7})
    _, less = await product.call("PATCH", path, {"system_prompt": None})
    assert (less["system_prompt"], less["options"]) == (None, {"seed": 7})
    _, other = await product.call("PATCH", path, {"options": {"reasoning_effort": "low"}})
    assert other["options"] == {"reasoning_effort": "low"}
    assert other["updated_at"] > titled["updated_at"]
    _, none = await product.call("PATCH", path, {"options": None})
    assert none["options"] == {}


@pytest.mark.parametrize(
    "options",
    [{"temperature": 3}, {"tools": []}, {"temprature": 1}, {"stop": [1]}, {"max_tokens": 0}],
)
async def test_options_that_would_be_wrong_every_time_are_refused(
    product: Product, options: dict[str, object]
) -> None:
    status, error = await product.call("POST", "/sessions", {"options": options})
    assert (status, error["code"]) == (422, "validation_error")
    assert await product.call("GET", "/sessions") == (200, [])


async def test_an_option_of_the_session_that_the_model_has_no_use_for_is_a_warning(
    product: Product,
) -> None:
    session = await new_session(product, options={"top_k": 5})
    answer = await ask(product, session["id"])
    assert answer["warnings"] == ["top_k: deepseek-chat has no use for it, so it was ignored"]


async def test_the_sessions_prompt_comes_first_and_system_messages_stay_where_they_were_said(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    session = await new_session(product, system_prompt=PIRATE)
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    await ask(product, session["id"], messages=said)
    assert systems(upstream) == [PIRATE, "Be brief."]


async def test_every_turn_of_a_session_with_a_prompt_hits_the_vendors_cache(
    product: Product,
) -> None:
    session = await new_session(product, system_prompt="You know every harbour. " * 90)
    usages = [(await ask(product, session["id"]))["message"]["usage"] for _ in range(4)]
    for before, after in pairwise(usages):
        assert after["cached_tokens"] >= before["input_tokens"] // 256 * 256 > 0


async def test_a_prompt_counts_against_the_size_of_a_body(launch: Launch) -> None:
    product = await launch(max_body_bytes=2048)
    status, error = await product.call("POST", "/sessions", {"system_prompt": "x" * 2048})
    assert (status, error["code"]) == (413, "body_too_large")


async def test_a_prompt_of_one_turn_is_not_kept(product: Product) -> None:
    body = question("Hello", system_prompt=PIRATE, stream=False)
    _, answer = await product.call("POST", "/chat", body)
    _, session = await product.call("GET", f"/sessions/{answer['session_id']}")
    assert session["system_prompt"] is None
