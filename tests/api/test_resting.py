"""Vendors that fail again and again are passed over for a while, where others can answer."""

from __future__ import annotations

from standins.behaviours import Answer, Cut, Status
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product

from .others import LaunchAll, launch_all, second, states, third, whole

__all__ = ["launch_all", "second", "third"]


async def tired(product: Product, upstream: DeepSeekStandIn) -> None:
    """DeepSeek has failed three times in a row."""
    upstream.always(Status(500))
    await whole(product, "say: hi")
    assert len(upstream.chats) == 3


async def test_a_vendor_that_fails_again_and_again_is_passed_over_and_says_so(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all()
    assert (await states(product))["deepseek"]["resting_until"] is None
    await tired(product, upstream)
    state = (await states(product))["deepseek"]
    assert state["resting_until"].endswith("Z")
    assert (state["ready"], state["note"].split(":")[0]) == (True, "it has failed again and again")
    status, body = await whole(product, "say: hi")
    assert (status, body["message"]["provider"]) == (200, "second")
    assert "deepseek has failed again and again and is rested" in body["warnings"][0]
    assert (len(upstream.chats), len(second.chats)) == (3, 2)


async def test_a_rested_vendor_is_asked_all_the_same_if_nobody_else_can_answer(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all(fallback_models="second/deepseek-flash")
    await tired(product, upstream)
    second.always(Status(402))
    upstream.always()
    status, body = await whole(product, "say: hi")
    assert (status, body["message"]["provider"], body["warnings"]) == (200, "deepseek", [])
    assert (await states(product))["deepseek"]["resting_until"] is None


async def test_an_answer_ends_the_rest_at_once(
    launch_all: LaunchAll, upstream: DeepSeekStandIn
) -> None:
    product = await launch_all()
    await tired(product, upstream)
    upstream.always()
    status, _ = await whole(product, "say: hi", fallback_models=[])
    assert status == 200
    assert (await states(product))["deepseek"]["resting_until"] is None
    _, body = await whole(product, "say: hi")
    assert body["message"]["provider"] == "deepseek"


async def test_too_many_at_a_time_at_deepseek_falls_back_and_never_rests_it(
    launch_all: LaunchAll, upstream: DeepSeekStandIn
) -> None:
    product = await launch_all()
    upstream.always(Status(429))
    for _ in range(2):
        _, body = await whole(product, "say: hi")
        assert body["message"]["provider"] == "second"
    assert len(upstream.chats) == 6  # three tries each: it was not passed over
    upstream.always(Status(429, headers=(("retry-after", "15"),)))
    await whole(product, "say: hi")
    assert (await states(product))["deepseek"]["resting_until"] is None


async def test_a_limit_that_says_how_long_rests_the_vendor(
    launch_all: LaunchAll, second: DeepSeekStandIn, third: DeepSeekStandIn
) -> None:
    product = await launch_all(fallback_models="third/deepseek-flash")
    second.always(Status(429, headers=(("retry-after", "15"),)))
    asked = {"provider": "second", "model": "deepseek-flash"}
    for _ in range(2):
        _, body = await whole(product, "say: hi", **asked)
        assert body["message"]["provider"] == "third"
    assert len(second.chats) == 1
    assert (await states(product))["second"]["resting_until"] is not None


async def test_a_pause_within_an_answer_is_no_failure_of_the_vendor(
    launch_all: LaunchAll, upstream: DeepSeekStandIn
) -> None:
    product = await launch_all(upstream_retries=0)
    upstream.always(Answer(text="One two three four"), Cut(after_tokens=2))
    for _ in range(4):
        await whole(product, "Hi")
    assert (await states(product))["deepseek"]["resting_until"] is None
