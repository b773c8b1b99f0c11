"""What happens seldom while tools of this server are used, by HTTP and by public methods."""

from __future__ import annotations

import asyncio

import pytest

from lite_llm_chat.answering.attempts import Attempts
from lite_llm_chat.answering.rounds import Rounds
from lite_llm_chat.answering.run import Run
from lite_llm_chat.eventlog import EventLog
from tests.conftest import Product

from .caller import Caller
from .conftest import Box, asked, kinds, results, to_caller, until_asked

MINE = [{"type": "function", "function": {"name": "mine"}}]
BUY = "call own__buy 1"


def _approval(generation_id: str) -> str:
    return f"/generations/{generation_id}/approvals/c0.0"


async def test_an_answer_that_goes_on_may_use_tools_and_keeps_what_it_had(
    product: Product, caller: Caller
) -> None:
    _, cut = await product.call("POST", "/chat", to_caller("cut", stream=False))
    message = cut["message"]
    assert (message["content"], message["finish_reason"]) == ("Half of ", "length")
    path = f"/messages/{message['id']}/continue"
    status, whole = await product.call("POST", path, {"stream": False})
    assert status == 200, whole
    assert whole["message"]["content"] == "Half of it."
    assert whole["message"]["thought_process"] == "Half is enough."
    assert [tool.name for tool in caller.prompts[-1].tools] == ["own__add", "own__buy"]


async def test_a_model_that_calls_when_it_may_not_is_told_so_in_the_log(
    product: Product, box: Box
) -> None:
    generation_id = await asked(product, "stubborn own__add 1")
    events = await kinds(product, generation_id)
    *ran, refused = results(events)
    assert len(ran) == len(box.began) == 8
    said = "No more tools can be called in this answer: answer with what is known."
    assert refused == ("c8.0", said, True)
    assert events[-1][1]["finish_reason"] == "tool_rounds"


async def test_after_a_restart_a_call_of_the_callers_own_tool_still_ends_the_answer(
    product: Product, box: Box
) -> None:
    generation_id = await asked(product, f"{BUY}\ncall mine {{}}", tools=MINE)
    await until_asked(product, generation_id)
    await product.restart()
    await product.call("POST", _approval(generation_id), {"approve": True})
    events = await kinds(product, generation_id)
    assert results(events) == [("c0.0", "own__buy=1", False)]
    assert events[-1][1]["finish_reason"] == "tool_calls"
    assert box.began == ["c0.0"]


async def test_a_tool_that_the_operator_denies_is_a_failed_result(
    product: Product, box: Box
) -> None:
    box.words["own__wipe"] = "deny"
    generation_id = await asked(product, "call own__wipe 1\ncall own__add 2")
    assert [failed for _, _, failed in results(await kinds(product, generation_id))] == [
        True,
        False,
    ]
    assert box.began == ["c0.1"]


async def test_a_tool_that_must_be_asked_for_meanwhile_is_not_run(
    product: Product, box: Box
) -> None:
    generation_id = await asked(product, f"{BUY}\ncall own__add 2")
    await until_asked(product, generation_id)
    box.words["own__add"] = "ask"
    await product.call("POST", _approval(generation_id), {"approve": True})
    said = "A person has to allow this call, and nobody was asked: call it again."
    ended = results(await kinds(product, generation_id))
    assert ended == [("c0.0", "own__buy=1", False), ("c0.1", said, True)]


async def test_a_tool_that_outlasts_the_answers_time_ends_it(
    product: Product, caller: Caller, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.gates["c0.0"] = asyncio.Event()
    end_of = Attempts.end_of

    def soon(attempts: Attempts, run: Run) -> float:  # once the model has called
        whole = end_of(attempts, run)
        return asyncio.get_running_loop().time() + 0.2 if caller.prompts else whole

    monkeypatch.setattr(Attempts, "end_of", soon)
    generation_id = await asked(product, "call own__add 1")
    events = await kinds(product, generation_id)
    ended = events[-1][1]
    assert (ended["status"], ended["error"]["code"]) == ("failed", "upstream_timeout")
    assert box.stopped == ["c0.0"]


async def test_a_stop_while_a_question_to_a_person_is_being_stored_leaves_it_waiting(
    product: Product, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    storing, parked = asyncio.Event(), asyncio.Event()
    settled, park = EventLog.settled, Rounds.park

    async def slowly(eventlog: EventLog, generation_id: str) -> bool:
        storing.set()
        await parked.wait()
        return await settled(eventlog, generation_id)

    def heard(rounds: Rounds) -> None:
        park(rounds)
        parked.set()

    monkeypatch.setattr(EventLog, "settled", slowly)
    monkeypatch.setattr(Rounds, "park", heard)
    generation_id = await asked(product, BUY)
    await storing.wait()
    await product.restart()
    _, generation = await product.call("GET", f"/generations/{generation_id}")
    assert (generation["status"], generation["waiting"]) == ("running", True)
    await product.call("POST", _approval(generation_id), {"approve": True})
    assert results(await kinds(product, generation_id)) == [("c0.0", "own__buy=1", False)]
    assert box.began == ["c0.0"]


async def test_two_words_about_one_call_at_once_are_one_word_and_a_refusal(
    product: Product, box: Box
) -> None:
    generation_id = await asked(product, BUY)
    await until_asked(product, generation_id)
    words = (True, False, True, False)
    calls = [
        product.call("POST", _approval(generation_id), {"approve": approve}) for approve in words
    ]
    replies = [status for status, _ in await asyncio.gather(*calls)]
    assert replies in ([200, 409, 200, 409], [409, 200, 409, 200])
    [(_, _, refused)] = results(await kinds(product, generation_id))
    assert refused is (replies[0] == 409)
    assert box.began == ([] if refused else ["c0.0"])
