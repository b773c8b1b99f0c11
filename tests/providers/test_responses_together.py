"""Deltas of text that come in one read are read at once, and mean what they mean alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lite_llm_chat.domain import Piece
from lite_llm_chat.providers.responses_stream import ResponseDecoder

from .conftest import endpoint, grouped
from .response_events import delta, done, ended, event, merged

TEXTS = st.text(alphabet='ab你🙂"\\\n\u2028{}:,', max_size=5)
ROWS = st.one_of(
    TEXTS.map(delta),
    TEXTS.map(lambda text: delta(text, part=1)),
    TEXTS.map(lambda text: delta(text, item=1)),
    TEXTS.map(lambda text: delta(text, "reasoning_summary_text")),
    TEXTS.map(lambda text: delta(text).replace(b"\n", b"\r\n")),
    st.just(delta(["no text"])),
    st.just(delta("odd").replace(b'"type": "response.output_text.delta"', b'"type": ["odd"]')),
    st.just(delta("other").replace(b'"type": "response.output_text', b'"type": "response.refusal')),
    st.just(delta("bare").replace(b'"type": "response.output_text.delta", ', b"")),
    st.just(delta("broken").replace(b"broken", b"\xff")),
    st.just(event("response.in_progress", response={})),
    st.just(done(type="message", content=[])),
    st.just(ended()),
)


def read(reads: list[bytes]) -> tuple[list[Piece], bool]:
    decoder = ResponseDecoder(endpoint("http://nowhere"))
    pieces = [piece for one in reads for piece in decoder.feed(one)]
    return merged(pieces + decoder.close()), decoder.finished


@given(st.lists(ROWS, max_size=12), st.lists(st.integers(1, 4), max_size=12))
def test_however_events_come_together_they_say_the_same(
    rows: list[bytes], sizes: list[int]
) -> None:
    alone = read([bytes([byte]) for row in rows for byte in row])
    groups = grouped(rows, sizes)
    assert read(groups) == alone
    assert read(rows) == alone
    assert read([b"".join(rows)] if rows else []) == alone
