"""What is sent of a history that is too long for a model's window."""

from __future__ import annotations

import pytest

from lite_llm_chat.context import TURN_OVERHEAD_TOKENS, estimate_tokens, fit
from lite_llm_chat.domain import Turn

SYSTEM = Turn("system", "Be kind.")
TALK = [Turn(role, f"{role} {n} " * 9) for n in range(3) for role in ("user", "assistant")]
LAST = Turn("user", "and now?")
ALL = [SYSTEM, *TALK, LAST]


def cost(*turns: Turn) -> int:
    return sum(estimate_tokens(turn.content) + TURN_OVERHEAD_TOKENS for turn in turns)


def test_without_a_limit_or_within_it_everything_is_sent() -> None:
    assert fit(ALL, None) == (tuple(ALL), 0)
    assert fit(ALL, cost(*ALL)) == (tuple(ALL), 0)


@pytest.mark.parametrize("exchanges", [1, 2, 3])
def test_the_oldest_exchanges_go_first_and_whole(exchanges: int) -> None:
    kept = [SYSTEM, *TALK[2 * exchanges :], LAST]
    assert fit(ALL, cost(*kept)) == (tuple(kept), 2 * exchanges)
    one_more = cost(SYSTEM, *TALK[2 * exchanges - 2 :], LAST)
    assert fit(ALL, one_more - 1) == (tuple(kept), 2 * exchanges)


def test_the_system_turn_and_the_last_question_stay_though_they_do_not_fit() -> None:
    assert fit(ALL, 1) == ((SYSTEM, LAST), len(TALK))


def test_other_scripts_cost_more_than_letters() -> None:
    assert estimate_tokens("河" * 30) == 61
    assert estimate_tokens("a" * 30) == 11
