"""What is sent of a history that is too long for a model's window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite_llm_chat.asking.context import STEPS, TURN_OVERHEAD_TOKENS, estimate_tokens, fit, room
from lite_llm_chat.domain import ToolCall, Turn

SYSTEM = Turn("system", "Be kind.")
TALK = [Turn(role, f"{role} {n} " * 9) for n in range(3) for role in ("user", "assistant")]
LAST = Turn("user", "and now?")
ALL = [SYSTEM, *TALK, LAST]


def cost(*turns: Turn) -> int:
    """What `fit` counts for turns without calls, or with the call of this file."""
    calls = sum(estimate_tokens(call.name + call.arguments) for t in turns for call in t.calls)
    return calls + sum(estimate_tokens(turn.content) + TURN_OVERHEAD_TOKENS for turn in turns)


def test_without_a_limit_or_within_it_everything_is_sent() -> None:
    assert fit(ALL, None) == (tuple(ALL), 0)
    assert fit(ALL, cost(*ALL)) == (tuple(ALL), 0)


def test_the_oldest_exchanges_go_first_and_whole() -> None:
    talk = [turn for n in range(16) for turn in exchange(30 + n % 2, 1)]
    whole = cost(*talk, LAST)
    for short in range(1, whole - cost(LAST)):
        kept, dropped = fit([*talk, LAST], whole - short)
        assert kept == (*talk[dropped:], LAST)
        assert dropped % 2 == 0
        steps = -(-short // max(1, (whole - short) // STEPS))
        wanted = steps * max(1, (whole - short) // STEPS)
        assert cost(*talk[:dropped]) >= min(short, wanted)


def test_no_more_goes_than_has_to_where_a_whole_step_would_leave_nothing() -> None:
    long = [Turn("user", "a" * 900), Turn("assistant", "b" * 9), Turn("user", "c" * 900)]
    assert fit([*TALK[:2], *long], cost(*long)) == (tuple(long), 2)


def test_the_system_turn_and_the_last_question_stay_though_they_do_not_fit() -> None:
    assert fit(ALL, 1) == ((SYSTEM, LAST), len(TALK))


def test_other_scripts_cost_more_than_letters() -> None:
    assert estimate_tokens("河" * 30) == 61
    assert estimate_tokens("a" * 30) == 11


def test_a_call_is_never_parted_from_its_result() -> None:
    call = ToolCall("1", "look", "{}")
    loop = [
        Turn("user", "first " * 50),
        Turn("assistant", "", parts=(call,)),
        Turn("tool", "found " * 50, call_id="1"),
        Turn("assistant", "so " * 50),
    ]
    for most in range(1, cost(*loop, LAST) + 40):
        kept, dropped = fit([*loop, LAST], most)
        assert (kept, dropped) in (((*loop, LAST), 0), ((LAST,), 4))


@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(0, 3)), min_size=1, max_size=30),
    st.integers(50, 1500),
)
def test_what_is_left_fits_whenever_the_last_exchange_does(
    exchanges: list[tuple[int, int]], room: int
) -> None:
    talk = [turn for size, answers in exchanges for turn in exchange(size, answers)]
    kept, dropped = fit([SYSTEM, *talk], room)
    assert list(kept) == [SYSTEM, *talk[dropped:]]
    assert kept[1].role == "user"
    last = max(i for i, turn in enumerate(talk) if turn.role == "user")
    assert cost(*kept) <= max(room, cost(SYSTEM, *talk[last:]))


def exchange(size: int, answers: int) -> list[Turn]:
    return [Turn("user", "q" * size), *[Turn("assistant", "a" * size)] * answers]


def test_the_beginning_stays_for_many_turns_once_the_window_is_full() -> None:
    talk: list[Turn] = []
    cuts: list[int] = []
    for _ in range(400):
        talk += exchange(60, 1)
        cuts.append(fit(talk, 2_000)[1])
    assert cuts == sorted(cuts)
    per_step = 2_000 // STEPS // cost(*exchange(60, 1))
    assert len(set(cuts)) <= 400 // per_step + 1


@pytest.mark.parametrize(
    ("window", "most_output", "wanted", "left"),
    [
        (0, 0, None, None),
        (1_000, 0, None, 750),
        (1_000, 100, None, 900),
        (1_000, 800, None, 750),
        (1_000, 800, 400, 600),
        (1_000, 800, 5_000, 250),
    ],
)
def test_the_answer_has_its_share_of_the_window(
    window: int, most_output: int, wanted: int | None, left: int | None
) -> None:
    assert room(window, most_output, wanted) == left
