"""Every check of a history can fail: shown something wrong, the book and the verdicts say so."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from lite_llm_chat.domain import Finish, Prompt, Text
from lite_llm_chat.errors import UpstreamError
from tests.durability.oracle import Log

from . import verdict
from .clockwork import Clockwork, Spinning
from .facts import Asked, Facts, Said
from .model import Answer, Book, Wish
from .world import POLICY, Call

WISH = Wish(1, "post", 1, text="why")
LIVE = Log("g", 1, "running", 2, True, None, "", None, [(1, "started", ""), (2, "text", "so")])
DONE = replace(LIVE, status="completed", last_seq=3, content="so")
ASKED = Asked(1, 12, 0.0, None, None)
FACTS = Facts(
    {"g": LIVE},
    {"g": ASKED},
    {11: Said(1, None, "user", "why"), 12: Said(1, 11, "assistant", "")},
    {1: 12},
)


def booked(wish: Wish = WISH) -> Book:
    book = Book()
    book.leaves[1] = None
    assert book.begin(wish, "g", FACTS) == []
    return book


def call(outcome: str = "open", *said: str, began: float = 0.0, closed: float = 1.0) -> Call:
    one = Call(Prompt("one", ()), began, heard_at=began, outcome=outcome)
    one.said = [Text(text) for text in said]
    one.closed_at = None if outcome == "open" else closed
    one.finish = Finish("stop") if outcome == "finish" else None
    return one


# ── the book ──────────────────────────────────────────────────────────────────────────────────


def test_a_true_history_has_no_complaints() -> None:
    book = booked()
    assert book.look(FACTS, set()) == []
    assert book.hear("g", 0, 1, ("started", "")) == []
    assert book.hear("g", 1, 2, ("text", "so")) == []
    assert book.look(FACTS, set()) == []


def test_a_promised_answer_that_is_not_stored_is_missed() -> None:
    assert "I1" in Book().begin(WISH, "h", FACTS)[0]
    assert "I1" in booked().look(replace(FACTS, logs={}), set())[0]


def test_an_answer_of_another_wish_is_noticed() -> None:
    assert "I15" in Book().begin(Wish(2, "post", 1, text="why"), "g", FACTS)[0]


def test_a_question_that_says_something_else_or_stands_elsewhere_is_noticed() -> None:
    assert "I1" in Book().begin(Wish(1, "post", 1, text="else"), "g", FACTS)[0]
    elsewhere, other = Book(), Book()
    elsewhere.leaves[1] = 5
    assert "stands under" in elsewhere.begin(WISH, "g", FACTS)[0]
    other.messages[5] = Said(1, 4, "assistant", "")
    assert "no sibling" in other.begin(Wish(1, "regenerate", 1, target=5), "g", FACTS)[0]


@pytest.mark.parametrize(
    "changed",
    [
        replace(FACTS, leaves={1: 11}),
        replace(FACTS, leaves={}),
        replace(FACTS, leaves={1: 12, 2: None}),
        replace(FACTS, messages={12: FACTS.messages[12]}),
        replace(FACTS, messages={**FACTS.messages, 11: Said(1, None, "user", "Why")}),
    ],
)
def test_a_tree_that_changed_by_itself_is_noticed(changed: Facts) -> None:
    assert "I1" in booked().look(changed, set())[0]
    assert booked().look(changed, {1, None, 2}) == []  # somebody wants something of it


def test_a_seen_event_that_is_lost_or_changed_is_noticed() -> None:
    book = booked()
    book.hear("g", 0, 1, ("started", ""))
    book.hear("g", 1, 2, ("text", "no"))
    assert "I2" in book.look(FACTS, set())[0]


def test_an_ended_answer_that_changes_is_noticed() -> None:
    book = booked()
    book.answers["g"].final = DONE
    assert "I11" in book.look(FACTS, set())[0]


def test_a_reader_that_gets_a_wrong_number_or_another_text_is_noticed() -> None:
    book = booked()
    assert "I5" in book.hear("g", 0, 2, ("text", "so"))[0]
    assert "I5" in book.hear("g", 2, 2, ("text", "so"))[0]
    assert "I6" in book.hear("g", 1, 2, ("text", "other"))[0]


def test_what_must_come_of_a_wish_follows_from_the_state() -> None:
    book = booked(replace(WISH, key="k"))

    def forecast(wish: Wish, facts: Facts = FACTS, followers: int = 0) -> str | None:
        return book.forecast(wish, facts, {"g": followers})

    idle = replace(FACTS, logs={"g": DONE})
    assert forecast(Wish(2, "post", 1, key="k", text="why")) == "replayed"
    assert forecast(Wish(2, "post", 1, key="k", text="else")) == "idempotency_key_reused"
    assert forecast(Wish(2, "post", 9)) == "session_not_found"
    assert forecast(Wish(2, "post", 1)) == "ok"
    assert forecast(Wish(2, "post", 1), followers=1) == "generation_active"
    assert forecast(Wish(2, "post", 1, on_active="interrupt"), followers=1) == "ok"
    assert forecast(Wish(2, "post", 1, on_active="reject")) == "generation_active"
    assert forecast(Wish(2, "post", 1, on_active="enqueue")) == "waits"
    assert forecast(Wish(2, "post", 1, on_active="enqueue"), idle) == "ok"
    assert forecast(Wish(2, "continue", 1, target=12), idle) == "nothing_to_continue"
    assert forecast(Wish(2, "regenerate", 1, target=9)) == "message_not_found"
    assert forecast(Wish(2, "truncate", 1, target=13)) == "not_on_branch"
    assert forecast(Wish(2, "cancel", target="h")) == "generation_not_found"


# ── the verdicts ──────────────────────────────────────────────────────────────────────────────


def says(log: Log, *said: str, ends: frozenset[str] = frozenset()) -> list[str]:
    return verdict.says(log, Answer(WISH, 1, []), [call("open", *said)], ends)


def test_text_that_is_doubled_lost_or_invented_is_noticed() -> None:
    assert says(DONE, "s", "o") == says(LIVE, "so", "on") == []
    assert says(DONE, "so", "on", ends=frozenset({"kill"})) == []
    for wrong in (says(DONE, "so", "on"), says(DONE, "s"), says(LIVE, "s"), says(LIVE, "os")):
        assert "I4" in wrong[0]


def ended(status: str, code: str | None, *calls: Call, ends: str = "") -> list[str]:
    log = replace(DONE, status=status, code=code)
    return verdict.ended(log, ASKED._replace(reason="stop"), calls, set(ends.split()))


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        ("completed", None, "finish"),
        ("failed", "upstream_truncated", "cut"),
        ("failed", "internal_error", "defect"),
        ("failed", "provider_auth", "provider_auth"),
    ],
)
def test_only_the_ending_that_the_vendor_caused_is_right(
    status: str, code: str | None, outcome: str
) -> None:
    last = call(outcome, "a")
    assert ended(status, code, last) == []
    assert "I16" in ended("cancelled", None, last)[0]
    assert "I16" in ended("interrupted", "server_stopped", last, ends="cancel storage")[0]
    assert ended("cancelled", None, last, ends="cancel") == []


def test_an_ending_by_time_is_right_only_when_the_time_is_over() -> None:
    late, early = call("closed", closed=10.0), call("closed", closed=9.0)
    assert ended("failed", "upstream_timeout", late) == []
    assert "I16" in ended("failed", "upstream_timeout", early)[0]
    assert ended("failed", "answer_too_long", call("closed", "x" * 301)) == []
    assert "I16" in ended("failed", "answer_too_long", call("closed", "x" * 300))[0]
    assert "I16" in ended("completed", None, call("finish", "x" * 301))[0]


def test_a_vendor_that_is_listened_to_after_the_end_is_noticed() -> None:
    assert any("I9" in line for line in ended("cancelled", None, call(), ends="cancel"))


def test_another_word_of_the_vendor_for_the_end_is_noticed() -> None:
    last = call("finish")
    last.finish = Finish("length")
    assert "I4" in ended("completed", None, last)[0]


def test_an_answer_that_was_given_up_too_early_is_noticed() -> None:
    def refused(wish_s: float | None = None) -> Call:
        one = call("provider_overloaded")
        one.fault = UpstreamError("x", code="x", retryable=True, retry_after_s=wish_s)
        return one

    given_up = ("failed", "provider_overloaded")
    assert "tries" in ended(*given_up, refused())[0]
    assert ended(*given_up, *[refused()] * (POLICY.retries + 1)) == []
    assert ended(*given_up, refused(25.0)) == []


def test_a_second_call_beside_or_after_a_piece_is_noticed() -> None:
    first, second = call("cut"), call(began=2.0)
    second.prompt = first.prompt
    assert verdict.repeated([first, second]) == []
    assert "prompt" in verdict.repeated([first, call(began=2.0)])[0]
    first.said = [Text("a")]
    assert "I12" in verdict.repeated([first, second])[0]
    first.said, first.closed_at = [], 3.0
    assert "I7" in verdict.repeated([first, second])[0]


def test_an_answer_that_outlives_its_timers_is_noticed() -> None:
    assert verdict.overdue(LIVE, [call()], 10.5, 0.0) == []
    assert "I16" in verdict.overdue(LIVE, [call()], 11.5, 0.0)[0]
    assert "I16" in verdict.overdue(LIVE, [call("open", "a")], 8.5, 0.0)[0]
    assert "I16" in verdict.overdue(LIVE, [call("cut")], 22.5, 0.0)[0]
    assert "I16" in verdict.overdue(LIVE, [], 1.5, 0.0)[0]


# ── the clock ─────────────────────────────────────────────────────────────────────────────────


def test_time_goes_from_timer_to_timer_and_waits_for_threads() -> None:
    loop = Clockwork()
    seen: list[float] = []

    async def live() -> None:
        for _ in range(3):
            await asyncio.sleep(2.0)
            seen.append(loop.time())
        await asyncio.to_thread(seen.append, -1.0)

    loop.create_task(live())
    loop.advance(4.5)
    assert seen == pytest.approx([2.0, 4.0])
    assert loop.time() == 4.5
    loop.advance(2.0)
    assert seen == pytest.approx([2.0, 4.0, 6.0, -1.0])
    loop.close()


def test_a_timer_never_goes_off_before_its_moment() -> None:
    loop = Clockwork()
    early: list[bool] = []

    def ring(when: float) -> None:
        early.append(loop.time() < when)

    for number in range(50):
        loop.call_at(number * 0.1, ring, number * 0.1)
    loop.advance(2.45)
    assert early == [False] * 25
    loop.advance(2.45)
    assert early == [False] * 50
    loop.close()


def test_what_spins_is_stopped() -> None:
    loop = Clockwork()

    def spin() -> None:
        loop.call_soon(spin)

    spin()
    with pytest.raises(Spinning):
        loop.settle()
    loop.close()
