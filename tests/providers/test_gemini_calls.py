"""Gemini calls functions and gets their results; signatures come back where they came from.

question ─▶ functionCall + thoughtSignature ─▶ ToolCall, Seal ─▶ the next request, byte for byte
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lite_llm_chat.domain import (
    Options,
    Picture,
    Prompt,
    Reasoning,
    Seal,
    Text,
    Tool,
    ToolCall,
    Turn,
)
from lite_llm_chat.providers.gemini import Gemini
from lite_llm_chat.providers.gemini_contents import NEVER_CHECKED
from lite_llm_chat.providers.wire import Wire
from standins.behaviours import Answer as Say
from standins.gemini import GeminiStandIn

from .conftest import collect, finish, text
from .turns import result, said, turn_of

WIRE = Path(__file__).parents[1] / "wire" / "gemini"
KEY = "AIzaSy-canary0f1e2d3c4b5a69788796a5b4c3d"
FLASH = "gemini-3.8-flash"
LITE = "gemini-2.5-flash-lite"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = (Tool("get_weather", "Tells the weather", CITY), Tool("now"))
SHOWN = {"thinkingConfig": {"includeThoughts": True}}


@pytest.fixture
async def upstream() -> AsyncIterator[GeminiStandIn]:
    async with GeminiStandIn(key=KEY) as one:
        yield one


@pytest.fixture
def gemini(wire: Wire, upstream: GeminiStandIn) -> Gemini:
    return Gemini(wire, api_key=KEY, base_url=upstream.url)


def asking(*turns: Turn, model: str = FLASH, **options: Any) -> Prompt:
    return Prompt(model, turns, Options(tools=TOOLS, **options), tools=TOOLS)


def sent(upstream: GeminiStandIn) -> dict[str, Any]:
    body = upstream.requests[-1].body
    assert isinstance(body, dict)
    return body


# ── a loop ────────────────────────────────────────────────────────────────────────────────────


async def test_functions_are_declared_before_the_contents(
    gemini: Gemini, upstream: GeminiStandIn
) -> None:
    await collect(gemini.stream(asking(Turn("user", "Rain?"), tool_choice="auto")))
    assert json.loads(upstream.requests[-1].raw) == {
        "tools": [
            {
                "functionDeclarations": [
                    {
                        "name": "get_weather",
                        "description": "Tells the weather",
                        "parametersJsonSchema": CITY,
                    },
                    {"name": "now"},
                ]
            }
        ],
        "contents": [{"role": "user", "parts": [{"text": "Rain?"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
        "generationConfig": SHOWN,
    }
    assert list(sent(upstream)) == ["tools", "contents", "toolConfig", "generationConfig"]


async def test_a_call_is_whole_signed_and_ends_the_answer(
    gemini: Gemini, upstream: GeminiStandIn
) -> None:
    upstream.play(Say(reasoning="Which?", text="Let me see.", calls=1))
    pieces = await collect(gemini.stream(asking(Turn("user", "Rain?"))))
    kinds = [type(part) for part in turn_of(pieces).parts]
    assert kinds == [Reasoning, Text, ToolCall, Seal]
    (call,) = [piece for piece in pieces if isinstance(piece, ToolCall)]
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Paris"})
    assert (text(pieces), finish(pieces).reason) == ("Let me see.", "tool_calls")


async def test_results_answer_all_calls_and_signatures_come_back_as_they_were(
    gemini: Gemini, upstream: GeminiStandIn
) -> None:
    """The stand-in refuses a signature on anything else than what it signed, and a call that has
    no result."""
    turns: tuple[Turn, ...] = (Turn("user", "Rain?"),)
    made = 0
    for calls in (3, 1):
        upstream.play(Say(text="", calls=calls))
        turn = turn_of(await collect(gemini.stream(asking(*turns))))
        asked = turn.calls
        assert len(asked) == calls
        made += calls
        results = [result(call, f'{{"rain": {at}}}') for at, call in enumerate(asked)]
        turns += (turn, *results)
    upstream.play(Say(text="It rains."))
    pieces = await collect(gemini.stream(asking(*turns)))
    assert text(pieces) == "It rains."
    rows = [row["parts"] for row in sent(upstream)["contents"]]
    assert [len(row) for row in rows] == [1, 3, 3, 1, 1]
    assert [["thoughtSignature" in part for part in row] for row in rows[1::2]] == [
        [True, False, False],
        [True],
    ]
    again = (*turns, turn_of(pieces), Turn("user", "And tomorrow?"))
    assert finish(await collect(gemini.stream(asking(*again)))).reason == "stop"
    assert sent(upstream)["contents"][: len(rows)] == [
        {"role": role, "parts": row}
        for role, row in zip(("user", "model", "user", "model", "user"), rows, strict=True)
    ]
    assert sent(upstream)["contents"][-2]["parts"][-1].keys() == {"text", "thoughtSignature"}


async def test_the_bytes_of_a_loop(gemini: Gemini, upstream: GeminiStandIn) -> None:
    call, other = ToolCall("c1", "get_weather", '{"city": "北京"}'), ToolCall("c2", "now", "")
    await collect(
        gemini.stream(
            asking(
                Turn("user", "Rain?"),
                said((Reasoning("Hm"), Text("I look."), call, other)),
                result(call, ' {"rain": 12345678901234567890123, "at": 1.0}\n'),
                result(other, "no clock", failed=True),
            )
        )
    )
    raw = upstream.requests[-1].raw.decode()
    body = raw[raw.index('"contents":') : raw.index(',"generationConfig"')]
    assert body == (
        '"contents":[{"role":"user","parts":[{"text":"Rain?"}]},{"role":"model","parts":['
        '{"text":"I look."},{"functionCall":{"id":"c1","name":"get_weather","args":'
        '{"city":"北京"}},"thoughtSignature":"skip_thought_signature_validator"},'
        '{"functionCall":{"id":"c2","name":"now","args":{}}}]},{"role":"user","parts":['
        '{"functionResponse":{"id":"c1","name":"get_weather","response":'
        ' {"rain": 12345678901234567890123, "at": 1.0}\n}},'
        '{"functionResponse":{"id":"c2","name":"now","response":{"error":"no clock"}}}]}]'
    )


@pytest.mark.parametrize(
    ("content", "failed", "response"),
    [
        ("sunny", False, {"output": "sunny"}),
        ("", False, {"output": ""}),
        ("[1, 2]", False, {"output": "[1, 2]"}),
        ('{"a": {"b": []}}', False, {"a": {"b": []}}),
        ('{"a": 1', False, {"output": '{"a": 1'}),
        ('{"a": NaN}', False, {"output": '{"a": NaN}'}),
        ("{" * 5000, False, {"output": "{" * 5000}),
        ('{"a": 1}', True, {"error": '{"a": 1}'}),
    ],
)
async def test_a_result_is_an_object_whatever_the_tool_gave(
    gemini: Gemini, upstream: GeminiStandIn, content: str, failed: bool, response: object
) -> None:
    call = ToolCall("c1", "now", "{}")
    turns = (Turn("user", "When?"), said((call,)), result(call, content, failed=failed))
    await collect(gemini.stream(asking(*turns)))
    (part,) = sent(upstream)["contents"][-1]["parts"]
    assert part["functionResponse"]["response"] == response


@pytest.mark.parametrize("arguments", ["", "nonsense", "[1]", "5", "null", '{"a": 1', "{" * 9999])
async def test_arguments_that_are_no_object_are_sent_as_an_empty_one(
    gemini: Gemini, upstream: GeminiStandIn, arguments: str
) -> None:
    call = ToolCall("c1", "now", arguments)
    turns = (Turn("user", "When?"), said((call,)), result(call, "no JSON", failed=True))
    await collect(gemini.stream(asking(*turns)))
    assert sent(upstream)["contents"][1]["parts"][0]["functionCall"]["args"] == {}


async def test_a_result_and_the_next_question_are_one_content(
    gemini: Gemini, upstream: GeminiStandIn
) -> None:
    call = ToolCall("c1", "now", "{}")
    turns = (Turn("user", "When?"), said((call,)), result(call, "later"), Turn("user", "Well?"))
    await collect(gemini.stream(asking(*turns)))
    assert [list(part) for part in sent(upstream)["contents"][-1]["parts"]] == [
        ["functionResponse"],
        ["text"],
    ]


@pytest.mark.parametrize(
    ("model", "signature"),
    [(FLASH, NEVER_CHECKED), ("gemini-4-argon", NEVER_CHECKED), (LITE, None)],
)
async def test_a_call_that_no_gemini_made_has_a_signature_that_is_never_checked(
    gemini: Gemini, upstream: GeminiStandIn, model: str, signature: str | None
) -> None:
    call, other = ToolCall("toolu_1", "now", "{}"), ToolCall("toolu_2", "now", "{}")
    foreign = said((Seal("anthropic", "abc"), call, Seal("openai", "def"), other))
    turns = (Turn("user", "When?"), foreign, result(call, "now"), result(other, "now"))
    await collect(gemini.stream(asking(*turns, model=model)))
    first, second = sent(upstream)["contents"][1]["parts"]
    assert (first.get("thoughtSignature"), second.get("thoughtSignature")) == (signature, None)


@pytest.mark.parametrize("name", ["now", "get_weather"])
async def test_a_choice_is_kept_to(gemini: Gemini, upstream: GeminiStandIn, name: str) -> None:
    pieces = await collect(gemini.stream(asking(Turn("user", "Hi"), tool_choice=f"tool:{name}")))
    assert [piece.name for piece in pieces if isinstance(piece, ToolCall)] == [name]
    assert sent(upstream)["toolConfig"]["functionCallingConfig"] == {
        "mode": "ANY",
        "allowedFunctionNames": [name],
    }


async def test_a_picture_stands_before_the_text(gemini: Gemini, upstream: GeminiStandIn) -> None:
    pictures = (Picture("a", "image/png", b"\x89PNG"), Picture("b", "image/webp", b"RIFF\xff"))
    await collect(gemini.stream(asking(Turn("user", "What is it?", pictures=pictures))))
    assert sent(upstream)["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}},
        {"inlineData": {"mimeType": "image/webp", "data": "UklGRv8="}},
        {"text": "What is it?"},
    ]
    await collect(gemini.stream(asking(Turn("user", "", pictures=pictures[:1]))))
    assert [list(part) for part in sent(upstream)["contents"][0]["parts"]] == [["inlineData"]]
