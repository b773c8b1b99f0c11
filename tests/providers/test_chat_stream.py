"""The dialect as it is really spoken: bytes in, pieces out, nothing believed without need."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite_llm_chat.domain import Finish, Piece, Reasoning, Text, ToolCall, Usage
from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers.chat_stream import ChatDecoder
from lite_llm_chat.providers.think import TagReader

from .conftest import endpoint

STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def event(data: object) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def delta(**fields: object) -> bytes:
    return event({"choices": [{"index": 0, "delta": fields, "finish_reason": None}]})


def decoded(*parts: bytes, may_be_empty: bool = False) -> list[Piece]:
    decoder = ChatDecoder(endpoint("http://nowhere"), may_be_empty)
    pieces = [piece for part in parts for piece in decoder.feed(part)]
    return [*pieces, *decoder.close(), decoder.finish()]


def refused(*parts: bytes) -> tuple[list[Piece], UpstreamError]:
    decoder = ChatDecoder(endpoint("http://nowhere"))
    pieces = [piece for part in parts for piece in decoder.feed(part)] + decoder.close()
    with pytest.raises(UpstreamError) as caught:
        decoder.finish()
    return pieces, caught.value


def test_what_one_read_brings_is_one_piece_of_each_kind_in_a_row() -> None:
    together = delta(reasoning_content="a") + delta(reasoning_content="b") + delta(content="c")
    assert decoded(together + delta(content="d"), event(STOP)) == [
        Reasoning("ab"),
        Text("cd"),
        Finish("stop"),
    ]


def test_an_event_cut_in_two_is_not_one_event() -> None:
    halves = b'data: {"choices":\n\ndata: [{"index": 0, "delta": {"content": "x"}}]}\n\n'
    pieces, error = refused(delta(content="a") + halves + event(STOP))
    assert (pieces, error.code) == ([Text("a")], "upstream_garbage")


@pytest.mark.parametrize(
    ("fields", "piece"),
    [
        ({"content": "x"}, Text("x")),
        ({"content": "x", "reasoning_content": None, "role": ""}, Text("x")),
        ({"reasoning": "x", "content": ""}, Reasoning("x")),
        ({"reasoning": "x", "reasoning_content": "x"}, Reasoning("x")),
        (
            {
                "content": "",
                "reasoning": "x",
                "reasoning_details": [{"type": "reasoning.text", "text": "x", "index": 0}],
            },
            Reasoning("x"),
        ),
        (
            {
                "reasoning_details": [
                    {"type": "reasoning.summary", "summary": "x"},
                    {"type": "reasoning.encrypted", "data": "AAAA"},
                    {"type": "reasoning.text", "text": None, "signature": "BBBB"},
                    "y",
                ]
            },
            Reasoning("x"),
        ),
        ({"content": [{"type": "text", "text": "x"}]}, Text("x")),
        ({"content": ["x", {"type": "image_url"}, None, 5]}, Text("x")),
        (
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "x"}]}]},
            Reasoning("x"),
        ),
    ],
)
def test_text_and_reasoning_are_found_wherever_vendors_put_them(
    fields: dict[str, object], piece: Piece
) -> None:
    assert decoded(delta(content="-"), delta(**fields), event(STOP))[-2] == piece


@pytest.mark.parametrize(
    "nothing",
    [
        {"choices": []},
        {"choices": None},
        {},
        {"choices": [{"index": 0, "delta": None, "finish_reason": None}]},
        {"choices": [{"index": 0, "finish_reason": ""}]},
        {"choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": "length"}]},
        {"choices": [{"delta": {"tool_calls": []}}], "error": None, "obfuscation": "abc"},
        {"choices": [{"delta": {"content": 5}}], "usage": None, "model": 7},
        {"choices": [{"delta": {"reasoning_details": {"text": "x"}}}]},
        {"choices": [{"delta": {"reasoning_details": [{"type": "reasoning.encrypted"}]}}]},
        {"choices": [], "prompt_filter_results": [{"prompt_index": 0}], "id": "", "model": ""},
        {"choices": [], "provider": "x", "service_tier": "default", "timings": {"n": 1}},
    ],
)
def test_events_that_say_nothing_are_passed_over(nothing: object) -> None:
    assert decoded(delta(content="x"), event(nothing), b"data: \n\n", event(STOP)) == [
        Text("x"),
        Finish("stop"),
    ]


def with_usage(usage: object, **more: object) -> dict[str, object]:
    return {"choices": [], "usage": usage, **more}


@pytest.mark.parametrize(
    "events",
    [
        [{**STOP, "usage": {"prompt_tokens": 7, "completion_tokens": 2}}],
        [STOP, with_usage({"prompt_tokens": 7, "completion_tokens": 2})],
        [
            with_usage({"prompt_tokens": 7, "completion_tokens": 1}),
            {**STOP, "usage": {"prompt_tokens": 7, "completion_tokens": 2}},
            with_usage(None),
        ],
        [STOP, with_usage({"prompt_tokens": 7, "completion_tokens": 2}), {"choices": []}],
        [STOP, {"choices": [], "x_groq": {"usage": {"prompt_tokens": 7, "completion_tokens": 2}}}],
        [
            {
                "choices": [
                    {
                        "finish_reason": "stop",
                        "usage": {"prompt_tokens": "7", "completion_tokens": 2.0},
                    }
                ]
            }
        ],
    ],
)
def test_the_last_usage_counts_wherever_it_stands(events: list[object]) -> None:
    parts = [delta(content="x"), *(event(one) for one in events), b"data: [DONE]\n\n"]
    assert decoded(*parts)[-1] == Finish("stop", Usage(input=7, output=2))


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 8},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            Usage(10, 8, 5, 3),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 23,
                "completion_tokens_details": {"reasoning_tokens": 8},
            },
            Usage(10, 0, 13, 8),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 15,
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            Usage(10, 0, 5, 3),
        ),
        ({"prompt_tokens": -1, "completion_tokens": True, "prompt_tokens_details": 3}, Usage()),
        ({"prompt_tokens": "many", "completion_tokens": None}, Usage()),
        ("none", None),
    ],
)
def test_strange_numbers_in_a_usage_hurt_nobody(said: object, usage: Usage | None) -> None:
    assert decoded(delta(content="x"), event({**STOP, "usage": said}))[-1] == Finish("stop", usage)


ERRORS = [
    (b'data: {"error":{"message":"boom","type":"server_error"}}\n\n', "provider_error"),
    (b'data: {"error":"boom"}\n\n', "provider_error"),
    (b'data: {"error":{"message":"boom","code":429}}\n\n', "provider_rate_limited"),
    (b'data: {"error":{"message":"boom","type":"rate_limit_error"}}\n\n', "provider_rate_limited"),
    (b'data: {"error":{"message":"boom","code":"503"},"choices":[]}\n\n', "provider_overloaded"),
    (b'data: {"object":"error","message":"boom"}\n\n', "provider_error"),
    (b'data: {"choices":[],"x_groq":{"error":"boom"}}\n\n', "provider_error"),
    (b'data: {"choices":[{"delta":{},"error":{"message":"boom"}}]}\n\n', "provider_error"),
    (b'event: error\ndata: {"message":"boom"}\n\n', "provider_error"),
    (b"event: error\ndata: boom\n\n", "provider_error"),
    (
        b'data: {"error":{"code":502,"message":"boom"},"choices":[{"finish_reason":"error"}]}\n\n',
        "provider_error",
    ),
    (b'error: {"message":"boom"}\n\n', "provider_error"),
]


@pytest.mark.parametrize(("raw", "code"), ERRORS)
def test_an_error_in_any_form_ends_the_answer_and_keeps_what_came_before(
    raw: bytes, code: str
) -> None:
    pieces, error = refused(delta(content="so far") + raw + delta(content="never"))
    assert pieces == [Text("so far")]
    assert error.code == code
    assert "boom" in error.detail


@pytest.mark.parametrize("raw", [b"{oops", b"[1]", b'"text"', b"5", b'{"choices":{}}', b"[" * 9999])
def test_an_event_that_is_no_answer_is_garbage(raw: bytes) -> None:
    pieces, error = refused(delta(content="so far"), b"data: " + raw + b"\n\n")
    assert pieces == [Text("so far")]
    assert error.code == "upstream_garbage"


@pytest.mark.parametrize("end", [b"", b"data: [DONE]\n\n"])
def test_an_end_without_a_finish_reason_is_a_cut(end: bytes) -> None:
    pieces, error = refused(delta(content="so f"), end)
    assert pieces == [Text("so f")]
    assert (error.code, error.retryable) == ("upstream_truncated", True)


@pytest.mark.parametrize(
    "reason", ["insufficient_system_resource", "aborted", "error", "network_error"]
)
def test_a_vendor_that_gives_up_is_an_error_and_no_answer(reason: str) -> None:
    last = event({"choices": [{"delta": {}, "finish_reason": reason}]})
    pieces, error = refused(delta(content="so f"), last)
    assert pieces == [Text("so f")]
    assert (error.code, error.status, error.retryable) == ("upstream_gave_up", 503, True)


def test_stop_without_a_word_is_an_empty_answer_and_its_reasoning_is_kept() -> None:
    pieces, error = refused(delta(reasoning_content="hm"), event(STOP))
    assert pieces == [Reasoning("hm")]
    assert (error.code, error.retryable) == ("empty_answer", True)


@pytest.mark.parametrize(
    "reason",
    ["length", "content_filter", "end_turn", "eos", "sensitive"],
)
def test_other_ends_may_be_silent(reason: str) -> None:
    assert decoded(event({"choices": [{"finish_reason": reason}]})) == [Finish(reason)]


def test_the_limit_of_the_window_is_a_length_too() -> None:
    ended = event({"choices": [{"finish_reason": "model_length"}]})
    assert decoded(delta(content="so f"), ended) == [Text("so f"), Finish("length")]


def test_a_cache_cannot_have_more_than_was_asked() -> None:
    usage = {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 9}}
    assert decoded(delta(content="x"), event({**STOP, "usage": usage}))[-1] == Finish(
        "stop", Usage(input=7, cached=7)
    )


def test_a_tool_call_and_a_continuation_need_no_text() -> None:
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    assert decoded(delta(tool_calls=[call]), event(STOP)) == [
        ToolCall("a", "f", "{}"),
        Finish("tool_calls"),
    ]
    assert decoded(event(STOP), may_be_empty=True) == [Finish("stop")]


def test_nothing_counts_after_the_end_mark() -> None:
    late = delta(content="late") + b'data: {"error":"late"}\n\n'
    marks = [b"data: [DONE]\n\n", b"data:  [DONE] \n\n"]
    for mark in marks:
        assert decoded(delta(content="x"), event(STOP) + mark + late) == [Text("x"), Finish("stop")]


def test_the_served_model_and_fingerprint_are_reported() -> None:
    last = {**STOP, "model": "m-2", "system_fingerprint": "fp"}
    assert decoded(delta(content="x"), event(last))[-1] == Finish("stop", None, "m-2", "fp")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'"a\ud83d"', "a\ufffd"),
        (rb'"\ude00b"', "\ufffdb"),
        (rb'"a\u0000b"', "a\ufffdb"),
        (b'"a\xff\xfeb"', "a\ufffd\ufffdb"),
        ('"\u2028\u0085\u2029"'.encode(), "\u2028\u0085\u2029"),
        (b'"tab\there"', "tab\there"),
    ],
)
def test_damaged_text_is_mended_and_never_loses_the_answer(raw: bytes, text: str) -> None:
    chunk = b'data: {"choices":[{"delta":{"content":%s}}]}\n\n' % raw
    assert merged(decoded(chunk, event(STOP))) == [Text(text), Finish("stop")]


def test_an_emoji_cut_between_two_deltas_is_one_character() -> None:
    first = rb'data: {"choices":[{"delta":{"content":"a\ud83d"}}]}' + b"\n\n"
    second = rb'data: {"choices":[{"delta":{"content":"\ude00b"}}]}' + b"\n\n"
    assert decoded(first, second, event(STOP))[:2] == [Text("a"), Text("\U0001f600b")]
    assert decoded(first + second, event(STOP))[0] == Text("a\U0001f600b")


def merged(pieces: list[Piece]) -> list[Any]:
    rows: list[Any] = []
    for piece in pieces:
        if rows and isinstance(piece, Text | Reasoning) and type(piece) is type(rows[-1]):
            rows[-1] = type(piece)(rows[-1].text + piece.text)
        else:
            rows.append(piece)
    return rows


def test_reasoning_that_stands_twice_in_every_chunk_is_read_once() -> None:
    parts = [
        delta(
            content="", reasoning=word, reasoning_details=[{"type": "reasoning.text", "text": word}]
        )
        for word in ("a", "b", "c")
    ]
    assert merged(decoded(*parts, delta(content="x"), event(STOP)))[:2] == [
        Reasoning("abc"),
        Text("x"),
    ]


def tagged(*parts: bytes) -> tuple[list[Piece], ChatDecoder]:
    """The pieces of an answer that may begin with a tag, and the decoder after its end."""
    decoder = ChatDecoder(endpoint("http://nowhere"), tags=TagReader())
    pieces = [piece for part in parts for piece in decoder.feed(part)]
    return [*pieces, *decoder.close()], decoder


def test_reasoning_between_tags_is_reasoning_and_the_rest_is_text() -> None:
    parts = [delta(content=part) for part in ("<th", "ink>H", "m</th", "ink>\n", "Yes", ".")]
    pieces, decoder = tagged(*parts, event(STOP))
    assert merged(pieces) == [Reasoning("Hm"), Text("Yes.")]
    assert decoder.finish() == Finish("stop")
    assert tagged(b"".join(parts) + event(STOP))[0] == [Reasoning("Hm"), Text("Yes.")]


def test_tags_are_found_in_one_body_and_beside_a_field_for_reasoning() -> None:
    decoder = ChatDecoder(endpoint("http://nowhere"), tags=TagReader())
    message = {"content": "<think>b</think>c", "reasoning": "a"}
    body = {"choices": [{"message": message, "finish_reason": "stop"}]}
    pieces = [*decoder.whole(json.dumps(body).encode()), *decoder.close()]
    assert merged(pieces) == [Reasoning("ab"), Text("c")]


def test_an_answer_of_tags_alone_says_nothing() -> None:
    pieces, decoder = tagged(delta(content="<think>Hm"), delta(content="</think>\n"), event(STOP))
    assert merged(pieces) == [Reasoning("Hm")]
    with pytest.raises(UpstreamError) as caught:
        decoder.finish()
    assert caught.value.code == "empty_answer"


def test_what_was_held_for_a_tag_comes_at_the_end_of_a_cut_answer() -> None:
    pieces, decoder = tagged(delta(content="<thi"), b'data: {"error":"boom"}\n\n')
    assert pieces == [Text("<thi")]
    assert decoder.failure is not None


@given(
    st.lists(
        st.tuples(st.sampled_from(["content", "reasoning_content"]), st.text(min_size=1)),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.integers(0, 10_000), max_size=20),
    st.booleans(),
)
def test_any_cut_of_an_answer_gives_the_same_answer(
    deltas: list[tuple[str, str]], at: list[int], escaped: bool
) -> None:
    chunks = [{"choices": [{"delta": {name: text}}]} for name, text in deltas]
    lines = [json.dumps(one, ensure_ascii=escaped) for one in [*chunks, {**STOP, "model": "m"}]]
    data = "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode()
    marks = sorted({0, len(data), *(mark % len(data) for mark in at)})
    parts = [data[a:b] for a, b in pairwise(marks)]
    assert merged(decoded(*parts, may_be_empty=True)) == merged(decoded(data, may_be_empty=True))
