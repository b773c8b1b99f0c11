"""Small steps that many tests take: hold an answer at a gate, follow a log, wait for an end."""

from __future__ import annotations

from typing import Any

from standins.behaviours import Answer, Gate, Pause
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Frame, Product, Stream


def hold(upstream: DeepSeekStandIn, text: str, after_tokens: int | None = 1) -> Gate:
    """The next answer says `text` and waits before the returned gate; None: before its head."""
    gate = Gate()
    upstream.play(Answer(text=text), Pause(gate, after_tokens))
    return gate


def script(upstream: DeepSeekStandIn, text: str, *after_tokens: int) -> list[Gate]:
    """The next answer waits before a gate after each of these numbers of tokens."""
    gates = [Gate() for _ in after_tokens]
    pauses = (Pause(gate, count) for gate, count in zip(gates, after_tokens, strict=True))
    upstream.play(Answer(text=text), *pauses)
    return gates


def order_of(upstream: DeepSeekStandIn, number: int = -1) -> dict[str, Any]:
    """What the vendor was sent, by default the last time."""
    body = upstream.chats[number].body
    assert isinstance(body, dict)
    return body


def text_of(frames: list[Frame]) -> str:
    """The visible text of some frames."""
    return "".join(frame.data["content"] for frame in frames if "content" in (frame.data or {}))


def log_of(frames: list[Frame]) -> dict[str, str]:
    """The map seq → bytes of some numbered frames."""
    return {frame.id: frame.raw for frame in frames if frame.id is not None}


async def begin(product: Product, stream: Stream) -> str:
    """Read a plain stream up to its first text; the generation's id."""
    await stream.until("content")
    return stream.headers["X-Generation-Id"]


async def events(
    product: Product, generation_id: str, after: int = 0, **headers: str
) -> list[Frame]:
    """All events after a number, to the end of the answer."""
    path = f"/generations/{generation_id}/events?after={after}"
    stream = await product.stream(path, headers=headers or None)
    assert stream.status == 200, await stream.response.text()
    return await stream.rest()


async def at_end(product: Product, generation_id: str) -> Any:
    """The generation once its log has ended."""
    frames = await events(product, generation_id)
    assert frames[-1].event == "ended"
    status, generation = await product.call("GET", f"/generations/{generation_id}")
    assert status == 200
    return generation


async def messages(product: Product, session_id: int = 1) -> list[dict[str, Any]]:
    """The messages of a session's active branch."""
    status, session = await product.call("GET", f"/sessions/{session_id}")
    assert status == 200, session
    found: list[dict[str, Any]] = session["messages"]
    assert session["message_count"] == len(found)
    return found


async def spoken(product: Product, session_id: int = 1) -> list[tuple[str, str]]:
    """Who said what on a session's active branch."""
    return [(one["role"], one["content"]) for one in await messages(product, session_id)]
