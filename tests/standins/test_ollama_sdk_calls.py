"""The official client calls functions at the stand-in, and is refused what Ollama refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import ollama
import pytest

from standins.behaviours import Answer
from standins.ollama import OllamaStandIn

MODEL = "gemma4:e2b"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": CITY}}]
PIXEL = base64.b64encode(b"\x89PNG").decode()
HI = {"role": "user", "content": "Hi"}


def now(zone: str) -> str:
    """The time somewhere.

    Args:
        zone: where
    """
    return f"noon in {zone}"


@pytest.fixture
async def upstream() -> AsyncIterator[OllamaStandIn]:
    async with OllamaStandIn() as standin:
        yield standin


@pytest.fixture
async def client(upstream: OllamaStandIn) -> AsyncIterator[ollama.AsyncClient]:
    async with ollama.AsyncClient(host=upstream.url) as one:
        yield one


async def heard(client: ollama.AsyncClient, *messages: Any, **fields: Any) -> list[ollama.Message]:
    """The messages of a streamed answer."""
    asked: dict[str, Any] = {"model": MODEL, "tools": [*TOOLS, now], **fields}
    stream = await client.chat(stream=True, messages=messages, **asked)
    return [part.message async for part in stream]


def called(name: str = "now", **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [{"function": {"name": name, **more}}]}


@pytest.mark.parametrize("gives_ids", [True, False])
async def test_calls_are_made_answered_and_talked_about(
    client: ollama.AsyncClient, upstream: OllamaStandIn, gives_ids: bool
) -> None:
    upstream.gives_ids = gives_ids
    messages: list[Any] = [HI]
    for wanted in (2, 1):
        upstream.play(Answer(text="", reasoning="Hm", calls=wanted))
        parts = await heard(client, *messages)
        calls = [call for part in parts for call in part.tool_calls or ()]
        assert [call.function.name for call in calls] == ["get_weather", "now"][:wanted]
        assert calls[0].function.arguments == {"city": "Paris"}
        thinking = "".join(part.thinking or "" for part in parts)
        messages.append({"role": "assistant", "thinking": thinking, "tool_calls": calls})
        messages += [
            {"role": "tool", "tool_name": call.function.name, "content": "rain"} for call in calls
        ]
    upstream.play(Answer(text="It rains."))
    assert "".join(part.content or "" for part in await heard(client, *messages)) == "It rains."


async def test_the_whole_answer_calls_as_the_stream_does(
    client: ollama.AsyncClient, upstream: OllamaStandIn
) -> None:
    upstream.play(Answer(text="I look.", calls=1), times=2)
    whole = await client.chat(model=MODEL, messages=[HI], tools=[now])
    parts = await heard(client, HI, tools=[now])
    assert whole.message.tool_calls == [call for part in parts for call in part.tool_calls or ()]
    assert (whole.message.content, whole.done_reason) == ("I look.", "stop")


async def test_an_answer_with_a_call_can_end_by_its_length(
    client: ollama.AsyncClient, upstream: OllamaStandIn
) -> None:
    upstream.play(Answer(calls=1, finish_reason="length"))
    whole = await client.chat(model=MODEL, messages=[HI], tools=[now])
    assert whole.done_reason == "length"


async def test_a_picture_is_taken_by_a_model_that_sees(client: ollama.AsyncClient) -> None:
    assert await heard(client, {**HI, "images": [PIXEL]})


@pytest.mark.parametrize("wanted", ["json", CITY])
async def test_a_format_is_kept_to(client: ollama.AsyncClient, wanted: Any) -> None:
    whole = await client.chat(model=MODEL, messages=[HI], format=wanted)
    assert json.loads(whole.message.content or "")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            {"tools": {}},
            "unmarshal object into Go struct field ChatRequest.tools of type api.Tools",
        ),
        ({"tools": [{"type": "function"}]}, "api.ToolFunction"),
        ({"tools": [{"function": {"name": "f"}}]}, "ChatRequest.tools.function.parameters"),
        ({"model": "small:8k", "tools": TOOLS}, "library/small:8k does not support tools"),
        ({"format": "xml"}, 'invalid format: "xml"; expected "json"'),
        ({"messages": [{**HI, "images": ["no base64"]}]}, "illegal base64 data"),
        ({"messages": [{**HI, "images": [7]}]}, "illegal base64 data"),
        (
            {"model": "llama3.2", "messages": [{**HI, "images": [PIXEL]}]},
            "missing data required for image input",
        ),
        (
            {"messages": [HI, called(arguments="{}")]},
            "string into Go struct field ChatRequest.messages.tool_calls.function.arguments",
        ),
        ({"messages": [HI, {"role": "assistant", "tool_calls": ["f"]}]}, "api.ToolCall"),
        ({"messages": [HI, {**HI, "tool_name": 5}]}, "ChatRequest.messages.tool_name"),
        ({"messages": [HI, called(arguments={})]}, "the call of now has no result"),
        ({"messages": [HI, called(arguments={}), HI]}, "the call of now has no result"),
        ({"messages": [HI, {"role": "tool", "content": "x"}]}, "belongs to no call"),
        (
            {"messages": [HI, called(arguments={}), {"role": "tool", "tool_name": "then"}]},
            "a result of then belongs to no call",
        ),
    ],
)
async def test_what_ollama_refuses_is_refused(
    upstream: OllamaStandIn, body: dict[str, Any], sentence: str
) -> None:
    """By bytes: the client itself sends nothing of the wrong shape."""
    asked = {"model": MODEL, "messages": [HI], **body}
    async with httpx2.AsyncClient() as http:
        reply = await http.post(f"{upstream.url}/api/chat", json=asked)
    assert reply.status_code in (400, 500)
    assert sentence in reply.json()["error"]
