"""What is the same in every dialect: no vendor can say what no store can hold, nor fill the memory.

Vendor ─▶ exchange(decoder of each dialect) ─▶ pieces, Finish
"""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lite_llm_chat.domain import Ended
from lite_llm_chat.providers.anthropic_stream import MessageDecoder
from lite_llm_chat.providers.chat_stream import ChatDecoder
from lite_llm_chat.providers.exchange import Decoder, exchange
from lite_llm_chat.providers.gemini_stream import GeminiDecoder
from lite_llm_chat.providers.ollama_stream import OllamaDecoder
from lite_llm_chat.providers.responses_stream import ResponseDecoder
from lite_llm_chat.providers.wire import Endpoint, Wire
from lite_llm_chat.store.codec import body_to_row

from .conftest import SSE, Vendor, collect, endpoint, failing, finish, stream, text

ODD = 'm\ud800\x00\n"' + 10_000 * "x"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a vendor says `Hi`, a model, a reason to end, and something of no use."""

    decoder: Callable[[Endpoint], Decoder]
    row: Callable[[dict[str, object]], bytes]
    answer: Callable[[str, str], list[dict[str, object]]]
    useless: Callable[[dict[str, object]], dict[str, object]]


def _event(data: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def _line(data: dict[str, object]) -> bytes:
    return json.dumps(data).encode() + b"\n"


def _chat(model: str, reason: str) -> list[dict[str, object]]:
    choice = {"delta": {"content": "Hi"}, "finish_reason": reason}
    return [{"model": model, "system_fingerprint": model, "choices": [choice]}]


def _messages(model: str, reason: str) -> list[dict[str, object]]:
    return [
        {"type": "message_start", "message": {"model": model}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "message_delta", "delta": {"stop_reason": reason}},
        {"type": "message_stop"},
    ]


def _gemini(model: str, reason: str) -> list[dict[str, object]]:
    candidate = {"content": {"parts": [{"text": "Hi"}]}, "finishReason": reason}
    return [{"modelVersion": model, "candidates": [candidate]}]


def _ollama(model: str, reason: str) -> list[dict[str, object]]:
    return [{"model": model, "message": {"content": "Hi"}, "done": True, "done_reason": reason}]


def _responses(model: str, reason: str) -> list[dict[str, object]]:
    item = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    response = {"model": model, "output": [item], "incomplete_details": {"reason": reason}}
    return [{"type": "response.incomplete", "response": response}]


DIALECTS = {
    "chat": Dialect(
        ChatDecoder,
        _event,
        _chat,
        lambda junk: {"choices": [{"delta": {"content": "a", "more": junk}}]},
    ),
    "anthropic": Dialect(
        MessageDecoder, _event, _messages, lambda junk: {"type": "message_delta", "usage": junk}
    ),
    "gemini": Dialect(GeminiDecoder, _event, _gemini, lambda junk: {"usageMetadata": junk}),
    "responses": Dialect(
        ResponseDecoder,
        _event,
        _responses,
        lambda junk: {"type": "response.output_item.added", "item": junk},
    ),
    "ollama": Dialect(OllamaDecoder, _line, _ollama, lambda junk: {"message": junk}),
}


@pytest.fixture(params=[*DIALECTS.values()], ids=[*DIALECTS])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    found: Dialect = request.param
    return found


async def test_names_that_no_store_can_hold_are_mended(
    wire: Wire, vendor: Vendor, dialect: Dialect
) -> None:
    vendor.says = stream(*map(dialect.row, dialect.answer(ODD, ODD)))
    way = endpoint(vendor.url)
    pieces = await collect(exchange(wire, way, {}, dialect.decoder(way)))
    end = finish(pieces)
    assert text(pieces) == "Hi"
    for name in (end.reason, end.model):
        assert name is not None
        assert name.lower().startswith('m\ufffd\ufffd\ufffd"xxx')
        assert len(name) < 1_000
    kept = Ended("completed", end.reason, served_model=end.model, fingerprint=end.fingerprint)
    assert body_to_row(kept)[0] == "ended"


def test_what_a_vendor_says_in_vain_is_not_kept(dialect: Dialect) -> None:
    decoder = dialect.decoder(endpoint("http://nowhere"))
    decoder.feed(dialect.row(dialect.useless({})))
    tracemalloc.start()
    try:
        for number in range(20):
            decoder.feed(dialect.row(dialect.useless({f"of_no_use_{number}": 100_000 * "x"})))
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert decoder.failure is None
    assert kept_bytes < 50_000


async def test_a_body_that_is_over_in_the_middle_of_an_event_is_a_cut(
    wire: Wire, vendor: Vendor, dialect: Dialect
) -> None:
    rows = [*map(dialect.row, dialect.answer("m", "stop"))]
    vendor.says = stream(*rows[:-1], rows[-1].rstrip()[:-9])
    way = endpoint(vendor.url)
    _, error = await failing(exchange(wire, way, {}, dialect.decoder(way)))
    assert (error.code, error.retryable) == ("upstream_truncated", True)


MEBIBYTE = b"x" * (1 << 20)
DEEP = b"[" * 100_000


@pytest.mark.parametrize("start", [b'{"content": "', b'data: {"content": "'])
async def test_what_has_no_end_is_given_up_for_good(
    wire: Wire, vendor: Vendor, dialect: Dialect, start: bytes
) -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE + b"\r\n" + start)
        while True:
            writer.write(MEBIBYTE)
            await writer.drain()

    vendor.script = endless
    way = endpoint(vendor.url)
    pieces, error = await failing(exchange(wire, way, {}, dialect.decoder(way)))
    assert (pieces, error.code, error.retryable) == ([], "upstream_garbage", False)
    await vendor.gone.wait()


@pytest.mark.parametrize("body", [DEEP, b'{"content": ' + DEEP, b'data: {"error": ' + DEEP])
async def test_what_is_nested_without_end_is_an_error_and_no_defect(
    wire: Wire, vendor: Vendor, dialect: Dialect, body: bytes
) -> None:
    vendor.says = stream(body + b"\n\n")
    way = endpoint(vendor.url)
    pieces, error = await failing(exchange(wire, way, {}, dialect.decoder(way)))
    assert pieces == []
    assert error.code in ("upstream_garbage", "upstream_truncated", "provider_error")
