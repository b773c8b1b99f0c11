"""Events of the Responses API: what has to be whole, what ends an answer, and what says nothing."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite_llm_chat.domain import Finish, Seal, Text, ToolCall, Usage
from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers.responses_stream import ResponseDecoder

from .conftest import endpoint
from .response_events import (
    LOOK,
    call,
    decoded,
    delta,
    done,
    ended,
    event,
    merged,
    message,
    refused,
)

# ── calls and seals ───────────────────────────────────────────────────────────────────────────


def added(index: int = 0, **item: object) -> bytes:
    return event("response.output_item.added", output_index=index, item=item)


def written(text: object, index: int = 0, what: str = "delta") -> bytes:
    name = f"response.function_call_arguments.{what}"
    return event(name, output_index=index, **{"delta" if what == "delta" else "arguments": text})


CALLS: list[bytes] = [
    done(0, **call()),
    done(0, **call()) + done(0, **call()),
    added(0, **call(arguments="")) + written('{"a"') + written(": 1}") + done(0, **call()),
    added(0, **call(arguments="")) + written('{"a": 1}', what="done"),
    added(0, **call(arguments="")) + written("{") + written('{"a": 1}', what="done"),
    added(0, **call(arguments=None)) + written('{"a": 1}') + done(0, type="function_call"),
    added(0, **call(arguments={})) + written('{"a": 1}'),
    added(0, **call()) + done(0, type="function_call", name=None, call_id=None, arguments=None),
    done(0, **call(arguments={"a": 1})),
    done(0, **call(call_id=None, id="call_1")),
    written("lost", 7) + done(0, **call()),
    b"",  # only the last event has it
]


@pytest.mark.parametrize("data", CALLS, ids=range(len(CALLS)))
def test_a_call_comes_whole_and_once(data: bytes) -> None:
    assert decoded(data, ended(output=[call()])) == [LOOK, Finish("tool_calls")]


def test_a_call_without_an_id_gets_one_of_its_own() -> None:
    calls = [call(None), call("")]
    pieces = decoded(done(0, **calls[0]) + done(1, **calls[1]), ended(output=calls))
    first, second = pieces[:2]
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert first.id.startswith("call_")
    assert first.id != second.id
    assert pieces[2:] == [Finish("tool_calls")]


def test_a_call_that_a_limit_has_cut_is_none() -> None:
    data = added(0, **call(arguments="")) + written('{"a"')
    cut = call(arguments='{"a"', status="incomplete")
    reason = {"reason": "max_output_tokens"}
    end = ended("incomplete", incomplete_details=reason, output=[cut])
    assert decoded(data + end) == [Finish("length")]
    assert decoded(data + done(0, **cut) + end) == [Finish("length")]


@pytest.mark.parametrize("name", [None, "", 5])
def test_a_call_of_nothing_is_none(name: object) -> None:
    assert decoded(delta("x") + done(1, **call(name=name)), ended()) == [Text("x"), Finish("stop")]


def test_reasoning_is_sealed_as_it_came_before_what_it_led_to() -> None:
    item = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [],
        "encrypted_content": "gA==",
        "new_field": {"a": [1, None]},
    }
    data = done(0, **item, status=None) + done(1, **call())
    seal, *rest = decoded(data, ended(output=[item, call()]))
    assert isinstance(seal, Seal)
    assert (seal.maker, json.loads(seal.data)) == ("responses", item)
    assert rest == [LOOK, Finish("tool_calls")]


@pytest.mark.parametrize(
    "item", [{}, {"encrypted_content": None}, {"encrypted_content": "", "content": []}]
)
def test_reasoning_that_cannot_be_sent_back_has_no_seal(item: dict[str, object]) -> None:
    data = done(0, type="reasoning", id="rs_1", summary=[], **item) + delta("x", item=1)
    assert decoded(data, ended()) == [Text("x"), Finish("stop")]


def test_a_call_and_a_seal_are_fit_for_any_store() -> None:
    odd = "\ud83d\ude00 \ud800 \0"
    raw = json.dumps({"item": call(name=odd, arguments=odd), "output_index": 1})
    seal = {"type": "reasoning", "id": odd, "summary": [], "encrypted_content": odd}
    row = json.dumps({"item": seal, "output_index": 0})
    data = "".join(f"event: response.output_item.done\ndata: {one}\n\n" for one in (row, raw))
    first, second, _ = decoded(data.encode(), ended())
    assert isinstance(first, Seal)
    assert isinstance(second, ToolCall)
    assert (second.name, second.arguments) == ("😀 \ufffd \ufffd",) * 2
    assert json.loads(first.data)["id"] == "😀 \ufffd \0"
    first.data.encode()


def test_arguments_without_end_are_given_up_for_good() -> None:
    decoder = ResponseDecoder(endpoint("http://nowhere"))
    decoder.feed(added(0, **call()))
    for _ in range(9):
        decoder.feed(written("x" * 1_000_000))
    assert decoder.failure is not None
    assert (decoder.failure.code, decoder.failure.retryable) == ("upstream_garbage", False)


# ── the end ───────────────────────────────────────────────────────────────────────────────────

DETAILS: list[tuple[object, str]] = [
    ({"reason": "max_output_tokens"}, "length"),
    ({"reason": "content_filter"}, "content_filter"),
    ({"reason": "steered"}, "steered"),
    ({"reason": None}, "incomplete"),
    (None, "incomplete"),
    ("max_output_tokens", "incomplete"),
]


@pytest.mark.parametrize(("details", "reason"), DETAILS)
def test_an_incomplete_response_ends_with_its_reason(details: object, reason: str) -> None:
    end = ended("incomplete", incomplete_details=details)
    assert decoded(delta("x") + end) == [Text("x"), Finish(reason)]


USAGES: list[tuple[object, Usage | None]] = [
    (None, None),
    ("odd", None),
    ({}, Usage()),
    ({"input_tokens": "7", "output_tokens": 3}, Usage(7, 0, 3, 0)),
    (
        {
            "input_tokens": 7,
            "input_tokens_details": {"cached_tokens": 99},
            "output_tokens": 3,
            "output_tokens_details": {"reasoning_tokens": 99},
        },
        Usage(7, 7, 3, 3),
    ),
    ({"input_tokens": 7, "input_tokens_details": None, "output_tokens": -3}, Usage(7, 0, 0, 0)),
]


@pytest.mark.parametrize(("usage", "counted"), USAGES)
def test_any_usage_leaves_the_answer_whole(usage: object, counted: Usage | None) -> None:
    end = ended(usage=usage, model=5)
    assert decoded(delta("x") + end) == [Text("x"), Finish("stop", counted)]


def test_an_answer_that_says_nothing_is_empty_unless_it_may_be() -> None:
    for data in (ended(), delta("Hm", "reasoning_text") + ended(), event("response.completed")):
        _, error = refused(data)
        assert (error.code, error.retryable) == ("empty_answer", True)
    assert decoded(ended(), may_be_empty=True) == [Finish("stop")]


def test_nothing_counts_after_the_last_event() -> None:
    late = delta("late") + b"event: error\ndata: late\n\n"
    assert decoded(delta("x"), ended() + late) == [Text("x"), Finish("stop")]


NOTHING: list[bytes] = [
    b"event: ping\ndata: not JSON\n\n",
    b"data: \n\n",
    b": a comment\n\n",
    b"data: [DONE]\n\n",
    b"data: {}\n\n",
    b'data: {"type": null}\n\n',
    b'data: {"type": ["a"]}\n\n',
    event("response.created", response=None),
    event("response.output_item.added", item=7),
    event("response.output_item.added"),
    event("response.output_item.done", item=None),
    done(5, type="function_call"),
    done(5, type=["reasoning"]),
    done(0, type="message", content=[{"type": "output_text", "text": None}, 5, {}]),
    done(0, type="message", content="odd"),
    delta(None),
    delta(5),
    delta(["x"]),
    delta("x", "audio"),
    event("response.output_text.delta"),
    event("response.output_text.done", text=None),
    event("response.output_text.done", output_index=1, text=["x"]),
    event("response.function_call_arguments.delta", delta=None),
    event("response.function_call_arguments.done"),
    event("response.output_text.annotation.added", annotation=None),
]


@pytest.mark.parametrize("nothing", NOTHING, ids=range(len(NOTHING)))
def test_events_that_say_nothing_are_passed_over(nothing: bytes) -> None:
    assert merged(decoded(delta("x") + nothing + delta("y"), ended())) == [
        Text("xy"),
        Finish("stop"),
    ]


@pytest.mark.parametrize("raw", [b"{oops", b"[1]", b'"text"', b"5", b"[" * 9999])
def test_an_event_that_is_no_event_is_garbage(raw: bytes) -> None:
    for name in (b"", b"event: response.output_text.delta\n"):
        pieces, error = refused(delta("so far") + name + b"data: " + raw + b"\n\n")
        assert pieces == [Text("so far")]
        assert error.code == "upstream_garbage"


ERRORS: list[bytes] = [
    event("error", code="server_error", message="boom", param=None),
    b'data: {"type": "error", "code": null, "message": "boom"}\n\n',
    b'data: {"error": {"message": "boom"}}\n\n',
    b"event: error\ndata: boom\n\n",
    ended("failed", error={"code": "server_error", "message": "boom"}),
    ended("failed", error="boom"),
]


@pytest.mark.parametrize("raw", ERRORS, ids=range(len(ERRORS)))
def test_an_error_of_any_shape_is_an_error_with_its_words(raw: bytes) -> None:
    pieces, error = refused(delta("so far") + raw)
    assert pieces == [Text("so far")]
    assert (error.code, error.retryable) == ("provider_error", True)
    assert "boom" in error.detail


@pytest.mark.parametrize("said", [None, {}, 5, []])
def test_a_failure_without_words_is_one_all_the_same(said: object) -> None:
    _, error = refused(delta("so far") + ended("failed", error=said))
    assert error.code == "provider_error"


BODIES: list[tuple[object, str]] = [
    ({"error": {"message": "boom", "type": "invalid_request_error"}}, "provider_bad_request"),
    ({"status": "failed", "error": {"code": "rate_limit_exceeded"}}, "provider_rate_limited"),
    ({"status": "cancelled"}, "upstream_gave_up"),
    ({"status": "in_progress", "output": []}, "provider_error"),
    ({"status": "completed", "output": []}, "empty_answer"),
    ({"output": [message("x")]}, "provider_error"),
    ([], "provider_error"),
]


@pytest.mark.parametrize(("body", "code"), BODIES, ids=range(len(BODIES)))
def test_any_other_body_is_an_error(body: object, code: str) -> None:
    decoder = ResponseDecoder(endpoint("http://nowhere"))
    decoder.whole(json.dumps(body).encode())
    decoder.close()
    with pytest.raises(UpstreamError) as caught:
        decoder.finish()
    assert caught.value.code == code


# ── any stream ────────────────────────────────────────────────────────────────────────────────

KINDS = ["output_text", "refusal", "reasoning_text", "reasoning_summary_text"]
DELTA = st.tuples(st.sampled_from(KINDS), st.text(min_size=1), st.integers(0, 2), st.integers(0, 2))


@given(st.lists(DELTA, min_size=1, max_size=8), st.lists(st.integers(0, 10_000), max_size=20))
def test_any_cut_of_an_answer_gives_the_same_answer(
    deltas: list[tuple[str, str, int, int]], at: list[int]
) -> None:
    data = b"".join(delta(text, kind, item, part) for kind, text, item, part in deltas) + ended()
    marks = sorted({0, len(data), *(mark % len(data) for mark in at)})
    parts = [data[a:b] for a, b in pairwise(marks)]
    assert merged(decoded(*parts, may_be_empty=True)) == merged(decoded(data, may_be_empty=True))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
ITEM = st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "reasoning", "function_call"])},
    optional=dict.fromkeys(
        ("id", "call_id", "name", "arguments", "status", "content", "summary"), JSON
    ),
)
NAMES = ["output_item.added", "output_item.done", "function_call_arguments.delta", "news"]
NAMES += [f"{kind}.{what}" for kind in KINDS for what in ("delta", "done")]
FIELDS = ("item", "delta", "text", "arguments", "output_index", "content_index", "summary_index")


@given(
    st.sampled_from(NAMES),
    st.dictionaries(st.sampled_from(FIELDS), JSON | ITEM),
    st.lists(JSON | ITEM, max_size=3) | JSON,
    JSON,
)
def test_no_event_whatever_it_holds_breaks_the_answer(
    name: str, fields: dict[str, object], output: object, other: object
) -> None:
    decoder = ResponseDecoder(endpoint("http://nowhere"), may_be_empty=True)
    end = ended(output=output, usage=other, model=other, incomplete_details=other)
    decoder.feed(event(f"response.{name}", **fields) + end)
    decoder.close()
    assert isinstance(decoder.finish(), Finish)
