"""Deltas to pieces: one for each kind in a row, storable, and nothing is lost at a seam."""

from __future__ import annotations

import pytest

from lite_llm_chat.domain import Reasoning, Text
from lite_llm_chat.providers.gather import Gatherer, count


def test_deltas_of_a_kind_in_a_row_are_one_piece() -> None:
    one = Gatherer()
    one.add(Reasoning, "a")
    one.add(Reasoning, "b")
    one.add(Text, "c")
    assert one.handed_out() == [Reasoning("ab"), Text("c")]
    assert one.handed_out() == []
    one.add(Text, "d")
    assert one.handed_out(last=True) == [Text("d")]


def test_only_visible_text_is_speech() -> None:
    silent, spoken = Gatherer(), Gatherer()
    silent.add(Reasoning, "a")
    spoken.add(Text, "a")
    assert (silent.spoke, spoken.spoke) == (False, True)


@pytest.mark.parametrize("nothing", ["", None, 5, ["x"], {"text": "x"}])
def test_what_is_no_text_is_passed_over(nothing: object) -> None:
    one = Gatherer()
    one.add(Text, nothing)
    assert (one.handed_out(last=True), one.spoke) == ([], False)


def test_half_a_character_waits_for_its_other_half_and_not_beyond_its_kind() -> None:
    one = Gatherer()
    one.add(Text, "a\ud83d")
    assert one.handed_out() == [Text("a")]
    one.add(Text, "\ude00")
    assert one.handed_out() == [Text("\U0001f600")]
    one.add(Reasoning, "b\ud83d")
    assert one.handed_out() == [Reasoning("b")]
    one.add(Text, "c")
    assert one.handed_out() == [Reasoning("\ufffd"), Text("c")]
    one.add(Text, "\ud83d")
    assert one.handed_out() == []
    assert one.handed_out(last=True) == [Text("\ufffd")]


@pytest.mark.parametrize(
    ("said", "tokens"),
    [
        (7, 7),
        (7.0, 7),
        ("7", 7),
        (-1, 0),
        (True, 0),
        ("many", 0),
        ("-1", 0),
        (None, 0),
        (1e12, 0),
        (float("nan"), 0),
    ],
    ids=repr,
)
def test_a_number_of_tokens_is_a_number_or_nothing(said: object, tokens: int) -> None:
    assert count({"a": {"b": said}}, "a", "b") == tokens
    assert count({"a": said}, "a", "b") == 0
    assert count(said) == tokens
