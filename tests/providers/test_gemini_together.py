"""Gemini's chunks mean the same however many of them one read brings.

chunks ─┬─▶ a byte a read ──────▶ GeminiDecoder ─▶ pieces, the end ─┐
        └─▶ some chunks a read ─▶ GeminiDecoder ─▶ pieces, the end ─┴─▶ equal
"""

from __future__ import annotations

import json
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite_llm_chat.domain import Usage
from lite_llm_chat.providers import gemini_stream
from lite_llm_chat.providers.frames import each_row
from lite_llm_chat.providers.gemini_stream import GeminiDecoder

from .conftest import endpoint
from .gemini_ear import STOP, event, hear, saying

TEXTS = st.text(alphabet='ab你🙂"\\\n\r\u2028\ud83d\ude00{}:,', max_size=5)
FIGURES = st.one_of(
    st.integers(0, 3000), st.none(), st.sampled_from(["7", -1, True, 1.5, [], {}, "x", 1e300])
)
COUNTED: st.SearchStrategy[object] = st.one_of(
    st.dictionaries(
        st.sampled_from(
            [
                "promptTokenCount",
                "toolUsePromptTokenCount",
                "cachedContentTokenCount",
                "candidatesTokenCount",
                "thoughtsTokenCount",
                "totalTokenCount",
                "promptTokensDetails",
            ]
        ),
        FIGURES,
    ),
    st.sampled_from([None, 7, "none", [], [{}], True]),
)
PARTS = st.one_of(
    TEXTS.map(lambda text: {"text": text}),
    TEXTS.map(lambda text: {"text": text, "thought": True}),
    TEXTS.map(lambda text: {"text": text, "thoughtSignature": "EpwCCpk="}),
    st.just({"functionCall": {"name": "look", "args": {"at": 1}}}),
    st.sampled_from([{}, {"text": 7}, {"text": None}]),
)


def chunk(part: object, counted: object, finish: object) -> bytes:
    candidate = {"content": {"parts": [part], "role": "model"}, "finishReason": finish, "index": 0}
    return event({"candidates": [candidate], "usageMetadata": counted, "modelVersion": "g"})


CHUNKS = st.builds(chunk, PARTS, COUNTED, st.sampled_from([None, None, None, "STOP", "OTHER"]))
ROWS = st.one_of(
    CHUNKS,
    CHUNKS.map(lambda row: row.replace(b"\r\n", b"\n")),
    st.sampled_from(
        [
            b": alive\r\n\r\n",
            b"data: \r\n\r\n",
            b"data: [" + STOP[6:-4] + b"]\r\n\r\n",
            b'data: {"candidates":\r\ndata: []}\r\n\r\n',
            b'data: {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}\r\n\r\n',
            b"data: rubbish\r\n\r\n",
            b"event: note\r\n",
        ]
    ),
)


def told(reads: list[bytes]) -> tuple[object, Usage | None]:
    """What is said, how it ends, and the tokens that are known then."""
    decoder = GeminiDecoder(endpoint("http://127.0.0.1:1"))
    for read in reads:
        if decoder.over:
            break
        decoder.feed(read)
    return hear(reads), decoder.reported()


@given(st.lists(ROWS, max_size=10), st.lists(st.integers(1, 4), max_size=10))
def test_however_chunks_come_together_they_say_the_same(
    rows: list[bytes], sizes: list[int]
) -> None:
    alone = told([bytes([byte]) for byte in b"".join(rows)])
    cuts = [0, *(at for at in accumulate(sizes) if at < len(rows)), len(rows)]
    groups = [b"".join(rows[at:end]) for at, end in pairwise(cuts) if end > at]
    assert told(groups) == alone


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_chunks_of_one_read_are_decoded_in_one_step(
    monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    decoded: list[bytes] = []

    def counted(decoder: Any, rows: bytes) -> Any:
        decoded.append(rows)
        return each_row(decoder, rows)

    monkeypatch.setattr(gemini_stream, "each_row", counted)
    monkeypatch.setattr(GeminiDecoder, "_chunks", None)  # the way of one by one
    rows = [saying({"text": word}) for word in ("a", "b", "c")]
    said, _ = hear([STOP, b"".join(rows).replace(b"\r\n", end)])
    assert said == [("Text", "abc")]
    assert decoded[1:] == [b"\n".join(row.strip()[6:] for row in rows)]


@pytest.mark.parametrize("counted", [None, 7, "none", [], [{}]])
def test_a_usage_that_is_none_loses_no_answer(counted: object) -> None:
    raw = json.dumps(counted).encode()
    row = (
        saying({"text": "a"}, finishReason="STOP")[:-5]
        + b', "usageMetadata": '
        + raw
        + b"}\r\n\r\n"
    )
    said, end = hear([row])
    assert said == [("Text", "a")]
    assert not isinstance(end, tuple)
    assert end.usage is None
