"""What of an answer waits until its text is whole, and in which order it goes on."""

from __future__ import annotations

from lite_llm_chat.answering.drafts import Draft
from lite_llm_chat.domain import Reasoning, Seal, Text, ToolCall

SEAL = Seal("acme", "x")


def test_text_and_the_seals_that_belong_to_it_wait() -> None:
    draft = Draft(held=True)
    assert [draft.keeps(piece) for piece in (Text("a"), Text("ü"), SEAL)] == [True, True, True]
    assert (draft.text, draft.size) == ("aü", 3)
    assert draft.let_go() == [Text("aü"), SEAL]


def test_thoughts_and_their_seals_do_not_wait() -> None:
    draft = Draft(held=True)
    pieces = (Reasoning("hm"), SEAL, Text("a"), Reasoning("hm"), SEAL)
    assert [draft.keeps(piece) for piece in pieces] == [False, False, True, False, False]
    assert draft.let_go() == [Text("a")]


def test_another_text_may_go_on_instead() -> None:
    draft = Draft(held=True)
    draft.keeps(Text("Sure: {}"))
    draft.keeps(SEAL)
    assert draft.let_go("{}") == [Text("{}"), SEAL]


def test_what_was_let_go_comes_once_and_nothing_waits_after_it() -> None:
    draft = Draft(held=True)
    draft.keeps(Text("a"))
    draft.let_go()
    assert (draft.let_go(), draft.size) == ([], 0)
    assert draft.keeps(Text("b")) is False


def test_without_a_text_there_is_nothing_to_let_go() -> None:
    assert Draft(held=True).let_go() == []


def test_what_is_only_noted_does_not_wait() -> None:
    draft = Draft(held=False)
    assert [draft.keeps(piece) for piece in (Text("a"), SEAL, Text("b"))] == [False, False, False]
    assert (draft.text, draft.let_go()) == ("ab", [])


def test_a_call_is_noted() -> None:
    draft = Draft(held=True)
    assert draft.keeps(ToolCall("1", "look", "{}")) is False
    assert draft.calls
