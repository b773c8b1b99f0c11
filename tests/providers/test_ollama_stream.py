"""Ollama's stream as it is really spoken: bytes in, pieces out, nothing believed without need.

The files in tests/wire/ollama have the shape of streams of 2026 (versions 0.12 to 0.40); old.ndjson
that of 2023, which ends without a line end.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite_llm_chat.domain import Finish, Piece, Reasoning, Text, ToolCall, Usage
from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers.frames import MAX_EVENT_BYTES
from lite_llm_chat.providers.ollama_stream import OllamaDecoder

from .conftest import endpoint

WIRE = Path(__file__).parents[1] / "wire" / "ollama"
STOP = b'{"done":true,"done_reason":"stop"}\n'


def line(**fields: object) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


def says(content: object, **fields: object) -> bytes:
    message = {"role": "assistant", "content": content, **fields}
    return line(model="m", message=message, done=False)


def heard(*parts: bytes, may_be_empty: bool = False) -> tuple[list[Piece], Finish | UpstreamError]:
    """The pieces, merged where they follow each other, and how it ended."""
    decoder = OllamaDecoder(endpoint("http://nowhere"), may_be_empty)
    pieces = [piece for part in parts for piece in decoder.feed(part)] + decoder.close()
    try:
        return merged(pieces), decoder.finish()
    except UpstreamError as error:
        return merged(pieces), error


def merged(pieces: list[Piece]) -> list[Piece]:
    rows: list[Piece] = []
    for piece in pieces:
        match rows[-1:], piece:
            case [Text(text=before)], Text(text=after):
                rows[-1] = Text(before + after)
            case [Reasoning(text=before)], Reasoning(text=after):
                rows[-1] = Reasoning(before + after)
            case _:
                rows.append(piece)
    return rows


def ended(*parts: bytes) -> Finish:
    """The Finish of an answer that is whole."""
    end = heard(*parts)[1]
    assert isinstance(end, Finish), end
    return end


def failed(*parts: bytes) -> tuple[list[Piece], UpstreamError]:
    """The pieces before an error, and the error."""
    pieces, error = heard(*parts)
    assert isinstance(error, UpstreamError), error
    return pieces, error


# ── recorded ──────────────────────────────────────────────────────────────────────────────────

ANSWERS = [
    (
        "thinking",
        [Reasoning("Okay, 嗯"), Text("Grüße \u2028🙂")],
        Finish("stop", Usage(input=26, output=9), "qwen3:8b"),
    ),
    ("length", [Text("The sky is")], Finish("length", Usage(input=26, output=3), "llama3.2")),
    ("cached", [Text("Yes.")], Finish("stop", Usage(input=0, output=2), "llama3.2")),
    ("old", [Text("The")], Finish("stop", Usage(input=26, output=1), "llama3.2")),
    (
        "tool_call",
        [ToolCall("call_k3x9w2ab", "get_weather", '{"city": "Paris"}')],
        Finish("tool_calls", Usage(input=26, output=9), "llama3.2"),
    ),
    (
        "tool_calls",
        [
            Reasoning("Zwei Städte, 嗯"),
            Text("I look."),
            ToolCall(
                "call_2d7c6c6a1b62604ad7ee259d",
                "get_weather",
                '{"city": "北京", "days": [1, 2.5, null]}',
            ),
            ToolCall("call_8e2da5c31849d0954601656b", "get_weather", '{"city": "Zürich"}'),
            ToolCall("call_x1", "now", "{}"),
        ],
        Finish("tool_calls", Usage(input=126, output=61), "qwen3:8b"),
    ),
]
FAILURES = [
    ("error", [Text("Yes.")], "provider_error"),
    ("cut", [Text("Yes, and")], "upstream_truncated"),
    ("load", [], "empty_answer"),
]


@pytest.mark.parametrize(("name", "pieces", "end"), ANSWERS, ids=lambda one: str(one)[:9])
def test_a_recorded_answer_is_the_same_wherever_it_is_cut(
    name: str, pieces: list[Piece], end: Finish
) -> None:
    data = (WIRE / f"{name}.ndjson").read_bytes()
    assert heard(data) == (pieces, end)
    for at in range(len(data) + 1):
        assert heard(data[:at], data[at:]) == (pieces, end), at
    assert heard(*(data[at : at + 1] for at in range(len(data)))) == (pieces, end)


@pytest.mark.parametrize(("name", "pieces", "code"), FAILURES)
def test_a_recorded_failure_is_the_same_wherever_it_is_cut(
    name: str, pieces: list[Piece], code: str
) -> None:
    data = (WIRE / f"{name}.ndjson").read_bytes()
    for at in range(len(data) + 1):
        before, error = failed(data[:at], data[at:])
        assert (before, error.code, error.retryable) == (pieces, code, True), at


def test_an_answer_that_stops_anywhere_before_its_end_is_a_cut() -> None:
    data = (WIRE / "thinking.ndjson").read_bytes()
    for at in range(len(data) - 1):
        assert failed(data[:at])[1].code == "upstream_truncated", at
    assert ended(data[:-1]).reason == "stop"


def test_what_one_read_brings_is_one_piece_of_each_kind_in_a_row() -> None:
    decoder = OllamaDecoder(endpoint("http://nowhere"))
    together = says("", thinking="a") + says("", thinking="b") + says("c") + says("d")
    assert decoder.feed(together) == [Reasoning("ab"), Text("cd")]
    assert (decoder.over, decoder.feed(STOP), decoder.over) == (False, [], True)


def test_an_answer_in_one_body_is_a_stream_of_one_line() -> None:
    decoder = OllamaDecoder(endpoint("http://nowhere"))
    body = line(model="m", message={"content": "All of it."}, done=True, done_reason="stop")
    assert decoder.whole(body.strip()) == [Text("All of it.")]
    assert decoder.finish() == Finish("stop", None, "m")


# ── how it ends ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("reason", ["length", "other"])
def test_other_ends_than_stop_may_be_silent(reason: str) -> None:
    assert ended(line(done=True, done_reason=reason)).reason == reason


@pytest.mark.parametrize("reason", ["load", "unload", "stop"])
def test_an_end_that_said_nothing_is_an_empty_answer(reason: str) -> None:
    pieces, error = failed(says("", thinking="hm"), line(done=True, done_reason=reason))
    assert pieces == [Reasoning("hm")]
    assert (error.code, error.retryable) == ("empty_answer", True)


def test_a_continuation_needs_no_text() -> None:
    assert heard(STOP, may_be_empty=True) == ([], Finish("stop"))


@pytest.mark.parametrize("done", [None, False, "true", 1, {}])
def test_only_done_itself_makes_an_answer_whole(done: object) -> None:
    pieces, error = failed(says("so f"), line(done=done, done_reason="stop"))
    assert pieces == [Text("so f")]
    assert (error.code, error.retryable) == ("upstream_truncated", True)


def test_nothing_counts_after_the_line_that_says_done() -> None:
    late = says("late") + b'{"error":"late"}\n'
    assert heard(says("x") + STOP + late) == ([Text("x")], Finish("stop", None, "m"))


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"prompt_eval_count": 7, "eval_count": 2}, Usage(input=7, output=2)),
        ({"eval_count": 2.0}, Usage(output=2)),
        ({"prompt_eval_count": -1, "eval_count": True}, Usage()),
        ({"prompt_eval_count": "7", "eval_count": 1e300}, Usage(input=7)),
        ({"prompt_eval_count": {}, "eval_count": []}, Usage()),
        ({}, None),
    ],
)
def test_strange_numbers_hurt_nobody(counts: dict[str, object], usage: Usage | None) -> None:
    end = line(done=True, done_reason="stop", **counts)
    assert ended(says("x"), end) == Finish("stop", usage, "m")


# ── errors and rubbish ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error", ["boom", {"message": "boom"}, {"error": "boom"}, ["boom"]])
def test_an_error_line_ends_the_answer_and_keeps_what_came_before(error: object) -> None:
    pieces, failure = failed(says("so far") + line(error=error) + says("never") + STOP)
    assert pieces == [Text("so far")]
    assert failure.code == "provider_error"
    assert "boom" in failure.detail


@pytest.mark.parametrize(
    "raw",
    [
        b"{oops",
        b"[1]",
        b'"text"',
        b"5",
        b"null",
        b'{"message":[]}',
        b"[" * 9999,
        b'data: {"message":{"content":"x"}}',
        b"event: error",
        b'{"message":{"content":"a"}} {"message":{"content":"b"}}',
        b"\xff\xfe",
    ],
    ids=range(11),
)
def test_a_line_that_is_no_answer_is_garbage(raw: bytes) -> None:
    pieces, error = failed(says("so far") + raw + b"\n" + STOP)
    assert pieces == [Text("so far")]
    assert (error.code, error.retryable) == ("upstream_garbage", True)


def test_an_object_over_two_lines_is_garbage_however_it_is_read() -> None:
    halves = [b'{"message":\n', b'{"content":"x"}}\n' + STOP]
    assert failed(*halves)[1].code == "upstream_garbage"
    assert failed(b"".join(halves))[1].code == "upstream_garbage"


@pytest.mark.parametrize(
    "nothing",
    [
        b"\n",
        b" \r\n",
        b"{}\n",
        b'{"message":null,"done":null}\n',
        b'{"message":{"content":5,"thinking":["x"],"tool_calls":[]}}\n',
        b'{"message":{},"error":null,"model":7,"new":{"deep":[1]}}\n',
        b'{"message":{},"error":""}\n',
    ],
)
def test_lines_that_say_nothing_are_passed_over(nothing: bytes) -> None:
    assert heard(says("x"), nothing, STOP) == ([Text("x")], Finish("stop", None, "m"))


@pytest.mark.parametrize("size", [4096, MAX_EVENT_BYTES + 1])
def test_a_line_without_end_is_given_up(size: int) -> None:
    decoder = OllamaDecoder(endpoint("http://nowhere"))
    fed = 0
    while decoder.failure is None and fed <= 2 * MAX_EVENT_BYTES:
        decoder.feed(b"x" * size)
        fed += size
    assert MAX_EVENT_BYTES < fed <= MAX_EVENT_BYTES + size
    with pytest.raises(UpstreamError, match="in one piece"):
        decoder.finish()


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
    assert heard(b'{"message":{"content":%s}}\n' % raw, STOP) == ([Text(text)], Finish("stop"))


def test_an_emoji_cut_between_two_lines_is_one_character() -> None:
    first = rb'{"message":{"content":"a\ud83d"}}' + b"\n"
    second = rb'{"message":{"content":"\ude00b"}}' + b"\n"
    assert heard(first, second, STOP)[0] == [Text("a\U0001f600b")]
    assert heard(first + second + STOP)[0] == [Text("a\U0001f600b")]


@given(
    st.lists(
        st.tuples(st.sampled_from(["content", "thinking"]), st.text(min_size=1)),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.integers(0, 10_000), max_size=20),
    st.booleans(),
)
def test_any_cut_of_an_answer_gives_the_same_answer(
    deltas: list[tuple[str, str]], at: list[int], escaped: bool
) -> None:
    rows = [{"message": {name: text}} for name, text in deltas]
    data = "".join(json.dumps(row, ensure_ascii=escaped) + "\n" for row in rows).encode() + STOP
    marks = sorted({0, len(data), *(mark % len(data) for mark in at)})
    parts = [data[a:b] for a, b in pairwise(marks)]
    assert heard(*parts, may_be_empty=True) == heard(data, may_be_empty=True)


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_no_bytes_at_all_can_crash_it(parts: list[bytes]) -> None:
    heard(*parts)
