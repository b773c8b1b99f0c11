"""One question, from the socket to the rows."""

from __future__ import annotations

from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question


async def test_a_streamed_answer_is_what_the_session_then_holds(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    stream = await product.ask("say: Hello there, friend!")
    frames = await stream.rest()
    assert frames[0].data["session_id"] == 1
    text = "".join(f.data["content"] for f in frames if "content" in f.data)
    assert text == "Hello there, friend!"
    assert frames[-1].raw == 'data: {"done": true}'
    status, session = await product.call("GET", "/sessions/1")
    assert session["messages"][1]["content"] == text


async def test_non_streaming(product: Product) -> None:
    status, body = await product.call(
        "POST", "/chat", question("say: hi", stream=False, model="deepseek-reasoner")
    )
    assert status == 200
    print(body)
    assert body["message"]["content"] == "hi"
    assert body["message"]["thought_process"]
