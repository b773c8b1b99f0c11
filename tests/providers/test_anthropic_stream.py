"""Anthropic's events: bytes in, pieces out, nothing believed without need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lite_llm_chat.domain import Finish, Piece, Reasoning, Text, ToolCall, Usage
from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers.anthropic_stream import MessageDecoder

from .conftest import endpoint

WIRE = Path(__file__).parents[1] / "wire" / "anthropic"


def event(kind: str, **fields: object) -> bytes:
    data = json.dumps({"type": kind, **fields}, ensure_ascii=False)
    return f"event: {kind}\ndata: {data}\n\n".encode()


def delta(kind: str, text: str) -> bytes:
    return event("content_block_delta", index=0, delta={"type": f"{kind}_delta", kind: text})


def ended(reason: object = "end_turn", usage: object = None) -> bytes:
    return event("message_delta", delta={"stop_reason": reason}, usage=usage) + STOP


STOP = event("message_stop")


def decoded(*parts: bytes, may_be_empty: bool = False, bound: str = "") -> list[Piece]:
    decoder = MessageDecoder(endpoint("http://nowhere"), may_be_empty, bound)
    pieces = [piece for part in parts for piece in decoder.feed(part)]
    return [*pieces, *decoder.close(), decoder.finish()]


def refused(*parts: bytes) -> tuple[list[Piece], UpstreamError]:
    decoder = MessageDecoder(endpoint("http://nowhere"))
    pieces = [piece for part in parts for piece in decoder.feed(part)] + decoder.close()
    with pytest.raises(UpstreamError) as caught:
        decoder.finish()
    return pieces, caught.value


def merged(pieces: list[Piece]) -> list[Any]:
    rows: list[Any] = []
    for piece in pieces:
        if rows and isinstance(piece, Text | Reasoning) and type(piece) is type(rows[-1]):
            rows[-1] = type(piece)(rows[-1].text + piece.text)
        else:
            rows.append(piece)
    return rows


# ── recorded streams ──────────────────────────────────────────────────────────────────────────

RECORDED: dict[str, list[Piece]] = {
    "text": [
        Text('Grüße aus "Köln" 🙂,\nund gute Nacht.'),
        Finish("stop", Usage(21, 0, 17, 0), "claude-haiku-4-5-20251001"),
    ],
    "thinking": [
        Reasoning("They ask for a sum: 2 + 2."),
        Text("It is four."),
        Finish("stop", Usage(2020, 1801, 34, 23), "claude-sonnet-5-5"),
    ],
    "tools": [
        Reasoning("Both towns: 巴黎, Rom."),
        Text("I look."),
        ToolCall("toolu_01A09q90qw90lq917835lq9", "get_weather", '{"city": "巴黎"}'),
        ToolCall("toolu_01B", "get_time", "{}"),
        Finish("tool_calls", Usage(40, 0, 89, 30), "claude-opus-5-5"),
    ],
    "strangers": [
        Text("I will not"),
        Finish("refusal", Usage(12, 0, 8, 0), "claude-opus-5"),
    ],
}


def test_every_recorded_stream_is_replayed() -> None:
    assert {path.stem for path in WIRE.glob("*.sse")} == {*RECORDED, "overloaded"}


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_stream_gives_its_pieces_wherever_it_is_cut(name: str) -> None:
    data = (WIRE / f"{name}.sse").read_bytes()
    assert decoded(data) == RECORDED[name]
    for at in range(1, len(data)):
        assert merged(decoded(data[:at], data[at:])) == RECORDED[name]


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_line_ends_and_single_bytes_change_nothing(name: str, end: bytes) -> None:
    data = (WIRE / f"{name}.sse").read_bytes().replace(b"\n", end)
    assert merged(decoded(*(data[at : at + 1] for at in range(len(data))))) == RECORDED[name]


@pytest.mark.parametrize("name", RECORDED)
def test_without_event_names_the_type_in_the_data_counts(name: str) -> None:
    data = (WIRE / f"{name}.sse").read_bytes()
    bare = b"\n".join(line for line in data.split(b"\n") if not line.startswith(b"event:"))
    assert decoded(bare) == RECORDED[name]


def test_every_shorter_stream_is_a_cut_and_keeps_its_words() -> None:
    data = (WIRE / "text.sse").read_bytes()
    last = data.rindex(b"data: ")
    for at in range(0, last, 7):
        pieces, error = refused(data[:at])
        assert error.code == "upstream_truncated", data[:at]
        said = "".join(piece.text for piece in pieces if isinstance(piece, Text))
        assert RECORDED["text"][0].text.startswith(said)  # type: ignore[union-attr]


def test_an_overloaded_vendor_fails_under_a_200() -> None:
    data = (WIRE / "overloaded.sse").read_bytes()
    pieces, error = refused(data)
    assert pieces == [Text("So far")]
    assert (error.code, error.status, error.retryable) == ("provider_overloaded", 503, True)
    assert "Overloaded" in error.detail


# ── what is made of it ────────────────────────────────────────────────────────────────────────


def test_what_one_read_brings_is_one_piece_of_each_kind_in_a_row() -> None:
    together = delta("thinking", "a") + delta("thinking", "b") + delta("text", "c")
    assert decoded(together + delta("text", "d"), ended()) == [
        Reasoning("ab"),
        Text("cd"),
        Finish("stop"),
    ]


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "refusal"),
        ("end_of_the_world", "end_of_the_world"),
    ],
)
def test_every_stop_reason_has_the_usual_word_or_keeps_its_own(reason: str, word: str) -> None:
    assert decoded(delta("text", "x"), ended(reason))[-1] == Finish(word)


def test_an_end_without_a_word_is_an_empty_answer_and_its_thoughts_are_kept() -> None:
    pieces, error = refused(delta("thinking", "hm"), ended())
    assert pieces == [Reasoning("hm")]
    assert (error.code, error.retryable) == ("empty_answer", True)


def test_a_tool_call_a_refusal_and_a_continuation_need_no_text() -> None:
    assert decoded(ended("refusal")) == [Finish("refusal")]
    tool = {"type": "server_tool_use", "id": "t", "name": "web_search"}
    begun = event("content_block_start", index=0, content_block=tool)
    assert decoded(begun, event("content_block_stop", index=0), ended()) == [Finish("stop")]
    assert decoded(ended(), may_be_empty=True) == [Finish("stop")]


@pytest.mark.parametrize(
    ("reports", "usage"),
    [
        ([{"input_tokens": 7}, {"output_tokens": 2}], Usage(7, 0, 2, 0)),
        ([{"input_tokens": 7, "output_tokens": 1}, {"output_tokens": 2}], Usage(7, 0, 2, 0)),
        ([{"output_tokens": 5}, {"output_tokens": None}], Usage(0, 0, 5, 0)),
        (
            [{"input_tokens": 1, "cache_read_input_tokens": 20}, {"input_tokens": 3}],
            Usage(23, 20, 0, 0),
        ),
        ([{"cache_creation_input_tokens": 4, "input_tokens": 1}], Usage(5, 0, 0, 0)),
        (
            [{"output_tokens": 5, "output_tokens_details": {"thinking_tokens": 9}}],
            Usage(0, 0, 5, 5),
        ),
        (
            [{"input_tokens": -1, "output_tokens": "many", "output_tokens_details": 3}],
            Usage(),
        ),
        (["none", None, 5, []], None),
    ],
)
def test_usage_is_cumulative_and_strange_numbers_hurt_nobody(
    reports: list[object], usage: Usage | None
) -> None:
    start = event("message_start", message={"usage": reports[0]})
    more = [event("message_delta", delta={}, usage=report) for report in reports[1:]]
    assert decoded(start, delta("text", "x"), *more, ended())[-1] == Finish("stop", usage)


NOTHING: list[bytes] = [
    b'event: ping\ndata: {"type": "ping"}\n\n',
    b"event: ping\ndata: not JSON\n\n",
    b"data: \n\n",
    b": a comment\n\n",
    b"data: [DONE]\n\n",
    b"event: news\ndata: not JSON\n\n",
    event("message_start", message=None),
    event("message_start", message={"model": 7, "usage": "odd"}),
    event("content_block_start"),
    event("content_block_start", index="x", content_block=None),
    event("content_block_start", content_block={"type": ["text"], "text": "x"}),
    event("content_block_delta", delta=None),
    event("content_block_delta", delta={}),
    event("content_block_delta", delta={"type": "text_delta"}),
    event("content_block_delta", delta={"type": "text_delta", "text": None}),
    event("content_block_delta", delta={"type": "text_delta", "text": 5}),
    event("content_block_delta", delta={"type": "thinking_delta", "thinking": ["x"]}),
    event("content_block_delta", delta={"type": "input_json_delta", "partial_json": "{"}),
    event("content_block_stop"),
    event("message_delta", delta=None),
    event("message_delta", delta={"stop_reason": 7}, usage=[]),
    b"data: {}\n\n",
    b'data: {"type": null, "delta": null}\n\n',
    b'data: {"type": {"a": 1}}\n\n',
]


@pytest.mark.parametrize("nothing", NOTHING, ids=range(len(NOTHING)))
def test_events_that_say_nothing_are_passed_over(nothing: bytes) -> None:
    assert merged(decoded(delta("text", "x") + nothing + delta("text", "y"), ended())) == [
        Text("xy"),
        Finish("stop"),
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b"{oops",
        b"[1]",
        b'"text"',
        b"5",
        b'{"type":"content_block_delta","delta":"x"}',
        b'{"type":"message_delta","delta":[]}',
        b'{"type":"message_start","message":7}',
        b"[" * 9999,
    ],
)
def test_an_event_that_is_no_event_is_garbage(raw: bytes) -> None:
    for name in (b"", b"event: content_block_delta\n"):
        pieces, error = refused(delta("text", "so far") + name + b"data: " + raw + b"\n\n")
        assert pieces == [Text("so far")]
        assert error.code == "upstream_garbage"


ERRORS = [
    ("overloaded_error", "provider_overloaded", True),
    ("rate_limit_error", "provider_rate_limited", True),
    ("api_error", "provider_error", True),
    ("invalid_request_error", "provider_bad_request", False),
    ("authentication_error", "provider_auth", False),
    ("permission_error", "provider_auth", False),
]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(("kind", "code", "retryable"), ERRORS)
def test_an_error_in_the_stream_has_its_code_and_keeps_what_came_before(
    kind: str, code: str, retryable: bool, named: bool
) -> None:
    error = event("error", error={"type": kind, "message": "boom"})
    raw = error if named else error.removeprefix(b"event: error\n")
    pieces, said = refused(delta("text", "so far") + raw + delta("text", "never"))
    assert pieces == [Text("so far")]
    assert (said.code, said.retryable) == (code, retryable)


@pytest.mark.parametrize("raw", [b"boom", b'{"message":"boom"}', b'{"error":"boom"}', b"[]"])
def test_an_error_of_any_shape_is_an_error(raw: bytes) -> None:
    _, error = refused(b"event: error\ndata: " + raw + b"\n\n")
    assert error.code == "provider_error"


def test_an_error_counts_without_its_blank_line_too() -> None:
    _, error = refused(event("error", error={"type": "overloaded_error"})[:-2])
    assert error.code == "provider_overloaded"


def test_only_the_last_event_makes_an_answer_whole() -> None:
    pieces, error = refused(delta("text", "so f"), ended()[: -len(STOP)])
    assert pieces == [Text("so f")]
    assert (error.code, error.retryable) == ("upstream_truncated", True)
    _, error = refused(delta("text", "so f"), STOP)  # it came, but said no reason
    assert error.code == "upstream_truncated"


def test_nothing_counts_after_the_last_event() -> None:
    late = delta("text", "late") + b"event: error\ndata: late\n\n"
    assert decoded(delta("text", "x"), ended() + late) == [Text("x"), Finish("stop")]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'"a\ud83d"', "a\ufffd"),
        (rb'"a\u0000b"', "a\ufffdb"),
        (b'"a\xff\xfeb"', "a\ufffd\ufffdb"),
        ('"\u2028\u0085\u2029"'.encode(), "\u2028\u0085\u2029"),
        (b'"tab\there"', "tab\there"),
    ],
)
def test_damaged_text_is_mended_and_never_loses_the_answer(raw: bytes, text: str) -> None:
    part = b'{"type":"content_block_delta","delta":{"type":"text_delta","text":%s}}' % raw
    chunk = b"event: content_block_delta\ndata: %s\n\n" % part
    assert merged(decoded(chunk, ended())) == [Text(text), Finish("stop")]


# ── one body instead of a stream ──────────────────────────────────────────────────────────────


def whole(body: object) -> list[Piece]:
    decoder = MessageDecoder(endpoint("http://nowhere"))
    return [*decoder.whole(json.dumps(body).encode()), *decoder.close(), decoder.finish()]


def test_a_whole_message_is_an_answer_too() -> None:
    message = {
        "type": "message",
        "model": "m",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "Yes."},
        ],
        "stop_reason": "max_tokens",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }
    end = Finish("length", Usage(3, 0, 2, 0), "m")
    assert whole(message) == [Reasoning("hm"), Text("Yes."), end]
    message["content"] = [{"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}]
    assert whole(message) == [ToolCall("t", "f", '{"a": 1}'), end]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"type": "error", "error": {"type": "overloaded_error"}}, "provider_overloaded"),
        ({"error": {"message": "boom"}}, "provider_error"),
        ({"content": []}, "provider_error"),
        ({"content": "Yes.", "stop_reason": "end_turn"}, "provider_error"),
        ({"content": [{"type": "text", "text": "Yes."}], "stop_reason": 5}, "provider_error"),
        ([], "provider_error"),
    ],
)
def test_any_other_body_is_an_error(body: object, code: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        whole(body)
    assert caught.value.code == code
