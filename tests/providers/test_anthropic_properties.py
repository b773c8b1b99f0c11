"""Anthropic's events, whatever they hold and wherever they are cut."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lite_llm_chat.domain import Finish
from lite_llm_chat.providers.anthropic_stream import MessageDecoder

from .conftest import endpoint
from .test_anthropic_stream import decoded, delta, ended, event, merged


@given(
    st.lists(
        st.tuples(st.sampled_from(["text", "thinking"]), st.text(min_size=1)),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.integers(0, 10_000), max_size=20),
)
def test_any_cut_of_an_answer_gives_the_same_answer(
    deltas: list[tuple[str, str]], at: list[int]
) -> None:
    data = b"".join(delta(kind, text) for kind, text in deltas) + ended()
    marks = sorted({0, len(data), *(mark % len(data) for mark in at)})
    parts = [data[a:b] for a, b in pairwise(marks)]
    assert merged(decoded(*parts, may_be_empty=True)) == merged(decoded(data, may_be_empty=True))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
KINDS = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "news",
]


@given(
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(["message", "content_block", "delta", "usage", "index"]), JSON),
)
def test_no_event_whatever_it_holds_breaks_more_than_the_answer(
    kind: str, fields: dict[str, object]
) -> None:
    decoder = MessageDecoder(endpoint("http://nowhere"), may_be_empty=True, bound="b")
    decoder.feed(event(kind, **fields) + ended())
    decoder.close()
    if decoder.failure is not None:
        assert decoder.failure.code == "upstream_garbage"
    else:
        assert isinstance(decoder.finish(), Finish)
