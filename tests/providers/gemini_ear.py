"""What the tests of Gemini's stream share: bytes in, what was said and how it ended out.

event, saying ─▶ bytes ─▶ hear ─▶ [(kind, what)], Finish or (code, sentence)
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from lite_llm_chat.domain import Finish, Piece, Reasoning, Seal, Text, ToolCall
from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers.gemini_stream import GeminiDecoder

from .conftest import endpoint

Heard = tuple[list[tuple[str, str]], Finish | tuple[str, str]]


def hear(reads: Iterable[bytes], *, may_be_empty: bool = False) -> Heard:
    """What is said and how it ends; pieces of a kind in a row are one, because how many there are
    depends on the reads alone."""
    decoder = GeminiDecoder(endpoint("http://127.0.0.1:1"), may_be_empty)
    pieces: list[Piece] = []
    for read in reads:
        pieces += decoder.feed(read)
        if decoder.over:
            break
    pieces += decoder.close()
    said: list[tuple[str, str]] = []
    for piece in pieces:
        kind = type(piece).__name__
        match piece:
            case ToolCall(id=call_id, name=name, arguments=arguments):
                said.append((kind, f"{call_id} {name} {arguments}"))
            case Seal(maker="gemini", data=data):
                said.append((kind, data))
            case Text(text=text) | Reasoning(text=text):
                before = said.pop()[1] if said and said[-1][0] == kind else ""
                said.append((kind, before + text))
            case _:
                raise AssertionError(piece)
    try:
        return said, decoder.finish()
    except UpstreamError as error:
        return said, (error.code, error.detail)


def event(chunk: object) -> bytes:
    """One event."""
    return b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n"


def saying(*parts: object, **more: object) -> bytes:
    """One event with these parts."""
    return event({"candidates": [{"content": {"parts": list(parts), "role": "model"}, **more}]})


STOP = saying(finishReason="STOP")
