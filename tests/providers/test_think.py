"""Reasoning between tags in the text, however the text is cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite_llm_chat.domain import Reasoning, Text
from lite_llm_chat.providers.think import TagReader


def read(*parts: str, opened: bool = False) -> tuple[str, str]:
    """Reasoning and text of an answer that came in these parts."""
    reader = TagReader(opened)
    pieces = [piece for part in parts for piece in reader.feed(part)] + reader.close()
    assert all(piece.text for piece in pieces)
    thoughts = "".join(piece.text for piece in pieces if isinstance(piece, Reasoning))
    return thoughts, "".join(piece.text for piece in pieces if isinstance(piece, Text))


@pytest.mark.parametrize(
    ("said", "thoughts", "text"),
    [
        ("<think>Hm.</think>Yes.", "Hm.", "Yes."),
        ("\n <think>\nHm.\n</think>\n\nYes.", "Hm.\n", "Yes."),
        ("<think></think>Yes.", "", "Yes."),
        ("<think>\n\n</think>\n\nYes.", "", "Yes."),
        ("Yes: <think> is a tag.</think>", "", "Yes: <think> is a tag.</think>"),
        ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
        ("<think>a < b </thin b", "a < b </thin b", ""),
        ("<think>cut </thi", "cut </thi", ""),
        ("<thinking", "", "<thinking"),
        ("<thin", "", "<thin"),
        (" \n", "", " \n"),
        ("", "", ""),
    ],
)
def test_only_an_answer_that_begins_with_the_tag_begins_with_reasoning(
    said: str, thoughts: str, text: str
) -> None:
    assert read(said) == (thoughts, text)


@pytest.mark.parametrize(
    ("said", "thoughts", "text"),
    [
        ("Hm.</think>Yes.", "Hm.", "Yes."),
        ("<think>Hm.</think>Yes.", "Hm.", "Yes."),
        ("\nHm.\n</think>\n\nYes.", "Hm.\n", "Yes."),
        ("Hm", "Hm", ""),
        ("<thi", "<thi", ""),
    ],
)
def test_the_opening_tag_may_be_missing_where_a_vendor_leaves_it_out(
    said: str, thoughts: str, text: str
) -> None:
    assert read(said, opened=True) == (thoughts, text)


def test_what_cannot_become_a_tag_is_not_held_back() -> None:
    reader = TagReader()
    assert reader.feed("<think>Hm") == [Reasoning("Hm")]
    assert reader.feed(", <") == [Reasoning(", ")]
    assert reader.feed("b") == [Reasoning("<b")]
    assert reader.feed("</think>Y") == [Text("Y")]
    assert reader.feed("<") == [Text("<")]


def test_blanks_without_end_are_not_held_for_ever() -> None:
    reader = TagReader()
    assert reader.feed(" " * 999) == []
    assert reader.feed(" ") == [Text(" " * 1_000)]
    assert reader.feed("<think>") == [Text("<think>")]


bits = st.sampled_from(["<think>", "</think>", "<thi", "nk>", "</", "<", " ", "\n", "word", "é"])


@given(
    st.lists(bits, max_size=12).map("".join),
    st.lists(st.integers(0, 10_000), max_size=12),
    st.booleans(),
)
def test_any_cut_of_a_text_gives_the_same(said: str, at: list[int], opened: bool) -> None:
    marks = sorted({0, len(said), *(mark % (len(said) + 1) for mark in at)})
    parts = [said[a:b] for a, b in pairwise(marks)]
    assert read(*parts, opened=opened) == read(said, opened=opened)
