"""A product with a model that calls, and a box of tools that a test holds at gates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from lite_llm_chat.config import Settings
from lite_llm_chat.domain import Tool, ToolCall, ToolResult
from lite_llm_chat.tools.base import Toolbox, Verdict, Word, unknown
from tests.api.truth import logs_are_true
from tests.conftest import Product, question

from .caller import Caller, moved_in


@dataclass
class Box:
    """`add` is allowed, `buy` is asked for; a gate holds every call of a tool back."""

    words: dict[str, Word] = field(default_factory=lambda: {"own__add": "allow", "own__buy": "ask"})
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    began: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def tools(self) -> tuple[Tool, ...]:
        return tuple(Tool(name, f"does {name}", {"type": "object"}) for name in self.words)

    def verdict(self, call: ToolCall) -> Verdict:
        word = self.words.get(call.name)
        return Verdict("deny", unknown(call)) if word is None else Verdict(word)

    async def run(self, call: ToolCall) -> ToolResult:
        self.began.append(call.id)
        self.moved.set()
        try:
            if call.id in self.gates:
                await self.gates[call.id].wait()
        except asyncio.CancelledError:
            self.stopped.append(call.id)
            raise
        return ToolResult(call.id, f"{call.name}={call.arguments}")


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch) -> Caller:
    model = Caller()
    moved_in(monkeypatch, model)
    return model


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Box:
    made = Box()

    async def toolbox(_settings: Settings, _stack: AsyncExitStack) -> Toolbox:
        return made

    monkeypatch.setattr("lite_llm_chat.assembly.unpacked.toolbox_of", toolbox)
    return made


@pytest.fixture
async def product(settings: Settings, caller: Caller, box: Box) -> AsyncIterator[Product]:
    running = await Product(settings).start()
    yield running
    await logs_are_true(running)
    await running.stop()


def to_caller(text: str, **fields: object) -> dict[str, object]:
    """The body of a question to the model that calls."""
    return question(text, **{"provider": "caller", "model": "one", **fields})


async def asked(product: Product, text: str, **fields: object) -> str:
    """A question in the background; the generation's id."""
    body = to_caller(text, background=True, **fields)
    status, ticket = await product.call("POST", "/chat", body)
    assert status == 202, ticket
    return str(ticket["generation_id"])


async def kinds(product: Product, generation_id: str) -> list[tuple[str, Any]]:
    """Names and data of all events, once the answer has ended."""
    stream = await product.stream(f"/generations/{generation_id}/events")
    return [(one.event or "", one.data) for one in await stream.rest() if one.id]


async def until_asked(product: Product, generation_id: str) -> str:
    """Return once a person is asked about a call; its id."""
    stream = await product.stream(f"/generations/{generation_id}/events")
    frame = await stream.until("state")
    stream.leave()
    return str(frame.data["id"])


def results(events: list[tuple[str, Any]]) -> list[tuple[str, str, bool]]:
    """Of some events, what tools gave."""
    found = [data for name, data in events if name == "tool_result"]
    return [(one["id"], one["content"], one["failed"]) for one in found]
