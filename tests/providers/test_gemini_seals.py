"""The bytes of calls and signatures: read, kept, and sent back on the part that they came with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite_llm_chat.domain import Finish as End
from lite_llm_chat.domain import (
    Options,
    Part,
    Prompt,
    Reasoning,
    Seal,
    Text,
    Tool,
    ToolCall,
    Turn,
)
from lite_llm_chat.providers.gemini_contents import contents
from lite_llm_chat.providers.gemini_stream import GeminiDecoder
from lite_llm_chat.providers.object_calls import seed_of

from .conftest import endpoint
from .gemini_ear import STOP, hear, saying
from .turns import result, said, turn_of

WIRE = Path(__file__).parents[1] / "wire" / "gemini"
KEY = "AIzaSy-canary0f1e2d3c4b5a69788796a5b4c3d"
FLASH = "gemini-3.8-flash"
LITE = "gemini-2.5-flash-lite"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = (Tool("get_weather", "Tells the weather", CITY), Tool("now"))
SHOWN = {"thinkingConfig": {"includeThoughts": True}}


def asking(*turns: Turn, model: str = FLASH, **options: Any) -> Prompt:
    return Prompt(model, turns, Options(tools=TOOLS, **options), tools=TOOLS)


# ── the bytes of calls ────────────────────────────────────────────────────────────────────────


def calling(*calls: object, **more: object) -> bytes:
    return saying(*({"functionCall": call} for call in calls), **more)


def calls_of(*reads: bytes, seed: str = "") -> list[ToolCall]:
    decoder = GeminiDecoder(endpoint("http://127.0.0.1:1"), seed=seed)
    pieces = [piece for read in reads for piece in decoder.feed(read)]
    return [piece for piece in pieces if isinstance(piece, ToolCall)]


def test_every_call_of_an_answer_has_an_id_of_its_own() -> None:
    rows = calling({"name": "f", "id": "a"}, {"name": "f", "id": "a"}, {"name": "f"}, {"name": "f"})
    ids = [call.id for call in calls_of(rows)]
    assert ids[0] == "a"
    assert len(set(ids)) == 4
    assert ids == [call.id for call in calls_of(rows)]


def test_an_id_of_ours_is_the_same_for_the_same_request_and_no_other() -> None:
    turn, call = Turn("user", "Hi"), ToolCall("a", "f", "{}")
    asked = [
        asking(turn),
        asking(turn, said((call,)), result(call, "x")),
        asking(Turn("user", "Hi!")),
        asking(turn, Turn("user", "Hi")),
    ]
    ids = [calls_of(calling({"name": "f"}), seed=seed_of(one))[0].id for one in asked]
    assert len(set(ids)) == len(asked)
    assert ids[0] == calls_of(calling({"name": "f"}), seed=seed_of(asking(turn)))[0].id


@pytest.mark.parametrize(
    ("raw", "arguments"),
    [
        (b"{}", "{}"),
        (b"null", "{}"),
        (b'{"a":"\xe4\xbd\xa0"}', '{"a": "你"}'),
        (b'{"a":"\\ud83d\\ude00"}', '{"a": "\U0001f600"}'),
        (b'{"a":"\\ud83d"}', '{"a": "\\ud83d"}'),
        (b'{"a":12345678901234567890123}', '{"a": 12345678901234567890123}'),
        (b'"{\\"a\\": 1}"', '{"a": 1}'),
        (b"[1]", "[1]"),
    ],
)
def test_arguments_are_json_text(raw: bytes, arguments: str) -> None:
    start = b'data: {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": '
    (call,) = calls_of(start + raw + b"}}]}}]}\r\n\r\n")
    assert call.arguments == arguments


@pytest.mark.parametrize("name", [None, "", 5, ["f"]])
def test_a_call_of_nothing_is_rubbish(name: object) -> None:
    heard, end = hear([saying({"text": "So"}), calling({"name": name, "args": {}}), STOP])
    assert heard == [("Text", "So")]
    assert end == ("upstream_garbage", "acme sent a call that names no function")


@pytest.mark.parametrize("odd", [5, "f", [], True, {}])
def test_what_is_no_call_is_passed_over(odd: object) -> None:
    heard, end = hear([saying({"text": "a"}), calling(odd), saying({"text": "b"}), STOP])
    assert heard == [("Text", "ab")]
    assert isinstance(end, End)


@pytest.mark.parametrize("odd", [None, "", 5, ["x"], "a b", "\u2028", "a\ud800", "a\0"])
def test_what_is_no_signature_is_passed_over(odd: object) -> None:
    heard, _ = hear([saying({"text": "a", "thoughtSignature": odd}), STOP])
    assert heard == [("Text", "a")]


def test_an_answer_that_calls_and_was_cut_short_is_too_long_all_the_same() -> None:
    _, end = hear([calling({"name": "f"}, finishReason="MAX_TOKENS")])
    assert isinstance(end, End)
    assert end.reason == "length"


def test_one_body_may_call_too() -> None:
    decoder = GeminiDecoder(endpoint("http://127.0.0.1:1"))
    raw = calling({"name": "f", "id": "a"}, finishReason="STOP").removeprefix(b"data: ")
    assert decoder.whole(raw) == [ToolCall("a", "f", "{}")]
    assert decoder.finish() == End("tool_calls")


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("MALFORMED_FUNCTION_CALL", "wrote a call of a function that cannot be read: retry it"),
        (
            "UNEXPECTED_TOOL_CALL",
            "called a function that it was not offered: retry it, or offer that function in tools",
        ),
        (
            "TOO_MANY_TOOL_CALLS",
            "called too many functions for one answer: retry it, or ask for less at once",
        ),
        (
            "MISSING_THOUGHT_SIGNATURE",
            "misses the signature of an earlier call: start a new session, or choose another model",
        ),
    ],
)
def test_a_call_that_went_wrong_is_a_fault_with_a_mend(reason: str, sentence: str) -> None:
    heard, end = hear([saying({"text": "So far"}, finishReason=reason)])
    assert heard == [("Text", "So far")]
    assert end == ("upstream_gave_up", f"acme {sentence} ({reason})")


# ── there and back ────────────────────────────────────────────────────────────────────────────

SIGNATURES = st.text("ABCxyz019+/=-_", min_size=1, max_size=9)
PARTS = st.one_of(
    st.fixed_dictionaries(
        {"text": st.text("ab你🙂", max_size=4)},
        optional={"thought": st.just(True), "thoughtSignature": SIGNATURES},
    ),
    st.fixed_dictionaries(
        {
            "functionCall": st.fixed_dictionaries(
                {"name": st.just("f"), "args": st.dictionaries(st.text("ab"), st.integers())}
            )
        },
        optional={"thoughtSignature": SIGNATURES},
    ),
)


def comes_back(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What has to be sent of these: what says something, neighbours without signatures as one,
    and thoughts only where they are signed."""
    rows: list[dict[str, Any]] = []
    for part in parts:
        signed = "thoughtSignature" in part
        if not signed and (part.get("text") == "" or part.get("thought")):
            continue
        joins = rows and "text" in part and "text" in rows[-1] and not rows[-1].get("thought")
        if joins and not signed and "thoughtSignature" not in rows[-1] and not part.get("thought"):
            rows[-1] = {"text": rows[-1]["text"] + part["text"]}
        else:
            rows.append(part)
    return rows


