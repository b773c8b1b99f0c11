"""Tool calls as vendors stream them: deltas in, whole calls out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite_llm_chat.domain import Finish, Options, Piece, Prompt, Seal, Text, Tool, ToolCall, Turn
from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers.calls import Calls, Expected, expected_of
from lite_llm_chat.providers.chat_stream import ChatDecoder
from lite_llm_chat.providers.frames import MAX_EVENT_BYTES

from .conftest import endpoint

PARIS = ToolCall("a", "weather", '{"city": "Paris"}')
ROME = ToolCall("b", "weather", '{"city": "Rome"}')
DELTAS: list[dict[str, Any]] = [
    {"index": 0, "id": "a", "type": "function", "function": {"name": "weather", "arguments": ""}},
    {"index": 0, "function": {"arguments": '{"city": '}},
    {"index": 0, "function": {"arguments": '"Paris"}'}},
    {"index": 1, "id": "b", "type": "function", "function": {"name": "weather", "arguments": ""}},
    {"index": 1, "function": {"arguments": '{"city": '}},
    {"index": 1, "function": {"arguments": '"Rome"}'}},
]


def call(
    index: Any = None, call_id: Any = None, name: Any = None, arguments: Any = None
) -> dict[str, Any]:
    """A delta of a call, without what is None."""
    said = {"name": name, "arguments": arguments}
    function = {key: value for key, value in said.items() if value is not None}
    whole = {"index": index, "id": call_id, "function": function}
    return {key: value for key, value in whole.items() if value is not None}


def gathered(*deltas: object, expected: Expected | None = None) -> list[Piece]:
    """The calls in these deltas, each in a chunk of its own."""
    calls = Calls("acme", expected or Expected())
    for delta in deltas:
        calls.add(delta if isinstance(delta, list) else [delta])
    return list(calls.taken_out())


def edited(**changes: Any) -> list[dict[str, Any]]:
    """The deltas above with fields put in the place of theirs; ... takes one away."""
    rows = [{**delta, **changes} for delta in DELTAS]
    return [{key: value for key, value in row.items() if value is not ...} for row in rows]


def numbered(*indexes: object) -> list[dict[str, Any]]:
    return [{**delta, "index": index} for delta, index in zip(DELTAS, indexes * 3, strict=False)]


BY_IDS = [{**delta, "id": "ab"[delta["index"]]} for delta in DELTAS]
WHOLE = [call(0, "a", "weather", PARIS.arguments), call(1, "b", "weather", ROME.arguments)]
STRANGE: dict[str, list[Any]] = {
    "the tidy way": DELTAS,
    "both in one list": [DELTAS],
    "turn by turn": [DELTAS[at] for at in (0, 3, 1, 4, 2, 5)],
    "no index": edited(index=...),
    "index 0 everywhere": edited(index=0),
    "indexes from 1": [{**delta, "index": delta["index"] + 1} for delta in DELTAS],
    "indexes with a hole": [{**delta, "index": delta["index"] * 7} for delta in DELTAS],
    "indexes as text": [{**delta, "index": str(delta["index"])} for delta in DELTAS],
    "an index that is none": edited(index=True),
    "ids in every delta": BY_IDS,
    "ids in every delta, no index, turn by turn": [
        {**BY_IDS[at], "index": ...} for at in (0, 3, 1, 4, 2, 5)
    ],
    "blank ids behind the first": [{"id": "", **delta} for delta in DELTAS],
    "another id made up for every delta": [
        {"id": f"x{at}", **delta} for at, delta in enumerate(DELTAS)
    ],
    "the name in every delta": [
        {**delta, "function": {**delta["function"], "name": "weather"}} for delta in DELTAS
    ],
    "the name last": [
        call(0, "a", None, '{"city": "Paris"}'),
        call(0, None, "weather"),
        call(1, "b", None, '{"city": "Rome"}'),
        call(1, None, "weather"),
    ],
    "the id last": [
        call(0, None, "weather", '{"city": "Paris"}'),
        call(0, "a"),
        call(1, None, "weather", '{"city": "Rome"}'),
        call(1, "b"),
    ],
    "function null at first": [
        {"index": 0, "id": "a", "function": None},
        call(0, None, "weather", '{"city": "Paris"}'),
        {"index": 1, "id": "b", "function": None},
        call(1, None, "weather", '{"city": "Rome"}'),
    ],
    "each whole in one delta": WHOLE,
    "whole, no index": [{**one, "index": ...} for one in WHOLE],
    "whole, in one list, no index": [[{**one, "index": ...} for one in WHOLE]],
    "arguments as an object": [
        call(0, "a", "weather", {"city": "Paris"}),
        call(1, "b", "weather", {"city": "Rome"}),
    ],
    "arguments sent once more": [*DELTAS, call(1, "b", None, '{"city": "Rome"}')],
    "nothing between": [[], DELTAS[:3], [], None, ["?"], DELTAS[3:], [{"index": 0}]],
    "in characters": [
        part
        for one in WHOLE
        for part in (
            {**one, "function": {"name": "weather"}},
            *(call(one["index"], None, None, char) for char in one["function"]["arguments"]),
        )
    ],
}


@pytest.mark.parametrize("deltas", STRANGE.values(), ids=STRANGE.keys())
def test_two_calls_are_two_calls_however_they_are_streamed(deltas: list[Any]) -> None:
    cleaned = [
        {key: value for key, value in delta.items() if value is not ...}
        if isinstance(delta, dict)
        else [
            {key: value for key, value in one.items() if value is not ...}
            if isinstance(one, dict)
            else one
            for one in delta or ()
        ]
        for delta in deltas
    ]
    assert gathered(*cleaned) == [PARIS, ROME]


@pytest.mark.parametrize(
    "deltas",
    [
        edited(id=...),
        edited(id=""),
        edited(id=None),
        [{**one, "id": ...} for one in WHOLE],
        [{**one, "id": ..., "index": 0} for one in WHOLE],
        [{**one, "id": ..., "index": ...} for one in WHOLE],
        [[{**one, "id": ..., "index": ...} for one in WHOLE]],
        [{**one, "id": "same"} for one in WHOLE],
    ],
)
def test_a_call_without_an_id_of_its_own_gets_one_of_ours(deltas: list[Any]) -> None:
    rows = [delta if isinstance(delta, list) else [delta] for delta in deltas]
    cleaned = [
        [{key: value for key, value in one.items() if value is not ...} for one in row]
        for row in rows
    ]
    first, second = gathered(*cleaned)
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert [first.arguments, second.arguments] == [PARIS.arguments, ROME.arguments]
    assert first.id in ("call_0", "same")
    assert second.id == ("call_1" if first.id == "call_0" else "call_0")


def test_an_id_that_an_earlier_call_has_is_replaced() -> None:
    asked = Prompt(
        "m",
        (
            Turn("assistant", "", parts=(PARIS, ToolCall("call_0", "f", "{}"))),
            Turn("tool", "sunny", call_id="a"),
        ),
        Options(),
        tools=(Tool("weather"),),
    )
    (found,) = gathered(*DELTAS[:3], expected=expected_of(asked))
    assert found == ToolCall("call_1", "weather", PARIS.arguments)


def test_two_functions_without_arguments_are_two_calls() -> None:
    assert gathered(
        [call(None, None, "now"), call(None, None, "here")], call(5, None, "there")
    ) == [
        ToolCall("call_0", "now", "{}"),
        ToolCall("call_1", "here", "{}"),
        ToolCall("call_2", "there", "{}"),
    ]


def test_arguments_stay_as_the_model_wrote_them() -> None:
    (found,) = gathered(call(0, "a", "f", '{"x": 1, '), call(0, None, None, '"y"'))
    assert found == ToolCall("a", "f", '{"x": 1, "y"')


def test_what_no_store_can_hold_is_mended() -> None:
    (found,) = gathered(call(0, "a\ud800", "f\0", '{"x":"\ud83d'), call(0, None, None, '\ude00"}'))
    assert found == ToolCall("a\ufffd", "f\ufffd", '{"x":"\U0001f600"}')


def test_a_call_of_nobody_is_garbage() -> None:
    with pytest.raises(UpstreamError, match="without its name") as caught:
        gathered(call(0, "a", None, "{}"))
    assert caught.value.code == "upstream_garbage"


def test_arguments_have_a_bound() -> None:
    calls = Calls("acme")
    half = "x" * (MAX_EVENT_BYTES // 2)
    calls.add([call(0, "a", "f", half)])
    calls.add([call(0, None, None, half)])
    with pytest.raises(UpstreamError) as caught:
        calls.add([call(0, None, None, "x")])
    assert caught.value.code == "upstream_garbage"


@given(
    texts=st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=8)), max_size=4),
    seed=st.randoms(use_true_random=False),
)
def test_any_cut_and_any_order_between_calls_gives_the_same_calls(
    texts: list[dict[str, str]], seed: Any
) -> None:
    rows = []
    for index, said in enumerate(texts):
        raw = json.dumps(said)
        size = seed.randint(1, 5)
        parts = [raw[at : at + size] for at in range(0, len(raw), size)]
        rows.append(
            [call(index, f"id{index}", "f"), *(call(index, None, None, one) for one in parts)]
        )
    order = []
    waiting = [list(row) for row in rows]
    while any(waiting):
        order.append(seed.choice([row for row in waiting if row]).pop(0))
    found = {one.id: one.arguments for one in gathered(*order) if isinstance(one, ToolCall)}
    assert found == {f"id{index}": json.dumps(said) for index, said in enumerate(texts)}


# ── inside an answer ──────────────────────────────────────────────────────────────────────────


def event(delta: object, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def decoded(*parts: bytes, expected: Expected | None = None) -> list[Piece]:
    decoder = ChatDecoder(endpoint("http://nowhere"), expected=expected or Expected(tools=True))
    pieces = [piece for part in parts for piece in decoder.feed(part)]
    return [*pieces, *decoder.close(), decoder.finish()]


TOLD = [event({"tool_calls": [delta]}) for delta in DELTAS]


@pytest.mark.parametrize("reason", ["tool_calls", "stop", "eos", "function_call"])
def test_an_answer_with_calls_ends_as_tool_calls(reason: str) -> None:
    said = decoded(event({"content": "Let me see."}), *TOLD, event({}, reason))
    assert said == [Text("Let me see."), PARIS, ROME, Finish("tool_calls")]


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_a_limit_stays_a_limit_and_its_calls_are_kept(reason: str) -> None:
    assert decoded(*TOLD[:2], event({}, reason)) == [
        ToolCall("a", "weather", '{"city": '),
        Finish(reason),
    ]


def test_an_end_of_calls_without_one_is_an_end() -> None:
    assert decoded(event({"content": "No."}), event({}, "tool_calls"))[-1] == Finish("stop")
    with pytest.raises(UpstreamError) as caught:
        decoded(event({"tool_calls": []}), event({}, "tool_calls"))
    assert caught.value.code == "empty_answer"


@pytest.mark.parametrize("end", [b"", b"data: [DONE]\n\n", event({}, "aborted")])
def test_half_a_call_of_a_cut_answer_is_none(end: bytes) -> None:
    decoder = ChatDecoder(endpoint("http://nowhere"))
    pieces = [piece for part in (*TOLD[:2], end) for piece in decoder.feed(part)]
    assert pieces + decoder.close() == []
    with pytest.raises(UpstreamError):
        decoder.finish()


def test_calls_of_one_json_body_are_calls() -> None:
    message = {"role": "assistant", "content": None, "tool_calls": WHOLE}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    decoder = ChatDecoder(endpoint("http://nowhere"))
    assert decoder.whole(json.dumps(body).encode()) == []
    assert [*decoder.close(), decoder.finish()] == [PARIS, ROME, Finish("tool_calls")]


def test_a_call_beside_the_same_text_again_and_again_is_heard_each_time() -> None:
    same = event({"content": "a", "tool_calls": [call(0, None, None, "1")]})
    said = decoded(event({"tool_calls": [call(0, "a", "f")]}), same, same, same, event({}, "stop"))
    assert said[-2] == ToolCall("a", "f", "111")


def test_a_call_that_came_as_text_is_no_answer_where_there_were_tools() -> None:
    leak = ["Wait. <｜DS", "ML｜tool_calls>\n<｜DSML｜invoke", ' name="f">']
    events = [*(event({"content": part}) for part in leak), event({}, "stop")]
    with pytest.raises(UpstreamError) as caught:
        decoded(*events)
    assert caught.value.code == "tool_call_as_text"
    talk = decoded(*events, expected=Expected(tools=False))
    assert talk[-1] == Finish("stop")


# ── what goes back ────────────────────────────────────────────────────────────────────────────


def test_openrouters_reasoning_is_sealed_whole_where_calls_came() -> None:
    first = {"type": "reasoning.text", "index": 0, "text": "Hm", "format": "x", "signature": None}
    deltas = [
        {"reasoning": "Hm", "reasoning_details": [first]},
        {"reasoning": ".", "reasoning_details": [{**first, "text": "."}]},
        {"reasoning_details": [{"type": "reasoning.text", "index": 0, "signature": "sig"}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "index": 1, "data": "abc"}]},
    ]
    expected = Expected(seals="reasoning_details")
    events = [event(delta) for delta in deltas]
    *_, seal, found, end = decoded(*events, *TOLD[:3], event({}, "tool_calls"), expected=expected)
    assert (found, end) == (PARIS, Finish("tool_calls"))
    assert isinstance(seal, Seal)
    assert seal.maker == "openrouter"
    assert json.loads(seal.data) == [
        {**first, "text": "Hm.", "signature": "sig"},
        {"type": "reasoning.encrypted", "index": 1, "data": "abc"},
    ]
    talk = decoded(*events, event({"content": "x"}, "stop"), expected=expected)
    assert not any(isinstance(piece, Seal) for piece in talk)
    silent = decoded(*events, *TOLD[:3], event({}, "tool_calls"))
    assert not any(isinstance(piece, Seal) for piece in silent)


def test_a_thought_signature_is_sealed_behind_its_call() -> None:
    extra = {"google": {"thought_signature": "sig"}}
    rows = [{**WHOLE[0], "extra_content": extra}, WHOLE[1]]
    expected = Expected(seals="extra_content")
    seal = Seal("google", json.dumps(extra))
    assert gathered(*rows, expected=expected) == [PARIS, seal, ROME]
    assert gathered(*rows) == [PARIS, ROME]
