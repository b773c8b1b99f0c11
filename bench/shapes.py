"""What a vendor of each dialect sends for one token, byte for byte as it does it.

    shape_at("/v1/messages") ─▶ Shape ─┬─ first   what comes before the first token
                                       ├─ event   a token: its text, and how many there were
                                       └─ last    the end, with the usage

Chunks of OpenAI's dialect come in two kinds: alike but for their text (DeepSeek), or numbered, with
something else in each: the usage so far, as several vendors say it. In the other dialects no two
events are alike either: Anthropic pads them with blanks, Gemini counts tokens in each, Ollama says
the time, Responses numbers them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

EVENT_STREAM = b"text/event-stream; charset=utf-8"

EVENT = (
    b'data: {"id":"bench-0001","object":"chat.completion.chunk","created":1767225600,'
    b'"model":"deepseek-flash","system_fingerprint":"fp_bench","choices":[{"index":0,'
    b'"delta":{"content":"%s"},"logprobs":null,"finish_reason":null}],"usage":null}\n\n'
)
LAST = (
    b'data: {"id":"bench-0001","object":"chat.completion.chunk","created":1767225600,'
    b'"model":"deepseek-flash","system_fingerprint":"fp_bench","choices":[{"index":0,'
    b'"delta":{"content":""},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,'
    b'"completion_tokens":%d,"total_tokens":%d,"prompt_cache_hit_tokens":0,'
    b'"prompt_cache_miss_tokens":9}}\n\ndata: [DONE]\n\n'
)
NUMBERED = (
    b'data: {"id":"bench-0001","object":"chat.completion.chunk","created":1767225600,'
    b'"model":"bench","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}],'
    b'"usage":{"prompt_tokens":9,"completion_tokens":%d,"total_tokens":%d}}\n\n'
)
BEGUN = (
    b'event: message_start\ndata: {"type":"message_start","message":{"model":"bench","id":"msg_01",'
    b'"type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,'
    b'"usage":{"input_tokens":9,"output_tokens":1}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"text","text":""}}\n\n'
)
PADDED = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
    b'{"type":"text_delta","text":"%s"}%s}\n\n'
)
STOPPED = (
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn",'
    b'"stop_sequence":null},"usage":{"output_tokens":%d}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
CANDIDATE = (
    b'data: {"candidates": [{"content": {"parts": [{"text": "%s"}],"role": "model"}%s,"index": 0}],'
    b'"usageMetadata": {"promptTokenCount": 9,"candidatesTokenCount": %d,"totalTokenCount": %d,'
    b'"promptTokensDetails": [{"modality": "TEXT","tokenCount": 9}]},"modelVersion": "bench",'
    b'"responseId": "YmVuY2g"}\r\n\r\n'
)
LINE = (
    b'{"model":"bench","created_at":"2026-11-30T08:00:00.%09dZ",'
    b'"message":{"role":"assistant","content":"%s"},"done":false}\n'
)
DONE = (
    b'{"model":"bench","created_at":"2026-11-30T08:00:00.999999999Z","message":{"role":'
    b'"assistant","content":""},"done":true,"done_reason":"stop","total_duration":1,'
    b'"prompt_eval_count":9,"eval_count":%d}\n'
)
DELTA = (
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","item_id":'
    b'"msg_0","output_index":0,"content_index":0,"delta":"%s","logprobs":[],"obfuscation":"%s",'
    b'"sequence_number":%d}\n\n'
)
COMPLETED = (
    b'event: response.completed\ndata: {"type":"response.completed","response":{"id":"resp_0",'
    b'"object":"response","status":"completed","model":"bench","output":[],"usage":{"input_tokens":'
    b'9,"output_tokens":%d,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":%d}},'
    b'"sequence_number":%d}\n\n'
)


@dataclass(frozen=True, slots=True)
class Shape:
    """How one dialect is spoken. `event` takes a text and its number, from 0; `last` how many
    there were."""

    event: Callable[[bytes, int], bytes]
    last: Callable[[int], bytes]
    first: bytes = b""
    media_type: bytes = EVENT_STREAM

    @property
    def head(self) -> bytes:
        """The head of the answer."""
        return (
            b"HTTP/1.1 200 OK\r\nContent-Type: " + self.media_type + b"\r\n"
            b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
        )


def _end(count: int) -> bytes:
    return LAST % (count, count + 9)


ALIKE = Shape(lambda text, _: EVENT % text, _end)
SHAPES = {
    b"/numbered/chat/completions": Shape(lambda text, n: NUMBERED % (text, n + 1, n + 10), _end),
    b"/messages": Shape(
        lambda text, n: PADDED % (text, b" " * (n * 7 % 16)), lambda n: STOPPED % n, BEGUN
    ),
    b":streamGenerateContent": Shape(
        lambda text, n: CANDIDATE % (text, b"", n + 1, n + 10),
        lambda n: CANDIDATE % (b"", b',"finishReason": "STOP"', n, n + 9),
    ),
    b"/api/chat": Shape(
        lambda text, n: LINE % (n, text), lambda n: DONE % n, media_type=b"application/x-ndjson"
    ),
    b"/responses": Shape(
        lambda text, n: DELTA % (text, b"x" * (n * 7 % 16), n),
        lambda n: COMPLETED % (n, n + 9, n),
    ),
}


def shape_at(path: bytes) -> Shape:
    """Who is asked at a path; DeepSeek, where it is nobody else's."""
    plain = path.partition(b"?")[0]
    return next((shape for end, shape in SHAPES.items() if plain.endswith(end)), ALIKE)
