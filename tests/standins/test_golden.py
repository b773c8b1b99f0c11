"""The bytes of a short answer, from the first to the last, as they were on the wire."""

from __future__ import annotations

from standins.behaviours import Answer, Call
from standins.deepseek import DeepSeekStandIn
from tests.standins.raw import ask

HEAD = b"""HTTP/1.1 200 OK\r
content-type: text/event-stream; charset=utf-8\r
cache-control: no-cache\r
connection: keep-alive\r
vary: origin, access-control-request-method, access-control-request-headers\r
access-control-allow-credentials: true\r
strict-transport-security: max-age=31536000; includeSubDomains; preload\r
server: openresty\r
transfer-encoding: chunked"""
START = (
    '{"id":"11111111-2222-4333-8444-555555555555","object":"chat.completion.chunk",'
    '"created":1790000000,"model":"deepseek-flash",'
    '"system_fingerprint":"0a1b2c3d4e5f60718293a4b5c6d7e8f9",'
    '"choices":[{"index":0,"delta":'
)
MIDDLE = ',"logprobs":null,"finish_reason":null}],"usage":null}'


def stream(*deltas: str, last: str) -> list[bytes]:
    """The chunks of an answer with these deltas."""
    events = [f"data: {START}{delta}{MIDDLE}\n\n" for delta in deltas]
    texts = [": keep-alive\n\n", *events, f"data: {START}{last}\n\n", "data: [DONE]\n\n"]
    return [text.encode() for text in texts]


def usage(completion: int, reasoning: int) -> str:
    return (
        f'"usage":{{"prompt_tokens":4,"completion_tokens":{completion},'
        f'"total_tokens":{4 + completion},"prompt_tokens_details":{{"cached_tokens":0}},'
        f'"completion_tokens_details":{{"reasoning_tokens":{reasoning}}},'
        f'"prompt_cache_hit_tokens":0,"prompt_cache_miss_tokens":4}}'
    )


async def test_an_answer_with_thinking(upstream: DeepSeekStandIn) -> None:
    upstream.play(Answer(reasoning="Hm. ok", text="Grüße 🙂"))
    said = await ask(upstream)
    assert said.head == HEAD
    assert said.chunks == stream(
        '{"role":"assistant","content":null,"reasoning_content":""}',
        '{"content":null,"reasoning_content":"Hm"}',
        '{"content":null,"reasoning_content":"."}',
        '{"content":null,"reasoning_content":" ok"}',
        '{"content":"Grüße","reasoning_content":null}',
        '{"content":" 🙂","reasoning_content":null}',
        last='{"content":"","reasoning_content":null},"logprobs":null,"finish_reason":"stop"}],'
        + usage(5, 3)
        + "}",
    )
    assert said.whole
    assert said.ended == "eof"


async def test_an_answer_without_thinking(upstream: DeepSeekStandIn) -> None:
    upstream.play(Answer(text="Good day"))
    said = await ask(upstream, thinking={"type": "disabled"})
    assert said.head == HEAD
    assert said.chunks == stream(
        '{"role":"assistant","content":""}',
        '{"content":"Good"}',
        '{"content":" day"}',
        last='{"content":""},"logprobs":null,"finish_reason":"stop"}],' + usage(2, 0) + "}",
    )


async def test_a_tool_call(upstream: DeepSeekStandIn) -> None:
    upstream.play(Answer(reasoning="", calls=(Call("look", '{"a": 1}'),)))
    said = await ask(upstream)
    call_id = said.calls[0]["id"]
    assert (
        said.chunks[2:-2]
        == stream(
            '{"tool_calls":[{"index":0,"id":"' + call_id + '","type":"function",'
            '"function":{"name":"look","arguments":""}}]}',
            '{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}',
            '{"tool_calls":[{"index":0,"function":{"arguments":"\\""}}]}',
            '{"tool_calls":[{"index":0,"function":{"arguments":"a"}}]}',
            '{"tool_calls":[{"index":0,"function":{"arguments":"\\""}}]}',
            '{"tool_calls":[{"index":0,"function":{"arguments":":"}}]}',
            '{"tool_calls":[{"index":0,"function":{"arguments":" 1"}}]}',
            '{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}',
            last="",
        )[1:-2]
    )


async def test_an_answer_without_streaming_is_one_document_after_a_blank_line(
    upstream: DeepSeekStandIn,
) -> None:
    upstream.play(Answer(reasoning="Hm", text="Good day"))
    said = await ask(upstream, stream=False)
    assert b"content-type: application/json\r\n" in said.head
    assert (
        said.body
        == (
            '\n{"id":"11111111-2222-4333-8444-555555555555","object":"chat.completion",'
            '"created":1790000000,"model":"deepseek-flash",'
            '"system_fingerprint":"0a1b2c3d4e5f60718293a4b5c6d7e8f9",'
            '"choices":[{"index":0,"message":{"role":"assistant","content":"Good day",'
            '"reasoning_content":"Hm"},"logprobs":null,"finish_reason":"stop"}],'
            + usage(3, 1)
            + "}"
        ).encode()
    )
