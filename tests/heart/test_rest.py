"""Which vendors are rested, and for how long: by a clock that a test moves."""

from __future__ import annotations

import pytest

from lite_llm_chat.answering.rest import FAILURES, FIRST_REST_S, LONGEST_REST_S, Resting
from lite_llm_chat.errors import Crowded, UpstreamError

DOWN = UpstreamError("it failed", code="provider_error", retryable=True)
CROWDED = Crowded("too many", code="provider_rate_limited", retryable=True, retry_after_s=9.0)


class World:
    """A vendor, and the time."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.resting = Resting(lambda: self.now_s)

    def fails(self, times: int = 1, error: UpstreamError = DOWN) -> float | None:
        for _ in range(times):
            self.resting.failed("acme", error)
        return self.resting.left_s("acme")


@pytest.fixture
def world() -> World:
    return World()


def limited(seconds: float | None) -> UpstreamError:
    return UpstreamError(
        "slower", code="provider_rate_limited", retryable=True, retry_after_s=seconds
    )


def test_only_failures_in_a_row_rest_a_vendor(world: World) -> None:
    assert world.fails(FAILURES - 1) is None
    world.resting.answered("acme")
    assert world.fails(FAILURES - 1) is None
    assert world.fails() == FIRST_REST_S
    assert world.resting.left_s("other") is None


def test_a_rest_is_over_when_its_time_is(world: World) -> None:
    world.fails(FAILURES)
    world.now_s += FIRST_REST_S - 1
    assert world.resting.left_s("acme") == 1
    world.now_s += 1
    assert world.resting.left_s("acme") is None


def test_the_rest_doubles_with_each_failure_after_one_up_to_a_bound(world: World) -> None:
    rests = [world.fails(FAILURES)]
    for _ in range(60):
        world.now_s += LONGEST_REST_S
        rests.append(world.fails())
    assert rests[:6] == [30, 60, 120, 240, 480, LONGEST_REST_S]
    assert set(rests[6:]) == {LONGEST_REST_S}


def test_what_fails_while_it_rests_makes_the_rest_no_longer(world: World) -> None:
    world.fails(FAILURES)
    world.now_s += 10
    assert world.fails(100) == FIRST_REST_S - 10
    world.now_s += FIRST_REST_S
    assert world.fails() == 2 * FIRST_REST_S


def test_an_answer_ends_the_rest_at_once_and_everything_before_it(world: World) -> None:
    world.fails(FAILURES)
    world.resting.answered("acme")
    assert world.resting.left_s("acme") is None
    assert world.fails(FAILURES - 1) is None


def test_a_limit_rests_for_as_long_as_the_vendor_says_and_not_without_that(world: World) -> None:
    assert world.fails(50, limited(None)) is None
    assert world.fails(1, limited(12.0)) == 12
    world.now_s += 12
    assert world.fails(1, limited(86_400.0)) == LONGEST_REST_S


def test_an_overloaded_vendor_rests_at_least_as_long_as_it_says(world: World) -> None:
    error = UpstreamError("busy", code="provider_overloaded", retryable=True, retry_after_s=45.0)
    assert world.fails(FAILURES, error) == 45


def test_too_many_at_the_same_time_says_nothing_of_the_vendors_health(world: World) -> None:
    assert world.fails(50, CROWDED) is None


@pytest.mark.parametrize(
    "code", ["provider_auth", "provider_balance", "provider_bad_request", "provider_unknown_model"]
)
def test_a_refusal_is_no_failure(world: World, code: str) -> None:
    assert world.fails(50, UpstreamError("no", code=code)) is None


def test_a_model_without_a_word_is_no_failure_of_its_vendor(world: World) -> None:
    assert world.fails(50, UpstreamError("-", code="empty_answer", retryable=True)) is None
