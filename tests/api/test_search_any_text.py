"""Any text: whatever is said is found by its words, and whatever is typed is a query."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_llm_chat.errors import Invalid
from lite_llm_chat.search.finding import Asked, find
from lite_llm_chat.search.query import parse
from lite_llm_chat.search.snippets import snippet
from lite_llm_chat.store import search
from lite_llm_chat.store.database import Connection
from lite_llm_chat.store.found import Wanted
from lite_llm_chat.store.tables import SEARCH_INDEX, metadata
from lite_llm_chat.store.words import LONGEST_WORD, spans, words

from .seeds import Seed, planted, user

NOW = datetime(2026, 11, 30, tzinfo=UTC)
SCRIPTS = st.sampled_from(
    "aZé1_ß. -\"'\n\u0301İŁœﬁ½ﷺ㎏ⅣжЙёΣς我東京。ーがｶﾞガ한글\u1112\u1161\u11a8ㅋไทยहिन्दीעِالعَربيّة"
    "🙂👩\u200d🚀\ufe0f\u00ad\ue000"
)
TEXT = st.text(st.one_of(SCRIPTS, st.characters(codec="utf-8")), max_size=60)
TYPED = st.text(st.one_of(SCRIPTS, st.sampled_from('"-*^():{}+ANDORNOT '), st.characters()))


@contextmanager
def empty_file() -> Iterator[Connection]:
    """A database in memory with all tables."""
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as conn:
        metadata.create_all(conn)
        for statement in SEARCH_INDEX:
            conn.exec_driver_sql(statement)
        yield conn
    engine.dispose()


@given(TEXT)
def test_the_words_with_and_without_their_places_are_the_same(text: str) -> None:
    found = list(spans(text))
    assert [one.word for one in found] == words(text)
    ends = [(one.start, one.end) for one in found]
    assert all(0 <= start < end <= len(text) for start, end in ends)
    assert ends == sorted(ends)


@given(TEXT)
def test_a_word_is_itself_when_it_is_typed(text: str) -> None:
    for word in words(text):
        assert words(word) == [word]
        assert 0 < len(word) <= LONGEST_WORD
        assert not set(word) & set(' "*-\0\n\ue000')


@given(TEXT, st.text(max_size=5))
def test_the_index_has_the_words_of_two_texts_side_by_side(one: str, other: str) -> None:
    assert words(f"{one}\n{other}") == words(one) + words(other)


@settings(max_examples=60)
@given(st.lists(TEXT, min_size=1, max_size=5), st.data())
def test_a_message_is_found_by_any_of_its_words_which_is_then_marked(
    said: list[str], data: st.DataObject
) -> None:
    with empty_file() as conn:
        planted(conn, Seed("-", user(*said)))
        search.settle(conn)
        for number, text in enumerate(said, 1):
            every = [one for one in spans(text) if one.word]
            if not every:
                continue
            chosen = data.draw(st.sampled_from(every))
            typed = text[chosen.start : chosen.end]
            page = find(conn, Asked(f'"{chosen.word}"', Wanted(), limit=100), NOW)
            assert [one.session.id for one in page.results] == [1]
            (result,) = page.results
            shown = result.snippet
            assert shown.ranges
            for start, end in shown.ranges:
                assert chosen.word in words(shown.text[start:end])
            assert words(typed), (number, typed)


@settings(max_examples=200)
@given(TYPED)
def test_anything_that_is_typed_is_a_query_or_has_no_word(typed: str) -> None:
    with empty_file() as conn:
        planted(conn, Seed("AND OR", user("NOT a near (b) * ^ : one")))
        search.settle(conn)
        if words(typed) and "-" not in typed:
            assert find(conn, Asked(typed, Wanted()), NOW).next is None
            return
        try:
            find(conn, Asked(typed, Wanted()), NOW)
        except Invalid as refused:
            code = refused.code
        else:
            code = "empty_query"
        assert code == "empty_query"


@given(TEXT, TEXT)
def test_the_marks_of_a_snippet_are_where_the_query_is_said(text: str, typed: str) -> None:
    try:
        query = parse(typed)
    except Invalid:
        return
    shown = snippet(text, query)
    place = 0
    for start, end in shown.ranges:
        assert place <= start < end <= len(shown.text)
        place = end
    said = f" {' '.join(words(text))} "
    assert bool(shown.ranges) == any(one.count(said) for one in query.wanted)
    assert shown.html().count("<mark>") == len(shown.ranges)
