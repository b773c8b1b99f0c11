"""Deltas of text that differ in nothing but their text are read at once, and mean the same."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lite_llm_chat.domain import Piece, Reasoning, Text
from lite_llm_chat.providers.anthropic_stream import MessageDecoder
from lite_llm_chat.providers.template import VAIN_TEMPLATES

from .conftest import endpoint, grouped


def event(name: str, **fields: Any) -> bytes:
    said = json.dumps({"type": name, **fields}, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\ndata: {said}\n\n".encode()


def delta(text: str, index: int = 0, kind: str = "text") -> bytes:
    return event("content_block_delta", index=index, delta={"type": f"{kind}_delta", kind: text})


def begin(index: int = 0, kind: str = "text") -> bytes:
    return event("content_block_start", index=index, content_block={"type": kind, kind: ""})


STOP = event("content_block_stop", index=0)
PING = event("ping")
TEXTS = st.text(alphabet='ab你🙂"\\\n\u2028{}:,', max_size=5)
ROWS = st.one_of(
    TEXTS.map(delta),
    TEXTS.map(lambda text: delta(text, kind="thinking")),
    st.just(PING),
    st.just(begin()),
    st.just(STOP),
    TEXTS.map(lambda text: delta(text).replace(b"\n", b"\r\n")),
    TEXTS.map(lambda text: delta(text, index=1)),
    st.just(event("content_block_delta", index=[0], delta={"type": ["text_delta"], "text": 7})),
    st.just(delta("odd").replace(b'"type":"content_block_delta"', b'"type":["odd"]')),
    st.just(delta("bare").replace(b'"type":"content_block_delta",', b"")),
    st.just(delta("broken").replace(b"broken", b"\xff")),
)
# No two are alike: after these, none is kept to compare the next with.
VARIED = [begin(), *(delta("x", index=at % 7) for at in range(2 * VAIN_TEMPLATES))]


def joined(pieces: list[Piece]) -> list[tuple[type, str]]:
    said: list[tuple[type, str]] = []
    for piece in pieces:
        assert isinstance(piece, Text | Reasoning)
        if said and said[-1][0] is type(piece):
            said[-1] = (type(piece), said[-1][1] + piece.text)
        else:
            said.append((type(piece), piece.text))
    return said


def read(reads: list[bytes]) -> list[tuple[type, str]]:
    decoder = MessageDecoder(endpoint("http://nowhere"))
    pieces = [piece for one in reads for piece in decoder.feed(one)]
    return joined(pieces + decoder.close())


@given(st.lists(ROWS, max_size=12), st.lists(st.integers(1, 4), max_size=12))
def test_however_events_come_together_they_say_the_same(
    rows: list[bytes], sizes: list[int]
) -> None:
    alone = read([bytes([byte]) for row in rows for byte in row])
    groups = grouped(rows, sizes)
    assert read(groups) == alone
    assert read(rows) == alone
    varied = read([b"".join(VARIED)])[0][1]
    later = read([*VARIED, *groups])
    assert later == joined([Text(varied), *(kind(text) for kind, text in alone)])


def test_a_text_that_looks_like_an_event_is_only_a_text() -> None:
    odd = 'x","text":"y'
    assert read([begin() + delta("a"), delta(odd), delta("b") + delta("c")]) == [
        (Text, f"a{odd}bc")
    ]


def test_nothing_is_said_after_the_end() -> None:
    last = event("message_stop")
    assert read([begin() + delta("a"), last, delta("b")]) == [(Text, "a")]
