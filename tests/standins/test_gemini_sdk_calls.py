"""Google's own client calls functions at the stand-in, and is refused what Gemini refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import errors, types

from standins.answers import Call
from standins.behaviours import Answer
from standins.gemini import GeminiStandIn

FLASH = "gemini-3.8-flash"
LITE = "gemini-2.5-flash-lite"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = types.FunctionDeclaration(name="get_weather", parameters_json_schema=CITY)
NOW = types.FunctionDeclaration(name="now")
PIXEL = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
async def upstream() -> AsyncIterator[GeminiStandIn]:
    async with GeminiStandIn(wait_scale=0) as standin:
        yield standin


@pytest.fixture
async def client(upstream: GeminiStandIn) -> AsyncIterator[Any]:
    async with httpx2.AsyncClient() as http:
        retries = types.HttpRetryOptions(attempts=1)
        options = types.HttpOptions(
            base_url=upstream.url, retry_options=retries, httpx_async_client=http
        )
        yield genai.Client(api_key="AIzaSy-test", http_options=options).aio


def config(*functions: types.FunctionDeclaration, **more: Any) -> types.GenerateContentConfig:
    tools: Any = [types.Tool(function_declarations=list(functions))] if functions else None
    return types.GenerateContentConfig(tools=tools, **more)


def choosing(**calling: Any) -> types.ToolConfig:
    return types.ToolConfig(function_calling_config=types.FunctionCallingConfig(**calling))


def user(*parts: types.Part) -> types.Content:
    return types.Content(role="user", parts=list(parts))


def model(*parts: types.Part) -> types.Content:
    return types.Content(role="model", parts=list(parts))


def text(words: str) -> types.Part:
    return types.Part(text=words)


def called(name: str = "now", signature: bytes | None = None, **more: Any) -> types.Part:
    call = types.FunctionCall(name=name, args={}, **more)
    return types.Part(function_call=call, thought_signature=signature)


def answered(name: str = "now", **more: Any) -> types.Part:
    result = types.FunctionResponse(name=name, response={"output": "x"}, **more)
    return types.Part(function_response=result)


async def streamed(client: Any, contents: Any, asked: Any, model_id: str = FLASH) -> list[Any]:
    """All parts of one stream."""
    stream = await client.models.generate_content_stream(
        model=model_id, contents=contents, config=asked
    )
    return [part async for row in stream for part in row.candidates[0].content.parts or ()]


# ── a whole loop ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("model_id", [FLASH, LITE])
async def test_calls_are_made_answered_and_talked_about(
    client: Any, upstream: GeminiStandIn, model_id: str
) -> None:
    contents = [user(text("Rain?"))]
    for calls in (2, 1):
        upstream.play(Answer(text="", reasoning="Hm", calls=calls))
        parts = await streamed(client, contents, config(WEATHER, NOW), model_id)
        asked = [part.function_call for part in parts if part.function_call]
        assert [call.name for call in asked] == ["get_weather", "now"][:calls]
        assert (asked[0].args, len({call.id for call in asked})) == ({"city": "Paris"}, calls)
        signed = [bool(part.thought_signature) for part in parts if part.function_call]
        assert signed == [model_id == FLASH, False][:calls]
        kept = [part for part in parts if part.text != ""]  # as the client's own chats do
        contents += [model(*kept), user(*(answered(call.name, id=call.id) for call in asked))]
    upstream.play(Answer(text="It rains."))
    said = await streamed(client, contents, config(WEATHER, NOW), model_id)
    assert "".join(part.text for part in said if not part.thought) == "It rains."


async def test_the_clients_own_loop_calls_a_function_of_this_process(
    client: Any, upstream: GeminiStandIn
) -> None:
    """It keeps the history itself, with the signatures as bytes."""
    asked: list[str] = []

    async def get_weather(city: str) -> str:
        """Tells the weather of a city."""
        asked.append(city)
        return "rain"

    upstream.play(Answer(text="", calls=(Call("get_weather", '{"city": "Zürich"}'),)))
    upstream.play(Answer(text="Take an umbrella."))
    chat = client.chats.create(model=FLASH, config={"tools": [get_weather]})
    assert (await chat.send_message("Rain?")).text == "Take an umbrella."
    assert asked == ["Zürich"]
    upstream.play(Answer(text="Yes.", reasoning="Sure"))
    assert (await chat.send_message("Really?")).text == "Yes."
    assert (await chat.send_message("Really, really?")).text
    body = upstream.requests[-1].body
    assert isinstance(body, dict)
    signed = [["thoughtSignature" in p for p in row["parts"]] for row in body["contents"]]
    assert signed == [[False], [True], [False], [True], [False], [True], [False]]


async def test_the_bytes_of_a_call(upstream: GeminiStandIn) -> None:
    upstream.play(Answer(text="", calls=(Call("now", '{"zone": "北京"}'),)))
    body = {
        "contents": [{"parts": [{"text": "Hi"}]}],
        "tools": [{"functionDeclarations": [{"name": "now"}]}],
    }
    place = f"{upstream.url}/v1beta/models/{LITE}:streamGenerateContent?alt=sse"
    async with httpx2.AsyncClient() as http:
        reply = await http.post(place, json=body, headers={"x-goog-api-key": "k"})
    first, last = reply.content.removesuffix(b"\r\n\r\n").split(b"\r\n\r\n")
    call = json.loads(first.removeprefix(b"data: "))["candidates"][0]["content"]["parts"]
    assert call == [
        {
            "functionCall": {
                "name": "now",
                "args": {"zone": "北京"},
                "id": call[0]["functionCall"]["id"],
            }
        }
    ]
    assert b'{"content": {"parts": [{"text": ""}],"role": "model"},"finishReason": "STOP"' in last


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"mode": "ANY"}, ["get_weather"]),
        ({"mode": "ANY", "allowed_function_names": ["now"]}, ["now"]),
        ({"mode": "NONE"}, []),
        ({"mode": "AUTO"}, []),
        ({"mode": "VALIDATED"}, []),
    ],
)
async def test_a_choice_is_kept_to(client: Any, choice: dict[str, Any], names: list[str]) -> None:
    asked = config(WEATHER, NOW, tool_config=choosing(**choice))
    parts = await streamed(client, "Hi", asked)
    assert [part.function_call.name for part in parts if part.function_call] == names


async def test_a_picture_and_a_schema_of_the_old_kind_are_taken(client: Any) -> None:
    old = types.Schema(
        type=types.Type.OBJECT, properties={"n": types.Schema(type=types.Type.INTEGER)}
    )
    shot = types.FunctionDeclaration(name="zoom", description="closer", parameters=old)
    contents = user(types.Part.from_bytes(data=PIXEL, mime_type="image/png"), text("What?"))
    asked = config(shot, tool_config=choosing(mode="ANY"))
    (call, _) = [part for part in await streamed(client, contents, asked) if not part.thought]
    assert call.function_call.args == {"n": 7}


@pytest.mark.parametrize("shape", [{}, {"response_json_schema": CITY}, {"response_schema": CITY}])
async def test_json_is_asked_for_and_given(client: Any, shape: dict[str, Any]) -> None:
    asked = config(response_mime_type="application/json", **shape)
    said = await client.models.generate_content(model=LITE, contents="Hi", config=asked)
    assert json.loads(said.text)


# ── refused ───────────────────────────────────────────────────────────────────────────────────

HI = user(text("Hi"))
SIGNED = b"skip"  # no base64 of anything that the stand-in made
CHAINS: list[tuple[list[types.Content], str]] = [
    ([HI, model(called())], "number of function response parts is equal"),
    ([HI, model(called(), called()), user(answered())], "number of function response parts"),
    ([HI, model(called()), user(answered(), answered())], "number of function response parts"),
    ([HI, model(called()), HI], "number of function response parts"),
    ([HI, model(called()), user(answered("other"))], "Names and ids"),
    ([HI, model(called(id="a")), user(answered(id="b"))], "Names and ids"),
    ([user(answered())], "function response turn comes immediately after"),
    ([HI, model(text("a")), user(answered())], "function response turn comes immediately after"),
    ([model(called()), user(answered())], "function call turn comes immediately after"),
    ([user(called()), user(answered())], "function call turn comes immediately after"),
    ([HI, model(called()), user(answered())], "missing a thought_signature"),
    ([HI, model(called(signature=SIGNED)), user(answered())], "Corrupted thought signature"),
]


@pytest.mark.parametrize(("contents", "sentence"), CHAINS)
async def test_calls_results_and_signatures_belong_together(
    client: Any, contents: list[types.Content], sentence: str
) -> None:
    with pytest.raises(errors.ClientError, match=sentence):
        await streamed(client, contents, config(NOW))


async def test_a_signature_on_a_part_that_was_changed_is_refused(
    client: Any, upstream: GeminiStandIn
) -> None:
    upstream.play(Answer(text="", calls=1))
    parts = await streamed(client, [HI], config(NOW))
    (call,) = [part for part in parts if part.function_call]
    results = user(answered(id=call.function_call.id))
    assert await streamed(client, [HI, model(call), results], config(NOW))
    call.function_call.args = {"other": True}
    with pytest.raises(errors.ClientError, match="Corrupted thought signature"):
        await streamed(client, [HI, model(call), results], config(NOW))


async def test_of_a_turn_that_is_over_no_signature_is_wanted(client: Any) -> None:
    contents = [HI, model(called()), user(answered()), model(text("Noon.")), HI]
    assert await streamed(client, contents, config(NOW))


async def test_before_gemini_3_no_signature_is_wanted(client: Any) -> None:
    assert await streamed(client, [HI, model(called()), user(answered())], config(NOW), LITE)


def declaring(**fields: Any) -> types.GenerateContentConfig:
    return config(types.FunctionDeclaration(name="f", **fields))


@pytest.mark.parametrize(
    ("model_id", "asked", "sentence"),
    [
        (FLASH, config(types.FunctionDeclaration(name="1st")), "Invalid function name"),
        (FLASH, config(NOW, NOW), "Duplicate function declaration found: now"),
        (FLASH, declaring(parameters_json_schema={"type": "string"}), "must describe an object"),
        (
            FLASH,
            declaring(
                parameters_json_schema={
                    "type": "object",
                    "properties": {"a": {"items": {"const": 1}}},
                }
            ),
            'Unknown name "const" at .*parameters_json_schema.properties.a.items',
        ),
        (
            FLASH,
            declaring(
                parameters_json_schema={
                    "type": "object",
                    "properties": {"a": {"$ref": "#/$defs/A", "description": "x"}},
                }
            ),
            "beside .ref",
        ),
        (
            FLASH,
            declaring(parameters={"type": "OBJECT"}, parameters_json_schema=CITY),
            "must not both be set",
        ),
        (FLASH, config(tool_config=choosing(mode="ANY")), "without function_declarations"),
        (
            FLASH,
            config(NOW, tool_config=choosing(mode="AUTO", allowed_function_names=["now"])),
            "only be set with mode ANY",
        ),
        (
            FLASH,
            config(NOW, tool_config=choosing(mode="ANY", allowed_function_names=["then"])),
            "then is not declared",
        ),
        (FLASH, config(response_mime_type="text/html"), "allowed mimetypes are"),
        (FLASH, config(response_json_schema=CITY), "only supported for JSON"),
        (LITE, config(NOW, response_mime_type="application/json"), "is unsupported"),
    ],
)
async def test_what_gemini_refuses_is_refused(
    client: Any, model_id: str, asked: types.GenerateContentConfig, sentence: str
) -> None:
    with pytest.raises(errors.ClientError, match=sentence):
        await streamed(client, "Hi", asked, model_id)


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ({"inlineData": {"mimeType": "image/png", "data": "a"}}, "Base64 decoding failed"),
        ({"inlineData": {"mimeType": "image/gif", "data": "R0lG"}}, "process input image"),
        ({"inlineData": {"mimeType": "image/png", "data": ""}}, "process input image"),
        ({"functionCall": {"args": {}}}, "Name cannot be empty"),
        ({"functionCall": {"name": "f", "args": "{}"}}, "function_call.args"),
        ({"functionResponse": {"name": "f", "response": [1]}}, "function_response.response"),
        ({"text": "a", "thoughtSignature": "a b"}, "Corrupted thought signature"),
    ],
)
async def test_a_part_has_the_shape_that_it_should_have(
    upstream: GeminiStandIn, part: dict[str, Any], sentence: str
) -> None:
    place = f"{upstream.url}/v1beta/models/{FLASH}:generateContent"
    body = {"contents": [{"role": "user", "parts": [part]}]}
    async with httpx2.AsyncClient() as http:
        reply = await http.post(place, json=body, headers={"x-goog-api-key": "k"})
    assert reply.status_code == 400
    assert sentence in reply.json()["error"]["message"]