@given(st.lists(PARTS, max_size=8))
def test_whatever_came_is_sent_back_with_each_signature_on_its_own_part(
    parts: list[dict[str, Any]],
) -> None:
    named = [
        part
        if "text" in part
        else {**part, "functionCall": {"id": f"c{at}", **part["functionCall"]}}
        for at, part in enumerate(parts)
    ]
    decoder = GeminiDecoder(endpoint("http://127.0.0.1:1"))
    pieces = [piece for part in named for piece in decoder.feed(saying(part))] + decoder.close()
    turn = turn_of(pieces)
    sent_back = [part for row in contents([turn], signed=False) for part in row["parts"]]
    assert sent_back == comes_back(named)


def test_a_recorded_answer_goes_back_as_it_came() -> None:
    decoder = GeminiDecoder(endpoint("http://127.0.0.1:1"))
    turn = turn_of(decoder.feed((WIRE / "parallel.sse").read_bytes()))
    (row,) = contents([turn], signed=True)
    assert [part.get("thoughtSignature") for part in row["parts"]] == [
        "EhQKEnRob3VnaHQrc2lnbmF0dXJl/w==",
        None,
        "EhYKFHRleHRfc2lnbmF0dXJlLTE=",
        "EpQBCpEBAb4-9vvu_call+1/A==",
        None,
        None,
    ]
    assert row["parts"][0] == {
        "text": "Both at once.\n",
        "thought": True,
        "thoughtSignature": "EhQKEnRob3VnaHQrc2lnbmF0dXJl/w==",
    }
    assert [part.get("text") for part in row["parts"][1:3]] == [
        "I look for both: ",
        "北京, Zürich.",
    ]


@pytest.mark.parametrize(
    "parts",
    [
        (Seal("gemini", "call:abc"), Text("a")),
        (Text("a"), Seal("gemini", "call:abc")),
        (Text("a"), Seal("gemini", "thought 1:abc")),
        (Text("a"), Seal("gemini", "nonsense")),
        (Text("a"), Seal("gemini", "")),
        (Text("a"), Seal("other", "text 1:abc")),
        (Text("a"), Reasoning("hm"), Seal("gemini", "text 1:abc")),
    ],
)
def test_a_seal_whose_part_is_not_there_is_left_out(parts: tuple[Part, ...]) -> None:
    (row,) = contents([said(parts)], signed=True)
    assert row["parts"] == [{"text": "a"}]
