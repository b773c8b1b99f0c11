"""A vendor of OpenAI's dialect on a port of this machine, in the dress of any row.

    row ─▶ Dress (reasoning · usage · error) ─▶ VendorStandIn ◀──HTTP── OpenAICompatible

It says "Hm." and then "Yes.", and counts 7, 3 and 2 tokens, each where this vendor puts it. What
it serves is in `models`, the whole document.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal, Self

from standins.server import Exchange, Request, Server

Reasons = Literal["reasoning_content", "reasoning", "details", "parts", "tags"]
Counts = Literal["trailing", "finish", "x_groq", "then_empty", "in_choice"]
THOUGHT, WORD = "Hm.", "Yes."
USAGE = {
    "prompt_tokens": 7,
    "completion_tokens": 3,
    "total_tokens": 10,
    "completion_tokens_details": {"reasoning_tokens": 2},
}


@dataclass(frozen=True, slots=True)
class Dress:
    """Where a vendor puts its reasoning and its usage, and the body of its errors."""

    reasoning: Reasons
    usage: Counts
    error: object


class VendorStandIn:
    """One vendor on one port. `refuse` answers with the error of its dress instead; what was
    asked is in `requests`."""

    def __init__(self, dress: Dress) -> None:
        self.dress = dress
        self.refuse: int | None = None
        self.models: object = {"object": "list", "data": []}
        self.requests: list[Request] = []
        self._server = Server(self._answer)

    async def __aenter__(self) -> Self:
        await self._server.listen(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()
        assert self._server.faults == []

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def chats(self) -> list[Request]:
        """The questions among what was asked, oldest first."""
        return [request for request in self.requests if request.method == "POST"]

    async def _answer(self, request: Request, exchange: Exchange) -> None:
        self.requests.append(request)
        if self.refuse is not None or request.method == "GET":
            document = self.models if self.refuse is None else self.dress.error
            body = json.dumps(document).encode()
            head = "HTTP/1.1 %d So\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            exchange.send((head % (self.refuse or 200, len(body))).encode() + body)
            return
        exchange.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        for event in self._events():
            exchange.frame(b"data: " + event + b"\n\n")
        exchange.finish()

    def _events(self) -> list[bytes]:
        deltas = [{"role": "assistant", "content": ""}, *self._thoughts(), {"content": WORD}]
        events: list[dict[str, object]] = [
            {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
        ]
        end: dict[str, object] = {"index": 0, "delta": {}, "finish_reason": "stop"}
        last: dict[str, object] = {"model": "served-1", "choices": [end]}
        match self.dress.usage:
            case "finish":
                events.append({**last, "usage": USAGE})
            case "trailing":
                events += [last, {"choices": [], "usage": USAGE}]
            case "x_groq":
                events.append({**last, "x_groq": {"id": "1", "usage": USAGE}})
            case "then_empty":
                events += [last, {"choices": [], "usage": USAGE}, {"choices": [], "usage": None}]
            case "in_choice":
                events.append({**last, "choices": [{**end, "usage": USAGE}]})
        return [*(json.dumps(event).encode() for event in events), b"[DONE]"]

    def _thoughts(self) -> list[dict[str, object]]:
        match self.dress.reasoning:
            case "reasoning_content" | "reasoning" as name:
                return [{"content": None, name: THOUGHT}]
            case "details":
                details = [{"type": "reasoning.text", "text": THOUGHT, "index": 0}]
                return [{"content": "", "reasoning": THOUGHT, "reasoning_details": details}]
            case "parts":
                part = {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}
                return [{"content": [part]}]
            case "tags":
                return [
                    {"content": "<thi"},
                    {"content": f"nk>\n{THOUGHT}</th"},
                    {"content": "ink>\n\n"},
                ]
