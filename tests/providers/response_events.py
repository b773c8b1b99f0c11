"""Events of the Responses API for tests, and the decoder's answer to them.

delta · done · ended ─▶ decoded ─▶ pieces          refused ─▶ pieces, and the error
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from lite_llm_chat.domain import Piece, Reasoning, Text, ToolCall
from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers.responses_stream import ResponseDecoder

from .conftest import endpoint


def event(kind: str, **fields: object) -> bytes:
    data = json.dumps({"type": kind, **fields}, ensure_ascii=False)
    return f"event: {kind}\ndata: {data}\n\n".encode()


def delta(text: object, kind: str = "output_text", item: int = 0, part: int = 0) -> bytes:
    name = "summary_index" if "summary" in kind else "content_index"
    return event(f"response.{kind}.delta", output_index=item, **{name: part}, delta=text)


def done(index: int = 0, **item: object) -> bytes:
    return event("response.output_item.done", output_index=index, item=item)


def ended(status: str = "completed", **response: object) -> bytes:
    return event(f"response.{status}", response={"status": status, **response})


def message(*texts: object, kind: str = "output_text") -> dict[str, object]:
    name = "refusal" if kind == "refusal" else "text"
    return {"type": "message", "content": [{"type": kind, name: text} for text in texts]}


def call(call_id: object = "call_1", **more: object) -> dict[str, object]:
    item = {"type": "function_call", "call_id": call_id, "name": "look", "arguments": '{"a": 1}'}
    return {**item, **more}


LOOK = ToolCall("call_1", "look", '{"a": 1}')


def decoded(*parts: bytes, may_be_empty: bool = False) -> list[Piece]:
    decoder = ResponseDecoder(endpoint("http://nowhere"), may_be_empty)
    pieces = [piece for part in parts for piece in decoder.feed(part)]
    return [*pieces, *decoder.close(), decoder.finish()]


def refused(*parts: bytes) -> tuple[list[Piece], UpstreamError]:
    decoder = ResponseDecoder(endpoint("http://nowhere"))
    pieces = [piece for part in parts for piece in decoder.feed(part)] + decoder.close()
    with pytest.raises(UpstreamError) as caught:
        decoder.finish()
    return pieces, caught.value


def merged(pieces: list[Piece]) -> list[Any]:
    rows: list[Any] = []
    for piece in pieces:
        if rows and isinstance(piece, Text | Reasoning) and type(piece) is type(rows[-1]):
            rows[-1] = type(piece)(rows[-1].text + piece.text)
        else:
            rows.append(piece)
    return rows
