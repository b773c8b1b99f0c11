"""Anthropic's calls and seals: each whole, once, in its place, wherever the stream is cut."""

from __future__ import annotations

import json

import pytest

from lite_llm_chat.domain import Finish, Piece, Reasoning, Text, ToolCall
from lite_llm_chat.providers.anthropic_seals import redacted, signed

from .test_anthropic_stream import RECORDED, WIRE, decoded, delta, ended, merged, refused

SEALED: list[Piece] = [
    RECORDED["tools"][0],
    signed("b", len("Both towns: 巴黎, Rom."), "EqQBCkgIChABGAIiQKmpxAAA9mJb1W0c1q6x3m0p0Q=="),
    redacted("b", "EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIwxtE3"),
    *RECORDED["tools"][1:],
]


def test_calls_and_seals_come_whole_wherever_a_recorded_stream_is_cut() -> None:
    data = (WIRE / "tools.sse").read_bytes()
    assert decoded(data, bound="b") == SEALED
    for at in range(1, len(data)):
        assert merged(decoded(data[:at], data[at:], bound="b")) == SEALED


def test_a_call_that_was_cut_is_none() -> None:
    data = (WIRE / "tools.sse").read_bytes()
    pieces, error = refused(data[: data.index(b'"index":5     }')])
    assert error.code == "upstream_truncated"
    assert not any(isinstance(piece, ToolCall) for piece in pieces)


def call(block: object, *pieces: object) -> bytes:
    """The events of a block with pieces of JSON."""
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    events: list[dict[str, object]] = [
        {"type": "content_block_start", "index": 2, "content_block": block},
        *({"type": "content_block_delta", "index": 2, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 2},
    ]
    return b"".join(b"data: %s\n\n" % json.dumps(one).encode() for one in events)


@pytest.mark.parametrize(
    ("block", "pieces", "said"),
    [
        ({"name": "f", "input": {}}, [], "{}"),
        ({"name": "f", "input": {"a": "ä"}}, [], '{"a": "ä"}'),
        ({"name": "f", "input": {"a": 1}}, ['{"a', None, '":', " 2}"], '{"a": 2}'),
        ({"name": "f", "input": None}, ['{"a'], '{"a'),
        ({"name": "f"}, ['"\ud83d', '\ude00"'], '"\U0001f600"'),
        ({"name": "f"}, ['"\ud83d"', 5, []], '"\ufffd"'),
        ({"name": None}, ["{}"], None),
        ({"name": ["f"]}, ["{}"], None),
        ({"name": ""}, ["{}"], None),
    ],
)
def test_a_call_says_what_the_model_wrote(
    block: dict[str, object], pieces: list[object], said: str | None
) -> None:
    events = call({"type": "tool_use", "id": "t", **block}, *pieces)
    calls = decoded(events, ended("tool_use"))[:-1]
    assert calls == ([] if said is None else [ToolCall("t", "f", said)])


@pytest.mark.parametrize("call_id", [None, "", 5, "t", "t\n", "tü"])
def test_a_call_without_an_id_of_its_own_gets_one(call_id: object) -> None:
    block = {"type": "tool_use", "name": "f"}
    _, second, _ = decoded(call(block | {"id": "t"}), call(block | {"id": call_id}), ended())
    assert isinstance(second, ToolCall)
    assert second.id.startswith("call_")


@pytest.mark.parametrize("signature", [None, "", 7, "ß"])
def test_thinking_without_a_signature_has_no_seal(signature: object) -> None:
    block = {"type": "thinking", "thinking": "hm", "signature": signature}
    pieces = decoded(call(block), delta("text", "x"), ended(), bound="b")
    assert pieces == [Reasoning("hm"), Text("x"), Finish("stop")]
